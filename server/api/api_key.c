/* Keys of the tenant that asks. */
#include "posthorn/api_key.h"

#include "api/api_key_out.h"
#include "api/body_time.h"
#include "api/routes.h"
#include "posthorn/clock.h"

#define KEY_BYTES    4096
#define ANSWER_BYTES (1024 * 1024)

static void write_time(struct ph_json_writer *w, const char *name, int64_t wall_ms)
{
    ph_jw_key(w, name);
    if (wall_ms)
        ph_jw_time(w, wall_ms);
    else
        ph_jw_null(w);
}

/* token NULL: it is not shown. */
static void write_key(struct ph_json_writer *w, const struct ph_api_key *key, const char *token)
{
    ph_jw_object_begin(w);
    ph_jw_key(w, "createdAt");
    ph_jw_time(w, key->created_ms);
    ph_jw_key(w, "createdBy");
    if (ph_id_is_zero(key->created_by))
        ph_jw_null(w);
    else
        ph_jw_id(w, PH_ID_API_KEY, key->created_by);
    write_time(w, "expiresAt", key->expires_ms);
    ph_jw_key(w, "id");
    ph_jw_id(w, PH_ID_API_KEY, key->id);
    if (token) {
        ph_jw_key(w, "key");
        ph_jw_cstr(w, token);
    }
    write_time(w, "lastUsedAt", key->last_used_ms);
    ph_jw_key(w, "name");
    ph_jw_str(w, key->name);
    ph_jw_key(w, "scope");
    ph_jw_cstr(w, ph_access_text(key->access));
    ph_jw_object_end(w);
}

/* ---- reading ---- */

static void on_page(void *ctx, enum ph_err err, const struct ph_api_key *keys, size_t n, bool done)
{
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(ctx, err, NULL);
        return;
    }
    w = ph_answer_writer(ctx, ANSWER_BYTES);
    ph_answer_page_begin(w);
    for (size_t i = 0; i < n; i++)
        write_key(w, &keys[i], NULL);
    ph_answer_page_ids(ctx, w, PH_ID_API_KEY, n ? &keys[0].id : NULL, n ? &keys[n - 1].id : NULL,
                       done);
}

void ph_api_api_key_list(struct ph_call *call)
{
    struct ph_list list;

    if (ph_page_read_ids(call, false, PH_ID_API_KEY, &list))
        ph_api_key_list(call->api->db, call->req->arena, call->tenant, &list, on_page, call);
}

static void on_key(void *ctx, enum ph_err err, const struct ph_api_key *key)
{
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(ctx, err, NULL);
        return;
    }
    w = ph_answer_writer(ctx, KEY_BYTES);
    write_key(w, key, NULL);
    ph_answer_json(ctx, 200, w);
}

/* False: answered 404, it is no id of a key. */
static bool read_id(struct ph_call *call, struct ph_id *out)
{
    if (ph_id_parse(PH_ID_API_KEY, call->params[0], out) == PH_OK)
        return true;
    ph_answer_error(call, PH_ERR_NOT_FOUND, NULL);
    return false;
}

void ph_api_api_key_get(struct ph_call *call)
{
    struct ph_id id;

    if (read_id(call, &id))
        ph_api_key_get(call->api->db, call->req->arena, call->tenant, id, on_key, call);
}

/* ---- making and deleting ---- */

struct making {
    struct ph_call *call;
    char token[PH_TOKEN_LEN + 1];
};

static void on_made(void *ctx, enum ph_err err, const struct ph_api_key *key)
{
    struct making *making = ctx;
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(making->call, err, NULL);
        return;
    }
    w = ph_answer_writer(making->call, KEY_BYTES);
    write_key(w, key, making->token);
    ph_answer_json(making->call, 201, w);
}

static void read_key(struct ph_call *call, struct ph_faults *faults, json_t *body,
                     struct ph_api_key *key)
{
    struct ph_str scope = ph_field_str(call, faults, body, "scope", false, 0, 0, NULL);

    key->name = ph_field_str(call, faults, body, "name", true, 1, 0, NULL);
    if (key->name.len > PH_API_KEY_NAME_MAX)
        ph_fault(call, faults, "body", "name", "has at most 256 bytes",
                 "value_error.any_str.max_length");
    if (scope.ptr && ph_access_parse(scope, &key->access) != PH_OK)
        ph_fault(call, faults, "body", "scope", "has to be all, read or send", "type_error.enum");
    key->expires_ms = ph_field_time(call, faults, body, "expiresAt", false, 0);
    if (key->expires_ms && key->expires_ms <= ph_clock_wall_ms())
        ph_fault(call, faults, "body", "expiresAt", "is over already", "value_error.datetime");
}

void ph_api_key_create_for(struct ph_call *call, struct ph_db *db, struct ph_id tenant)
{
    struct making *making = ph_arena_new_of(call->req->arena, struct making);
    struct ph_api_key key = {.tenant = tenant};
    struct ph_faults faults = {0};
    json_t *body = ph_body_object(call);

    if (!body)
        return;
    read_key(call, &faults, body, &key);
    if (call->identity.kind != PH_CREDENTIAL_OPERATOR)
        key.created_by = call->api_key;
    making->call = call;
    if (!ph_faults_answer(call, &faults))
        ph_api_key_create(db, call->req->arena, &key, making->token, on_made, making);
}

void ph_api_api_key_create(struct ph_call *call)
{
    ph_api_key_create_for(call, call->api->db, call->tenant);
}

static void on_deleted(void *ctx, enum ph_err err)
{
    struct ph_call *call = ctx;

    call->ends_credentials = true;
    if (err != PH_OK)
        ph_answer_error(call, err, NULL);
    else
        ph_answer_empty(call, 204);
}

void ph_api_api_key_delete(struct ph_call *call)
{
    struct ph_id id;

    if (read_id(call, &id))
        ph_api_key_delete(call->api->db, call->req->arena, call->tenant, id, on_deleted, call);
}
