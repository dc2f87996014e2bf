#include "posthorn/task_worker.h"

#include "posthorn/claim.h"
#include "posthorn/counts.h"
#include "posthorn/db.h"
#include "posthorn/dispatcher.h"
#include "posthorn/log.h"
#include "posthorn/task.h"
#include "posthorn/tenant.h"

#include <stdlib.h>

/* How often to look for tasks, and the pause between two steps: the database has more to do than these. */
#define POLL_MS 500
#define STEP_MS 20
/* How often counts are stored. */
#define COUNTS_MS 2000
/* The same as for tasks, for expired payloads. */
#define CLEAR_MS       (60 * 1000)
#define CLEAR_AGAIN_MS 50
/* And for the data of deleted tenants. */
#define PURGE_ROWS     5000
#define PURGE_MS       2000
#define PURGE_AGAIN_MS 20

struct ph_task_worker {
    struct ph_loop *loop;
    struct ph_node *node;
    struct ph_db *db;
    struct ph_arena *arena; /* of the statement under way; NULL: none is */
    struct ph_timer timer;
    enum ph_background_task_kind kind; /* whose turn it is */
    int idle;                          /* kinds of which none was due, one behind the other */
    struct ph_arena *clear_arena;      /* likewise */
    struct ph_timer clear_timer;
    struct ph_arena *purge_arena; /* likewise */
    struct ph_timer purge_timer;
    struct ph_timer counts_timer;
    bool counts_in_flight;
    bool paused;
};

static void go_on_in(struct ph_task_worker *worker, uint64_t wait_ms)
{
    if (!worker->paused)
        ph_timer_set(worker->loop, &worker->timer, ph_loop_now_ms(worker->loop) + wait_ms);
}

static void end_statement(struct ph_task_worker *worker)
{
    ph_arena_free(worker->arena);
    worker->arena = NULL;
}

static void postponed(void *ctx, enum ph_err err, bool found, int32_t queued)
{
    struct ph_task_worker *worker = ctx;

    (void)err;
    (void)found;
    (void)queued;
    end_statement(worker);
    go_on_in(worker, POLL_MS);
}

static void stepped(void *ctx, enum ph_err err, bool found, int32_t queued)
{
    struct ph_task_worker *worker = ctx;
    enum ph_background_task_kind kind = worker->kind;

    end_statement(worker);
    worker->kind = (kind + 1) % PH_TASK_KINDS;
    worker->idle = found ? 0 : worker->idle + 1;
    if (err == PH_ERR_DB_FAILED && !worker->paused) {
        ph_log(PH_LOG_WARN, "a step of a background task failed",
               ph_log_s("reason", ph_err_text(err)));
        worker->arena = ph_arena_new();
        ph_background_task_postpone(worker->db, worker->arena, kind, postponed, worker);
        return;
    }
    if (queued)
        ph_dispatcher_nudge(worker->node->dispatcher, 0);
    go_on_in(worker, found ? STEP_MS : worker->idle < PH_TASK_KINDS ? 0 : POLL_MS);
}

static void step(struct ph_timer *timer)
{
    struct ph_task_worker *worker = ph_container_of(timer, struct ph_task_worker, timer);

    if (!ph_db_ready(worker->db)) {
        go_on_in(worker, POLL_MS);
        return;
    }
    worker->arena = ph_arena_new();
    if (worker->idle == PH_TASK_KINDS)
        worker->idle = 0;
    ph_background_task_step(worker->db, worker->arena, worker->kind, stepped, worker);
}

static void cleared(enum ph_err err, int32_t n, void *ctx)
{
    struct ph_task_worker *worker = ctx;
    bool more = err == PH_OK && n == PH_PAYLOADS_CLEAR_MAX;

    ph_arena_free(worker->clear_arena);
    worker->clear_arena = NULL;
    if (!worker->paused)
        ph_timer_set(worker->loop, &worker->clear_timer,
                     ph_loop_now_ms(worker->loop) + (more ? CLEAR_AGAIN_MS : CLEAR_MS));
}

static void clear(struct ph_timer *timer)
{
    struct ph_task_worker *worker = ph_container_of(timer, struct ph_task_worker, clear_timer);

    worker->clear_arena = ph_arena_new();
    ph_payloads_clear(worker->db, worker->clear_arena, cleared, worker);
}

static void purged(void *ctx, enum ph_err err, int32_t n)
{
    struct ph_task_worker *worker = ctx;

    ph_arena_free(worker->purge_arena);
    worker->purge_arena = NULL;
    if (!worker->paused)
        ph_timer_set(worker->loop, &worker->purge_timer,
                     ph_loop_now_ms(worker->loop) +
                         (err == PH_OK && n > 0 ? PURGE_AGAIN_MS : PURGE_MS));
}

static void purge(struct ph_timer *timer)
{
    struct ph_task_worker *worker = ph_container_of(timer, struct ph_task_worker, purge_timer);

    worker->purge_arena = ph_arena_new();
    ph_tenants_purge(worker->db, worker->purge_arena, PURGE_ROWS, purged, worker);
}

static void counts_stored(enum ph_err err, void *ctx)
{
    (void)err;
    ((struct ph_task_worker *)ctx)->counts_in_flight = false;
}

static void store_counts(struct ph_timer *timer)
{
    struct ph_task_worker *worker = ph_container_of(timer, struct ph_task_worker, counts_timer);

    if (!worker->counts_in_flight && ph_db_ready(worker->db))
        worker->counts_in_flight =
            ph_counts_store(worker->node->counts, worker->db, counts_stored, worker);
    ph_timer_set(worker->loop, timer, ph_loop_now_ms(worker->loop) + COUNTS_MS);
}

bool ph_task_worker_store_counts(struct ph_task_worker *worker)
{
    if (!worker->counts_in_flight)
        store_counts(&worker->counts_timer);
    return worker->counts_in_flight;
}

struct ph_task_worker *ph_task_worker_new(struct ph_loop *loop, struct ph_node *node)
{
    struct ph_task_worker *worker = ph_calloc(1, sizeof *worker);

    worker->loop = loop;
    worker->node = node;
    worker->timer.on_timer = step;
    worker->clear_timer.on_timer = clear;
    worker->purge_timer.on_timer = purge;
    worker->counts_timer.on_timer = store_counts;
    worker->db = ph_db_new(loop, &(struct ph_db_options){
                                     .conninfo = node->config->database_url,
                                     .role = PH_DB_ENGINE,
                                     .connections = 1,
                                     .max_waiting = 4,
                                     .name = "tasks",
                                 });
    go_on_in(worker, POLL_MS);
    ph_timer_set(loop, &worker->clear_timer, ph_loop_now_ms(loop) + POLL_MS);
    ph_timer_set(loop, &worker->purge_timer, ph_loop_now_ms(loop) + PURGE_MS);
    ph_timer_set(loop, &worker->counts_timer, ph_loop_now_ms(loop) + COUNTS_MS);
    return worker;
}

void ph_task_worker_pause(struct ph_task_worker *worker)
{
    worker->paused = true;
    ph_timer_clear(worker->loop, &worker->timer);
    ph_timer_clear(worker->loop, &worker->clear_timer);
    ph_timer_clear(worker->loop, &worker->purge_timer);
}

void ph_task_worker_free(struct ph_task_worker *worker)
{
    ph_task_worker_pause(worker);
    ph_timer_clear(worker->loop, &worker->counts_timer);
    ph_db_free(worker->db);
    free(worker);
}
