/*
 * API keys of a tenant: tokens with the prefix "phk_".
 *
 * db: role api with the tenant of the request, or role engine. store.h says how callbacks and memory work.
 */
#ifndef POSTHORN_API_KEY_H
#define POSTHORN_API_KEY_H

#include "posthorn/credential.h"
#include "posthorn/store.h"
#include "posthorn/token.h"

#define PH_API_KEY_PREFIX   "phk_"
#define PH_API_KEY_NAME_MAX 256

struct ph_api_key {
    struct ph_id id, tenant;
    struct ph_str name;
    enum ph_access access;
    struct ph_id created_by; /* the key that made it; zero: the command line */
    int64_t created_ms;
    int64_t expires_ms;   /* 0: never */
    int64_t last_used_ms; /* to about a minute; 0: not yet */
};

/* key is NULL unless err is OK. */
typedef void (*ph_api_key_done)(void *ctx, enum ph_err err, const struct ph_api_key *key);
typedef void (*ph_api_key_list_done)(void *ctx, enum ph_err err, const struct ph_api_key *keys,
                                     size_t n, bool done);

/* Makes one of these: tenant, name (1 to PH_API_KEY_NAME_MAX bytes of text), access, expires_ms and
 * created_by count. token: PH_TOKEN_LEN characters and a NUL, shown to nobody again. NOT_FOUND: no such tenant. */
void ph_api_key_create(struct ph_db *db, struct ph_arena *arena, const struct ph_api_key *key,
                       char token[PH_TOKEN_LEN + 1], ph_api_key_done done, void *ctx);
void ph_api_key_list(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                     const struct ph_list *list, ph_api_key_list_done done, void *ctx);
/* NOT_FOUND */
void ph_api_key_get(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant, struct ph_id id,
                    ph_api_key_done done, void *ctx);
/* Role engine: whose key it is. NOT_FOUND. */
void ph_api_key_owner(struct ph_db *db, struct ph_arena *arena, struct ph_id id,
                      void (*done)(void *ctx, enum ph_err err, struct ph_id tenant), void *ctx);
/* All nodes forget it. NOT_FOUND. */
void ph_api_key_delete(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                       struct ph_id id, void (*done)(void *ctx, enum ph_err err), void *ctx);

/* Role engine: whose token it is. */
void ph_api_key_find(struct ph_db *db, struct ph_arena *arena, struct ph_str token,
                     ph_identity_done done, void *ctx);
/* Role engine: these keys were used just now. */
void ph_api_keys_used(struct ph_db *db, struct ph_arena *arena, const struct ph_id *ids, size_t n,
                      void (*done)(void *ctx, enum ph_err err), void *ctx);

#endif
