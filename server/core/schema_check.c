#include "core/json_spot.h"
#include "core/schema_internal.h"

#include <string.h>

/* Schemas within schemas: a $ref that leads to itself without going into the payload ends here. */
#define DEPTH_MAX 600

struct check {
    const struct ph_schema *schema;
    struct ph_arena *arena;
    struct ph_schema_fault *fault;
    struct ph_regex_scratch *scratch;
    int64_t work; /* that is left */
    int depth;
    int quiet;    /* only trying: what is wrong need not be said */
    bool gave_up; /* the work was too much: no answer counts any more */
};

static bool check_node(struct check *c, const struct schema_node *node, struct ph_str raw,
                       const struct json_spot *at);

static bool spend(struct check *c, size_t work)
{
    c->work -= (int64_t)work;
    if (c->work < 0)
        c->gave_up = true;
    return !c->gave_up;
}

/* False, for the caller to return. */
static bool wrong(struct check *c, const struct json_spot *at, const char *text)
{
    if (!c->quiet && !c->fault->text) {
        c->fault->where = json_spot_pointer(c->arena, at);
        c->fault->text = text;
    }
    return false;
}

static bool wrong_by(struct check *c, const struct json_spot *at, const char *format, int64_t n)
{
    return wrong(c, at, c->quiet ? "" : ph_arena_printf(c->arena, format, (long long)n));
}

static bool try_node(struct check *c, const struct schema_node *node, struct ph_str raw,
                     const struct json_spot *at)
{
    bool matches;

    c->quiet++;
    matches = check_node(c, node, raw, at);
    c->quiet--;
    return matches;
}

/* ---- values that are the same ---- */

static bool equal(struct check *c, struct ph_str a, struct ph_str b);

static bool equal_strings(struct check *c, struct ph_str a, struct ph_str b)
{
    struct ph_str x, y;

    if (ph_str_eq(a, b))
        return true;
    return (memchr(a.ptr, '\\', a.len) || memchr(b.ptr, '\\', b.len)) && spend(c, a.len + b.len) &&
           ph_json_string(c->arena, a, &x) == PH_OK && ph_json_string(c->arena, b, &y) == PH_OK &&
           ph_str_eq(x, y);
}

static bool equal_arrays(struct check *c, struct ph_str a, struct ph_str b)
{
    struct ph_str x, y;

    for (;;) {
        bool more = ph_json_next_element(&a, &x);
        if (more != ph_json_next_element(&b, &y))
            return false;
        if (!more)
            return true;
        if (!equal(c, x, y))
            return false;
    }
}

static bool equal_objects(struct check *c, struct ph_str a, struct ph_str b)
{
    struct ph_str rest, name, value, key, other, found;
    int n = 0;

    for (; ph_json_next_member(&a, &name, &value); n++) {
        found = PH_STR_NONE;
        for (rest = b; spend(c, 1) && ph_json_next_member(&rest, &key, &other);)
            if (equal_strings(c, name, key))
                found = other;
        if (!found.ptr || !equal(c, value, found))
            return false;
    }
    while (ph_json_next_member(&b, &name, &value))
        n--;
    return n == 0;
}

static bool equal(struct check *c, struct ph_str a, struct ph_str b)
{
    enum ph_json_kind kind = ph_json_kind_of(a);
    struct ph_decimal x, y;

    if (kind != ph_json_kind_of(b) || !spend(c, 1 + (a.len + b.len) / 16))
        return false;
    switch (kind) {
    case PH_JSON_STRING:
        return equal_strings(c, a, b);
    case PH_JSON_NUMBER:
        x = ph_decimal_of(a);
        y = ph_decimal_of(b);
        return ph_decimal_compare(&x, &y) == 0;
    case PH_JSON_ARRAY:
        return equal_arrays(c, a, b);
    case PH_JSON_OBJECT:
        return equal_objects(c, a, b);
    default:
        return true;
    }
}

/* ---- numbers and strings ---- */

