#include "core/filter_internal.h"

#include <string.h>

/*
 * What stands at a place. When a member is repeated, what was found inside the earlier one must not count: a value counts
 * if it was found in the latest visit of the place above.
 */
struct found {
    struct ph_str raw; /* absent: nothing stands there */
    uint32_t visit, above_visit;
    bool is_decoded;
    struct filter_scalar scalar;
    struct filter_scalar *elements; /* of an array, once asked for */
    size_t n_elements;
};

struct ph_filter_values {
    const struct ph_filters *filters;
    struct ph_arena *arena;
    uint32_t visits;
    struct found *found; /* by the number of the place */
};

/* ---- reading the payload ---- */

static void read_place(struct ph_filter_values *v, const struct filter_place *place,
                       struct ph_str raw);

static void read_object(struct ph_filter_values *v, const struct filter_place *place,
                        struct ph_str raw)
{
    struct ph_str rest = raw, key, value, name;

    while (ph_json_next_member(&rest, &key, &value)) {
        const struct filter_place *child;
        if (ph_json_string(v->arena, key, &name) == PH_OK &&
            (child = ph_filter_place_find(v->filters, place->number, name, 0)))
            read_place(v, child, value);
    }
}

static void read_array(struct ph_filter_values *v, const struct filter_place *place,
                       struct ph_str raw)
{
    struct ph_str rest = raw, element;

    for (uint32_t i = 0; i < place->elements_end && ph_json_next_element(&rest, &element); i++) {
        const struct filter_place *child =
            ph_filter_place_find(v->filters, place->number, PH_STR_NONE, i);
        if (child)
            read_place(v, child, element);
    }
}

/* As deep as the longest path, which is bounded. */
static void read_place(struct ph_filter_values *v, const struct filter_place *place,
                       struct ph_str raw)
{
    struct found *found = &v->found[place->number];

    found->raw = raw;
    found->above_visit = v->found[place->parent].visit;
    found->visit = ++v->visits;
    if (place->n_children == 0)
        return;
    if (ph_json_kind_of(raw) == PH_JSON_OBJECT)
        read_object(v, place, raw);
    else if (ph_json_kind_of(raw) == PH_JSON_ARRAY)
        read_array(v, place, raw);
}

struct ph_filter_values *ph_filters_read(const struct ph_filters *filters, struct ph_arena *arena,
                                         struct ph_str payload)
{
    struct ph_filter_values *v = ph_arena_new_of(arena, struct ph_filter_values);

    v->filters = filters;
    v->arena = arena;
    v->found = ph_arena_array_of(arena, struct found, filters->n_places);
    read_place(v, &filters->root, payload);
    v->found[0].above_visit = v->found[0].visit;
    return v;
}

static struct found *find(struct ph_filter_values *v, const struct filter_place *place)
{
    struct found *found = &v->found[place->number], *at = found;

    if (!found->raw.ptr)
        return NULL;
    while (place->number) {
        struct found *above = &v->found[place->parent];
        if (at->above_visit != above->visit)
            return NULL;
        at = above;
        place = place->above;
    }
    return found;
}

static const struct filter_scalar *scalar_at(struct ph_filter_values *v, struct found *found)
{
    if (!found->is_decoded)
        found->scalar = ph_filter_scalar_of(v->arena, found->raw);
    found->is_decoded = true;
    return &found->scalar;
}

/* ---- conditions ---- */

static bool equal(const struct filter_scalar *a, const struct filter_scalar *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case PH_JSON_STRING:
        return ph_str_eq(a->text, b->text);
    case PH_JSON_NUMBER:
        return ph_decimal_compare(&a->number, &b->number) == 0;
    case PH_JSON_TRUE:
    case PH_JSON_FALSE:
    case PH_JSON_NULL:
        return true;
    default:
        return false;
    }
}

/* As lt and the others ask. False: they are not of one type, and no order holds. */
static bool compare(const struct filter_scalar *a, const struct filter_scalar *b, int *out)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == PH_JSON_NUMBER) {
        *out = ph_decimal_compare(&a->number, &b->number);
        return true;
    }
    size_t shorter = a->text.len < b->text.len ? a->text.len : b->text.len;
    *out = shorter ? memcmp(a->text.ptr, b->text.ptr, shorter) : 0;
    if (*out == 0)
        *out = a->text.len < b->text.len ? -1 : a->text.len > b->text.len;
    return true;
}

static bool in_order(enum filter_op op, int order)
{
    switch (op) {
    case FILTER_LT:
        return order < 0;
    case FILTER_LTE:
        return order <= 0;
    case FILTER_GT:
        return order > 0;
    default:
        return order >= 0;
    }
}

