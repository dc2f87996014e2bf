#include "posthorn/node.h"

#include "posthorn/courier.h"
#include "posthorn/inbox.h"

/* Least that an endpoint and a tenant may have, whatever the others do. */
#define ENDPOINT_MIN 10
#define TENANT_MIN   100

static struct ph_node_slot *slot_of(struct ph_node *node, struct ph_id endpoint)
{
    return &node->slots[ph_id_hash(endpoint) % PH_NODE_SLOTS];
}

static _Atomic int32_t *tenant_slot_of(struct ph_node *node, struct ph_id tenant)
{
    return &node->tenants[ph_id_hash(tenant) % PH_NODE_TENANT_SLOTS];
}

/* Free deliveries, as the scarcer of deliveries and bytes says. */
static int64_t free_deliveries(const struct ph_node *node)
{
    const struct ph_config *config = node->config;
    int64_t by_count = config->memory_deliveries - ph_metric_get(deliveries_memory);
    int64_t free_bytes = config->memory_bytes - ph_metric_get(payload_bytes_memory);
    int64_t by_bytes = (int64_t)((double)config->memory_deliveries * (double)free_bytes /
                                 (double)config->memory_bytes);
    int64_t least = by_count < by_bytes ? by_count : by_bytes;

    return least > 0 ? least : 0;
}

/* Deliveries that one tenant may have when so many are free. */
static int64_t tenant_share(int64_t free)
{
    return free > TENANT_MIN ? free : TENANT_MIN;
}

/* Deliveries that one endpoint may have when so many are free. */
static int64_t endpoint_share(const struct ph_node *node, int64_t free)
{
    int64_t share = free / 8;

    if (share > node->config->endpoint_deliveries)
        share = node->config->endpoint_deliveries;
    return share > ENDPOINT_MIN ? share : ENDPOINT_MIN;
}

static bool over_share(struct ph_node *node, struct ph_id tenant, struct ph_id endpoint,
                       int64_t free)
{
    return atomic_load_explicit(&slot_of(node, endpoint)->deliveries, memory_order_relaxed) >=
               endpoint_share(node, free) ||
           atomic_load_explicit(tenant_slot_of(node, tenant), memory_order_relaxed) >=
               tenant_share(free);
}

bool ph_node_tenant_is_full(struct ph_node *node, struct ph_id tenant)
{
    return atomic_load_explicit(tenant_slot_of(node, tenant), memory_order_relaxed) >=
           tenant_share(free_deliveries(node));
}

bool ph_node_is_full(struct ph_node *node, struct ph_id tenant, struct ph_id endpoint)
{
    return over_share(node, tenant, endpoint, free_deliveries(node));
}

void ph_node_force_room(struct ph_node *node, struct ph_id tenant, struct ph_id endpoint)
{
    atomic_fetch_add_explicit(&slot_of(node, endpoint)->deliveries, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(tenant_slot_of(node, tenant), 1, memory_order_relaxed);
    ph_metric_add(deliveries_memory, 1);
}

bool ph_node_take_room(struct ph_node *node, struct ph_id tenant, struct ph_id endpoint)
{
    int64_t free = free_deliveries(node);

    if (free == 0 || over_share(node, tenant, endpoint, free))
        return false;
    ph_node_force_room(node, tenant, endpoint);
    return true;
}

void ph_node_give_room(struct ph_node *node, struct ph_id tenant, struct ph_id endpoint)
{
    atomic_fetch_sub_explicit(&slot_of(node, endpoint)->deliveries, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(tenant_slot_of(node, tenant), 1, memory_order_relaxed);
    ph_metric_add(deliveries_memory, -1);
}

void ph_node_set_full(struct ph_node *node, struct ph_id endpoint)
{
    atomic_store_explicit(&slot_of(node, endpoint)->full, true, memory_order_relaxed);
}

bool ph_node_has_room_again(struct ph_node *node, struct ph_id tenant, struct ph_id endpoint)
{
    struct ph_node_slot *slot = slot_of(node, endpoint);
    int64_t free;

    if (!atomic_load_explicit(&slot->full, memory_order_relaxed))
        return false;
    free = free_deliveries(node);
    if (atomic_load_explicit(&slot->deliveries, memory_order_relaxed) >
            endpoint_share(node, free) / 2 ||
        atomic_load_explicit(tenant_slot_of(node, tenant), memory_order_relaxed) >=
            tenant_share(free))
        return false;
    atomic_store_explicit(&slot->full, false, memory_order_relaxed);
    return true;
}

void ph_node_set_queued(struct ph_node *node, struct ph_id endpoint, bool queued)
{
    _Atomic bool *flag = &slot_of(node, endpoint)->queued;

    if (atomic_load_explicit(flag, memory_order_relaxed) != queued)
        atomic_store_explicit(flag, queued, memory_order_relaxed);
}

bool ph_node_is_queued(struct ph_node *node, struct ph_id endpoint)
{
    return atomic_load_explicit(&slot_of(node, endpoint)->queued, memory_order_relaxed);
}

const char *ph_node_url(const struct ph_node *node)
{
    const char *url = atomic_load(&node->url);

    return *node->config->public_url ? node->config->public_url : url ? url : "";
}

bool ph_node_has_inbox(const struct ph_node *node, struct ph_str url)
{
    struct ph_str base = ph_str_of(ph_node_url(node)), token;

    return atomic_load(&node->url) && ph_str_starts(url, base) &&
           ph_inbox_token_of((struct ph_str){url.ptr + base.len, url.len - base.len}, &token);
}

int64_t ph_node_room(const struct ph_node *node)
{
    int64_t by_count = node->config->memory_deliveries - ph_metric_get(deliveries_memory);
    int64_t by_bytes = (node->config->memory_bytes - ph_metric_get(payload_bytes_memory)) /
                       node->config->body_bytes;

    return by_count < by_bytes ? by_count : by_bytes;
}

struct ph_courier *ph_node_courier(const struct ph_node *node, struct ph_id endpoint)
{
    /* The low bits choose the slot, so the high ones choose the thread. */
    return node->couriers[(ph_id_hash(endpoint) >> 32) % (uint64_t)node->n_couriers];
}

void ph_node_hand_over(struct ph_node *node, struct ph_job_list *jobs)
{
    struct ph_job_list lists[64] = {{NULL, NULL, 0}};
    struct ph_job *job;

    while ((job = ph_job_list_take(jobs)))
        ph_job_list_add(&lists[(ph_id_hash(job->endpoint) >> 32) % (uint64_t)node->n_couriers],
                        job);
    for (int i = 0; i < node->n_couriers; i++)
        if (lists[i].first)
            ph_courier_give(node->couriers[i], &lists[i]);
}