static bool check_number(struct check *c, const struct schema_node *n, struct ph_str raw,
                         const struct json_spot *at)
{
    struct ph_decimal d = ph_decimal_of(raw);

    if (!spend(c, raw.len))
        return false;
    if (n->has_minimum && ph_decimal_compare(&d, &n->minimum) < 0)
        return wrong(c, at, "is below the minimum");
    if (n->has_maximum && ph_decimal_compare(&d, &n->maximum) > 0)
        return wrong(c, at, "is above the maximum");
    if (n->has_above && ph_decimal_compare(&d, &n->above) <= 0)
        return wrong(c, at, "has to be above the exclusiveMinimum");
    if (n->has_below && ph_decimal_compare(&d, &n->below) >= 0)
        return wrong(c, at, "has to be below the exclusiveMaximum");
    if (n->has_multiple && !ph_decimal_is_multiple(&d, &n->multiple))
        return wrong(c, at, "is no multiple of the multipleOf");
    return true;
}

/* Characters of a raw string, an escaped surrogate pair as one. */
static int64_t count_chars(struct ph_str raw)
{
    const char *p = raw.ptr + 1, *end = raw.ptr + raw.len - 1;
    int64_t n = 0;

    for (; p < end; n++) {
        if (*p != '\\') {
            for (p++; p < end && ((unsigned char)*p & 0xc0) == 0x80;)
                p++;
        } else if (p[1] != 'u') {
            p += 2;
        } else {
            bool high = (p[2] | 0x20) == 'd' && strchr("89abAB", p[3]);
            p += 6;
            if (high && end - p >= 6 && p[0] == '\\' && p[1] == 'u' && (p[2] | 0x20) == 'd' &&
                strchr("cdefCDEF", p[3]))
                p += 6;
        }
    }
    return n;
}

static bool find_pattern(struct check *c, const struct ph_regex *regex, struct ph_str text)
{
    bool found;

    if (!c->scratch)
        c->scratch = ph_regex_scratch_new(c->arena);
    found = ph_regex_matches(regex, c->scratch, text, &c->work);
    return spend(c, text.len) && found;
}

static bool check_string(struct check *c, const struct schema_node *n, struct ph_str raw,
                         const struct json_spot *at)
{
    struct ph_str text;
    int64_t length;

    if (n->min_length >= 0 || n->max_length >= 0) {
        if (!spend(c, raw.len))
            return false;
        length = count_chars(raw);
        if (n->min_length > length)
            return wrong_by(c, at, "has to have at least %lld characters", n->min_length);
        if (n->max_length >= 0 && n->max_length < length)
            return wrong_by(c, at, "has to have at most %lld characters", n->max_length);
    }
    if (!n->pattern)
        return true;
    if (ph_json_string(c->arena, raw, &text) != PH_OK)
        return wrong(c, at, "holds U+0000 or a lone surrogate");
    return find_pattern(c, n->pattern, text) || wrong(c, at, "does not match the pattern");
}

/* ---- arrays ---- */

static uint64_t mix(uint64_t a, uint64_t b)
{
    return (a ^ b) * UINT64_C(0x9e3779b97f4a7c15) ^ (a >> 29);
}

/* The same for numbers that are equal: of sign, magnitude and the digits up to the last that is not 0. */
static uint64_t hash_number(struct ph_str raw)
{
    struct ph_decimal d = ph_decimal_of(raw);
    uint64_t hash = mix((uint64_t)(d.sign + 1), (uint64_t)d.magnitude), zeros = 0;

    for (const char *p = d.digits; d.sign && p < d.end; p++) {
        if (*p == '.')
            continue;
        if (*p == '0') {
            zeros++;
            continue;
        }
        for (; zeros; zeros--)
            hash = mix(hash, '0');
        hash = mix(hash, (unsigned char)*p);
    }
    return hash;
}

