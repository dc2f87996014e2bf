/*
 * Poller tokens: with the prefix "phl_", good for fetching from one poller.
 *
 * db: role api, unless it says otherwise. store.h says how callbacks and memory work.
 */
#ifndef POSTHORN_POLLER_TOKEN_H
#define POSTHORN_POLLER_TOKEN_H

#include "posthorn/credential.h"
#include "posthorn/endpoint.h"
#include "posthorn/token.h"

#define PH_POLLER_TOKEN_PREFIX "phl_"

struct ph_poller_token {
    struct ph_id id;
    int64_t created_ms, expires_ms; /* expires 0: never */
    struct ph_str end;              /* its last characters */
};

/* token is NULL unless err is OK. NOT_FOUND: no such poller, or it has none. */
typedef void (*ph_poller_token_done)(void *ctx, enum ph_err err,
                                     const struct ph_poller_token *token);

/* A new one: text gets PH_TOKEN_LEN characters and a NUL. expiry_s 0: never; the old ones end in old_expiry_s seconds at the
 * latest. */
void ph_poller_token_rotate(struct ph_db *db, struct ph_arena *arena,
                            const struct ph_endpoint_path *path, int64_t expiry_s,
                            int64_t old_expiry_s, char text[PH_TOKEN_LEN + 1],
                            ph_poller_token_done done, void *ctx);
void ph_poller_token_get(struct ph_db *db, struct ph_arena *arena,
                         const struct ph_endpoint_path *path, ph_poller_token_done done, void *ctx);

/* Role engine: whose token it is. */
void ph_poller_token_find(struct ph_db *db, struct ph_arena *arena, struct ph_str token,
                          ph_identity_done done, void *ctx);

#endif
