#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "outcomes.h"

static void a_success_ends_the_delivery_and_counts_once_however_often_it_is_stored(void **state)
{
    struct ph_id message = owe(&red, 0, NODE, 0), other = owe(&red, 1, NODE, 0),
                 foreign = owe(&blue, 0, NODE, 0);
    struct ph_outcome outcome = success(&red, 0, message);
    (void)state;

    add(&outcome);
    assert_int_equal(ph_outcome_batch_count(batch), 1);
    for (int i = 0; i < 3; i++) {
        store();
        assert_false(is_owed(red.endpoints[0], message));
        assert_true(is_owed(red.endpoints[1], other));
        assert_true(is_owed(blue.endpoints[0], foreign));
        assert_int_equal(ask_number("SELECT count(*) FROM attempts"), 1);
        assert_stats(red.endpoints[0], 1, 0, 0);
        assert_int_equal(ask_number("SELECT count(*) FROM delivery_stats"), 1);
    }
    assert_int_equal(
        ask_number("SELECT count(*) FROM attempts WHERE message_id = '%s' AND id = '%s' AND "
                   "endpoint_id = '%s' "
                   "AND tenant_id = '%s' AND number = 1 AND status = 0 AND trigger_type = 0 "
                   "AND status_code = 204 AND duration_ms = 12 AND url = 'https://red.example/0' "
                   "AND response = 'ok'",
                   uuid_text(message), uuid_text(outcome.attempt), uuid_text(red.endpoints[0]),
                   uuid_text(red.id)),
        1);
    assert_int_equal(
        ask_number("SELECT count(*) FROM delivery_stats WHERE tenant_id = '%s'", uuid_text(red.id)),
        1);
    assert_int_equal(ask_number("SELECT count(*) FROM endpoint_schedule"), 0);
}

static void counts_of_later_batches_are_added(void **state)
{
    int64_t bucket_ms = 5 * 60 * 1000, start_ms = now_ms - now_ms % bucket_ms;
    (void)state;

    for (int i = 0; i < 3; i++) {
        struct ph_outcome outcome = success(&red, 0, owe(&red, 0, NODE, 0));
        outcome.attempt =
            ph_id_new(start_ms + i); /* the first and the last of a bucket and the next one */
        if (i == 1)
            outcome.attempt = ph_id_new(start_ms + bucket_ms - 1);
        if (i == 2)
            outcome.attempt = ph_id_new(start_ms - 1);
        ph_outcome_batch_clear(batch);
        add(&outcome);
        outcome = failure(&blue, 0, owe(&blue, 0, NODE, 0), now_ms);
        outcome.attempt = ph_id_new(start_ms);
        add(&outcome);
        store();
    }
    assert_int_equal(ask_number("SELECT count(*) FROM delivery_stats"), 3);
    assert_int_equal(ask_number("SELECT success FROM delivery_stats WHERE endpoint_id = '%s' AND "
                                "bucket = to_timestamp(%lld)",
                                uuid_text(red.endpoints[0]), (long long)start_ms / 1000),
                     2);
    assert_int_equal(ask_number("SELECT success FROM delivery_stats WHERE endpoint_id = '%s' AND "
                                "bucket = to_timestamp(%lld)",
                                uuid_text(red.endpoints[0]),
                                (long long)(start_ms - bucket_ms) / 1000),
                     1);
    assert_int_equal(ask_number("SELECT duration_counts[2] FROM delivery_stats WHERE endpoint_id = "
                                "'%s' AND success = 2",
                                uuid_text(red.endpoints[0])),
                     2);
    assert_stats(blue.endpoints[0], 0, 3, 0);
}

