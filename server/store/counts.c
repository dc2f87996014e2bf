#include "posthorn/counts.h"

#include "posthorn/log.h"
#include "posthorn/map.h"
#include "sql.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_MS (60 * 60 * 1000)
/* Counts that wait to be stored, and bytes of one of the statement's arrays. */
#define TALLIES_MAX 50000
#define ARRAY_BYTES (TALLIES_MAX * 320)

/* The arrays of the statement, in the order of its parameters. */
enum {
    OWNER,
    BUCKET,
    EVENT_TYPE,
    TENANT,
    MESSAGES,
    SUCCESS,
    FAILURE,
    EXHAUSTED,
    DURATION,
    ARRAYS = DURATION + PH_DURATION_STEPS
};

static const enum ph_db_array_of array_types[ARRAYS] = {
    PH_DB_UUIDS, PH_DB_TIMES, PH_DB_TEXTS, PH_DB_UUIDS, PH_DB_I64S, PH_DB_I64S,
    PH_DB_I64S,  PH_DB_I64S,  PH_DB_I32S,  PH_DB_I32S,  PH_DB_I32S, PH_DB_I32S,
    PH_DB_I32S,  PH_DB_I32S,  PH_DB_I32S,  PH_DB_I32S,
};

/* Of one application or tenant, event type and hour. */
struct tally {
    struct ph_map_node by_key;
    struct ph_id owner, tenant;
    struct ph_str event_type;
    int64_t bucket_ms, messages, success, failure, exhausted;
    int32_t durations[PH_DURATION_STEPS];
};

struct book {
    struct ph_map tallies;
    struct ph_arena *arena;
    int64_t left_out;
};

struct ph_counts {
    pthread_mutex_t lock; /* of `filling` */
    struct book *filling;
    struct book *flying; /* of the storing thread, like all below */
    bool in_flight;
    struct ph_db_req req;
    struct ph_db_array arrays[ARRAYS];
    void (*on_done)(enum ph_err err, void *ctx);
    void *ctx;
};

int ph_duration_step(int64_t duration_ms)
{
    static const int64_t bounds_ms[PH_DURATION_STEPS - 1] = {10, 30, 100, 300, 1000, 3000, 10000};
    int i = 0;

    while (i < PH_DURATION_STEPS - 1 && duration_ms > bounds_ms[i])
        i++;
    return i;
}

static struct book *book_new(void)
{
    struct book *book = ph_calloc(1, sizeof *book);

    book->arena = ph_arena_new();
    return book;
}

static void book_free(struct book *book)
{
    ph_map_free(&book->tallies);
    ph_arena_free(book->arena);
    free(book);
}

struct ph_counts *ph_counts_new(void)
{
    struct ph_counts *counts = ph_calloc(1, sizeof *counts);

    pthread_mutex_init(&counts->lock, NULL);
    counts->filling = book_new();
    counts->flying = book_new();
    for (int i = 0; i < ARRAYS; i++)
        ph_db_array_init(&counts->arrays[i], array_types[i], ARRAY_BYTES);
    return counts;
}

void ph_counts_free(struct ph_counts *counts)
{
    if (!counts)
        return;
    for (int i = 0; i < ARRAYS; i++)
        ph_db_array_free(&counts->arrays[i]);
    book_free(counts->filling);
    book_free(counts->flying);
    pthread_mutex_destroy(&counts->lock);
    free(counts);
}

/* NULL: the book is full. */
static struct tally *tally_of(struct book *book, struct ph_id owner, const struct ph_counted *what)
{
    int64_t bucket_ms = what->wall_ms - what->wall_ms % HOUR_MS;
    uint64_t hash = ph_id_hash(owner) ^ ph_str_hash(what->event_type);
    struct tally *t;

