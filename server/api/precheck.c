/* POST /app/{app_id}/msg/precheck/active: whether it is worth while to make a message. */
#include "api/routes.h"
#include "posthorn/event_type.h"
#include "posthorn/ingest.h"
#include "posthorn/message.h"

#define CHANNELS_MAX 10

struct precheck {
    struct ph_ingest_question question;
    struct ph_call *call;
};

static void on_answer(struct ph_ingest_question *question, enum ph_err err, bool taken)
{
    struct ph_call *call = ph_container_of(question, struct precheck, question)->call;
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(call, err, NULL);
        return;
    }
    w = ph_answer_writer(call, 64);
    ph_jw_object_begin(w);
    ph_jw_key(w, "active");
    ph_jw_bool(w, taken);
    ph_jw_object_end(w);
    ph_answer_json(call, 200, w);
}

void ph_api_message_precheck(struct ph_call *call)
{
    struct precheck *check = ph_arena_new_of(call->req->arena, struct precheck);
    struct ph_ingest_question *question = &check->question;
    struct ph_faults faults = {0};
    json_t *body = ph_body_object(call);
    struct ph_str *channels;

    if (!body)
        return;
    question->event_type = ph_field_str(call, &faults, body, "eventType", true, 0, 0, NULL);
    if (question->event_type.ptr && !ph_name_ok(question->event_type, PH_EVENT_TYPE_CHARS_MAX))
        ph_fault(call, &faults, "body", "eventType", "has to be 1 to 256 of a-z A-Z 0-9 - _ .",
                 "value_error.str.regex");
    question->n_channels = ph_field_names(call, &faults, body, "channels", CHANNELS_MAX,
                                          PH_MESSAGE_NAME_CHARS_MAX, &channels, NULL);
    if (ph_faults_answer(call, &faults))
        return;
    check->call = call;
    question->tenant = call->tenant;
    question->application = call->params[0];
    question->channels = channels;
    question->on_answer = on_answer;
    ph_ingest_ask(call->api->ingest, question);
}
