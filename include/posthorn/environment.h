/*
 * Environments of a tenant, e.g. for production and for tests: rows of the table of tenants with keys and data of their own. The
 * first one is the root, to which members, plan and quotas belong; the others share these.
 *
 * db: role engine. `tenant`: the environment that asks; nothing of another root is seen. store.h says how callbacks and memory
 * work.
 */
#ifndef POSTHORN_ENVIRONMENT_H
#define POSTHORN_ENVIRONMENT_H

#include "posthorn/store.h"
#include "posthorn/token.h"

struct ph_environment {
    struct ph_id id, root;
    struct ph_str name; /* 1 to PH_TENANT_NAME_MAX bytes */
    int64_t created_ms, updated_ms;
};

/* environment is NULL unless err is OK. */
typedef void (*ph_environment_done)(void *ctx, enum ph_err err,
                                    const struct ph_environment *environment);
typedef void (*ph_environment_list_done)(void *ctx, enum ph_err err,
                                         const struct ph_environment *environments, size_t n,
                                         bool done);

void ph_environment_list(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                         const struct ph_list *list, ph_environment_list_done done, void *ctx);
/* NOT_FOUND, like the next ones. */
void ph_environment_get(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                        struct ph_id id, ph_environment_done done, void *ctx);

struct ph_environment_new {
    struct ph_str name;
    struct ph_id copied;     /* environment whose settings and event types it gets; zero: none */
    struct ph_id created_by; /* the key that makes it; zero: none does */
};
/* With a key that may everything. token: PH_TOKEN_LEN characters and a NUL, shown to nobody again. NOT_FOUND: there is none to be
 * copied. QUOTA: the tenant has as many as it may. */
void ph_environment_create(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                           const struct ph_environment_new *as, char token[PH_TOKEN_LEN + 1],
                           ph_environment_done done, void *ctx);
void ph_environment_rename(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                           struct ph_id id, struct ph_str name, ph_environment_done done,
                           void *ctx);
/* Its credentials end at once, its data in the background. CONFLICT: it is the root. VALIDATION: its name is another. */
void ph_environment_delete(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                           struct ph_id id, struct ph_str name,
                           void (*done)(void *ctx, enum ph_err err), void *ctx);

#endif
