#include "posthorn/yaml.h"

#include "posthorn/json.h"

#include <string.h>
#include <yaml.h>

#define DEPTH_MAX 100
/* JSON of a text is at most so many times larger: every byte may have to be escaped. */
#define GROWTH_MAX 7

struct convert {
    yaml_parser_t parser;
    struct ph_json_writer writer;
    struct ph_arena *arena;
    const char *fault;
    bool in_mapping[DEPTH_MAX];
    bool at_key[DEPTH_MAX]; /* of a mapping: the next scalar is a key */
    int depth;
    bool done;
};

static void refuse(struct convert *c, const yaml_mark_t *at, const char *text)
{
    if (!c->fault)
        c->fault = ph_arena_printf(c->arena, "%s (line %zu)", text, at->line + 1);
}

static struct ph_str text_of(const yaml_event_t *event)
{
    return (struct ph_str){(const char *)event->data.scalar.value, event->data.scalar.length};
}

/* Whether a plain scalar is a number of JSON. */
static bool is_number(struct ph_str text)
{
    struct ph_json_field field = {.name = "n"};
    struct ph_json_fault fault;
    char doc[80];

    if (text.len > 64 || memchr(text.ptr, '"', text.len))
        return false;
    int len = snprintf(doc, sizeof doc, "{\"n\":%.*s}", (int)text.len, text.ptr);
    return ph_json_scan((struct ph_str){doc, (size_t)len}, &field, 1, &fault) == PH_OK &&
           field.kind == PH_JSON_NUMBER && field.raw.len == text.len;
}

static void write_plain(struct convert *c, struct ph_str text)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    static const char *const trues[] = {"true", "True", "TRUE"};
    static const char *const falses[] = {"false", "False", "FALSE"};

    for (size_t i = 0; i < 5; i++)
        if (ph_str_eq_c(text, nulls[i])) {
            ph_jw_null(&c->writer);
            return;
        }
    for (size_t i = 0; i < 3; i++)
        if (ph_str_eq_c(text, trues[i]) || ph_str_eq_c(text, falses[i])) {
            ph_jw_bool(&c->writer, ph_str_eq_c(text, trues[i]));
            return;
        }
    if (is_number(text))
        ph_jw_raw(&c->writer, text);
    else
        ph_jw_str(&c->writer, text);
}

static bool *next_is_key(struct convert *c)
{
    return c->depth && c->in_mapping[c->depth - 1] ? &c->at_key[c->depth - 1] : NULL;
}

static void on_scalar(struct convert *c, const yaml_event_t *event)
{
    bool *is_key = next_is_key(c);

    if (is_key && *is_key)
        ph_jw_key_str(&c->writer, text_of(event));
    else if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        write_plain(c, text_of(event));
    else
        ph_jw_str(&c->writer, text_of(event));
    if (is_key)
        *is_key = !*is_key;
}

static void open_container(struct convert *c, const yaml_event_t *event, bool is_mapping)
{
    bool *is_key = next_is_key(c);

    if (is_key && *is_key)
        refuse(c, &event->start_mark, "a key has to be a scalar");
    else if (c->depth == DEPTH_MAX)
        refuse(c, &event->start_mark, "is nested too deeply");
    if (c->fault)
        return;
    if (is_key)
        *is_key = true; /* behind it */
    c->in_mapping[c->depth] = is_mapping;
    c->at_key[c->depth++] = is_mapping;
    if (is_mapping)
        ph_jw_object_begin(&c->writer);
    else
        ph_jw_array_begin(&c->writer);
}

static const char *anchor_of(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return (const char *)event->data.scalar.anchor;
    case YAML_SEQUENCE_START_EVENT:
        return (const char *)event->data.sequence_start.anchor;
    case YAML_MAPPING_START_EVENT:
        return (const char *)event->data.mapping_start.anchor;
    default:
        return NULL;
    }
}

static const char *tag_of(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return (const char *)event->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT:
        return (const char *)event->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT:
        return (const char *)event->data.mapping_start.tag;
    default:
        return NULL;
    }
}

static void on_event(struct convert *c, const yaml_event_t *event)
{
    if (event->type == YAML_ALIAS_EVENT || anchor_of(event))
        refuse(c, &event->start_mark, "anchors and aliases are not supported");
    else if (tag_of(event))
        refuse(c, &event->start_mark, "tags are not supported");
    if (c->fault)
        return;
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        on_scalar(c, event);
        break;
    case YAML_MAPPING_START_EVENT:
    case YAML_SEQUENCE_START_EVENT:
        open_container(c, event, event->type == YAML_MAPPING_START_EVENT);
        break;
    case YAML_MAPPING_END_EVENT:
        c->depth--;
        ph_jw_object_end(&c->writer);
        break;
    case YAML_SEQUENCE_END_EVENT:
        c->depth--;
        ph_jw_array_end(&c->writer);
        break;
    case YAML_DOCUMENT_END_EVENT:
    case YAML_STREAM_END_EVENT:
        c->done = true; /* one is enough */
        break;
    default:
        break;
    }
}

static void convert(struct convert *c)
{
    yaml_event_t event;

    while (!c->done && !c->fault) {
        if (!yaml_parser_parse(&c->parser, &event)) {
            refuse(c, &c->parser.problem_mark,
                   c->parser.problem ? c->parser.problem : "is not valid YAML");
            return;
        }
        on_event(c, &event);
        yaml_event_delete(&event);
    }
}

enum ph_err ph_yaml_to_json(struct ph_arena *arena, struct ph_str yaml, struct ph_str *json,
                            const char **fault)
{
    struct convert *c = ph_arena_new_of(arena, struct convert);
    struct ph_buf buf;

    c->arena = arena;
    ph_buf_init(&buf, yaml.len * GROWTH_MAX + 64);
    ph_jw_init(&c->writer, &buf);
    if (!yaml_parser_initialize(&c->parser)) {
        *fault = "there is no memory";
        return PH_ERR_VALIDATION;
    }
    yaml_parser_set_encoding(&c->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&c->parser, (const unsigned char *)yaml.ptr, yaml.len);
    convert(c);
    yaml_parser_delete(&c->parser);
    if (!c->fault && (buf.overflow || buf.len == 0))
        c->fault = "is empty";
    if (!c->fault)
        *json = (struct ph_str){ph_arena_copy(arena, buf.ptr, buf.len), buf.len};
    ph_buf_free(&buf);
    *fault = c->fault;
    return c->fault ? PH_ERR_VALIDATION : PH_OK;
}
