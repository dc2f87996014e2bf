/* Counts over time for charts and bills, and what waits. */
#include "posthorn/stats.h"

#include "api/filters.h"
#include "api/routes.h"
#include "posthorn/clock.h"

#include <stdio.h>

#define DAY_MS      (24 * 60 * 60 * INT64_C(1000))
#define BUCKETS_MAX 1000
/* JSON of a bucket. */
#define BUCKET_BYTES 320
#define ANSWER_BYTES (1024 + (BUCKETS_MAX + 1) * BUCKET_BYTES)

struct series {
    struct ph_call *call;
    struct ph_stats_range range;
    bool has_messages;
};

static const struct {
    const char *name;
    int32_t step_s;
} intervals[] = {
    {"5m", PH_STATS_ENDPOINT_S}, {"hour", PH_STATS_HOUR_S}, {"day", 24 * PH_STATS_HOUR_S}};

#define INTERVALS (sizeof intervals / sizeof *intervals)

static void write_percentile(struct ph_json_writer *w, const char *key,
                             const struct ph_stats_bucket *bucket, int percent)
{
    int64_t ms = ph_stats_percentile_ms(bucket, percent);

    ph_jw_key(w, key);
    if (ms < 0)
        ph_jw_null(w);
    else
        ph_jw_i64(w, ms);
}

static void write_counts(struct ph_json_writer *w, const struct ph_stats_bucket *bucket,
                         bool has_messages)
{
    if (has_messages) {
        ph_jw_key(w, "messages");
        ph_jw_i64(w, bucket->messages);
    }
    ph_jw_key(w, "success");
    ph_jw_i64(w, bucket->success);
    ph_jw_key(w, "failure");
    ph_jw_i64(w, bucket->failure);
    ph_jw_key(w, "exhausted");
    ph_jw_i64(w, bucket->exhausted);
    ph_jw_key(w, "durationMs");
    ph_jw_object_begin(w);
    write_percentile(w, "p50", bucket, 50);
    write_percentile(w, "p95", bucket, 95);
    write_percentile(w, "p99", bucket, 99);
    ph_jw_object_end(w);
}

static void add(struct ph_stats_bucket *total, const struct ph_stats_bucket *bucket)
{
    total->messages += bucket->messages;
    total->success += bucket->success;
    total->failure += bucket->failure;
    total->exhausted += bucket->exhausted;
    for (int i = 0; i < PH_DURATION_STEPS; i++)
        total->durations[i] += bucket->durations[i];
}

static void write_time(struct ph_json_writer *w, const char *key, int64_t wall_ms)
{
    ph_jw_key(w, key);
    ph_jw_time(w, wall_ms);
}

/* All buckets of the range, those with nothing in them too. */
static void write_buckets(struct ph_json_writer *w, const struct series *series,
                          const struct ph_stats_bucket *buckets, size_t n,
                          struct ph_stats_bucket *total)
{
    const struct ph_stats_range *range = &series->range;
    size_t next = 0;

    ph_jw_key(w, "data");
    ph_jw_array_begin(w);
    for (int64_t at_ms = range->since_ms; at_ms < range->until_ms; at_ms += range->step_s * 1000) {
        struct ph_stats_bucket bucket = {.at_ms = at_ms};
        if (next < n && buckets[next].at_ms == at_ms)
            bucket = buckets[next++];
        ph_jw_object_begin(w);
        write_time(w, "at", at_ms);
        write_counts(w, &bucket, series->has_messages);
        ph_jw_object_end(w);
        add(total, &bucket);
    }
    ph_jw_array_end(w);
}

static void on_series(void *ctx, enum ph_err err, const struct ph_stats_bucket *buckets, size_t n)
{
    struct series *series = ctx;
    struct ph_stats_bucket total = {0};
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(series->call, err, NULL);
        return;
    }
    w = ph_answer_writer(series->call, ANSWER_BYTES);
    ph_jw_object_begin(w);
    write_time(w, "since", series->range.since_ms);
    write_time(w, "until", series->range.until_ms);
    write_buckets(w, series, buckets, n, &total);
    ph_jw_key(w, "total");
    ph_jw_object_begin(w);
    write_counts(w, &total, series->has_messages);
    ph_jw_object_end(w);
    ph_jw_object_end(w);
    ph_answer_json(series->call, 200, w);
}

