/* Portal tokens, and what a credential can learn and do about itself. */
#include "posthorn/portal_token.h"

#include "api/application_in.h"
#include "api/portal_settings.h"
#include "api/routes.h"
#include "posthorn/node.h"

#define ANSWER_BYTES      4096
#define LIFETIME_S        3600
#define LIFETIME_MAX_S    (7 * 24 * 3600)
#define GRACE_MAX_S       (3 * 24 * 3600)
#define FLAGS_MAX         250
#define FLAG_CHARS_MAX    256
#define SESSIONS_MAX      1000
#define SESSION_CHARS_MAX 64
#define PORTAL_PATH       "/portal?tenant=%s#key="

/* ---- a token for an application ---- */

struct opening {
    struct ph_call *call;
    struct ph_portal_token token;
    struct ph_application_change
        *application; /* to be made if it is missing; NULL: not, or not any more */
    char text[PH_TOKEN_LEN + 1];
};

static void open_portal(void *ctx);

static void on_opened(void *ctx, enum ph_err err)
{
    struct opening *opening = ctx;
    struct ph_call *call = opening->call;
    struct ph_application_change *application = opening->application;
    char tenant[PH_ID_WIRE_MAX];
    struct ph_json_writer *w;

    if (err == PH_ERR_NOT_FOUND && application) {
        opening->application = NULL;
        ph_api_ensure_application(call, application, open_portal, opening);
        return;
    }
    if (err != PH_OK) {
        ph_answer_error(call, err, NULL);
        return;
    }
    ph_id_format(PH_ID_TENANT, call->tenant, tenant);
    w = ph_answer_writer(call, ANSWER_BYTES);
    ph_jw_object_begin(w);
    ph_jw_key(w, "token");
    ph_jw_cstr(w, opening->text);
    ph_jw_key(w, "url");
    ph_jw_cstr(w, ph_arena_printf(call->req->arena, "%s" PORTAL_PATH "%s",
                                  ph_node_url(call->api->node), tenant, opening->text));
    ph_jw_object_end(w);
    ph_answer_json(call, 200, w);
}

static void open_portal(void *ctx)
{
    struct opening *opening = ctx;
    struct ph_call *call = opening->call;

    ph_portal_token_create(call->api->db, call->req->arena, &opening->token, opening->text,
                           on_opened, opening);
}

static struct ph_str read_session(struct ph_call *call, struct ph_faults *faults, json_t *body)
{
    struct ph_str session =
        ph_field_str(call, faults, body, "sessionId", false, 1, SESSION_CHARS_MAX, NULL);

    if (session.ptr && !ph_name_ok(session, SESSION_CHARS_MAX))
        ph_fault(call, faults, "body", "sessionId", "has to be 1 to 64 of a-z A-Z 0-9 - _ .",
                 "value_error.str.regex");
    return session;
}

/* Those of a list, all without one. */
static unsigned read_sections(struct ph_call *call, struct ph_faults *faults, json_t *body)
{
    struct ph_str *names = NULL;
    size_t n =
        ph_field_names(call, faults, body, "sections", FLAGS_MAX, FLAG_CHARS_MAX, &names, NULL);
    unsigned sections = 0;
    enum ph_section one;

    for (size_t i = 0; i < n && names; i++) {
        if (ph_section_parse(names[i], &one) == PH_OK)
            sections |= one;
        else
            ph_fault(call, faults, "body", "sections",
                     "has to be of endpoints, messages and event-types", "type_error.enum");
    }
    return names || json_is_array(json_object_get(body, "sections")) ? sections : PH_SECTIONS;
}

static void read_opening(struct ph_call *call, struct ph_faults *faults, json_t *body,
                         struct opening *opening)
{
    struct ph_portal_token *token = &opening->token;
    json_t *application = json_object_get(body, "application");
    struct ph_str *flags = NULL;
    int64_t seconds = ph_field_int(call, faults, body, "expiry", 1, LIFETIME_MAX_S, NULL);

    token->tenant = call->tenant;
    token->application = call->params[0];
    token->created_by = call->identity.credential;
    token->lifetime_s = seconds < 0 ? LIFETIME_S : seconds;
    token->read_only = ph_field_bool(call, faults, body, "readOnly", false, NULL);
    token->sections = read_sections(call, faults, body);
    token->session = read_session(call, faults, body);
    token->n_feature_flags =
        ph_field_names(call, faults, body, "featureFlags", FLAGS_MAX, FLAG_CHARS_MAX, &flags, NULL);
    token->feature_flags = flags ? flags : ph_arena_array_of(call->req->arena, struct ph_str, 0);
    if (!application || json_is_null(application))
        return;
    if (!json_is_object(application)) {
        ph_fault(call, faults, "body", "application", "has to be an object", "type_error.dict");
        return;
    }
    opening->application = ph_arena_new_of(call->req->arena, struct ph_application_change);
    ph_api_read_application(call, faults, application, opening->application);
}

void ph_api_portal_open(struct ph_call *call)
{
    struct opening *opening = ph_arena_new_of(call->req->arena, struct opening);
    struct ph_faults faults = {0};
    json_t *body = ph_body_object(call);

    if (!body)
        return;
    opening->call = call;
    read_opening(call, &faults, body, opening);
    if (!ph_faults_answer(call, &faults))
        open_portal(opening);
}

