#include "courier_internal.h"

#include "posthorn/clock.h"
#include "posthorn/log.h"

#include <stdio.h>
#include <stdlib.h>

/* Attempts at once of one courier: bounds file descriptors. */
#define ATTEMPTS_MAX 4000
/* Attempts at once that a tenant may have in any case. */
#define TENANT_SLOTS_MIN 20
#define READY_AT_ONCE    16
/* Endpoints that often are at one origin, so that their idle connections are kept together. */
#define ENDPOINTS_OF_ORIGIN 8
#define SWEEP_MS            1000
/* Bytes of an answer that have to be kept although deliveries may want fewer: those of a token. */
#define TOKEN_ANSWER_BYTES 16384

/* What other threads send. */
struct letter {
    struct ph_queue_node node;
    enum {
        LETTER_JOBS,
        LETTER_ENDPOINT,
        LETTER_APPLICATION,
        LETTER_ALL_ENDPOINTS,
        LETTER_IDENTITY,
        LETTER_TRIAL,
        LETTER_CANCEL,
        LETTER_STOP
    } type;
    struct ph_job_list jobs;
    struct ph_id id; /* of the endpoint or application */
    uint64_t deadline_ms;
    int64_t before_ms;
};

static void post(struct ph_courier *courier, struct letter letter)
{
    struct letter *copy = ph_malloc(sizeof *copy);

    *copy = letter;
    if (ph_queue_push(&courier->inbox, &copy->node))
        ph_loop_post(courier->loop, &courier->wake);
}

void ph_courier_give(struct ph_courier *courier, struct ph_job_list *jobs)
{
    post(courier, (struct letter){.type = LETTER_JOBS, .jobs = *jobs});
    *jobs = (struct ph_job_list){NULL, NULL, 0};
}

void ph_courier_endpoint_changed(struct ph_courier *courier, const struct ph_id *endpoint)
{
    if (endpoint)
        post(courier, (struct letter){.type = LETTER_ENDPOINT, .id = *endpoint});
    else
        post(courier, (struct letter){.type = LETTER_ALL_ENDPOINTS});
}

void ph_courier_application_changed(struct ph_courier *courier, struct ph_id application)
{
    post(courier, (struct letter){.type = LETTER_APPLICATION, .id = application});
}

void ph_courier_identity_changed(struct ph_courier *courier)
{
    post(courier, (struct letter){.type = LETTER_IDENTITY});
}

void ph_courier_try(struct ph_courier *courier, struct ph_job *job)
{
    struct letter letter = {.type = LETTER_TRIAL};

    ph_job_list_add(&letter.jobs, job);
    post(courier, letter);
}

void ph_courier_cancel(struct ph_courier *courier, struct ph_id endpoint, int64_t before_ms)
{
    post(courier, (struct letter){.type = LETTER_CANCEL, .id = endpoint, .before_ms = before_ms});
}

void ph_courier_stop(struct ph_courier *courier, uint64_t deadline_ms)
{
    post(courier, (struct letter){.type = LETTER_STOP, .deadline_ms = deadline_ms});
}

void courier_drop(struct ph_courier *courier, struct ph_job *job)
{
    ph_node_give_room(courier->node, job->tenant, job->endpoint);
    if (!courier->stopping && ph_node_has_room_again(courier->node, job->tenant, job->endpoint))
        courier_room(courier, job->endpoint);
    ph_job_free(job);
}

static void drop_queue(struct target *target)
{
    struct ph_job *job;

    while ((job = ph_job_list_take(&target->queue)))
        courier_drop(target->courier, job);
}

bool courier_releases(struct target *target, int in_flight)
{
    if (!target->ordered || target->queue.first || target->in_flight != in_flight)
        return false;
    target->ordered = false;
    return true;
}

/* The job goes back to the database, due when the hold is over. */
static void give_back(struct target *target, struct ph_job *job, int64_t hold_ms)
{
    courier_record(target->courier, job,
                   &(struct ph_outcome){
                       .endpoint = job->endpoint,
                       .message = job->payload->message,
                       .tenant = job->payload->tenant,
                       .node_id = job->node_id,
                       .attempts_made = job->attempts_made,
                       .next_ms = ph_clock_wall_ms(),
                       .hold_ms = hold_ms,
                       .release = courier_releases(target, 0),
                   });
}