/* since and until, widened to full steps; without: the last day. */
static void read_range(struct ph_call *call, struct ph_faults *faults, bool required,
                       struct ph_stats_range *range)
{
    int64_t now_ms = ph_clock_wall_ms(), step_ms = range->step_s * INT64_C(1000);

    range->until_ms = ph_query_time(call, faults, "until", required ? INT64_MIN : now_ms);
    range->since_ms =
        ph_query_time(call, faults, "since", required ? INT64_MIN : range->until_ms - DAY_MS);
    if (range->since_ms == INT64_MIN)
        ph_fault(call, faults, "query", "since", "field required", "value_error.missing");
    if (range->until_ms == INT64_MIN)
        ph_fault(call, faults, "query", "until", "field required", "value_error.missing");
    if (faults->list)
        return;
    if (range->since_ms < 0)
        range->since_ms = 0;
    if (range->until_ms > now_ms + DAY_MS)
        range->until_ms = now_ms + DAY_MS;
    if (range->since_ms >= range->until_ms) {
        ph_fault(call, faults, "query", "since", "has to be before until", "value_error");
        return;
    }
    range->since_ms -= range->since_ms % step_ms;
    range->until_ms += step_ms - 1;
    range->until_ms -= range->until_ms % step_ms;
}

/* False: answered. */
static bool read_series(struct ph_call *call, bool of_endpoint, struct series *series)
{
    struct ph_str name = ph_query(call, "interval");
    struct ph_faults faults = {0};
    size_t i = 0;

    if (!name.ptr)
        name = PH_STR("hour");
    while (i < INTERVALS && !ph_str_eq_c(name, intervals[i].name))
        i++;
    if (i == INTERVALS || (i == 0 && !of_endpoint)) {
        ph_fault(call, &faults, "query", "interval",
                 of_endpoint ? "has to be 5m, hour or day" : "has to be hour or day",
                 "type_error.enum");
        return !ph_faults_answer(call, &faults);
    }
    *series = (struct series){.call = call, .has_messages = !of_endpoint};
    series->range.step_s = intervals[i].step_s;
    read_range(call, &faults, false, &series->range);
    if (!faults.list && (series->range.until_ms - series->range.since_ms) / 1000 >
                            series->range.step_s * (int64_t)BUCKETS_MAX)
        ph_fault(call, &faults, "query", "since", "has to be at most 1000 intervals before until",
                 "value_error");
    return !ph_faults_answer(call, &faults);
}

static void series_of(struct ph_call *call, struct ph_str application)
{
    struct series *series = ph_arena_new_of(call->req->arena, struct series);

    if (read_series(call, false, series))
        ph_stats_series(call->api->db, call->req->arena, call->tenant, application, &series->range,
                        on_series, series);
}

void ph_api_stats_of_tenant(struct ph_call *call)
{
    series_of(call, PH_STR_NONE);
}

void ph_api_stats_of_application(struct ph_call *call)
{
    series_of(call, call->params[0]);
}

void ph_api_stats_of_endpoint(struct ph_call *call)
{
    struct ph_endpoint_path path = {call->tenant, call->params[0], call->params[1]};
    struct series *series = ph_arena_new_of(call->req->arena, struct series);

    if (read_series(call, true, series))
        ph_stats_endpoint_series(call->api->db, call->req->arena, &path, &series->range, on_series,
                                 series);
}

/* ---- by event type ---- */

static void write_outcomes(struct ph_json_writer *w, const char *prefix, int64_t success,
                           int64_t failure)
{
    const char *const names[] = {"success", "failure", "canceled"};
    const int64_t values[] = {success, failure, 0}; /* what is cancelled leaves no attempt */
    char key[32];

    for (int i = 0; i < 3; i++) {
        snprintf(key, sizeof key, "%s%s", prefix, names[i]);
        ph_jw_key(w, key);
        ph_jw_i64(w, values[i]);
    }
}

