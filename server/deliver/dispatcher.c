#include "posthorn/dispatcher.h"

#include "posthorn/claim.h"
#include "posthorn/clock.h"
#include "posthorn/courier.h"
#include "posthorn/data_key.h"
#include "posthorn/endpoint_health.h"
#include "posthorn/log.h"
#include "posthorn/mailer.h"
#include "posthorn/matcher.h"
#include "posthorn/task_worker.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A claim: endpoints, how many of them of one tenant, and deliveries of each. */
#define CLAIM_ENDPOINTS 50
#define CLAIM_OF_TENANT 5
#define CLAIM_SHARE     10
#define CLAIM_PIECES    100
/* How often to look without being told: other nodes' deliveries become due too. */
#define POLL_MS               1000
#define NO_ROOM_MS            20
#define FULL_MS               100
#define TAKE_OVER_MS          2000
#define HOUSEKEEPING_MS       (600 * 1000)
#define HOUSEKEEPING_AGAIN_MS (60 * 1000)
/* Time to give back what the node holds when it stops. */
#define UNREGISTER_MS 3000
#define IDLE_AGAIN_MS 10
#define HELD_MAX      64

struct ph_dispatcher {
    struct ph_node *node;
    struct ph_loop *loop;
    struct ph_db *
        db; /* the one connection that holds the node's lock, so that claims end with its identity */
    struct ph_task_worker *tasks;
    struct ph_matcher *matcher;
    pthread_t thread;
    ph_application_changed_fn on_application_changed;
    void *ctx;
    char name[300];
    bool listens; /* news come on the connection */
    bool registering, claiming, taking_over, paused, stopping;
    bool look_again;        /* nudged while a claim was under way */
    int64_t clock_ahead_ms; /* database's clock minus ours */
    struct ph_id cursor; /* tenant at which the last claim had enough; zero: it came to the end */
    struct ph_id held[HELD_MAX], held_tenants[HELD_MAX];
    size_t n_held;
    struct ph_id full[HELD_MAX]; /* tenants that claims leave alone for as long as they are full */
    size_t n_full;
    struct ph_timer claim_timer, take_over_timer, housekeeping_timer, register_timer, stop_timer;
    struct ph_timer idle_timer;
    /* from other threads */
    struct ph_task nudge, pause, stop;
    sem_t is_paused;
    _Atomic bool nudge_posted;
    _Atomic int64_t nudge_due_ms;
};

/* A request of the dispatcher: its arena, and who asked. */
struct errand {
    struct ph_arena *arena;
    struct ph_dispatcher *dispatcher;
};

static struct errand *errand_new(struct ph_dispatcher *d)
{
    struct ph_arena *arena = ph_arena_new();
    struct errand *errand = ph_arena_new_of(arena, struct errand);

    errand->arena = arena;
    errand->dispatcher = d;
    return errand;
}

static struct ph_dispatcher *errand_end(void *ctx)
{
    struct errand *errand = ctx;
    struct ph_dispatcher *d = errand->dispatcher;

    ph_arena_free(errand->arena);
    return d;
}

static int32_t identity(const struct ph_dispatcher *d)
{
    return atomic_load(&d->node->id);
}

/* ---- claiming ---- */

static void claim(struct ph_dispatcher *d);

static void claim_in(struct ph_dispatcher *d, int64_t wait_ms)
{
    uint64_t due_ms;

    if (wait_ms < 0)
        wait_ms = 0;
    if (wait_ms > POLL_MS)
        wait_ms = POLL_MS;
    due_ms = ph_loop_now_ms(d->loop) + (uint64_t)wait_ms;
    if (!ph_timer_is_set(&d->claim_timer) || d->claim_timer.due_ms > due_ms)
        ph_timer_set(d->loop, &d->claim_timer, due_ms);
}

static void claim_due(struct ph_timer *timer)
{
    claim(ph_container_of(timer, struct ph_dispatcher, claim_timer));
}

/* Endpoints of this claim that now have all the deliveries in memory that they may have. */
static void note_full(struct ph_dispatcher *d, struct ph_id tenant, struct ph_id endpoint)
{
    if (d->n_held == HELD_MAX || !ph_node_is_full(d->node, tenant, endpoint))
        return;
    for (size_t i = 0; i < d->n_held; i++)
        if (ph_id_eq(d->held[i], endpoint))
            return;
    d->held_tenants[d->n_held] = tenant;
    d->held[d->n_held++] = endpoint;
}

