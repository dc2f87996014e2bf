/*
 * The node: what all threads of one server process share. Immutable after start but for the atomics.
 */
#ifndef POSTHORN_NODE_H
#define POSTHORN_NODE_H

#include "posthorn/auth_news.h"
#include "posthorn/config.h"
#include "posthorn/delivery.h"
#include "posthorn/forwarded.h"
#include "posthorn/guard.h"
#include "posthorn/metrics.h"
#include "posthorn/proxy.h"
#include "posthorn/rate.h"
#include "posthorn/retry.h"
#include "posthorn/seal.h"
#include "posthorn/tail.h"

struct ph_counts;
struct ph_courier;
struct ph_dispatcher;

/* Slots that count deliveries in memory per endpoint and per tenant (by hash: two in one slot only make us careful earlier). */
#define PH_NODE_SLOTS        65536
#define PH_NODE_TENANT_SLOTS 8192

struct ph_node_slot {
    _Atomic int32_t deliveries;
    _Atomic bool queued, full;
};

struct ph_node {
    const struct ph_config *config;
    struct ph_keyring *keyring; /* the dispatcher adds new data keys */
    const struct ph_guard *guard;
    const struct ph_forwarded *forwarded;
    const struct ph_proxy *proxy; /* NULL: none */
    struct ph_retry_schedule retry;
    /* Identity in the database, 0 while there is none: then no attempt starts and nothing is claimed. Written by the
     * dispatcher only. */
    _Atomic int32_t id;
    int n_couriers;
    struct ph_courier **couriers;
    struct ph_dispatcher *dispatcher;
    struct ph_counts *counts; /* the dispatcher stores them: counts.h */
    struct ph_tail *tail;
    struct ph_auth_news auth_news;
    struct ph_rate_table *rates;     /* of the requests of tenants */
    struct sockaddr_storage address; /* where it reaches itself; set before url */
    _Atomic(const char *) url;       /* where it listens; NULL: not yet */
    struct ph_node_slot slots[PH_NODE_SLOTS];
    _Atomic int32_t tenants[PH_NODE_TENANT_SLOTS];
};

/*
 * Room in memory for one more delivery of this endpoint: takes it when there is. Any thread.
 *
 * What an endpoint and a tenant may have shrinks with what is free: a tenant gets no more than is free for all others, an
 * endpoint an eighth of that (and no more than the setting). So however many are greedy, there is always room for the next.
 */
bool ph_node_take_room(struct ph_node *node, struct ph_id tenant, struct ph_id endpoint);
/* The dispatcher counted its room before it claimed: takes it in any case. */
void ph_node_force_room(struct ph_node *node, struct ph_id tenant, struct ph_id endpoint);
void ph_node_give_room(struct ph_node *node, struct ph_id tenant, struct ph_id endpoint);
/* Whether the tenant has all the deliveries in memory that it may have. */
bool ph_node_tenant_is_full(struct ph_node *node, struct ph_id tenant);
/* Whether the endpoint or its tenant has all the deliveries in memory that it may have. */
bool ph_node_is_full(struct ph_node *node, struct ph_id tenant, struct ph_id endpoint);

/* The dispatcher left deliveries of the endpoint alone for a while because it was full. */
void ph_node_set_full(struct ph_node *node, struct ph_id endpoint);
/* True, once after each ph_node_set_full: it has room again, and so has its tenant. */
bool ph_node_has_room_again(struct ph_node *node, struct ph_id tenant, struct ph_id endpoint);

/* Whether deliveries of the endpoint wait in the database, so that new ones have to join them there and not overtake.
 * Set by whoever leaves one there, cleared by the dispatcher when none is left. */
void ph_node_set_queued(struct ph_node *node, struct ph_id endpoint, bool queued);
bool ph_node_is_queued(struct ph_node *node, struct ph_id endpoint);

/* The URL under which people and programs reach this instance. */
const char *ph_node_url(const struct ph_node *node);

/* Whether the URL is that of a test inbox of this instance (inbox.h): the node delivers to itself then. */
bool ph_node_has_inbox(const struct ph_node *node, struct ph_str url);

/* How many deliveries fit, counting each with the largest payload there can be. */
int64_t ph_node_room(const struct ph_node *node);

/* The delivery thread of an endpoint. */
struct ph_courier *ph_node_courier(const struct ph_node *node, struct ph_id endpoint);

/* Hands jobs to their delivery threads, which own them then. Any thread. */
void ph_node_hand_over(struct ph_node *node, struct ph_job_list *jobs);

#endif
