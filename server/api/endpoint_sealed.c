/* Secrets and custom headers of endpoints. */
#include "posthorn/endpoint.h"

#include "api/custom_header.h"
#include "api/endpoint_json.h"
#include "api/routes.h"
#include "api/signing_in.h"
#include "posthorn/node.h"

#include <string.h>

#define GRACE_DEFAULT_S (24 * 60 * 60)
#define GRACE_MAX_S     (7 * 24 * 60 * 60)
#define ANSWER_BYTES    (8 * 1024 * 1024)

static struct ph_endpoint_path path_of(struct ph_call *call)
{
    return (struct ph_endpoint_path){call->tenant, call->params[0], call->params[1]};
}

/* ---- secret ---- */

static void on_secret(void *ctx, enum ph_err err, const struct ph_secret *secret)
{
    char text[PH_SECRET_TEXT_MAX], public_key[PH_PUBLIC_KEY_TEXT_MAX];
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(ctx, err, NULL);
        return;
    }
    w = ph_answer_writer(ctx, 1024);
    ph_jw_object_begin(w);
    ph_jw_key(w, "key");
    ph_jw_str(w, (struct ph_str){text, ph_secret_format(secret, text)});
    if (secret->kind == PH_SECRET_ED25519) {
        ph_jw_key(w, "publicKey");
        ph_jw_str(w, (struct ph_str){public_key, ph_secret_format_public(secret, public_key)});
    }
    ph_jw_object_end(w);
    explicit_bzero(text, sizeof text);
    ph_answer_json(ctx, 200, w);
}

void ph_api_endpoint_secret_get(struct ph_call *call)
{
    struct ph_endpoint_path path = path_of(call);

    ph_endpoint_get_secret(ph_api_endpoint_db(call), call->req->arena, call->api->node->keyring,
                           &path, on_secret, call);
}

/* Answers with the new secret, which newer client libraries read; older ones ignore it. */
static void on_rotated(void *ctx, enum ph_err err)
{
    if (err == PH_ERR_VALIDATION)
        ph_answer_error(ctx, PH_ERR_BAD_REQUEST,
                        "The endpoint has 10 old secrets that still sign along; wait until one "
                        "expires, or rotate with "
                        "gracePeriodSeconds 0.");
    else if (err != PH_OK)
        ph_answer_error(ctx, err, NULL);
    else
        ph_api_endpoint_secret_get(ctx);
}

struct rotation {
    struct ph_endpoint_path path;
    struct ph_secret secret;
    int32_t grace_s;
};

static void wipe(void *rotation)
{
    ph_secret_wipe(&((struct rotation *)rotation)->secret);
}

static void rotate(struct ph_call *call)
{
    struct rotation *rotation = call->data;

    ph_endpoint_rotate_secret(ph_api_endpoint_db(call), call->req->arena, call->api->node->keyring,
                              &rotation->path, &rotation->secret, rotation->grace_s, on_rotated,
                              call);
}

/* Nothing said of the new secret: it is of the present one's kind, if that is one that is made here. */
static void on_present(void *ctx, enum ph_err err, const struct ph_secret *present)
{
    struct ph_call *call = ctx;
    struct rotation *rotation = call->data;

    if (err != PH_OK) {
        ph_answer_error(call, err, NULL);
        return;
    }
    if (present->kind == PH_SECRET_ED25519)
        ph_secret_new_ed25519(&rotation->secret);
    else
        ph_secret_new(&rotation->secret);
    rotate(call);
}

/* A text: whether it may be the secret depends on the endpoint's profile. */
static void on_endpoint(void *ctx, enum ph_err err, const struct ph_endpoint *endpoint)
{
    struct ph_call *call = ctx;
    struct rotation *rotation = call->data;

    if (err != PH_OK)
        ph_answer_error(call, err, NULL);
    else
        ph_api_check_secret(call, &rotation->secret, endpoint->signature_profile, "key", rotate);
}

