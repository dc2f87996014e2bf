#include "posthorn/outcome_batch.h"

#include "posthorn/counts.h"
#include "sql.h"

#include <stdlib.h>

#define BUCKET_MS (5 * 60 * 1000)
#define DURATIONS PH_DURATION_STEPS

/* The arrays of the statement, in the order of its parameters. */
enum {
    OUT_ENDPOINT,
    OUT_MESSAGE,
    OUT_TENANT,
    OUT_NODE,
    OUT_DONE,
    OUT_NEXT,
    OUT_HELD,
    OUT_ATTEMPTS,
    ATT_MESSAGE,
    ATT_ID,
    ATT_ENDPOINT,
    ATT_TENANT,
    ATT_NUMBER,
    ATT_STATUS,
    ATT_TRIGGER,
    ATT_CODE,
    ATT_DURATION,
    ATT_URL,
    ATT_RESPONSE,
    ATT_SIGNATURE,
    ATT_HEADERS,
    STAT_ENDPOINT,
    STAT_BUCKET,
    STAT_TENANT,
    STAT_SUCCESS,
    STAT_FAILURE,
    STAT_EXHAUSTED,
    STAT_DURATION,
    OUT_RELEASE = STAT_DURATION + DURATIONS,
    ATT_EVENT,
    ARRAYS
};

static const enum ph_db_array_of array_types[ARRAYS] = {
    PH_DB_UUIDS, PH_DB_UUIDS, PH_DB_UUIDS, PH_DB_I32S,  PH_DB_BOOLS,  PH_DB_TIMES, PH_DB_TIMES,
    PH_DB_I16S,  PH_DB_UUIDS, PH_DB_UUIDS, PH_DB_UUIDS, PH_DB_UUIDS,  PH_DB_I16S,  PH_DB_I16S,
    PH_DB_I16S,  PH_DB_I16S,  PH_DB_I32S,  PH_DB_TEXTS, PH_DB_BYTEAS, PH_DB_TEXTS, PH_DB_BYTEAS,
    PH_DB_UUIDS, PH_DB_TIMES, PH_DB_UUIDS, PH_DB_I64S,  PH_DB_I64S,   PH_DB_I64S,  PH_DB_I32S,
    PH_DB_I32S,  PH_DB_I32S,  PH_DB_I32S,  PH_DB_I32S,  PH_DB_I32S,   PH_DB_I32S,  PH_DB_I32S,
    PH_DB_BOOLS, PH_DB_I16S,
};

/* Counts of one endpoint in one bucket. */
struct tally {
    struct ph_id endpoint, tenant;
    int64_t bucket_ms, success, failure, exhausted;
    int32_t durations[DURATIONS];
    struct tally *next;
};

#define TALLY_SLOTS 256

struct ph_outcome_batch {
    struct ph_db_array arrays[ARRAYS];
    struct ph_db_req req;
    struct ph_arena *arena;
    int n, n_open; /* n_open: of those that are not just done, or are an event */
    size_t max_bytes;
    struct tally *tallies[TALLY_SLOTS];
    void (*on_done)(enum ph_err err, void *ctx);
    void *ctx;
};

struct ph_outcome_batch *ph_outcome_batch_new(size_t max_bytes)
{
    struct ph_outcome_batch *batch = ph_calloc(1, sizeof *batch);

    for (int i = 0; i < ARRAYS; i++)
        ph_db_array_init(&batch->arrays[i], array_types[i], max_bytes * 2);
    batch->arena = ph_arena_new();
    batch->max_bytes = max_bytes;
    return batch;
}

void ph_outcome_batch_free(struct ph_outcome_batch *batch)
{
    if (!batch)
        return;
    for (int i = 0; i < ARRAYS; i++)
        ph_db_array_free(&batch->arrays[i]);
    ph_arena_free(batch->arena);
    free(batch);
}

void ph_outcome_batch_clear(struct ph_outcome_batch *batch)
{
    for (int i = 0; i < ARRAYS; i++)
        ph_db_array_clear(&batch->arrays[i]);
    for (int i = 0; i < TALLY_SLOTS; i++)
        batch->tallies[i] = NULL;
    ph_arena_reset(batch->arena);
    batch->n = batch->n_open = 0;
}

static struct tally *tally_of(struct ph_outcome_batch *batch, const struct ph_outcome *o)
{
    int64_t at_ms = ph_id_time_ms(o->attempt), bucket_ms = at_ms - at_ms % BUCKET_MS;
    struct tally **slot = &batch->tallies[ph_id_hash(o->endpoint) % TALLY_SLOTS], *t;

    for (t = *slot; t; t = t->next)
        if (t->bucket_ms == bucket_ms && ph_id_eq(t->endpoint, o->endpoint))
            return t;
    t = ph_arena_new_of(batch->arena, struct tally);
    *t = (struct tally){
        .endpoint = o->endpoint, .tenant = o->tenant, .bucket_ms = bucket_ms, .next = *slot};
    *slot = t;
    return t;
}

static void count(struct ph_outcome_batch *batch, const struct ph_outcome *o)
{
    struct tally *t = tally_of(batch, o);

    if (o->status == PH_STATUS_SUCCESS)
        t->success++;
    else
        t->failure++;
    t->exhausted += o->exhausted;
    t->durations[ph_duration_step(o->duration_ms)]++;
}

