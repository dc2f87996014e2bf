/* POST /stats/usage/app: counts what applications have used, by a background task. */
#include "posthorn/task.h"

#include "api/body_time.h"
#include "api/routes.h"
#include "api/task_answer.h"
#include "posthorn/clock.h"

#define HOUR_MS      (60 * 60 * INT64_C(1000))
#define ID_CHARS_MAX 256
/* Of an id in JSON. */
#define ID_BYTES     (ID_CHARS_MAX + 8)
#define PARAMS_BYTES 256

struct usage {
    struct ph_call *call;
    struct ph_usage_order order;
    struct ph_buf params;
};

static void free_params(void *usage)
{
    ph_buf_free(&((struct usage *)usage)->params);
}

static void on_created(void *ctx, enum ph_err err, const struct ph_background_task *task,
                       const int32_t *missing, size_t n_missing)
{
    struct usage *usage = ctx;
    struct ph_faults faults = {0};
    struct ph_json_writer *w;

    if (err == PH_ERR_NOT_FOUND) {
        ph_fault(usage->call, &faults, "body", "appIds", "there is none of these applications",
                 "value_error");
        (void)ph_faults_answer(usage->call, &faults);
        return;
    }
    if (err != PH_OK) {
        ph_answer_error(usage->call, err, NULL);
        return;
    }
    w = ph_answer_writer(usage->call, 1024 + n_missing * ID_BYTES);
    ph_jw_object_begin(w);
    ph_api_write_started(w, task);
    ph_jw_key(w, "unresolvedAppIds");
    ph_jw_array_begin(w);
    for (size_t i = 0; i < n_missing; i++)
        ph_jw_str(w, usage->order.applications[missing[i]]);
    ph_jw_array_end(w);
    ph_jw_object_end(w);
    ph_answer_json(usage->call, 202, w);
}

/* since and until, widened to full hours. */
static void read_range(struct ph_call *call, struct ph_faults *faults, json_t *body,
                       struct ph_usage_order *order)
{
    int64_t since_ms = ph_field_time(call, faults, body, "since", true, 0);
    int64_t until_ms = ph_field_time(call, faults, body, "until", true, 0);
    int64_t now_ms = ph_clock_wall_ms();

    if (faults->list)
        return;
    if (until_ms > now_ms)
        until_ms = now_ms;
    if (since_ms < 0)
        since_ms = 0;
    if (since_ms >= until_ms) {
        ph_fault(call, faults, "body", "since", "has to be before until, and in the past",
                 "value_error");
        return;
    }
    order->since_ms = since_ms - since_ms % HOUR_MS;
    until_ms += HOUR_MS - 1;
    order->until_ms = until_ms - until_ms % HOUR_MS;
}

static void write_params(struct usage *usage)
{
    struct ph_usage_order *order = &usage->order;
    struct ph_json_writer w;

    ph_buf_init(&usage->params, PARAMS_BYTES + order->n_applications * ID_BYTES);
    ph_arena_defer(usage->call->req->arena, free_params, usage);
    ph_jw_init(&w, &usage->params);
    ph_jw_object_begin(&w);
    ph_jw_key(&w, "since");
    ph_jw_time(&w, order->since_ms);
    ph_jw_key(&w, "until");
    ph_jw_time(&w, order->until_ms);
    if (order->applications) {
        ph_jw_key(&w, "appIds");
        ph_jw_array_begin(&w);
        for (size_t i = 0; i < order->n_applications; i++)
            ph_jw_str(&w, order->applications[i]);
        ph_jw_array_end(&w);
    }
    ph_jw_object_end(&w);
    order->params = ph_buf_str(&usage->params);
}

void ph_api_stats_usage(struct ph_call *call)
{
    struct usage *usage = ph_arena_new_of(call->req->arena, struct usage);
    struct ph_faults faults = {0};
    json_t *body = ph_body_object(call);
    struct ph_str *names;

    if (!body)
        return;
    *usage = (struct usage){.call = call};
    read_range(call, &faults, body, &usage->order);
    usage->order.n_applications = ph_field_names(
        call, &faults, body, "appIds", PH_USAGE_APPLICATIONS_MAX, ID_CHARS_MAX, &names, NULL);
    usage->order.applications = names;
    if (ph_faults_answer(call, &faults))
        return;
    write_params(usage);
    ph_usage_create(call->api->db, call->req->arena, call->tenant, &usage->order, on_created,
                    usage);
}
