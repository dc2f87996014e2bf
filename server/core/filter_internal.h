/* What compiling and matching of filters share. */
#ifndef CORE_FILTER_INTERNAL_H
#define CORE_FILTER_INTERNAL_H

#include "posthorn/decimal.h"
#include "posthorn/filter.h"
#include "posthorn/json.h"
#include "posthorn/map.h"
#include "posthorn/queue.h"

/* Somewhere in the payload, as a node of the tree of all paths; place 0 is the payload itself. */
struct filter_place {
    struct ph_map_node in_map; /* by parent and name or index */
    const struct filter_place *above;
    uint32_t number, parent; /* parent: the number of the one above; of the root, its own */
    struct ph_str name;      /* decoded; absent: an index */
    uint32_t index;
    uint32_t n_children;
    uint32_t elements_end; /* no child has this index or a higher one */
};

struct ph_filters {
    struct ph_arena *arena;
    struct ph_map places;
    struct filter_place root;
    uint32_t n_places;
};

enum filter_op {
    FILTER_EQ,
    FILTER_NE,
    FILTER_LT,
    FILTER_LTE,
    FILTER_GT,
    FILTER_GTE,
    FILTER_IN,
    FILTER_EXISTS,
    FILTER_PREFIX,
    FILTER_CONTAINS,
    FILTER_OPS
};

/* A scalar. */
struct filter_scalar {
    enum ph_json_kind kind;
    struct ph_str text; /* a string, decoded */
    struct ph_decimal number;
};

enum filter_form { FILTER_ALL, FILTER_ANY, FILTER_NOT, FILTER_CONDITION };

struct ph_filter {
    enum filter_form form;
    struct ph_filter *parts; /* of all, any and not */
    size_t n_parts;
    const struct filter_place *place; /* of a condition */
    enum filter_op op;
    struct filter_scalar *operands;
    size_t n_operands;
};

extern const char *const ph_filter_op_names[FILTER_OPS];

/* The child of a place; name absent: of that index. NULL: no filter looks there. */
struct filter_place *ph_filter_place_find(const struct ph_filters *filters, uint32_t parent,
                                          struct ph_str name, uint32_t index);
/* raw: a scalar; a string that cannot be decoded is ABSENT, which equals nothing. */
struct filter_scalar ph_filter_scalar_of(struct ph_arena *arena, struct ph_str raw);

#endif
