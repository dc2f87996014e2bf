#include "posthorn/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>

#define N 5000

struct item {
    struct ph_map_node node;
    uint64_t hash;
    bool in;
    int seen;
};

static struct item items[N];

static struct item *item_of(struct ph_map_node *node)
{
    return (struct item *)((char *)node - offsetof(struct item, node));
}

static int find(const struct ph_map *map, const struct item *item)
{
    int n = 0;

    for (struct ph_map_node *node = ph_map_first(map, item->hash); node; node = ph_map_next(node)) {
        assert_true(node->hash == item->hash);
        n += node == &item->node;
    }
    return n;
}

/* hash_of gives the i-th item's hash. */
static void fill(struct ph_map *map, uint64_t (*hash_of)(int i))
{
    for (int i = 0; i < N; i++) {
        items[i] = (struct item){.hash = hash_of(i), .in = true};
        ph_map_add(map, &items[i].node, items[i].hash);
        assert_int_equal(map->count, i + 1);
    }
}

static uint64_t spread(int i)
{
    return (uint64_t)(i + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

/* The same bucket at every size. */
static uint64_t collide(int i)
{
    return (uint64_t)i << 40 | 5;
}

static uint64_t in_threes(int i)
{
    return spread(i / 3);
}

static void check_all(const struct ph_map *map)
{
    for (int i = 0; i < N; i++)
        assert_int_equal(find(map, &items[i]), items[i].in);
}

static void an_empty_map_has_nothing(void **state)
{
    struct ph_map map = {NULL, 0, 0};
    struct item item = {.hash = 1};
    (void)state;

    assert_null(ph_map_first(&map, 0));
    assert_null(ph_map_take_all(&map));
    ph_map_add(&map, &item.node, item.hash);
    assert_null(ph_map_first(&map, 2));
    assert_null(ph_map_first(&map, 1 + (UINT64_C(1) << 32))); /* same bucket */
    ph_map_remove(&map, &item.node);
    assert_int_equal(map.count, 0);
    assert_null(ph_map_first(&map, 1));
    ph_map_free(&map);
    ph_map_free(&map);
}

static void what_was_added_is_found_until_it_is_removed(void **state)
{
    static uint64_t (*const hashes[])(int) = {spread, collide, in_threes};
    (void)state;

    for (size_t h = 0; h < 3; h++) {
        struct ph_map map = {NULL, 0, 0};
        fill(&map, hashes[h]);
        check_all(&map);
        assert_true(map.n_buckets >= N); /* it grew */
        for (int i = 0; i < N; i += 2) {
            ph_map_remove(&map, &items[i].node);
            items[i].in = false;
        }
        assert_int_equal(map.count, N / 2);
        check_all(&map);
        for (int i = 0; i < N; i += 2) {
            ph_map_add(&map, &items[i].node, items[i].hash);
            items[i].in = true;
        }
        assert_int_equal(map.count, N);
        check_all(&map);
        ph_map_free(&map);
        assert_int_equal(map.count, 0);
    }
}

static void nodes_of_one_hash_are_all_walked(void **state)
{
    struct ph_map map = {NULL, 0, 0};
    (void)state;

    fill(&map, in_threes);
    for (int i = 0; i < N - N % 3; i += 3) {
        int n = 0;
        for (struct ph_map_node *node = ph_map_first(&map, items[i].hash); node;
             node = ph_map_next(node)) {
            assert_true(item_of(node) >= &items[i] && item_of(node) < &items[i + 3]);
            n++;
        }
        assert_int_equal(n, 3);
    }
    ph_map_free(&map);
}

static void visit(struct ph_map_node *node, void *ctx)
{
    struct item *item = item_of(node);

    item->seen++;
    if (ctx && (item - items) % 3 == 0) {
        ph_map_remove(ctx, node);
        item->in = false;
    }
}

static void every_node_is_visited_once_and_may_be_removed_meanwhile(void **state)
{
    struct ph_map map = {NULL, 0, 0};
    (void)state;

    ph_map_each(&map, visit, NULL);
    fill(&map, in_threes);
    ph_map_each(&map, visit, NULL);
    ph_map_each(&map, visit, &map);
    for (int i = 0; i < N; i++)
        assert_int_equal(items[i].seen, 2);
    assert_int_equal(map.count, N - (N + 2) / 3);
    check_all(&map);
    ph_map_free(&map);
}

static void taking_all_empties_the_map(void **state)
{
    struct ph_map map = {NULL, 0, 0};
    (void)state;

    fill(&map, in_threes);
    for (int i = 0; i < 2; i++) {
        for (struct ph_map_node *node = ph_map_take_all(&map); node; node = node->next)
            item_of(node)->seen++;
        assert_int_equal(map.count, 0);
        assert_null(ph_map_first(&map, items[0].hash));
    }
    for (int i = 0; i < N; i++)
        assert_int_equal(items[i].seen, 1);
    ph_map_add(&map, &items[0].node, items[0].hash);
    assert_int_equal(find(&map, &items[0]), 1);
    assert_int_equal(map.count, 1);
    ph_map_free(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_has_nothing),
        cmocka_unit_test(what_was_added_is_found_until_it_is_removed),
        cmocka_unit_test(nodes_of_one_hash_are_all_walked),
        cmocka_unit_test(every_node_is_visited_once_and_may_be_removed_meanwhile),
        cmocka_unit_test(taking_all_empties_the_map),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
