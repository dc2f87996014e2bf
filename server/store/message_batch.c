#include "posthorn/message_batch.h"

#include "sql.h"

#include <stdlib.h>
#include <string.h>

/* The arrays of the statement, in the order of its parameters. */
enum {
    APP_IX,
    APP_ID,
    APP_VERSION,
    MSG_N,
    MSG_APP_IX,
    MSG_ID,
    MSG_TENANT,
    MSG_APP,
    MSG_EVENT_TYPE,
    MSG_EVENT_ID,
    MSG_CHANNELS,
    MSG_TAGS,
    MSG_EXPIRES,
    MSG_KEY,
    MSG_PAYLOAD,
    MSG_RAW_BODY,
    MSG_CONTENT_TYPE,
    DEL_N,
    DEL_ENDPOINT,
    DEL_MESSAGE,
    DEL_TENANT,
    DEL_APP,
    DEL_NODE,
    MSG_DELIVER_AT,
    ARRAYS
};

static const enum ph_db_array_of array_types[ARRAYS] = {
    PH_DB_I32S,  PH_DB_UUIDS, PH_DB_I64S,   PH_DB_I32S,   PH_DB_I32S,  PH_DB_UUIDS,
    PH_DB_UUIDS, PH_DB_UUIDS, PH_DB_TEXTS,  PH_DB_TEXTS,  PH_DB_TEXTS, PH_DB_TEXTS,
    PH_DB_TIMES, PH_DB_UUIDS, PH_DB_BYTEAS, PH_DB_BYTEAS, PH_DB_TEXTS, PH_DB_I32S,
    PH_DB_UUIDS, PH_DB_UUIDS, PH_DB_UUIDS,  PH_DB_UUIDS,  PH_DB_I32S,  PH_DB_TIMES,
};

/* Largest of the other arrays: a million endpoints of one message still fit. */
#define OTHER_BYTES_MAX (64 << 20)

/* Distinct applications of a batch that are told apart; beyond, one may be listed twice, which is only a little slower. */
#define APP_SLOTS 64

/* Open addressing; those of other rounds are free. With more than TAKEN_MAX a batch is as if it repeated one. */
#define TAKEN_SLOTS 4096
#define TAKEN_MAX   (TAKEN_SLOTS / 2)
struct taken {
    uint64_t hash;
    uint32_t round;
};

struct ph_message_batch {
    struct ph_db_array arrays[ARRAYS];
    struct ph_db_req req;
    struct ph_arena *arena;
    int n_messages, n_apps, n_deliveries;
    /* messages with a key or event id; deliveries that are unclaimed or skipped; messages for later; for pollers */
    int n_keyed, n_waiting, n_planned, n_polled;
    bool is_careful;     /* a message is sent again, or repeats another one's key or event id */
    struct taken *taken; /* keys and event ids of the batch: TAKEN_SLOTS */
    int n_taken;
    uint32_t round;
    struct ph_id *made_before; /* one a rejected message */
    const struct ph_subscriptions *apps[APP_SLOTS];
    int app_ix[APP_SLOTS];
    void (*on_stored)(enum ph_err, const int *, const enum ph_rejection *, size_t, void *);
    void (*on_found)(enum ph_err, const bool *, void *);
    void (*on_found_matched)(enum ph_err, const bool *, const bool *, void *);
    void *ctx;
};

struct ph_message_batch *ph_message_batch_new(size_t max_bytes)
{
    struct ph_message_batch *batch = ph_calloc(1, sizeof *batch);

    for (int i = 0; i < ARRAYS; i++)
        ph_db_array_init(&batch->arrays[i], array_types[i],
                         i == MSG_PAYLOAD || i == MSG_RAW_BODY ? max_bytes : OTHER_BYTES_MAX);
    batch->arena = ph_arena_new();
    batch->taken = ph_calloc(TAKEN_SLOTS, sizeof *batch->taken);
    batch->round = 1;
    return batch;
}

void ph_message_batch_free(struct ph_message_batch *batch)
{
    if (!batch)
        return;
    for (int i = 0; i < ARRAYS; i++)
        ph_db_array_free(&batch->arrays[i]);
    ph_arena_free(batch->arena);
    free(batch->taken);
    free(batch);
}

