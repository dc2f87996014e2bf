/*
 * Work on the database from the command line: a connection of role engine with a loop of its own, for one program run.
 */
#ifndef POSTHORN_ROLE_OPERATOR_H
#define POSTHORN_ROLE_OPERATOR_H

#include "posthorn/api_key.h"
#include "posthorn/arena.h"
#include "posthorn/db.h"

struct ph_operator {
    const char *database_url;
    struct ph_arena *arena;
    struct ph_loop *loop;
    struct ph_db *db;
    struct ph_db *changes; /* for transactions; NULL: there was none yet */
    struct ph_db_tx *tx;   /* the change under way */
};

/* Connects in the background; what is asked meanwhile waits, and fails with UNAVAILABLE when there is no database. */
void ph_operator_open(const char *database_url, struct ph_operator *out);
void ph_operator_close(struct ph_operator *operator);

/* What comes of a store function that is waited for. */
struct ph_waiting {
    bool done;
    enum ph_err err;
    struct ph_id id;
};
/* Runs the loop until it is done. */
PH_MUST_CHECK enum ph_err ph_operator_wait(struct ph_operator *operator,
                                           struct ph_waiting * waiting);
/* The callback that has no more to do; ctx: struct ph_waiting. */
void ph_operator_on_plain(void *ctx, enum ph_err err);

/* Begins a change: what is sent to the result is one transaction. */
struct ph_db *ph_operator_begin(struct ph_operator *operator);
/* Ends it: when its outcome `err` is OK, together with an entry in the tenant's audit log (zero: in that of the instance),
 * else without anything. Returns `err`, or why there is neither. object: as the interface shows it. */
PH_MUST_CHECK enum ph_err ph_operator_end(struct ph_operator *operator, enum ph_err err,
                                          struct ph_id tenant, const char *action,
                                          const char *object_kind, struct ph_str object);
/* An id as the interface shows it, in the arena. */
struct ph_str ph_operator_wire(struct ph_operator *operator, enum ph_id_kind kind, struct ph_id id);

/* Whether the key is in the database and has not expired. NOT_FOUND: it is not. */
PH_MUST_CHECK enum ph_err ph_operator_check_key(struct ph_operator *operator, struct ph_str token);
/* Makes a tenant. plan absent: none. CONFLICT: there is no such plan. */
PH_MUST_CHECK enum ph_err ph_operator_make_tenant(struct ph_operator *operator, struct ph_str name,
                                                  struct ph_str plan, struct ph_id *out);
/* Makes a key like this one, whose id it writes there. NOT_FOUND: no such tenant. */
PH_MUST_CHECK enum ph_err ph_operator_make_key(struct ph_operator *operator,
                                               struct ph_api_key * key,
                                               char token[PH_TOKEN_LEN + 1]);

/* Base64 of 32 new random bytes. */
char *ph_role_new_master_key(struct ph_arena *arena);

#endif
