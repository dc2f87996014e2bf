/*
 * Tenants: customers of the instance, and what holds for all their endpoints.
 *
 * store.h says how callbacks and memory work.
 */
#ifndef POSTHORN_TENANT_H
#define POSTHORN_TENANT_H

#include "posthorn/retry.h"
#include "posthorn/sign_profile.h"
#include "posthorn/store.h"

#define PH_TENANT_NAME_MAX 256

/* ---- as the operator sees them: role engine ---- */

struct ph_tenant {
    struct ph_id id;
    struct ph_str name;       /* 1 to PH_TENANT_NAME_MAX bytes */
    struct ph_str foreign_id; /* at a server that is replaced; absent: none */
    struct ph_str plan;       /* absent: none */
    struct ph_str quotas;     /* JSON object: its own, which go before those of the plan */
    struct ph_str in_force;   /* JSON object: what counts */
    int64_t suspended_ms;     /* 0: it is not */
    int64_t created_ms, updated_ms;
    struct ph_id root;          /* its own, or that whose environment it is */
    int64_t deleted_ms;         /* 0: it is not */
    int64_t messages_today;     /* of all environments of the root */
    struct ph_str environments; /* JSON array: those beside the root */
};

enum ph_tenant_admin_set {
    PH_TENANT_ADMIN_NAME = 1,
    PH_TENANT_ADMIN_PLAN = 2,
    PH_TENANT_ADMIN_QUOTAS = 4,
    PH_TENANT_ADMIN_SUSPENDED = 8,
};

struct ph_tenant_admin_change {
    unsigned set; /* bits of enum ph_tenant_admin_set */
    struct ph_str name, plan, quotas;
    bool suspended;
};

/* tenant is NULL unless err is OK. CONFLICT: there is no such plan. */
typedef void (*ph_tenant_done)(void *ctx, enum ph_err err, const struct ph_tenant *tenant);
typedef void (*ph_tenant_list_done)(void *ctx, enum ph_err err, const struct ph_tenant *tenants,
                                    size_t n, bool done);

struct ph_tenant_filter {
    struct ph_str state;  /* active, suspended or leaving; absent: not leaving */
    struct ph_str search; /* part of the name, or an id of one of its environments; absent: all */
};

/* Plan and quotas: of the change, when it sets them. */
void ph_tenant_create(struct ph_db *db, struct ph_arena *arena,
                      const struct ph_tenant_admin_change *change, ph_tenant_done done, void *ctx);
/* The roots. */
void ph_tenant_list(struct ph_db *db, struct ph_arena *arena, const struct ph_list *list,
                    const struct ph_tenant_filter *filter, ph_tenant_list_done done, void *ctx);
/* NOT_FOUND, like the next two. */
void ph_tenant_find(struct ph_db *db, struct ph_arena *arena, struct ph_id id, ph_tenant_done done,
                    void *ctx);
/* Tells all nodes. A suspended tenant's deliveries wait until it goes on. NOT_FOUND, too, for what an environment has from its
 * root: all but the name. */
void ph_tenant_change(struct ph_db *db, struct ph_arena *arena, struct ph_id id,
                      const struct ph_tenant_admin_change *change, ph_tenant_done done, void *ctx);
/* Its credentials end at once, its data in the background: ph_tenants_purge. NOT_FOUND, too, for an environment that is no root:
 * environment.h. */
void ph_tenant_delete(struct ph_db *db, struct ph_arena *arena, struct ph_id id,
                      void (*done)(void *ctx, enum ph_err err), void *ctx);

/* Removes up to `rows` rows of tenants that were deleted. n: how many; -1: there is no such tenant. */
void ph_tenants_purge(struct ph_db *db, struct ph_arena *arena, int32_t rows,
                      void (*done)(void *ctx, enum ph_err err, int32_t n), void *ctx);

struct ph_tenant_usage {
    struct ph_str day; /* 2026-11-24 */
    int64_t messages, success, failure;
};
/* Of so many days, the newest first; of a root: of all its environments. */
void ph_tenant_get_usage(struct ph_db *db, struct ph_arena *arena, struct ph_id id, int32_t days,
                         void (*done)(void *ctx, enum ph_err err,
                                      const struct ph_tenant_usage *usage, size_t n),
                         void *ctx);

/* ---- as they see themselves ---- */

struct ph_tenant_settings {
    struct ph_id id;
    struct ph_str name;
    struct ph_str header_prefix;
    struct ph_str signature_profile; /* a name of sign_profile.def */
    struct ph_str signature_header;  /* absent: PH_SIGNATURE_HEADER */
    bool has_retry;                  /* else the instance's */
    int32_t retry_s[PH_RETRY_WAITS_MAX];
    size_t n_retry;
    bool public_catalog;           /* everybody may read its event types */
    struct ph_str catalog_slug;    /* their name there beside the tenant's id; absent: none */
    struct ph_str *portal_origins; /* of pages that may have the portal in a frame */
    size_t n_portal_origins;
    struct ph_str portal_branding; /* JSON; absent: none */
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
    PH_TENANT_SET_PORTAL_ORIGINS = 128,
    PH_TENANT_SET_PORTAL_BRANDING = 256,
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

/* Origins and branding of a tenant's portal. db: role posthorn_engine. NOT_FOUND. */
void ph_tenant_get_portal(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                          void (*done)(void *ctx, enum ph_err err, const struct ph_str *origins,
                                       size_t n, struct ph_str branding),
                          void *ctx);

#endif