void ph_message_batch_clear(struct ph_message_batch *batch)
{
    for (int i = 0; i < ARRAYS; i++)
        ph_db_array_clear(&batch->arrays[i]);
    ph_arena_reset(batch->arena);
    batch->n_messages = batch->n_apps = batch->n_deliveries = 0;
    batch->n_keyed = batch->n_waiting = batch->n_planned = batch->n_polled = 0;
    batch->n_taken = 0;
    batch->is_careful = false;
    if (++batch->round == 0) { /* once in four thousand million batches */
        memset(batch->taken, 0, TAKEN_SLOTS * sizeof *batch->taken);
        batch->round = 1;
    }
    for (int i = 0; i < APP_SLOTS; i++)
        batch->apps[i] = NULL;
}

/* The index of the snapshot among the batch's applications. */
static int app_index(struct ph_message_batch *batch, const struct ph_subscriptions *s)
{
    size_t slot = ((uintptr_t)s >> 6) % APP_SLOTS;

    if (batch->apps[slot] == s)
        return batch->app_ix[slot];
    batch->apps[slot] = s;
    batch->app_ix[slot] = batch->n_apps++;
    ph_db_array_i32(&batch->arrays[APP_IX], batch->app_ix[slot]);
    ph_db_array_id(&batch->arrays[APP_ID], s->application);
    ph_db_array_i64(&batch->arrays[APP_VERSION], s->config_version);
    return batch->app_ix[slot];
}

/* False: perhaps another message of the batch has it. */
static bool take(struct ph_message_batch *batch, uint64_t hash)
{
    size_t slot = hash % TAKEN_SLOTS;

    if (batch->n_taken == TAKEN_MAX)
        return false;
    for (; batch->taken[slot].round == batch->round; slot = (slot + 1) % TAKEN_SLOTS)
        if (batch->taken[slot].hash == hash)
            return false;
    batch->taken[slot] = (struct taken){hash, batch->round};
    batch->n_taken++;
    return true;
}

static void add_keys(struct ph_message_batch *batch, const struct ph_new_message *message)
{
    struct ph_db_array *a = batch->arrays;

    batch->n_keyed += message->has_key || message->event_id.ptr;
    batch->is_careful |= message->again;
    if (message->has_key) {
        ph_db_array_id(&a[MSG_KEY], message->idempotency_key);
        batch->is_careful |= !take(batch, ph_id_hash(message->idempotency_key));
    } else {
        ph_db_array_null(&a[MSG_KEY]);
    }
    ph_db_array_str(&a[MSG_EVENT_ID], message->event_id);
    if (message->event_id.ptr)
        batch->is_careful |= !take(batch, ph_str_hash(message->event_id) ^
                                              ph_id_hash(message->payload->application));
}

int ph_message_batch_add(struct ph_message_batch *batch, const struct ph_new_message *message)
{
    struct ph_db_array *a = batch->arrays;
    const struct ph_payload *payload = message->payload;
    int n = batch->n_messages++;

    add_keys(batch, message);
    ph_db_array_i32(&a[MSG_APP_IX], app_index(batch, message->subscriptions));
    ph_db_array_i32(&a[MSG_N], n);
    ph_db_array_id(&a[MSG_ID], payload->message);
    ph_db_array_id(&a[MSG_TENANT], payload->tenant);
    ph_db_array_id(&a[MSG_APP], payload->application);
    ph_db_array_str(&a[MSG_EVENT_TYPE], message->event_type);
    ph_db_array_str(&a[MSG_CHANNELS], message->channels);
    ph_db_array_str(&a[MSG_TAGS], message->tags);
    if (message->expires_ms)
        ph_db_array_time(&a[MSG_EXPIRES], message->expires_ms);
    else
        ph_db_array_null(&a[MSG_EXPIRES]);
    batch->n_planned += message->deliver_ms != 0;
    if (message->deliver_ms)
        ph_db_array_time(&a[MSG_DELIVER_AT], message->deliver_ms);
    else
        ph_db_array_null(&a[MSG_DELIVER_AT]);
    bool is_raw = message->json.ptr != NULL;
    struct ph_str body = {payload->bytes, payload->len};
    ph_db_array_str(&a[MSG_PAYLOAD], is_raw ? message->json : body);
    ph_db_array_str(&a[MSG_RAW_BODY], is_raw ? body : PH_STR_NONE);
    ph_db_array_str(&a[MSG_CONTENT_TYPE], is_raw ? message->content_type : PH_STR_NONE);
    return n;
}

