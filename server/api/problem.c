#include "posthorn/api.h"

#define FAULTS_MAX        100
#define POINTER_BYTES_MAX 1024
#define FAULTS_BYTES_MAX  (1024 * 1024)

static void decref(void *json)
{
    json_decref(json);
}

/* Appends the parts of a JSON pointer, where ~1 stands for '/' and ~0 for '~'. A long one is cut, perhaps within a character,
 * which the writer then replaces. */
static void add_pointer(json_t *loc, const char *pointer)
{
    struct ph_str rest = *pointer ? ph_str_of(pointer + 1) : PH_STR_NONE, part;
    struct ph_buf name;

    if (rest.len > POINTER_BYTES_MAX)
        rest.len = POINTER_BYTES_MAX;
    ph_buf_init(&name, POINTER_BYTES_MAX);
    while (ph_str_split(&rest, '/', &part)) {
        ph_buf_clear(&name);
        for (size_t i = 0; i < part.len; i++) {
            bool escaped = part.ptr[i] == '~' && i + 1 < part.len;
            i += escaped;
            ph_buf_add_char(&name, !escaped ? part.ptr[i] : part.ptr[i] == '1' ? '/' : '~');
        }
        json_array_append_new(loc, json_stringn_nocheck(name.len ? name.ptr : "", name.len));
    }
    ph_buf_free(&name);
}

void ph_fault(struct ph_call *call, struct ph_faults *faults, const char *where, const char *field,
              const char *msg, const char *type)
{
    ph_fault_at(call, faults, where, field, "", msg, type);
}

void ph_fault_at(struct ph_call *call, struct ph_faults *faults, const char *where,
                 const char *field, const char *pointer, const char *msg, const char *type)
{
    json_t *loc, *fault;

    if (!faults->list) {
        faults->list = json_array();
        ph_arena_defer(call->req->arena, decref, faults->list);
    }
    if (json_array_size(faults->list) == FAULTS_MAX)
        return;
    loc = json_array();
    json_array_append_new(loc, json_string(where));
    if (field)
        json_array_append_new(loc, json_string(field));
    add_pointer(loc, pointer);
    fault = json_object();
    json_object_set_new(fault, "loc", loc);
    /* so may be what it quotes of the request */
    json_object_set_new(fault, "msg", json_string_nocheck(msg));
    json_object_set_new(fault, "type", json_string(type));
    json_array_append_new(faults->list, fault);
}

void ph_faults_write(struct ph_json_writer *w, const struct ph_faults *faults)
{
    json_t *fault, *part;
    size_t i, j;

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
}

bool ph_faults_answer(struct ph_call *call, struct ph_faults *faults)
{
    struct ph_json_writer *w;

    if (!faults->list)
        return false;
    w = ph_answer_writer(call, FAULTS_BYTES_MAX);
    ph_faults_write(w, faults);
    ph_answer_json(call, 422, w);
    return true;
}

void ph_error_write(struct ph_json_writer *w, enum ph_err err, const char *detail)
{
    ph_jw_object_begin(w);
    ph_jw_key(w, "code");
    ph_jw_cstr(w, ph_err_code(err));
    ph_jw_key(w, "detail");
    ph_jw_cstr(w, detail ? detail : ph_err_text(err));
    ph_jw_object_end(w);
}

void ph_answer_error(struct ph_call *call, enum ph_err err, const char *detail)
{
    int status = ph_err_http_status(err);
    struct ph_json_writer *w = ph_answer_writer(call, 4096);

    if (status == 503)
        ph_request_set_header(call->req, "retry-after", "1");
    ph_error_write(w, err, detail);
    ph_answer_json(call, status, w);
}
