#include "posthorn/schema.h"

#include "core/json_spot.h"
#include "core/schema_internal.h"

#include <string.h>

#define DEPTH_MAX 64

struct compile {
    struct ph_schema *schema;
    struct ph_schema_fault *fault;
    struct schema_node **with_ref; /* those whose $ref is not found yet */
    size_t n_with_ref;
};

static enum ph_err refuse(struct compile *c, const struct json_spot *at, const char *text)
{
    c->fault->where = json_spot_pointer(c->schema->arena, at);
    c->fault->text = text;
    return PH_ERR_VALIDATION;
}

static enum ph_err read_schema(struct compile *c, const struct json_spot *at, struct ph_str raw,
                               struct schema_node **out);

/* ---- values of keywords ---- */

static enum ph_err read_string(struct compile *c, const struct json_spot *at, struct ph_str raw,
                               struct ph_str *out)
{
    if (ph_json_kind_of(raw) != PH_JSON_STRING)
        return refuse(c, at, "has to be a string");
    if (ph_json_string(c->schema->arena, raw, out) != PH_OK)
        return refuse(c, at, "holds U+0000 or a lone surrogate");
    return PH_OK;
}

static enum ph_err read_number(struct compile *c, const struct json_spot *at, struct ph_str raw,
                               struct ph_decimal *out)
{
    if (ph_json_kind_of(raw) != PH_JSON_NUMBER)
        return refuse(c, at, "has to be a number");
    *out = ph_decimal_of(raw);
    if (raw.len > 64 || out->magnitude > 1000 || out->magnitude < -1000)
        return refuse(c, at, "has to have at most 64 characters and an exponent within 1000");
    return PH_OK;
}

static enum ph_err read_count(struct compile *c, const struct json_spot *at, struct ph_str raw,
                              int64_t *out)
{
    struct ph_decimal d;
    enum ph_err err = read_number(c, at, raw, &d);

    if (err != PH_OK)
        return err;
    if (d.sign < 0 || d.magnitude > 9 || !ph_decimal_is_integer(&d))
        return refuse(c, at, "has to be a whole number from 0 to 999999999");
    *out = 0;
    for (int64_t i = 0; d.sign && i < d.magnitude; i++) {
        if (d.digits < d.end && *d.digits == '.')
            d.digits++;
        *out = *out * 10 + (d.digits < d.end ? *d.digits++ - '0' : 0);
    }
    return PH_OK;
}

static enum ph_err read_flag(struct compile *c, const struct json_spot *at, struct ph_str raw,
                             bool *out)
{
    enum ph_json_kind kind = ph_json_kind_of(raw);

    *out = kind == PH_JSON_TRUE;
    return kind == PH_JSON_TRUE || kind == PH_JSON_FALSE ? PH_OK
                                                         : refuse(c, at, "has to be true or false");
}

static size_t count_of(struct ph_str raw)
{
    bool is_object = ph_json_kind_of(raw) == PH_JSON_OBJECT;
    struct ph_str rest = raw, key, value;
    size_t n = 0;

    while (is_object ? ph_json_next_member(&rest, &key, &value)
                     : ph_json_next_element(&rest, &value))
        n++;
    return n;
}

static enum ph_err read_names(struct compile *c, const struct json_spot *at, struct ph_str raw,
                              struct ph_str **out, size_t *n)
{
    struct ph_str rest = raw, element;

    if (ph_json_kind_of(raw) != PH_JSON_ARRAY)
        return refuse(c, at, "has to be an array of strings");
    *out = ph_arena_array_of(c->schema->arena, struct ph_str, count_of(raw));
    for (*n = 0; ph_json_next_element(&rest, &element); ++*n) {
        struct json_spot item = json_spot_element(at, *n);
        enum ph_err err = read_string(c, &item, element, &(*out)[*n]);
        if (err != PH_OK)
            return err;
    }
    return PH_OK;
}

static enum ph_err read_list(struct compile *c, const struct json_spot *at, struct ph_str raw,
                             struct schema_list *out)
{
    struct ph_str rest = raw, element;

