/* By hand: resend, cancel, an example, and a test attempt. */
#include "posthorn/manual.h"

#include "api/attempt_json.h"
#include "api/body_time.h"
#include "api/example.h"
#include "api/message_json.h"
#include "api/routes.h"
#include "posthorn/clock.h"
#include "posthorn/event_type.h"
#include "posthorn/node.h"
#include "posthorn/outcome_batch.h"
#include "posthorn/trial.h"
#include "posthorn/unmatched.h"

#define DISABLED "The endpoint is disabled: enable it first."

static struct ph_endpoint_path path_of(struct ph_call *call, int application, int endpoint)
{
    return (struct ph_endpoint_path){call->tenant, call->params[application],
                                     call->params[endpoint]};
}

/* ---- resend and cancel ---- */

static void on_resent(void *ctx, enum ph_err err)
{
    struct ph_call *call = ctx;
    struct ph_json_writer *w;

    if (err == PH_ERR_CONFLICT) {
        ph_answer_error(call, err, "The endpoint is disabled, or the message is not due yet.");
    } else if (err == PH_ERR_VALIDATION) {
        ph_answer_error(call, err, "The payload of the message has expired.");
    } else if (err != PH_OK) {
        ph_answer_error(call, err, NULL);
    } else {
        call->wakes_dispatcher = true;
        w = ph_answer_writer(call, 16);
        ph_jw_object_begin(w);
        ph_jw_object_end(w);
        ph_answer_json(call, 202, w);
    }
}

void ph_api_message_resend(struct ph_call *call)
{
    struct ph_endpoint_path path = path_of(call, 0, 2);

    ph_delivery_resend(call->api->engine_db, call->req->arena, &path, call->params[1], on_resent,
                       call);
}

static void on_cancelled(void *ctx, enum ph_err err)
{
    if (err != PH_OK)
        ph_answer_error(ctx, err, NULL);
    else
        ph_answer_empty(ctx, 204);
}

void ph_api_endpoint_cancel_messages(struct ph_call *call)
{
    struct ph_endpoint_path path = path_of(call, 0, 1);
    struct ph_faults faults = {0};
    json_t *body = ph_body_object(call);
    /* Up to the end of this millisecond: a message that was accepted a moment ago has the same. */
    int64_t now_ms = ph_clock_wall_ms() + 1, before_ms;

    if (!body)
        return;
    before_ms = ph_field_time(call, &faults, body, "createdBefore", true, now_ms);
    if (!ph_faults_answer(call, &faults))
        ph_deliveries_cancel(call->api->engine_db, call->req->arena, &path,
                             before_ms < now_ms ? before_ms : now_ms, on_cancelled, call);
}

static void on_unplanned(void *ctx, enum ph_err err)
{
    if (err == PH_ERR_CONFLICT)
        ph_answer_error(ctx, err, "The message is not planned, or its time has come.");
    else
        on_cancelled(ctx, err);
}

void ph_api_message_unplan(struct ph_call *call)
{
    struct ph_message_path path = {call->tenant, call->params[0], call->params[1]};

    ph_message_unplan(call->api->engine_db, call->req->arena, &path, on_unplanned, call);
}

/* ---- an example ---- */

struct sample {
    struct ph_call *call;
    struct ph_message_view view;
    int64_t index;
};

static void on_sample_sent(void *ctx, enum ph_err err)
{
    struct sample *sample = ctx;
    struct ph_call *call = sample->call;
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(call, err, err == PH_ERR_CONFLICT ? DISABLED : NULL);
        return;
    }
    call->wakes_dispatcher = true;
    w = ph_answer_writer(call, ph_api_message_bytes(&sample->view));
    ph_api_write_message(w, &sample->view);
    ph_answer_json(call, 200, w);
}

static void on_sample_type(void *ctx, enum ph_err err, const struct ph_event_type *type,
                           bool created)
{
    struct sample *sample = ctx;
    struct ph_call *call = sample->call;
    struct ph_endpoint_path path = path_of(call, 0, 1);

    (void)created;
    if (err != PH_OK && err != PH_ERR_NOT_FOUND) {
        ph_answer_error(call, err, NULL);
        return;
    }
    sample->view.payload =
        ph_api_example(call->req->arena, sample->view.event_type,
                       err == PH_OK ? type->schemas : PH_STR_NONE, sample->index);
    if ((int64_t)sample->view.payload.len > call->api->node->config->body_bytes) {
        ph_answer_error(call, PH_ERR_VALIDATION, "The example of this event type is too large.");
        return;
    }
    sample->view.id = ph_id_new(ph_clock_wall_ms());
    ph_message_send_to(call->api->engine_db, call->req->arena, &path, sample->view.id,
                       sample->view.event_type, sample->view.payload, on_sample_sent, sample);
}

