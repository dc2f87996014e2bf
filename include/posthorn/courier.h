/*
 * Courier: one delivery thread. An endpoint always belongs to the same one, so its queue and connections need no lock.
 */
#ifndef POSTHORN_COURIER_H
#define POSTHORN_COURIER_H

#include "posthorn/db.h"
#include "posthorn/node.h"

/* Makes the courier and starts its thread. CONFIG: a line in problems (the CA file). */
PH_MUST_CHECK enum ph_err ph_courier_start(struct ph_node *node, int index, struct ph_buf *problems,
                                           struct ph_courier **out);
/* Any thread: the jobs become the courier's. Leaves the list empty. */
void ph_courier_give(struct ph_courier *courier, struct ph_job_list *jobs);
/* Any thread: the endpoint's configuration changed or it is gone; NULL: all may have. */
void ph_courier_endpoint_changed(struct ph_courier *courier, const struct ph_id *endpoint);
/* Any thread: an application changed or is gone, and with it all its endpoints. */
void ph_courier_application_changed(struct ph_courier *courier, struct ph_id application);
/* Any thread: one attempt at once for job->trial, whatever the endpoint is held for; the job becomes the courier's. */
void ph_courier_try(struct ph_courier *courier, struct ph_job *job);
/* Any thread: the endpoint's deliveries of messages from before this wall time are gone from the database; those under way are
 * not repeated. */
void ph_courier_cancel(struct ph_courier *courier, struct ph_id endpoint, int64_t before_ms);
/* Any thread: the node has a new identity or none. */
void ph_courier_identity_changed(struct ph_courier *courier);
/* Any thread: starts no more attempts; ends when those under way are over and recorded, or at the deadline (monotonic). */
void ph_courier_stop(struct ph_courier *courier, uint64_t deadline_ms);
/* After stop: waits for the thread to end. */
void ph_courier_join(struct ph_courier *courier);
/* After join, when nobody can call it any more. */
void ph_courier_free(struct ph_courier *courier);

#endif
