/* Client certificates and OAuth client credentials of endpoints. */
#include "posthorn/endpoint_outbound.h"

#include "api/routes.h"
#include "posthorn/clock.h"
#include "posthorn/identity.h"
#include "posthorn/node.h"
#include "posthorn/oauth.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_BYTES (4 * 1024 * 1024)

static struct ph_endpoint_path path_of(struct ph_call *call)
{
    return (struct ph_endpoint_path){call->tenant, call->params[0], call->params[1]};
}

static void decref(void *json)
{
    json_decref(json);
}

static void on_set(void *ctx, enum ph_err err)
{
    if (err != PH_OK)
        ph_answer_error(ctx, err, NULL);
    else
        ph_answer_empty(ctx, 204);
}

static void set(struct ph_call *call, enum ph_outbound_kind kind, const json_t *value)
{
    struct ph_endpoint_path path = path_of(call);

    ph_endpoint_set_outbound(call->api->db, call->req->arena, call->api->node->keyring, &path, kind,
                             value, on_set, call);
}

static void get(struct ph_call *call, enum ph_outbound_kind kind, ph_endpoint_outbound_done done)
{
    struct ph_endpoint_path path = path_of(call);

    ph_endpoint_get_outbound(call->api->db, call->req->arena, call->api->node->keyring, &path, kind,
                             done, call);
}

static void refuse(struct ph_call *call, const char *member, const char *reason)
{
    struct ph_faults faults = {0};

    ph_fault(call, &faults, "body", member, reason, "value_error");
    (void)ph_faults_answer(call, &faults);
}

/* ---- client certificate ---- */

static void unref_identity(void *identity)
{
    ph_identity_unref(identity);
}

/* What is wrong with it now, although it can be read; NULL: nothing. */
static const char *judge_time(struct ph_call *call, const struct ph_identity *identity)
{
    int64_t not_after_ms = ph_identity_not_after_ms(identity);
    struct ph_buf text;
    struct ph_json_writer w;
    const char *fault;

    if (not_after_ms > ph_clock_wall_ms())
        return NULL;
    ph_buf_init(&text, 64);
    ph_jw_init(&w, &text);
    ph_jw_time(&w, not_after_ms);
    fault = ph_arena_printf(call->req->arena, "the certificate has expired at %.*s",
                            (int)text.len - 2, text.ptr + 1); /* without its quotes */
    ph_buf_free(&text);
    return fault;
}

void ph_api_endpoint_mtls_put(struct ph_call *call)
{
    struct ph_faults faults = {0};
    struct ph_identity *identity;
    struct ph_str pem, ca;
    const char *member, *reason;
    json_t *body = ph_body_object(call), *value;

    if (!body)
        return;
    pem = ph_field_str(call, &faults, body, "identity", true, 1, PH_IDENTITY_PEM_MAX, NULL);
    ca = ph_field_str(call, &faults, body, "ca", false, 1, PH_IDENTITY_PEM_MAX, NULL);
    if (ph_faults_answer(call, &faults))
        return;
    if (ph_identity_new(pem, ca, &identity, &member, &reason) != PH_OK) {
        refuse(call, member, reason);
        return;
    }
    ph_arena_defer(call->req->arena, unref_identity, identity);
    if ((reason = judge_time(call, identity)) != NULL) {
        refuse(call, "identity", reason);
        return;
    }
    value = json_object();
    ph_arena_defer(call->req->arena, decref, value);
    json_object_set(value, "identity", json_object_get(body, "identity"));
    if (ca.ptr)
        json_object_set(value, "ca", json_object_get(body, "ca"));
    set(call, PH_OUTBOUND_MTLS, value);
}

