/*
 * What JSON Web Tokens of every kind are made of.
 */
#ifndef POSTHORN_CORE_JWT_PART_H
#define POSTHORN_CORE_JWT_PART_H

#include "posthorn/str.h"

#include <jansson.h>

#define PH_JWT_CLOCKS_DIFFER_MS 60000 /* at most: of who makes a token and of ours */

struct ph_jwt_parts {
    struct ph_str header, payload, signature; /* coded */
    struct ph_str signed_text;                /* the first two and the dot between them */
};

/* False: it has not three parts. */
bool ph_jwt_split(struct ph_str token, struct ph_jwt_parts *out);
/* base64url without padding, and no other spelling of the same bytes. False: it is something else, or too long. */
bool ph_jwt_decode(struct ph_str text, uint8_t *out, size_t max, size_t *len);
/* A JSON object of one part, no member twice; the caller's. NULL: it is none. */
json_t *ph_jwt_object(struct ph_str part);
/* A header that asks for nothing that we do not know: the type is JWT or not said, and nothing is critical. */
bool ph_jwt_header_ok(const json_t *header);
/* A time in seconds, perhaps with a fraction. Absent: def_ms. */
bool ph_jwt_time(const json_t *claims, const char *name, int64_t def_ms, int64_t *out_ms);
/* A member that is a string; else absent. */
struct ph_str ph_jwt_text(const json_t *claims, const char *name);

#endif