static void one_batch_counts_several_buckets_and_endpoints(void **state)
{
    int64_t bucket_ms = 5 * 60 * 1000, start_ms = now_ms - now_ms % bucket_ms;
    (void)state;

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 6; i++) {
            const struct tenant *tenant = i % 2 ? &red : &blue;
            struct ph_outcome outcome = failure(tenant, 0, owe(tenant, 0, NODE, 0), 0);
            outcome.done = outcome.exhausted = true;
            outcome.attempt = ph_id_new(start_ms - (i < 4 ? 0 : bucket_ms));
            add(&outcome);
        }
        store();
        ph_outcome_batch_clear(batch);
    }
    assert_int_equal(ask_number("SELECT count(*) FROM delivery_stats"), 4);
    assert_int_equal(ask_number("SELECT count(*) FROM delivery_stats WHERE bucket = "
                                "to_timestamp(%lld) AND failure = 4 AND exhausted = 4",
                                (long long)start_ms / 1000),
                     2);
    assert_int_equal(ask_number("SELECT count(*) FROM delivery_stats WHERE bucket = "
                                "to_timestamp(%lld) AND failure = 2 AND exhausted = 2",
                                (long long)(start_ms - bucket_ms) / 1000),
                     2);
}

static void a_batch_that_was_not_stored_is_stored_by_the_next_try(void **state)
{
    struct ph_id message = owe(&red, 0, NODE, 0);
    struct ph_outcome outcome = success(&red, 0, message);
    struct answer answer = {0};
    (void)state;

    add(&outcome);
    test_exec(admin, "REVOKE INSERT ON attempts FROM posthorn_engine");
    ph_outcome_batch_store(batch, db, on_stored, &answer);
    wait_until(&answer.done, "store");
    test_exec(admin, "GRANT INSERT ON attempts TO posthorn_engine");
    assert_int_equal(answer.err, PH_ERR_DB_FAILED);
    assert_true(is_owed(red.endpoints[0], message));
    store();
    assert_false(is_owed(red.endpoints[0], message));
    assert_stats(red.endpoints[0], 1, 0, 0);
}

static void a_failure_waits_until_its_next_time(void **state)
{
    struct ph_id message = owe(&red, 0, NODE, 2), foreign = owe(&blue, 0, NODE, 0);
    struct ph_outcome outcome = failure(&red, 0, message, now_ms + 5000);
    (void)state;

    outcome.attempts_made = 3;
    add(&outcome);
    store();
    assert_int_equal(due_in_ms(red.endpoints[0], message), 5000);
    assert_int_equal(
        ask_number("SELECT attempts FROM deliveries WHERE message_id = '%s'", uuid_text(message)),
        3);
    assert_int_equal(scheduled_in_ms(red.endpoints[0]), 5000);
    assert_int_equal(ask_number("SELECT count(*) FROM endpoint_schedule WHERE tenant_id = '%s' AND "
                                "serve_at = next_due_at",
                                uuid_text(red.id)),
                     1);
    assert_int_equal(ask_number("SELECT count(*) FROM endpoint_schedule"), 1);
    assert_int_equal(
        ask_number(
            "SELECT count(*) FROM attempts WHERE number = 3 AND status = 2 AND status_code = 500"),
        1);
    assert_stats(red.endpoints[0], 0, 1, 0);
    assert_int_equal(due_in_ms(blue.endpoints[0], foreign), -1);
}

/* What was cancelled while it was under way came back now and then: no outcome may make a delivery. */
static void a_failure_or_a_return_of_what_was_cancelled_owes_nothing(void **state)
{
    struct ph_id tried = owe(&red, 0, NODE, 0), returned = owe(&red, 0, NODE, 0);
    struct ph_outcome failed = failure(&red, 0, tried, now_ms + 5000),
                      given_back = failure(&red, 0, returned, now_ms);
    (void)state;

    given_back.has_attempt = false;
    run_sql(admin, "DELETE FROM deliveries");
    add(&failed);
    add(&given_back);
    store();
    assert_int_equal(ask_number("SELECT count(*) FROM deliveries"), 0);
    assert_int_equal(ask_number("SELECT count(*) FROM attempts"), 1);
    assert_stats(red.endpoints[0], 0, 1, 0);
}

static void the_last_failure_ends_the_delivery_as_exhausted(void **state)
{
    struct ph_id message = owe(&red, 0, NODE, 7);
    struct ph_outcome outcome = failure(&red, 0, message, 0);
    (void)state;

    outcome.done = outcome.exhausted = true;
    add(&outcome);
    store();
    assert_false(is_owed(red.endpoints[0], message));
    assert_stats(red.endpoints[0], 0, 1, 1);
    assert_int_equal(ask_number("SELECT count(*) FROM endpoint_schedule"), 0);
}

