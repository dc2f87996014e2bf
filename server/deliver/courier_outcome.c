#include "courier_internal.h"

#include "posthorn/claim.h"
#include "posthorn/dispatcher.h"
#include "posthorn/log.h"

#include <stdlib.h>

/* Outcomes in one statement, and bytes of their answers. */
#define REPORT_ROWS  1000
#define REPORT_BYTES (2 << 20)
/* Unrecorded outcomes from which on no attempt starts: the database is slow or away. */
#define UNRECORDED_MAX 4000
#define STORE_AGAIN_MS 200

static struct report *take_report(struct ph_courier *courier)
{
    struct report *report = courier->free_reports;

    if (report) {
        courier->free_reports = report->next;
    } else {
        report = ph_calloc(1, sizeof *report);
        report->batch = ph_outcome_batch_new(REPORT_BYTES);
    }
    report->next = NULL;
    report->next_ms = INT64_MAX;
    return report;
}

static void free_report(struct report *report)
{
    ph_outcome_batch_free(report->batch);
    free(report);
}

bool courier_outcomes_full(const struct ph_courier *courier)
{
    return courier->n_unrecorded >= UNRECORDED_MAX;
}

static void stored(enum ph_err err, void *ctx);

static void store(struct ph_courier *courier)
{
    ph_outcome_batch_store(courier->flying->batch, courier->db, stored, courier);
}

static void store_again(struct ph_timer *timer)
{
    store(ph_container_of(timer, struct ph_courier, store_again));
}

static void flush(struct ph_task *task)
{
    struct ph_courier *courier = ph_container_of(task, struct ph_courier, flush);

    courier->flush_queued = false;
    if (courier->flying)
        return;
    if (courier->first_full) {
        courier->flying = courier->first_full;
        courier->first_full = courier->flying->next;
        if (!courier->first_full)
            courier->last_full = NULL;
    } else if (ph_outcome_batch_count(courier->filling->batch)) {
        courier->flying = courier->filling;
        courier->filling = take_report(courier);
    } else {
        return;
    }
    store(courier);
}

static void flush_soon(struct ph_courier *courier)
{
    if (courier->flying || courier->flush_queued)
        return;
    courier->flush_queued = true;
    ph_loop_defer(courier->loop, &courier->flush);
}

static void drop_jobs(struct ph_courier *courier, struct report *report)
{
    struct ph_job *job;

    while ((job = ph_job_list_take(&report->jobs))) {
        courier_drop(courier, job);
        courier->n_unrecorded--;
    }
}

static void released(enum ph_err err, int32_t n, void *ctx)
{
    struct release *release = ctx;

    if (err == PH_OK && n)
        ph_dispatcher_nudge(release->courier->node->dispatcher, 0);
    ph_arena_free(release->arena);
}

static void send_releases(struct ph_courier *courier)
{
    while (courier->releases && courier->releases->after <= courier->n_stored) {
        struct release *release = courier->releases;
        courier->releases = release->next;
        ph_schedule_room(courier->db, release->arena, release->endpoint, released, release);
    }
}

void courier_room(struct ph_courier *courier, struct ph_id endpoint)
{
    struct ph_arena *arena = ph_arena_new();
    struct release *release = ph_arena_new_of(arena, struct release), **last = &courier->releases;

    *release = (struct release){
        .arena = arena,
        .courier = courier,
        .endpoint = endpoint,
        .after = courier->n_taken,
    };
    while (*last)
        last = &(*last)->next;
    *last = release;
    send_releases(courier);
}

/* Oldest first, though they are listed the other way round. */
static void tell(struct report *report)
{
    struct ph_tail_event *in_order = NULL;

    while (report->events) {
        struct ph_tail_event *event = report->events;
        report->events = event->next;
        event->next = in_order;
        in_order = event;
    }
    while (in_order) {
        struct ph_tail_event *event = in_order;
        in_order = event->next;
        ph_tail_tell(event);
    }
}

