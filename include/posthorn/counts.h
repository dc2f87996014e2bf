/*
 * Counts of messages and attempts per hour and event type, of each application and of the whole tenant. They gather in memory
 * and are added to the database every few seconds, so that no message and no delivery pays for them there; a node that is
 * killed takes those of its last seconds with it.
 */
#ifndef POSTHORN_COUNTS_H
#define POSTHORN_COUNTS_H

#include "posthorn/db.h"

/* Steps of durations, of these counts and of an endpoint's: up to 10, 30, 100, 300, 1000, 3000, 10000 ms, and longer. */
#define PH_DURATION_STEPS 8
/* Index of the step. */
int ph_duration_step(int64_t duration_ms);

struct ph_counts;
struct ph_counts *ph_counts_new(void);
void ph_counts_free(struct ph_counts *counts);

/* What a message or attempt counts for. */
struct ph_counted {
    struct ph_id tenant, application;
    struct ph_str event_type;
    int64_t wall_ms;
};
/* Any thread. When too much waits to be stored, it is not counted. */
void ph_counts_message(struct ph_counts *counts, const struct ph_counted *what);
void ph_counts_attempt(struct ph_counts *counts, const struct ph_counted *what, bool success,
                       bool exhausted, int64_t duration_ms);

/* Stores what has gathered; one thread, one statement at a time. False: there is nothing, and on_done is not called. What a
 * statement failed to store goes along with the next one; when it is not known whether it did, it is not stored again. */
bool ph_counts_store(struct ph_counts *counts, struct ph_db *db,
                     void (*on_done)(enum ph_err err, void *ctx), void *ctx);

#endif
