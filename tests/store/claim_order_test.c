#include "posthorn/outcome_batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "claimer.h"

/* Ordered endpoints */

static void on_outcome_stored(enum ph_err err, void *ctx)
{
    assert_int_equal(err, PH_OK);
    *(bool *)ctx = true;
}

/* What became of an ordered endpoint's jobs: the first `done` of them succeeded, the others wait again. */
static void finish_order(const struct answer *answer, size_t done, int64_t hold_ms, int node)
{
    struct ph_outcome_batch *batch = ph_outcome_batch_new(100000);
    bool stored = false;

    for (size_t i = 0; i < answer->n; i++) {
        struct ph_outcome outcome = {
            .endpoint = answer->taken[i].endpoint,
            .message = answer->taken[i].message,
            .tenant = answer->taken[i].tenant,
            .node_id = node,
            .done = i < done,
            .next_ms = hold_ms ? hold_ms : ph_clock_wall_ms(),
            .hold_ms = i < done ? 0 : hold_ms,
            .release = i == answer->n - 1,
        };
        assert_true(ph_outcome_batch_add(batch, &outcome));
    }
    ph_outcome_batch_store(batch, db, on_outcome_stored, &stored);
    wait_until(&stored, "outcomes");
    ph_outcome_batch_free(batch);
}

static void assert_taken(const struct answer *answer, const struct ph_id *messages, size_t n)
{
    assert_int_equal(answer->n, n);
    for (size_t i = 0; i < n; i++) {
        assert_true(ph_id_eq(answer->taken[i].message, messages[i]));
        assert_true(answer->taken[i].ordered);
    }
}

static void
an_ordered_endpoint_gives_its_messages_in_order_and_is_busy_until_they_are_done(void **state)
{
    struct ph_id messages[6], other = owe(&red, 1, -1000);
    (void)state;

    set_endpoint(red.endpoints[0], "ordering = 'fifo'");
    for (int i = 0; i < 6; i++)
        messages[i] = owe(&red, 0, -1000 * i);
    schedule();
    struct answer answer = claim(10, 3);
    assert_int_equal(answer.n, 4);
    assert_true(took(&answer, other));
    assert_false(answer.taken[0].ordered); /* others first */
    for (int i = 0; i < 3; i++)
        assert_true(ph_id_eq(answer.taken[1 + i].message, messages[i]));
    assert_int_equal(ask_number("SELECT busy_node FROM endpoint_schedule WHERE held_until = "
                                "'infinity' AND endpoint_id = '%s'",
                                uuid_text(red.endpoints[0])),
                     NODE);
    assert_false(answer.claim.more);
    assert_int_equal(claim(10, 3).n, 0);
    join(red.endpoints[0], &red);
    assert_int_equal(claim(10, 3).n, 0);

    answer.n = 3;
    memmove(answer.taken, answer.taken + 1, 3 * sizeof *answer.taken);
    finish_order(&answer, 3, 0, NODE);
    answer = claim(10, 100);
    assert_taken(&answer, messages + 3, 3);
    assert_int_equal(scheduled(red.endpoints[0]), 1); /* busy with the last ones */
    finish_order(&answer, 3, 0, NODE);
    assert_int_equal(claim(10, 100).n, 0);
    assert_int_equal(scheduled(red.endpoints[0]), 0);
}

static void the_head_that_failed_comes_first_again_when_its_hold_is_over(void **state)
{
    struct ph_id messages[4];
    (void)state;

    set_endpoint(red.endpoints[0], "ordering = 'fifo'");
    for (int i = 0; i < 3; i++)
        messages[i] = owe(&red, 0, -1000);
    schedule();
    struct answer answer = claim(10, 10);
    assert_taken(&answer, messages, 3);
    finish_order(&answer, 1, ph_clock_wall_ms() + 300, NODE);
    messages[3] = owe(&red, 0, -5000);
    join(red.endpoints[0], &red);
    answer = claim(10, 10);
    assert_int_equal(answer.n, 0);
    assert_in_range(answer.claim.next_ms - answer.claim.now_ms, 100, 300);
    pause_ms(answer.claim.next_ms - answer.claim.now_ms + 2);
    answer = claim(10, 10);
    assert_taken(&answer, messages + 1, 3);
}

static void another_node_can_not_release_an_ordered_endpoint(void **state)
{
    struct ph_id message = owe(&red, 0, -1000);
    (void)state;

    set_endpoint(red.endpoints[0], "ordering = 'fifo'");
    schedule();
    struct answer answer = claim(10, 10);
    assert_taken(&answer, &message, 1);
    owe(&red, 0, -1000);
    finish_order(&answer, 0, 0, NODE + 1);
    assert_int_equal(owner_of(message), NODE);
    assert_int_equal(claim(10, 10).n, 0);
    assert_int_equal(ask_number("SELECT busy_node FROM endpoint_schedule"), NODE);
}

/*
 * The claim's snapshot is older than another node's claim of the same ordered endpoint, but it looks at the row after it.
 * A row-level policy that waits for an advisory lock stops the claim between the two.
 */
