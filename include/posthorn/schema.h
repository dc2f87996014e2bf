/*
 * JSON Schema 2020-12: a schema is compiled once and payloads are checked against it as they are, byte for byte, without
 * a tree. What a check costs is bounded, whatever schema and payload are: see PH_SCHEMA_WORK.
 *
 * Checked: type, const, enum; multipleOf, minimum, maximum and the exclusive ones (exactly, as decimals); minLength,
 * maxLength, pattern (regex.h says which syntax); items, prefixItems, contains with its bounds, minItems, maxItems, uniqueItems;
 * properties, patternProperties, additionalProperties, propertyNames, required, dependentRequired, dependentSchemas,
 * minProperties, maxProperties; allOf, anyOf, oneOf, not, if, then, else; $ref inside of the schema ("#", "#/…"); and
 * nullable of OpenAPI 3.0. items as an array and additionalItems are read as in the drafts before.
 *
 * Read as annotations: format, title and the like, $schema, $id of the whole, and every name that is no keyword. A keyword
 * that would have to be checked and is not is refused: unevaluatedProperties, unevaluatedItems, $dynamicRef, $anchor and
 * their like, a $ref to elsewhere, which is never fetched, and a $id inside.
 */
#ifndef POSTHORN_SCHEMA_H
#define POSTHORN_SCHEMA_H

#include "posthorn/arena.h"
#include "posthorn/str.h"

#define PH_SCHEMA_BYTES_MAX (128 * 1024)
#define PH_SCHEMA_NODES_MAX 5000
#define PH_SCHEMA_REFS_MAX  500
#define PH_SCHEMA_REGEX_MAX 100
/* Bytes looked at and comparisons made in one check: this much, and this much more for each byte of the payload. */
#define PH_SCHEMA_WORK          1000000
#define PH_SCHEMA_WORK_PER_BYTE 20

/* The text of a fault at a member that is not there. */
#define PH_SCHEMA_MISSING "field required"

struct ph_schema; /* immutable */

struct ph_schema_fault {
    const char *where; /* JSON pointer into the schema, or into the payload; in the arena */
    const char *text;  /* what is wrong there; static or in the arena */
};

/* json: found valid by a scan, copied. VALIDATION: *fault. */
PH_MUST_CHECK enum ph_err ph_schema_compile(struct ph_arena *arena, struct ph_str json,
                                            struct ph_schema **out, struct ph_schema_fault *fault);
/* About how much memory it takes. */
size_t ph_schema_bytes(const struct ph_schema *schema);
/* json: found valid by a scan. VALIDATION: it does not match, or it takes too much to find out; *fault. */
PH_MUST_CHECK enum ph_err ph_schema_check(const struct ph_schema *schema, struct ph_arena *arena,
                                          struct ph_str json, struct ph_schema_fault *fault);

#endif