    if (ph_json_kind_of(raw) != PH_JSON_ARRAY)
        return refuse(c, at, "has to be an array of schemas");
    if (out->nodes)
        return refuse(c, at, "prefixItems and a list of items exclude each other");
    out->nodes = ph_arena_array_of(c->schema->arena, struct schema_node *, count_of(raw));
    while (ph_json_next_element(&rest, &element)) {
        struct json_spot item = json_spot_element(at, out->n);
        enum ph_err err = read_schema(c, &item, element, &out->nodes[out->n]);
        if (err != PH_OK)
            return err;
        out->n++;
    }
    return PH_OK;
}

/* The members of an object one after the other, with their names decoded. False: the end, or *err. */
struct members {
    struct ph_str rest, name, value;
    struct json_spot spot;
};

static bool next_member(struct compile *c, const struct json_spot *at, struct members *m,
                        enum ph_err *err)
{
    struct ph_str key;

    *err = PH_OK;
    if (!ph_json_next_member(&m->rest, &key, &m->value))
        return false;
    *err = read_string(c, at, key, &m->name);
    m->spot = json_spot_member(at, m->name);
    return *err == PH_OK;
}

/* ---- keywords ---- */

uint64_t schema_property_hash(const struct schema_node *of, struct ph_str name)
{
    return ph_str_hash(name) ^ (uint64_t)(uintptr_t)of * UINT64_C(0x9e3779b97f4a7c15);
}

static enum ph_err read_properties(struct compile *c, const struct json_spot *at, struct ph_str raw,
                                   struct schema_node *node)
{
    struct members m = {.rest = raw};
    enum ph_err err;

    if (ph_json_kind_of(raw) != PH_JSON_OBJECT)
        return refuse(c, at, "has to be an object of schemas");
    node->properties = ph_arena_array_of(c->schema->arena, struct schema_property, count_of(raw));
    while (next_member(c, at, &m, &err)) {
        struct schema_property *p = &node->properties[node->n_properties];
        p->of = node;
        p->name = m.name;
        if ((err = read_schema(c, &m.spot, m.value, &p->schema)) != PH_OK)
            return err;
        ph_map_add(&c->schema->properties, &p->in_map, schema_property_hash(node, p->name));
        node->n_properties++;
    }
    return err;
}

static enum ph_err read_regex(struct compile *c, const struct json_spot *at, struct ph_str text,
                              struct ph_regex **out)
{
    const char *fault;

    if (++c->schema->n_regexes > PH_SCHEMA_REGEX_MAX)
        return refuse(c, at, "there are more than 100 regular expressions");
    if (ph_regex_compile(c->schema->arena, text, out, &fault) == PH_OK)
        return PH_OK;
    return refuse(c, at, fault);
}

static enum ph_err read_patterns(struct compile *c, const struct json_spot *at, struct ph_str raw,
                                 struct schema_node *node)
{
    struct members m = {.rest = raw};
    enum ph_err err;

    if (ph_json_kind_of(raw) != PH_JSON_OBJECT)
        return refuse(c, at, "has to be an object of schemas");
    node->patterns = ph_arena_array_of(c->schema->arena, struct schema_pattern, count_of(raw));
    while (next_member(c, at, &m, &err)) {
        struct schema_pattern *p = &node->patterns[node->n_patterns];
        if ((err = read_regex(c, &m.spot, m.name, &p->regex)) != PH_OK ||
            (err = read_schema(c, &m.spot, m.value, &p->schema)) != PH_OK)
            return err;
        node->n_patterns++;
    }
    return err;
}

/* dependentRequired and dependentSchemas, which were one keyword, dependencies. */
static enum ph_err read_dependencies(struct compile *c, const struct json_spot *at,
                                     struct ph_str raw, struct schema_node *node)
{
    struct members m = {.rest = raw};
    struct schema_dependency *all;
    enum ph_err err;

