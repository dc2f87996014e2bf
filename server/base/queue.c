#include "posthorn/queue.h"

void ph_queue_init(struct ph_queue *queue)
{
    atomic_init(&queue->newest, NULL);
}

bool ph_queue_push(struct ph_queue *queue, struct ph_queue_node *node)
{
    struct ph_queue_node *before = atomic_load_explicit(&queue->newest, memory_order_relaxed);
    do {
        node->next = before;
        /* release: whoever takes the node sees what its sender wrote into it; acquire: whoever finds the queue empty comes
         * after its consumer, so that what it may do only then (wake him again) is in order. There is no ABA: nodes are
         * only ever taken all at once. */
    } while (!atomic_compare_exchange_weak_explicit(&queue->newest, &before, node,
                                                    memory_order_acq_rel, memory_order_relaxed));
    return before == NULL;
}

struct ph_queue_node *ph_queue_take_all(struct ph_queue *queue)
{
    if (atomic_load_explicit(&queue->newest, memory_order_relaxed) == NULL)
        return NULL; /* an exchange would take the cache line from the producers */
    struct ph_queue_node *newer =
        atomic_exchange_explicit(&queue->newest, NULL, memory_order_acq_rel);
    struct ph_queue_node *oldest = NULL;
    while (newer != NULL) {
        struct ph_queue_node *next = newer->next;
        newer->next = oldest;
        oldest = newer;
        newer = next;
    }
    return oldest;
}
