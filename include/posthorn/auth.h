/*
 * Who is asking: API keys, remembered for a while so that a request does not cost a query.
 *
 * Owner: one http thread. The cache holds a keyed hash of each key, never the key.
 */
#ifndef POSTHORN_AUTH_H
#define POSTHORN_AUTH_H

#include "posthorn/api_key.h"

/* A deleted key is taken for up to this long where it was used before. */
#define PH_AUTH_CACHE_MS 30000
/* Keys that a thread remembers. */
#define PH_AUTH_CACHE_KEYS 8192

struct ph_auth;

struct ph_identity {
    struct ph_id tenant;
    struct ph_id api_key;
};

/* db: role engine. */
struct ph_auth *ph_auth_new(struct ph_loop *loop, struct ph_db *db);
void ph_auth_free(struct ph_auth *auth);

/* The token of an Authorization header: "Bearer TOKEN". Absent when it is something else. */
struct ph_str ph_auth_bearer(struct ph_str header);
/* Whether the key is known already; never asks the database. */
bool ph_auth_lookup(struct ph_auth *auth, struct ph_str key, struct ph_identity *out);

/* err AUTH: there is no such key. UNAVAILABLE and the like: nobody knows. */
typedef void (*ph_auth_done)(void *ctx, enum ph_err err, const struct ph_identity *identity);
/* Asks the database and remembers the answer if it is yes. key: well-formed, in the arena. done is never called before this
 * returns. */
void ph_auth_resolve(struct ph_auth *auth, struct ph_arena *arena, struct ph_str key,
                     ph_auth_done done, void *ctx);

#endif