static void two_nodes_took_messages_of_one_ordered_endpoint(void **state)
{
    struct answer late, early;
    struct ph_id messages[4];
    (void)state;

    test_exec(admin,
              "CREATE OR REPLACE FUNCTION pause() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN "
              "IF current_setting('application_name') = 'posthorn test' THEN "
              "PERFORM pg_advisory_xact_lock_shared(4711); END IF; RETURN true; END $$");
    test_exec(admin, "ALTER POLICY engine ON endpoint_schedule USING (pause())");
    set_endpoint(red.endpoints[0], "ordering = 'fifo'");
    for (int i = 0; i < 4; i++)
        messages[i] = owe(&red, 0, -1000);
    schedule();
    test_exec(hand, "SELECT pg_advisory_lock(4711)");
    send_claim(db, &late, 10, 2, NULL, 0);
    wait_for_lock(1);
    send_claim(db2, &early, 10, 2, NULL, 0);
    await_claim(&early);
    test_exec(hand, "SELECT pg_advisory_unlock(4711)");
    await_claim(&late);
    test_exec(admin, "ALTER POLICY engine ON endpoint_schedule USING (true)");
    assert_taken(&early, messages, 2);
    assert_int_equal(late.n, 0);
    assert_in_range(late.claim.next_ms - late.claim.now_ms, 1, 100);
}

static void an_ordered_and_throttled_endpoint_keeps_both(void **state)
{
    struct ph_id messages[5];
    (void)state;

    set_endpoint(red.endpoints[0], "ordering = 'fifo', throttle_rate = 2");
    for (int i = 0; i < 5; i++)
        messages[i] = owe(&red, 0, -1000 * i);
    schedule();
    struct answer answer = claim(10, 10);
    assert_taken(&answer, messages, 2);
    finish_order(&answer, 2, 0, NODE);
    answer = claim(10, 10);
    assert_int_equal(answer.n, 0);
    assert_in_range(answer.claim.next_ms - answer.claim.now_ms, 0, 500);
    run_sql(admin, "UPDATE endpoint_schedule SET refilled_at = refilled_at - interval '500 ms', "
                   "held_until = '-infinity'");
    answer = claim(10, 10);
    assert_taken(&answer, messages + 2, 1);
}

/* An endpoint that a node serves in order, all of whose messages may be done already. */
static void busy_at(struct ph_id endpoint, const struct tenant *tenant, int32_t node)
{
    run_sql(admin,
            "INSERT INTO endpoint_schedule (endpoint_id, tenant_id, next_due_at, held_until, "
            "busy_node) VALUES ('%s', '%s', now() + interval '1 hour', 'infinity', %d)",
            uuid_text(endpoint), uuid_text(tenant->id), node);
}

static long busy_node(struct ph_id endpoint)
{
    return ask_number("SELECT coalesce(busy_node, 0) FROM endpoint_schedule WHERE endpoint_id = "
                      "'%s' AND (held_until = 'infinity') = (busy_node IS NOT NULL)",
                      uuid_text(endpoint));
}

static void a_take_over_releases_the_ordered_endpoints_of_the_dead(void **state)
{
    int32_t self = register_node(db), alive = register_node(db2), dead;
    (void)state;

    run_sql(admin, "INSERT INTO nodes (name) VALUES ('dead')");
    dead = (int32_t)ask_number("SELECT id FROM nodes WHERE name = 'dead'");
    busy_at(red.endpoints[0], &red, dead);
    busy_at(red.endpoints[1], &red, dead);
    busy_at(blue.endpoints[0], &blue, alive);
    struct ph_id message = owned_by(dead, &red, 0);
    owned_by(dead, &blue, 0); /* from before it was ordered */
    assert_int_equal(take_over(self), 1);
    assert_int_equal(busy_node(red.endpoints[0]), 0);
    assert_int_equal(busy_node(red.endpoints[1]), 0);
    assert_int_equal(busy_node(blue.endpoints[0]), alive);
    struct answer answer = claim(10, 10);
    assert_int_equal(answer.n, 1);
    assert_true(took(&answer, message));
}

static void a_node_that_stops_releases_its_ordered_endpoints_and_no_others(void **state)
{
    int32_t self = register_node(db), other = register_node(db2);
    struct answer answer = {.arena = ph_arena_new()};
    (void)state;

    busy_at(red.endpoints[0], &red, self);
    busy_at(red.endpoints[1], &red, self);
    busy_at(blue.endpoints[0], &blue, other);
    struct ph_id message = owned_by(self, &red, 0);
    owned_by(self, &blue, 0); /* from before it was ordered */
    ph_node_unregister(db, answer.arena, self, on_number, &answer);
    assert_int_equal(await_number(&answer), 2);
    assert_int_equal(busy_node(red.endpoints[0]), 0);
    assert_int_equal(busy_node(red.endpoints[1]), 0);
    assert_int_equal(busy_node(blue.endpoints[0]), other);
    answer = claim(10, 10);
    assert_int_equal(answer.n, 1);
    assert_true(took(&answer, message));
}

static int set_up(void **state)
{
    (void)state;
    return set_up_database("posthorn_claim_order_test");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_ordered_endpoint_gives_its_messages_in_order_and_is_busy_until_they_are_done),
        TEST(the_head_that_failed_comes_first_again_when_its_hold_is_over),
        TEST(another_node_can_not_release_an_ordered_endpoint),
        TEST(two_nodes_took_messages_of_one_ordered_endpoint),
        TEST(an_ordered_and_throttled_endpoint_keeps_both),
        TEST(a_take_over_releases_the_ordered_endpoints_of_the_dead),
        TEST(a_node_that_stops_releases_its_ordered_endpoints_and_no_others),
    };

    test_env("POSTHORN_TEST_DATABASE");
    return cmocka_run_group_tests(tests, set_up, tear_down_database);
}
