/* Removing the content of messages and attempts. */
#include "posthorn/expunge.h"

#include "api/routes.h"
#include "api/task_answer.h"

#define ID_CHARS_MAX 256
/* Of an id and what became of it, in JSON. */
#define RESULT_BYTES (6 * ID_CHARS_MAX + 32)

static void on_expunged(void *ctx, enum ph_err err)
{
    if (err != PH_OK)
        ph_answer_error(ctx, err, NULL);
    else
        ph_answer_empty(ctx, 204);
}

static void on_message_expunged(void *ctx, enum ph_err err, const bool *found)
{
    on_expunged(ctx, err == PH_OK && !found[0] ? PH_ERR_NOT_FOUND : err);
}

void ph_api_message_expunge(struct ph_call *call)
{
    ph_messages_expunge(call->api->engine_db, call->req->arena, call->tenant, call->params[0],
                        &call->params[1], 1, on_message_expunged, call);
}

void ph_api_attempt_expunge(struct ph_call *call)
{
    struct ph_message_path path = {call->tenant, call->params[0], call->params[1]};
    struct ph_id attempt;

    if (ph_id_parse(PH_ID_ATTEMPT, call->params[2], &attempt) != PH_OK)
        ph_answer_error(call, PH_ERR_NOT_FOUND, NULL);
    else
        ph_attempt_expunge(call->api->engine_db, call->req->arena, &path, attempt, on_expunged,
                           call);
}

struct bulk {
    struct ph_call *call;
    struct ph_str *ids;
    size_t n;
};

static void on_bulk(void *ctx, enum ph_err err, const bool *found)
{
    struct bulk *bulk = ctx;
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(bulk->call, err, NULL);
        return;
    }
    w = ph_answer_writer(bulk->call, 64 + bulk->n * RESULT_BYTES);
    ph_jw_object_begin(w);
    ph_jw_key(w, "results");
    ph_jw_object_begin(w);
    for (size_t i = 0; i < bulk->n; i++) {
        ph_jw_key_str(w, bulk->ids[i]);
        ph_jw_cstr(w, found[i] ? "expunged" : "not-found");
    }
    ph_jw_object_end(w);
    ph_jw_object_end(w);
    ph_answer_json(bulk->call, 200, w);
}

static bool is_among(const struct ph_str *ids, size_t n, struct ph_str id)
{
    for (size_t i = 0; i < n; i++)
        if (ph_str_eq(ids[i], id))
            return true;
    return false;
}

/* Each once: they become the names of an object's members. */
static size_t drop_repeated(struct ph_str *ids, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++)
        if (!is_among(ids, kept, ids[i]))
            ids[kept++] = ids[i];
    return kept;
}

void ph_api_message_bulk_expunge(struct ph_call *call)
{
    struct bulk *bulk = ph_arena_new_of(call->req->arena, struct bulk);
    struct ph_faults faults = {0};
    json_t *body = ph_body_object(call);

    if (!body)
        return;
    bulk->call = call;
    bulk->n = ph_field_names(call, &faults, body, "ids", PH_EXPUNGE_MESSAGES_MAX, ID_CHARS_MAX,
                             &bulk->ids, NULL);
    if (ph_faults_answer(call, &faults))
        return;
    bulk->n = drop_repeated(bulk->ids, bulk->n);
    ph_messages_expunge(call->api->engine_db, call->req->arena, call->tenant, call->params[0],
                        bulk->ids, bulk->n, on_bulk, bulk);
}

void ph_api_message_expunge_all(struct ph_call *call)
{
    ph_purge_create(call->api->db, call->req->arena, call->tenant, call->params[0],
                    ph_api_answer_task, call);
}
