/* POST /app/{app_id}/msg: the hot path. */
#include "api/application_in.h"
#include "api/message_in.h"
#include "api/message_json.h"
#include "api/routes.h"

struct creation {
    struct ph_message_in in;
    struct ph_call *call;
    bool with_content;
};

static void answer_message(struct creation *c, const struct ph_message_view *view)
{
    struct ph_json_writer *w = ph_answer_writer(c->call, ph_api_message_bytes(view));

    ph_api_write_message(w, view);
    ph_answer_json(c->call, 202, w);
}

static void replayed(void *ctx, enum ph_err err, const struct ph_message_view *message)
{
    struct creation *c = ctx;

    if (err == PH_OK)
        answer_message(c, message);
    else
        ph_answer_error(c->call, err, NULL);
}

/* The key made a message before: the same answer again, made from what is stored. */
static void replay(struct creation *c)
{
    struct ph_call *call = c->call;
    struct ph_message_path path = {.tenant = call->tenant, .application = call->params[0]};
    char *id = ph_arena_alloc(call->req->arena, PH_ID_WIRE_MAX);

    path.message = (struct ph_str){id, ph_id_format(PH_ID_MESSAGE, c->in.item.replay_of, id)};
    ph_message_get(call->api->db, call->req->arena, &path, c->with_content, replayed, c);
}

static void submit_again(void *ctx)
{
    struct creation *c = ctx;

    c->in.application = NULL;
    ph_ingest_submit(c->call->api->ingest, &c->in.item);
}

static void done(struct ph_ingest_item *item, enum ph_err err)
{
    struct creation *c = ph_container_of(item, struct creation, in.item);
    struct ph_payload *payload = item->message.payload;
    struct ph_call *call = c->call;
    struct ph_faults faults = {0};

    switch (err) {
    case PH_OK:
        c->in.view.id = payload->message;
        c->in.view.schema_warning = ph_api_schema_warning(call, item);
        c->in.view.payload = !c->with_content ? PH_STR("{}")
                             : item->message.json.ptr
                                 ? item->message.json
                                 : (struct ph_str){payload->bytes, payload->len};
        answer_message(c, &c->in.view);
        return;
    case PH_ERR_CONFLICT:
        if (!ph_id_is_zero(item->replay_of))
            replay(c);
        else
            ph_answer_error(call, err, PH_EVENT_ID_TAKEN);
        return;
    case PH_ERR_VALIDATION:
        ph_api_schema_fault(call, &faults, item);
        ph_faults_answer(call, &faults);
        return;
    case PH_ERR_NOT_FOUND:
        if (c->in.application) {
            ph_api_ensure_application(call, c->in.application, submit_again, c);
            return;
        }
        /* fall through */
    default:
        ph_answer_error(call, err, NULL);
        return;
    }
}

void ph_api_message_create(struct ph_call *call)
{
    struct creation *c = ph_arena_new_of(call->req->arena, struct creation);
    struct ph_ingest_item *item = &c->in.item;
    struct ph_faults faults = {0};

    c->call = call;
    ph_api_read_message(call, &faults, call->req->body, &c->in);
    if (!ph_query_bool(call, "with_content", true, &c->with_content) ||
        ph_faults_answer(call, &faults))
        return;
    item->message.has_key = ph_api_idempotency_id(call, 0, &item->message.idempotency_key);
    item->on_done = done;
    if (c->in.application) /* may be submitted twice, and the body is gone by then */
        item->body.ptr = ph_arena_copy(call->req->arena, item->body.ptr, item->body.len);
    ph_ingest_submit(call->api->ingest, item);
}
