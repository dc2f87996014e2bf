/*
 * POST /app/{app_id}/msg/batch: many messages in one request, each accepted or refused for itself. They go the way of all
 * messages, so that they share their ingest statements with those that other requests bring.
 *
 * With an Idempotency-Key each message has a key of its own, made of the request's and its place, in its own transaction. So
 * a repeated request makes those that were not made yet, and tells of the others again.
 */
#include "api/application_in.h"
#include "api/message_in.h"
#include "api/message_json.h"
#include "api/routes.h"
#include "posthorn/node.h"
#include "posthorn/router.h"

#include <string.h>

#define MESSAGES_MAX 1000
/* Bytes of an entry of the answer at most, besides its message. */
#define ENTRY_BYTES 16384

struct entry {
    struct ph_message_in in;
    struct batch *batch;
    struct ph_faults faults;
    enum ph_err err;
    bool replayed; /* its message had been made before */
};

struct batch {
    struct ph_call *call;
    struct ph_ingest_question question;
    struct ph_str messages; /* the array in the body */
    struct entry *entries;
    size_t n, pending;
};

/* ---- the answer ---- */

static void write_entry(struct ph_json_writer *w, const struct entry *entry)
{
    ph_jw_object_begin(w);
    ph_jw_key(w, "status");
    ph_jw_i64(w, entry->err == PH_OK ? 202 : ph_err_http_status(entry->err));
    if (entry->err == PH_OK) {
        ph_jw_key(w, "message");
        ph_api_write_message(w, &entry->in.view);
    } else {
        ph_jw_key(w, "error");
        if (entry->faults.list)
            ph_faults_write(w, &entry->faults);
        else
            ph_error_write(w, entry->err, entry->err == PH_ERR_CONFLICT ? PH_EVENT_ID_TAKEN : NULL);
    }
    ph_jw_object_end(w);
}

/* Nothing was taken because we could not: the whole request is to be sent again. */
static bool all_unavailable(const struct batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->entries[i].err != PH_ERR_UNAVAILABLE)
            return false;
    return true;
}

static void answer(struct batch *b)
{
    size_t bytes = ENTRY_BYTES;
    struct ph_json_writer *w;

    if (all_unavailable(b)) {
        ph_answer_error(b->call, PH_ERR_UNAVAILABLE, NULL);
        return;
    }
    for (size_t i = 0; i < b->n; i++)
        bytes += ENTRY_BYTES + ph_api_message_bytes(&b->entries[i].in.view);
    w = ph_answer_writer(b->call, bytes);
    ph_jw_object_begin(w);
    ph_jw_key(w, "data");
    ph_jw_array_begin(w);
    for (size_t i = 0; i < b->n; i++)
        write_entry(w, &b->entries[i]);
    ph_jw_array_end(w);
    ph_jw_object_end(w);
    ph_answer_json(b->call, 202, w);
}

static int by_id(const void *a, const void *b)
{
    const struct ph_message_view *x = a, *y = b;

    return ph_id_compare(x->id, y->id);
}

static void on_replayed(void *ctx, enum ph_err err, const struct ph_message_view *messages,
                        size_t n)
{
    struct batch *b = ctx;

    if (err != PH_OK) {
        ph_answer_error(b->call, err, NULL);
        return;
    }
    struct ph_message_view *sorted =
        (void *)ph_arena_copy(b->call->req->arena, messages, n * sizeof *messages);
    qsort(sorted, n, sizeof *sorted, by_id);
    for (size_t i = 0; i < b->n; i++) {
        struct entry *entry = &b->entries[i];
        if (!entry->replayed)
            continue;
        struct ph_message_view *found = bsearch(&entry->in.view, sorted, n, sizeof *sorted, by_id);
        if (found)
            entry->in.view = *found;
        else
            entry->err = PH_ERR_NOT_FOUND;
    }
    answer(b);
}

/* Every message is decided. Of those that were made before, what is stored is told, and not what came this time. */
static void finish(struct batch *b)
{
    struct ph_call *call = b->call;
    struct ph_id *ids = ph_arena_array_of(call->req->arena, struct ph_id, b->n);
    size_t n = 0;

    for (size_t i = 0; i < b->n; i++)
        if (b->entries[i].replayed)
            ids[n++] = b->entries[i].in.view.id;
    if (n)
        ph_message_get_many(call->api->db, call->req->arena, call->tenant, call->params[0], ids, n,
                            on_replayed, b);
    else
        answer(b);
}

/* ---- sending ---- */