static void give_back_queue(struct target *target, int64_t hold_ms)
{
    struct ph_job *job;

    while ((job = ph_job_list_take(&target->queue)))
        give_back(target, job, hold_ms);
}

void courier_hold(struct target *target, int64_t until_wall_ms)
{
    if (target->hold_ms < until_wall_ms)
        target->hold_ms = until_wall_ms;
    ph_node_set_queued(target->courier->node, target->id, true);
    give_back_queue(target, target->hold_ms);
}

/* The endpoint or the message is gone: nobody is owed anything. */
static void cancel(struct target *target, struct ph_job *job)
{
    courier_record(target->courier, job,
                   &(struct ph_outcome){
                       .endpoint = job->endpoint,
                       .message = job->payload->message,
                       .tenant = job->payload->tenant,
                       .node_id = job->node_id,
                       .attempts_made = job->attempts_made,
                       .done = true,
                       .release = courier_releases(target, 0),
                   });
}

static void cancel_queue(struct target *target)
{
    struct ph_job *job;

    while ((job = ph_job_list_take(&target->queue)))
        cancel(target, job);
}

static void wait_for_slot(struct target *target)
{
    struct ph_courier *courier = target->courier;

    if (target->is_ready)
        return;
    target->is_ready = true;
    target->next_ready = NULL;
    if (courier->last_ready)
        courier->last_ready->next_ready = target;
    else
        courier->first_ready = target;
    courier->last_ready = target;
}

/* Attempts at once that the endpoint may have now. */
static int concurrency_of(const struct target *target)
{
    int limit = (int)target->courier->node->config->endpoint_concurrency;

    return target->ordered ? 1 : ph_breaker_window(&target->breaker, limit);
}

/* Whether this courier has a slot for one more attempt: a tenant may have as many as are free for all others. */
static bool has_slot(const struct target *target)
{
    const struct ph_courier *courier = target->courier;
    int free = ATTEMPTS_MAX - courier->in_flight;

    return free > 0 &&
           target->tenant->in_flight < (free > TENANT_SLOTS_MIN ? free : TENANT_SLOTS_MIN) &&
           !courier_outcomes_full(courier);
}

/* Deals with a queue that cannot be delivered now. True: there is nothing more to do. */
static bool sort_out(struct target *target)
{
    if (target->loading)
        return true;
    if (target->gone) {
        cancel_queue(target);
        return true;
    }
    if (!target->config || target->stale) {
        courier_target_load(target);
        return true;
    }
    if (target->config->disabled || target->config->paused) {
        courier_hold(target, PH_HOLD_STOPPED);
        return true;
    }
    if (target->hold_ms > ph_clock_wall_ms()) {
        give_back_queue(target, target->hold_ms);
        return true;
    }
    return false;
}

void courier_serve(struct target *target)
{
    struct ph_courier *courier = target->courier;
    int32_t node_id = atomic_load(&courier->node->id);

    courier_serve_trials(target);
    if (courier->stopping)
        drop_queue(target);
    while (target->queue.first && target->in_flight < concurrency_of(target)) {
        if (target->queue.first->node_id !=
            node_id) { /* claimed under an identity that is gone: others have it */
            courier_drop(courier, ph_job_list_take(&target->queue));
            continue;
        }
        if (sort_out(target))
            return;
        if (!has_slot(target)) {
            wait_for_slot(target);
            return;
        }
        struct ph_job *job = ph_job_list_take(&target->queue);
        if (job->message_gone)
            cancel(target, job);
        else
            courier_attempt_start(target, job);
    }
}

void courier_serve_ready(struct ph_courier *courier)
{
    /* a few: those that still may not start go to the end, and the next attempt that ends looks at the next few */
    for (int i = 0; i < READY_AT_ONCE && courier->first_ready; i++) {
        struct target *target = courier->first_ready;
        courier->first_ready = target->next_ready;
        if (!courier->first_ready)
            courier->last_ready = NULL;
        target->is_ready = false;
        courier_serve(target);
    }
}

static void take_jobs(struct ph_courier *courier, struct ph_job_list *jobs)
{
    struct ph_job *job;

    while ((job = ph_job_list_take(jobs))) {
        struct target *target = courier_target(courier, job);
        if (job->config)
            courier_target_apply(target, job->config);
        /* once ordered it stays so until all are done: unordered ones came too when its ordering has changed */
        target->ordered =
            job->is_ordered || (target->ordered && (target->queue.first || target->in_flight));
        ph_job_list_add(&target->queue, job);
        /* those of an ordered endpoint come one behind the other: the last one releases it, so all have to be here */
        if (!job->is_ordered || !jobs->first || !ph_id_eq(jobs->first->endpoint, job->endpoint))
            courier_serve(target);
    }
}