static void note_full_tenant(struct ph_dispatcher *d, struct ph_id tenant)
{
    if (d->n_full == HELD_MAX || !ph_node_tenant_is_full(d->node, tenant))
        return;
    for (size_t i = 0; i < d->n_full; i++)
        if (ph_id_eq(d->full[i], tenant))
            return;
    d->full[d->n_full++] = tenant;
}

/* Forgets tenants that have room again. */
static void check_full_tenants(struct ph_dispatcher *d)
{
    size_t n = 0;

    for (size_t i = 0; i < d->n_full; i++)
        if (ph_node_tenant_is_full(d->node, d->full[i]))
            d->full[n++] = d->full[i];
    d->n_full = n;
}

static void released(enum ph_err err, int32_t n, void *ctx);

/* The claim has held them: from now on their couriers see when they have room again, unless they have it already. */
static void note_held(struct ph_dispatcher *d)
{
    for (size_t i = 0; i < d->n_held; i++) {
        ph_node_set_full(d->node, d->held[i]);
        if (ph_node_has_room_again(d->node, d->held_tenants[i], d->held[i])) {
            struct errand *errand = errand_new(d);
            ph_schedule_room(d->db, errand->arena, d->held[i], released, errand);
        }
    }
    d->n_held = 0;
}

static void take_claim(struct ph_dispatcher *d, struct ph_claim *claim)
{
    bool began_inside = !ph_id_is_zero(d->cursor); /* tenants before it may have due ones too */

    ph_metric_add(deliveries_claimed, (int64_t)claim->jobs.n);
    for (struct ph_job *job = claim->jobs.first; job; job = job->next)
        ph_node_force_room(d->node, job->tenant, job->endpoint);
    for (struct ph_job *job = claim->jobs.first; job; job = job->next) {
        note_full(d, job->tenant, job->endpoint);
        note_full_tenant(d, job->tenant);
    }
    ph_node_hand_over(d->node, &claim->jobs);
    for (size_t i = 0; i < claim->n_drained; i++)
        ph_node_set_queued(d->node, claim->drained[i], false);
    for (size_t i = 0; i < claim->n_behind; i++)
        ph_node_set_queued(d->node, claim->behind[i], true);
    d->cursor = claim->cursor;
    d->clock_ahead_ms = claim->now_ms - ph_clock_wall_ms();
    if (claim->more || began_inside || !ph_id_is_zero(d->cursor) || d->look_again || d->n_held)
        claim_in(d, 0);
    else if (d->n_full)
        claim_in(d, FULL_MS);
    else
        claim_in(d, claim->next_ms == INT64_MAX ? POLL_MS : claim->next_ms - claim->now_ms + 1);
}

static void claimed(enum ph_err err, struct ph_claim *claim, void *ctx)
{
    struct ph_dispatcher *d = ((struct errand *)ctx)->dispatcher;

    d->claiming = false;
    note_held(d);
    if (err == PH_OK && d->listens)
        ph_auth_news_heard(&d->node->auth_news, ph_clock_mono_ms());
    if (err == PH_OK)
        take_claim(d, claim);
    else
        claim_in(d, POLL_MS);
    errand_end(ctx);
}

static void claim(struct ph_dispatcher *d)
{
    int64_t room = ph_node_room(d->node);
    int share = CLAIM_SHARE, endpoints = CLAIM_ENDPOINTS;

    if (d->paused || !identity(d) || d->claiming)
        return;
    if (room <= 0) {
        claim_in(d, NO_ROOM_MS);
        return;
    }
    if (room < share * endpoints) {
        share = room < share ? 1 : share;
        endpoints = (int)(room / share) > CLAIM_ENDPOINTS ? CLAIM_ENDPOINTS : (int)(room / share);
    }
    d->claiming = true;
    d->look_again = false;
    check_full_tenants(d);
    struct errand *errand = errand_new(d);
    struct ph_claim_request request = {
        .node_id = identity(d),
        .max_endpoints = endpoints,
        .endpoints_per_tenant = CLAIM_OF_TENANT,
        .share = share,
        .pieces = room < CLAIM_PIECES ? (int)room : CLAIM_PIECES,
        .cursor = d->cursor,
        .held = d->held,
        .n_held = d->n_held,
        .full = d->full,
        .n_full = d->n_full,
    };
    ph_claim_due(d->db, errand->arena, &request, claimed, errand);
}