/* The same for values that are equal. As deep as the payload, which is bounded. */
static uint64_t hash_value(struct check *c, struct ph_str raw)
{
    enum ph_json_kind kind = ph_json_kind_of(raw);
    struct ph_str rest = raw, key, value, text;
    uint64_t hash = kind, members = 0;

    switch (kind) {
    case PH_JSON_STRING:
        return ph_str_hash(ph_json_string(c->arena, raw, &text) == PH_OK ? text : raw);
    case PH_JSON_NUMBER:
        return hash_number(raw);
    case PH_JSON_ARRAY:
        while (ph_json_next_element(&rest, &value))
            hash = mix(hash, hash_value(c, value));
        return hash;
    case PH_JSON_OBJECT: /* in whatever order */
        while (ph_json_next_member(&rest, &key, &value))
            members += mix(hash_value(c, key), hash_value(c, value));
        return mix(hash, members);
    default:
        return hash;
    }
}

struct element {
    uint64_t hash;
    struct ph_str raw; /* absent: the slot is free */
};

static bool check_unique(struct check *c, struct ph_str raw, size_t n, const struct json_spot *at)
{
    struct ph_str rest = raw, value;
    struct element *slots;
    size_t n_slots = 16;

    if (n < 2)
        return true;
    while (n_slots < 2 * n)
        n_slots *= 2;
    if (!spend(c, 2 * raw.len + n_slots))
        return false;
    slots = ph_arena_array_of(c->arena, struct element, n_slots);
    for (size_t i = 0; ph_json_next_element(&rest, &value); i++) {
        uint64_t hash = hash_value(c, value);
        size_t slot = hash % n_slots;
        for (; slots[slot].raw.ptr; slot = (slot + 1) % n_slots)
            if (slots[slot].hash == hash && equal(c, slots[slot].raw, value)) {
                struct json_spot spot = json_spot_element(at, i);
                return wrong(c, &spot, "is there twice");
            }
        slots[slot] = (struct element){hash, value};
    }
    return !c->gave_up;
}

static bool check_count(struct check *c, const struct json_spot *at, int64_t n, int64_t least,
                        int64_t most, const char *less, const char *more)
{
    if (n < least)
        return wrong_by(c, at, less, least);
    return most < 0 || n <= most || wrong_by(c, at, more, most);
}

static bool check_array(struct check *c, const struct schema_node *n, struct ph_str raw,
                        const struct json_spot *at)
{
    const struct schema_node *others = n->items_are_listed ? n->additional_items : n->items, *item;
    struct ph_str rest = raw, element;
    int64_t n_contained = 0;
    size_t i;

    if (!spend(c, raw.len))
        return false;
    for (i = 0; ph_json_next_element(&rest, &element); i++) {
        struct json_spot spot = json_spot_element(at, i);
        item = i < n->prefix_items.n ? n->prefix_items.nodes[i] : others;
        if (item && !check_node(c, item, element, &spot))
            return false;
        if (n->contains && try_node(c, n->contains, element, &spot))
            n_contained++;
    }
    if (!check_count(c, at, (int64_t)i, n->min_items, n->max_items,
                     "has to have at least %lld items", "has to have at most %lld items"))
        return false;
    if (n->contains &&
        !check_count(c, at, n_contained, n->min_contains < 0 ? 1 : n->min_contains, n->max_contains,
                     "has to have at least %lld items of what it has to contain",
                     "has to have at most %lld items of what it has to contain"))
        return false;
    return !n->unique || check_unique(c, raw, i, at);
}

/* ---- objects ---- */

static const struct schema_property *find_property(const struct check *c,
                                                   const struct schema_node *n, struct ph_str name)
{
    struct ph_map_node *node =
        n->n_properties ? ph_map_first(&c->schema->properties, schema_property_hash(n, name))
                        : NULL;

    for (; node; node = ph_map_next(node)) {
        const struct schema_property *p = ph_container_of(node, struct schema_property, in_map);
        if (p->of == n && ph_str_eq(p->name, name))
            return p;
    }
    return NULL;
}

/* A member's value by all schemas that are for its name. */
static bool check_member(struct check *c, const struct schema_node *n, struct ph_str name,
                         struct ph_str value, const struct json_spot *at)
{
    const struct schema_property *p = find_property(c, n, name);
    bool known = p != NULL;

