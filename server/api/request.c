#include "posthorn/api.h"
#include "posthorn/node.h"

#include <string.h>

struct ph_str ph_call_address(struct ph_call *call)
{
    char *text = ph_arena_alloc(call->req->arena, PH_ADDRESS_MAX);
    struct sockaddr_storage peer;

    if (!ph_request_peer(call->req, &peer))
        return PH_STR_NONE;
    ph_forwarded_client(call->api->node->forwarded, (struct sockaddr *)&peer,
                        ph_request_headers(call->req, "x-forwarded-for"), text);
    return *text ? ph_str_of(text) : PH_STR_NONE;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool ph_percent_decode(struct ph_arena *arena, struct ph_str s, bool query, struct ph_str *out)
{
    char *p;
    size_t n = 0;

    if (s.len == 0 || (!memchr(s.ptr, '%', s.len) && !(query && memchr(s.ptr, '+', s.len)))) {
        *out = s;
        return s.len == 0 || ph_str_is_text(s);
    }
    p = ph_arena_alloc(arena, s.len);
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '%') {
            int high = i + 2 < s.len ? hex_value(s.ptr[i + 1]) : -1;
            int low = i + 2 < s.len ? hex_value(s.ptr[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            p[n++] = (char)(high << 4 | low);
            i += 2;
        } else {
            p[n++] = query && s.ptr[i] == '+' ? ' ' : s.ptr[i];
        }
    }
    *out = (struct ph_str){p, n};
    return ph_str_is_text(*out);
}

/* A part of the query that does not decode gives false and counts as absent; ph_api_on_request has refused those before. */
static bool next_pair(struct ph_call *call, struct ph_str *rest, struct ph_str *name,
                      struct ph_str *value)
{
    struct ph_str pair;

    while (ph_str_split(rest, '&', &pair)) {
        struct ph_str left = pair, key;
        if (!ph_str_split(&left, '=', &key))
            continue;
        if (!left.ptr)
            left = PH_STR("");
        if (ph_percent_decode(call->req->arena, key, true, name) &&
            ph_percent_decode(call->req->arena, left, true, value))
            return true;
    }
    return false;
}

/* Values may point into the request head, which is gone once on_request has returned. */
static struct ph_str keep(struct ph_call *call, struct ph_str s)
{
    return (struct ph_str){ph_arena_copy(call->req->arena, s.ptr, s.len), s.len};
}

struct ph_str ph_query(struct ph_call *call, const char *name)
{
    struct ph_str rest = call->req->query, key, value;

    while (rest.len > 0 && next_pair(call, &rest, &key, &value))
        if (ph_str_eq_c(key, name))
            return keep(call, value);
    return PH_STR_NONE;
}

size_t ph_query_list(struct ph_call *call, const char *name, struct ph_str **out)
{
    struct ph_str rest = call->req->query, key, value, item;
    struct ph_str *items = NULL;
    size_t n = 0;

    while (rest.len > 0 && next_pair(call, &rest, &key, &value)) {
        if (key.len > 2 && key.ptr[key.len - 2] == '[' && key.ptr[key.len - 1] == ']')
            key.len -= 2;
        if (!ph_str_eq_c(key, name))
            continue;
        if (!items)
            items = ph_arena_array_of(call->req->arena, struct ph_str, PH_QUERY_LIST_MAX);
        value = keep(call, value);
        while (ph_str_split(&value, ',', &item))
            if (item.len > 0 && n++ < PH_QUERY_LIST_MAX)
                items[n - 1] = item;
    }
    *out = items;
    return n;
}

bool ph_query_bool(struct ph_call *call, const char *name, bool def, bool *out)
{
    struct ph_str value = ph_query(call, name);

    if (value.ptr && !ph_str_eq_c(value, "true") && !ph_str_eq_c(value, "false")) {
        ph_answer_error(call, PH_ERR_BAD_REQUEST,
                        ph_arena_printf(call->req->arena, "%s has to be true or false.", name));
        return false;
    }
    *out = value.ptr ? ph_str_eq_c(value, "true") : def;
    return true;
}

static void decref(void *json)
{
    json_decref(json);
}

/* What jansson refuses although the grammar allows it is told as that. */
static const char *body_fault(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "must not have the character U+0000, as it has at";
    case json_error_numeric_overflow:
        return "has a number that is too large at";
    case json_error_stack_overflow:
        return "is nested too deeply at";
    default:
        return "not valid JSON at";
    }
}

json_t *ph_body_object(struct ph_call *call)
{
    struct ph_faults faults = {0};
    json_error_t error;
    json_t *body = json_loadb(call->req->body.ptr ? call->req->body.ptr : "", call->req->body.len,
                              JSON_DECODE_ANY, &error);

    if (body)
        ph_arena_defer(call->req->arena, decref, body);
    if (json_is_object(body)) {
        call->body = body;
        return body;
    }
    if (body)
        ph_fault(call, &faults, "body", NULL, "has to be an object", "type_error.dict");
    else
        ph_fault(
            call, &faults, "body", NULL,
            ph_arena_printf(call->req->arena, "%s byte %d", body_fault(&error), error.position),
            "value_error.jsondecode");
    (void)ph_faults_answer(call, &faults);
    return NULL;
}

/* W/ makes no difference when a cache asks (RFC 9110, 13.1.2). */
static struct ph_str without_weakness(struct ph_str tag)
{
    bool weak = ph_str_starts(tag, PH_STR("W/"));

    return weak ? (struct ph_str){tag.ptr + 2, tag.len - 2} : tag;
}

bool ph_knows_etag(struct ph_call *call, const char *etag)
{
    struct ph_str header = ph_request_header(call->req, "if-none-match");
    struct ph_str ours = without_weakness(ph_str_of(etag)), tag;

    while (header.len > 0 && ph_str_split(&header, ',', &tag)) {
        tag = ph_str_trim(tag);
        if (ph_str_eq_c(tag, "*") || ph_str_eq(without_weakness(tag), ours))
            return true;
    }
    return false;
}
