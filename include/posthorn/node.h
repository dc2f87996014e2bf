/*
 * The node: what all threads of one server process share. Immutable after start but for the atomics.
 */
#ifndef POSTHORN_NODE_H
#define POSTHORN_NODE_H

#include "posthorn/config.h"
#include "posthorn/delivery.h"
#include "posthorn/guard.h"
#include "posthorn/metrics.h"
#include "posthorn/retry.h"
#include "posthorn/seal.h"

struct ph_courier;
struct ph_dispatcher;

/* Slots that count deliveries in memory per endpoint (by hash: two endpoints in one slot only make us careful earlier). */
#define PH_NODE_SLOTS 65536

struct ph_node {
    const struct ph_config *config;
    const struct ph_keyring *keyring;
    const struct ph_guard *guard;
    struct ph_retry_schedule retry;
    /* Identity in the database, 0 while there is none: then no attempt starts and nothing is claimed. Written by the
     * dispatcher only. */
    _Atomic int32_t id;
    int n_couriers;
    struct ph_courier **couriers;
    struct ph_dispatcher *dispatcher;
    _Atomic int32_t slots[PH_NODE_SLOTS];
};

/* Room in memory for one more delivery of this endpoint: takes it when there is. Any thread. */
bool ph_node_take_room(struct ph_node *node, struct ph_id endpoint);
/* The dispatcher counted its room before it claimed: takes it in any case. */
void ph_node_force_room(struct ph_node *node, struct ph_id endpoint);
void ph_node_give_room(struct ph_node *node, struct ph_id endpoint);
/* Whether the endpoint has all the deliveries in memory that it may have. */
bool ph_node_endpoint_full(struct ph_node *node, struct ph_id endpoint);
/* How many deliveries fit, counting each with the largest payload there can be. */
int64_t ph_node_room(const struct ph_node *node);

/* The delivery thread of an endpoint. */
struct ph_courier *ph_node_courier(const struct ph_node *node, struct ph_id endpoint);

/* Hands jobs to their delivery threads, which own them then. Any thread. */
void ph_node_hand_over(struct ph_node *node, struct ph_job_list *jobs);

#endif