static void without_an_attempt_nothing_is_counted(void **state)
{
    struct ph_id message = owe(&red, 0, NODE, 1);
    struct ph_outcome outcome = {.endpoint = red.endpoints[0],
                                 .message = message,
                                 .tenant = red.id,
                                 .node_id = NODE,
                                 .next_ms = now_ms,
                                 .attempts_made = 1};
    (void)state;

    add(&outcome);
    store();
    assert_int_equal(due_in_ms(red.endpoints[0], message), 0);
    assert_int_equal(ask_number("SELECT attempts FROM deliveries"), 1);
    assert_int_equal(ask_number("SELECT count(*) FROM attempts"), 0);
    assert_int_equal(ask_number("SELECT count(*) FROM delivery_stats"), 0);
}

static void a_delivery_taken_over_stays_with_its_new_node_unless_it_succeeded(void **state)
{
    struct ph_id failed = owe(&red, 0, OTHER, 1), succeeded = owe(&red, 1, OTHER, 1);
    struct ph_outcome outcome = failure(&red, 0, failed, now_ms + 5000);
    (void)state;

    outcome.attempts_made = 2;
    add(&outcome);
    outcome = success(&red, 1, succeeded);
    add(&outcome);
    store();
    assert_int_equal(ask_number("SELECT count(*) FROM deliveries WHERE message_id = '%s' AND "
                                "node_id = %d AND next_at IS NULL "
                                "AND attempts = 1",
                                uuid_text(failed), OTHER),
                     1);
    assert_false(is_owed(red.endpoints[1], succeeded));
    assert_int_equal(ask_number("SELECT count(*) FROM attempts"),
                     2); /* they were made all the same */
}

/* The answer of the first time got lost, and before the second time the same node had claimed the delivery again. */
static void a_failure_stored_twice_freed_a_delivery_that_was_under_way_again(void **state)
{
    struct ph_id message = owe(&red, 0, NODE, 0);
    struct ph_outcome outcome = failure(&red, 0, message, now_ms - 1000);
    (void)state;

    add(&outcome);
    store();
    run_sql(admin, "UPDATE deliveries SET node_id = %d, next_at = NULL", NODE);
    store();
    assert_int_equal(ask_number("SELECT count(*) FROM deliveries WHERE node_id = %d AND next_at IS "
                                "NULL AND attempts = 1",
                                NODE),
                     1);
    assert_stats(red.endpoints[0], 0, 1, 0);
}

static void a_hold_stored_twice_came_back_after_its_release(void **state)
{
    struct ph_outcome outcome = failure(&red, 0, owe(&red, 0, NODE, 0), now_ms);
    (void)state;

    run_sql(admin, "UPDATE endpoints SET disabled = true");
    outcome.hold_ms = PH_HOLD_STOPPED;
    add(&outcome);
    store();
    run_sql(admin, "UPDATE endpoints SET disabled = false");
    assert_int_equal(release(red.endpoints[0]), 1);
    store();
    assert_int_equal(
        ask_number("SELECT count(*) FROM endpoint_schedule WHERE held_until = '-infinity'"), 1);
}

static void two_outcomes_of_one_endpoint_meet_in_its_schedule_and_counts(void **state)
{
    struct ph_id late = owe(&red, 0, NODE, 0), early = owe(&red, 0, NODE, 0),
                 fine = owe(&red, 0, NODE, 0), foreign = owe(&blue, 0, NODE, 0);
    struct ph_outcome outcome = failure(&red, 0, late, now_ms + 9000);
    (void)state;

    outcome.hold_ms = now_ms + 2000;
    add(&outcome);
    outcome = failure(&red, 0, early, now_ms + 4000);
    outcome.hold_ms = now_ms + 6000;
    add(&outcome);
    outcome = success(&red, 0, fine);
    add(&outcome);
    outcome = failure(&blue, 0, foreign, now_ms + 1000);
    add(&outcome);
    store();
    assert_int_equal(due_in_ms(red.endpoints[0], late), 9000);
    assert_int_equal(due_in_ms(red.endpoints[0], early), 4000);
    assert_int_equal(scheduled_in_ms(red.endpoints[0]), 4000);
    assert_int_equal(
        ask_number(
            "SELECT round(extract(epoch FROM serve_at) * 1000 - %lld) FROM endpoint_schedule WHERE "
            "endpoint_id = '%s'",
            (long long)now_ms, uuid_text(red.endpoints[0])),
        6000);
    assert_int_equal(scheduled_in_ms(blue.endpoints[0]), 1000);
    assert_stats(red.endpoints[0], 1, 2, 0);
    assert_stats(blue.endpoints[0], 0, 1, 0);
}