/* All of a delivery but its node. */
static void add_delivery(struct ph_message_batch *batch, int index,
                         const struct ph_new_message *message, struct ph_id endpoint)
{
    struct ph_db_array *a = batch->arrays;
    const struct ph_payload *payload = message->payload;

    batch->n_deliveries++;
    ph_db_array_i32(&a[DEL_N], index);
    ph_db_array_id(&a[DEL_ENDPOINT], endpoint);
    ph_db_array_id(&a[DEL_MESSAGE], payload->message);
    ph_db_array_id(&a[DEL_TENANT], payload->tenant);
    ph_db_array_id(&a[DEL_APP], payload->application);
}

void ph_message_batch_add_delivery(struct ph_message_batch *batch, int index,
                                   const struct ph_new_message *message, struct ph_id endpoint,
                                   int32_t node_id)
{
    add_delivery(batch, index, message, endpoint);
    if (node_id)
        ph_db_array_i32(&batch->arrays[DEL_NODE], node_id);
    else
        ph_db_array_null(&batch->arrays[DEL_NODE]);
    batch->n_waiting += node_id == 0;
}

void ph_message_batch_add_skipped(struct ph_message_batch *batch, int index,
                                  const struct ph_new_message *message, struct ph_id endpoint)
{
    add_delivery(batch, index, message, endpoint);
    ph_db_array_i32(&batch->arrays[DEL_NODE], 0);
    batch->n_waiting++;
}

void ph_message_batch_add_polled(struct ph_message_batch *batch, int index,
                                 const struct ph_new_message *message, struct ph_id endpoint)
{
    add_delivery(batch, index, message, endpoint);
    ph_db_array_i32(&batch->arrays[DEL_NODE], -1);
    batch->n_polled++;
}

int ph_message_batch_count(const struct ph_message_batch *batch)
{
    return batch->n_messages;
}

int ph_message_batch_deliveries(const struct ph_message_batch *batch)
{
    return batch->n_deliveries;
}

size_t ph_message_batch_bytes(const struct ph_message_batch *batch)
{
    return batch->arrays[MSG_PAYLOAD].buf.len + batch->arrays[MSG_RAW_BODY].buf.len;
}

static void stored(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct ph_message_batch *batch = ph_container_of(req, struct ph_message_batch, req);
    int n = err == PH_OK ? PQntuples(res) : 0;
    int *rejected = ph_arena_array_of(batch->arena, int, n);
    enum ph_rejection *why = ph_arena_array_of(batch->arena, enum ph_rejection, n);

    batch->made_before = ph_arena_array_of(batch->arena, struct ph_id, n);
    for (int i = 0; i < n; i++) {
        rejected[i] = (int)ph_db_int(res, i, 0);
        why[i] = (enum ph_rejection)ph_db_int(res, i, 1);
        if (PQnfields(res) > 2)
            batch->made_before[i] = ph_db_id(res, i, 2);
    }
    batch->on_stored(err, rejected, why, (size_t)n, batch->ctx);
}

struct ph_id ph_message_batch_made_before(const struct ph_message_batch *batch, size_t nth)
{
    return batch->made_before[nth];
}

static const struct ph_stmt *choose(const struct ph_message_batch *batch)
{
    if (batch->n_planned || batch->n_polled || (batch->n_keyed && batch->is_careful))
        return &ph_sql_messages_store;
    if (batch->n_keyed)
        return batch->n_waiting ? &ph_sql_messages_store_keyed_waiting
                                : &ph_sql_messages_store_keyed;
    return batch->n_waiting ? &ph_sql_messages_store_waiting : &ph_sql_messages_store_plain;
}

