#include "posthorn/webhook_spec.h"

#include "core/json_spot.h"
#include "posthorn/json.h"
#include "posthorn/map.h"
#include "posthorn/queue.h"

#include <string.h>

#define DEPTH_MAX 100
/* References to references. */
#define CHAIN_MAX 10
/* Pointers to other places than components/schemas, which are looked for one by one. */
#define SEARCHES_MAX 50

/* A place that schemas refer to, and the name that it has in $defs. */
struct target {
    struct ph_map_node in_map; /* by pointer */
    struct ph_str pointer, name, raw;
    uint32_t added_for; /* number of the webhook whose $defs have it; 0: none */
    struct target *next;
};

struct reader {
    struct ph_arena *arena;
    struct ph_str spec;
    struct ph_map targets;
    struct ph_buf *out;
    struct ph_webhook_fault *fault;
    struct target *first, **last; /* what is still to be written into $defs */
    uint32_t webhook;             /* number of the one that is read, from 1 on */
    int n_searches;
};

static enum ph_err refuse(struct reader *r, const struct json_spot *at, const char *text)
{
    r->fault->where = json_spot_pointer(r->arena, at);
    r->fault->text = text;
    return PH_ERR_VALIDATION;
}

/* The value of a member; absent: there is none, or it is no object. */
static struct ph_str member(struct reader *r, struct ph_str object, const char *name)
{
    struct ph_str rest = object, key, value, decoded, found = PH_STR_NONE;

    if (ph_json_kind_of(object) != PH_JSON_OBJECT)
        return PH_STR_NONE;
    while (ph_json_next_member(&rest, &key, &value))
        if (ph_json_string(r->arena, key, &decoded) == PH_OK && ph_str_eq_c(decoded, name))
            found = value;
    return found;
}

static struct ph_str text_member(struct reader *r, struct ph_str object, const char *name)
{
    struct ph_str raw = member(r, object, name), text;

    return ph_json_kind_of(raw) == PH_JSON_STRING && ph_json_string(r->arena, raw, &text) == PH_OK
               ? text
               : PH_STR_NONE;
}

/* ---- references ---- */

/* A part of a pointer, with ~1 for '/' and ~0 for '~', as a C string. */
static const char *unescape(struct reader *r, struct ph_str part)
{
    char *text = ph_arena_copy(r->arena, part.ptr, part.len);
    size_t n = 0;

    for (size_t i = 0; i < part.len; i++) {
        bool escaped = text[i] == '~' && i + 1 < part.len;
        i += escaped;
        text[n++] = !escaped ? text[i] : text[i] == '1' ? '/' : '~';
    }
    text[n] = '\0';
    return text;
}

static struct ph_str search(struct reader *r, struct ph_str pointer)
{
    struct ph_str rest = pointer, part, raw = r->spec;
    bool more = ph_str_split(&rest, '/', &part); /* "#" */

    while (more && raw.ptr && ph_str_split(&rest, '/', &part))
        raw = member(r, raw, unescape(r, part));
    return raw;
}

static struct target *find_target(struct reader *r, struct ph_str pointer)
{
    struct ph_map_node *node = ph_map_first(&r->targets, ph_str_hash(pointer));

    for (; node; node = ph_map_next(node)) {
        struct target *target = ph_container_of(node, struct target, in_map);
        if (ph_str_eq(target->pointer, pointer))
            return target;
    }
    return NULL;
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

/* Its name is that of the component when it is a plain one, else made unlike all others. */
static struct target *add_target(struct reader *r, struct ph_str pointer, struct ph_str raw)
{
    static const char components[] = "#/components/schemas/";
    struct target *target = ph_arena_new_of(r->arena, struct target);
    char *name = ph_arena_copy(r->arena, pointer.ptr, pointer.len);
    bool plain = ph_str_starts(pointer, ph_str_of(components));

