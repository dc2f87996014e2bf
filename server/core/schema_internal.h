/* What compiling and checking of schemas share. */
#ifndef CORE_SCHEMA_INTERNAL_H
#define CORE_SCHEMA_INTERNAL_H

#include "posthorn/decimal.h"
#include "posthorn/json.h"
#include "posthorn/map.h"
#include "posthorn/queue.h"
#include "posthorn/regex.h"
#include "posthorn/schema.h"

/* Bits of `type`. */
enum schema_type {
    SCHEMA_NULL = 1,
    SCHEMA_BOOLEAN = 2,
    SCHEMA_OBJECT = 4,
    SCHEMA_ARRAY = 8,
    SCHEMA_STRING = 16,
    SCHEMA_NUMBER = 32,
    SCHEMA_INTEGER = 64,
};

struct schema_node;

struct schema_list {
    struct schema_node **nodes;
    size_t n;
};

/* A member of properties or dependentSchemas, or a name of required. */
struct schema_property {
    struct ph_map_node in_map; /* of the whole schema, by node and name; properties only */
    const struct schema_node *of;
    struct ph_str name;
    struct schema_node *schema;
};

struct schema_pattern {
    struct ph_regex *regex;
    struct schema_node *schema;
};

struct schema_dependency {
    struct ph_str name;
    struct ph_str *required;
    size_t n_required;
    struct schema_node *schema; /* NULL: none */
};

/* One schema. A count that is not set is -1. */
struct schema_node {
    struct ph_map_node in_map; /* by where its text stands */
    struct ph_str raw;
    uint64_t keywords; /* those that it has, as bits */
    bool never;        /* the schema false */
    unsigned types;    /* 0: any */
    bool nullable, items_are_listed;
    struct ph_str const_value, enum_values; /* absent: none; enum_values: an array */
    bool has_multiple, has_minimum, has_maximum, has_above, has_below, unique;
    struct ph_decimal_divisor multiple;
    struct ph_decimal minimum, maximum, above, below;
    int64_t min_length, max_length, min_items, max_items, min_properties, max_properties,
        min_contains, max_contains;
    struct ph_regex *pattern;
    struct schema_list prefix_items, all_of, any_of, one_of;
    struct schema_node *items, *additional_items, *contains, *additional_properties,
        *property_names, *not, *if_, *then, *else_, *ref;
    struct schema_property *properties;
    size_t n_properties;
    struct schema_pattern *patterns;
    size_t n_patterns;
    struct ph_str *required;
    size_t n_required;
    struct schema_dependency *dependencies;
    size_t n_dependencies;
    struct ph_str ref_text;
    const char *ref_where; /* where the $ref stands, as a pointer */
};

struct ph_schema {
    struct ph_arena *arena;
    struct ph_str raw;
    struct ph_map nodes, properties;
    size_t n_nodes, n_regexes;
    struct schema_node *root;
};

uint64_t schema_property_hash(const struct schema_node *of, struct ph_str name);

#endif