    if (p && !check_node(c, p->schema, value, at))
        return false;
    for (size_t i = 0; i < n->n_patterns; i++) {
        if (!find_pattern(c, n->patterns[i].regex, name))
            continue;
        known = true;
        if (!check_node(c, n->patterns[i].schema, value, at))
            return false;
    }
    if (c->gave_up)
        return false;
    if (known || !n->additional_properties)
        return true;
    if (n->additional_properties->never)
        return wrong(c, at, "is no member that the schema knows");
    return check_node(c, n->additional_properties, value, at);
}

static bool has_member(struct check *c, struct ph_str raw, struct ph_str name)
{
    struct ph_str rest = raw, key, value, decoded;

    if (!spend(c, raw.len))
        return false;
    while (ph_json_next_member(&rest, &key, &value))
        if (ph_json_string(c->arena, key, &decoded) == PH_OK && ph_str_eq(decoded, name))
            return true;
    return false;
}

static bool missing(struct check *c, const struct json_spot *at, struct ph_str name)
{
    struct json_spot spot = json_spot_member(at, name);

    return wrong(c, &spot, PH_SCHEMA_MISSING);
}

static bool check_dependencies(struct check *c, const struct schema_node *n, struct ph_str raw,
                               const struct json_spot *at)
{
    for (size_t i = 0; i < n->n_dependencies; i++) {
        const struct schema_dependency *d = &n->dependencies[i];
        if (!has_member(c, raw, d->name))
            continue;
        for (size_t j = 0; j < d->n_required; j++)
            if (!has_member(c, raw, d->required[j]))
                return missing(c, at, d->required[j]);
        if (d->schema && !check_node(c, d->schema, raw, at))
            return false;
    }
    return !c->gave_up;
}

static bool check_object(struct check *c, const struct schema_node *n, struct ph_str raw,
                         const struct json_spot *at)
{
    struct ph_str rest = raw, key, value, name;
    bool *seen = ph_arena_array_of(c->arena, bool, n->n_required);
    int64_t n_members = 0;

    if (!spend(c, raw.len))
        return false;
    for (; ph_json_next_member(&rest, &key, &value); n_members++) {
        /* A name that text cannot hold is none that a schema knows. */
        if (ph_json_string(c->arena, key, &name) != PH_OK)
            name = key;
        struct json_spot spot = json_spot_member(at, name);
        for (size_t i = 0; i < n->n_required; i++)
            seen[i] |= ph_str_eq(n->required[i], name);
        if (!spend(c, n->n_required))
            return false;
        if (n->property_names && !check_node(c, n->property_names, key, &spot))
            return false;
        if (!check_member(c, n, name, value, &spot))
            return false;
    }
    for (size_t i = 0; i < n->n_required; i++)
        if (!seen[i])
            return missing(c, at, n->required[i]);
    return check_count(c, at, n_members, n->min_properties, n->max_properties,
                       "has to have at least %lld members", "has to have at most %lld members") &&
           check_dependencies(c, n, raw, at);
}

/* ---- any value ---- */

static bool is_of_type(unsigned types, struct ph_str raw)
{
    struct ph_decimal d;

    switch (ph_json_kind_of(raw)) {
    case PH_JSON_NULL:
        return types & SCHEMA_NULL;
    case PH_JSON_TRUE:
    case PH_JSON_FALSE:
        return types & SCHEMA_BOOLEAN;
    case PH_JSON_OBJECT:
        return types & SCHEMA_OBJECT;
    case PH_JSON_ARRAY:
        return types & SCHEMA_ARRAY;
    case PH_JSON_STRING:
        return types & SCHEMA_STRING;
    default:
        d = ph_decimal_of(raw);
        return types & SCHEMA_NUMBER || (types & SCHEMA_INTEGER && ph_decimal_is_integer(&d));
    }
}

static const char *type_text(struct check *c, unsigned types)
{
    static const char *const names[] = {"null",   "boolean", "object", "array",
                                        "string", "number",  "integer"};
    const char *text = NULL;

    for (int i = 0; i < 7 && !c->quiet; i++)
        if (types & 1u << i)
            text = text ? ph_arena_printf(c->arena, "%s or %s", text, names[i])
                        : ph_arena_printf(c->arena, "has to be of type %s", names[i]);
    return text ? text : "";
}

