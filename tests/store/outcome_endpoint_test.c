#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "outcomes.h"

/* Endpoints that are disabled or paused */

static void stop(const struct tenant *tenant, int endpoint, const char *how)
{
    struct ph_outcome outcome =
        failure(tenant, endpoint, owe(tenant, endpoint, NODE, 0), now_ms - 1000);

    run_sql(admin, "UPDATE endpoints SET %s WHERE id = '%s'", how,
            uuid_text(tenant->endpoints[endpoint]));
    outcome.hold_ms = PH_HOLD_STOPPED;
    add(&outcome);
}

/* Minutes that the endpoint is held for yet; 0: it is due. */
static long held_minutes(struct ph_id endpoint)
{
    return ask_number("SELECT greatest(0, round(extract(epoch FROM serve_at - now()) / 60)) FROM "
                      "endpoint_schedule WHERE endpoint_id = '%s'",
                      uuid_text(endpoint));
}

static void a_stopped_endpoint_is_held_for_ten_minutes_or_until_it_is_not_stopped(void **state)
{
    (void)state;

    stop(&red, 0, "disabled = true");
    stop(&red, 1, "paused = true");
    stop(&blue, 0, "disabled = true");
    store();
    assert_int_equal(held_minutes(red.endpoints[0]), 10);
    assert_int_equal(held_minutes(red.endpoints[1]), 10);
    assert_int_equal(held_minutes(blue.endpoints[0]), 10);
    run_sql(admin, "UPDATE endpoints SET disabled = false, paused = false WHERE id <> '%s'",
            uuid_text(red.endpoints[0]));
    assert_int_equal(release(red.endpoints[0]), 0);
    assert_int_equal(release(red.endpoints[1]), 1);
    assert_int_equal(held_minutes(red.endpoints[0]), 10);
    assert_int_equal(held_minutes(red.endpoints[1]), 0);
    assert_int_equal(held_minutes(blue.endpoints[0]), 10);
}

/* The outcome was on its way when the endpoint was enabled again or deleted: nobody would release it any more. */
static void a_hold_that_came_too_late_stranded_the_endpoint(void **state)
{
    (void)state;

    stop(&red, 0, "disabled = true");
    stop(&red, 1, "disabled = true");
    stop(&red, 2, "disabled = true");
    run_sql(admin, "UPDATE endpoints SET disabled = false WHERE id = '%s'",
            uuid_text(red.endpoints[0]));
    run_sql(admin, "DELETE FROM endpoints WHERE id = '%s'", uuid_text(red.endpoints[1]));
    store();
    assert_int_equal(held_minutes(red.endpoints[0]), 0);
    assert_int_equal(held_minutes(red.endpoints[1]), 0);
    assert_int_equal(held_minutes(red.endpoints[2]), 10);
}

/* Its change waits for the statement: the release that follows finds the hold. */
static void an_endpoint_was_enabled_between_the_look_at_it_and_its_hold(void **state)
{
    struct answer answer = {0};
    PGconn *api = test_connect(database);
    (void)state;

    stop(&red, 0, "disabled = true");
    test_exec(hand, "BEGIN");
    run_sql(hand,
            "INSERT INTO endpoint_schedule (endpoint_id, tenant_id, next_due_at) VALUES ('%s', "
            "'%s', now())",
            uuid_text(red.endpoints[0]),
            uuid_text(red.id)); /* stops the statement behind its look */
    ph_outcome_batch_store(batch, db, on_stored, &answer);
    wait_for_lock(1);
    test_exec(api, "SET search_path = posthorn");
    assert_int_equal(PQsendQuery(api, "UPDATE endpoints SET disabled = false"), 1);
    wait_for_lock(2);
    test_exec(hand, "COMMIT");
    wait_until(&answer.done, "store");
    assert_int_equal(answer.err, PH_OK);
    PQclear(PQgetResult(api)); /* waits for it */
    PQfinish(api);
    assert_int_equal(held_minutes(red.endpoints[0]), 10);
    assert_int_equal(release(red.endpoints[0]), 1);
}

/* Somebody has to meet its deliveries to cancel them. */
static void deliveries_of_an_endpoint_deleted_while_it_was_held_stayed_for_ever(void **state)
{
    (void)state;

    stop(&red, 0, "paused = true");
    store();
    run_sql(admin, "DELETE FROM endpoints WHERE id = '%s'", uuid_text(red.endpoints[0]));
    assert_int_equal(release(red.endpoints[0]), 1);
    assert_int_equal(held_minutes(red.endpoints[0]), 0);
}

