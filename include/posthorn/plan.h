/*
 * Plans: named quotas, which tenants have in common.
 *
 * db: role engine. store.h says how callbacks and memory work.
 */
#ifndef POSTHORN_PLAN_H
#define POSTHORN_PLAN_H

#include "posthorn/store.h"

#define PH_PLAN_NAME_MAX 64 /* of the alphabet of event types */
/* So many tenants of a plan are counted at most. */
#define PH_PLAN_TENANTS_MAX 10000

struct ph_plan {
    struct ph_str name;
    struct ph_str quotas; /* JSON object */
    int64_t tenants;      /* that have it */
    bool is_new;          /* just made */
};

/* plan is NULL unless err is OK. */
typedef void (*ph_plan_done)(void *ctx, enum ph_err err, const struct ph_plan *plan);

void ph_plan_list(struct ph_db *db, struct ph_arena *arena,
                  void (*done)(void *ctx, enum ph_err err, const struct ph_plan *plans, size_t n),
                  void *ctx);
/* NOT_FOUND */
void ph_plan_get(struct ph_db *db, struct ph_arena *arena, struct ph_str name, ph_plan_done done,
                 void *ctx);
/* Makes it or replaces its quotas, which count at once for all tenants that have it. */
void ph_plan_put(struct ph_db *db, struct ph_arena *arena, struct ph_str name, struct ph_str quotas,
                 ph_plan_done done, void *ctx);
/* NOT_FOUND. CONFLICT: tenants have it. */
void ph_plan_delete(struct ph_db *db, struct ph_arena *arena, struct ph_str name,
                    void (*done)(void *ctx, enum ph_err err), void *ctx);

#endif
