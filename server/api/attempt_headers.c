/* The headers of an attempt: what was sent is written again from what is known of it. */
#include "posthorn/attempt.h"

#include "api/routes.h"
#include "posthorn/node.h"
#include "posthorn/request_head.h"

#include <string.h>

#define HEAD_BYTES_MAX (1024 * 1024)
/* As JSON a byte may take six. */
#define ANSWER_BYTES (8 * HEAD_BYTES_MAX)

struct lookup {
    struct ph_call *call;
    struct ph_id attempt;
};

static void free_buf(void *buf)
{
    ph_buf_free(buf);
}

static struct ph_buf *new_buf(struct ph_call *call)
{
    struct ph_buf *buf = ph_arena_new_of(call->req->arena, struct ph_buf);

    ph_buf_init(buf, HEAD_BYTES_MAX);
    ph_arena_defer(call->req->arena, free_buf, buf);
    return buf;
}

static bool is_sensitive(const struct ph_attempt_headers *headers, const char *name)
{
    for (size_t i = 0; i < headers->n_sensitive; i++)
        if (ph_str_eq_c(headers->sensitive[i], name))
            return true;
    return false;
}

/* Custom headers that may be shown, as lines. */
static struct ph_str custom_lines(struct ph_call *call, const struct ph_attempt_headers *headers)
{
    struct ph_buf *lines = new_buf(call);
    const char *name;
    json_t *value;

    json_object_foreach(headers->custom, name, value) if (!is_sensitive(headers, name))
        ph_buf_printf(lines, "%s: %s\r\n", name, json_string_value(value));
    return ph_buf_str(lines);
}

/* The head as it was sent, but for what is secret. */
static struct ph_str sent_head(struct lookup *lookup, const struct ph_attempt_headers *headers)
{
    struct ph_buf *head = new_buf(lookup->call);
    char id[PH_ID_WIRE_MAX];
    struct ph_sign_record record;
    struct ph_url url;
    const char *reason;

    if (headers->signature.len == 0 ||
        ph_url_parse(lookup->call->req->arena, headers->url, &url, &reason) != PH_OK)
        return PH_STR("");
    ph_sign_record_read(headers->signature, ph_id_time_ms(lookup->attempt), &record);
    ph_request_head_begin(head, &url, &record.style, custom_lines(lookup->call, headers),
                          headers->has_token);
    ph_request_head_body(
        head, headers->content_type.ptr ? headers->content_type : PH_STR("application/json"),
        headers->body_bytes < 0 ? 0 : (size_t)headers->body_bytes);
    ph_sign_write_headers(&record.style,
                          &(struct ph_sign_message){
                              .id = {id, ph_id_format(PH_ID_MESSAGE, headers->message, id)},
                              .event_type = headers->event_type,
                              .now_ms = record.now_ms,
                          },
                          record.value, head);
    return ph_buf_str(head);
}

/* Cuts the next "name: value" off the lines; those without a colon are left out. */
static bool next_header(struct ph_str *lines, struct ph_str *name, struct ph_str *value)
{
    struct ph_str line;

    while (ph_str_split(lines, '\n', &line)) {
        *value = line;
        if (!ph_str_split(value, ':', name) || !value->ptr)
            continue;
        *value = ph_str_trim(*value);
        return true;
    }
    return false;
}

static void write_sent(struct ph_json_writer *w, struct ph_str head, bool knows_length)
{
    struct ph_str name, value, request_line;

    ph_jw_key(w, "sentHeaders");
    ph_jw_object_begin(w);
    (void)ph_str_split(&head, '\n', &request_line);
    while (next_header(&head, &name, &value)) {
        if (!knows_length && ph_str_eq_c(name, "Content-Length"))
            continue;
        ph_jw_key_str(w, name);
        ph_jw_str(w, value);
    }
    ph_jw_object_end(w);
}

static void write_response(struct ph_json_writer *w, struct ph_str lines)
{
    struct ph_str name, value;

    ph_jw_key(w, "responseHeaders");
    ph_jw_array_begin(w);
    while (next_header(&lines, &name, &value)) {
        ph_jw_array_begin(w);
        ph_jw_str(w, name);
        ph_jw_str(w, value);
        ph_jw_array_end(w);
    }
    ph_jw_array_end(w);
}

static void write_sensitive(struct ph_json_writer *w, const struct ph_attempt_headers *headers)
{
    ph_jw_key(w, "sensitive");
    ph_jw_array_begin(w);
    for (size_t i = 0; i < headers->n_sensitive; i++)
        ph_jw_str(w, headers->sensitive[i]);
    if (headers->has_token && !is_sensitive(headers, "Authorization"))
        ph_jw_cstr(w, "Authorization");
    ph_jw_array_end(w);
}

static void on_headers(void *ctx, enum ph_err err, const struct ph_attempt_headers *headers)
{
    struct lookup *lookup = ctx;
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(lookup->call, err, NULL);
        return;
    }
    w = ph_answer_writer(lookup->call, ANSWER_BYTES);
    ph_jw_object_begin(w);
    write_sent(w, sent_head(lookup, headers), headers->body_bytes >= 0);
    write_response(w, headers->response);
    write_sensitive(w, headers);
    ph_jw_object_end(w);
    ph_answer_json(lookup->call, 200, w);
}

void ph_api_attempt_get_headers(struct ph_call *call)
{
    struct ph_message_path path = {call->tenant, call->params[0], call->params[1]};
    struct lookup *lookup = ph_arena_new_of(call->req->arena, struct lookup);

    lookup->call = call;
    if (ph_id_parse(PH_ID_ATTEMPT, call->params[2], &lookup->attempt) != PH_OK)
        ph_answer_error(call, PH_ERR_NOT_FOUND, NULL);
    else
        ph_attempt_get_headers(call->api->db, call->req->arena, call->api->node->keyring, &path,
                               lookup->attempt, on_headers, lookup);
}