/* The attempt's operational event, as the statement numbers them; 0: it is none. */
static int16_t event_of(const struct ph_outcome *o)
{
    if (o->status == PH_STATUS_SUCCESS)
        return o->attempts_made > PH_FAILING_ATTEMPTS ? 3 : 0;
    if (o->exhausted)
        return 2;
    return o->attempts_made == PH_FAILING_ATTEMPTS ? 1 : 0;
}

static void add_attempt(struct ph_outcome_batch *batch, const struct ph_outcome *o)
{
    struct ph_db_array *a = batch->arrays;

    ph_db_array_id(&a[ATT_MESSAGE], o->message);
    ph_db_array_id(&a[ATT_ID], o->attempt);
    ph_db_array_id(&a[ATT_ENDPOINT], o->endpoint);
    ph_db_array_id(&a[ATT_TENANT], o->tenant);
    ph_db_array_i16(&a[ATT_NUMBER], (int16_t)o->attempts_made);
    ph_db_array_i16(&a[ATT_STATUS], (int16_t)o->status);
    ph_db_array_i16(&a[ATT_TRIGGER], o->is_manual ? PH_TRIGGER_MANUAL : PH_TRIGGER_SCHEDULED);
    ph_db_array_i16(&a[ATT_CODE], (int16_t)o->status_code);
    ph_db_array_i32(&a[ATT_DURATION], (int32_t)o->duration_ms);
    ph_db_array_str(&a[ATT_URL], o->url);
    ph_db_array_str(&a[ATT_RESPONSE], o->response);
    ph_db_array_str(&a[ATT_SIGNATURE], o->signature.ptr ? o->signature : PH_STR(""));
    ph_db_array_str(&a[ATT_HEADERS], o->headers.ptr ? o->headers : PH_STR(""));
    ph_db_array_i16(&a[ATT_EVENT], event_of(o));
    count(batch, o);
}

bool ph_outcome_batch_add(struct ph_outcome_batch *batch, const struct ph_outcome *o)
{
    struct ph_db_array *a = batch->arrays;

    size_t bytes = a[ATT_RESPONSE].buf.len + a[ATT_URL].buf.len + a[ATT_HEADERS].buf.len +
                   a[ATT_SIGNATURE].buf.len + o->response.len + o->url.len + o->headers.len +
                   o->signature.len;

    if (batch->n && bytes > batch->max_bytes)
        return false;
    batch->n++;
    batch->n_open += !o->done || o->release || (o->has_attempt && event_of(o));
    ph_db_array_id(&a[OUT_ENDPOINT], o->endpoint);
    ph_db_array_id(&a[OUT_MESSAGE], o->message);
    ph_db_array_id(&a[OUT_TENANT], o->tenant);
    ph_db_array_i32(&a[OUT_NODE], o->node_id);
    ph_db_array_bool(&a[OUT_DONE], o->done);
    ph_db_array_bool(&a[OUT_RELEASE], o->release);
    if (o->done)
        ph_db_array_null(&a[OUT_NEXT]);
    else
        ph_db_array_time(&a[OUT_NEXT], o->next_ms);
    if (o->hold_ms)
        ph_db_array_time(&a[OUT_HELD], o->hold_ms);
    else
        ph_db_array_null(&a[OUT_HELD]);
    ph_db_array_i16(&a[OUT_ATTEMPTS], (int16_t)o->attempts_made);
    if (o->has_attempt)
        add_attempt(batch, o);
    return true;
}

int ph_outcome_batch_count(const struct ph_outcome_batch *batch)
{
    return batch->n;
}

static void write_tallies(struct ph_outcome_batch *batch)
{
    struct ph_db_array *a = batch->arrays;

    for (int i = STAT_ENDPOINT; i < OUT_RELEASE; i++)
        ph_db_array_clear(&a[i]);
    for (int i = 0; i < TALLY_SLOTS; i++) {
        for (const struct tally *t = batch->tallies[i]; t; t = t->next) {
            ph_db_array_id(&a[STAT_ENDPOINT], t->endpoint);
            ph_db_array_time(&a[STAT_BUCKET], t->bucket_ms);
            ph_db_array_id(&a[STAT_TENANT], t->tenant);
            ph_db_array_i64(&a[STAT_SUCCESS], t->success);
            ph_db_array_i64(&a[STAT_FAILURE], t->failure);
            ph_db_array_i64(&a[STAT_EXHAUSTED], t->exhausted);
            for (int d = 0; d < DURATIONS; d++)
                ph_db_array_i32(&a[STAT_DURATION + d], t->durations[d]);
        }
    }
}

static void stored(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct ph_outcome_batch *batch = ph_container_of(req, struct ph_outcome_batch, req);

    (void)res;
    batch->on_done(err, batch->ctx);
}

/* Whether the plain statement has this array. */
static bool is_plain(int array)
{
    return array == OUT_ENDPOINT || array == OUT_MESSAGE ||
           (array >= ATT_MESSAGE && array < OUT_RELEASE);
}

void ph_outcome_batch_store(struct ph_outcome_batch *batch, struct ph_db *db,
                            void (*on_done)(enum ph_err err, void *ctx), void *ctx)
{
    batch->on_done = on_done;
    batch->ctx = ctx;
    write_tallies(batch);
    ph_db_req_init(&batch->req,
                   batch->n_open ? &ph_sql_outcomes_store : &ph_sql_outcomes_store_plain,
                   batch->arena, stored);
    for (int i = 0; i < ARRAYS; i++)
        if (batch->n_open || is_plain(i))
            ph_db_add_array(&batch->req, &batch->arrays[i]);
    ph_db_send(db, &batch->req);
}