    name += plain ? sizeof components - 1 : 2; /* "#/" */
    for (char *p = name; *p; p++)
        if (!is_plain(*p)) {
            *p = '-';
            plain = false;
        }
    target->pointer = pointer;
    target->name =
        ph_str_of(plain ? name : ph_arena_printf(r->arena, "%s-%zu", name, r->targets.count));
    target->raw = raw;
    ph_map_add(&r->targets, &target->in_map, ph_str_hash(pointer));
    return target;
}

/* All schemas of the components at once, as most references go there. */
static void index_components(struct reader *r)
{
    struct ph_str rest = member(r, member(r, r->spec, "components"), "schemas"), key, value;

    if (ph_json_kind_of(rest) != PH_JSON_OBJECT)
        return;
    while (ph_json_next_member(&rest, &key, &value)) {
        struct ph_str name = {key.ptr + 1, key.len - 2};
        char *pointer =
            ph_arena_printf(r->arena, "#/components/schemas/%.*s", (int)name.len, name.ptr);
        add_target(r, ph_str_of(pointer), value);
    }
}

/* What a reference points to, in this document. */
static enum ph_err resolve(struct reader *r, const struct json_spot *at, struct ph_str raw,
                           struct target **out)
{
    struct ph_str pointer, found;

    if (ph_json_kind_of(raw) != PH_JSON_STRING ||
        ph_json_string(r->arena, raw, &pointer) != PH_OK || !ph_str_starts(pointer, PH_STR("#/")))
        return refuse(
            r, at, "a reference has to point into this document, like #/components/schemas/name");
    if ((*out = find_target(r, pointer)))
        return PH_OK;
    if (++r->n_searches > SEARCHES_MAX)
        return refuse(r, at,
                      "there are too many references to other places than components/schemas");
    found = search(r, pointer);
    if (!found.ptr)
        return refuse(r, at, "there is nothing at this place of the document");
    pointer.ptr = ph_arena_copy(r->arena, pointer.ptr, pointer.len);
    *out = add_target(r, pointer, found);
    return PH_OK;
}

/* A path item, body or the like, or what its $ref points to. */
static enum ph_err follow(struct reader *r, const struct json_spot *at, struct ph_str *raw)
{
    struct target *target;
    struct ph_str ref;

    for (int i = 0; i < CHAIN_MAX; i++) {
        ref = member(r, *raw, "$ref");
        if (!ref.ptr)
            return PH_OK;
        enum ph_err err = resolve(r, at, ref, &target);
        if (err != PH_OK)
            return err;
        *raw = target->raw;
    }
    return refuse(r, at, "references go round in a circle");
}

/* ---- schemas ---- */

static enum ph_err write_value(struct reader *r, const struct json_spot *at, struct ph_str raw);

static enum ph_err write_ref(struct reader *r, const struct json_spot *at, struct ph_str raw)
{
    struct target *target;
    enum ph_err err = resolve(r, at, raw, &target);

    if (err != PH_OK)
        return err;
    if (target->added_for != r->webhook) {
        target->added_for = r->webhook;
        target->next = NULL;
        *r->last = target;
        r->last = &target->next;
    }
    ph_buf_add_c(r->out, "\"#/$defs/");
    ph_buf_add_str(r->out, target->name);
    ph_buf_add_char(r->out, '"');
    return PH_OK;
}

static enum ph_err write_object(struct reader *r, const struct json_spot *at, struct ph_str raw)
{
    struct ph_str rest = raw, key, value;
    bool first = true;
    enum ph_err err = PH_OK;

    ph_buf_add_char(r->out, '{');
    while (err == PH_OK && ph_json_next_member(&rest, &key, &value)) {
        struct json_spot spot = json_spot_member(at, (struct ph_str){key.ptr + 1, key.len - 2});
        if (!first)
            ph_buf_add_char(r->out, ',');
        first = false;
        ph_buf_add_str(r->out, key);
        ph_buf_add_char(r->out, ':');
        err = ph_str_eq(key, PH_STR("\"$ref\"")) && ph_json_kind_of(value) == PH_JSON_STRING
                  ? write_ref(r, &spot, value)
                  : write_value(r, &spot, value);
    }
    ph_buf_add_char(r->out, '}');
    return err;
}

static enum ph_err write_array(struct reader *r, const struct json_spot *at, struct ph_str raw)
{
    struct ph_str rest = raw, element;
    enum ph_err err = PH_OK;

