#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "claimer.h"

/* Paused and disabled endpoints */

static long held_minutes(struct ph_id endpoint)
{
    return ask_number("SELECT round(extract(epoch FROM held_until - now()) / 60) FROM "
                      "endpoint_schedule WHERE endpoint_id = '%s'",
                      uuid_text(endpoint));
}

static void a_stopped_endpoint_is_held_until_its_change_releases_it(void **state)
{
    static const char *const stops[] = {"paused = true", "disabled = true"};
    (void)state;

    for (int i = 0; i < 2; i++) {
        struct ph_id message = owe(&red, i, -1000), other = owe(&blue, i, -1000);
        set_endpoint(red.endpoints[i], stops[i]);
        schedule();
        struct answer answer = claim(10, 10);
        assert_int_equal(answer.n, 1);
        assert_true(took(&answer, other));
        assert_false(answer.claim.more);
        assert_int_equal(held_minutes(red.endpoints[i]), 10);
        assert_int_equal(owner_of(message), 0);
        assert_int_equal(release(red.endpoints[i]), 0);
        assert_int_equal(held_minutes(red.endpoints[i]), 10);

        set_endpoint(red.endpoints[i], "paused = false, disabled = false");
        assert_int_equal(claim(10, 10).n, 0);
        assert_int_equal(release(blue.endpoints[i]), 0); /* another's */
        assert_int_equal(claim(10, 10).n, 0);
        assert_int_equal(release(red.endpoints[i]), 1);
        answer = claim(10, 10);
        assert_int_equal(answer.n, 1);
        assert_true(took(&answer, message));
        test_exec(admin, "TRUNCATE deliveries, endpoint_schedule");
    }
}

/* When the news of the change is lost. */
static void the_hold_of_a_stopped_endpoint_ends_by_time_too(void **state)
{
    struct ph_id message = owe(&red, 0, -1000);
    (void)state;

    set_endpoint(red.endpoints[0], "paused = true");
    schedule();
    assert_int_equal(claim(10, 10).n, 0);
    run_sql(admin, "UPDATE endpoint_schedule SET held_until = now() - interval '1 ms'");
    assert_int_equal(claim(10, 10).n, 0);
    assert_int_equal(held_minutes(red.endpoints[0]), 10); /* still paused: again */
    set_endpoint(red.endpoints[0], "paused = false");
    run_sql(admin, "UPDATE endpoint_schedule SET held_until = now() - interval '1 ms'");
    struct answer answer = claim(10, 10);
    assert_true(took(&answer, message));
}

static void a_release_ends_every_hold_but_that_of_a_stopped_or_busy_endpoint(void **state)
{
    static const char *const holds[] = {"now() + interval '500 ms'", "now() + interval '1 hour'",
                                        "'infinity'"};
    (void)state;

    owe(&red, 0, -1000);
    schedule();
    assert_int_equal(release(red.endpoints[0]), 0); /* not held */
    for (int i = 0; i < 3; i++) {
        run_sql(admin, "UPDATE endpoint_schedule SET held_until = %s", holds[i]);
        assert_int_equal(release(red.endpoints[0]), 1);
        assert_int_equal(due(red.endpoints[0]), 1);
        assert_int_equal(ask_number("SELECT changes FROM endpoint_schedule"), i + 1);
    }
    run_sql(admin, "UPDATE endpoint_schedule SET held_until = 'infinity', busy_node = %d", NODE);
    assert_int_equal(release(red.endpoints[0]), 0);
    assert_int_equal(due(red.endpoints[0]), 0);

    /* Somebody has to meet the deliveries of one that is gone, to cancel them. */
    run_sql(admin, "UPDATE endpoint_schedule SET busy_node = NULL");
    run_sql(admin, "DELETE FROM endpoints WHERE id = '%s'", uuid_text(red.endpoints[0]));
    assert_int_equal(release(red.endpoints[0]), 1);
    assert_int_equal(claim(10, 10).n, 1);
}

/* A wait that the endpoint asked for ended when its deliveries left the memory. */
static void room_in_memory_ends_only_the_second_that_claims_leave_an_endpoint_alone(void **state)
{
    struct ph_id message = owe(&red, 0, -1000);
    (void)state;

    schedule();
    assert_int_equal(give_room(red.endpoints[0]), 0);
    claim_with(10, 10, red.endpoints, 1);
    assert_int_equal(due(red.endpoints[0]), 0);
    assert_int_equal(give_room(red.endpoints[1]), 0);
    assert_int_equal(give_room(red.endpoints[0]), 1);
    assert_int_equal(due(red.endpoints[0]), 1);
    run_sql(admin, "UPDATE endpoint_schedule SET held_until = now() + interval '3 seconds'");
    assert_int_equal(give_room(red.endpoints[0]), 0);
    assert_int_equal(due(red.endpoints[0]), 0);
    run_sql(admin, "UPDATE endpoint_schedule SET held_until = now() + interval '900 ms', "
                   "busy_node = 7");
    assert_int_equal(give_room(red.endpoints[0]), 0);
    run_sql(admin, "UPDATE endpoint_schedule SET held_until = now(), busy_node = NULL");
    struct answer answer = claim(10, 10);
    assert_true(took(&answer, message));
}

