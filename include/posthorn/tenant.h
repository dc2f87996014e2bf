/*
 * Tenants: customers of the instance. These functions are for the command line: they step the loop until the database has
 * answered. db: role engine.
 */
#ifndef POSTHORN_TENANT_H
#define POSTHORN_TENANT_H

#include "posthorn/store.h"

#define PH_TENANT_NAME_MAX 256

struct ph_tenant {
    struct ph_id id;
    struct ph_str name;
    int64_t created_ms;
};

/* VALIDATION: the name is not 1 to PH_TENANT_NAME_MAX bytes of text. */
PH_MUST_CHECK enum ph_err ph_tenant_create(struct ph_loop *loop, struct ph_db *db,
                                           struct ph_str name, struct ph_id *out);
/* All, oldest first, in the arena. */
PH_MUST_CHECK enum ph_err ph_tenant_list(struct ph_loop *loop, struct ph_db *db,
                                         struct ph_arena *arena, struct ph_tenant **out, size_t *n);

#endif