    ph_buf_add_char(r->out, '[');
    for (size_t i = 0; err == PH_OK && ph_json_next_element(&rest, &element); i++) {
        struct json_spot spot = json_spot_element(at, i);
        if (i)
            ph_buf_add_char(r->out, ',');
        err = write_value(r, &spot, element);
    }
    ph_buf_add_char(r->out, ']');
    return err;
}

/* A part of a schema, with its references turned to $defs. */
static enum ph_err write_value(struct reader *r, const struct json_spot *at, struct ph_str raw)
{
    enum ph_json_kind kind = ph_json_kind_of(raw);

    if (at->depth > DEPTH_MAX)
        return refuse(r, at, "is nested too deeply");
    if (r->out->overflow)
        return refuse(r, at, "the schemas are too large together");
    if (kind == PH_JSON_OBJECT)
        return write_object(r, at, raw);
    if (kind == PH_JSON_ARRAY)
        return write_array(r, at, raw);
    ph_buf_add_str(r->out, raw);
    return PH_OK;
}

/* The schema of a body, with $defs of all that it refers to. */
static enum ph_err write_schema(struct reader *r, const struct json_spot *at, struct ph_str raw,
                                struct ph_str *out)
{
    const struct json_spot root = {NULL, PH_STR_NONE, 0, 0};
    size_t start = r->out->len;
    enum ph_err err;

    r->first = NULL;
    r->last = &r->first;
    err = write_value(r, at, raw);
    if (r->out->len - start > 2 && r->first)
        r->out->len--; /* the closing brace */
    for (struct target *t = r->first; err == PH_OK && t; t = t->next) {
        struct json_spot spot = json_spot_member(&root, t->pointer);
        ph_buf_add_c(r->out, t == r->first ? ",\"$defs\":{\"" : ",\"");
        ph_buf_add_str(r->out, t->name);
        ph_buf_add_c(r->out, "\":");
        err = write_value(r, &spot, t->raw);
    }
    if (r->first)
        ph_buf_add_c(r->out, "}}");
    if (err == PH_OK && r->out->overflow)
        err = refuse(r, at, "the schemas are too large together");
    if (err == PH_OK)
        *out = (struct ph_str){ph_arena_copy(r->arena, r->out->ptr + start, r->out->len - start),
                               r->out->len - start};
    return err;
}

/* ---- webhooks ---- */

static int count_members(struct ph_str object)
{
    struct ph_str rest = object, key, value;
    int n = 0;

    while (ph_json_next_member(&rest, &key, &value))
        n++;
    return n;
}

/* The content of a body that is JSON. */
static struct ph_str json_content(struct reader *r, struct ph_str content)
{
    struct ph_str rest = content, key, value;

    if (ph_json_kind_of(content) != PH_JSON_OBJECT)
        return PH_STR_NONE;
    while (ph_json_next_member(&rest, &key, &value)) {
        struct ph_str type = {key.ptr + 1, key.len - 2};
        if (ph_str_starts(type, PH_STR("application/json")) ||
            (type.len > 5 && memcmp(type.ptr + type.len - 5, "+json", 5) == 0))
            return member(r, value, "schema");
    }
    return PH_STR_NONE;
}

static enum ph_err read_body(struct reader *r, const struct json_spot *at, struct ph_str operation,
                             struct ph_webhook *out)
{
    struct ph_str body = member(r, operation, "requestBody"), schema;
    enum ph_err err;

    if (!body.ptr)
        return PH_OK;
    if ((err = follow(r, at, &body)) != PH_OK)
        return err;
    schema = json_content(r, member(r, body, "content"));
    if (ph_json_kind_of(schema) != PH_JSON_OBJECT)
        return PH_OK;
    /* A schema that is nothing but a reference is written as what it refers to. */
    if (count_members(schema) == 1 && (err = follow(r, at, &schema)) != PH_OK)
        return err;
    if (ph_json_kind_of(schema) != PH_JSON_OBJECT)
        return refuse(r, at, "the schema of the body has to be an object");
    return write_schema(r, at, schema, &out->schema);
}

static struct ph_str first_tag(struct reader *r, struct ph_str operation)
{
    struct ph_str tags = member(r, operation, "tags"), tag, text;

