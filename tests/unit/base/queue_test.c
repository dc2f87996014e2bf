#include "posthorn/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

struct item {
    int producer, number;
    struct ph_queue_node node; /* not first, so that ph_container_of has something to do */
};

static struct item *item_of(struct ph_queue_node *node)
{
    return ph_container_of(node, struct item, node);
}

static void test_takes_all_in_order(void **state)
{
    (void)state;
    struct ph_queue queue;
    struct item items[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    ph_queue_init(&queue);
    assert_null(ph_queue_take_all(&queue));
    assert_true(ph_queue_push(&queue, &items[0].node));
    assert_false(ph_queue_push(&queue, &items[1].node));
    assert_false(ph_queue_push(&queue, &items[2].node));
    struct ph_queue_node *node = ph_queue_take_all(&queue);
    for (int i = 0; i < 3; i++, node = node->next)
        assert_ptr_equal(item_of(node), &items[i]);
    assert_null(node);
    assert_null(ph_queue_take_all(&queue));
    assert_true(ph_queue_push(&queue, &items[1].node));
    assert_ptr_equal(ph_queue_take_all(&queue), &items[1].node);
    assert_null(items[1].node.next);
}

#define N_PRODUCERS  4
#define PER_PRODUCER 50000

static struct ph_queue shared;
static _Atomic int n_found_empty;

static void *produce(void *arg)
{
    int producer = *(int *)arg;
    for (int i = 0; i < PER_PRODUCER; i++) {
        struct item *item = malloc(sizeof(*item));
        if (item == NULL)
            abort();
        item->producer = producer;
        item->number = i;
        if (ph_queue_push(&shared, &item->node))
            atomic_fetch_add(&n_found_empty, 1);
    }
    return NULL;
}

/* Under ThreadSanitizer this also shows that the consumer sees what the producer wrote. */
static void test_four_producers_lose_nothing_and_keep_their_order(void **state)
{
    (void)state;
    pthread_t threads[N_PRODUCERS];
    int ids[N_PRODUCERS], next[N_PRODUCERS] = {0}, n_taken = 0, n_batches = 0;
    ph_queue_init(&shared);
    for (int i = 0; i < N_PRODUCERS; i++) {
        ids[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &ids[i]), 0);
    }
    while (n_taken < N_PRODUCERS * PER_PRODUCER) {
        struct ph_queue_node *node = ph_queue_take_all(&shared);
        if (node == NULL) {
            sched_yield();
            continue;
        }
        n_batches++;
        while (node != NULL) {
            struct item *item = item_of(node);
            node = node->next;
            assert_int_equal(item->number, next[item->producer]);
            next[item->producer]++;
            n_taken++;
            free(item);
        }
    }
    for (int i = 0; i < N_PRODUCERS; i++)
        pthread_join(threads[i], NULL);
    assert_null(ph_queue_take_all(&shared));
    /* One producer, and only one, was told to wake the consumer for each batch. */
    assert_int_equal(n_found_empty, n_batches);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_all_in_order),
        cmocka_unit_test(test_four_producers_lose_nothing_and_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
