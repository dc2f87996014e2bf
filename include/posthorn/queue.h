/*
 * Queue between threads: many producers, one consumer, first in first out per producer, without locks.
 *
 * Nodes are embedded in the objects that are sent; sending gives the object to the consumer's thread.
 */
#ifndef POSTHORN_QUEUE_H
#define POSTHORN_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct ph_queue_node {
    struct ph_queue_node *next;
};

struct ph_queue {
    _Atomic(struct ph_queue_node *) newest;
};

void ph_queue_init(struct ph_queue *queue);
/* Any thread. True when the queue was empty, so that the consumer has to be woken. */
bool ph_queue_push(struct ph_queue *queue, struct ph_queue_node *node);
/* Consumer only: all nodes, oldest first, linked by next; NULL when empty. */
struct ph_queue_node *ph_queue_take_all(struct ph_queue *queue);

/* The struct that embeds a member at `ptr`. */
#define ph_container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#endif