static void a_schedule_only_moves_forward_and_a_hold_only_grows(void **state)
{
    struct ph_outcome outcome;
    (void)state;

    run_sql(
        admin,
        "INSERT INTO endpoint_schedule (endpoint_id, tenant_id, next_due_at, held_until) VALUES "
        "('%s', '%s', to_timestamp(%lld / 1000.0) + interval '3 s', to_timestamp(%lld / 1000.0) + "
        "interval '8 s')",
        uuid_text(red.endpoints[0]), uuid_text(red.id), (long long)now_ms, (long long)now_ms);
    outcome = failure(&red, 0, owe(&red, 0, NODE, 0), now_ms + 5000);
    outcome.hold_ms = now_ms + 6000;
    add(&outcome);
    store();
    assert_int_equal(scheduled_in_ms(red.endpoints[0]), 3000);
    assert_int_equal(
        ask_number(
            "SELECT round(extract(epoch FROM held_until) * 1000 - %lld) FROM endpoint_schedule",
            (long long)now_ms),
        8000);
    assert_int_equal(ask_number("SELECT changes FROM endpoint_schedule"), 1);

    ph_outcome_batch_clear(batch);
    outcome = failure(&red, 0, owe(&red, 0, NODE, 0), now_ms + 1000);
    outcome.hold_ms = now_ms + 9000;
    add(&outcome);
    store();
    assert_int_equal(scheduled_in_ms(red.endpoints[0]), 1000);
    assert_int_equal(
        ask_number(
            "SELECT round(extract(epoch FROM held_until) * 1000 - %lld) FROM endpoint_schedule",
            (long long)now_ms),
        9000);
}

static void durations_fall_into_their_buckets(void **state)
{
    static const int durations_ms[] = {0,   10,   11,   30,   31,   100,   101,   300,
                                       301, 1000, 1001, 3000, 3001, 10000, 10001, 60000};
    (void)state;

    for (size_t i = 0; i < sizeof durations_ms / sizeof *durations_ms; i++) {
        struct ph_outcome outcome = success(&red, 0, owe(&red, 0, NODE, 0));
        outcome.attempt = ph_id_new(now_ms);
        outcome.duration_ms = durations_ms[i];
        add(&outcome);
        if (i < 3) { /* another endpoint's: {3, 0, ...} */
            outcome = failure(&blue, 1, owe(&blue, 1, NODE, 0), now_ms);
            outcome.attempt = ph_id_new(now_ms);
            outcome.duration_ms = 1;
            add(&outcome);
        }
    }
    store();
    assert_int_equal(
        ask_number(
            "SELECT count(*) FROM delivery_stats WHERE endpoint_id = '%s' AND duration_counts = "
            "'{2,2,2,2,2,2,2,2}'",
            uuid_text(red.endpoints[0])),
        1);
    assert_int_equal(
        ask_number(
            "SELECT count(*) FROM delivery_stats WHERE endpoint_id = '%s' AND duration_counts = "
            "'{3,0,0,0,0,0,0,0}'",
            uuid_text(blue.endpoints[1])),
        1);
}

static void response_bytes_are_kept_exactly(void **state)
{
    char bytes[256];
    struct ph_outcome outcome = success(&red, 0, owe(&red, 0, NODE, 0));
    (void)state;

    for (int i = 0; i < 256; i++)
        bytes[i] = (char)i;
    outcome.response = (struct ph_str){bytes, sizeof bytes};
    add(&outcome);
    memset(bytes, 0, sizeof bytes); /* the batch has its own copy */
    store();
    assert_int_equal(ask_number("SELECT count(*) FROM attempts WHERE response = (SELECT "
                                "string_agg(decode(lpad(to_hex(i), 2, "
                                "'0'), 'hex'), '' ORDER BY i) FROM generate_series(0, 255) i)"),
                     1);
}

