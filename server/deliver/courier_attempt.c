#include "courier_internal.h"

#include "posthorn/clock.h"
#include "posthorn/counts.h"
#include "posthorn/request_head.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES_MAX      (512 * 1024)
#define SIGNATURE_BYTES_MAX 4096
/* Of the answer's headers, what is kept of a success and of a failure. */
#define HEADERS_BYTES_SUCCESS 256
#define HEADERS_BYTES_FAILURE 4096
/* Hold of an endpoint that is being disabled: should that fail, its next answer disables it again. */
#define DISABLE_HOLD_MS 60000

static void done(struct ph_http_call *call);

static struct attempt *take_attempt(struct ph_courier *courier)
{
    struct attempt *attempt = courier->free_attempts;

    if (attempt) {
        courier->free_attempts = attempt->next;
        ph_buf_clear(&attempt->head);
        ph_buf_clear(&attempt->signature);
    } else {
        attempt = ph_calloc(1, sizeof *attempt);
        attempt->courier = courier;
        ph_buf_init(&attempt->head, HEAD_BYTES_MAX);
        ph_buf_init(&attempt->signature, SIGNATURE_BYTES_MAX);
    }
    attempt->prev = NULL;
    attempt->next = courier->active_attempts;
    if (attempt->next)
        attempt->next->prev = attempt;
    courier->active_attempts = attempt;
    return attempt;
}

static void give_attempt(struct attempt *attempt)
{
    struct ph_courier *courier = attempt->courier;

    if (attempt->prev)
        attempt->prev->next = attempt->next;
    else
        courier->active_attempts = attempt->next;
    if (attempt->next)
        attempt->next->prev = attempt->prev;
    attempt->next = courier->free_attempts;
    courier->free_attempts = attempt;
}

void courier_attempts_cancel(struct ph_courier *courier)
{
    for (struct attempt *a = courier->active_attempts; a; a = a->next) {
        ph_http_call_cancel(&a->call);
        courier_token_cancel(a);
    }
}

void courier_attempts_free(struct ph_courier *courier)
{
    while (courier->free_attempts) {
        struct attempt *attempt = courier->free_attempts;
        courier->free_attempts = attempt->next;
        ph_buf_free(&attempt->head);
        ph_buf_free(&attempt->signature);
        free(attempt);
    }
}

/* The lines that are this attempt's own: what the body is, and the signatures by the secrets that are valid now. */
static bool write_signature(struct attempt *attempt, int64_t now_ms)
{
    struct target *target = attempt->target;
    const struct ph_payload *payload = attempt->job->payload;
    struct ph_buf *head = &attempt->head, *signature = &attempt->signature;
    struct ph_sign_message message = {
        .id = {payload->wire_id, payload->wire_id_len},
        .event_type = payload->event_type,
        .body = {payload->bytes, payload->len},
        .now_ms = now_ms,
    };

    courier_token_write(attempt);
    ph_request_head_body(head, payload->content_type, payload->len);
    ph_buf_clear(signature);
    if (!ph_sign_write_value(&attempt->config->style, target->signers, target->signer_expires_ms,
                             target->n_signers, &message, signature)) {
        ph_buf_clear(signature);
        return false;
    }
    ph_sign_write_headers(&attempt->config->style, &message, ph_buf_str(signature), head);
    ph_buf_add_c(head, "\r\n");
    ph_sign_record_end(signature, &attempt->config->style, now_ms, ph_id_time_ms(attempt->id));
    return !head->overflow;
}

/* What an answer, or its lack, means for the delivery and for the endpoint. */
struct verdict {
    bool success;
    int status; /* 0: no answer */
    struct ph_str response;
    struct ph_str headers; /* of the answer; absent without */
    int64_t duration_us;
    int64_t retry_after_s; /* -1: the endpoint did not ask to wait */
    bool give_up;          /* the endpoint does not want this message */
    bool disable;          /* the endpoint does not want any */
};

static const struct ph_retry_schedule *schedule_of(const struct attempt *attempt)
{
    if (attempt->config->retry)
        return attempt->config->retry;
    return attempt->job->payload->retry ? attempt->job->payload->retry
                                        : &attempt->courier->node->retry;
}

