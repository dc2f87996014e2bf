/*
 * PostgreSQL roles that may send from SQL (posthorn.send), each for one tenant. For the command line: the functions step the
 * loop until the database has answered. db: role engine.
 */
#ifndef POSTHORN_SQL_USER_H
#define POSTHORN_SQL_USER_H

#include "posthorn/store.h"

struct ph_sql_user {
    struct ph_str role;
    struct ph_id tenant;
    int64_t created_ms;
};

/* Maps the role to the tenant and lets it call the function. VALIDATION: there is no such role, or it is one of ours or
 * PostgreSQL's; NOT_FOUND: no such tenant; CONFLICT: the role is mapped already. */
PH_MUST_CHECK enum ph_err ph_sql_user_create(struct ph_loop *loop, struct ph_db *db,
                                             struct ph_str role, struct ph_id tenant);
/* All, by name, in the arena. */
PH_MUST_CHECK enum ph_err ph_sql_user_list(struct ph_loop *loop, struct ph_db *db,
                                           struct ph_arena *arena, struct ph_sql_user **out,
                                           size_t *n);
/* From its next statement on the role cannot send any more. NOT_FOUND: it was not mapped. */
PH_MUST_CHECK enum ph_err ph_sql_user_delete(struct ph_loop *loop, struct ph_db *db,
                                             struct ph_str role);

#endif