static void take_trial(struct ph_courier *courier, struct ph_job *job)
{
    struct target *target = courier_target(courier, job);

    ph_job_list_add(&target->trials, job);
    courier_serve_trials(target);
}

/* Messages from before that wall time were cancelled. They are given back, so that the database tells which of them: some may
 * have been asked for again since. */
static void cancel_before(struct target *target, int64_t before_ms)
{
    struct ph_job_list kept = {NULL, NULL, 0}, dropped = {NULL, NULL, 0};
    struct ph_job *job;

    while ((job = ph_job_list_take(&target->queue)))
        ph_job_list_add(ph_id_time_ms(job->payload->message) < before_ms ? &dropped : &kept, job);
    target->queue = kept;
    while ((job = ph_job_list_take(&dropped)))
        give_back(target, job, 0);
}

/* Something about it has changed: whatever it was held for is to be found out anew. */
static void refresh(struct target *target)
{
    target->stale = true;
    target->reload = target->loading;
    target->gone = false;
    target->hold_ms = 0;
    target->breaker = (struct ph_breaker){0};
    courier_serve(target);
}

static void refresh_node(struct ph_map_node *node, void *ctx)
{
    (void)ctx;
    refresh(ph_container_of(node, struct target, by_id));
}

static void refresh_of_application(struct ph_map_node *node, void *ctx)
{
    struct target *target = ph_container_of(node, struct target, by_id);

    if (target->config && ph_id_eq(target->config->application, *(const struct ph_id *)ctx))
        refresh(target);
}

static void serve_node(struct ph_map_node *node, void *ctx)
{
    (void)ctx;
    courier_serve(ph_container_of(node, struct target, by_id));
}

/* The stop timeout is over: ends the attempts under way, and a second later everything. */
static void deadline_passed(struct ph_timer *timer)
{
    struct ph_courier *courier = ph_container_of(timer, struct ph_courier, deadline);

    ph_log(PH_LOG_WARN, "work was still under way at the end of the stop timeout",
           ph_log_i("attempts", courier->in_flight),
           ph_log_i("unrecorded", (int64_t)courier->n_unrecorded));
    if (courier->in_flight == 0) {
        ph_loop_stop(courier->loop);
        return;
    }
    courier_attempts_cancel(courier);
    ph_timer_set(courier->loop, &courier->deadline, ph_loop_now_ms(courier->loop) + SWEEP_MS);
}

void courier_check_stopped(struct ph_courier *courier)
{
    if (courier->stopping && courier->in_flight == 0 && courier->n_unrecorded == 0)
        ph_loop_stop(courier->loop);
}

static void stop(struct ph_courier *courier, uint64_t deadline_ms)
{
    courier->stopping = true;
    courier->deadline.on_timer = deadline_passed;
    ph_timer_set(courier->loop, &courier->deadline, deadline_ms);
    ph_map_each(&courier->targets, serve_node, NULL);
    courier_check_stopped(courier);
}

static void read_inbox(struct ph_task *task)
{
    struct ph_courier *courier = ph_container_of(task, struct ph_courier, wake);
    struct ph_queue_node *node = ph_queue_take_all(&courier->inbox);

    while (node) {
        struct letter *letter = ph_container_of(node, struct letter, node);
        struct target *target;
        node = node->next;
        switch (letter->type) {
        case LETTER_JOBS:
            take_jobs(courier, &letter->jobs);
            break;
        case LETTER_ENDPOINT:
            if ((target = courier_find_target(courier, letter->id)))
                refresh(target);
            break;
        case LETTER_APPLICATION:
            ph_map_each(&courier->targets, refresh_of_application, &letter->id);
            break;
        case LETTER_ALL_ENDPOINTS:
            ph_map_each(&courier->targets, refresh_node, NULL);
            break;
        case LETTER_IDENTITY:
            ph_map_each(&courier->targets, serve_node, NULL);
            break;
        case LETTER_TRIAL:
            take_trial(courier, ph_job_list_take(&letter->jobs));
            break;
        case LETTER_CANCEL:
            if ((target = courier_find_target(courier, letter->id)))
                cancel_before(target, letter->before_ms);
            break;
        case LETTER_STOP:
            stop(courier, letter->deadline_ms);
            break;
        }
        free(letter);
    }
}