/* A failure: when the delivery is due again, and what has to wait until when. */
static void fail(struct attempt *attempt, const struct verdict *v, struct ph_outcome *outcome)
{
    struct ph_courier *courier = attempt->courier;
    struct target *target = attempt->target;
    struct ph_retry_schedule schedule = *schedule_of(attempt);
    int64_t now_ms = ph_clock_wall_ms(), hold_ms = 0;

    schedule.jitter_percent = courier->node->retry.jitter_percent;
    ph_metric_add(attempts_failure, 1);
    outcome->next_ms = v->give_up ? -1
                                  : ph_retry_next_ms(&schedule, outcome->attempts_made, now_ms,
                                                     v->retry_after_s, randombytes_random());
    outcome->done = outcome->exhausted = outcome->next_ms < 0;
    ph_metric_add(deliveries_exhausted, outcome->exhausted);

    if (ph_breaker_failure(&target->breaker, (int)courier->node->config->breaker_failures, now_ms,
                           randombytes_random()))
        hold_ms = target->breaker.open_until_ms;
    if (v->retry_after_s >= 0 && hold_ms < now_ms + v->retry_after_s * 1000)
        hold_ms = now_ms + (v->retry_after_s < PH_RETRY_AFTER_MAX_S ? v->retry_after_s
                                                                    : PH_RETRY_AFTER_MAX_S) *
                               1000;
    if (attempt->job->is_ordered && !outcome->done && hold_ms < outcome->next_ms)
        hold_ms = outcome->next_ms; /* the ones behind it wait for it */
    if (v->disable && hold_ms < now_ms + DISABLE_HOLD_MS)
        hold_ms = now_ms + DISABLE_HOLD_MS;
    if (hold_ms)
        courier_hold(target, hold_ms);
    outcome->hold_ms = hold_ms;
}

static void end_trial(struct attempt *attempt, const struct verdict *v)
{
    ph_trial_end(attempt->job->trial, PH_OK,
                 &(struct ph_trial_outcome){
                     .attempt = attempt->id,
                     .success = v->success,
                     .status_code = v->status,
                     .duration_ms = (v->duration_us + 500) / 1000,
                     .url = attempt->config->url_text,
                     .response = v->response,
                 });
    ph_job_free(attempt->job);
}

/* As many whole lines as so many bytes hold. */
static struct ph_str first_lines(struct ph_str lines, size_t bytes)
{
    if (lines.len > bytes) {
        lines.len = bytes;
        while (lines.len && lines.ptr[lines.len - 1] != '\n')
            lines.len--;
    }
    return lines;
}

static void record(struct attempt *attempt, const struct verdict *v)
{
    struct ph_courier *courier = attempt->courier;
    struct target *target = attempt->target;
    struct ph_job *job = attempt->job;
    const struct ph_payload *payload = job->payload;

    if (attempt->is_trial) {
        end_trial(attempt, v);
        return;
    }
    struct ph_outcome outcome = {
        .endpoint = job->endpoint,
        .message = payload->message,
        .tenant = payload->tenant,
        .node_id = job->node_id,
        .attempts_made = job->attempts_made + 1,
        .has_attempt = true,
        .done = v->success,
        .attempt = attempt->id,
        .is_manual = job->is_manual,
        .status = v->success ? PH_STATUS_SUCCESS : PH_STATUS_FAIL,
        .status_code = v->status,
        .duration_ms = (v->duration_us + 500) / 1000,
        .url = attempt->config->url_text,
        .response = v->response,
        .signature = ph_buf_str(&attempt->signature),
        .headers =
            first_lines(v->headers, v->success ? HEADERS_BYTES_SUCCESS : HEADERS_BYTES_FAILURE),
    };

    if (v->success) {
        ph_metric_add(attempts_success, 1);
        ph_breaker_success(&target->breaker, (int)courier->node->config->endpoint_concurrency);
    } else {
        fail(attempt, v, &outcome);
    }
    ph_counts_attempt(courier->node->counts,
                      &(struct ph_counted){
                          .tenant = payload->tenant,
                          .application = payload->application,
                          .event_type = payload->event_type,
                          .wall_ms = ph_id_time_ms(attempt->id),
                      },
                      v->success, outcome.exhausted, outcome.duration_ms);
    outcome.release = courier_releases(target, 1);
    if (v->disable)
        courier_disable(target, v->status == 410
                                    ? "the endpoint answered 410 Gone"
                                    : "the endpoint asked for it with webhook-delivery: disable");
    courier_record(courier, job, &outcome);
}

/* Everything of the attempt but its outcome: what it held is free for the next one. */
static void close_attempt(struct attempt *attempt)
{
    ph_endpoint_config_unref(attempt->config);
    courier_token_unref(attempt->token);
    attempt->token = NULL;
    if (attempt->is_trial)
        attempt->target->trials_in_flight--;
    else
        attempt->target->in_flight--;
    attempt->target->tenant->in_flight--;
    attempt->courier->in_flight--;
    give_attempt(attempt);
}