static void nudged(struct ph_task *task)
{
    struct ph_dispatcher *d = ph_container_of(task, struct ph_dispatcher, nudge);

    atomic_store(&d->nudge_posted, false);
    int64_t due_ms = atomic_exchange(&d->nudge_due_ms, INT64_MAX);
    int64_t wait_ms = due_ms - ph_clock_wall_ms() - d->clock_ahead_ms;
    if (d->claiming && wait_ms <= 0)
        d->look_again = true;
    else
        claim_in(d, wait_ms);
}

void ph_dispatcher_nudge(struct ph_dispatcher *d, int64_t due_wall_ms)
{
    int64_t before = atomic_load(&d->nudge_due_ms);

    while (due_wall_ms < before &&
           !atomic_compare_exchange_weak(&d->nudge_due_ms, &before, due_wall_ms))
        ;
    if (!atomic_exchange(&d->nudge_posted, true))
        ph_loop_post(d->loop, &d->nudge);
}

/* ---- dead nodes, house ---- */

static void taken_over(enum ph_err err, int32_t dead, void *ctx)
{
    struct ph_dispatcher *d = errand_end(ctx);

    d->taking_over = false;
    if (err == PH_OK && dead) {
        ph_metric_add(nodes_taken_over, dead);
        ph_log(PH_LOG_INFO, "freed the deliveries of dead nodes", ph_log_i("nodes", dead));
        claim_in(d, 0);
    }
}

static void take_over(struct ph_dispatcher *d)
{
    if (d->paused || !identity(d) || d->taking_over)
        return;
    d->taking_over = true;
    struct errand *errand = errand_new(d);
    ph_nodes_take_over(d->db, errand->arena, identity(d), taken_over, errand);
}

static void reported(enum ph_err err, int32_t n, void *ctx)
{
    (void)err; /* the next one comes soon */
    (void)n;
    errand_end(ctx);
}

static void report(struct ph_dispatcher *d)
{
    if (d->paused || !identity(d))
        return;
    struct errand *errand = errand_new(d);
    ph_node_report(d->db, errand->arena, identity(d), (int32_t)ph_metric_get(deliveries_memory),
                   ph_metric_get(payload_bytes_memory), reported, errand);
}

static void take_over_due(struct ph_timer *timer)
{
    struct ph_dispatcher *d = ph_container_of(timer, struct ph_dispatcher, take_over_timer);

    take_over(d);
    report(d);
    ph_timer_set(d->loop, timer, ph_loop_now_ms(d->loop) + TAKE_OVER_MS);
}

static void failing_disabled(enum ph_err err, int32_t n, void *ctx)
{
    errand_end(ctx);
    if (err == PH_OK && n)
        ph_log(PH_LOG_INFO, "disabled endpoints that kept failing", ph_log_i("endpoints", n));
}

static void disable_failing(struct ph_dispatcher *d)
{
    struct errand *errand = errand_new(d);

    ph_endpoints_disable_failing(d->db, errand->arena, d->node->config->disable_after_s,
                                 ph_mail_is_on(d->node->config), failing_disabled, errand);
}

static void house_kept(enum ph_err err, int32_t n, void *ctx)
{
    struct ph_dispatcher *d = errand_end(ctx);

    if (err == PH_OK && n)
        ph_log(PH_LOG_INFO, "partitions made or dropped", ph_log_i("partitions", n));
    if (!d->stopping)
        ph_timer_set(d->loop, &d->housekeeping_timer,
                     ph_loop_now_ms(d->loop) +
                         (err == PH_OK ? HOUSEKEEPING_MS : HOUSEKEEPING_AGAIN_MS));
}

static void housekeeping_due(struct ph_timer *timer)
{
    struct ph_dispatcher *d = ph_container_of(timer, struct ph_dispatcher, housekeeping_timer);
    struct errand *errand = errand_new(d);

    disable_failing(d);
    ph_housekeeping_run(d->db, errand->arena, (int)d->node->config->retention_days,
                        (int)d->node->config->audit_days, house_kept, errand);
}