/* Ordered endpoints */

static void busy_at(const struct tenant *tenant, int endpoint, int node)
{
    run_sql(admin,
            "INSERT INTO endpoint_schedule (endpoint_id, tenant_id, next_due_at, held_until, "
            "busy_node) VALUES ('%s', '%s', now() + interval '1 day', 'infinity', %d)",
            uuid_text(tenant->endpoints[endpoint]), uuid_text(tenant->id), node);
}

/* The node it is busy at; 0: it is due, -1: it is held. */
static long busy_node(struct ph_id endpoint)
{
    return ask_number("SELECT coalesce(busy_node, CASE WHEN serve_at <= now() THEN 0 ELSE -1 END) "
                      "FROM endpoint_schedule WHERE endpoint_id = '%s'",
                      uuid_text(endpoint));
}

static void only_an_outcome_that_says_so_releases_an_ordered_endpoint(void **state)
{
    struct ph_outcome outcome = success(&red, 0, owe(&red, 0, NODE, 0));
    (void)state;

    busy_at(&red, 0, NODE);
    busy_at(&blue, 0, NODE);
    add(&outcome);
    outcome = failure(&red, 0, owe(&red, 0, NODE, 0), now_ms - 1000);
    add(&outcome);
    store();
    assert_int_equal(busy_node(red.endpoints[0]), NODE);
    assert_int_equal(ask_number("SELECT count(*) FROM endpoint_schedule WHERE held_until = "
                                "'infinity'"),
                     2);
    ph_outcome_batch_clear(batch);
    outcome = success(&red, 0, owe(&red, 0, NODE, 0));
    outcome.release = true;
    add(&outcome);
    store();
    assert_int_equal(busy_node(red.endpoints[0]), 0);
    assert_int_equal(busy_node(blue.endpoints[0]), NODE);
}

static void a_released_endpoint_waits_for_its_head_that_failed(void **state)
{
    struct ph_id head = owe(&red, 0, NODE, 0), next = owe(&red, 0, NODE, 0);
    struct ph_outcome outcome = failure(&red, 0, next, now_ms);
    (void)state;

    busy_at(&red, 0, NODE);
    outcome.has_attempt = false; /* given back without one */
    outcome.hold_ms = now_ms + 60000;
    add(&outcome);
    outcome = failure(&red, 0, head, now_ms + 60000);
    outcome.hold_ms = now_ms + 60000;
    outcome.release = true;
    add(&outcome);
    store();
    assert_int_equal(busy_node(red.endpoints[0]), -1);
    assert_int_equal(held_minutes(red.endpoints[0]), 1);
    assert_int_equal(due_in_ms(red.endpoints[0], next), 0);
    assert_int_equal(due_in_ms(red.endpoints[0], head), 60000);
}

static void a_release_stored_twice_freed_an_endpoint_that_was_busy_again(void **state)
{
    struct ph_outcome outcome = success(&red, 0, owe(&red, 0, NODE, 0));
    (void)state;

    busy_at(&red, 0, NODE);
    outcome.release = true;
    add(&outcome);
    store();
    assert_int_equal(busy_node(red.endpoints[0]), 0);
    run_sql(admin, "UPDATE endpoint_schedule SET busy_node = %d, held_until = 'infinity'", NODE);
    store();
    assert_int_equal(busy_node(red.endpoints[0]), NODE);
}

/* A delivery that waits without a schedule would be forgotten. */
static void a_failure_was_not_scheduled_when_its_endpoint_was_not_busy_here(void **state)
{
    struct ph_outcome outcome = failure(&red, 0, owe(&red, 0, NODE, 0), now_ms + 5000);
    (void)state;

    outcome.release = true;
    add(&outcome);
    outcome = failure(&blue, 0, owe(&blue, 0, NODE, 0), now_ms + 5000);
    outcome.release = true;
    add(&outcome);
    busy_at(&blue, 0, OTHER);
    store();
    assert_int_equal(scheduled_in_ms(red.endpoints[0]), 5000);
    assert_int_equal(scheduled_in_ms(blue.endpoints[0]), 5000);
    assert_int_equal(busy_node(blue.endpoints[0]), OTHER);
}

/* Since when an endpoint has failed */

/* Seconds; -1: it does not fail. */
static long failing_s(struct ph_id endpoint)
{
    return ask_number("SELECT coalesce(round(extract(epoch FROM now() - failing_since)), -1) FROM "
                      "endpoints WHERE id = '%s'",
                      uuid_text(endpoint));
}