void ph_message_batch_store(struct ph_message_batch *batch, struct ph_db *db,
                            void (*on_done)(enum ph_err err, const int *rejected,
                                            const enum ph_rejection *why, size_t n_rejected,
                                            void *ctx),
                            void *ctx)
{
    batch->on_stored = on_done;
    batch->ctx = ctx;
    const struct ph_stmt *stmt = choose(batch);

    ph_db_req_init(&batch->req, stmt, batch->arena, stored);
    for (int i = 0; i < (stmt == &ph_sql_messages_store ? ARRAYS : MSG_DELIVER_AT); i++)
        ph_db_add_array(&batch->req, &batch->arrays[i]);
    ph_db_send(db, &batch->req);
}

static void found(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct ph_message_batch *batch = ph_container_of(req, struct ph_message_batch, req);
    bool *known = ph_arena_array_of(batch->arena, bool, batch->n_messages);

    if (err == PH_OK)
        for (int i = 0; i < PQntuples(res); i++)
            known[ph_db_int(res, i, 0)] = true;
    batch->on_found(err, known, batch->ctx);
}

void ph_message_batch_find(struct ph_message_batch *batch, struct ph_db *db,
                           void (*on_done)(enum ph_err err, const bool *known, void *ctx),
                           void *ctx)
{
    batch->on_found = on_done;
    batch->ctx = ctx;
    ph_db_req_init(&batch->req, &ph_sql_messages_find, batch->arena, found);
    ph_db_add_array(&batch->req, &batch->arrays[MSG_N]);
    ph_db_add_array(&batch->req, &batch->arrays[MSG_ID]);
    ph_db_add_array(&batch->req, &batch->arrays[MSG_APP]);
    ph_db_send(db, &batch->req);
}

/* Those of the arrays, in the order in which the statement counts its parameters. */
static void add_arrays(struct ph_message_batch *batch, const int *which, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ph_db_add_array(&batch->req, &batch->arrays[which[i]]);
}

void ph_message_batch_match(struct ph_message_batch *batch, struct ph_db *db,
                            void (*on_done)(enum ph_err err, const int *rejected,
                                            const enum ph_rejection *why, size_t n_rejected,
                                            void *ctx),
                            void *ctx)
{
    static const int arrays[] = {APP_IX,      APP_ID,     APP_VERSION, MSG_N,
                                 MSG_APP_IX,  MSG_ID,     DEL_N,       DEL_ENDPOINT,
                                 DEL_MESSAGE, DEL_TENANT, DEL_APP,     DEL_NODE};

    batch->on_stored = on_done;
    batch->ctx = ctx;
    ph_db_req_init(&batch->req, &ph_sql_messages_match, batch->arena, stored);
    add_arrays(batch, arrays, sizeof arrays / sizeof *arrays);
    ph_db_send(db, &batch->req);
}

static void found_matched(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct ph_message_batch *batch = ph_container_of(req, struct ph_message_batch, req);
    bool *known = ph_arena_array_of(batch->arena, bool, batch->n_messages);
    bool *gone = ph_arena_array_of(batch->arena, bool, batch->n_messages);

    if (err == PH_OK)
        for (int i = 0; i < PQntuples(res); i++) {
            gone[ph_db_int(res, i, 0)] = true;
            known[ph_db_int(res, i, 0)] = ph_db_bool(res, i, 1);
        }
    batch->on_found_matched(err, known, gone, batch->ctx);
}

void ph_message_batch_find_matched(struct ph_message_batch *batch, struct ph_db *db,
                                   void (*on_done)(enum ph_err err, const bool *known,
                                                   const bool *gone, void *ctx),
                                   void *ctx)
{
    static const int arrays[] = {MSG_N, MSG_ID, DEL_N, DEL_ENDPOINT, DEL_MESSAGE, DEL_NODE};

    batch->on_found_matched = on_done;
    batch->ctx = ctx;
    ph_db_req_init(&batch->req, &ph_sql_messages_find_matched, batch->arena, found_matched);
    add_arrays(batch, arrays, sizeof arrays / sizeof *arrays);
    ph_db_send(db, &batch->req);
}
