/* Fetching messages: pollers and their consumers. */
#include "posthorn/poller.h"
#include "posthorn/poller_token.h"

#include "api/body_time.h"
#include "api/filters.h"
#include "api/message_json.h"
#include "api/routes.h"

#define ENVELOPE_BYTES       1024
#define CONSUMER_CHARS_MAX   256
#define EVENT_TYPE_CHARS_MAX 256
#define TOKEN_MAX_S          (365 * 24 * 3600)
#define OLD_TOKEN_MAX_S      (24 * 3600)
#define TOO_MANY_CONSUMERS   "The poller has 100 consumers already."

static struct ph_endpoint_path path_of(struct ph_call *call)
{
    return (struct ph_endpoint_path){call->tenant, call->params[0], call->params[1]};
}

static void write_place(struct ph_json_writer *w, const struct ph_poller_place *place)
{
    char text[PH_POLLER_PLACE_LEN + 1];

    ph_poller_place_format(place, text);
    ph_jw_key(w, "iterator");
    ph_jw_cstr(w, text);
}

static void answer_error(struct ph_call *call, enum ph_err err)
{
    ph_answer_error(call, err, err == PH_ERR_CONFLICT ? TOO_MANY_CONSUMERS : NULL);
}

static void on_page(void *ctx, enum ph_err err, const struct ph_message_view *messages, size_t n,
                    const struct ph_poller_place *place, bool done)
{
    size_t bytes = ENVELOPE_BYTES;
    struct ph_json_writer *w;

    if (err != PH_OK) {
        answer_error(ctx, err);
        return;
    }
    for (size_t i = 0; i < n; i++)
        bytes += ph_api_message_bytes(&messages[i]);
    w = ph_answer_writer(ctx, bytes);
    ph_answer_page_begin(w);
    for (size_t i = 0; i < n; i++)
        ph_api_write_message(w, &messages[i]);
    ph_jw_array_end(w);
    write_place(w, place);
    ph_jw_key(w, "done");
    ph_jw_bool(w, done);
    ph_jw_object_end(w);
    ph_answer_json(ctx, 200, w);
}

/* A name in the query; absent without. */
static struct ph_str query_name(struct ph_call *call, struct ph_faults *faults, const char *name,
                                size_t max_chars)
{
    struct ph_str value = ph_query(call, name);

    if (value.ptr && !ph_name_ok(value, max_chars))
        ph_fault(call, faults, "query", name, "has to be of a-z, A-Z, 0-9, '-', '_', '.'",
                 "value_error.str.regex");
    return value;
}

/* False: answered. */
static bool read_page(struct ph_call *call, struct ph_faults *faults,
                      struct ph_poller_request *request)
{
    struct ph_page page;

    if (!ph_page_read(call, false, &page))
        return false;
    request->path = path_of(call);
    request->limit = (int)page.limit;
    request->has_place = page.iterator.ptr != NULL;
    if (request->has_place &&
        (page.backwards || ph_poller_place_parse(page.iterator, &request->place) != PH_OK))
        ph_fault(call, faults, "query", "iterator", "is not an iterator of a poller",
                 "value_error");
    return true;
}

static bool check_consumer(struct ph_call *call)
{
    struct ph_faults faults = {0};

    if (!ph_name_ok(call->params[2], CONSUMER_CHARS_MAX))
        ph_fault(call, &faults, "path", "consumer_id",
                 "has to be 1 to 256 of a-z, A-Z, 0-9, '-', '_', '.'", "value_error.str.regex");
    return !ph_faults_answer(call, &faults);
}

void ph_api_poller_poll(struct ph_call *call)
{
    struct ph_poller_request request = {0};
    struct ph_faults faults = {0};

    if (!read_page(call, &faults, &request))
        return;
    request.event_type = query_name(call, &faults, "event_type", EVENT_TYPE_CHARS_MAX);
    request.channel = query_name(call, &faults, "channel", PH_MESSAGE_NAME_CHARS_MAX);
    request.after_ms = ph_query_time(call, &faults, "after", 0);
    if (!ph_faults_answer(call, &faults))
        ph_poller_read(call->api->db, call->req->arena, &request, on_page, call);
}