    for (struct ph_map_node *n = ph_map_first(&book->tallies, hash); n; n = ph_map_next(n)) {
        t = ph_container_of(n, struct tally, by_key);
        if (t->bucket_ms == bucket_ms && ph_id_eq(t->owner, owner) &&
            ph_str_eq(t->event_type, what->event_type))
            return t;
    }
    if (book->tallies.count >= TALLIES_MAX) {
        book->left_out++;
        return NULL;
    }
    t = ph_arena_new_of(book->arena, struct tally);
    *t = (struct tally){.owner = owner, .tenant = what->tenant, .bucket_ms = bucket_ms};
    t->event_type =
        (struct ph_str){ph_arena_copy(book->arena, what->event_type.ptr, what->event_type.len),
                        what->event_type.len};
    ph_map_add(&book->tallies, &t->by_key, hash);
    return t;
}

void ph_counts_message(struct ph_counts *counts, const struct ph_counted *what)
{
    const struct ph_id owners[] = {what->application, what->tenant};

    pthread_mutex_lock(&counts->lock);
    for (int i = 0; i < 2; i++) {
        struct tally *t = tally_of(counts->filling, owners[i], what);
        if (t)
            t->messages++;
    }
    pthread_mutex_unlock(&counts->lock);
}

void ph_counts_attempt(struct ph_counts *counts, const struct ph_counted *what, bool success,
                       bool exhausted, int64_t duration_ms)
{
    const struct ph_id owners[] = {what->application, what->tenant};

    pthread_mutex_lock(&counts->lock);
    for (int i = 0; i < 2; i++) {
        struct tally *t = tally_of(counts->filling, owners[i], what);
        if (!t)
            continue;
        t->success += success;
        t->failure += !success;
        t->exhausted += exhausted;
        t->durations[ph_duration_step(duration_ms)]++;
    }
    pthread_mutex_unlock(&counts->lock);
}

static void clear_book(struct book *book)
{
    ph_map_free(&book->tallies);
    memset(&book->tallies, 0, sizeof book->tallies);
    ph_arena_reset(book->arena);
    if (book->left_out)
        ph_log(PH_LOG_WARN, "messages and attempts were not counted: too much was to be stored",
               ph_log_i("left_out", book->left_out));
    book->left_out = 0;
}

static void stored(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct ph_counts *counts = ph_container_of(req, struct ph_counts, req);

    (void)res;
    counts->in_flight = false;
    if (err != PH_ERR_UNAVAILABLE && err != PH_ERR_DB_RETRY)
        clear_book(counts->flying);
    counts->on_done(err, counts->ctx);
}

static void write_tally(struct ph_map_node *node, void *ctx)
{
    struct tally *t = ph_container_of(node, struct tally, by_key);
    struct ph_db_array *a = ctx;

    ph_db_array_id(&a[OWNER], t->owner);
    ph_db_array_time(&a[BUCKET], t->bucket_ms);
    ph_db_array_str(&a[EVENT_TYPE], t->event_type);
    ph_db_array_id(&a[TENANT], t->tenant);
    ph_db_array_i64(&a[MESSAGES], t->messages);
    ph_db_array_i64(&a[SUCCESS], t->success);
    ph_db_array_i64(&a[FAILURE], t->failure);
    ph_db_array_i64(&a[EXHAUSTED], t->exhausted);
    for (int i = 0; i < PH_DURATION_STEPS; i++)
        ph_db_array_i32(&a[DURATION + i], t->durations[i]);
}

bool ph_counts_store(struct ph_counts *counts, struct ph_db *db,
                     void (*on_done)(enum ph_err err, void *ctx), void *ctx)
{
    if (counts->in_flight)
        return false;
    if (!counts->flying->tallies.count) {
        struct book *empty = counts->flying;
        pthread_mutex_lock(&counts->lock);
        counts->flying = counts->filling;
        counts->filling = empty;
        pthread_mutex_unlock(&counts->lock);
    }
    if (!counts->flying->tallies.count)
        return false;
    counts->in_flight = true;
    counts->on_done = on_done;
    counts->ctx = ctx;
    for (int i = 0; i < ARRAYS; i++)
        ph_db_array_clear(&counts->arrays[i]);
    ph_map_each(&counts->flying->tallies, write_tally, counts->arrays);
    ph_db_req_init(&counts->req, &ph_sql_counts_add, counts->flying->arena, stored);
    for (int i = 0; i < ARRAYS; i++)
        ph_db_add_array(&counts->req, &counts->arrays[i]);
    ph_db_send(db, &counts->req);
    return true;
}