static void on_mtls(void *ctx, enum ph_err err, json_t *value)
{
    struct ph_call *call = ctx;
    struct ph_str pem = ph_str_of(json_string_value(json_object_get(value, "identity")));
    struct ph_str ca = ph_str_of(json_string_value(json_object_get(value, "ca")));
    struct ph_identity *identity;
    struct ph_json_writer *w;
    const char *member, *reason;

    if (err == PH_OK && !value) {
        ph_answer_error(call, PH_ERR_NOT_FOUND, "The endpoint has no client certificate.");
        return;
    }
    if (err == PH_OK && ph_identity_new(pem, ca, &identity, &member, &reason) != PH_OK)
        err = PH_ERR_INTERNAL;
    if (err != PH_OK) {
        ph_answer_error(call, err, NULL);
        return;
    }
    w = ph_answer_writer(call, ANSWER_BYTES);
    ph_jw_object_begin(w);
    ph_jw_key(w, "subject");
    ph_jw_str(w, ph_identity_subject(identity, call->req->arena));
    ph_jw_key(w, "notAfter");
    ph_jw_time(w, ph_identity_not_after_ms(identity));
    ph_jw_key(w, "ca");
    ph_jw_str(w, ca);
    ph_jw_object_end(w);
    ph_identity_unref(identity);
    ph_answer_json(call, 200, w);
}

void ph_api_endpoint_mtls_get(struct ph_call *call)
{
    get(call, PH_OUTBOUND_MTLS, on_mtls);
}

void ph_api_endpoint_mtls_delete(struct ph_call *call)
{
    set(call, PH_OUTBOUND_MTLS, NULL);
}

/* ---- OAuth ---- */

/* Of EndpointOauthConfigIn; clientSecret is not shown. */
static const char *const oauth_members[] = {"grantType", "authMethod",  "clientId",    "tokenUrl",
                                            "scopes",    "extraParams", "extraHeaders"};

void ph_api_endpoint_oauth_put(struct ph_call *call)
{
    struct ph_oauth oauth;
    const char *member, *reason;
    json_t *body = ph_body_object(call), *value;

    if (!body)
        return;
    if (ph_oauth_read(call->req->arena, body, &oauth, &member, &reason) != PH_OK) {
        refuse(call, member, reason);
        return;
    }
    value = json_object();
    ph_arena_defer(call->req->arena, decref, value);
    for (size_t i = 0; i < sizeof oauth_members / sizeof *oauth_members; i++)
        if (json_object_get(body, oauth_members[i]))
            json_object_set(value, oauth_members[i], json_object_get(body, oauth_members[i]));
    json_object_set(value, "clientSecret", json_object_get(body, "clientSecret"));
    set(call, PH_OUTBOUND_OAUTH, value);
}

/* A member as it is; when it is absent or null: an empty list or map, by its kind. */
static void write_member(struct ph_call *call, struct ph_json_writer *w, const char *name,
                         const json_t *value)
{
    char *text;

    ph_jw_key(w, name);
    if (!value || json_is_null(value)) {
        ph_jw_raw(w, ph_str_eq_c(PH_STR("scopes"), name) ? PH_STR("[]") : PH_STR("{}"));
        return;
    }
    text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    ph_jw_raw(w, ph_str_of(ph_arena_copy(call->req->arena, text, strlen(text) + 1)));
    free(text);
}

static void on_oauth(void *ctx, enum ph_err err, json_t *value)
{
    struct ph_call *call = ctx;
    struct ph_json_writer *w;

    if (err == PH_OK && !value) {
        ph_answer_error(call, PH_ERR_NOT_FOUND, "The endpoint has no OAuth configuration.");
        return;
    }
    if (err != PH_OK) {
        ph_answer_error(call, err, NULL);
        return;
    }
    w = ph_answer_writer(call, ANSWER_BYTES);
    ph_jw_object_begin(w);
    for (size_t i = 0; i < sizeof oauth_members / sizeof *oauth_members; i++)
        write_member(call, w, oauth_members[i], json_object_get(value, oauth_members[i]));
    ph_jw_object_end(w);
    ph_answer_json(call, 200, w);
}

void ph_api_endpoint_oauth_get(struct ph_call *call)
{
    get(call, PH_OUTBOUND_OAUTH, on_oauth);
}

void ph_api_endpoint_oauth_delete(struct ph_call *call)
{
    set(call, PH_OUTBOUND_OAUTH, NULL);
}
