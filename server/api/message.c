#include "posthorn/message.h"

#include "api/endpoint_json.h"
#include "api/filters.h"
#include "api/message_json.h"
#include "api/routes.h"

#define ANSWER_BYTES   (256 * 1024 * 1024)
#define ENVELOPE_BYTES 1024

static struct ph_message_path path_of(struct ph_call *call)
{
    return (struct ph_message_path){call->tenant, call->params[0], call->params[1]};
}

static void on_message(void *ctx, enum ph_err err, const struct ph_message_view *message)
{
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(ctx, err, NULL);
        return;
    }
    w = ph_answer_writer(ctx, ph_api_message_bytes(message));
    ph_api_write_message(w, message);
    ph_answer_json(ctx, 200, w);
}

void ph_api_message_get(struct ph_call *call)
{
    struct ph_message_path path = path_of(call);
    bool with_content;

    if (ph_query_bool(call, "with_content", true, &with_content))
        ph_message_get(call->api->db, call->req->arena, &path, with_content, on_message, call);
}

static void on_raw(void *ctx, enum ph_err err, const struct ph_message_view *message)
{
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(ctx, err, NULL);
        return;
    }
    w = ph_answer_writer(ctx, ENVELOPE_BYTES + 6 * message->payload.len);
    ph_jw_object_begin(w);
    ph_jw_key(w, "payload");
    ph_jw_str(w, message->payload);
    ph_jw_object_end(w);
    ph_answer_json(ctx, 200, w);
}

void ph_api_message_get_raw(struct ph_call *call)
{
    struct ph_message_path path = path_of(call);

    ph_message_get_raw(call->api->db, call->req->arena, &path, on_raw, call);
}

static void on_page(void *ctx, enum ph_err err, const struct ph_message_view *messages, size_t n,
                    const struct ph_list_end *end)
{
    size_t bytes = ENVELOPE_BYTES;
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(ctx, err, NULL);
        return;
    }
    for (size_t i = 0; i < n; i++)
        bytes += ph_api_message_bytes(&messages[i]);
    w = ph_answer_writer(ctx, bytes);
    ph_answer_page_begin(w);
    for (size_t i = 0; i < n; i++)
        ph_api_write_message(w, &messages[i]);
    ph_answer_page_end(ctx, w, PH_ID_MESSAGE, n ? &messages[0].id : NULL,
                       n ? &messages[n - 1].id : NULL, end);
}

void ph_api_message_list(struct ph_call *call)
{
    struct ph_message_filter filter;
    struct ph_faults faults = {0};
    struct ph_list list;

    if (!ph_page_read_ids(call, true, PH_ID_MESSAGE, &list) ||
        !ph_query_bool(call, "with_content", true, &filter.with_content))
        return;
    ph_query_message_filter(call, &faults, &filter);
    if (!ph_faults_answer(call, &faults))
        ph_message_list(call->api->db, call->req->arena, call->tenant, call->params[0], &list,
                        &filter, on_page, call);
}

void ph_api_message_search(struct ph_call *call)
{
    struct ph_message_filter filter;
    struct ph_faults faults = {0};
    json_t *body = ph_body_object(call);
    struct ph_list list;

    if (!body)
        return;
    ph_page_read_body(call, &faults, body, PH_ID_MESSAGE, &list);
    ph_body_message_filter(call, &faults, body, &filter);
    if (!ph_faults_answer(call, &faults))
        ph_message_list(call->api->db, call->req->arena, call->tenant, call->params[0], &list,
                        &filter, on_page, call);
}

static void on_endpoints(void *ctx, enum ph_err err, const struct ph_message_endpoint *items,
                         size_t n, bool done)
{
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(ctx, err, NULL);
        return;
    }
    w = ph_answer_writer(ctx, ANSWER_BYTES);
    ph_answer_page_begin(w);
    for (size_t i = 0; i < n; i++) {
        ph_jw_object_begin(w);
        ph_api_write_endpoint_members(w, &items[i].endpoint);
        ph_api_write_fate_members(w, &items[i].fate);
        ph_jw_object_end(w);
    }
    ph_answer_page_ids(ctx, w, PH_ID_ENDPOINT, n ? &items[0].endpoint.id : NULL,
                       n ? &items[n - 1].endpoint.id : NULL, done);
}

void ph_api_message_endpoints(struct ph_call *call)
{
    struct ph_message_path path = path_of(call);
    struct ph_list list;

    if (ph_page_read_ids(call, true, PH_ID_ENDPOINT, &list))
        ph_message_endpoints(call->api->db, call->req->arena, &path, &list, on_endpoints, call);
}
