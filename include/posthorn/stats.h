/*
 * Counts over time, and what waits. All of it comes from roll-ups or is bounded, however much there is. store.h says how
 * callbacks and memory work; strings given as arguments have to live until the callback.
 */
#ifndef POSTHORN_STATS_H
#define POSTHORN_STATS_H

#include "posthorn/counts.h"
#include "posthorn/endpoint.h"
#include "posthorn/store.h"

/* Endpoints and deliveries that a backlog is counted of at most. */
#define PH_STATS_BACKLOG_MAX 10000
/* The roll-ups' own steps. */
#define PH_STATS_ENDPOINT_S (5 * 60)
#define PH_STATS_HOUR_S     (60 * 60)

struct ph_stats_bucket {
    int64_t at_ms;
    int64_t messages;         /* accepted; of an endpoint always 0 */
    int64_t success, failure; /* attempts */
    int64_t exhausted;        /* deliveries that were given up */
    int64_t durations[PH_DURATION_STEPS];
};
/* The time that so many percent of the attempts took at most, as far as the counts tell: between the bounds of the step that
 * it falls into, and 10 s for what took longer; -1 when there were none. */
int64_t ph_stats_percentile_ms(const struct ph_stats_bucket *bucket, int percent);

struct ph_stats_range {
    int64_t since_ms, until_ms; /* wall time; multiples of the roll-up's steps */
    int32_t step_s;             /* of the buckets: a multiple of the roll-up's */
};
/* Buckets with something in them, the oldest first. */
typedef void (*ph_stats_done)(void *ctx, enum ph_err err, const struct ph_stats_bucket *buckets,
                              size_t n);
/* application absent: the whole tenant. NOT_FOUND: no such application. */
void ph_stats_series(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                     struct ph_str application, const struct ph_stats_range *range,
                     ph_stats_done done, void *ctx);
void ph_stats_endpoint_series(struct ph_db *db, struct ph_arena *arena,
                              const struct ph_endpoint_path *path,
                              const struct ph_stats_range *range, ph_stats_done done, void *ctx);

struct ph_stats_event_type {
    struct ph_str event_type;
    int64_t success, failure; /* attempts */
};
typedef void (*ph_stats_event_types_done)(void *ctx, enum ph_err err,
                                          const struct ph_stats_event_type *types, size_t n);
/* Of an application, or (absent) of the whole tenant, by the event types' names; event_types NULL: all. NOT_FOUND. */
void ph_stats_by_event_type(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                            struct ph_str application, int64_t since_ms, int64_t until_ms,
                            const struct ph_str *event_types, size_t n_event_types,
                            ph_stats_event_types_done done, void *ctx);

/* Deliveries that wait in the database: for their next attempt, or for their turn. */
struct ph_stats_backlog {
    int64_t waiting, due;  /* due: of those waiting */
    bool is_capped;        /* there may be more: PH_STATS_BACKLOG_MAX were looked at */
    int64_t oldest_due_ms; /* wall time since which the one that waits longest is due; 0: none is */
};
typedef void (*ph_stats_backlog_done)(void *ctx, enum ph_err err,
                                      const struct ph_stats_backlog *backlog);
/* application absent: the whole tenant. NOT_FOUND. */
void ph_stats_backlog(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                      struct ph_str application, ph_stats_backlog_done done, void *ctx);
void ph_stats_endpoint_backlog(struct ph_db *db, struct ph_arena *arena,
                               const struct ph_endpoint_path *path, ph_stats_backlog_done done,
                               void *ctx);

/* since_ms: wall time since which a delivery waits for the endpoint's throttle; 0: none does. NOT_FOUND. */
typedef void (*ph_throttled_since_done)(void *ctx, enum ph_err err, int64_t since_ms);
void ph_endpoint_throttled_since(struct ph_db *db, struct ph_arena *arena,
                                 const struct ph_endpoint_path *path, ph_throttled_since_done done,
                                 void *ctx);

#endif
