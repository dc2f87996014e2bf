/*
 * What the operator sees of the instance: its nodes, and what it owes.
 *
 * db: role engine. store.h says how callbacks and memory work.
 */
#ifndef POSTHORN_INSTANCE_H
#define POSTHORN_INSTANCE_H

#include "posthorn/store.h"

struct ph_instance_node {
    int32_t id;
    struct ph_str name; /* host:process */
    int64_t started_ms;
    bool is_alive; /* it holds its lock */
    /* in memory, when it last told; reported_ms 0: not yet */
    int64_t deliveries, payload_bytes;
    int64_t reported_ms;
};

/* Up to 1000, by id. */
void ph_instance_get_nodes(struct ph_db *db, struct ph_arena *arena,
                           void (*done)(void *ctx, enum ph_err err,
                                        const struct ph_instance_node *nodes, size_t n),
                           void *ctx);

#define PH_INSTANCE_COUNT_MAX 10000

/* Each is counted up to PH_INSTANCE_COUNT_MAX, but for the estimate. */
struct ph_instance_queue {
    int64_t waiting;        /* deliveries in the database: for their next attempt, or their turn */
    int64_t due;            /* those that could be sent now */
    int64_t oldest_due_ms;  /* since when the oldest of them is due; 0: none */
    int64_t estimate;       /* of all deliveries owed, as PostgreSQL last counted; -1: not yet */
    int64_t endpoints_due;  /* with due deliveries */
    int64_t endpoints_held; /* whose due deliveries must not be sent now; so are the next two */
    int64_t endpoints_paused, endpoints_broken;
    int64_t endpoints_failing; /* that have failed since their last success, and are not disabled */
    int64_t tasks;             /* under way */
    int64_t unmatched;         /* messages whose endpoints are to be decided now */
    int64_t planned;           /* messages for later */
    int64_t tenants_leaving;   /* whose data are being removed */
};

/* queue is NULL unless err is OK. */
void ph_instance_get_queue(struct ph_db *db, struct ph_arena *arena,
                           void (*done)(void *ctx, enum ph_err err,
                                        const struct ph_instance_queue *queue),
                           void *ctx);

#endif