    return ph_json_kind_of(tags) == PH_JSON_ARRAY && ph_json_next_element(&tags, &tag) &&
                   ph_json_kind_of(tag) == PH_JSON_STRING &&
                   ph_json_string(r->arena, tag, &text) == PH_OK
               ? text
               : PH_STR_NONE;
}

/* The one thing that is done with a webhook; nearly always POST. */
static struct ph_str operation_of(struct reader *r, struct ph_str item)
{
    static const char *const methods[] = {"post", "put", "patch", "get", "delete"};
    struct ph_str operation = PH_STR_NONE;

    for (size_t i = 0; i < 5 && !operation.ptr; i++)
        operation = member(r, item, methods[i]);
    return operation;
}

static enum ph_err read_webhook(struct reader *r, const struct json_spot *at, struct ph_str item,
                                struct ph_webhook *out)
{
    struct ph_str operation;
    enum ph_err err = follow(r, at, &item);

    if (err != PH_OK)
        return err;
    operation = operation_of(r, item);
    if (ph_json_kind_of(operation) != PH_JSON_OBJECT)
        return refuse(r, at, "has to have an operation, like post");
    struct ph_str texts[] = {
        text_member(r, operation, "description"),
        text_member(r, operation, "summary"),
        text_member(r, item, "description"),
        text_member(r, item, "summary"),
    };
    out->description = PH_STR("");
    for (size_t i = 0; i < 4 && out->description.len == 0; i++)
        if (texts[i].len)
            out->description = texts[i];
    out->deprecated = ph_json_kind_of(member(r, operation, "deprecated")) == PH_JSON_TRUE;
    out->group = text_member(r, operation, "x-group-name");
    if (!out->group.ptr)
        out->group = first_tag(r, operation);
    out->feature_flag = text_member(r, operation, "x-feature-flag");
    return read_body(r, at, operation, out);
}

static enum ph_err read_webhooks(struct reader *r, const struct json_spot *at, struct ph_str raw,
                                 struct ph_webhook *out, size_t *n)
{
    struct ph_str rest = raw, key, value, name;

    while (ph_json_next_member(&rest, &key, &value)) {
        struct json_spot spot = json_spot_member(at, (struct ph_str){key.ptr + 1, key.len - 2});
        if (*n == PH_WEBHOOKS_MAX)
            return refuse(r, at, "has to have at most 1000 webhooks");
        if (ph_json_string(r->arena, key, &name) != PH_OK)
            return refuse(r, &spot, "holds U+0000 or a lone surrogate");
        r->webhook++;
        out[*n].name = name;
        enum ph_err err = read_webhook(r, &spot, value, &out[*n]);
        if (err != PH_OK)
            return err;
        ++*n;
    }
    return PH_OK;
}

static void free_map(void *map)
{
    ph_map_free(map);
}

enum ph_err ph_webhook_spec_read(struct ph_arena *arena, struct ph_str spec,
                                 struct ph_webhook **webhooks, size_t *n,
                                 struct ph_webhook_fault *fault)
{
    static const char *const names[] = {"webhooks", "x-webhooks"};
    const struct json_spot root = {NULL, PH_STR_NONE, 0, 0};
    struct reader *r = ph_arena_new_of(arena, struct reader);
    struct ph_buf out;
    enum ph_err err = PH_OK;

    r->arena = arena;
    r->spec = spec;
    r->fault = fault;
    r->out = &out;
    ph_arena_defer(arena, free_map, &r->targets);
    ph_buf_init(&out, PH_WEBHOOKS_BYTES_MAX);
    index_components(r);
    *webhooks = ph_arena_array_of(arena, struct ph_webhook, PH_WEBHOOKS_MAX);
    *n = 0;
    for (size_t i = 0; i < 2 && err == PH_OK; i++) {
        struct ph_str raw = member(r, spec, names[i]);
        struct json_spot at = json_spot_member(&root, ph_str_of(names[i]));
        if (!raw.ptr)
            continue;
        err = ph_json_kind_of(raw) == PH_JSON_OBJECT ? read_webhooks(r, &at, raw, *webhooks, n)
                                                     : refuse(r, &at, "has to be an object");
    }
    ph_buf_free(&out);
    return err;
}