static bool check_values(struct check *c, const struct schema_node *n, struct ph_str raw,
                         const struct json_spot *at)
{
    struct ph_str rest = n->enum_values, value;

    if (n->types && !is_of_type(n->types, raw))
        return wrong(c, at, type_text(c, n->types));
    if (n->const_value.ptr && !equal(c, raw, n->const_value))
        return wrong(c, at, "is not the const value");
    if (!n->enum_values.ptr || (n->nullable && ph_json_kind_of(raw) == PH_JSON_NULL))
        return true;
    while (ph_json_next_element(&rest, &value))
        if (equal(c, raw, value))
            return true;
    return wrong(c, at, "is none of the enum values");
}

static size_t count_matches(struct check *c, const struct schema_list *list, struct ph_str raw,
                            const struct json_spot *at, size_t enough)
{
    size_t n = 0;

    for (size_t i = 0; i < list->n && n < enough && !c->gave_up; i++)
        n += try_node(c, list->nodes[i], raw, at);
    return n;
}

static bool check_combinations(struct check *c, const struct schema_node *n, struct ph_str raw,
                               const struct json_spot *at)
{
    size_t count;

    for (size_t i = 0; i < n->all_of.n; i++)
        if (!check_node(c, n->all_of.nodes[i], raw, at))
            return false;
    if (n->any_of.n && !count_matches(c, &n->any_of, raw, at, 1))
        return wrong(c, at, "matches none of the schemas of anyOf");
    if (n->one_of.n && (count = count_matches(c, &n->one_of, raw, at, 2)) != 1)
        return wrong(c, at,
                     count ? "matches more than one of the schemas of oneOf"
                           : "matches none of the schemas of oneOf");
    if (n->not &&try_node(c, n->not, raw, at))
        return wrong(c, at, "matches the schema of not");
    if (n->if_) {
        const struct schema_node *then = try_node(c, n->if_, raw, at) ? n->then : n->else_;
        if (then && !check_node(c, then, raw, at))
            return false;
    }
    return !n->ref || check_node(c, n->ref, raw, at);
}

static bool check_all(struct check *c, const struct schema_node *n, struct ph_str raw,
                      const struct json_spot *at)
{
    if (n->never)
        return wrong(c, at, "must not be there");
    if (!check_values(c, n, raw, at))
        return false;
    switch (ph_json_kind_of(raw)) {
    case PH_JSON_OBJECT:
        if (!check_object(c, n, raw, at))
            return false;
        break;
    case PH_JSON_ARRAY:
        if (!check_array(c, n, raw, at))
            return false;
        break;
    case PH_JSON_STRING:
        if (!check_string(c, n, raw, at))
            return false;
        break;
    case PH_JSON_NUMBER:
        if (!check_number(c, n, raw, at))
            return false;
        break;
    default:
        break;
    }
    return check_combinations(c, n, raw, at);
}

static bool check_node(struct check *c, const struct schema_node *node, struct ph_str raw,
                       const struct json_spot *at)
{
    bool matches;

    if (c->depth == DEPTH_MAX)
        c->gave_up = true;
    if (!spend(c, 1))
        return false;
    c->depth++;
    matches = check_all(c, node, raw, at);
    c->depth--;
    return matches && !c->gave_up;
}

enum ph_err ph_schema_check(const struct ph_schema *schema, struct ph_arena *arena,
                            struct ph_str json, struct ph_schema_fault *fault)
{
    struct check c = {
        .schema = schema,
        .arena = arena,
        .fault = fault,
        .work = PH_SCHEMA_WORK + (int64_t)json.len * PH_SCHEMA_WORK_PER_BYTE,
    };
    const struct json_spot root = {NULL, PH_STR_NONE, 0, 0};
    bool matches;

    *fault = (struct ph_schema_fault){NULL, NULL};
    matches = check_node(&c, schema->root, json, &root);
    if (c.gave_up)
        *fault = (struct ph_schema_fault){"", "takes too much to be checked against the schema"};
    return matches ? PH_OK : PH_ERR_VALIDATION;
}
