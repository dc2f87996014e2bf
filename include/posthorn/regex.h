/*
 * Regular expressions of JSON Schema, matched in time that is bounded by pattern times text: no expression and no text makes
 * it slow, so tenants may bring both. All ways through the expression are followed at once, character by character, and
 * none is tried again.
 *
 * The syntax is that of ECMA-262 with the flag u, but for what such a matcher cannot do or we leave out: lookahead,
 * lookbehind, references back and \p{…} are refused. Groups only group, and a quantifier's laziness means nothing, as the
 * only question is whether there is a match.
 */
#ifndef POSTHORN_REGEX_H
#define POSTHORN_REGEX_H

#include "posthorn/arena.h"
#include "posthorn/str.h"

#define PH_REGEX_BYTES_MAX 1024
/* Steps that an expression is made of, its repeated parts written out. */
#define PH_REGEX_STEPS_MAX 2000

struct ph_regex;

/* pattern: valid UTF-8. VALIDATION: *fault says why; static. */
PH_MUST_CHECK enum ph_err ph_regex_compile(struct ph_arena *arena, struct ph_str pattern,
                                           struct ph_regex **out, const char **fault);
/* Memory that a match works in, to be used again. */
struct ph_regex_scratch;
struct ph_regex_scratch *ph_regex_scratch_new(struct ph_arena *arena);
/* Whether it matches anywhere in the text, which is valid UTF-8. Every comparison is taken off *work; when that is below
 * zero, there is no answer. */
bool ph_regex_matches(const struct ph_regex *regex, struct ph_regex_scratch *scratch,
                      struct ph_str text, int64_t *work);

#endif
