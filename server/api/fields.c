#include "posthorn/api.h"

#include <stdlib.h>
#include <string.h>

#define UID_CHARS_MAX      256
#define METADATA_BYTES_MAX 65536

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

bool ph_name_ok(struct ph_str name, size_t max_chars)
{
    if (name.len == 0 || name.len > max_chars)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!name_char(name.ptr[i]))
            return false;
    return true;
}

bool ph_uid_ok(struct ph_str uid, enum ph_id_kind kind)
{
    return ph_name_ok(uid, UID_CHARS_MAX) && !ph_str_starts(uid, ph_str_of(ph_id_prefix(kind)));
}

static size_t count_chars(struct ph_str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
    return n;
}

static struct ph_str str_of(const json_t *json)
{
    return (struct ph_str){json_string_value(json), json_string_length(json)};
}

static json_t *member(json_t *obj, const char *name, bool *present)
{
    json_t *value = json_object_get(obj, name);

    if (present)
        *present = value != NULL;
    return value;
}

struct ph_str ph_field_str(struct ph_call *call, struct ph_faults *f, json_t *obj, const char *name,
                           bool required, size_t min_chars, size_t max_chars, bool *present)
{
    json_t *value = member(obj, name, present);
    struct ph_str s;
    size_t n;

    if (!value && required)
        ph_fault(call, f, "body", name, "field required", "value_error.missing");
    if (!value || (json_is_null(value) && !required))
        return PH_STR_NONE;
    if (!json_is_string(value)) {
        ph_fault(call, f, "body", name, "has to be a string", "type_error.str");
        return PH_STR_NONE;
    }
    s = str_of(value);
    n = count_chars(s);
    if (n >= min_chars && (max_chars == 0 || n <= max_chars))
        return s;
    if (n < min_chars)
        ph_fault(
            call, f, "body", name,
            ph_arena_printf(call->req->arena, "has to have at least %zu characters", min_chars),
            "value_error.any_str.min_length");
    else
        ph_fault(call, f, "body", name,
                 ph_arena_printf(call->req->arena, "has to have at most %zu characters", max_chars),
                 "value_error.any_str.max_length");
    return PH_STR_NONE;
}

bool ph_field_bool(struct ph_call *call, struct ph_faults *f, json_t *obj, const char *name,
                   bool def, bool *present)
{
    json_t *value = member(obj, name, present);

    if (!value)
        return def;
    if (json_is_boolean(value))
        return json_is_true(value);
    ph_fault(call, f, "body", name, "has to be true or false", "type_error.bool");
    return def;
}

int64_t ph_field_int(struct ph_call *call, struct ph_faults *f, json_t *obj, const char *name,
                     int64_t min, int64_t max, bool *present)
{
    json_t *value = member(obj, name, present);

    if (!value || json_is_null(value))
        return -1;
    if (!json_is_integer(value)) {
        ph_fault(call, f, "body", name, "has to be an integer", "type_error.integer");
        return -1;
    }
    if (json_integer_value(value) >= min && json_integer_value(value) <= max)
        return json_integer_value(value);
    ph_fault(call, f, "body", name,
             ph_arena_printf(call->req->arena, "has to be from %lld to %lld", (long long)min,
                             (long long)max),
             json_integer_value(value) < min ? "value_error.number.not_ge"
                                             : "value_error.number.not_le");
    return -1;
}

size_t ph_field_names(struct ph_call *call, struct ph_faults *f, json_t *obj, const char *name,
                      size_t max_items, size_t max_chars, struct ph_str **out, bool *present)
{
    json_t *value = member(obj, name, present), *item;
    struct ph_str *names;
    size_t i;

    *out = NULL;
    if (!value || json_is_null(value))
        return 0;
    if (!json_is_array(value)) {
        ph_fault(call, f, "body", name, "has to be an array", "type_error.list");
        return 0;
    }
    if (json_array_size(value) > max_items) {
        ph_fault(call, f, "body", name,
                 ph_arena_printf(call->req->arena, "has to have at most %zu items", max_items),
                 "value_error.list.max_items");
        return 0;
    }
    names = ph_arena_array_of(call->req->arena, struct ph_str, json_array_size(value));
    json_array_foreach(value, i, item)
    {
        names[i] = json_is_string(item) ? str_of(item) : PH_STR_NONE;
        if (!names[i].ptr || !ph_name_ok(names[i], max_chars)) {
            ph_fault(call, f, "body", name,
                     ph_arena_printf(call->req->arena,
                                     "item %zu has to be 1 to %zu of a-z A-Z 0-9 - _ .", i,
                                     max_chars),
                     "value_error.str.regex");
            return 0;
        }
    }
    *out = names;
    return json_array_size(value);
}

struct ph_str ph_field_uid(struct ph_call *call, struct ph_faults *f, json_t *obj, const char *name,
                           enum ph_id_kind kind, bool *present)
{
    struct ph_str uid = ph_field_str(call, f, obj, name, false, 0, 0, present);

    if (!uid.ptr || ph_uid_ok(uid, kind))
        return uid;
    ph_fault(call, f, "body", name,
             ph_arena_printf(call->req->arena,
                             "has to be 1 to 256 of a-z A-Z 0-9 - _ . and must not begin with %s",
                             ph_id_prefix(kind)),
             "value_error.str.regex");
    return PH_STR_NONE;
}

struct ph_str ph_field_metadata(struct ph_call *call, struct ph_faults *f, json_t *obj,
                                const char *name, bool *present)
{
    json_t *value = member(obj, name, present), *item;
    const char *key;
    char *text;

    if (!value)
        return PH_STR("{}");
    if (!json_is_object(value)) {
        ph_fault(call, f, "body", name, "has to be an object", "type_error.dict");
        return PH_STR("{}");
    }
    json_object_foreach(value, key, item)
    {
        if (!json_is_string(item)) {
            ph_fault(call, f, "body", name, "every value has to be a string", "type_error.str");
            return PH_STR("{}");
        }
    }
    text = json_dumps(value, JSON_COMPACT);
    ph_arena_defer(call->req->arena, free, text);
    if (strlen(text) <= METADATA_BYTES_MAX)
        return ph_str_of(text);
    ph_fault(call, f, "body", name, "has to have at most 65536 bytes as JSON",
             "value_error.any_str.max_length");
    return PH_STR("{}");
}