/* Decodes the first elements of an array once for all who ask. */
static void read_elements(struct ph_filter_values *v, struct found *found)
{
    struct ph_str rest = found->raw, element;

    if (found->elements)
        return;
    found->elements = ph_arena_array_of(v->arena, struct filter_scalar, PH_FILTER_ELEMENTS);
    while (found->n_elements < PH_FILTER_ELEMENTS && ph_json_next_element(&rest, &element))
        found->elements[found->n_elements++] = ph_filter_scalar_of(v->arena, element);
}

static bool contains(struct ph_filter_values *v, struct found *found,
                     const struct filter_scalar *operand)
{
    const struct filter_scalar *s = scalar_at(v, found);
    size_t len = s->text.len < PH_FILTER_TEXT_BYTES ? s->text.len : PH_FILTER_TEXT_BYTES;

    if (s->kind == PH_JSON_STRING)
        return operand->kind == PH_JSON_STRING &&
               memmem(s->text.ptr, len, operand->text.ptr, operand->text.len);
    if (s->kind != PH_JSON_ARRAY)
        return false;
    read_elements(v, found);
    for (size_t i = 0; i < found->n_elements; i++)
        if (equal(&found->elements[i], operand))
            return true;
    return false;
}

static bool holds(const struct ph_filter *f, struct ph_filter_values *v)
{
    struct found *found = find(v, f->place);
    const struct filter_scalar *s;
    int order;

    if (f->op == FILTER_EXISTS)
        return (found != NULL) == (f->operands->kind == PH_JSON_TRUE);
    if (!found)
        return f->op == FILTER_NE;
    s = scalar_at(v, found);
    switch (f->op) {
    case FILTER_NE:
        return !equal(s, f->operands);
    case FILTER_EQ:
    case FILTER_IN:
        for (size_t i = 0; i < f->n_operands; i++)
            if (equal(s, &f->operands[i]))
                return true;
        return false;
    case FILTER_PREFIX:
        return s->kind == PH_JSON_STRING && ph_str_starts(s->text, f->operands->text);
    case FILTER_CONTAINS:
        return contains(v, found, f->operands);
    default:
        return compare(s, f->operands, &order) && in_order(f->op, order);
    }
}

/* ---- the whole ---- */

bool ph_filter_matches(const struct ph_filter *f, struct ph_filter_values *v)
{
    switch (f->form) {
    case FILTER_CONDITION:
        return holds(f, v);
    case FILTER_NOT:
        return !ph_filter_matches(f->parts, v);
    default: /* the first part that is true ends any, the first that is not ends all */
        for (size_t i = 0; i < f->n_parts; i++)
            if (ph_filter_matches(&f->parts[i], v) == (f->form == FILTER_ANY))
                return f->form == FILTER_ANY;
        return f->form == FILTER_ALL;
    }
}

static const char *condition_reason(const struct ph_filter *f, struct ph_filter_values *v,
                                    const char *where)
{
    const struct found *found = find(v, f->place);
    const char *verb = holds(f, v) ? "holds" : "does not hold";
    int len = found && found->raw.len < 200 ? (int)found->raw.len : 0;

    if (!found)
        return ph_arena_printf(v->arena, "%s %s (%s): there is no such value", where, verb,
                               ph_filter_op_names[f->op]);
    return ph_arena_printf(v->arena, "%s %s (%s): the value is %.*s", where, verb,
                           ph_filter_op_names[f->op], len ? len : 15,
                           len ? found->raw.ptr : "too long to show");
}

/* Follows the parts that decide; where all of them do, says so. */
static const char *reason(const struct ph_filter *f, struct ph_filter_values *v, const char *where)
{
    static const char *const names[] = {"all", "any", "not"};

    if (f->form == FILTER_CONDITION)
        return condition_reason(f, v, where);
    for (size_t i = 0; i < f->n_parts; i++)
        if (f->form == FILTER_NOT || ph_filter_matches(&f->parts[i], v) == (f->form == FILTER_ANY))
            return reason(&f->parts[i], v,
                          f->form == FILTER_NOT
                              ? ph_arena_printf(v->arena, "%s.not", where)
                              : ph_arena_printf(v->arena, "%s.%s.%zu", where, names[f->form], i));
    return ph_arena_printf(v->arena, "%s.%s: %s of %zu holds", where, names[f->form],
                           f->form == FILTER_ALL ? "each" : "none", f->n_parts);
}

const char *ph_filter_reason(const struct ph_filter *f, struct ph_filter_values *v)
{
    return reason(f, v, "filter");
}