void ph_api_endpoint_secret_rotate(struct ph_call *call)
{
    struct rotation *rotation = ph_arena_new_of(call->req->arena, struct rotation);
    struct ph_faults faults = {0};
    int64_t grace_s;
    json_t *body;
    bool given;

    if (call->req->body.len == 0)
        call->req->body = PH_STR("{}");
    if (!(body = ph_body_object(call)))
        return;
    ph_arena_defer(call->req->arena, wipe, rotation);
    call->data = rotation;
    rotation->path = path_of(call);
    given = ph_api_field_secret(call, &faults, body, "key", &rotation->secret);
    grace_s = ph_field_int(call, &faults, body, "gracePeriodSeconds", 0, GRACE_MAX_S, NULL);
    rotation->grace_s = grace_s < 0 ? GRACE_DEFAULT_S : (int32_t)grace_s;
    if (ph_faults_answer(call, &faults))
        return;
    if (!given)
        ph_endpoint_get_secret(ph_api_endpoint_db(call), call->req->arena, call->api->node->keyring,
                               &rotation->path, on_present, call);
    else if (rotation->secret.kind == PH_SECRET_TEXT)
        ph_endpoint_get(ph_api_endpoint_db(call), call->req->arena, &rotation->path, on_endpoint,
                        call);
    else
        rotate(call);
}

/* ---- headers ---- */

static bool is_in(struct ph_str name, const struct ph_str *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ph_str_eq(name, names[i]))
            return true;
    return false;
}

static void on_headers(void *ctx, enum ph_err err, json_t *headers, const struct ph_str *sensitive,
                       size_t n_sensitive)
{
    struct ph_json_writer *w;
    const char *name;
    json_t *value;

    if (err != PH_OK) {
        ph_answer_error(ctx, err, NULL);
        return;
    }
    w = ph_answer_writer(ctx, ANSWER_BYTES);
    ph_jw_object_begin(w);
    ph_jw_key(w, "headers");
    ph_jw_object_begin(w);
    json_object_foreach(headers, name, value)
    {
        if (is_in(ph_str_of(name), sensitive, n_sensitive))
            continue;
        ph_jw_key_str(w, ph_str_of(name));
        ph_jw_str(w, (struct ph_str){json_string_value(value), json_string_length(value)});
    }
    ph_jw_object_end(w);
    ph_jw_key(w, "sensitive");
    ph_jw_array_begin(w);
    for (size_t i = 0; i < n_sensitive; i++)
        ph_jw_str(w, sensitive[i]);
    ph_jw_array_end(w);
    ph_jw_object_end(w);
    ph_answer_json(ctx, 200, w);
}

void ph_api_endpoint_headers_get(struct ph_call *call)
{
    struct ph_endpoint_path path = path_of(call);

    ph_endpoint_get_headers(ph_api_endpoint_db(call), call->req->arena, call->api->node->keyring,
                            &path, on_headers, call);
}

/* The member's name in `headers` that differs at most in case; NULL: none. */
static const char *find_header(json_t *headers, const char *name)
{
    const char *key;
    json_t *value;

    json_object_foreach(headers, key,
                        value) if (ph_str_ieq(ph_str_of(key), ph_str_of(name))) return key;
    return NULL;
}

/* One name and value of a body; null only in a patch, where it removes. */
static void judge_header(struct ph_call *call, struct ph_faults *faults, const char *name,
                         json_t *value, bool patch)
{
    struct ph_str text = {json_string_value(value), json_string_length(value)};
    const char *fault = ph_custom_header_name_fault(ph_str_of(name));

    if (!fault && text.ptr)
        fault = ph_custom_header_value_fault(text);
    if (!fault && !text.ptr && !(patch && json_is_null(value)))
        fault = "a header value has to be a string";
    if (fault)
        ph_fault(call, faults, "body", "headers",
                 ph_arena_printf(call->req->arena, "%.256s: %s", name, fault), "value_error");
}

