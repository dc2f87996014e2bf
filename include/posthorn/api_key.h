/*
 * API keys: "phk_" and 43 characters of base64url, 256 random bits. The database holds their SHA-256 only.
 *
 * The functions that take a loop are for the command line: they step it until the database has answered. db: role engine.
 */
#ifndef POSTHORN_API_KEY_H
#define POSTHORN_API_KEY_H

#include "posthorn/store.h"

#define PH_API_KEY_LEN      47
#define PH_API_KEY_NAME_MAX 256

struct ph_api_key {
    struct ph_id id, tenant;
    struct ph_str name;
    int64_t created_ms;
    int64_t expires_ms; /* 0: never */
};

/* Whether it looks like a key; nothing else is looked up. */
bool ph_api_key_well_formed(struct ph_str key);

/* Makes a key and stores its hash. key: PH_API_KEY_LEN characters and a NUL, shown to nobody again. NOT_FOUND: no such
 * tenant; VALIDATION: the name is not 1 to PH_API_KEY_NAME_MAX bytes of text. */
PH_MUST_CHECK enum ph_err ph_api_key_create(struct ph_loop *loop, struct ph_db *db,
                                            struct ph_id tenant, struct ph_str name,
                                            int64_t expires_ms, char key[PH_API_KEY_LEN + 1],
                                            struct ph_id *out);
/* A tenant's keys, oldest first, in the arena. */
PH_MUST_CHECK enum ph_err ph_api_key_list(struct ph_loop *loop, struct ph_db *db,
                                          struct ph_arena *arena, struct ph_id tenant,
                                          struct ph_api_key **out, size_t *n);
/* A node that has used the key takes it for up to PH_AUTH_CACHE_MS more. NOT_FOUND: there was none. */
PH_MUST_CHECK enum ph_err ph_api_key_delete(struct ph_loop *loop, struct ph_db *db,
                                            struct ph_id id);

/* found is NULL unless err is OK; its name is absent. */
typedef void (*ph_api_key_done)(void *ctx, enum ph_err err, const struct ph_api_key *found);
/* The key that is well-formed and has not expired. NOT_FOUND: there is none. */
void ph_api_key_find(struct ph_db *db, struct ph_arena *arena, struct ph_str key,
                     ph_api_key_done done, void *ctx);

#endif