static void a_full_batch_says_so_but_an_empty_one_takes_anything(void **state)
{
    struct ph_outcome_batch *small = ph_outcome_batch_new(1000);
    struct ph_outcome outcome = success(&red, 0, new_id());
    char big[1500];
    (void)state;

    memset(big, 'x', sizeof big);
    outcome.response = (struct ph_str){big, sizeof big};
    assert_true(ph_outcome_batch_add(small, &outcome));
    assert_false(ph_outcome_batch_add(small, &outcome));
    assert_int_equal(ph_outcome_batch_count(small), 1);
    ph_outcome_batch_clear(small);
    assert_int_equal(ph_outcome_batch_count(small), 0);
    outcome.response.len = 700;
    assert_true(ph_outcome_batch_add(small, &outcome));
    assert_false(ph_outcome_batch_add(small, &outcome));
    outcome.response.len = 100;
    assert_true(ph_outcome_batch_add(small, &outcome));
    assert_int_equal(ph_outcome_batch_count(small), 2);
    ph_outcome_batch_free(small);
}

/* Nodes add to the same counts: with one order for all they wait for each other, but never in a circle. */
static void counts_of_many_endpoints_were_locked_in_an_order_of_each_node_s_own(void **state)
{
    enum { N = 40 };
    struct answer answer = {0};
    int64_t bucket_ms = now_ms - now_ms % (5 * 60 * 1000);
    (void)state;

    for (int i = 0; i < N; i++) {
        struct ph_outcome outcome = success(&blue, 0, new_id());
        outcome.endpoint = (struct ph_id){{(uint8_t)i}};
        outcome.attempt = ph_id_new(bucket_ms);
        add(&outcome);
    }
    store();
    ph_outcome_batch_clear(batch);
    for (int i = 0; i < N; i++) {
        struct ph_outcome outcome = success(&blue, 0, new_id());
        outcome.endpoint = (struct ph_id){{(uint8_t)i}};
        outcome.attempt = ph_id_new(bucket_ms + 1);
        add(&outcome);
    }
    test_exec(hand, "BEGIN");
    run_sql(hand, "UPDATE delivery_stats SET success = success WHERE endpoint_id = '%s'",
            uuid_text((struct ph_id){{0}}));
    ph_outcome_batch_store(batch, db, on_stored, &answer);
    wait_for_lock(1);
    test_exec(hand, "SELECT FROM delivery_stats FOR UPDATE NOWAIT");
    test_exec(hand, "COMMIT");
    wait_until(&answer.done, "store");
    assert_int_equal(answer.err, PH_OK);
    assert_int_equal(ask_number("SELECT count(*) FROM delivery_stats WHERE success = 2"), N);
}

static int set_up(void **state)
{
    (void)state;
    return set_up_outcomes("posthorn_outcome_batch_test");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_success_ends_the_delivery_and_counts_once_however_often_it_is_stored),
        TEST(counts_of_later_batches_are_added),
        TEST(one_batch_counts_several_buckets_and_endpoints),
        TEST(a_batch_that_was_not_stored_is_stored_by_the_next_try),
        TEST(a_failure_waits_until_its_next_time),
        TEST(a_failure_or_a_return_of_what_was_cancelled_owes_nothing),
        TEST(the_last_failure_ends_the_delivery_as_exhausted),
        TEST(without_an_attempt_nothing_is_counted),
        TEST(a_delivery_taken_over_stays_with_its_new_node_unless_it_succeeded),
        TEST(a_failure_stored_twice_freed_a_delivery_that_was_under_way_again),
        TEST(a_hold_stored_twice_came_back_after_its_release),
        TEST(two_outcomes_of_one_endpoint_meet_in_its_schedule_and_counts),
        TEST(a_schedule_only_moves_forward_and_a_hold_only_grows),
        TEST(durations_fall_into_their_buckets),
        TEST(response_bytes_are_kept_exactly),
        TEST(a_full_batch_says_so_but_an_empty_one_takes_anything),
        TEST(counts_of_many_endpoints_were_locked_in_an_order_of_each_node_s_own),
    };

    test_env("POSTHORN_TEST_DATABASE");
    return cmocka_run_group_tests(tests, set_up, tear_down_outcomes);
}