    if (ph_json_kind_of(raw) != PH_JSON_OBJECT)
        return refuse(c, at, "has to be an object");
    all = ph_arena_array_of(c->schema->arena, struct schema_dependency,
                            node->n_dependencies + count_of(raw));
    if (node->n_dependencies)
        memcpy(all, node->dependencies, node->n_dependencies * sizeof *all);
    node->dependencies = all;
    while (next_member(c, at, &m, &err)) {
        struct schema_dependency *d = &all[node->n_dependencies];
        d->name = m.name;
        err = ph_json_kind_of(m.value) == PH_JSON_ARRAY
                  ? read_names(c, &m.spot, m.value, &d->required, &d->n_required)
                  : read_schema(c, &m.spot, m.value, &d->schema);
        if (err != PH_OK)
            return err;
        node->n_dependencies++;
    }
    return err;
}

static unsigned type_named(struct ph_str name)
{
    static const struct {
        const char *name;
        unsigned type;
    } types[] = {
        {"null", SCHEMA_NULL},       {"boolean", SCHEMA_BOOLEAN}, {"object", SCHEMA_OBJECT},
        {"array", SCHEMA_ARRAY},     {"string", SCHEMA_STRING},   {"number", SCHEMA_NUMBER},
        {"integer", SCHEMA_INTEGER},
    };

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (ph_str_eq_c(name, types[i].name))
            return types[i].type;
    return 0;
}

static enum ph_err read_types(struct compile *c, const struct json_spot *at, struct ph_str raw,
                              struct schema_node *node)
{
    struct ph_str one, *names = &one;
    size_t n = 1;
    enum ph_err err = ph_json_kind_of(raw) == PH_JSON_ARRAY ? read_names(c, at, raw, &names, &n)
                                                            : read_string(c, at, raw, &one);

    for (size_t i = 0; err == PH_OK && i < n; i++) {
        unsigned type = type_named(names[i]);
        node->types |= type;
        if (!type)
            err = refuse(c, at,
                         "has to be of null, boolean, object, array, string, number and integer");
    }
    return err != PH_OK || n ? err : refuse(c, at, "has to name a type");
}

static enum ph_err read_items(struct compile *c, const struct json_spot *at, struct ph_str raw,
                              struct schema_node *node)
{
    node->items_are_listed = ph_json_kind_of(raw) == PH_JSON_ARRAY;
    return node->items_are_listed ? read_list(c, at, raw, &node->prefix_items)
                                  : read_schema(c, at, raw, &node->items);
}

static enum ph_err read_multiple(struct compile *c, const struct json_spot *at, struct ph_str raw,
                                 struct schema_node *node)
{
    struct ph_decimal d;
    enum ph_err err = read_number(c, at, raw, &d);

    node->has_multiple = true;
    if (err == PH_OK && ph_decimal_divisor_of(&d, &node->multiple) != PH_OK)
        return refuse(c, at, "has to be above 0 and have at most 15 digits");
    return err;
}

static enum ph_err read_enum(struct compile *c, const struct json_spot *at, struct ph_str raw,
                             struct schema_node *node)
{
    node->enum_values = raw;
    return ph_json_kind_of(raw) == PH_JSON_ARRAY ? PH_OK : refuse(c, at, "has to be an array");
}

static enum ph_err read_const(struct compile *c, const struct json_spot *at, struct ph_str raw,
                              struct schema_node *node)
{
    (void)c;
    (void)at;
    node->const_value = raw;
    return PH_OK;
}

static enum ph_err read_ref(struct compile *c, const struct json_spot *at, struct ph_str raw,
                            struct schema_node *node)
{
    enum ph_err err = read_string(c, at, raw, &node->ref_text);

    if (err != PH_OK)
        return err;
    if (!ph_str_eq_c(node->ref_text, "#") && !ph_str_starts(node->ref_text, PH_STR("#/")))
        return refuse(c, at, "has to point into this schema, like #/$defs/name");
    if (c->n_with_ref == PH_SCHEMA_REFS_MAX)
        return refuse(c, at, "there are more than 500 references");
    node->ref_where = json_spot_pointer(c->schema->arena, at);
    c->with_ref[c->n_with_ref++] = node;
    return PH_OK;
}

