#include "api/example.h"

#include "posthorn/event_type.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Bounds of what a schema can make of itself: deeper, and behind so many values, there is null, and then nothing. */
#define DEPTH_MAX  12
#define VALUES_MAX 1000
#define NULLS_MAX  1000

struct making {
    json_t *root; /* where "#/…" points into */
    int values;
};

static json_t *make(struct making *making, json_t *schema, int depth);

static const char *string_of(json_t *schema)
{
    static const struct {
        const char *format, *text;
    } formats[] = {
        {"date-time", "2026-01-02T03:04:05Z"},
        {"date", "2026-01-02"},
        {"time", "03:04:05Z"},
        {"duration", "P1D"},
        {"email", "somebody@example.com"},
        {"hostname", "www.example.com"},
        {"ipv4", "192.0.2.1"},
        {"ipv6", "2001:db8::1"},
        {"uri", "https://www.example.com/"},
        {"url", "https://www.example.com/"},
        {"uuid", "0193a5c0-0000-7000-8000-000000000000"},
    };
    const char *format = json_string_value(json_object_get(schema, "format"));

    for (size_t i = 0; format && i < sizeof formats / sizeof *formats; i++)
        if (strcmp(format, formats[i].format) == 0)
            return formats[i].text;
    return "string";
}

static json_t *number_of(json_t *schema, bool integer)
{
    json_t *low = json_object_get(schema, "minimum"),
           *above = json_object_get(schema, "exclusiveMinimum");
    json_t *high = json_object_get(schema, "maximum");
    double value = json_is_number(low)     ? json_number_value(low)
                   : json_is_number(above) ? json_number_value(above) + 1
                                           : 0;

    if (json_is_number(high) && value > json_number_value(high))
        value = json_number_value(high);
    if (!integer)
        return json_real(value);
    return json_integer(value > -9e18 && value < 9e18 ? (json_int_t)value : 0);
}

/* Adds the properties of a schema, and of those that it is all of. */
static void add_properties(struct making *making, json_t *schema, json_t *object, int depth)
{
    json_t *property, *part;
    const char *key;
    size_t i;

    json_object_foreach(json_object_get(schema, "properties"), key, property)
    {
        if (making->values < VALUES_MAX + NULLS_MAX)
            json_object_set_new(object, key, make(making, property, depth + 1));
    }
    json_array_foreach(json_object_get(schema, "allOf"), i, part)
    {
        json_t *made = make(making, part, depth + 1);
        if (json_is_object(made))
            json_object_update_missing(object, made);
        json_decref(made);
    }
}

/* "#/definitions/x" of the root; NULL: it is nowhere. */
static json_t *find(json_t *root, const char *pointer)
{
    json_t *at = root;
    char *copy, *rest, *part;

    if (strcmp(pointer, "#") == 0)
        return root;
    if (strncmp(pointer, "#/", 2) != 0)
        return NULL;
    copy = rest = strdup(pointer + 2);
    while (at && (part = strsep(&rest, "/")))
        at = json_object_get(at, part);
    free(copy);
    return at;
}

/* Values that a schema names itself. */
static json_t *named(json_t *schema)
{
    json_t *value;

    if ((value = json_object_get(schema, "const")) ||
        (value = json_object_get(schema, "example")) ||
        (value = json_array_get(json_object_get(schema, "examples"), 0)) ||
        (value = json_object_get(schema, "default")) ||
        (value = json_array_get(json_object_get(schema, "enum"), 0)))
        return value;
    return NULL;
}

static json_t *make_array(struct making *making, json_t *schema, int depth)
{
    json_t *array = json_array(), *items = json_object_get(schema, "items");

    if (json_is_object(items))
        json_array_append_new(array, make(making, items, depth + 1));
    return array;
}

static json_t *make_object(struct making *making, json_t *schema, int depth)
{
    json_t *object = json_object();

    add_properties(making, schema, object, depth);
    return object;
}

static const char *type_of(json_t *schema)
{
    json_t *type = json_object_get(schema, "type");

    if (json_is_array(type))
        type = json_array_get(type, 0);
    if (json_is_string(type))
        return json_string_value(type);
    if (json_object_get(schema, "properties") || json_object_get(schema, "allOf"))
        return "object";
    return json_object_get(schema, "items") ? "array" : "";
}

static json_t *make(struct making *making, json_t *schema, int depth)
{
    json_t *value;
    const char *type, *ref;

    if (depth > DEPTH_MAX || ++making->values > VALUES_MAX || !json_is_object(schema))
        return json_null();
    if ((value = named(schema)))
        return json_deep_copy(value);
    if ((ref = json_string_value(json_object_get(schema, "$ref"))))
        return make(making, find(making->root, ref), depth + 1);
    if ((value = json_array_get(json_object_get(schema, "oneOf"), 0)) ||
        (value = json_array_get(json_object_get(schema, "anyOf"), 0)))
        return make(making, value, depth + 1);
    type = type_of(schema);
    if (strcmp(type, "object") == 0)
        return make_object(making, schema, depth);
    if (strcmp(type, "array") == 0)
        return make_array(making, schema, depth);
    if (strcmp(type, "string") == 0)
        return json_string(string_of(schema));
    if (strcmp(type, "integer") == 0 || strcmp(type, "number") == 0)
        return number_of(schema, *type == 'i');
    if (strcmp(type, "boolean") == 0)
        return json_true();
    return json_null();
}

struct ph_str ph_api_example(struct ph_arena *arena, struct ph_str name, struct ph_str schemas,
                             int64_t index)
{
    struct ph_str version, newest;
    json_t *schema, *examples;

    ph_event_type_newest(schemas, &version, &newest);
    schema = newest.ptr ? json_loadb(newest.ptr, newest.len, 0, NULL) : NULL;
    examples = json_object_get(schema, "examples");
    struct making making = {.root = schema};
    json_t *made = json_is_array(examples) && index > 0
                       ? json_deep_copy(json_array_get(examples, (size_t)index))
                       : make(&making, schema, 0);

    if (!json_is_object(made)) {
        json_decref(made);
        made = json_pack("{s:s%}", "type", name.ptr, name.len);
    }
    char *text = json_dumps(made, JSON_COMPACT);
    ph_arena_defer(arena, free, text);
    json_decref(made);
    json_decref(schema);
    return ph_str_of(text);
}
