#include "posthorn/counts.h"
#include "posthorn/stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "fixture.h"

#define HOUR_MS INT64_C(3600000)
#define AT_MS   (500000 * HOUR_MS) /* a full hour */

static struct ph_counts *counts;

struct answer {
    bool done;
    enum ph_err err;
};

static void on_stored(enum ph_err err, void *ctx)
{
    *(struct answer *)ctx = (struct answer){true, err};
}

/* False: there was nothing to store. */
static bool store(struct ph_db *with, enum ph_err want)
{
    struct answer answer = {0};

    if (!ph_counts_store(counts, with, on_stored, &answer))
        return false;
    wait_until(&answer.done, "store");
    assert_int_equal(answer.err, want);
    return true;
}

static struct ph_counted counted(const struct tenant *tenant, const char *event_type, int64_t at_ms)
{
    return (struct ph_counted){
        .tenant = tenant->id,
        .application = tenant->subscriptions.application,
        .event_type = ph_str_of(event_type),
        .wall_ms = at_ms,
    };
}

/* A sum over the rows of one owner. */
static long sum(struct ph_id owner, const char *what)
{
    return ask_number("SELECT coalesce(sum(%s), 0) FROM hourly_stats WHERE owner_id = '%s'", what,
                      uuid_text(owner));
}

static void counts_go_to_application_and_tenant_by_type_and_hour(void **state)
{
    struct ph_counted a = counted(&red, "a.x", AT_MS),
                      b = counted(&red, "b.x", AT_MS + HOUR_MS - 1),
                      next = counted(&red, "a.x", AT_MS + HOUR_MS),
                      theirs = counted(&blue, "a.x", AT_MS);
    struct ph_id app = red.subscriptions.application;
    (void)state;

    ph_counts_message(counts, &a);
    ph_counts_message(counts, &a);
    ph_counts_message(counts, &theirs);
    ph_counts_attempt(counts, &a, true, false, 10);
    ph_counts_attempt(counts, &b, false, true, 10001);
    ph_counts_attempt(counts, &next, false, false, 11);
    assert_true(store(db, PH_OK));
    assert_false(store(db, PH_OK));
    for (int i = 0; i < 2; i++) {
        struct ph_id owner = i ? app : red.id;
        assert_int_equal(sum(owner, "1"), 3);
        assert_int_equal(sum(owner, "messages"), 2);
        assert_int_equal(sum(owner, "success"), 1);
        assert_int_equal(sum(owner, "failure"), 2);
        assert_int_equal(sum(owner, "exhausted"), 1);
        assert_int_equal(sum(owner, "duration_counts[1]"), 1);
        assert_int_equal(sum(owner, "duration_counts[2]"), 1);
        assert_int_equal(sum(owner, "duration_counts[8]"), 1);
        assert_int_equal(sum(owner, "extract(epoch FROM bucket)::bigint % 3600"), 0);
    }
    assert_int_equal(sum(blue.id, "messages"), 1);
    ph_counts_message(counts, &a);
    ph_counts_attempt(counts, &a, true, false, 10);
    assert_true(store(db, PH_OK));
    assert_int_equal(sum(app, "messages"), 3);
    assert_int_equal(sum(app, "duration_counts[1]"), 2);
    assert_int_equal(sum(app, "1"), 3);
}

static void what_was_surely_not_stored_goes_along_with_the_next(void **state)
{
    struct ph_counted a = counted(&red, "a.x", AT_MS);
    struct ph_db *away = ph_db_new(loop, &(struct ph_db_options){
                                             .conninfo = "host=/nowhere",
                                             .role = PH_DB_ENGINE,
                                             .connections = 1,
                                             .max_waiting = 1,
                                             .name = "away",
                                         });
    (void)state;

    ph_counts_message(counts, &a);
    assert_true(store(away, PH_ERR_UNAVAILABLE));
    ph_counts_message(counts, &a);
    assert_true(store(db, PH_OK));
    assert_true(store(db, PH_OK));
    assert_false(store(db, PH_OK));
    assert_int_equal(sum(red.id, "messages"), 2);
    ph_db_free(away);
    ph_loop_step(loop, 0);
}

static void memory_is_bounded(void **state)
{
    (void)state;
    for (int i = 0; i < 30000; i++) {
        char name[16];
        struct ph_counted a;
        snprintf(name, sizeof name, "t.%d", i);
        a = counted(&red, name, AT_MS);
        ph_counts_message(counts, &a);
    }
    assert_true(store(db, PH_OK));
    assert_int_equal(ask_number("SELECT count(*) FROM hourly_stats"), 50000);
}

static void a_percentile_lies_between_the_bounds_of_its_step(void **state)
{
    struct ph_stats_bucket bucket = {
        .success = 90, .failure = 10, .durations = {50, 0, 40, 0, 0, 0, 5, 5}};
    (void)state;

    assert_int_equal(ph_stats_percentile_ms(&(struct ph_stats_bucket){0}, 50), -1);
    assert_int_equal(ph_stats_percentile_ms(&bucket, 1), 0);
    assert_int_equal(ph_stats_percentile_ms(&bucket, 50), 10);
    assert_int_equal(ph_stats_percentile_ms(&bucket, 70), 65);
    assert_int_equal(ph_stats_percentile_ms(&bucket, 95), 10000);
    assert_int_equal(ph_stats_percentile_ms(&bucket, 99), 10000);
    bucket = (struct ph_stats_bucket){.success = 1, .durations = {0, 0, 0, 1}};
    assert_int_equal(ph_stats_percentile_ms(&bucket, 50), 300);
}

static int set_up(void **state)
{
    (void)state;
    return set_up_database("posthorn_counts_test");
}

static int begin(void **state)
{
    counts = ph_counts_new();
    run_sql(admin, "DELETE FROM hourly_stats");
    return begin_test(state);
}

static int end(void **state)
{
    ph_counts_free(counts);
    return end_test(state);
}

#define COUNTS_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        COUNTS_TEST(counts_go_to_application_and_tenant_by_type_and_hour),
        COUNTS_TEST(what_was_surely_not_stored_goes_along_with_the_next),
        COUNTS_TEST(memory_is_bounded),
        COUNTS_TEST(a_percentile_lies_between_the_bounds_of_its_step),
    };

    test_env("POSTHORN_TEST_DATABASE");
    return cmocka_run_group_tests(tests, set_up, tear_down_database);
}
