/* Background tasks: recover, bulk-replay and replay-missing of an endpoint, and how far they are. */
#include "posthorn/task.h"

#include "api/body_time.h"
#include "api/routes.h"
#include "api/task_answer.h"
#include "posthorn/clock.h"
#include "posthorn/message.h"

#include <stdlib.h>

#define TASK_BYTES (64 * 1024)
/* A task of 1,000 event types of 256 characters. */
#define PARAMS_BYTES    (512 * 1024)
#define PAGE_BYTES      (256 * 1024 * 1024)
#define EVENT_TYPES_MAX 1000

static void write_id(struct ph_json_writer *w, const char *key, enum ph_id_kind kind,
                     struct ph_id id)
{
    ph_jw_key(w, key);
    if (ph_id_is_zero(id))
        ph_jw_null(w);
    else
        ph_jw_id(w, kind, id);
}

/* What the client libraries look for under names of its own. */
static void write_result(struct ph_json_writer *w, const struct ph_background_task *task)
{
    if (ph_str_eq_c(task->type, ph_background_task_type_text(PH_TASK_PURGE))) {
        ph_jw_key(w, "messagesPurged");
        ph_jw_i64(w, task->queued);
    }
    if (task->result.ptr) {
        ph_jw_key(w, "appStats");
        ph_jw_raw(w, task->result);
    }
}

static void write_task(struct ph_json_writer *w, const struct ph_background_task *task)
{
    ph_jw_object_begin(w);
    ph_jw_key(w, "data");
    ph_jw_object_begin(w);
    write_id(w, "appId", PH_ID_APPLICATION, task->application);
    ph_jw_key(w, "createdAt");
    ph_jw_time(w, task->created_ms);
    ph_jw_key(w, "done");
    ph_jw_i64(w, task->done);
    write_id(w, "endpointId", PH_ID_ENDPOINT, task->endpoint);
    ph_jw_key(w, "error");
    ph_jw_str(w, task->error);
    ph_jw_key(w, "params");
    ph_jw_raw(w, task->params);
    ph_jw_key(w, "queued");
    ph_jw_i64(w, task->queued);
    ph_jw_key(w, "total");
    if (task->total < 0)
        ph_jw_null(w);
    else
        ph_jw_i64(w, task->total);
    write_result(w, task);
    ph_jw_object_end(w);
    ph_jw_key(w, "id");
    ph_jw_id(w, PH_ID_TASK, task->id);
    ph_jw_key(w, "status");
    ph_jw_str(w, task->status);
    ph_jw_key(w, "task");
    ph_jw_str(w, task->type);
    ph_jw_key(w, "updatedAt");
    ph_jw_time(w, task->updated_ms);
    ph_jw_object_end(w);
}

static void on_task(void *ctx, enum ph_err err, const struct ph_background_task *task)
{
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(ctx, err, NULL);
        return;
    }
    w = ph_answer_writer(ctx, TASK_BYTES + PARAMS_BYTES + task->result.len);
    write_task(w, task);
    ph_answer_json(ctx, 200, w);
}

static bool read_task_id(struct ph_call *call, struct ph_id *id)
{
    if (ph_id_parse(PH_ID_TASK, call->params[0], id) == PH_OK)
        return true;
    ph_answer_error(call, PH_ERR_NOT_FOUND, NULL);
    return false;
}

void ph_api_task_get(struct ph_call *call)
{
    struct ph_id id;

    if (read_task_id(call, &id))
        ph_background_task_get(call->api->db, call->req->arena, call->tenant, id, on_task, call);
}

void ph_api_task_cancel(struct ph_call *call)
{
    struct ph_id id;

    if (read_task_id(call, &id))
        ph_background_task_cancel(call->api->db, call->req->arena, call->tenant, id, on_task, call);
}

static void on_page(void *ctx, enum ph_err err, const struct ph_background_task *tasks, size_t n,
                    bool done)
{
    struct ph_call *call = ctx;
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(call, err, NULL);
        return;
    }
    w = ph_answer_writer(call, PAGE_BYTES);
    ph_answer_page_begin(w);
    for (size_t i = 0; i < n; i++)
        write_task(w, &tasks[i]);
    ph_answer_page_ids(call, w, PH_ID_TASK, n ? &tasks[0].id : NULL, n ? &tasks[n - 1].id : NULL,
                       done);
}

void ph_api_task_list(struct ph_call *call)
{
    struct ph_faults faults = {0};
    struct ph_list list;
    struct ph_str status, type;

    if (!ph_page_read_ids(call, true, PH_ID_TASK, &list))
        return;
    status = ph_query(call, "status");
    type = ph_query(call, "task");
    if (status.ptr && !ph_background_task_status_known(status))
        ph_fault(call, &faults, "query", "status", "has to be running, finished or failed",
                 "type_error.enum");
    if (type.ptr && !ph_background_task_type_known(type))
        ph_fault(call, &faults, "query", "task",
                 "has to be endpoint.recover, endpoint.bulk-replay, endpoint.replay, "
                 "message.broadcast, application.purge_content or application.stats",
                 "type_error.enum");
    if (!ph_faults_answer(call, &faults))
        ph_background_task_list(call->api->db, call->req->arena, call->tenant, &list, status, type,
                                on_page, call);
}

void ph_api_write_started(struct ph_json_writer *w, const struct ph_background_task *task)
{
    ph_jw_key(w, "id");
    ph_jw_id(w, PH_ID_TASK, task->id);
    ph_jw_key(w, "status");
    ph_jw_str(w, task->status);
    ph_jw_key(w, "task");
    ph_jw_str(w, task->type);
    ph_jw_key(w, "updatedAt");
    ph_jw_time(w, task->updated_ms);
}