/* The member `headers` of the body, judged. NULL: answered. */
static json_t *read_headers(struct ph_call *call, bool patch)
{
    struct ph_faults faults = {0};
    json_t *body = ph_body_object(call), *headers, *value, *seen;
    const char *name;

    if (!body)
        return NULL;
    headers = json_object_get(body, "headers");
    if (!headers)
        ph_fault(call, &faults, "body", "headers", "field required", "value_error.missing");
    else if (!json_is_object(headers))
        ph_fault(call, &faults, "body", "headers", "has to be an object", "type_error.dict");
    else if (json_object_size(headers) > PH_CUSTOM_HEADERS_MAX)
        ph_fault(call, &faults, "body", "headers", "has to have at most 100 headers",
                 "value_error.list.max_items");
    if (ph_faults_answer(call, &faults))
        return NULL;
    seen = json_object();
    json_object_foreach(headers, name, value)
    {
        judge_header(call, &faults, name, value, patch);
        if (find_header(seen, name))
            ph_fault(call, &faults, "body", "headers",
                     ph_arena_printf(call->req->arena,
                                     "%.256s: named twice; names do not differ by case", name),
                     "value_error");
        json_object_set_new(seen, name, json_null());
    }
    json_decref(seen);
    return ph_faults_answer(call, &faults) ? NULL : headers;
}

/* Names in `headers` whose values are not shown again; they live as long as `headers`. */
static size_t find_sensitive(struct ph_call *call, json_t *headers, const struct ph_str **out)
{
    struct ph_str *names =
        ph_arena_array_of(call->req->arena, struct ph_str, json_object_size(headers));
    const char *name;
    json_t *value;
    size_t n = 0;

    json_object_foreach(headers, name, value) if (ph_custom_header_is_sensitive(ph_str_of(name)))
        names[n++] = ph_str_of(name);
    *out = names;
    return n;
}

static json_t *put_headers(void *ctx, json_t *present, const struct ph_str **sensitive,
                           size_t *n_sensitive)
{
    struct ph_call *call = ctx;

    (void)present;
    *n_sensitive = find_sensitive(call, call->data, sensitive);
    return call->data;
}

static json_t *patch_headers(void *ctx, json_t *present, const struct ph_str **sensitive,
                             size_t *n_sensitive)
{
    struct ph_call *call = ctx;
    const char *name, *old;
    json_t *value;

    json_object_foreach((json_t *)call->data, name, value)
    {
        if ((old = find_header(present, name)) != NULL)
            json_object_del(present, old);
        if (!json_is_null(value))
            json_object_set(present, name, value);
    }
    if (json_object_size(present) > PH_CUSTOM_HEADERS_MAX)
        return NULL;
    *n_sensitive = find_sensitive(call, present, sensitive);
    return present;
}

static void on_headers_set(void *ctx, enum ph_err err)
{
    struct ph_faults faults = {0};

    if (err == PH_ERR_VALIDATION) {
        ph_fault(ctx, &faults, "body", "headers", "an endpoint has at most 100 headers",
                 "value_error.list.max_items");
        (void)ph_faults_answer(ctx, &faults);
    } else if (err != PH_OK) {
        ph_answer_error(ctx, err, NULL);
    } else {
        ph_answer_empty(ctx, 204);
    }
}

static void set_headers(struct ph_call *call, bool patch)
{
    struct ph_endpoint_path path = path_of(call);
    json_t *headers = read_headers(call, patch);

    if (!headers)
        return;
    call->data = headers;
    ph_endpoint_edit_headers(ph_api_endpoint_db(call), call->req->arena, call->api->node->keyring,
                             &path, patch ? patch_headers : put_headers, on_headers_set, call);
}

void ph_api_endpoint_headers_replace(struct ph_call *call)
{
    set_headers(call, false);
}

void ph_api_endpoint_headers_patch(struct ph_call *call)
{
    set_headers(call, true);
}
