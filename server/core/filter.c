#include "posthorn/filter.h"

#include "core/filter_internal.h"
#include "core/json_spot.h"

#include <string.h>

const char *const ph_filter_op_names[FILTER_OPS] = {
    [FILTER_EQ] = "eq",         [FILTER_NE] = "ne",
    [FILTER_LT] = "lt",         [FILTER_LTE] = "lte",
    [FILTER_GT] = "gt",         [FILTER_GTE] = "gte",
    [FILTER_IN] = "in",         [FILTER_EXISTS] = "exists",
    [FILTER_PREFIX] = "prefix", [FILTER_CONTAINS] = "contains",
};

/* One filter being compiled. */
struct compile {
    struct ph_filters *filters;
    struct ph_filter_fault *fault;
    int n_conditions;
};

static void free_map(void *map)
{
    ph_map_free(map);
}

struct ph_filters *ph_filters_new(struct ph_arena *arena)
{
    struct ph_filters *filters = ph_arena_new_of(arena, struct ph_filters);

    filters->arena = arena;
    filters->n_places = 1;
    ph_arena_defer(arena, free_map, &filters->places);
    return filters;
}

static enum ph_err refuse(struct compile *c, const struct json_spot *at, const char *member,
                          const char *text)
{
    struct json_spot spot = json_spot_member(at, ph_str_of(member));

    c->fault->where = json_spot_pointer(c->filters->arena, member ? &spot : at);
    c->fault->text = text;
    return PH_ERR_VALIDATION;
}

/* ---- places ---- */

