/*
 * Goes on with background tasks, one step at a time, clears expired payloads and stores the node's counts: part of the dispatcher's thread, with a
 * database connection of its own, so that a long step keeps no claim waiting. Any node takes any task; what a step does is
 * one transaction.
 */
#ifndef POSTHORN_TASK_WORKER_H
#define POSTHORN_TASK_WORKER_H

#include "posthorn/loop.h"
#include "posthorn/node.h"

struct ph_task_worker;

/* Before the loop runs, or on its thread. */
struct ph_task_worker *ph_task_worker_new(struct ph_loop *loop, struct ph_node *node);
/* On the loop's thread: begins no more steps. */
void ph_task_worker_pause(struct ph_task_worker *worker);
/* On the loop's thread: stores the node's counts now rather than later. True: that is under way. Goes on when paused. */
bool ph_task_worker_store_counts(struct ph_task_worker *worker);
/* When the loop runs no more; it has to be stepped once afterwards. */
void ph_task_worker_free(struct ph_task_worker *worker);

#endif
