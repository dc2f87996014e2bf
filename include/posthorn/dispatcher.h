/*
 * Dispatcher: the thread that keeps the node's identity, takes due deliveries out of PostgreSQL, frees those of dead
 * nodes, listens for configuration changes, and keeps house (partitions, retention).
 */
#ifndef POSTHORN_DISPATCHER_H
#define POSTHORN_DISPATCHER_H

#include "posthorn/node.h"

/* A change that the http threads want to hear of: an application (id) or everything (NULL). Called on the dispatcher's thread. */
typedef void (*ph_application_changed_fn)(const struct ph_id *application, void *ctx);

struct ph_dispatcher *ph_dispatcher_start(struct ph_node *node,
                                          ph_application_changed_fn on_application_changed,
                                          void *ctx);
/* Any thread: deliveries of this node wait in the database, due at this wall time. */
void ph_dispatcher_nudge(struct ph_dispatcher *dispatcher, int64_t due_wall_ms);
/* Main thread: when this returns it claims nothing more and calls nobody: http threads and couriers may stop. */
void ph_dispatcher_pause(struct ph_dispatcher *dispatcher);
/* After pause, when the couriers have stopped: gives back what the node still holds, joins the thread and frees. */
void ph_dispatcher_stop(struct ph_dispatcher *dispatcher);

#endif