/* Once a second: goes on where a load has failed, and forgets endpoints that have been idle. */
static void sweep(struct ph_timer *timer)
{
    struct ph_courier *courier = ph_container_of(timer, struct ph_courier, sweep);

    ph_map_each(&courier->targets, serve_node, NULL);
    courier_sweep_targets(courier);
    ph_timer_set(courier->loop, &courier->sweep, ph_loop_now_ms(courier->loop) + SWEEP_MS);
}

static void free_target_node(struct ph_map_node *node, void *ctx)
{
    struct target *target = ph_container_of(node, struct target, by_id);

    (void)ctx;
    drop_queue(target);
    courier_end_trials(target, PH_ERR_UNAVAILABLE);
    courier_target_free(target);
}

static void *run(void *arg)
{
    struct ph_courier *courier = arg;

    ph_timer_set(courier->loop, &courier->sweep, ph_loop_now_ms(courier->loop) + SWEEP_MS);
    ph_loop_run(courier->loop);
    return NULL;
}

enum ph_err ph_courier_start(struct ph_node *node, int index, struct ph_buf *problems,
                             struct ph_courier **out)
{
    const struct ph_config *config = node->config;
    struct ph_http_limits limits = {
        .connect_ms = config->connect_timeout_ms,
        .total_ms = config->attempt_timeout_ms,
        .header_bytes = 16384,
        .body_bytes = config->response_bytes > TOKEN_ANSWER_BYTES ? (size_t)config->response_bytes
                                                                  : TOKEN_ANSWER_BYTES,
        .body_read_bytes = (size_t)config->response_bytes * 4 + 65536,
        .idle_per_origin = (size_t)config->endpoint_concurrency * ENDPOINTS_OF_ORIGIN,
        .idle_ms = 55000,
        .age_ms = 300000,
        .idle_total = 4096,
    };
    struct ph_courier *courier = ph_calloc(1, sizeof *courier);
    char name[32];
    enum ph_err err;

    courier->node = node;
    courier->loop = ph_loop_new();
    ph_queue_init(&courier->inbox);
    courier->wake.run = read_inbox;
    courier->sweep.on_timer = sweep;
    err = ph_http_client_new(courier->loop, node->guard, &limits, config->ca_file, &courier->http);
    if (err != PH_OK) {
        ph_buf_printf(problems, "POSTHORN_CA_FILE: '%s' cannot be read as PEM certificates\n",
                      config->ca_file);
        ph_loop_free(courier->loop);
        free(courier);
        return err;
    }
    ph_http_client_use_proxy(courier->http, node->proxy);
    snprintf(name, sizeof name, "courier %d", index);
    courier->db = ph_db_new(courier->loop, &(struct ph_db_options){.conninfo = config->database_url,
                                                                   .role = PH_DB_ENGINE,
                                                                   .connections = 1,
                                                                   .max_waiting = 1000000,
                                                                   .name = name});
    courier_outcomes_init(courier);
    if (pthread_create(&courier->thread, NULL, run, courier) != 0)
        abort();
    *out = courier;
    return PH_OK;
}

void ph_courier_join(struct ph_courier *courier)
{
    pthread_join(courier->thread, NULL);
}

void ph_courier_free(struct ph_courier *courier)
{
    struct ph_queue_node *node;

    ph_timer_clear(courier->loop, &courier->sweep);
    ph_timer_clear(courier->loop, &courier->deadline);
    ph_db_free(courier->db);
    ph_timer_clear(courier->loop, &courier->store_again);
    courier_outcomes_free(courier);
    courier_attempts_free(courier);
    node = ph_queue_take_all(&courier->inbox);
    while (node) {
        struct letter *letter = ph_container_of(node, struct letter, node);
        struct ph_job *job;
        node = node->next;
        while ((job = ph_job_list_take(&letter->jobs)))
            if (job->trial)
                courier_end_trial(job, PH_ERR_UNAVAILABLE);
            else
                courier_drop(courier, job);
        free(letter);
    }
    ph_map_each(&courier->targets, free_target_node, NULL);
    ph_map_free(&courier->targets);
    ph_map_free(&courier->tenants);
    ph_http_client_free(courier->http);
    ph_loop_step(courier->loop, 0); /* ph_db_free's last words */
    ph_loop_free(courier->loop);
    free(courier);
}
