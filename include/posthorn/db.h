/*
 * PostgreSQL on an event loop: named statements in pipeline mode, over a few connections that are made again by
 * themselves. Parameters and results are in PostgreSQL's binary format.
 *
 * Owner: one loop. All calls and callbacks on that loop's thread.
 */
#ifndef POSTHORN_DB_H
#define POSTHORN_DB_H

#include "posthorn/arena.h"
#include "posthorn/id.h"
#include "posthorn/loop.h"
#include "posthorn/str.h"

#include <libpq-fe.h>

/* A statement of server/sql/<aggregate>.sql, made at build time. Static. */
struct ph_stmt {
    const char *name;
    const char *sql;
};

enum ph_db_role {
    PH_DB_API, /* role posthorn_api: sees the tenant of the request only, and waits no longer than 5 s for a lock (DB_RETRY) */
    PH_DB_ENGINE, /* role posthorn_engine: works across tenants. The planner of both is bound to index scans */
    PH_DB_OWNER, /* the connection's own user: migrations */
};

struct ph_db;

struct ph_db_options {
    const char *conninfo; /* libpq string or URL; copied */
    enum ph_db_role role;
    int connections; /* how many */
    size_t
        max_waiting; /* requests that may wait for an answer; further ones fail with UNAVAILABLE at once */
    const char *name; /* for log lines and application_name */
    /* optional: each time a connection is ready (again), before any request goes out on it; what is sent from within goes
     * out on this connection, first */
    void (*on_connect)(struct ph_db *db, void *ctx);
    /* optional: each time one that was ready is lost, before its requests are answered; not from ph_db_free */
    void (*on_disconnect)(struct ph_db *db, void *ctx);
    /* optional: a NOTIFY arrived; LISTEN is for the owner to issue in on_connect */
    void (*on_notify)(struct ph_db *db, const char *channel, const char *payload, void *ctx);
    void *ctx;
};

/* Starts connecting in the background; requests made meanwhile wait (max_waiting) and fail with UNAVAILABLE once a
 * connection attempt has failed. Reconnects for ever with growing pauses of 0.1 to 5 s, a log line each change. */
struct ph_db *ph_db_new(struct ph_loop *loop, const struct ph_db_options *options);
/* Requests that are under way get UNAVAILABLE or DB_LOST first, and so do those that these callbacks send. Not from within a
 * callback of this module. When something was sent since the loop's last step, memory is given back in the next one. */
void ph_db_free(struct ph_db *db);
/* At least one connection is ready. */
bool ph_db_ready(const struct ph_db *db);

#define PH_DB_PARAMS_MAX 40

/*
 * One request: a statement and its parameters in one transaction of its own. Embedded in its owner; filled by
 * ph_db_req_init and ph_db_add_*; parameter memory is copied into `params` or, for the _ref forms, kept by the owner until
 * on_done.
 */
struct ph_db_req {
    const struct ph_stmt *stmt;
    bool has_tenant; /* posthorn.tenant_id is set to `tenant` for the transaction */
    struct ph_id tenant;
    int n_params;
    const char *values[PH_DB_PARAMS_MAX];
    int lengths[PH_DB_PARAMS_MAX];
    struct ph_arena *arena; /* holds small copies */
    /* err OK: res holds the rows, valid until on_done returns. Else res is NULL:
     * CONFLICT unique or foreign key violation (constraint name in `constraint`), DB_RETRY rolled back (serialisation,
     * deadlock, a lock that was not to be had, or the statement raised 40001), DB_LOST outcome unknown, UNAVAILABLE surely not executed,
     * QUOTA a quota of the tenant forbids it, DB_FAILED refused (logged). */
    void (*on_done)(struct ph_db_req *req, enum ph_err err, PGresult *res);
    const char *constraint; /* CONFLICT: valid during on_done */
    /* the module's own */
    struct ph_queue_node node;
    int results_due;
    bool prepares;
    enum ph_db_role role; /* in a transaction */
};

/* arena: where parameter copies live, at least until on_done. */
void ph_db_req_init(struct ph_db_req *req, const struct ph_stmt *stmt, struct ph_arena *arena,
                    void (*on_done)(struct ph_db_req *, enum ph_err, PGresult *));
void ph_db_req_tenant(struct ph_db_req *req, struct ph_id tenant);
void ph_db_add_null(struct ph_db_req *req);
void ph_db_add_id(struct ph_db_req *req, struct ph_id id);   /* uuid */
void ph_db_add_i16(struct ph_db_req *req, int16_t v);        /* smallint */
void ph_db_add_i32(struct ph_db_req *req, int32_t v);        /* integer */
void ph_db_add_i64(struct ph_db_req *req, int64_t v);        /* bigint */
void ph_db_add_bool(struct ph_db_req *req, bool v);          /* boolean */
void ph_db_add_time(struct ph_db_req *req, int64_t wall_ms); /* timestamptz */
void ph_db_add_str(struct ph_db_req *req, struct ph_str s);  /* text, copied; absent gives NULL */
void ph_db_add_ref(
    struct ph_db_req *req,
    struct ph_str bytes); /* bytea, text or any binary value, not copied; absent gives NULL */
