#include "posthorn/node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Its counts are those of the process, so each test gives back what it took. */
static struct ph_config config;
static struct ph_node *node;

static struct ph_id id(int n)
{
    struct ph_id made = {{0}};

    /* as spread as real ones, so that no two of the tests' share a slot */
    memcpy(made.b, &n, sizeof n);
    made.b[15] = (uint8_t)(n * 37);
    return made;
}

static int begin(void **state)
{
    (void)state;
    config = (struct ph_config){
        .memory_deliveries = 8000,
        .memory_bytes = 8000000,
        .endpoint_deliveries = 500,
        .body_bytes = 1000,
    };
    node = ph_calloc(1, sizeof *node);
    node->config = &config;
    /* what a test that failed has left */
    ph_metric_add(deliveries_memory, -ph_metric_get(deliveries_memory));
    ph_metric_add(payload_bytes_memory, -ph_metric_get(payload_bytes_memory));
    return 0;
}

static int end(void **state)
{
    (void)state;
    free(node);
    assert_int_equal(ph_metric_get(deliveries_memory), 0);
    assert_int_equal(ph_metric_get(payload_bytes_memory), 0);
    return 0;
}

static int take_all(int tenant, int endpoint)
{
    int n = 0;

    while (ph_node_take_room(node, id(tenant), id(endpoint)))
        n++;
    return n;
}

static void give(int tenant, int endpoint, int n)
{
    for (int i = 0; i < n; i++)
        ph_node_give_room(node, id(tenant), id(endpoint));
}

static void an_endpoint_gets_no_more_than_the_setting(void **state)
{
    (void)state;

    assert_false(ph_node_is_full(node, id(1), id(101)));
    assert_int_equal(take_all(1, 101), 500);
    assert_true(ph_node_is_full(node, id(1), id(101)));
    assert_false(ph_node_tenant_is_full(node, id(1)));
    assert_false(ph_node_is_full(node, id(1), id(102)));
    give(1, 101, 1);
    assert_false(ph_node_is_full(node, id(1), id(101)));
    assert_int_equal(take_all(1, 101), 1);
    give(1, 101, 500);
}

static void an_endpoint_gets_no_more_than_an_eighth_of_what_is_free(void **state)
{
    int n;
    (void)state;

    config.endpoint_deliveries = 1000000;
    n = take_all(1, 101);
    assert_in_range(n, 8000 / 9 - 1, 8000 / 9 + 1); /* n = (8000 - n) / 8 */
    give(1, 101, n);
}

static void a_tenant_gets_no_more_than_is_free_for_the_others(void **state)
{
    int taken[100], sum = 0, other;
    (void)state;

    for (int e = 0; e < 100; e++)
        sum += taken[e] = take_all(1, 1000 + e);
    assert_in_range(sum, 3990, 4010); /* half */
    assert_true(ph_node_is_full(node, id(1), id(5000)));
    assert_true(ph_node_tenant_is_full(node, id(1)));
    assert_false(ph_node_is_full(node, id(2), id(5001)));
    assert_false(ph_node_tenant_is_full(node, id(2)));
    other = take_all(2, 5001);
    assert_in_range(other, 400, 500);
    for (int e = 0; e < 100; e++)
        give(1, 1000 + e, taken[e]);
    give(2, 5001, other);
}

/* However many are greedy, the next tenant finds room until there is none at all. */
static void the_next_one_finds_room_however_many_are_greedy(void **state)
{
    enum { TENANTS = 12, ENDPOINTS = 40 };
    static int taken[TENANTS][ENDPOINTS];
    int64_t sum = 0;
    (void)state;

    for (int t = 0; t < TENANTS; t++) {
        int first = take_all(t, 10000 + t * 100), more = 0;
        taken[t][0] = first;
        assert_true(ph_metric_get(deliveries_memory) == config.memory_deliveries || first >= 10);
        for (int e = 1; e < ENDPOINTS; e++)
            more += taken[t][e] = take_all(t, 10000 + t * 100 + e);
        sum += first + more;
        if (t < 5) /* each as much as half of what the ones before it left */
            assert_true(first + more >= 100);
    }
    assert_true(sum <= config.memory_deliveries);
    assert_int_equal(ph_metric_get(deliveries_memory), sum);
    for (int t = 0; t < TENANTS; t++)
        for (int e = 0; e < ENDPOINTS; e++)
            give(t, 10000 + t * 100 + e, taken[t][e]);
}

static void nothing_is_taken_when_nothing_is_free_but_the_dispatcher_may(void **state)
{
    (void)state;

    config.memory_deliveries = 5;
    assert_int_equal(take_all(1, 101), 5);
    assert_int_equal(take_all(2, 102), 0);
    assert_int_equal(ph_node_room(node), 0);
    ph_node_force_room(node, id(2), id(102));
    assert_int_equal(ph_node_room(node), -1);
    give(1, 101, 5);
    give(2, 102, 1);
    assert_int_equal(ph_node_room(node), 5);
}

