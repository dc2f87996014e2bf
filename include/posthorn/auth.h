/*
 * Who is asking: credentials, remembered for a while so that a request does not cost a query.
 *
 * Owner: one http thread. The cache holds a keyed hash of each token, never the token. Nothing is remembered of tokens that
 * nobody has, so a new one counts at once; a deleted one ends when the node hears of it, or within a second while it hears
 * nothing.
 */
#ifndef POSTHORN_AUTH_H
#define POSTHORN_AUTH_H

#include "posthorn/api_key.h"
#include "posthorn/auth_news.h"
#include "posthorn/portal_token.h"

#define PH_AUTH_CACHE_MS 30000
/* While no news come. */
#define PH_AUTH_CACHE_DEAF_MS 1000
/* Of a tenant whose messages of a day are limited: so long it may go on sending. */
#define PH_AUTH_CACHE_LIMITED_MS 2000
/* Tokens that a thread remembers. */
#define PH_AUTH_CACHE_KEYS 8192

struct ph_auth;

struct ph_auth_options {
    struct ph_db *db; /* role engine */
    const struct ph_auth_news *news;
    struct ph_str jwt_secret;            /* absent or empty: no JSON Web Tokens are accepted */
    struct ph_rate_table *rates;         /* of the node's tenants */
    int64_t per_second[PH_RATE_CLASSES]; /* for tenants whose quotas say nothing; 0: no limit */
};
struct ph_auth *ph_auth_new(struct ph_loop *loop, const struct ph_auth_options *options);
/* Before its database is freed. */
void ph_auth_stop(struct ph_auth *auth);
void ph_auth_free(struct ph_auth *auth);

/* The token of an Authorization header: "Bearer TOKEN". Absent when it is something else. */
struct ph_str ph_auth_bearer(struct ph_str header);
/* Whether it looks like a token; nothing else is looked up. */
bool ph_auth_well_formed(const struct ph_auth *auth, struct ph_str token);
/* Whether the token is known already; never asks the database. */
bool ph_auth_lookup(struct ph_auth *auth, struct ph_str token, struct ph_identity *out);

/* Asks the database and remembers the answer if it is yes. token: well-formed, in the arena. err AUTH: nobody has it.
 * UNAVAILABLE and the like: nobody knows. done follows once, perhaps before this returns. */
void ph_auth_resolve(struct ph_auth *auth, struct ph_arena *arena, struct ph_str token,
                     ph_identity_done done, void *ctx);

#endif