static bool asks_to_wait(int status)
{
    return status == 429 || status == 502 || status == 503 || status == 504;
}

static struct verdict judge(const struct ph_http_call *call)
{
    bool answered = call->err == PH_OK;
    struct verdict v = {
        .success = answered && call->status >= 200 && call->status < 300,
        .status = answered ? call->status : 0,
        .response = answered ? call->response : ph_str_of(call->error_text),
        .headers = answered ? call->headers : PH_STR_NONE,
        .duration_us = call->duration_us,
        .retry_after_s = answered && asks_to_wait(call->status) ? call->retry_after_s : -1,
    };

    if (answered && !v.success) {
        v.give_up = ph_str_ieq(call->header, PH_STR("abort-message"));
        v.disable = call->status == 410 || ph_str_ieq(call->header, PH_STR("disable"));
    }
    return v;
}

/* What to do when an attempt is over. */
static void go_on(struct target *target)
{
    struct ph_courier *courier = target->courier;

    courier_serve(target);
    courier_serve_ready(courier);
    courier_check_stopped(courier);
}

static void drop(struct attempt *attempt)
{
    if (attempt->is_trial)
        courier_end_trial(attempt->job, PH_ERR_UNAVAILABLE);
    else
        courier_drop(attempt->courier, attempt->job);
}

static void done(struct ph_http_call *call)
{
    struct attempt *attempt = ph_container_of(call, struct attempt, call);
    struct target *target = attempt->target;

    if (call->err == PH_OK && call->status == 401 && attempt->token && !attempt->token_refused) {
        attempt->token_refused = true;
        courier_token_refuse(attempt);
        courier_token_want(attempt);
        go_on(target);
        return;
    }
    if (call->err == PH_ERR_OUT_CANCELLED) {
        drop(attempt);
    } else {
        size_t kept = (size_t)attempt->courier->node->config->response_bytes;
        struct verdict v = judge(call);
        if (call->err == PH_OK && v.response.len > kept)
            v.response.len = kept;
        record(attempt, &v);
    }
    close_attempt(attempt);
    go_on(target);
}

static void refuse(struct attempt *attempt, struct ph_str reason, int64_t duration_us)
{
    record(attempt, &(struct verdict){
                        .response = reason,
                        .duration_us = duration_us,
                        .retry_after_s = -1,
                    });
    close_attempt(attempt);
}

void courier_attempt_without_token(struct attempt *attempt, const char *reason, int64_t duration_us)
{
    struct target *target = attempt->target;

    if (reason) {
        refuse(attempt, ph_str_of(reason), duration_us);
    } else {
        drop(attempt);
        close_attempt(attempt);
    }
    go_on(target);
}

/* The endpoint has changed while the attempt waited for its token: it begins anew. */
static void begin_anew(struct attempt *attempt)
{
    struct target *target = attempt->target;

    ph_job_list_add_front(attempt->is_trial ? &target->trials : &target->queue, attempt->job);
    close_attempt(attempt);
    go_on(target);
}

void courier_attempt_send(struct attempt *attempt)
{
    struct target *target = attempt->target;
    const struct ph_payload *payload = attempt->job->payload;

    if (target->config != attempt->config) {
        begin_anew(attempt);
        return;
    }
    ph_buf_clear(&attempt->head);
    ph_buf_add_str(&attempt->head, ph_buf_str(&target->head));
    if (!write_signature(attempt, ph_clock_wall_ms())) {
        refuse(attempt, PH_STR("the endpoint has no valid signing secret"), 0);
        return;
    }
    attempt->call = (struct ph_http_call){
        .origin = target->origin,
        .head = ph_buf_str(&attempt->head),
        .body = {payload->bytes, payload->len},
        .want_header = "webhook-delivery",
        .on_done = done,
    };
    ph_http_call_start(attempt->courier->http, &attempt->call);
}

void courier_attempt_start(struct target *target, struct ph_job *job)
{
    struct ph_courier *courier = target->courier;
    struct attempt *attempt = take_attempt(courier);

    attempt->is_trial = job->trial != NULL;
    if (attempt->is_trial)
        target->trials_in_flight++;
    else
        target->in_flight++;
    target->tenant->in_flight++;
    courier->in_flight++;
    attempt->target = target;
    attempt->job = job;
    attempt->id = ph_id_new(ph_clock_wall_ms());
    attempt->config = ph_endpoint_config_ref(target->config);
    attempt->token_refused = false;
    if (attempt->config->fault)
        refuse(attempt, ph_str_of(attempt->config->fault), 0);
    else if (attempt->config->oauth)
        courier_token_want(attempt);
    else
        courier_attempt_send(attempt);
}