static void on_event_types(void *ctx, enum ph_err err, const struct ph_stats_event_type *types,
                           size_t n)
{
    struct series *series = ctx;
    int64_t success = 0, failure = 0;
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(series->call, err, NULL);
        return;
    }
    w = ph_answer_writer(series->call, 1024 + n * (PH_EVENT_TYPE_CHARS_MAX + 128));
    ph_jw_object_begin(w);
    ph_jw_key(w, "by_event_type");
    ph_jw_object_begin(w);
    for (size_t i = 0; i < n; i++) {
        ph_jw_key_str(w, types[i].event_type);
        ph_jw_object_begin(w);
        write_outcomes(w, "", types[i].success, types[i].failure);
        ph_jw_object_end(w);
        success += types[i].success;
        failure += types[i].failure;
    }
    ph_jw_object_end(w);
    write_time(w, "since", series->range.since_ms);
    write_outcomes(w, "total_", success, failure);
    write_time(w, "until", series->range.until_ms);
    ph_jw_object_end(w);
    ph_answer_json(series->call, 200, w);
}

static void attempts_of(struct ph_call *call, struct ph_str application)
{
    struct series *series = ph_arena_new_of(call->req->arena, struct series);
    const struct ph_str *names;
    struct ph_faults faults = {0};
    size_t n;

    *series = (struct series){.call = call, .range.step_s = PH_STATS_HOUR_S};
    read_range(call, &faults, true, &series->range);
    n = ph_query_event_types(call, &faults, &names);
    if (!ph_faults_answer(call, &faults))
        ph_stats_by_event_type(call->api->db, call->req->arena, call->tenant, application,
                               series->range.since_ms, series->range.until_ms, names, n,
                               on_event_types, series);
}

void ph_api_stats_attempts(struct ph_call *call)
{
    attempts_of(call, call->params[0]);
}

void ph_api_stats_attempts_of_tenant(struct ph_call *call)
{
    attempts_of(call, PH_STR_NONE);
}

/* ---- what waits ---- */

static void on_backlog(void *ctx, enum ph_err err, const struct ph_stats_backlog *backlog)
{
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(ctx, err, NULL);
        return;
    }
    w = ph_answer_writer(ctx, 256);
    ph_jw_object_begin(w);
    ph_jw_key(w, "waiting");
    ph_jw_i64(w, backlog->waiting);
    ph_jw_key(w, "due");
    ph_jw_i64(w, backlog->due);
    ph_jw_key(w, "capped");
    ph_jw_bool(w, backlog->is_capped);
    ph_jw_key(w, "oldestDueAt");
    if (backlog->oldest_due_ms)
        ph_jw_time(w, backlog->oldest_due_ms);
    else
        ph_jw_null(w);
    ph_jw_object_end(w);
    ph_answer_json(ctx, 200, w);
}

void ph_api_backlog_of_tenant(struct ph_call *call)
{
    ph_stats_backlog(call->api->db, call->req->arena, call->tenant, PH_STR_NONE, on_backlog, call);
}

void ph_api_backlog_of_application(struct ph_call *call)
{
    ph_stats_backlog(call->api->db, call->req->arena, call->tenant, call->params[0], on_backlog,
                     call);
}

void ph_api_backlog_of_endpoint(struct ph_call *call)
{
    struct ph_endpoint_path path = {call->tenant, call->params[0], call->params[1]};

    ph_stats_endpoint_backlog(call->api->db, call->req->arena, &path, on_backlog, call);
}

static void on_throttled(void *ctx, enum ph_err err, int64_t since_ms)
{
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(ctx, err, NULL);
        return;
    }
    w = ph_answer_writer(ctx, 256);
    ph_jw_object_begin(w);
    ph_jw_key(w, "status");
    ph_jw_cstr(w, since_ms ? "RateLimited" : "Ok");
    ph_jw_key(w, "throttledSince");
    if (since_ms)
        ph_jw_time(w, since_ms);
    else
        ph_jw_null(w);
    ph_jw_object_end(w);
    ph_answer_json(ctx, 200, w);
}

void ph_api_endpoint_rate_limit(struct ph_call *call)
{
    struct ph_endpoint_path path = {call->tenant, call->params[0], call->params[1]};

    ph_endpoint_throttled_since(call->api->db, call->req->arena, &path, on_throttled, call);
}
