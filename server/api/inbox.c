/* The test inbox of an application, and what came there: inbox_receive.c takes it. */
#include "posthorn/inbox.h"

#include "api/routes.h"
#include "posthorn/node.h"

#define DELAY_MS_MAX 20000
#define ANSWER_BYTES 4096
/* JSON of a request in a list; alone, with headers and a body that may all have to be escaped. */
#define ROW_BYTES     512
#define REQUEST_BYTES (1024 * 1024)

static void on_inbox(void *ctx, enum ph_err err, const struct ph_inbox *inbox)
{
    struct ph_call *call = ctx;
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(call, err, NULL);
        return;
    }
    w = ph_answer_writer(call, ANSWER_BYTES);
    ph_jw_object_begin(w);
    ph_jw_key(w, "url");
    ph_jw_cstr(w, ph_arena_printf(call->req->arena, "%s" PH_INBOX_PATH "%.*s",
                                  ph_node_url(call->api->node), (int)inbox->token.len,
                                  inbox->token.ptr));
    ph_jw_key(w, "status");
    ph_jw_i64(w, inbox->status);
    ph_jw_key(w, "delayMs");
    ph_jw_i64(w, inbox->delay_ms);
    ph_jw_key(w, "createdAt");
    ph_jw_time(w, inbox->created_ms);
    ph_jw_object_end(w);
    ph_answer_json(call, 200, w);
}

void ph_api_inbox_get(struct ph_call *call)
{
    ph_inbox_get(call->api->db, call->req->arena, call->tenant, call->params[0], on_inbox, call);
}

void ph_api_inbox_put(struct ph_call *call)
{
    struct ph_faults faults = {0};
    json_t *body = ph_body_object(call);
    int64_t status, delay_ms;

    if (!body)
        return;
    status = ph_field_int(call, &faults, body, "status", 200, 599, NULL);
    delay_ms = ph_field_int(call, &faults, body, "delayMs", 0, DELAY_MS_MAX, NULL);
    if (!ph_faults_answer(call, &faults))
        ph_inbox_put(call->api->db, call->req->arena, call->tenant, call->params[0],
                     status < 0 ? 200 : (int)status, delay_ms < 0 ? 0 : delay_ms, on_inbox, call);
}

static void on_deleted(void *ctx, enum ph_err err)
{
    if (err != PH_OK)
        ph_answer_error(ctx, err, NULL);
    else
        ph_answer_empty(ctx, 204);
}

void ph_api_inbox_delete(struct ph_call *call)
{
    ph_inbox_delete(call->api->db, call->req->arena, call->tenant, call->params[0], on_deleted,
                    call);
}

/* ---- what came ---- */

/* Without headers and body when there are none. */
static void write_request(struct ph_json_writer *w, const struct ph_inbox_request *request)
{
    ph_jw_object_begin(w);
    ph_jw_key(w, "id");
    ph_jw_id(w, PH_ID_ARRIVAL, request->id);
    ph_jw_key(w, "timestamp");
    ph_jw_time(w, ph_id_time_ms(request->id));
    ph_jw_key(w, "method");
    ph_jw_str(w, request->method);
    ph_jw_key(w, "bodyBytes");
    ph_jw_i64(w, request->body_bytes);
    ph_jw_key(w, "signature");
    ph_jw_str(w, request->signature);
    ph_jw_key(w, "endpointId");
    if (ph_id_is_zero(request->endpoint))
        ph_jw_null(w);
    else
        ph_jw_id(w, PH_ID_ENDPOINT, request->endpoint);
    ph_jw_key(w, "answered");
    ph_jw_i64(w, request->status);
    if (request->headers.ptr) {
        ph_jw_key(w, "headers");
        ph_jw_raw(w, request->headers);
        ph_jw_key(w, "body");
        ph_jw_str(w, request->body);
    }
    ph_jw_object_end(w);
}

static void on_page(void *ctx, enum ph_err err, const struct ph_inbox_request *requests, size_t n,
                    bool done)
{
    struct ph_call *call = ctx;
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(call, err, NULL);
        return;
    }
    w = ph_answer_writer(call, ANSWER_BYTES + n * ROW_BYTES);
    ph_answer_page_begin(w);
    for (size_t i = 0; i < n; i++)
        write_request(w, &requests[i]);
    ph_answer_page_ids(call, w, PH_ID_ARRIVAL, n ? &requests[0].id : NULL,
                       n ? &requests[n - 1].id : NULL, done);
}

void ph_api_inbox_request_list(struct ph_call *call)
{
    struct ph_list list;

    if (ph_page_read_ids(call, true, PH_ID_ARRIVAL, &list))
        ph_inbox_request_list(call->api->db, call->req->arena, call->tenant, call->params[0], &list,
                              on_page, call);
}

static void on_request(void *ctx, enum ph_err err, const struct ph_inbox_request *requests,
                       size_t n, bool done)
{
    struct ph_json_writer *w;

    (void)n;
    (void)done;
    if (err != PH_OK) {
        ph_answer_error(ctx, err, NULL);
        return;
    }
    w = ph_answer_writer(ctx, REQUEST_BYTES);
    write_request(w, requests);
    ph_answer_json(ctx, 200, w);
}

void ph_api_inbox_request_get(struct ph_call *call)
{
    struct ph_id id;

    if (ph_id_parse(PH_ID_ARRIVAL, call->params[1], &id) != PH_OK)
        ph_answer_error(call, PH_ERR_NOT_FOUND, NULL);
    else
        ph_inbox_request_get(call->api->db, call->req->arena, call->tenant, call->params[0], id,
                             on_request, call);
}
