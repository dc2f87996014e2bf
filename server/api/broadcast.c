/* POST /msg/broadcast: one message to every application of the tenant, by a background task. */
#include "api/message_in.h"
#include "api/routes.h"
#include "api/task_answer.h"
#include "posthorn/event_type.h"

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

struct broadcast {
    struct ph_call *call;
    struct ph_message_in in;
    struct ph_broadcast_order order;
};

/* Whether the payload does not match a schema that is enforced: then that has been answered. */
static bool is_refused(struct broadcast *b, const struct ph_event_type *type)
{
    struct ph_arena *arena = b->call->req->arena;
    struct ph_schema_fault *fault = &b->in.item.check.fault;
    struct ph_faults faults = {0};
    struct ph_str version, newest;
    struct ph_schema *schema;

    if (type->archived || !ph_str_eq(type->schema_validation, PH_STR("enforce")))
        return false;
    ph_event_type_newest(type->schemas, &version, &newest);
    if (!newest.ptr || ph_schema_compile(arena, newest, &schema, fault) != PH_OK ||
        ph_schema_check(schema, arena, b->order.payload, fault) == PH_OK)
        return false;
    ph_api_schema_fault(b->call, &faults, &b->in.item);
    return ph_faults_answer(b->call, &faults);
}

static void on_event_type(void *ctx, enum ph_err err, const struct ph_event_type *type,
                          bool created)
{
    struct broadcast *b = ctx;
    struct ph_call *call = b->call;

    (void)created;
    if (err != PH_OK && err != PH_ERR_NOT_FOUND)
        ph_answer_error(call, err, NULL);
    else if (err == PH_ERR_NOT_FOUND || !is_refused(b, type))
        ph_broadcast_create(call->api->db, call->req->arena, call->tenant, &b->order,
                            ph_api_answer_task, call);
}

void ph_api_message_broadcast(struct ph_call *call)
{
    struct broadcast *b = ph_arena_new_of(call->req->arena, struct broadcast);
    struct ph_message_in *in = &b->in;
    const struct ph_new_message *message = &in->item.message;
    struct ph_faults faults = {0};
    bool is_raw;

    b->call = call;
    in->is_broadcast = true;
    ph_request_keep(call->req);
    ph_api_read_message(call, &faults, call->req->body, in);
    if (ph_faults_answer(call, &faults))
        return;
    is_raw = message->json.ptr != NULL;
    b->order = (struct ph_broadcast_order){
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
    ph_event_type_get(call->api->db, call->req->arena, call->tenant, (struct ph_id){{0}},
                      message->event_type, on_event_type, b);
}