/* Somebody watches the tenant. */
static void note_event(struct ph_courier *courier, struct report *report, const struct ph_job *job,
                       const struct ph_outcome *outcome)
{
    struct ph_tail_event *event = ph_tail_of_attempt(
        courier->node->tail,
        &(struct ph_tail_attempt){.tenant = outcome->tenant,
                                  .application = job->payload->application,
                                  .endpoint = outcome->endpoint,
                                  .message = outcome->message,
                                  .attempt = outcome->attempt,
                                  .event_type = job->payload->event_type,
                                  .status = ph_message_status_text(outcome->status),
                                  .status_code = outcome->status_code,
                                  .number = outcome->attempts_made,
                                  .duration_ms = outcome->duration_ms,
                                  .is_manual = outcome->is_manual,
                                  .next_ms = outcome->done ? 0 : outcome->next_ms});

    if (event) {
        event->next = report->events;
        report->events = event;
    }
}

/* A batch goes again until it is stored: its outcomes are true whatever the database says, and applying them twice
 * changes nothing. */
static void stored(enum ph_err err, void *ctx)
{
    struct ph_courier *courier = ctx;
    struct report *report = courier->flying;

    if (err != PH_OK) {
        ph_timer_set(courier->loop, &courier->store_again,
                     ph_loop_now_ms(courier->loop) + STORE_AGAIN_MS);
        return;
    }
    courier->flying = NULL;
    courier->n_stored += report->jobs.n;
    tell(report);
    ph_metric_add(outcome_batches, 1);
    drop_jobs(courier, report);
    if (report->next_ms != INT64_MAX)
        ph_dispatcher_nudge(courier->node->dispatcher, report->next_ms);
    ph_outcome_batch_clear(report->batch);
    report->next = courier->free_reports;
    courier->free_reports = report;
    send_releases(courier);
    flush_soon(courier);
    courier_serve_ready(courier);
    courier_check_stopped(courier);
}

/* Wall time when a claim finds something to do because of the outcome; INT64_MAX: not by itself. */
static int64_t due_again(const struct ph_outcome *outcome)
{
    if (outcome->release) /* the ones behind it are due */
        return outcome->hold_ms;
    if (outcome->done)
        return INT64_MAX;
    return outcome->next_ms > outcome->hold_ms ? outcome->next_ms : outcome->hold_ms;
}

void courier_record(struct ph_courier *courier, struct ph_job *job,
                    const struct ph_outcome *outcome)
{
    struct report *report = courier->filling;
    int64_t due_ms;

    if (ph_outcome_batch_count(report->batch) >= REPORT_ROWS ||
        !ph_outcome_batch_add(report->batch, outcome)) {
        if (courier->last_full)
            courier->last_full->next = report;
        else
            courier->first_full = report;
        courier->last_full = report;
        report = courier->filling = take_report(courier);
        (void)ph_outcome_batch_add(report->batch, outcome); /* an empty one takes any */
    }
    due_ms = due_again(outcome);
    if (due_ms < report->next_ms)
        report->next_ms = due_ms;
    if (outcome->has_attempt && ph_tail_wants(courier->node->tail, outcome->tenant))
        note_event(courier, report, job, outcome);
    ph_job_drop_payload(job);
    ph_job_list_add(&report->jobs, job);
    courier->n_unrecorded++;
    courier->n_taken++;
    flush_soon(courier);
}

void courier_outcomes_init(struct ph_courier *courier)
{
    courier->filling = take_report(courier);
    courier->flush.run = flush;
    courier->store_again.on_timer = store_again;
}

void courier_outcomes_free(struct ph_courier *courier)
{
    while (courier->releases) {
        struct release *release = courier->releases;
        courier->releases = release->next;
        ph_arena_free(release->arena);
    }

    struct report *lists[] = {courier->filling, courier->flying, courier->first_full,
                              courier->free_reports};

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct report *report = lists[i];
        while (report) {
            struct report *next = report->next;
            drop_jobs(courier, report);
            while (report->events) {
                struct ph_tail_event *event = report->events;
                report->events = event->next;
                free(event);
            }
            free_report(report);
            report = next;
        }
    }
}
