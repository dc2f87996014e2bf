#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "outcomes.h"

/* Events that outcomes send to operational endpoints */

static struct tenant internal; /* red's internal application, with one endpoint */

static void make_internal(const char *event_types)
{
    internal = (struct tenant){.id = red.id};
    internal.subscriptions.application = new_id();
    internal.endpoints[0] = new_id();
    run_sql(admin,
            "INSERT INTO applications (id, tenant_id, uid, name, internal) "
            "VALUES ('%s', '%s', '%%operational', 'internal', true)",
            uuid_text(internal.subscriptions.application), uuid_text(red.id));
    run_sql(admin,
            "INSERT INTO endpoints (id, tenant_id, application_id, url, event_types) "
            "VALUES ('%s', '%s', '%s', 'https://red.example/ops', %s)",
            uuid_text(internal.endpoints[0]), uuid_text(red.id),
            uuid_text(internal.subscriptions.application), event_types);
}

static long events(const char *type)
{
    return ask_number(
        "SELECT count(*) FROM messages m WHERE event_type = '%s' AND application_id = "
        "'%s' AND EXISTS (SELECT FROM deliveries d WHERE d.message_id = m.id AND "
        "d.endpoint_id = '%s' AND d.node_id IS NULL)",
        type, uuid_text(internal.subscriptions.application), uuid_text(internal.endpoints[0]));
}

static void assert_events(long failing, long exhausted, long recovered)
{
    assert_int_equal(events("message.attempt.failing"), failing);
    assert_int_equal(events("message.attempt.exhausted"), exhausted);
    assert_int_equal(events("message.attempt.recovered"), recovered);
    assert_int_equal(ask_number("SELECT count(*) FROM messages"), failing + exhausted + recovered);
}

static void add_failure(const struct tenant *tenant, int attempts_made, bool exhausted)
{
    struct ph_outcome outcome =
        failure(tenant, 0, owe(tenant, 0, NODE, attempts_made - 1), now_ms + 60000);

    outcome.attempts_made = attempts_made;
    outcome.done = outcome.exhausted = exhausted;
    add(&outcome);
}

static void add_success(const struct tenant *tenant, int attempts_made)
{
    struct ph_outcome outcome = success(tenant, 0, owe(tenant, 0, NODE, attempts_made - 1));

    outcome.attempts_made = attempts_made;
    add(&outcome);
}

static void the_fourth_failure_the_last_and_the_success_behind_them_are_events(void **state)
{
    (void)state;
    make_internal("NULL");
    for (int n = 1; n <= 7; n++)
        add_failure(&red, n, false);
    store();
    assert_events(1, 0, 0);
    ph_outcome_batch_clear(batch);
    for (int n = 1; n <= 7; n++)
        add_success(&red, n);
    store();
    assert_events(1, 0, 3);
    ph_outcome_batch_clear(batch);
    add_failure(&red, 1, true);
    add_failure(&red, 4, true); /* exhausted says more than failing */
    add_failure(&red, 8, true);
    store();
    assert_events(1, 3, 3);
}

/* They need the other statement than the plain one. */
static void an_event_among_deliveries_that_are_done_is_sent(void **state)
{
    (void)state;
    make_internal("NULL");
    for (int i = 0; i < 50; i++)
        add_success(&red, i == 20 ? 5 : 1);
    store();
    assert_events(0, 0, 1);
    assert_int_equal(ask_number("SELECT count(*) FROM attempts"), 50);
}

static void a_batch_stored_twice_sends_no_event_twice(void **state)
{
    (void)state;
    make_internal("NULL");
    add_failure(&red, 4, false);
    add_failure(&red, 8, true);
    add_success(&red, 5);
    store();
    store();
    assert_events(1, 1, 1);
}

static void an_event_and_a_failure_of_its_own_endpoint_go_in_one_batch(void **state)
{
    struct ph_outcome own;
    (void)state;

    make_internal("NULL");
    own = failure(&internal, 0, owe(&internal, 0, NODE, 0), now_ms + 60000);
    add(&own);
    add_failure(&red, 4, false);
    store();
    assert_events(1, 0, 0);
    assert_int_equal(ask_number("SELECT count(*) FROM schedule_arrivals WHERE endpoint_id = '%s'",
                                uuid_text(internal.endpoints[0])),
                     1);
    assert_true(scheduled_in_ms(internal.endpoints[0]) > 30000);
    assert_true(due_in_ms(internal.endpoints[0], own.message) > 30000);

    /* and again, with the row there */
    ph_outcome_batch_clear(batch);
    own = failure(&internal, 0, owe(&internal, 0, NODE, 0), now_ms + 60000);
    add(&own);
    add_failure(&red, 4, false);
    add_failure(&red, 5, true);
    store();
    assert_events(2, 1, 0);
}

static void an_operational_endpoint_that_fails_is_no_event(void **state)
{
    (void)state;
    make_internal("NULL");
    add_failure(&internal, 4, false);
    add_failure(&internal, 8, true);
    add_success(&internal, 5);
    store();
    assert_events(0, 0, 0);
}

static void nobody_gets_what_he_did_not_ask_for(void **state)
{
    (void)state;
    make_internal("ARRAY['endpoint.created', 'message.attempt.exhausted']");
    add_failure(&red, 4, false);
    add_failure(&red, 8, true);
    add_failure(&blue, 4, false); /* of another tenant, which has none */
    add_failure(&blue, 8, true);
    store();
    assert_events(0, 1, 0);
    run_sql(admin, "UPDATE endpoints SET disabled = true WHERE id = '%s'",
            uuid_text(internal.endpoints[0]));
    ph_outcome_batch_clear(batch);
    add_failure(&red, 8, true);
    store();
    assert_events(0, 1, 0);
}

static void a_delivery_of_an_endpoint_that_is_gone_is_no_event(void **state)
{
    (void)state;
    make_internal("NULL");
    add_failure(&red, 4, false);
    run_sql(admin, "DELETE FROM endpoints WHERE id = '%s'", uuid_text(red.endpoints[0]));
    store();
    assert_events(0, 0, 0);
}

static int set_up(void **state)
{
    (void)state;
    return set_up_outcomes("posthorn_operational_test");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_fourth_failure_the_last_and_the_success_behind_them_are_events),
        TEST(an_event_among_deliveries_that_are_done_is_sent),
        TEST(a_batch_stored_twice_sends_no_event_twice),
        TEST(an_event_and_a_failure_of_its_own_endpoint_go_in_one_batch),
        TEST(an_operational_endpoint_that_fails_is_no_event),
        TEST(nobody_gets_what_he_did_not_ask_for),
        TEST(a_delivery_of_an_endpoint_that_is_gone_is_no_event),
    };

    test_env("POSTHORN_TEST_DATABASE");
    return cmocka_run_group_tests(tests, set_up, tear_down_outcomes);
}