/* ---- identity and changes ---- */

static void released(enum ph_err err, int32_t n, void *ctx)
{
    struct ph_dispatcher *d = errand_end(ctx);

    if (err == PH_OK && n)
        claim_in(d, 0);
}

static void endpoint_changed(struct ph_dispatcher *d, struct ph_id endpoint)
{
    struct errand *errand = errand_new(d);

    ph_courier_endpoint_changed(ph_node_courier(d->node, endpoint), &endpoint);
    ph_schedule_release(d->db, errand->arena, endpoint, released, errand);
}

static void application_changed(struct ph_dispatcher *d, const struct ph_id *application)
{
    d->on_application_changed(application, d->ctx);
    ph_matcher_application_changed(d->matcher, application);
    for (int i = 0; i < d->node->n_couriers; i++)
        ph_courier_application_changed(d->node->couriers[i], *application);
}

static void everything_changed(struct ph_dispatcher *d)
{
    d->on_application_changed(NULL, d->ctx);
    ph_matcher_application_changed(d->matcher, NULL);
    for (int i = 0; i < d->node->n_couriers; i++)
        ph_courier_endpoint_changed(d->node->couriers[i], NULL);
}

static void keys_refreshed(enum ph_err err, int32_t n, void *ctx)
{
    errand_end(ctx);
    if (err == PH_ERR_CRYPTO)
        ph_log(PH_LOG_ERROR,
               "a new data key does not open with this node's master key: start it again",
               ph_log_s("setting", "POSTHORN_MASTER_KEY"));
    if (n)
        ph_log(PH_LOG_INFO, "new data keys", ph_log_i("keys", n));
}

static void refresh_keys(struct ph_dispatcher *d)
{
    struct errand *errand = errand_new(d);

    ph_data_keys_refresh(d->db, errand->arena, d->node->keyring, keys_refreshed, errand);
}

/* "UUID:MS" of "cancel:UUID:MS": the endpoint's deliveries of messages from before that time are not wanted any more. */
static void cancelled(struct ph_dispatcher *d, const char *text)
{
    char uuid[37] = "";
    int64_t before_ms;
    struct ph_id id;

    if (strlen(text) < 38)
        return;
    memcpy(uuid, text, 36);
    if (ph_id_parse_uuid(uuid, &id) == PH_OK &&
        ph_str_to_i64(ph_str_of(text + 37), &before_ms) == PH_OK)
        ph_courier_cancel(ph_node_courier(d->node, id), id, before_ms);
}

/* "app:UUID", "ep:UUID", "tenant:UUID" and "auth:UUID" (credentials of a tenant), sent by the statements that change one;
 * "plans": quotas of one have changed; "keys": there is a new data key; "unmatched:MS": a message is due to be matched then; "tail:UUID": somebody watches that
 * tenant. */
static void notified(struct ph_db *db, const char *channel, const char *payload, void *ctx)
{
    struct ph_dispatcher *d = ctx;
    struct ph_str text = ph_str_of(payload);
    struct ph_id id;
    int64_t due_ms;

    (void)db;
    (void)channel;
    if (ph_str_starts(text, PH_STR("auth:")) && ph_id_parse_uuid(payload + 5, &id) == PH_OK)
        ph_auth_news_changed(&d->node->auth_news, &id);
    else if (ph_str_eq(text, PH_STR("plans")))
        ph_auth_news_changed(&d->node->auth_news, NULL);
    if (d->paused)
        return;
    if (ph_str_starts(text, PH_STR("app:")) && ph_id_parse_uuid(payload + 4, &id) == PH_OK)
        application_changed(d, &id);
    else if (ph_str_starts(text, PH_STR("ep:")) && ph_id_parse_uuid(payload + 3, &id) == PH_OK)
        endpoint_changed(d, id);
    else if (ph_str_starts(text, PH_STR("tenant:")))
        everything_changed(d);
    else if (ph_str_starts(text, PH_STR("cancel:")))
        cancelled(d, payload + 7);
    else if (ph_str_starts(text, PH_STR("tail:")) && ph_id_parse_uuid(payload + 5, &id) == PH_OK)
        ph_tail_interest(d->node->tail, id);
    else if (ph_str_eq(text, PH_STR("keys")))
        refresh_keys(d);
    else if (ph_str_starts(text, PH_STR("unmatched:")) &&
             ph_str_to_i64(ph_str_of(payload + 10), &due_ms) == PH_OK)
        ph_matcher_nudge(d->matcher, due_ms);
}

