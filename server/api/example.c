#include "api/example.h"

#include "posthorn/event_type.h"

#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Bounds of what a schema can make of itself: deeper, and behind so many values, there is null, and then nothing. */
#define DEPTH_MAX  12
#define VALUES_MAX 1000
#define NULLS_MAX  1000
#define LENGTH_MAX 200
#define ITEMS_MAX  10

struct making {
    json_t *root; /* where "#/…" points into */
    int values;
    const char *inside[DEPTH_MAX + 2]; /* the references that are being followed */
    int n_inside;
};

/* NULL: nothing, as it would be inside of itself. */
static json_t *make(struct making *making, json_t *schema, int depth);

static bool is_enough(const struct making *making)
{
    return making->values >= VALUES_MAX + NULLS_MAX;
}

/* A text of the format that is asked for; NULL: any text. */
static const char *formatted(json_t *schema)
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
    return NULL;
}

/* Of a length that is asked for, as far as that is a short one. */
static json_t *string_of(json_t *schema)
{
    const char *text = formatted(schema);
    json_int_t least = json_integer_value(json_object_get(schema, "minLength"));
    json_t *most = json_object_get(schema, "maxLength");
    char any[LENGTH_MAX + 1];
    size_t n = sizeof "string" - 1;

    if (text)
        return json_string(text);
    if (least > (json_int_t)n)
        n = least < LENGTH_MAX ? (size_t)least : LENGTH_MAX;
    if (json_is_integer(most) && json_integer_value(most) < (json_int_t)n)
        n = json_integer_value(most) > 0 ? (size_t)json_integer_value(most) : 0;
    for (size_t i = 0; i < n; i++)
        any[i] = "string"[i % 6];
    return json_stringn(any, n);
}

static json_t *number_of(json_t *schema, bool integer)
{
    json_t *low = json_object_get(schema, "minimum"),
           *above = json_object_get(schema, "exclusiveMinimum");
    json_t *high = json_object_get(schema, "maximum"),
           *below = json_object_get(schema, "exclusiveMaximum");
    json_t *step = json_object_get(schema, "multipleOf");
    double value = json_is_number(low)     ? json_number_value(low)
                   : json_is_number(above) ? json_number_value(above) + 1
                                           : 0;

    if (json_is_number(high) && value > json_number_value(high))
        value = json_number_value(high);
    if (json_is_number(below) && value >= json_number_value(below))
        value = json_number_value(below) - 1;
    if (json_is_number(step) && json_number_value(step) > 0)
        value = ceil(value / json_number_value(step)) * json_number_value(step);
    if (!isfinite(value))
        value = 0;
    if (!integer)
        return json_real(value);
    return json_integer(value > -9e18 && value < 9e18 ? (json_int_t)value : 0);
}

/* Adds what a schema makes, when that is an object. */
static void add_made(struct making *making, json_t *schema, json_t *object, int depth)
{
    json_t *made = make(making, schema, depth + 1);

    if (json_is_object(made))
        json_object_update_missing(object, made);
    json_decref(made);
}

/* Adds the properties of a schema, of those that it is all of, and of the first that it is one of. */
static void add_properties(struct making *making, json_t *schema, json_t *object, int depth)
{
    json_t *property, *part;
    const char *key;
    size_t i;

    json_object_foreach(json_object_get(schema, "properties"), key, property)
    {
        if (is_enough(making))
            break;
        json_object_set_new(object, key, make(making, property, depth + 1));
    }
    json_array_foreach(json_object_get(schema, "allOf"), i, part)
    {
        if (is_enough(making))
            break;
        add_made(making, part, object, depth);
    }
    if ((part = json_array_get(json_object_get(schema, "oneOf"), 0)) ||
        (part = json_array_get(json_object_get(schema, "anyOf"), 0)))
        add_made(making, part, object, depth);
}

/* ~1 stands for '/', ~0 for '~'. */
static void unescape(char *part)
{
    char *to = part;

    for (; *part; part++) {
        bool escaped = part[0] == '~' && (part[1] == '0' || part[1] == '1');
        part += escaped;
        *to++ = !escaped ? *part : *part == '1' ? '/' : '~';
    }
    *to = '\0';
}