void ph_api_answer_task(void *ctx, enum ph_err err, const struct ph_background_task *task)
{
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(
            ctx, err, err == PH_ERR_CONFLICT ? "The endpoint is disabled: enable it first." : NULL);
        return;
    }
    w = ph_answer_writer(ctx, 1024);
    ph_jw_object_begin(w);
    ph_api_write_started(w, task);
    ph_jw_object_end(w);
    ph_answer_json(ctx, 202, w);
}

static void write_time(struct ph_json_writer *w, const char *key, int64_t wall_ms)
{
    ph_jw_key(w, key);
    ph_jw_time(w, wall_ms);
}

/* since and until; writes them to the parameters. */
static void read_range(struct ph_call *call, struct ph_faults *faults, json_t *body,
                       struct ph_background_task_order *order, struct ph_json_writer *w)
{
    int64_t now_ms = ph_clock_wall_ms();

    order->since_ms = ph_field_time(call, faults, body, "since", true, now_ms);
    order->until_ms = ph_field_time(call, faults, body, "until", false, now_ms);
    if (order->until_ms > now_ms)
        order->until_ms = now_ms;
    if (!faults->list && order->since_ms >= order->until_ms)
        ph_fault(call, faults, "body", "since", "has to be before until, and in the past",
                 "value_error");
    write_time(w, "since", order->since_ms);
    write_time(w, "until", order->until_ms);
}

static void read_name(struct ph_call *call, struct ph_faults *faults, json_t *body,
                      const char *name, struct ph_json_writer *w)
{
    struct ph_str value =
        ph_field_str(call, faults, body, name, false, 1, PH_MESSAGE_NAME_CHARS_MAX, NULL);

    if (!value.ptr)
        return;
    if (!ph_name_ok(value, PH_MESSAGE_NAME_CHARS_MAX))
        ph_fault(call, faults, "body", name, "has to be 1 to 128 of a-z A-Z 0-9 - _ .",
                 "value_error.str.regex");
    ph_jw_key(w, name);
    ph_jw_str(w, value);
}

static void read_number(struct ph_call *call, struct ph_faults *faults, json_t *body,
                        const char *name, const int64_t *allowed, size_t n, const char *msg,
                        struct ph_json_writer *w)
{
    json_t *value = json_object_get(body, name);

    if (!value || json_is_null(value))
        return;
    for (size_t i = 0; i < n; i++)
        if (json_is_integer(value) && json_integer_value(value) == allowed[i]) {
            ph_jw_key(w, name);
            ph_jw_i64(w, allowed[i]);
            return;
        }
    ph_fault(call, faults, "body", name, msg, "type_error.enum");
}

static void read_filters(struct ph_call *call, struct ph_faults *faults, json_t *body,
                         struct ph_json_writer *w)
{
    static const int64_t statuses[] = {PH_STATUS_SUCCESS, PH_STATUS_FAIL};
    static const int64_t classes[] = {0, 100, 200, 300, 400, 500};
    struct ph_str *names;
    size_t n = ph_field_names(call, faults, body, "eventTypes", EVENT_TYPES_MAX, 256, &names, NULL);

    if (n) {
        ph_jw_key(w, "eventTypes");
        ph_jw_array_begin(w);
        for (size_t i = 0; i < n; i++)
            ph_jw_str(w, names[i]);
        ph_jw_array_end(w);
    }
    read_name(call, faults, body, "channel", w);
    read_name(call, faults, body, "tag", w);
    read_number(call, faults, body, "status", statuses, sizeof statuses / sizeof *statuses,
                "has to be 0 (success) or 2 (fail): what is still owed is not sent again", w);
    read_number(call, faults, body, "statusCodeClass", classes, sizeof classes / sizeof *classes,
                "has to be 0 (no answer), 100, 200, 300, 400 or 500", w);
}

static void free_buf(void *buf)
{
    ph_buf_free(buf);
}

static void start(struct ph_call *call, enum ph_background_task_type type)
{
    struct ph_endpoint_path path = {call->tenant, call->params[0], call->params[1]};
    struct ph_background_task_order order = {.type = type};
    struct ph_buf *params = ph_arena_new_of(call->req->arena, struct ph_buf);
    struct ph_faults faults = {0};
    json_t *body = ph_body_object(call);
    struct ph_json_writer w;

    if (!body)
        return;
    ph_buf_init(params, PARAMS_BYTES);
    ph_arena_defer(call->req->arena, free_buf, params);
    ph_jw_init(&w, params);
    ph_jw_object_begin(&w);
    read_range(call, &faults, body, &order, &w);
    if (type == PH_TASK_REPLAY)
        read_filters(call, &faults, body, &w);
    if (type == PH_TASK_RECOVER) {
        ph_jw_key(&w, "status");
        ph_jw_i64(&w, PH_STATUS_FAIL);
    }
    ph_jw_object_end(&w);
    order.params = ph_buf_str(params);
    if (!ph_faults_answer(call, &faults))
        ph_background_task_create(call->api->db, call->req->arena, &path, &order,
                                  ph_api_answer_task, call);
}

void ph_api_endpoint_recover(struct ph_call *call)
{
    start(call, PH_TASK_RECOVER);
}

void ph_api_endpoint_replay(struct ph_call *call)
{
    start(call, PH_TASK_REPLAY);
}

void ph_api_endpoint_replay_missing(struct ph_call *call)
{
    start(call, PH_TASK_REPLAY_MISSING);
}
