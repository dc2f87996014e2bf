#include "posthorn/api.h"

static void decref(void *json)
{
    json_decref(json);
}

void ph_fault(struct ph_call *call, struct ph_faults *faults, const char *where, const char *field,
              const char *msg, const char *type)
{
    json_t *loc = json_array();

    if (!faults->list) {
        faults->list = json_array();
        ph_arena_defer(call->req->arena, decref, faults->list);
    }
    json_array_append_new(loc, json_string(where));
    if (field)
        json_array_append_new(loc, json_string(field));
    json_array_append_new(faults->list,
                          json_pack("{s:o, s:s, s:s}", "loc", loc, "msg", msg, "type", type));
}

bool ph_faults_answer(struct ph_call *call, struct ph_faults *faults)
{
    json_t *fault, *part;
    size_t i, j;
    struct ph_json_writer *w;

    if (!faults->list)
        return false;
    w = ph_answer_writer(call, 256 * 1024);
    ph_jw_object_begin(w);
    ph_jw_key(w, "detail");
    ph_jw_array_begin(w);
    json_array_foreach(faults->list, i, fault)
    {
        ph_jw_object_begin(w);
        ph_jw_key(w, "loc");
        ph_jw_array_begin(w);
        json_array_foreach(json_object_get(fault, "loc"), j, part)
            ph_jw_cstr(w, json_string_value(part));
        ph_jw_array_end(w);
        ph_jw_key(w, "msg");
        ph_jw_cstr(w, json_string_value(json_object_get(fault, "msg")));
        ph_jw_key(w, "type");
        ph_jw_cstr(w, json_string_value(json_object_get(fault, "type")));
        ph_jw_object_end(w);
    }
    ph_jw_array_end(w);
    ph_jw_object_end(w);
    ph_answer_json(call, 422, w);
    return true;
}

void ph_answer_error(struct ph_call *call, enum ph_err err, const char *detail)
{
    int status = ph_err_http_status(err);
    struct ph_json_writer *w = ph_answer_writer(call, 4096);

    if (status == 503)
        ph_request_set_header(call->req, "retry-after", "1");
    ph_jw_object_begin(w);
    ph_jw_key(w, "code");
    ph_jw_cstr(w, ph_err_code(err));
    ph_jw_key(w, "detail");
    ph_jw_cstr(w, detail ? detail : ph_err_text(err));
    ph_jw_object_end(w);
    ph_answer_json(call, status, w);
}
