#include "posthorn/endpoint_health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

struct answer {
    bool done;
    int32_t n;
};

static void on_done(enum ph_err err, int32_t n, void *ctx)
{
    assert_int_equal(err, PH_OK);
    *(struct answer *)ctx = (struct answer){.done = true, .n = n};
}

static int32_t disable(struct ph_id endpoint)
{
    struct ph_arena *arena = ph_arena_new();
    struct answer answer = {0};

    ph_endpoint_disable(db, arena, endpoint, PH_STR("it said so"), true, on_done, &answer);
    wait_until(&answer.done, "disable");
    ph_arena_free(arena);
    return answer.n;
}

static int32_t disable_failing(int64_t failing_for_s)
{
    struct ph_arena *arena = ph_arena_new();
    struct answer answer = {0};

    ph_endpoints_disable_failing(db, arena, failing_for_s, true, on_done, &answer);
    wait_until(&answer.done, "disable");
    ph_arena_free(arena);
    return answer.n;
}

/* How often the hand, which listens, has heard of this since the last call. */
static int heard(const char *kind, struct ph_id id)
{
    char expected[64];
    PGnotify *note;
    int n = 0;

    snprintf(expected, sizeof expected, "%s:%s", kind, uuid_text(id));
    assert_int_equal(PQconsumeInput(hand), 1);
    while ((note = PQnotifies(hand))) {
        n += strcmp(note->extra, expected) == 0;
        PQfreemem(note);
    }
    return n;
}

static void listen_now(void)
{
    test_exec(hand, "SELECT hear_news()");
    heard("", red.id);
}

static long is_disabled(struct ph_id endpoint, const char *reason)
{
    return ask_number("SELECT count(*) FROM endpoints WHERE id = '%s' AND disabled AND "
                      "disabled_reason LIKE '%s' AND version = 2",
                      uuid_text(endpoint), reason);
}

static long config_version(const struct tenant *tenant)
{
    return ask_number("SELECT config_version FROM applications WHERE id = '%s'",
                      uuid_text(tenant->subscriptions.application));
}

static void disabling_says_why_and_tells_all_nodes(void **state)
{
    (void)state;

    listen_now();
    assert_int_equal(disable(red.endpoints[0]), 1);
    assert_int_equal(is_disabled(red.endpoints[0], "it said so"), 1);
    assert_int_equal(ask_number("SELECT count(*) FROM endpoints WHERE disabled OR version > 1"), 1);
    assert_int_equal(config_version(&red), 2);
    assert_int_equal(config_version(&blue), 1);
    test_exec(hand, "SELECT 1");
    assert_int_equal(heard("ep", red.endpoints[0]), 1);
    assert_int_equal(disable(red.endpoints[1]), 1);
    test_exec(hand, "SELECT 1");
    assert_int_equal(heard("app", red.subscriptions.application), 1);
}

static void what_is_disabled_already_or_gone_stays_as_it_is(void **state)
{
    (void)state;

    run_sql(admin,
            "UPDATE endpoints SET disabled = true, disabled_reason = 'before', version = 2 WHERE "
            "id = '%s'",
            uuid_text(red.endpoints[0]));
    listen_now();
    assert_int_equal(disable(red.endpoints[0]), 0);
    assert_int_equal(disable(new_id()), 0);
    assert_int_equal(is_disabled(red.endpoints[0], "before"), 1);
    assert_int_equal(config_version(&red), 1);
    test_exec(hand, "SELECT 1");
    assert_int_equal(heard("ep", red.endpoints[0]), 0);
}

static void endpoints_that_have_failed_for_long_enough_are_disabled(void **state)
{
    static const char *const since[] = {"now() - interval '61 s'", "now() - interval '50 s'",
                                        "NULL"};
    (void)state;

    for (int i = 0; i < 3; i++) {
        run_sql(admin, "UPDATE endpoints SET failing_since = %s WHERE id = '%s'", since[i],
                uuid_text(red.endpoints[i]));
        run_sql(admin,
                "UPDATE endpoints SET failing_since = now() - interval '2 days' WHERE id = "
                "'%s'",
                uuid_text(blue.endpoints[i]));
    }
    run_sql(admin, "UPDATE endpoints SET disabled = true WHERE id = '%s'",
            uuid_text(blue.endpoints[2]));
    listen_now();
    assert_int_equal(disable_failing(3 * 86400), 0);
    assert_int_equal(disable_failing(60), 3);
    assert_int_equal(is_disabled(red.endpoints[0], "every attempt has failed since %-%-% UTC"), 1);
    assert_int_equal(is_disabled(blue.endpoints[0], "every attempt has failed since %-%-% UTC"), 1);
    assert_int_equal(is_disabled(blue.endpoints[1], "every attempt has failed since %-%-% UTC"), 1);
    assert_int_equal(ask_number("SELECT count(*) FROM endpoints WHERE disabled"), 4);
    assert_int_equal(ask_number("SELECT count(*) FROM endpoints WHERE version > 1"), 3);
    assert_int_equal(config_version(&red), 2);
    assert_int_equal(config_version(&blue), 2);
    test_exec(hand, "SELECT 1");
    assert_int_equal(heard("ep", red.endpoints[0]), 1);
    assert_int_equal(disable_failing(60), 0);
}

/* The statements of the interface lock the application's row first: the other way round they waited for each other. */
static void disabling_locks_the_application_before_the_endpoint(void **state)
{
    struct ph_arena *arena = ph_arena_new();
    (void)state;

    run_sql(admin, "UPDATE endpoints SET failing_since = now() - interval '1 day' WHERE id = '%s'",
            uuid_text(red.endpoints[1]));
    for (int i = 0; i < 2; i++) {
        struct answer answer = {0};
        test_exec(hand, "BEGIN");
        run_sql(hand, "UPDATE applications SET name = name WHERE id = '%s'",
                uuid_text(red.subscriptions.application));
        if (i == 0)
            ph_endpoint_disable(db, arena, red.endpoints[0], PH_STR("why"), true, on_done, &answer);
        else
            ph_endpoints_disable_failing(db, arena, 60, true, on_done, &answer);
        wait_for_lock(1);
        run_sql(hand, "SELECT FROM endpoints WHERE id = '%s' FOR UPDATE NOWAIT",
                uuid_text(red.endpoints[i]));
        test_exec(hand, "COMMIT");
        wait_until(&answer.done, "disable");
        assert_int_equal(answer.n, 1);
    }
    ph_arena_free(arena);
}

static int set_up(void **state)
{
    (void)state;
    return set_up_database("posthorn_endpoint_health_test");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(disabling_says_why_and_tells_all_nodes),
        TEST(what_is_disabled_already_or_gone_stays_as_it_is),
        TEST(endpoints_that_have_failed_for_long_enough_are_disabled),
        TEST(disabling_locks_the_application_before_the_endpoint),
    };

    test_env("POSTHORN_TEST_DATABASE");
    return cmocka_run_group_tests(tests, set_up, tear_down_database);
}