static uint64_t place_hash(uint32_t parent, struct ph_str name, uint32_t index)
{
    uint64_t own = name.ptr ? ph_str_hash(name) : index;

    return own ^ (uint64_t)(parent + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

struct filter_place *ph_filter_place_find(const struct ph_filters *filters, uint32_t parent,
                                          struct ph_str name, uint32_t index)
{
    struct ph_map_node *node = ph_map_first(&filters->places, place_hash(parent, name, index));

    for (; node; node = ph_map_next(node)) {
        struct filter_place *place = ph_container_of(node, struct filter_place, in_map);
        if (place->parent == parent && !place->name.ptr == !name.ptr &&
            (name.ptr ? ph_str_eq(place->name, name) : place->index == index))
            return place;
    }
    return NULL;
}

static struct filter_place *place_of(struct ph_filters *filters, struct filter_place *parent,
                                     struct ph_str name, uint32_t index)
{
    struct filter_place *place = ph_filter_place_find(filters, parent->number, name, index);

    if (place)
        return place;
    place = ph_arena_new_of(filters->arena, struct filter_place);
    place->number = filters->n_places++;
    place->above = parent;
    place->parent = parent->number;
    place->name = name;
    place->index = index;
    parent->n_children++;
    if (!name.ptr && index >= parent->elements_end)
        parent->elements_end = index + 1;
    ph_map_add(&filters->places, &place->in_map, place_hash(parent->number, name, index));
    return place;
}

/* The digits of an index; false: it is none, or too large. */
static bool read_index(struct ph_str text, uint32_t *out)
{
    int64_t n;

    if (ph_str_to_i64(text, &n) != PH_OK || n < 0 || n > PH_FILTER_INDEX_MAX)
        return false;
    *out = (uint32_t)n;
    return true;
}

/* Cuts "name" or "[index]" and the '.' behind it off a path in text form. False: it is neither. */
static bool cut_segment(struct ph_str *rest, bool first, struct ph_str *name, uint32_t *index)
{
    const char *end = rest->ptr + rest->len, *p = rest->ptr;

    if (!first && *p == '[') {
        const char *close = memchr(p, ']', rest->len);
        if (!close || !read_index((struct ph_str){p + 1, (size_t)(close - p) - 1}, index))
            return false;
        *name = PH_STR_NONE;
        p = close + 1;
    } else {
        if (!first && *p++ != '.')
            return false;
        const char *start = p;
        while (p < end && *p != '.' && *p != '[' && *p != ']')
            p++;
        *name = (struct ph_str){start, (size_t)(p - start)};
        if (p == start)
            return false;
    }
    *rest = (struct ph_str){p, (size_t)(end - p)};
    return true;
}

static enum ph_err read_path_text(struct compile *c, const struct json_spot *at, struct ph_str raw,
                                  struct filter_place **out)
{
    struct ph_str rest, name;
    uint32_t index = 0;
    int n = 0;

    if (ph_json_string(c->filters->arena, raw, &rest) != PH_OK || rest.len == 0)
        return refuse(c, at, "path", "has to be like data.items[0].sku");
    *out = &c->filters->root;
    while (rest.len) {
        if (!cut_segment(&rest, n == 0, &name, &index))
            return refuse(c, at, "path", "has to be like data.items[0].sku");
        if (++n > PH_FILTER_SEGMENTS_MAX)
            return refuse(c, at, "path", "has to have at most 16 parts");
        *out = place_of(c->filters, *out, name, index);
    }
    return PH_OK;
}

static enum ph_err read_path_list(struct compile *c, const struct json_spot *at, struct ph_str raw,
                                  struct filter_place **out)
{
    struct ph_str rest = raw, element, name;
    uint32_t index = 0;
    int n = 0;

    *out = &c->filters->root;
    while (ph_json_next_element(&rest, &element)) {
        enum ph_json_kind kind = ph_json_kind_of(element);
        name = PH_STR_NONE;
        if (!(kind == PH_JSON_STRING
                  ? ph_json_string(c->filters->arena, element, &name) == PH_OK
                  : n > 0 && kind == PH_JSON_NUMBER && read_index(element, &index)))
            return refuse(c, at, "path",
                          "every part has to be the name of a member or, behind the first, an "
                          "index from 0 to 9999");
        if (++n > PH_FILTER_SEGMENTS_MAX)
            return refuse(c, at, "path", "has to have at most 16 parts");
        *out = place_of(c->filters, *out, name, index);
    }
    return n ? PH_OK : refuse(c, at, "path", "has to have a part");
}

/* ---- conditions ---- */

struct filter_scalar ph_filter_scalar_of(struct ph_arena *arena, struct ph_str raw)
{
    struct filter_scalar s = {.kind = ph_json_kind_of(raw)};

    if (s.kind == PH_JSON_NUMBER)
        s.number = ph_decimal_of(raw);
    else if (s.kind == PH_JSON_STRING && ph_json_string(arena, raw, &s.text) != PH_OK)
        s.kind = PH_JSON_ABSENT;
    return s;
}

/* Why this scalar may not be compared with; NULL: it may. */
static const char *scalar_fault(const struct filter_scalar *s, struct ph_str raw)
{
    if (s->kind == PH_JSON_OBJECT || s->kind == PH_JSON_ARRAY)
        return "has to be a string, a number, true, false or null";
    if (s->kind == PH_JSON_ABSENT)
        return "holds U+0000 or a lone surrogate";
    if (s->kind == PH_JSON_STRING && s->text.len > PH_FILTER_STRING_MAX)
        return "has to have at most 1024 bytes";
    if (s->kind == PH_JSON_NUMBER && raw.len > PH_FILTER_NUMBER_MAX)
        return "has to have at most 64 characters";
    if (s->kind == PH_JSON_NUMBER && (s->number.magnitude > 1000 || s->number.magnitude < -1000))
        return "has to have an exponent within 1000";
    return NULL;
}

static enum ph_err read_list(struct compile *c, const struct json_spot *at, struct ph_str raw,
                             struct ph_filter *out)
{
    struct json_spot value = json_spot_member(at, PH_STR("value"));
    struct ph_str rest = raw, element;
    struct filter_scalar *list =
        ph_arena_array_of(c->filters->arena, struct filter_scalar, PH_FILTER_LIST_MAX);
    const char *fault;

    if (ph_json_kind_of(raw) != PH_JSON_ARRAY)
        return refuse(c, &value, NULL, "has to be an array");
    while (ph_json_next_element(&rest, &element)) {
        struct json_spot item = json_spot_element(&value, out->n_operands);
        if (out->n_operands == PH_FILTER_LIST_MAX)
            return refuse(c, &value, NULL, "has to have at most 100 items");
        list[out->n_operands] = ph_filter_scalar_of(c->filters->arena, element);
        if ((fault = scalar_fault(&list[out->n_operands++], element)))
            return refuse(c, &item, NULL, fault);
    }
    out->operands = list;
    return PH_OK;
}

static enum ph_err read_operand(struct compile *c, const struct json_spot *at, struct ph_str raw,
                                struct ph_filter *out)
{
    struct filter_scalar *s = ph_arena_new_of(c->filters->arena, struct filter_scalar);
    const char *fault;

    *s = ph_filter_scalar_of(c->filters->arena, raw);
    out->operands = s;
    out->n_operands = 1;
    if ((fault = scalar_fault(s, raw)))
        return refuse(c, at, "value", fault);
    switch (out->op) {
    case FILTER_EXISTS:
        if (s->kind != PH_JSON_TRUE && s->kind != PH_JSON_FALSE)
            return refuse(c, at, "value", "has to be true or false");
        return PH_OK;
    case FILTER_PREFIX:
        return s->kind == PH_JSON_STRING ? PH_OK : refuse(c, at, "value", "has to be a string");
    case FILTER_LT:
    case FILTER_LTE:
    case FILTER_GT:
    case FILTER_GTE:
        return s->kind == PH_JSON_STRING || s->kind == PH_JSON_NUMBER
                   ? PH_OK
                   : refuse(c, at, "value", "has to be a number or a string");
    default:
        return PH_OK;
    }
}

static enum ph_err read_op(struct compile *c, const struct json_spot *at, struct ph_str raw,
                           enum filter_op *out)
{
    struct ph_str name;

    if (ph_json_kind_of(raw) == PH_JSON_STRING &&
        ph_json_string(c->filters->arena, raw, &name) == PH_OK)
        for (int op = 0; op < FILTER_OPS; op++)
            if (ph_str_eq_c(name, ph_filter_op_names[op])) {
                *out = (enum filter_op)op;
                return PH_OK;
            }
    return refuse(c, at, "op",
                  "has to be eq, ne, lt, lte, gt, gte, in, exists, prefix or contains");
}

/* The members that a filter may have. */
struct members {
    struct ph_str all, any, not, path, op, value;
};

static enum ph_err read_condition(struct compile *c, const struct json_spot *at,
                                  const struct members *m, struct ph_filter *out)
{
    struct filter_place *place = NULL;
    enum ph_json_kind path = ph_json_kind_of(m->path);
    enum ph_err err;

    out->form = FILTER_CONDITION;
    if (++c->n_conditions > PH_FILTER_CONDITIONS_MAX)
        return refuse(c, at, NULL, "there are more than 50 conditions");
    if (path != PH_JSON_STRING && path != PH_JSON_ARRAY)
        return refuse(c, at, "path",
                      path == PH_JSON_ABSENT ? "field required" : "has to be a string or an array");
    err = path == PH_JSON_STRING ? read_path_text(c, at, m->path, &place)
                                 : read_path_list(c, at, m->path, &place);
    out->place = place;
    if (err != PH_OK || (err = read_op(c, at, m->op, &out->op)) != PH_OK)
        return err;
    if (!m->value.ptr && out->op == FILTER_EXISTS)
        return read_operand(c, at, PH_STR("true"), out);
    if (!m->value.ptr)
        return refuse(c, at, "value", "field required");
    return out->op == FILTER_IN ? read_list(c, at, m->value, out)
                                : read_operand(c, at, m->value, out);
}

/* ---- all, any, not ---- */

static enum ph_err read_filter(struct compile *c, const struct json_spot *at, int depth,
                               struct ph_str raw, struct ph_filter *out);

static enum ph_err read_parts(struct compile *c, const struct json_spot *at, int depth,
                              struct ph_str raw, struct ph_filter *out)
{
    struct ph_str rest = raw, element;
    size_t n = 0;

    if (ph_json_kind_of(raw) != PH_JSON_ARRAY)
        return refuse(c, at, NULL, "has to be an array of filters");
    while (ph_json_next_element(&rest, &element))
        n++;
    if (n == 0 || n > PH_FILTER_CONDITIONS_MAX)
        return refuse(c, at, NULL, "has to have 1 to 50 filters");
    out->parts = ph_arena_array_of(c->filters->arena, struct ph_filter, n);
    for (rest = raw; ph_json_next_element(&rest, &element); out->n_parts++) {
        struct json_spot item = json_spot_element(at, out->n_parts);
        enum ph_err err = read_filter(c, &item, depth + 1, element, &out->parts[out->n_parts]);
        if (err != PH_OK)
            return err;
    }
    return PH_OK;
}

static enum ph_err read_members(struct compile *c, const struct json_spot *at, struct ph_str raw,
                                struct members *m)
{
    const struct {
        const char *name;
        struct ph_str *to;
    } known[] = {{"all", &m->all},   {"any", &m->any}, {"not", &m->not },
                 {"path", &m->path}, {"op", &m->op},   {"value", &m->value}};
    struct ph_str rest = raw, key, value, name;
    size_t i;

    if (ph_json_kind_of(raw) != PH_JSON_OBJECT)
        return refuse(c, at, NULL, "has to be an object");
    while (ph_json_next_member(&rest, &key, &value)) {
        if (ph_json_string(c->filters->arena, key, &name) != PH_OK)
            name = PH_STR("");
        for (i = 0; i < sizeof known / sizeof *known; i++)
            if (ph_str_eq_c(name, known[i].name))
                break;
        if (i == sizeof known / sizeof *known || known[i].to->ptr)
            return refuse(c, at, NULL,
                          "has to have path, op and value, or one of all, any and not, each once");
        *known[i].to = value;
    }
    if (!!m->all.ptr + !!m->any.ptr + !!m->not .ptr + (m->path.ptr || m->op.ptr || m->value.ptr) !=
        1)
        return refuse(c, at, NULL,
                      "has to have path, op and value, or one of all, any and not, each once");
    return PH_OK;
}

static enum ph_err read_filter(struct compile *c, const struct json_spot *at, int depth,
                               struct ph_str raw, struct ph_filter *out)
{
    struct members m = {0};
    enum ph_err err = read_members(c, at, raw, &m);
    struct json_spot below = json_spot_member(at, ph_str_of(m.all.ptr   ? "all"
                                                            : m.any.ptr ? "any"
                                                                        : "not"));

    if (err != PH_OK)
        return err;
    if (depth > PH_FILTER_DEPTH_MAX)
        return refuse(c, at, NULL, "is nested more than 8 deep");
    if (m.not .ptr) {
        out->form = FILTER_NOT;
        out->n_parts = 1;
        out->parts = ph_arena_new_of(c->filters->arena, struct ph_filter);
        return read_filter(c, &below, depth + 1, m.not, out->parts);
    }
    if (!m.all.ptr && !m.any.ptr)
        return read_condition(c, at, &m, out);
    out->form = m.all.ptr ? FILTER_ALL : FILTER_ANY;
    return read_parts(c, &below, depth, m.all.ptr ? m.all : m.any, out);
}

enum ph_err ph_filters_add(struct ph_filters *filters, struct ph_str json, struct ph_filter **out,
                           struct ph_filter_fault *fault)
{
    struct compile c = {filters, fault, 0};
    struct json_spot root = {NULL, PH_STR_NONE, 0, 0};

    *out = ph_arena_new_of(filters->arena, struct ph_filter);
    if (json.len > PH_FILTER_BYTES_MAX)
        return refuse(&c, &root, NULL, "has to have at most 16384 bytes");
    json.ptr = ph_arena_copy(filters->arena, json.ptr, json.len);
    return read_filter(&c, &root, 1, json, *out);
}
