/*
 * Tokens that we give out: a prefix of four characters that says what it is, and 43 of base64url, 256 random bits. The
 * database holds their SHA-256 only.
 */
#ifndef POSTHORN_TOKEN_H
#define POSTHORN_TOKEN_H

#include "posthorn/str.h"

#define PH_TOKEN_LEN        47
#define PH_TOKEN_HASH_BYTES 32

/* Whether it looks like a token with this prefix. */
bool ph_token_well_formed(struct ph_str token, const char *prefix);
/* A new one and a NUL. */
void ph_token_make(const char *prefix, char token[PH_TOKEN_LEN + 1]);
/* What the database knows of it; the result points to hash. */
struct ph_str ph_token_hash(struct ph_str token, uint8_t hash[PH_TOKEN_HASH_BYTES]);

#endif
