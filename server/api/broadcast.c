/* POST /msg/broadcast: one message to every application of the tenant, by a background task. */
#include "api/message_in.h"
#include "api/routes.h"
#include "api/task_answer.h"

#define PARAMS_BYTES 16384

static void write_names(struct ph_json_writer *w, const char *key, const struct ph_str *v, size_t n)
{
    if (n == 0)
        return;
    ph_jw_key(w, key);
    ph_jw_array_begin(w);
    for (size_t i = 0; i < n; i++)
        ph_jw_str(w, v[i]);
    ph_jw_array_end(w);
}

/* What the task shows of it: all but the payload. */
static struct ph_str params_of(struct ph_call *call, const struct ph_message_view *view)
{
    struct ph_json_writer *w = ph_answer_writer(call, PARAMS_BYTES);

    ph_jw_object_begin(w);
    ph_jw_key(w, "eventType");
    ph_jw_str(w, view->event_type);
    if (view->event_id.ptr) {
        ph_jw_key(w, "eventId");
        ph_jw_str(w, view->event_id);
    }
    if (view->deliver_ms) {
        ph_jw_key(w, "deliverAt");
        ph_jw_time(w, view->deliver_ms);
    }
    write_names(w, "channels", view->channels, view->n_channels);
    write_names(w, "tags", view->tags, view->n_tags);
    ph_jw_object_end(w);
    return ph_buf_str(w->buf);
}

void ph_api_message_broadcast(struct ph_call *call)
{
    struct ph_message_in *in = ph_arena_new_of(call->req->arena, struct ph_message_in);
    const struct ph_new_message *message = &in->item.message;
    struct ph_faults faults = {0};
    struct ph_broadcast_order order;
    bool is_raw;

    in->is_broadcast = true;
    ph_request_keep(call->req);
    ph_api_read_message(call, &faults, call->req->body, in);
    if (ph_faults_answer(call, &faults))
        return;
    is_raw = message->json.ptr != NULL;
    order = (struct ph_broadcast_order){
        .event_type = message->event_type,
        .event_id = message->event_id,
        .channels = in->view.channels,
        .n_channels = in->view.n_channels,
        .tags = in->view.tags,
        .n_tags = in->view.n_tags,
        .expires_ms = message->expires_ms,
        .deliver_ms = message->deliver_ms,
        .payload = is_raw ? message->json : in->item.body,
        .raw_body = is_raw ? in->item.body : PH_STR_NONE,
        .content_type = is_raw ? message->content_type : PH_STR_NONE,
        .params = params_of(call, &in->view),
    };
    ph_broadcast_create(call->api->db, call->req->arena, call->tenant, &order, ph_api_answer_task,
                        call);
}