static void tell_couriers(struct ph_dispatcher *d)
{
    for (int i = 0; i < d->node->n_couriers && !d->paused; i++)
        ph_courier_identity_changed(d->node->couriers[i]);
}

static void registered(enum ph_err err, int32_t node_id, void *ctx)
{
    struct ph_dispatcher *d = errand_end(ctx);

    d->registering = false;
    if (err != PH_OK) { /* a lost connection registers anew by itself */
        ph_timer_set(d->loop, &d->register_timer, ph_loop_now_ms(d->loop) + POLL_MS);
        return;
    }
    ph_timer_clear(d->loop, &d->register_timer);
    ph_log(PH_LOG_INFO, "node registered", ph_log_i("node", node_id), ph_log_s("name", d->name));
    atomic_store(&d->node->id, node_id);
    if (d->paused)
        return;
    tell_couriers(d);
    everything_changed(d); /* news may have been missed */
    ph_matcher_nudge(d->matcher, 0);
    take_over(d);
    report(d);
    claim_in(d, 0);
}

/* What was missed before may be anything. */
static void listening(enum ph_err err, int32_t n, void *ctx)
{
    struct ph_dispatcher *d = errand_end(ctx);

    (void)n;
    d->listens = err == PH_OK;
    ph_auth_news_changed(&d->node->auth_news, NULL);
}

static void register_node(struct ph_dispatcher *d)
{
    if (d->registering || d->stopping || identity(d))
        return;
    d->registering = true;
    struct errand *listen = errand_new(d), *errand = errand_new(d);
    ph_node_listen(d->db, listen->arena, listening, listen);
    refresh_keys(d); /* before the configurations that they open are loaded anew */
    ph_node_register(d->db, errand->arena, ph_str_of(d->name), registered, errand);
}

static void register_due(struct ph_timer *timer)
{
    struct ph_dispatcher *d = ph_container_of(timer, struct ph_dispatcher, register_timer);

    if (ph_db_ready(d->db))
        register_node(d);
}

static void connected(struct ph_db *db, void *ctx)
{
    struct ph_dispatcher *d = ctx;

    d->db = db;
    register_node(d);
}

static void disconnected(struct ph_db *db, void *ctx)
{
    struct ph_dispatcher *d = ctx;

    (void)db;
    d->listens = false;
    ph_auth_news_heard(&d->node->auth_news, 0);
    if (identity(d)) {
        ph_log(PH_LOG_WARN, "node identity lost", ph_log_i("node", identity(d)));
        atomic_store(&d->node->id, 0);
        tell_couriers(d);
    }
}

/* ---- life ---- */

static void pause_all(struct ph_task *task)
{
    struct ph_dispatcher *d = ph_container_of(task, struct ph_dispatcher, pause);

    d->paused = true;
    ph_task_worker_pause(d->tasks);
    ph_matcher_pause(d->matcher);
    ph_tail_pause(d->node->tail);
    sem_post(&d->is_paused);
}

static void unregistered(enum ph_err err, int32_t freed, void *ctx)
{
    struct ph_dispatcher *d = errand_end(ctx);

    if (err == PH_OK && freed)
        ph_log(PH_LOG_INFO, "gave back deliveries", ph_log_i("deliveries", freed));
    ph_loop_stop(d->loop);
}

/* The database does not answer: whoever comes next takes over. */
static void stop_anyway(struct ph_timer *timer)
{
    ph_loop_stop(ph_container_of(timer, struct ph_dispatcher, stop_timer)->loop);
}

/* Not before the matcher's last statement is answered, which may claim deliveries, and the last counts are stored. */
static void unregister(struct ph_timer *timer)
{
    struct ph_dispatcher *d = ph_container_of(timer, struct ph_dispatcher, idle_timer);
    struct errand *errand;

    if (!ph_matcher_is_idle(d->matcher) || ph_task_worker_store_counts(d->tasks)) {
        ph_timer_set(d->loop, timer, ph_loop_now_ms(d->loop) + IDLE_AGAIN_MS);
        return;
    }
    errand = errand_new(d);
    ph_node_unregister(d->db, errand->arena, identity(d), unregistered, errand);
    atomic_store(&d->node->id, 0);
}