static void big_payloads_make_the_shares_smaller(void **state)
{
    int before, after;
    (void)state;

    assert_int_equal(ph_node_room(node), 8000);
    before = take_all(1, 101);
    give(1, 101, before);
    ph_metric_add(payload_bytes_memory, 7200000); /* a tenth is free */
    assert_int_equal(ph_node_room(node), 800);
    after = take_all(1, 101);
    assert_in_range(after, 800 / 8 - 1, 800 / 8 + 1);
    give(1, 101, after);
    ph_metric_add(payload_bytes_memory, 800000);
    assert_int_equal(take_all(1, 101), 0);
    assert_int_equal(ph_node_room(node), 0);
    ph_metric_add(payload_bytes_memory, -8000000);
    assert_true(after < before);
}

static void an_endpoint_that_was_full_has_room_again_once_at_half_its_share(void **state)
{
    (void)state;

    assert_int_equal(take_all(1, 101), 500);
    give(1, 101, 500);
    assert_false(ph_node_has_room_again(node, id(1), id(101))); /* nobody left it alone */
    assert_int_equal(take_all(1, 101), 500);
    ph_node_set_full(node, id(101));
    give(1, 101, 249);
    assert_false(ph_node_has_room_again(node, id(1), id(101)));
    assert_false(ph_node_has_room_again(node, id(1), id(102))); /* another's */
    give(1, 101, 1);
    assert_true(ph_node_has_room_again(node, id(1), id(101)));
    assert_false(ph_node_has_room_again(node, id(1), id(101)));
    give(1, 101, 250);
}

/* It was let go at once, claims went on, and one tenant filled the memory. */
static void an_endpoint_had_room_again_although_its_tenant_had_none(void **state)
{
    int taken[100];
    (void)state;

    for (int e = 0; e < 100; e++)
        taken[e] = take_all(1, 1000 + e);
    assert_true(ph_node_is_full(node, id(1), id(5000)));
    ph_node_set_full(node, id(5000));
    assert_false(ph_node_has_room_again(node, id(1), id(5000)));
    for (int e = 0; e < 10; e++)
        give(1, 1000 + e, taken[e]);
    assert_true(ph_node_has_room_again(node, id(1), id(5000)));
    for (int e = 10; e < 100; e++)
        give(1, 1000 + e, taken[e]);
}

static void an_endpoint_is_queued_until_somebody_says_otherwise(void **state)
{
    (void)state;

    assert_false(ph_node_is_queued(node, id(101)));
    ph_node_set_queued(node, id(101), true);
    ph_node_set_queued(node, id(101), true);
    assert_true(ph_node_is_queued(node, id(101)));
    assert_false(ph_node_is_queued(node, id(102)));
    ph_node_set_full(node, id(103)); /* another flag */
    assert_false(ph_node_is_queued(node, id(103)));
    ph_node_set_queued(node, id(101), false);
    assert_false(ph_node_is_queued(node, id(101)));
}

static void *take_and_give(void *arg)
{
    int base = *(int *)arg;

    for (int i = 0; i < 20000; i++) {
        int endpoint = base + i % 7;
        if (ph_node_take_room(node, id(1), id(endpoint)))
            ph_node_give_room(node, id(1), id(endpoint));
    }
    return NULL;
}

static void threads_count_together(void **state)
{
    pthread_t threads[4];
    int base = 200;
    (void)state;

    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, &base), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < PH_NODE_SLOTS; i++)
        assert_int_equal(atomic_load(&node->slots[i].deliveries), 0);
    for (int i = 0; i < PH_NODE_TENANT_SLOTS; i++)
        assert_int_equal(atomic_load(&node->tenants[i]), 0);
}

/* All deliveries of an endpoint meet in one thread, and all threads have some. */
static void endpoints_are_spread_over_the_delivery_threads(void **state)
{
    static char couriers[3]; /* told apart by their addresses */
    struct ph_courier *list[3];
    int n[3] = {0};
    (void)state;

    for (int i = 0; i < 3; i++)
        list[i] = (struct ph_courier *)(void *)&couriers[i];
    node->couriers = list;
    node->n_couriers = 3;
    for (int i = 0; i < 3000; i++) {
        struct ph_courier *courier = ph_node_courier(node, id(i));
        assert_ptr_equal(ph_node_courier(node, id(i)), courier);
        n[(char *)(void *)courier - couriers]++;
    }
    for (int i = 0; i < 3; i++)
        assert_in_range(n[i], 800, 1200);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_endpoint_gets_no_more_than_the_setting),
        TEST(an_endpoint_gets_no_more_than_an_eighth_of_what_is_free),
        TEST(a_tenant_gets_no_more_than_is_free_for_the_others),
        TEST(the_next_one_finds_room_however_many_are_greedy),
        TEST(nothing_is_taken_when_nothing_is_free_but_the_dispatcher_may),
        TEST(big_payloads_make_the_shares_smaller),
        TEST(an_endpoint_that_was_full_has_room_again_once_at_half_its_share),
        TEST(an_endpoint_had_room_again_although_its_tenant_had_none),
        TEST(an_endpoint_is_queued_until_somebody_says_otherwise),
        TEST(threads_count_together),
        TEST(endpoints_are_spread_over_the_delivery_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
