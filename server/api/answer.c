#include "api/once.h"
#include "posthorn/dispatcher.h"
#include "posthorn/node.h"

struct answer {
    struct ph_json_writer w;
    struct ph_buf buf;
};

static void free_buf(void *buf)
{
    ph_buf_free(buf);
}

struct ph_json_writer *ph_answer_writer(struct ph_call *call, size_t max_bytes)
{
    struct answer *answer = ph_arena_new_of(call->req->arena, struct answer);

    ph_buf_init(&answer->buf, max_bytes);
    ph_arena_defer(call->req->arena, free_buf, &answer->buf);
    ph_jw_init(&answer->w, &answer->buf);
    return &answer->w;
}

void ph_answer(struct ph_call *call, int status, const char *content_type, struct ph_str body)
{
    if (call->once) {
        ph_once_answer(call, status, content_type, body);
        return;
    }
    if (call->ends_credentials)
        ph_auth_news_changed(&call->api->node->auth_news, &call->tenant);
    if (call->wakes_dispatcher)
        ph_dispatcher_nudge(call->api->node->dispatcher, 0);
    ph_request_answer(call->req, status, content_type, body);
}

void ph_answer_json(struct ph_call *call, int status, struct ph_json_writer *w)
{
    struct ph_str body = ph_buf_str(w->buf);

    if (w->buf->overflow) {
        status = 500;
        body = PH_STR("{\"code\":\"internal_error\",\"detail\":\"The answer is too large.\"}");
    }
    ph_answer(call, status, "application/json", body);
}

void ph_answer_empty(struct ph_call *call, int status)
{
    ph_answer(call, status, NULL, PH_STR(""));
}

void ph_answer_page_begin(struct ph_json_writer *w)
{
    ph_jw_object_begin(w);
    ph_jw_key(w, "data");
    ph_jw_array_begin(w);
}

void ph_answer_page(struct ph_call *call, struct ph_json_writer *w, struct ph_str first,
                    struct ph_str last, bool done)
{
    ph_jw_array_end(w);
    ph_jw_key(w, "iterator");
    ph_jw_str(w, last);
    if (first.ptr) {
        char *prev = ph_arena_alloc(call->req->arena, first.len + 1);
        prev[0] = '-';
        for (size_t i = 0; i < first.len; i++)
            prev[i + 1] = first.ptr[i];
        ph_jw_key(w, "prevIterator");
        ph_jw_str(w, (struct ph_str){prev, first.len + 1});
    }
    ph_jw_key(w, "done");
    ph_jw_bool(w, done);
    ph_jw_object_end(w);
    ph_answer_json(call, 200, w);
}

void ph_answer_page_ids(struct ph_call *call, struct ph_json_writer *w, enum ph_id_kind kind,
                        const struct ph_id *first, const struct ph_id *last, bool done)
{
    ph_answer_page_end(call, w, kind, first, last, &(struct ph_list_end){.done = done});
}

static struct ph_str wire_of(enum ph_id_kind kind, const struct ph_id *id, char out[PH_ID_WIRE_MAX])
{
    return id ? (struct ph_str){out, ph_id_format(kind, *id, out)} : PH_STR_NONE;
}

void ph_answer_page_end(struct ph_call *call, struct ph_json_writer *w, enum ph_id_kind kind,
                        const struct ph_id *first, const struct ph_id *last,
                        const struct ph_list_end *end)
{
    char first_wire[PH_ID_WIRE_MAX], last_wire[PH_ID_WIRE_MAX];

    if (!ph_id_is_zero(end->walked_to)) {
        if (end->backwards)
            first = &end->walked_to;
        else
            last = &end->walked_to;
    }
    ph_answer_page(call, w, wire_of(kind, first, first_wire), wire_of(kind, last, last_wire),
                   end->done);
}
