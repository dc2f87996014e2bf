#include "posthorn/attempt.h"

#include "api/attempt_json.h"
#include "api/filters.h"
#include "api/message_json.h"
#include "api/routes.h"

/* What an attempt has besides its texts, and what a list has besides its items. */
#define ATTEMPT_BYTES  512
#define ENVELOPE_BYTES 1024

void ph_api_write_attempt(struct ph_json_writer *w, const struct ph_attempt_view *attempt)
{
    ph_jw_object_begin(w);
    ph_jw_key(w, "endpointId");
    ph_jw_id(w, PH_ID_ENDPOINT, attempt->endpoint);
    ph_jw_key(w, "id");
    ph_jw_id(w, PH_ID_ATTEMPT, attempt->id);
    ph_jw_key(w, "msgId");
    ph_jw_id(w, PH_ID_MESSAGE, attempt->message);
    ph_jw_key(w, "response");
    ph_jw_str(w, attempt->response.ptr ? attempt->response : PH_STR(""));
    ph_jw_key(w, "responseDurationMs");
    ph_jw_i64(w, attempt->duration_ms);
    ph_jw_key(w, "responseStatusCode");
    ph_jw_i64(w, attempt->status_code);
    ph_jw_key(w, "status");
    ph_jw_i64(w, attempt->status);
    ph_jw_key(w, "statusText");
    ph_jw_cstr(w, ph_message_status_text(attempt->status));
    ph_jw_key(w, "timestamp");
    ph_jw_time(w, ph_id_time_ms(attempt->id));
    ph_jw_key(w, "triggerType");
    ph_jw_i64(w, attempt->trigger_type);
    ph_jw_key(w, "url");
    ph_jw_str(w, attempt->url);
    ph_jw_object_end(w);
}

/* Every byte of a text can become six, "\u0001". */
size_t ph_api_attempt_bytes(const struct ph_attempt_view *attempt)
{
    return ATTEMPT_BYTES + 6 * (attempt->response.len + attempt->url.len);
}

static void on_attempt(void *ctx, enum ph_err err, const struct ph_attempt_view *attempt)
{
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(ctx, err, NULL);
        return;
    }
    w = ph_answer_writer(ctx, ph_api_attempt_bytes(attempt));
    ph_api_write_attempt(w, attempt);
    ph_answer_json(ctx, 200, w);
}

void ph_api_attempt_get(struct ph_call *call)
{
    struct ph_message_path path = {call->tenant, call->params[0], call->params[1]};
    struct ph_id attempt;

    if (ph_id_parse(PH_ID_ATTEMPT, call->params[2], &attempt) != PH_OK)
        ph_answer_error(call, PH_ERR_NOT_FOUND, NULL);
    else
        ph_attempt_get(call->api->db, call->req->arena, &path, attempt, on_attempt, call);
}

static void on_page(void *ctx, enum ph_err err, const struct ph_attempt_view *attempts, size_t n,
                    const struct ph_list_end *end)
{
    size_t bytes = ENVELOPE_BYTES;
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(ctx, err, NULL);
        return;
    }
    for (size_t i = 0; i < n; i++)
        bytes += ph_api_attempt_bytes(&attempts[i]);
    w = ph_answer_writer(ctx, bytes);
    ph_answer_page_begin(w);
    for (size_t i = 0; i < n; i++)
        ph_api_write_attempt(w, &attempts[i]);
    ph_answer_page_end(ctx, w, PH_ID_ATTEMPT, n ? &attempts[0].id : NULL,
                       n ? &attempts[n - 1].id : NULL, end);
}

/* False: answered. */
static bool read_list(struct ph_call *call, struct ph_list *list, struct ph_attempt_filter *filter)
{
    struct ph_faults faults = {0};

    if (!ph_page_read_ids(call, true, PH_ID_ATTEMPT, list) ||
        !ph_query_bool(call, "with_content", true, &filter->with_content))
        return false;
    ph_query_attempt_filter(call, &faults, filter);
    return !ph_faults_answer(call, &faults);
}

void ph_api_attempt_list_by_endpoint(struct ph_call *call)
{
    struct ph_endpoint_path path = {call->tenant, call->params[0], call->params[1]};
    struct ph_attempt_filter filter;
    struct ph_list list;

    if (read_list(call, &list, &filter))
        ph_attempt_list_by_endpoint(call->api->db, call->req->arena, &path, &list, &filter, on_page,
                                    call);
}

void ph_api_attempt_list_by_message(struct ph_call *call)
{
    struct ph_message_path path = {call->tenant, call->params[0], call->params[1]};
    struct ph_attempt_filter filter;
    struct ph_list list;

    if (read_list(call, &list, &filter))
        ph_attempt_list_by_message(call->api->db, call->req->arena, &path, &list, &filter, on_page,
                                   call);
}

static void on_messages(void *ctx, enum ph_err err, const struct ph_endpoint_message *items,
                        size_t n, const struct ph_list_end *end)
{
    size_t bytes = ENVELOPE_BYTES;
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(ctx, err, NULL);
        return;
    }
    for (size_t i = 0; i < n; i++)
        bytes += ph_api_message_bytes(&items[i].message) + PH_FATE_JSON_BYTES;
    w = ph_answer_writer(ctx, bytes);
    ph_answer_page_begin(w);
    for (size_t i = 0; i < n; i++) {
        ph_jw_object_begin(w);
        ph_api_write_message_members(w, &items[i].message);
        ph_api_write_fate_members(w, &items[i].fate);
        ph_jw_object_end(w);
    }
    ph_answer_page_end(ctx, w, PH_ID_MESSAGE, n ? &items[0].message.id : NULL,
                       n ? &items[n - 1].message.id : NULL, end);
}

void ph_api_endpoint_messages(struct ph_call *call)
{
    struct ph_endpoint_path path = {call->tenant, call->params[0], call->params[1]};
    struct ph_message_filter filter;
    struct ph_faults faults = {0};
    struct ph_list list;
    int status;

    if (!ph_page_read_ids(call, true, PH_ID_MESSAGE, &list) ||
        !ph_query_bool(call, "with_content", true, &filter.with_content))
        return;
    ph_query_message_filter(call, &faults, &filter);
    status = ph_query_delivery_status(call, &faults);
    if (!ph_faults_answer(call, &faults))
        ph_endpoint_messages(call->api->db, call->req->arena, &path, &list, status, &filter,
                             on_messages, call);
}
