#include "posthorn/node.h"

#include "posthorn/courier.h"

static _Atomic int32_t *slot_of(struct ph_node *node, struct ph_id endpoint)
{
    return &node->slots[ph_id_hash(endpoint) % PH_NODE_SLOTS];
}

bool ph_node_endpoint_full(struct ph_node *node, struct ph_id endpoint)
{
    return atomic_load_explicit(slot_of(node, endpoint), memory_order_relaxed) >=
           node->config->endpoint_deliveries;
}

void ph_node_force_room(struct ph_node *node, struct ph_id endpoint)
{
    atomic_fetch_add_explicit(slot_of(node, endpoint), 1, memory_order_relaxed);
    ph_metric_add(deliveries_memory, 1);
}

bool ph_node_take_room(struct ph_node *node, struct ph_id endpoint)
{
    if (ph_metric_get(deliveries_memory) >= node->config->memory_deliveries ||
        ph_metric_get(payload_bytes_memory) >= node->config->memory_bytes ||
        ph_node_endpoint_full(node, endpoint))
        return false;
    ph_node_force_room(node, endpoint);
    return true;
}

void ph_node_give_room(struct ph_node *node, struct ph_id endpoint)
{
    atomic_fetch_sub_explicit(slot_of(node, endpoint), 1, memory_order_relaxed);
    ph_metric_add(deliveries_memory, -1);
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