static void stop(struct ph_task *task)
{
    struct ph_dispatcher *d = ph_container_of(task, struct ph_dispatcher, stop);

    d->stopping = d->paused = true;
    if (!identity(d) || !ph_db_ready(d->db)) { /* whoever comes next takes over */
        ph_loop_stop(d->loop);
        return;
    }
    ph_timer_set(d->loop, &d->stop_timer, ph_loop_now_ms(d->loop) + UNREGISTER_MS);
    unregister(&d->idle_timer);
}

static void *run(void *arg)
{
    struct ph_dispatcher *d = arg;

    ph_loop_run(d->loop);
    return NULL;
}

struct ph_dispatcher *ph_dispatcher_start(struct ph_node *node,
                                          ph_application_changed_fn on_application_changed,
                                          void *ctx)
{
    struct ph_dispatcher *d = ph_calloc(1, sizeof *d);
    char host[256] = "";

    d->node = node;
    d->loop = ph_loop_new();
    d->on_application_changed = on_application_changed;
    d->ctx = ctx;
    (void)gethostname(host, sizeof host - 1);
    snprintf(d->name, sizeof d->name, "%s:%d", host, (int)getpid());
    d->nudge.run = nudged;
    d->pause.run = pause_all;
    sem_init(&d->is_paused, 0, 0);
    d->stop.run = stop;
    atomic_init(&d->nudge_posted, false);
    atomic_init(&d->nudge_due_ms, INT64_MAX);
    d->claim_timer.on_timer = claim_due;
    d->take_over_timer.on_timer = take_over_due;
    d->housekeeping_timer.on_timer = housekeeping_due;
    d->register_timer.on_timer = register_due;
    d->stop_timer.on_timer = stop_anyway;
    d->idle_timer.on_timer = unregister;
    node->dispatcher = d;
    d->db = ph_db_new(d->loop, &(struct ph_db_options){.conninfo = node->config->database_url,
                                                       .role = PH_DB_ENGINE,
                                                       .connections = 1,
                                                       .max_waiting = 100000,
                                                       .name = "dispatcher",
                                                       .on_connect = connected,
                                                       .on_disconnect = disconnected,
                                                       .on_notify = notified,
                                                       .ctx = d});
    d->tasks = ph_task_worker_new(d->loop, node);
    d->matcher = ph_matcher_new(d->loop, node);
    node->tail = ph_tail_new(d->loop, node->config);
    ph_timer_set(d->loop, &d->take_over_timer, ph_loop_now_ms(d->loop) + TAKE_OVER_MS);
    ph_timer_set(d->loop, &d->housekeeping_timer, ph_loop_now_ms(d->loop) + 1);
    if (pthread_create(&d->thread, NULL, run, d) != 0)
        abort();
    return d;
}

void ph_dispatcher_pause(struct ph_dispatcher *d)
{
    ph_loop_post(d->loop, &d->pause);
    while (sem_wait(&d->is_paused) != 0)
        ;
}

void ph_dispatcher_stop(struct ph_dispatcher *d)
{
    ph_loop_post(d->loop, &d->stop);
    pthread_join(d->thread, NULL);
    d->stopping = true;
    ph_timer_clear(d->loop, &d->idle_timer);
    ph_matcher_free(d->matcher);
    ph_tail_free(d->node->tail);
    d->node->tail = NULL;
    ph_task_worker_free(d->tasks);
    ph_db_free(d->db);
    ph_timer_clear(d->loop, &d->claim_timer);
    ph_timer_clear(d->loop, &d->take_over_timer);
    ph_timer_clear(d->loop, &d->housekeeping_timer);
    ph_timer_clear(d->loop, &d->register_timer);
    ph_timer_clear(d->loop, &d->stop_timer);
    ph_loop_step(d->loop, 0); /* ph_db_free's last words */
    ph_loop_free(d->loop);
    sem_destroy(&d->is_paused);
    free(d);
}