void ph_db_add_str_array(
    struct ph_db_req *req, const struct ph_str *v,
    size_t n); /* text[]; v NULL gives NULL; absent elements give NULL elements */

/* Sends it (buffered; flushed at the end of the loop's step). on_done follows exactly once, never before this returns. */
void ph_db_send(struct ph_db *db, struct ph_db_req *req);

/*
 * A transaction of several requests, on a connection that it has for itself meanwhile. What it gives as a `ph_db` is handed
 * to store functions in place of the real one: their statements run in the transaction, one after the other, and a statement
 * that fails is undone by itself. Nothing is committed before ph_db_commit.
 *
 * Every transaction is ended by commit or rollback, and before the ph_db that it came from is freed.
 */
struct ph_db_tx;
/* Starts as soon as a connection is free; what is sent meanwhile waits. db is for transactions only. */
struct ph_db_tx *ph_db_begin(struct ph_db *db);
/* PH_DB_API or PH_DB_ENGINE: the role with which statements that are sent to the result run. Lives as long as the
 * transaction. */
struct ph_db *ph_db_tx_as(struct ph_db_tx *tx, enum ph_db_role role);
/* The next two give the transaction up; none of its requests may be under way, but for those that were sent to it since the
 * last one ended: they are committed with it, at once, or if one of them fails nothing is (DB_RETRY). OK: committed. DB_LOST: the outcome is
 * unknown. UNAVAILABLE: surely not. done is never called before this returns. */
typedef void (*ph_db_committed)(void *ctx, enum ph_err err);
void ph_db_commit(struct ph_db_tx *tx, ph_db_committed done, void *ctx);
void ph_db_rollback(struct ph_db_tx *tx);

/* For programs without a loop of their own (command line): sends, steps the loop until done, returns what on_done was given;
 * the caller clears *res. req->on_done is not used. */
PH_MUST_CHECK enum ph_err ph_db_run(struct ph_loop *loop, struct ph_db *db, struct ph_db_req *req,
                                    PGresult **res);

/* Binary one-dimensional array under construction, for the batch statements. */
struct ph_db_array {
    struct ph_buf buf;
    uint32_t oid;
    int32_t n;
    bool has_null;
};
enum ph_db_array_of {
    PH_DB_UUIDS,
    PH_DB_I16S,
    PH_DB_I32S,
    PH_DB_I64S,
    PH_DB_BOOLS,
    PH_DB_TIMES,
    PH_DB_TEXTS,
    PH_DB_BYTEAS
};
void ph_db_array_init(struct ph_db_array *a, enum ph_db_array_of of, size_t max_bytes);
void ph_db_array_clear(struct ph_db_array *a);
void ph_db_array_free(struct ph_db_array *a);
void ph_db_array_null(struct ph_db_array *a);
void ph_db_array_id(struct ph_db_array *a, struct ph_id id);
void ph_db_array_i16(struct ph_db_array *a, int16_t v);
void ph_db_array_i32(struct ph_db_array *a, int32_t v);
void ph_db_array_i64(struct ph_db_array *a, int64_t v);
void ph_db_array_bool(struct ph_db_array *a, bool v);
void ph_db_array_time(struct ph_db_array *a, int64_t wall_ms);
void ph_db_array_str(struct ph_db_array *a, struct ph_str s); /* text or bytea; absent gives NULL */
/* Adds the array as a parameter by reference: it must stay unchanged until on_done. */
void ph_db_add_array(struct ph_db_req *req, struct ph_db_array *a);

/* Readers of result values. The column's type must be the named one (asserted); a NULL reads as zero, absent or false. */
bool ph_db_is_null(const PGresult *res, int row, int col);
struct ph_id ph_db_id(const PGresult *res, int row, int col);
int64_t ph_db_int(const PGresult *res, int row, int col); /* smallint, integer or bigint */
bool ph_db_bool(const PGresult *res, int row, int col);
int64_t ph_db_time(const PGresult *res, int row, int col); /* wall ms */
struct ph_str ph_db_str(const PGresult *res, int row,
                        int col); /* text, bytea, json; lives as long as res */
/* integer[]: at most max elements, NULL elements as 0; returns how many there are, 0 for NULL. */
size_t ph_db_int_array(const PGresult *res, int row, int col, int32_t *out, size_t max);
/* text[]: elements point into res, the vector lives in the arena. */
size_t ph_db_str_array(struct ph_arena *arena, const PGresult *res, int row, int col,
                       struct ph_str **out);

#endif