void ph_api_poller_consumer_poll(struct ph_call *call)
{
    struct ph_poller_request request = {0};
    struct ph_faults faults = {0};

    if (!check_consumer(call) || !read_page(call, &faults, &request))
        return;
    request.consumer = call->params[2];
    if (!ph_faults_answer(call, &faults))
        ph_poller_read(call->api->db, call->req->arena, &request, on_page, call);
}

static void on_sought(void *ctx, enum ph_err err, const struct ph_poller_place *place)
{
    struct ph_json_writer *w;

    if (err != PH_OK) {
        answer_error(ctx, err);
        return;
    }
    w = ph_answer_writer(ctx, ENVELOPE_BYTES);
    ph_jw_object_begin(w);
    write_place(w, place);
    ph_jw_object_end(w);
    ph_answer_json(ctx, 200, w);
}

void ph_api_poller_consumer_seek(struct ph_call *call)
{
    struct ph_endpoint_path path = path_of(call);
    struct ph_faults faults = {0};
    json_t *body = ph_body_object(call);
    int64_t after_ms;

    if (!body || !check_consumer(call))
        return;
    after_ms = ph_field_time(call, &faults, body, "after", true, 0);
    if (!ph_faults_answer(call, &faults))
        ph_poller_seek(call->api->db, call->req->arena, &path, call->params[2], after_ms, on_sought,
                       call);
}

/* ---- tokens ---- */

struct rotation {
    struct ph_call *call;
    char text[PH_TOKEN_LEN + 1];
};

/* text NULL: it is not shown again but for its end. */
static void answer_token(struct ph_call *call, int status, const struct ph_poller_token *token,
                         const char *text)
{
    struct ph_json_writer *w = ph_answer_writer(call, ENVELOPE_BYTES);

    ph_jw_object_begin(w);
    ph_jw_key(w, "createdAt");
    ph_jw_time(w, token->created_ms);
    ph_jw_key(w, "expiresAt");
    if (token->expires_ms)
        ph_jw_time(w, token->expires_ms);
    else
        ph_jw_null(w);
    ph_jw_key(w, "id");
    ph_jw_id(w, PH_ID_API_KEY, token->id);
    ph_jw_key(w, "name");
    ph_jw_null(w);
    ph_jw_key(w, "scopes");
    ph_jw_array_begin(w);
    ph_jw_cstr(w, "poller");
    ph_jw_array_end(w);
    ph_jw_key(w, "token");
    ph_jw_cstr(w, text ? text
                       : ph_arena_printf(call->req->arena, PH_POLLER_TOKEN_PREFIX "***%.*s",
                                         (int)token->end.len, token->end.ptr));
    ph_jw_object_end(w);
    ph_answer_json(call, status, w);
}

static void on_rotated(void *ctx, enum ph_err err, const struct ph_poller_token *token)
{
    struct rotation *rotation = ctx;

    rotation->call->ends_credentials = true;
    if (err != PH_OK)
        ph_answer_error(rotation->call, err, NULL);
    else
        answer_token(rotation->call, 201, token, rotation->text);
}

void ph_api_poller_token_rotate(struct ph_call *call)
{
    struct rotation *rotation = ph_arena_new_of(call->req->arena, struct rotation);
    struct ph_endpoint_path path = path_of(call);
    struct ph_faults faults = {0};
    json_t *body = ph_body_object(call);
    int64_t expiry_s, old_expiry_s;

    if (!body)
        return;
    rotation->call = call;
    expiry_s = ph_field_int(call, &faults, body, "expiry", 1, TOKEN_MAX_S, NULL);
    old_expiry_s = ph_field_int(call, &faults, body, "oldTokenExpiry", 0, OLD_TOKEN_MAX_S, NULL);
    if (!ph_faults_answer(call, &faults))
        ph_poller_token_rotate(call->api->db, call->req->arena, &path, expiry_s < 0 ? 0 : expiry_s,
                               old_expiry_s < 0 ? 0 : old_expiry_s, rotation->text, on_rotated,
                               rotation);
}

static void on_token(void *ctx, enum ph_err err, const struct ph_poller_token *token)
{
    if (err != PH_OK)
        ph_answer_error(ctx, err, NULL);
    else
        answer_token(ctx, 200, token, NULL);
}

void ph_api_poller_token_get(struct ph_call *call)
{
    struct ph_endpoint_path path = path_of(call);

    ph_poller_token_get(call->api->db, call->req->arena, &path, on_token, call);
}