/* ---- their end ---- */

static void on_ended(void *ctx, enum ph_err err)
{
    struct ph_call *call = ctx;

    call->ends_credentials = true;
    if (err != PH_OK)
        ph_answer_error(call, err, NULL);
    else
        ph_answer_empty(call, 204);
}

void ph_api_portal_expire_all(struct ph_call *call)
{
    struct ph_faults faults = {0};
    json_t *body = ph_body_object(call);
    struct ph_str *sessions = NULL;
    int64_t seconds;
    size_t n;

    if (!body)
        return;
    seconds = ph_field_int(call, &faults, body, "expiry", 0, GRACE_MAX_S, NULL);
    n = ph_field_names(call, &faults, body, "sessionIds", SESSIONS_MAX, SESSION_CHARS_MAX,
                       &sessions, NULL);
    if (!ph_faults_answer(call, &faults))
        ph_portal_tokens_expire(call->api->db, call->req->arena, call->tenant, call->params[0],
                                seconds < 0 ? 0 : seconds, n > 0 ? sessions : NULL, n, on_ended,
                                call);
}

/* A key of a tenant is deleted, not signed out. */
void ph_api_logout(struct ph_call *call)
{
    if (call->identity.kind == PH_CREDENTIAL_PORTAL)
        ph_portal_token_delete(call->api->db, call->req->arena, call->tenant,
                               call->identity.credential, on_ended, call);
    else
        ph_answer_error(call, PH_ERR_FORBIDDEN, "Only a portal token can be signed out.");
}

/* ---- who am I? ---- */

static void answer_whoami(struct ph_call *call, struct ph_str session)
{
    struct ph_json_writer *w = ph_answer_writer(call, ANSWER_BYTES);

    ph_jw_object_begin(w);
    ph_jw_key(w, "appId");
    if (ph_id_is_zero(call->identity.application))
        ph_jw_null(w);
    else
        ph_jw_id(w, PH_ID_APPLICATION, call->identity.application);
    ph_jw_key(w, "envId");
    ph_jw_id(w, PH_ID_TENANT, call->tenant);
    ph_jw_key(w, "permissionSource");
    ph_jw_cstr(w, call->identity.kind == PH_CREDENTIAL_JWT ? "SvixJwt" : "GlobalAuthToken");
    ph_jw_key(w, "readOnly");
    ph_jw_bool(w, call->identity.access == PH_ACCESS_READ);
    ph_jw_key(w, "sessionId");
    ph_jw_str(w, session);
    ph_jw_object_end(w);
    ph_answer_json(call, 200, w);
}

static void on_session(void *ctx, enum ph_err err, struct ph_str session)
{
    if (err != PH_OK)
        ph_answer_error(ctx, err, NULL);
    else
        answer_whoami(ctx, session);
}

void ph_api_whoami(struct ph_call *call)
{
    if (call->identity.kind == PH_CREDENTIAL_PORTAL)
        ph_portal_token_session(call->api->db, call->req->arena, call->tenant,
                                call->identity.credential, on_session, call);
    else
        answer_whoami(call, PH_STR_NONE);
}

/* ---- what the portal shows ---- */

static void on_portal(void *ctx, enum ph_err err, const struct ph_portal *portal)
{
    struct ph_call *call = ctx;
    const struct ph_identity *identity = &call->identity;
    unsigned sections = identity->kind == PH_CREDENTIAL_PORTAL ? identity->sections : PH_SECTIONS;
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(call, err, NULL);
        return;
    }
    w = ph_answer_writer(call, ANSWER_BYTES + PH_PORTAL_BRANDING_MAX);
    ph_jw_object_begin(w);
    ph_jw_key(w, "application");
    if (ph_id_is_zero(portal->application)) {
        ph_jw_null(w);
    } else {
        ph_jw_object_begin(w);
        ph_jw_key(w, "id");
        ph_jw_id(w, PH_ID_APPLICATION, portal->application);
        ph_jw_key(w, "name");
        ph_jw_str(w, portal->name);
        ph_jw_key(w, "uid");
        ph_jw_str(w, portal->uid);
        ph_jw_object_end(w);
    }
    ph_jw_key(w, "branding");
    if (portal->branding.ptr)
        ph_jw_raw(w, portal->branding);
    else
        ph_jw_null(w);
    ph_jw_key(w, "expiresAt");
    if (identity->expires_ms)
        ph_jw_time(w, identity->expires_ms);
    else
        ph_jw_null(w);
    ph_jw_key(w, "readOnly");
    ph_jw_bool(w, identity->access == PH_ACCESS_READ);
    ph_jw_key(w, "sections");
    ph_jw_array_begin(w);
    for (unsigned section = 1; section < PH_SECTIONS; section *= 2)
        if (sections & section)
            ph_jw_cstr(w, ph_section_text((enum ph_section)section));
    ph_jw_array_end(w);
    ph_jw_object_end(w);
    ph_answer_json(call, 200, w);
}

void ph_api_portal_show(struct ph_call *call)
{
    ph_portal_show(call->api->db, call->req->arena, call->tenant, call->identity.application,
                   on_portal, call);
}
