/*
 * Waiting deliveries and the nodes that take them: statements of the dispatcher and the janitor. db: role
 * posthorn_engine. Every callback comes once; the arena lives until then.
 */
#ifndef POSTHORN_CLAIM_H
#define POSTHORN_CLAIM_H

#include "posthorn/db.h"
#include "posthorn/delivery.h"

/* A new node with its sign of life, a lock that lasts as long as the database connection: so on the one connection that
 * the dispatcher keeps for it. */
void ph_node_register(struct ph_db *db, struct ph_arena *arena, struct ph_str name,
                      void (*on_done)(enum ph_err err, int32_t node_id, void *ctx), void *ctx);
/* What the node has in memory, for whoever asks what nodes there are: instance.h. */
void ph_node_report(struct ph_db *db, struct ph_arena *arena, int32_t node_id, int32_t deliveries,
                    int64_t payload_bytes, void (*on_done)(enum ph_err err, int32_t n, void *ctx),
                    void *ctx);
/* The connection hears of changes from now on (on_notify of its options). */
void ph_node_listen(struct ph_db *db, struct ph_arena *arena,
                    void (*on_done)(enum ph_err err, int32_t n, void *ctx), void *ctx);
/* The node stops: its deliveries wait again, and the row goes. */
void ph_node_unregister(struct ph_db *db, struct ph_arena *arena, int32_t node_id,
                        void (*on_done)(enum ph_err err, int32_t freed, void *ctx), void *ctx);
/* Frees the deliveries of nodes whose lock is gone. dead: nodes seen dead for the first time. */
void ph_nodes_take_over(struct ph_db *db, struct ph_arena *arena, int32_t self,
                        void (*on_done)(enum ph_err err, int32_t dead, void *ctx), void *ctx);

struct ph_claim {
    struct ph_job_list jobs; /* owned by the callee */
    bool more;               /* others are due already */
    struct ph_id
        cursor; /* tenant at which max_endpoints were reached; zero: the round came to its end */
    const struct ph_id *drained; /* endpoints that have nothing left to wait for */
    const struct ph_id *behind;  /* endpoints that still have due ones */
    size_t n_drained, n_behind;
    int64_t
        next_ms; /* wall time when the next endpoint is due, by the database's clock; INT64_MAX: none waits */
    int64_t now_ms; /* the database's clock */
};
struct ph_claim_request {
    int32_t node_id;
    int max_endpoints, endpoints_per_tenant;
    int share;           /* deliveries of one endpoint */
    int pieces;          /* of all endpoints together, when their shares are fewer */
    struct ph_id cursor; /* tenants behind it, in the order of their ids; zero: from the first */
    const struct ph_id *held; /* endpoints that have no room in memory: left alone for a second */
    size_t n_held;
    const struct ph_id *full; /* tenants that have no room in memory: left alone this time */
    size_t n_full;
};
/* Takes due deliveries for a node: round the tenants, and in each the endpoints that have waited longest. */
void ph_claim_due(struct ph_db *db, struct ph_arena *arena, const struct ph_claim_request *request,
                  void (*on_done)(enum ph_err err, struct ph_claim *claim, void *ctx), void *ctx);

/* The endpoint changed: its hold ends, unless it is stopped. */
void ph_schedule_release(struct ph_db *db, struct ph_arena *arena, struct ph_id endpoint,
                         void (*on_done)(enum ph_err err, int32_t n, void *ctx), void *ctx);

/* The endpoint has room in memory again: ends the second for which a claim left it alone. */
void ph_schedule_room(struct ph_db *db, struct ph_arena *arena, struct ph_id endpoint,
                      void (*on_done)(enum ph_err err, int32_t n, void *ctx), void *ctx);

/* Makes partitions ahead, drops those past retention, removes used idempotency keys after 12 hours,
 * background tasks that ended when they are past retention, and entries of the audit log when they are past theirs. */
void ph_housekeeping_run(struct ph_db *db, struct ph_arena *arena, int retention_days,
                         int audit_days, void (*on_done)(enum ph_err err, int32_t n, void *ctx),
                         void *ctx);

#define PH_PAYLOADS_CLEAR_MAX 200
/* Looks at so many expired payloads at most, and clears those that are owed to nobody. n: looked at. */
void ph_payloads_clear(struct ph_db *db, struct ph_arena *arena,
                       void (*on_done)(enum ph_err err, int32_t n, void *ctx), void *ctx);

#endif