static void done(struct ph_ingest_item *item, enum ph_err err)
{
    struct entry *entry = ph_container_of(item, struct entry, in.item);

    entry->err = err;
    if (err == PH_OK) {
        entry->in.view.id = item->message.payload->message;
        entry->in.view.schema_warning = ph_api_schema_warning(entry->batch->call, item);
    } else if (err == PH_ERR_VALIDATION) {
        ph_api_schema_fault(entry->batch->call, &entry->faults, item);
    } else if (err == PH_ERR_CONFLICT && !ph_id_is_zero(item->replay_of)) {
        entry->replayed = true;
        entry->err = PH_OK;
        entry->in.view.id = item->replay_of;
    }
    if (--entry->batch->pending == 0)
        finish(entry->batch);
}

static void submit(void *ctx)
{
    struct batch *b = ctx;

    b->pending = 1;
    for (size_t i = 0; i < b->n; i++) {
        struct entry *entry = &b->entries[i];
        if (entry->err != PH_OK)
            continue;
        b->pending++;
        ph_ingest_submit(b->call->api->ingest, &entry->in.item);
    }
    if (--b->pending == 0)
        finish(b);
}

/* ---- reading ---- */

static void read_entry(struct batch *b, struct entry *entry, uint32_t number, struct ph_str json)
{
    struct ph_ingest_item *item = &entry->in.item;

    entry->batch = b;
    if ((int64_t)json.len > b->call->api->node->config->body_bytes) {
        entry->err = PH_ERR_TOO_LARGE;
        return;
    }
    ph_api_read_message(b->call, &entry->faults, json, &entry->in);
    if (entry->faults.list)
        entry->err = PH_ERR_VALIDATION;
    item->message.has_key = ph_api_idempotency_id(b->call, number, &item->message.idempotency_key);
    item->on_done = done;
}

/* The application that a message brings along, for all of them; NULL: none does. */
static const struct ph_application_change *application_of(const struct batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->entries[i].err == PH_OK && b->entries[i].in.application)
            return b->entries[i].in.application;
    return NULL;
}

static void on_application(struct ph_ingest_question *question, enum ph_err err, bool taken)
{
    struct batch *b = ph_container_of(question, struct batch, question);
    struct ph_str rest = b->messages, json;
    const struct ph_application_change *missing;

    (void)taken;
    for (uint32_t i = 0; ph_json_next_element(&rest, &json); i++)
        read_entry(b, &b->entries[i], i + 1, json);
    missing = err == PH_ERR_NOT_FOUND ? application_of(b) : NULL;
    if (missing)
        ph_api_ensure_application(b->call, missing, submit, b);
    else if (err != PH_OK)
        ph_answer_error(b->call, err, NULL);
    else
        submit(b);
}

/* How many there are; more than allowed is MESSAGES_MAX + 1. */
static size_t count(struct ph_str array)
{
    struct ph_str element;
    size_t n = 0;

    while (n <= MESSAGES_MAX && ph_json_next_element(&array, &element))
        n++;
    return n;
}

/* False: answered. */
static bool read_body(struct batch *b)
{
    struct ph_json_field field = {.name = "messages"};
    struct ph_json_fault json_fault;
    struct ph_faults faults = {0};
    enum ph_err err = ph_json_scan(b->call->req->body, &field, 1, &json_fault);

    if (err != PH_OK)
        ph_api_json_fault(b->call, &faults, err, &json_fault);
    else if (field.kind != PH_JSON_ARRAY)
        ph_fault(b->call, &faults, "body", "messages", "has to be an array", "type_error.list");
    else if ((b->n = count(field.raw)) == 0 || b->n > MESSAGES_MAX)
        ph_fault(b->call, &faults, "body", "messages", "has to have 1 to 1000 messages",
                 "value_error.list");
    b->messages = field.raw;
    return !ph_faults_answer(b->call, &faults);
}

void ph_api_message_create_batch(struct ph_call *call)
{
    struct batch *b = ph_arena_new_of(call->req->arena, struct batch);
    const char *body = call->req->body.ptr;

    b->call = call;
    if (!read_body(b))
        return;
    b->entries = ph_arena_array_of(call->req->arena, struct entry, b->n);
    b->question.tenant = call->tenant;
    b->question.application = call->params[0];
    b->question.on_answer = on_application;
    if (ph_ingest_ask(call->api->ingest, &b->question))
        return;
    ph_request_keep(call->req);
    b->messages.ptr = call->req->body.ptr + (b->messages.ptr - body);
}

bool ph_api_takes_big_body(struct ph_str method, struct ph_str path)
{
    struct ph_arena *arena = ph_arena_new();
    struct ph_route_match match;
    bool takes = ph_router_find(arena, method, path, &match) == PH_OK &&
                 match.route->handler == ph_api_message_create_batch;

    ph_arena_free(arena);
    return takes;
}