/* Throttled endpoints */

static void
a_throttled_endpoint_gives_over_two_claimers_no_more_than_its_rate_and_one_burst(void **state)
{
    enum { RATE = 40 };
    struct answer answers[2];
    int64_t first_ms = 0, now_ms = 0;
    int sum = 0;
    (void)state;

    for (int i = 0; i < 200; i++)
        owe(&red, 0, -1000);
    for (int i = 0; i < 30; i++)
        owe(&red, 1, -1000);
    run_sql(admin, "UPDATE endpoints SET throttle_rate = %d WHERE id = '%s'", RATE,
            uuid_text(red.endpoints[0]));
    schedule();
    while (now_ms - first_ms < 1200) {
        send_claim(db, &answers[0], 10, 100, NULL, 0);
        send_claim(db2, &answers[1], 10, 100, NULL, 0);
        for (int i = 0; i < 2; i++) {
            await_claim(&answers[i]);
            if (!first_ms || answers[i].claim.now_ms < first_ms)
                first_ms = answers[i].claim.now_ms;
            if (answers[i].claim.now_ms > now_ms)
                now_ms = answers[i].claim.now_ms;
            for (size_t k = 0; k < answers[i].n; k++)
                sum += ph_id_eq(answers[i].taken[k].endpoint, red.endpoints[0]);
        }
        assert_true(sum <= RATE + RATE * (double)(now_ms - first_ms + 1) / 1000);
    }
    assert_true(sum >= RATE + RATE / 2); /* and it goes on, even on a slow machine */
    assert_int_equal(ask_number("SELECT count(*) FROM deliveries WHERE endpoint_id = '%s' AND "
                                "node_id IS NULL",
                                uuid_text(red.endpoints[1])),
                     0);
}

static void
endpoints_of_a_throttled_application_give_over_two_claimers_no_more_than_its_rate(void **state)
{
    enum { RATE = 40 };
    struct answer answers[2];
    int64_t first_ms = 0, now_ms = 0;
    int sums[2] = {0, 0};
    (void)state;

    for (int i = 0; i < 200; i++)
        owe(&red, i % 2, -1000);
    run_sql(admin, "UPDATE applications SET throttle_rate = %d WHERE id = '%s'", RATE,
            uuid_text(red.subscriptions.application));
    schedule();
    while (now_ms - first_ms < 1200) {
        send_claim(db, &answers[0], 10, 5, NULL, 0);
        send_claim(db2, &answers[1], 10, 5, NULL, 0);
        for (int i = 0; i < 2; i++) {
            await_claim(&answers[i]);
            if (!first_ms || answers[i].claim.now_ms < first_ms)
                first_ms = answers[i].claim.now_ms;
            if (answers[i].claim.now_ms > now_ms)
                now_ms = answers[i].claim.now_ms;
            for (size_t k = 0; k < answers[i].n; k++)
                sums[ph_id_eq(answers[i].taken[k].endpoint, red.endpoints[0])]++;
        }
        assert_true(sums[0] + sums[1] <= RATE + RATE * (double)(now_ms - first_ms + 1) / 1000);
    }
    assert_true(sums[0] + sums[1] >= RATE + RATE / 2);
    assert_true(sums[0] >= RATE / 2 && sums[1] >= RATE / 2); /* they take turns */
}

static void an_endpoint_of_a_throttled_application_keeps_its_own_rate_too(void **state)
{
    (void)state;

    for (int i = 0; i < 20; i++)
        owe(&red, 0, -1000);
    set_endpoint(red.endpoints[0], "throttle_rate = 4");
    run_sql(admin, "UPDATE applications SET throttle_rate = 10 WHERE id = '%s'",
            uuid_text(red.subscriptions.application));
    schedule();
    assert_int_equal(claim(10, 100).n, 4);
    assert_int_equal(claim(10, 100).n, 0);
    assert_int_equal(ask_number("SELECT count(*) FROM application_throttles WHERE tokens = 6"), 1);
    run_sql(admin, "UPDATE applications SET throttle_rate = 2");
    run_sql(admin, "UPDATE application_throttles SET tokens = 1.5");
    run_sql(admin, "UPDATE endpoint_schedule SET tokens = 4, held_until = '-infinity'");
    struct answer answer = claim(10, 100);
    assert_int_equal(answer.n, 1);
    assert_int_equal(due(red.endpoints[0]), 0);
    assert_in_range(answer.claim.next_ms - answer.claim.now_ms, 100, 260);
}