static enum ph_err read_pattern(struct compile *c, const struct json_spot *at, struct ph_str raw,
                                struct schema_node *node)
{
    struct ph_str text;
    enum ph_err err = read_string(c, at, raw, &text);

    return err == PH_OK ? read_regex(c, at, text, &node->pattern) : err;
}

static enum ph_err read_required(struct compile *c, const struct json_spot *at, struct ph_str raw,
                                 struct schema_node *node)
{
    return read_names(c, at, raw, &node->required, &node->n_required);
}

static enum ph_err read_id(struct compile *c, const struct json_spot *at, struct ph_str raw,
                           struct schema_node *node)
{
    (void)raw;
    (void)node;
    return at->depth == 1 ? PH_OK : refuse(c, at, "is not supported inside of a schema");
}

static enum ph_err refuse_keyword(struct compile *c, const struct json_spot *at, struct ph_str raw,
                                  struct schema_node *node)
{
    (void)raw;
    (void)node;
    return refuse(c, at, "this keyword is not supported, and would not be checked");
}

enum keyword_kind { BY_FUNCTION, NUMBER, COUNT, SCHEMA, LIST, FLAG };

static const struct keyword {
    const char *name;
    enum keyword_kind kind;
    enum ph_err (*read)(struct compile *, const struct json_spot *, struct ph_str,
                        struct schema_node *);
    size_t offset, flag_offset; /* in the node; NUMBER: also of what says that it is set */
} keywords[] = {
#define F(name, function)                                                                          \
    {                                                                                              \
        name, BY_FUNCTION, function, 0, 0                                                          \
    }
#define M(name, kind, member)                                                                      \
    {                                                                                              \
        name, kind, NULL, offsetof(struct schema_node, member), 0                                  \
    }
#define N(name, member)                                                                            \
    {                                                                                              \
        name, NUMBER, NULL, offsetof(struct schema_node, member),                                  \
            offsetof(struct schema_node, has_##member)                                             \
    }
    F("type", read_types),
    F("enum", read_enum),
    F("const", read_const),
    F("properties", read_properties),
    F("required", read_required),
    F("items", read_items),
    F("$ref", read_ref),
    F("pattern", read_pattern),
    F("multipleOf", read_multiple),
    F("patternProperties", read_patterns),
    F("dependentRequired", read_dependencies),
    F("dependentSchemas", read_dependencies),
    F("dependencies", read_dependencies),
    F("$id", read_id),
    F("unevaluatedProperties", refuse_keyword),
    F("unevaluatedItems", refuse_keyword),
    F("$dynamicRef", refuse_keyword),
    F("$dynamicAnchor", refuse_keyword),
    F("$recursiveRef", refuse_keyword),
    F("$recursiveAnchor", refuse_keyword),
    F("$anchor", refuse_keyword),
    F("$vocabulary", refuse_keyword),
    F("disallow", refuse_keyword),
    F("extends", refuse_keyword),
    N("minimum", minimum),
    N("maximum", maximum),
    N("exclusiveMinimum", above),
    N("exclusiveMaximum", below),
    M("minLength", COUNT, min_length),
    M("maxLength", COUNT, max_length),
    M("minItems", COUNT, min_items),
    M("maxItems", COUNT, max_items),
    M("minContains", COUNT, min_contains),
    M("maxContains", COUNT, max_contains),
    M("minProperties", COUNT, min_properties),
    M("maxProperties", COUNT, max_properties),
    M("uniqueItems", FLAG, unique),
    M("nullable", FLAG, nullable),
    M("prefixItems", LIST, prefix_items),
    M("allOf", LIST, all_of),
    M("anyOf", LIST, any_of),
    M("oneOf", LIST, one_of),
    M("additionalItems", SCHEMA, additional_items),
    M("contains", SCHEMA, contains),
    M("additionalProperties", SCHEMA, additional_properties),
    M("propertyNames", SCHEMA, property_names),
    M("not", SCHEMA, not ),
    M("if", SCHEMA, if_),
    M("then", SCHEMA, then),
    M("else", SCHEMA, else_),
#undef F
#undef M
#undef N
};

_Static_assert(sizeof keywords / sizeof *keywords <= 64, "they are bits of schema_node.keywords");

static enum ph_err read_keyword(struct compile *c, const struct json_spot *at, struct ph_str name,
                                struct ph_str raw, struct schema_node *node)
{
    const struct keyword *k = keywords;
    const struct keyword *end = keywords + sizeof keywords / sizeof *keywords;
    uint64_t bit;
    char *member;

    while (k < end && !ph_str_eq_c(name, k->name))
        k++;
    if (k == end)
        return PH_OK; /* an annotation */
    bit = UINT64_C(1) << (k - keywords);
    if (node->keywords & bit)
        return refuse(c, at, "is there twice");
    node->keywords |= bit;
    member = (char *)node + k->offset;
    switch (k->kind) {
    case NUMBER:
        *(bool *)((char *)node + k->flag_offset) = true;
        return read_number(c, at, raw, (void *)member);
    case COUNT:
        return read_count(c, at, raw, (void *)member);
    case SCHEMA:
        return read_schema(c, at, raw, (void *)member);
    case LIST:
        return read_list(c, at, raw, (void *)member);
    case FLAG:
        return read_flag(c, at, raw, (void *)member);
    default:
        return k->read(c, at, raw, node);
    }
}

/* ---- schemas ---- */

static uint64_t text_hash(const char *at)
{
    return (uint64_t)(uintptr_t)at * UINT64_C(0x9e3779b97f4a7c15);
}

static struct schema_node *find_node(const struct ph_schema *schema, struct ph_str raw)
{
    struct ph_map_node *node = ph_map_first(&schema->nodes, text_hash(raw.ptr));

    for (; node; node = ph_map_next(node)) {
        struct schema_node *found = ph_container_of(node, struct schema_node, in_map);
        if (found->raw.ptr == raw.ptr)
            return found;
    }
    return NULL;
}

static struct schema_node *new_node(struct ph_schema *schema, struct ph_str raw)
{
    struct schema_node *node = ph_arena_new_of(schema->arena, struct schema_node);

    node->raw = raw;
    node->min_length = node->max_length = node->min_items = node->max_items = -1;
    node->min_properties = node->max_properties = node->min_contains = node->max_contains = -1;
    ph_map_add(&schema->nodes, &node->in_map, text_hash(raw.ptr));
    schema->n_nodes++;
    return node;
}

static enum ph_err read_schema(struct compile *c, const struct json_spot *at, struct ph_str raw,
                               struct schema_node **out)
{
    enum ph_json_kind kind = ph_json_kind_of(raw);
    struct members m = {.rest = raw};
    struct schema_node *node;
    enum ph_err err;

    if ((*out = find_node(c->schema, raw)))
        return PH_OK;
    if (c->schema->n_nodes == PH_SCHEMA_NODES_MAX)
        return refuse(c, at, "there are more than 5000 schemas");
    if (at->depth > DEPTH_MAX)
        return refuse(c, at, "is nested too deeply");
    *out = node = new_node(c->schema, raw);
    node->never = kind == PH_JSON_FALSE;
    if (kind == PH_JSON_TRUE || kind == PH_JSON_FALSE)
        return PH_OK;
    if (kind != PH_JSON_OBJECT)
        return refuse(c, at, "has to be an object, true or false");
    while (next_member(c, at, &m, &err))
        if ((err = read_keyword(c, &m.spot, m.name, m.value, node)) != PH_OK)
            return err;
    if (node->nullable && node->types)
        node->types |= SCHEMA_NULL;
    return err;
}

/* ---- $ref ---- */

/* The byte that two hex digits stand for; -1: they are none. */
static int hex_byte(const char *p)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *high = memchr(digits, p[0], sizeof digits - 1);
    const char *low = memchr(digits, p[1], sizeof digits - 1);

    return high && low ? (int)((high - digits) % 16 * 16 + (low - digits) % 16) : -1;
}