static void store_one(struct ph_outcome outcome)
{
    ph_outcome_batch_clear(batch);
    add(&outcome);
    store();
}

static void an_endpoint_fails_from_its_first_failure_to_its_next_success(void **state)
{
    (void)state;

    store_one(success(&red, 0, owe(&red, 0, NODE, 0)));
    assert_int_equal(failing_s(red.endpoints[0]), -1);
    store_one(failure(&red, 0, owe(&red, 0, NODE, 0), now_ms));
    assert_int_equal(failing_s(red.endpoints[0]), 0);
    assert_int_equal(failing_s(red.endpoints[1]), -1);
    run_sql(admin, "UPDATE endpoints SET failing_since = now() - interval '1000 s' WHERE "
                   "failing_since IS NOT NULL");
    store_one(failure(&red, 0, owe(&red, 0, NODE, 0), now_ms));
    assert_in_range(failing_s(red.endpoints[0]), 1000, 1020);
    store_one(success(&red, 1, owe(&red, 1, NODE, 0))); /* another one */
    assert_in_range(failing_s(red.endpoints[0]), 1000, 1020);
    store_one(success(&red, 0, owe(&red, 0, NODE, 0)));
    assert_int_equal(failing_s(red.endpoints[0]), -1);
}

static void the_last_failure_counts_too_and_one_success_is_enough(void **state)
{
    struct ph_outcome outcome = failure(&red, 0, owe(&red, 0, NODE, 9), 0);
    (void)state;

    outcome.done = outcome.exhausted = true;
    store_one(outcome);
    assert_int_equal(failing_s(red.endpoints[0]), 0);
    ph_outcome_batch_clear(batch);
    outcome = success(&red, 0, owe(&red, 0, NODE, 0));
    add(&outcome);
    outcome = failure(&red, 0, owe(&red, 0, NODE, 0), now_ms);
    add(&outcome);
    store();
    assert_int_equal(failing_s(red.endpoints[0]), -1);
}

static void failing_is_not_written_twice_nor_without_an_attempt(void **state)
{
    struct ph_outcome outcome = failure(&red, 0, owe(&red, 0, NODE, 0), now_ms);
    (void)state;

    outcome.has_attempt = false;
    store_one(outcome);
    assert_int_equal(failing_s(red.endpoints[0]), -1);
    store_one(failure(&red, 1, owe(&red, 1, NODE, 0), now_ms));
    run_sql(admin, "UPDATE endpoints SET failing_since = NULL");
    store();
    assert_int_equal(failing_s(red.endpoints[1]), -1);
    store_one(success(&red, 1, owe(&red, 1, NODE, 0)));
    run_sql(admin, "UPDATE endpoints SET failing_since = now()");
    store();
    assert_int_equal(failing_s(red.endpoints[1]), 0);
}

static void the_version_of_an_endpoint_does_not_grow_with_its_health(void **state)
{
    long before = ask_number("SELECT sum(version) FROM endpoints");
    (void)state;

    store_one(failure(&red, 0, owe(&red, 0, NODE, 0), now_ms));
    assert_int_equal(ask_number("SELECT sum(version) FROM endpoints"), before);
}

static int set_up(void **state)
{
    (void)state;
    return set_up_outcomes("posthorn_outcome_endpoint_test");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stopped_endpoint_is_held_for_ten_minutes_or_until_it_is_not_stopped),
        TEST(a_hold_that_came_too_late_stranded_the_endpoint),
        TEST(an_endpoint_was_enabled_between_the_look_at_it_and_its_hold),
        TEST(deliveries_of_an_endpoint_deleted_while_it_was_held_stayed_for_ever),
        TEST(only_an_outcome_that_says_so_releases_an_ordered_endpoint),
        TEST(a_released_endpoint_waits_for_its_head_that_failed),
        TEST(a_release_stored_twice_freed_an_endpoint_that_was_busy_again),
        TEST(a_failure_was_not_scheduled_when_its_endpoint_was_not_busy_here),
        TEST(an_endpoint_fails_from_its_first_failure_to_its_next_success),
        TEST(the_last_failure_counts_too_and_one_success_is_enough),
        TEST(failing_is_not_written_twice_nor_without_an_attempt),
        TEST(the_version_of_an_endpoint_does_not_grow_with_its_health),
    };

    test_env("POSTHORN_TEST_DATABASE");
    return cmocka_run_group_tests(tests, set_up, tear_down_outcomes);
}
