/*
 * Trial: one attempt at an endpoint for somebody who waits for its outcome. It goes through the endpoint's courier, so that
 * guard, headers and signature are those of a delivery; nothing of it is stored.
 *
 * A hub belongs to one http thread and its loop; the couriers answer there.
 */
#ifndef POSTHORN_TRIAL_H
#define POSTHORN_TRIAL_H

#include "posthorn/loop.h"
#include "posthorn/node.h"

struct ph_trial_outcome {
    struct ph_id attempt;
    bool success;
    int status_code; /* 0: there was no answer */
    int64_t duration_ms;
    struct ph_str url, response;
};

/* OK: an attempt was made, and outcome says what came of it. NOT_FOUND: the endpoint is gone; CONFLICT: it is disabled;
 * RATE_LIMITED: it has too many trials under way; UNAVAILABLE: the node stops, or has no database. */
typedef void (*ph_trial_done)(void *ctx, enum ph_err err, const struct ph_trial_outcome *outcome);

struct ph_trial_hub;
struct ph_trial_hub *ph_trial_hub_new(struct ph_loop *loop);
/* On the loop's thread: trials that still wait are answered UNAVAILABLE first. */
void ph_trial_hub_free(struct ph_trial_hub *hub);

/* On the hub's thread: done follows exactly once, later. The payload is referenced. */
void ph_trial_start(struct ph_trial_hub *hub, struct ph_node *node, struct ph_id endpoint,
                    struct ph_payload *payload, ph_trial_done done, void *ctx);

/* The courier: what came of it; outcome NULL unless err is OK. The trial is given up, its texts are copied. */
void ph_trial_end(struct ph_trial *trial, enum ph_err err, const struct ph_trial_outcome *outcome);

#endif