/* One part of a pointer in a URI: ~1 stands for '/', ~0 for '~', %xx for a byte. */
static struct ph_str unescape(struct ph_arena *arena, struct ph_str part)
{
    char *text = ph_arena_alloc(arena, part.len + 1);
    size_t n = 0;

    for (size_t i = 0; i < part.len; i++)
        if (part.ptr[i] == '%' && part.len - i > 2 && hex_byte(part.ptr + i + 1) > 0) {
            text[n++] = (char)hex_byte(part.ptr + i + 1);
            i += 2;
        } else {
            text[n++] = part.ptr[i];
        }
    part.len = n;
    n = 0;
    for (size_t i = 0; i < part.len; i++) {
        bool escaped = text[i] == '~' && i + 1 < part.len;
        i += escaped;
        text[n++] = !escaped ? text[i] : text[i] == '1' ? '/' : '~';
    }
    return (struct ph_str){text, n};
}

static bool step_into(struct ph_arena *arena, struct ph_str *raw, struct ph_str name)
{
    struct ph_str rest = *raw, key, value, decoded;
    bool found = false;

    if (ph_json_kind_of(*raw) == PH_JSON_ARRAY) {
        int64_t index;
        if (ph_str_to_i64(name, &index) != PH_OK || index < 0)
            return false;
        while (ph_json_next_element(&rest, &value))
            if (index-- == 0) {
                *raw = value;
                return true;
            }
        return false;
    }
    if (ph_json_kind_of(*raw) != PH_JSON_OBJECT)
        return false;
    while (ph_json_next_member(&rest, &key, &value))
        if (ph_json_string(arena, key, &decoded) == PH_OK && ph_str_eq(decoded, name)) {
            *raw = value;
            found = true;
        }
    return found;
}

