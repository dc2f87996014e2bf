/*
 * Payload filters: conditions on the JSON of a message that endpoints set for themselves.
 *
 *   filter    = {"all": [filter…]} | {"any": [filter…]} | {"not": filter} | condition
 *   condition = {"path": path, "op": op, "value": value}
 *   path      = "data.items[0].sku" | ["data", "items", 0, "sku"], which also reaches names with '.', '[' and ']'
 *
 *   eq, ne              the same scalar of the same type, or not; ne holds also where there is no value
 *   lt, lte, gt, gte    numbers by their exact decimal value, strings by their code points; never of two types
 *   in                  eq with one of a list
 *   exists              there is a value, null too; with value false: there is none
 *   prefix, contains    of strings; an array contains a scalar that one of its elements eq. contains looks at the first
 *                       PH_FILTER_TEXT_BYTES bytes and PH_FILTER_ELEMENTS elements
 *
 * What a filter costs is bounded by its own size: there are no loops in it, and however many filters an application has, a
 * payload is read once for all of them. Strings are compared as what their escapes mean; of a member that is repeated the
 * last one counts. The function filter_takes of the database means the same.
 */
#ifndef POSTHORN_FILTER_H
#define POSTHORN_FILTER_H

#include "posthorn/arena.h"
#include "posthorn/str.h"

#define PH_FILTER_BYTES_MAX      16384
#define PH_FILTER_CONDITIONS_MAX 50
#define PH_FILTER_DEPTH_MAX      8
#define PH_FILTER_SEGMENTS_MAX   16
#define PH_FILTER_INDEX_MAX      9999
#define PH_FILTER_STRING_MAX     1024
#define PH_FILTER_NUMBER_MAX     64
#define PH_FILTER_LIST_MAX       100
#define PH_FILTER_TEXT_BYTES     16384
#define PH_FILTER_ELEMENTS       256

/* The filters of one application. Made in an arena and immutable once all are added. */
struct ph_filters;
struct ph_filter;

struct ph_filter_fault {
    const char
        *where;       /* JSON pointer into the filter, in the arena of the filters; "": all of it */
    const char *text; /* what is wrong there */
};

struct ph_filters *ph_filters_new(struct ph_arena *arena);
/* Compiles one; json: found valid by a scan, copied. VALIDATION: *fault says why. */
PH_MUST_CHECK enum ph_err ph_filters_add(struct ph_filters *filters, struct ph_str json,
                                         struct ph_filter **out, struct ph_filter_fault *fault);

/* What a payload has at the places that the filters look at: it has to outlive this, as do the filters. */
struct ph_filter_values;
struct ph_filter_values *ph_filters_read(const struct ph_filters *filters, struct ph_arena *arena,
                                         struct ph_str payload);
bool ph_filter_matches(const struct ph_filter *filter, struct ph_filter_values *values);
/* Which part of the filter decides, and by which value, for people; in the arena of the values. */
const char *ph_filter_reason(const struct ph_filter *filter, struct ph_filter_values *values);

#endif
