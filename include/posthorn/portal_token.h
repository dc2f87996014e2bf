/*
 * Portal tokens: with the prefix "php_", for one application, for a while.
 *
 * db: role api, unless it says otherwise. store.h says how callbacks and memory work.
 */
#ifndef POSTHORN_PORTAL_TOKEN_H
#define POSTHORN_PORTAL_TOKEN_H

#include "posthorn/credential.h"
#include "posthorn/store.h"
#include "posthorn/token.h"

#define PH_PORTAL_TOKEN_PREFIX "php_"

struct ph_portal_token {
    struct ph_id tenant;
    struct ph_str application; /* id or uid */
    bool read_only;
    unsigned sections;     /* bits of enum ph_section */
    struct ph_str session; /* absent: none */
    const struct ph_str *feature_flags;
    size_t n_feature_flags;
    struct ph_id created_by;
    int64_t lifetime_s;
};

typedef void (*ph_portal_token_done)(void *ctx, enum ph_err err);

/* token: PH_TOKEN_LEN characters and a NUL. NOT_FOUND: no such application. */
void ph_portal_token_create(struct ph_db *db, struct ph_arena *arena,
                            const struct ph_portal_token *new_one, char token[PH_TOKEN_LEN + 1],
                            ph_portal_token_done done, void *ctx);
/* All nodes forget it. */
void ph_portal_token_delete(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                            struct ph_id id, ph_portal_token_done done, void *ctx);
/* Lets the application's tokens of these sessions (NULL: all) end in so many seconds at the latest. NOT_FOUND. */
void ph_portal_tokens_expire(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                             struct ph_str application, int64_t seconds,
                             const struct ph_str *sessions, size_t n_sessions,
                             ph_portal_token_done done, void *ctx);
/* session: absent without one, or when the token is gone. */
void ph_portal_token_session(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                             struct ph_id id,
                             void (*done)(void *ctx, enum ph_err err, struct ph_str session),
                             void *ctx);

/* What a portal shows of the tenant and of the application (zero: of none). */
struct ph_portal {
    struct ph_str branding; /* JSON; absent: none */
    struct ph_id application;
    struct ph_str uid, name;
};
void ph_portal_show(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                    struct ph_id application,
                    void (*done)(void *ctx, enum ph_err err, const struct ph_portal *portal),
                    void *ctx);

/* Role engine: whose token it is. */
void ph_portal_token_find(struct ph_db *db, struct ph_arena *arena, struct ph_str token,
                          ph_identity_done done, void *ctx);

#endif