static enum ph_err find_refs(struct compile *c)
{
    struct ph_arena *arena = c->schema->arena;
    const struct json_spot root = {NULL, PH_STR_NONE, 0, 0};
    enum ph_err err;

    for (size_t i = 0; i < c->n_with_ref; i++) { /* which grows */
        struct schema_node *node = c->with_ref[i];
        struct ph_str rest = node->ref_text, part, raw = c->schema->raw;
        struct json_spot spots[DEPTH_MAX];
        const struct json_spot *at = &root;
        bool found = ph_str_split(&rest, '/', &part);
        while (found && ph_str_split(&rest, '/', &part)) {
            part = unescape(arena, part);
            found = at->depth < DEPTH_MAX && step_into(arena, &raw, part);
            if (found) {
                spots[at->depth] = json_spot_member(at, part);
                at = &spots[at->depth];
            }
        }
        if (!found) {
            c->fault->where = node->ref_where;
            c->fault->text = "there is nothing at this place of the schema";
            return PH_ERR_VALIDATION;
        }
        if ((err = read_schema(c, at, raw, &node->ref)) != PH_OK)
            return err;
    }
    return PH_OK;
}

size_t ph_schema_bytes(const struct ph_schema *schema)
{
    return schema->raw.len + schema->n_nodes * sizeof(struct schema_node) +
           schema->n_regexes * (size_t)PH_REGEX_STEPS_MAX * 8;
}

static void free_map(void *map)
{
    ph_map_free(map);
}

enum ph_err ph_schema_compile(struct ph_arena *arena, struct ph_str json, struct ph_schema **out,
                              struct ph_schema_fault *fault)
{
    struct ph_schema *schema = *out = ph_arena_new_of(arena, struct ph_schema);
    struct compile c = {.schema = schema, .fault = fault};
    const struct json_spot root = {NULL, PH_STR_NONE, 0, 0};
    enum ph_err err;

    schema->arena = arena;
    ph_arena_defer(arena, free_map, &schema->nodes);
    ph_arena_defer(arena, free_map, &schema->properties);
    if (json.len > PH_SCHEMA_BYTES_MAX)
        return refuse(&c, &root, "has to have at most 131072 bytes");
    schema->raw = (struct ph_str){ph_arena_copy(arena, json.ptr, json.len), json.len};
    c.with_ref = ph_arena_array_of(arena, struct schema_node *, PH_SCHEMA_REFS_MAX);
    err = read_schema(&c, &root, schema->raw, &schema->root);
    return err == PH_OK ? find_refs(&c) : err;
}
