/*
 * Tenants: customers of the instance, and what holds for all their endpoints.
 */
#ifndef POSTHORN_TENANT_H
#define POSTHORN_TENANT_H

#include "posthorn/retry.h"
#include "posthorn/sign_profile.h"
#include "posthorn/store.h"

#define PH_TENANT_NAME_MAX 256

struct ph_tenant {
    struct ph_id id;
    struct ph_str name;
    int64_t created_ms;
};

/* The next two are for the command line: they step the loop until the database has answered. db: role engine. */

/* VALIDATION: the name is not 1 to PH_TENANT_NAME_MAX bytes of text. */
PH_MUST_CHECK enum ph_err ph_tenant_create(struct ph_loop *loop, struct ph_db *db,
                                           struct ph_str name, struct ph_id *out);
/* All, oldest first, in the arena. */
PH_MUST_CHECK enum ph_err ph_tenant_list(struct ph_loop *loop, struct ph_db *db,
                                         struct ph_arena *arena, struct ph_tenant **out, size_t *n);

struct ph_tenant_settings {
    struct ph_id id;
    struct ph_str name;
    struct ph_str header_prefix;
    struct ph_str signature_profile; /* a name of sign_profile.def */
    struct ph_str signature_header;  /* absent: PH_SIGNATURE_HEADER */
    bool has_retry;                  /* else the instance's */
    int32_t retry_s[PH_RETRY_WAITS_MAX];
    size_t n_retry;
    bool public_catalog;        /* everybody may read its event types */
    struct ph_str catalog_slug; /* their name there beside the tenant's id; absent: none */
    int64_t created_ms, updated_ms;
};

enum ph_tenant_set {
    PH_TENANT_SET_NAME = 1,
    PH_TENANT_SET_HEADER_PREFIX = 2,
    PH_TENANT_SET_SIGNATURE_PROFILE = 4,
    PH_TENANT_SET_SIGNATURE_HEADER = 8,
    PH_TENANT_SET_RETRY = 16,
    PH_TENANT_SET_PUBLIC_CATALOG = 32,
    PH_TENANT_SET_CATALOG_SLUG = 64,
};

/* settings is NULL unless err is OK; NOT_FOUND: the tenant is gone. store.h says how callbacks and memory work. */
typedef void (*ph_tenant_settings_done)(void *ctx, enum ph_err err,
                                        const struct ph_tenant_settings *settings);
void ph_tenant_get_settings(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                            ph_tenant_settings_done done, void *ctx);
/* Changes what `set` names (bits of enum ph_tenant_set), and notifies all nodes. CONFLICT: another tenant has the slug. */
void ph_tenant_update_settings(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                               unsigned set, const struct ph_tenant_settings *settings,
                               ph_tenant_settings_done done, void *ctx);

/* The tenant that publishes its event types under this slug or as this id. db: role posthorn_engine. NOT_FOUND: none does. */
void ph_tenant_find_catalog(struct ph_db *db, struct ph_arena *arena, struct ph_str slug_or_id,
                            void (*done)(void *ctx, enum ph_err err, struct ph_id tenant),
                            void *ctx);

#endif