static void a_throttled_endpoint_is_due_again_when_its_bucket_holds_one(void **state)
{
    (void)state;

    for (int i = 0; i < 10; i++)
        owe(&red, 0, -1000);
    set_endpoint(red.endpoints[0], "throttle_rate = 4");
    schedule();
    struct answer answer = claim(10, 100);
    assert_int_equal(answer.n, 4);
    assert_int_equal(due(red.endpoints[0]), 0);
    answer = claim(10, 100);
    assert_int_equal(answer.n, 0);
    assert_false(answer.claim.more);
    assert_in_range(answer.claim.next_ms - answer.claim.now_ms, 150, 250);
    pause_ms(answer.claim.next_ms - answer.claim.now_ms + 2);
    assert_int_equal(claim(10, 100).n, 1);
}

static void a_bucket_is_remembered_while_nothing_waits(void **state)
{
    (void)state;

    owe(&red, 0, -1000);
    owe(&red, 0, -1000);
    set_endpoint(red.endpoints[0], "throttle_rate = 2");
    schedule();
    struct answer answer = claim(10, 100);
    assert_int_equal(answer.n, 2);
    assert_int_equal(answer.claim.n_drained, 1);
    assert_int_equal(ask_number("SELECT count(*) FROM endpoint_schedule WHERE next_due_at = "
                                "'infinity' AND tokens = 0"),
                     1);
    owe(&red, 0, -1000);
    join(red.endpoints[0], &red);
    assert_int_equal(claim(10, 100).n, 0);
    run_sql(admin, "UPDATE endpoint_schedule SET refilled_at = refilled_at - interval '500 ms', "
                   "held_until = '-infinity'");
    assert_int_equal(claim(10, 100).n, 1);
    set_endpoint(red.endpoints[0], "throttle_rate = NULL");
    owe(&red, 0, -1000);
    join(red.endpoints[0], &red);
    assert_int_equal(release(red.endpoints[0]), 1);
    assert_int_equal(claim(10, 100).n, 1);
    assert_int_equal(scheduled(red.endpoints[0]), 0); /* nothing to remember any more */
}

/* A claim that began before another one's end, but was served after it, turned the bucket's time back. */
static void a_bucket_never_fills_twice_for_the_same_time(void **state)
{
    (void)state;

    for (int i = 0; i < 10; i++)
        owe(&red, 0, -1000);
    set_endpoint(red.endpoints[0], "throttle_rate = 4");
    schedule();
    run_sql(admin,
            "UPDATE endpoint_schedule SET tokens = 2, refilled_at = now() + interval '1 hour'");
    assert_int_equal(claim(10, 100).n, 2);
    assert_int_equal(ask_number("SELECT count(*) FROM endpoint_schedule WHERE tokens = 0 AND "
                                "refilled_at > now() + interval '59 minutes'"),
                     1);
}

static void housekeeping_forgets_full_buckets_and_nothing_else(void **state)
{
    struct answer answer = {.arena = ph_arena_new()};
    static const char *const rows[] = {
        "'infinity', NULL, now() - interval '11 minutes'", /* the full one */
        "'infinity', NULL, now() - interval '9 minutes'",
        "'infinity', 7, now() - interval '11 minutes'",
        "now() + interval '1 day', NULL, now() - interval '11 minutes'",
        "now(), NULL, NULL",
    };
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        run_sql(admin,
                "INSERT INTO endpoint_schedule (endpoint_id, tenant_id, next_due_at, busy_node, "
                "refilled_at, tokens) VALUES ('%s', '%s', %s, 3)",
                uuid_text(i < 3 ? red.endpoints[i] : blue.endpoints[i - 3]), uuid_text(red.id),
                rows[i]);
    ph_housekeeping_run(db, answer.arena, 30, 365, on_number, &answer);
    await_number(&answer);
    assert_int_equal(ask_number("SELECT count(*) FROM endpoint_schedule"), 4);
    assert_int_equal(scheduled(red.endpoints[0]), 0);
}

static int set_up(void **state)
{
    (void)state;
    return set_up_database("posthorn_claim_hold_test");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stopped_endpoint_is_held_until_its_change_releases_it),
        TEST(the_hold_of_a_stopped_endpoint_ends_by_time_too),
        TEST(a_release_ends_every_hold_but_that_of_a_stopped_or_busy_endpoint),
        TEST(room_in_memory_ends_only_the_second_that_claims_leave_an_endpoint_alone),
        TEST(a_throttled_endpoint_gives_over_two_claimers_no_more_than_its_rate_and_one_burst),
        TEST(endpoints_of_a_throttled_application_give_over_two_claimers_no_more_than_its_rate),
        TEST(an_endpoint_of_a_throttled_application_keeps_its_own_rate_too),
        TEST(a_throttled_endpoint_is_due_again_when_its_bucket_holds_one),
        TEST(a_bucket_is_remembered_while_nothing_waits),
        TEST(a_bucket_never_fills_twice_for_the_same_time),
        TEST(housekeeping_forgets_full_buckets_and_nothing_else),
    };

    test_env("POSTHORN_TEST_DATABASE");
    return cmocka_run_group_tests(tests, set_up, tear_down_database);
}