/* "#/$defs/x" of the root; NULL: it is nowhere. */
static json_t *find(json_t *root, const char *pointer)
{
    json_t *at = root;
    char *copy, *rest, *part;
    int64_t index;

    if (strcmp(pointer, "#") == 0)
        return root;
    if (strncmp(pointer, "#/", 2) != 0)
        return NULL;
    copy = rest = ph_strdup(pointer + 2);
    while (at && (part = strsep(&rest, "/"))) {
        unescape(part);
        if (json_is_array(at))
            at = ph_str_to_i64(ph_str_of(part), &index) == PH_OK && index >= 0
                     ? json_array_get(at, (size_t)index)
                     : NULL;
        else
            at = json_object_get(at, part);
    }
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

/* How many values it counts as: itself and what is in it, long texts more. */
static int weight_of(const json_t *value)
{
    const json_t *part;
    const char *key;
    size_t i;
    int weight = (int)(json_string_length(value) / 100);

    json_array_foreach(value, i, part)
    {
        weight += 1 + weight_of(part);
        if (weight > VALUES_MAX)
            break;
    }
    json_object_foreach((json_t *)value, key, part)
    {
        weight += 1 + weight_of(part);
        if (weight > VALUES_MAX)
            break;
    }
    return weight;
}

static json_t *make_ref(struct making *making, const char *ref, int depth)
{
    json_t *made;

    for (int i = 0; i < making->n_inside; i++)
        if (strcmp(making->inside[i], ref) == 0)
            return NULL;
    making->inside[making->n_inside++] = ref;
    made = make(making, find(making->root, ref), depth + 1);
    making->n_inside--;
    return made;
}

static json_t *make_array(struct making *making, json_t *schema, int depth)
{
    json_t *array = json_array(), *items = json_object_get(schema, "items");
    json_t *first = json_object_get(schema, json_is_array(items) ? "items" : "prefixItems"), *item;
    json_int_t least = json_integer_value(json_object_get(schema, "minItems"));
    size_t i, n = least > 1 ? least < ITEMS_MAX ? (size_t)least : ITEMS_MAX : 1;

    json_array_foreach(first, i, item)
    {
        if (is_enough(making))
            break;
        json_array_append_new(array, make(making, item, depth + 1));
    }
    for (i = json_array_size(array); json_is_object(items) && i < n; i++)
        json_array_append_new(array, make(making, items, depth + 1)); /* NULL adds nothing */
    return array;
}

static json_t *make_object(struct making *making, json_t *schema, int depth)
{
    json_t *object = json_object();

    add_properties(making, schema, object, depth);
    return object;
}

/* Of a schema that says only what it is all of: those parts that make objects together, or else the first. */
static json_t *make_all(struct making *making, json_t *schema, int depth)
{
    json_t *made = make(making, json_array_get(json_object_get(schema, "allOf"), 0), depth + 1);

    if (json_is_object(made))
        add_properties(making, schema, made, depth);
    return made;
}

static const char *type_of(json_t *schema)
{
    json_t *type = json_object_get(schema, "type");

    if (json_is_array(type))
        type = json_array_get(type, 0);
    if (json_is_string(type))
        return json_string_value(type);
    if (json_object_get(schema, "properties"))
        return "object";
    return json_object_get(schema, "items") ? "array" : "";
}

static json_t *make(struct making *making, json_t *schema, int depth)
{
    json_t *value;
    const char *type, *ref;

    if (depth > DEPTH_MAX || ++making->values > VALUES_MAX || !json_is_object(schema))
        return json_null();
    if ((value = named(schema))) {
        making->values += weight_of(value);
        return making->values > VALUES_MAX ? json_null() : json_deep_copy(value);
    }
    if ((ref = json_string_value(json_object_get(schema, "$ref"))))
        return make_ref(making, ref, depth);
    type = type_of(schema);
    if (!*type && json_array_size(json_object_get(schema, "allOf")))
        return make_all(making, schema, depth);
    if (strcmp(type, "object") != 0 &&
        ((value = json_array_get(json_object_get(schema, "oneOf"), 0)) ||
         (value = json_array_get(json_object_get(schema, "anyOf"), 0))))
        return make(making, value, depth + 1);
    if (strcmp(type, "object") == 0)
        return make_object(making, schema, depth);
    if (strcmp(type, "array") == 0)
        return make_array(making, schema, depth);
    if (strcmp(type, "string") == 0)
        return string_of(schema);
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
    struct making making = {.root = schema, .inside = {"#"}, .n_inside = 1};
    json_t *made = json_is_array(examples) && index > 0
                       ? json_deep_copy(json_array_get(examples, (size_t)index))
                       : make(&making, schema, 0);

    if (!json_is_object(made)) {
        json_decref(made);
        made = json_pack("{s:s%}", "type", name.ptr, name.len);
    }
    char *text = json_dumps(made, JSON_COMPACT | JSON_REAL_PRECISION(15));
    ph_arena_defer(arena, free, text);
    json_decref(made);
    json_decref(schema);
    return ph_str_of(text);
}