void ph_api_endpoint_send_example(struct ph_call *call)
{
    struct sample *sample = ph_arena_new_of(call->req->arena, struct sample);
    struct ph_faults faults = {0};
    json_t *body = ph_body_object(call);
    struct ph_str name;

    if (!body)
        return;
    name = ph_field_str(call, &faults, body, "eventType", true, 0, 0, NULL);
    if (name.ptr && !ph_name_ok(name, PH_EVENT_TYPE_CHARS_MAX))
        ph_fault(call, &faults, "body", "eventType", "has to be 1 to 256 of a-z A-Z 0-9 - _ .",
                 "value_error.str.regex");
    sample->call = call;
    sample->view.event_type = name;
    sample->index = ph_field_int(call, &faults, body, "exampleIndex", 0, 1000000, NULL);
    if (!ph_faults_answer(call, &faults))
        ph_event_type_get(call->api->db, call->req->arena, call->tenant, ph_call_viewer(call), name,
                          on_sample_type, sample);
}

/* ---- a test attempt ---- */

struct test {
    struct ph_call *call;
    struct ph_str event_type, body; /* in the arena */
    struct ph_id message, endpoint;
};

static void on_tried(void *ctx, enum ph_err err, const struct ph_trial_outcome *outcome)
{
    struct test *test = ctx;
    struct ph_json_writer *w;
    struct ph_attempt_view view;

    if (err != PH_OK) {
        ph_answer_error(test->call, err, err == PH_ERR_CONFLICT ? DISABLED : NULL);
        return;
    }
    view = (struct ph_attempt_view){
        .id = outcome->attempt,
        .message = test->message,
        .endpoint = test->endpoint,
        .status = outcome->success ? PH_STATUS_SUCCESS : PH_STATUS_FAIL,
        .trigger_type = PH_TRIGGER_MANUAL,
        .status_code = outcome->status_code,
        .duration_ms = outcome->duration_ms,
        .url = outcome->url,
        .response = outcome->response,
    };
    w = ph_answer_writer(test->call, ph_api_attempt_bytes(&view));
    ph_api_write_attempt(w, &view);
    ph_answer_json(test->call, 201, w);
}

static void on_endpoint(void *ctx, enum ph_err err, const struct ph_endpoint *endpoint)
{
    struct test *test = ctx;
    struct ph_call *call = test->call;
    struct ph_payload *payload;

    if (err != PH_OK || endpoint->disabled) {
        ph_answer_error(call, err != PH_OK ? err : PH_ERR_CONFLICT, err != PH_OK ? NULL : DISABLED);
        return;
    }
    test->endpoint = endpoint->id;
    test->message = ph_id_new(ph_clock_wall_ms());
    payload = ph_payload_new(test->message, call->tenant, (struct ph_id){{0}}, test->event_type,
                             PH_STR_NONE, test->body);
    ph_trial_start(call->api->trials, call->api->node, test->endpoint, payload, on_tried, test);
    ph_payload_unref(payload);
}

static struct ph_str keep(struct ph_call *call, struct ph_str text)
{
    return (struct ph_str){ph_arena_copy(call->req->arena, text.ptr, text.len), text.len};
}

/* The payload goes out byte for byte as it came, so it is scanned and not parsed. */
void ph_api_endpoint_test_attempt(struct ph_call *call)
{
    struct ph_json_field fields[] = {{.name = "eventType"}, {.name = "payload"}};
    struct test *test = ph_arena_new_of(call->req->arena, struct test);
    struct ph_endpoint_path path = path_of(call, 0, 1);
    struct ph_faults faults = {0};
    struct ph_json_fault json_fault;
    struct ph_str name;

    if (ph_json_scan(call->req->body, fields, 2, &json_fault) != PH_OK) {
        ph_fault(call, &faults, "body", NULL, "has to be a JSON object", "value_error.jsondecode");
        ph_faults_answer(call, &faults);
        return;
    }
    if (fields[0].kind != PH_JSON_STRING ||
        ph_json_string(call->req->arena, fields[0].raw, &name) != PH_OK ||
        !ph_name_ok(name, PH_EVENT_TYPE_CHARS_MAX))
        ph_fault(call, &faults, "body", "eventType", "has to be 1 to 256 of a-z A-Z 0-9 - _ .",
                 "value_error.str.regex");
    if (fields[1].kind != PH_JSON_OBJECT)
        ph_fault(call, &faults, "body", "payload", "has to be an object", "type_error.dict");
    if (ph_faults_answer(call, &faults))
        return;
    test->call = call;
    test->event_type = keep(call, name);
    test->body = keep(call, fields[1].raw);
    ph_endpoint_get(call->api->db, call->req->arena, &path, on_endpoint, test);
}
