#include "posthorn/migrate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/database.h"

#include <pthread.h>
#include <string.h>

static char database[512];
static PGconn *admin;

/* Each leaves a row behind, so that running twice would show. */
#define FIRST                                                                                      \
    {                                                                                              \
        1, "0001_first.sql",                                                                       \
            "CREATE TABLE t (n integer); SELECT pg_sleep(0.2); INSERT INTO t VALUES (1)"           \
    }
#define SECOND                                                                                     \
    {                                                                                              \
        2, "0002_second.sql", "INSERT INTO t VALUES (2)"                                           \
    }
#define END                                                                                        \
    {                                                                                              \
        0, NULL, NULL                                                                              \
    }

static const struct ph_migration first_only[] = {FIRST, END};
static const struct ph_migration both[] = {FIRST, SECOND, END};

static int fresh(void **state)
{
    (void)state;
    test_empty_database("posthorn_migrate_test", database);
    admin = test_connect(database);
    return 0;
}

static int done(void **state)
{
    (void)state;
    PQfinish(admin);
    return 0;
}

static void runs_each_once_and_in_order(void **state)
{
    int applied = -1;
    (void)state;

    assert_int_equal(ph_migrate_check(database, first_only), PH_ERR_CONFIG);
    assert_int_equal(ph_migrate(database, first_only, &applied), PH_OK);
    assert_int_equal(applied, 1);
    assert_int_equal(ph_migrate_check(database, first_only), PH_OK);
    assert_int_equal(ph_migrate_check(database, both), PH_ERR_CONFIG);
    assert_int_equal(ph_migrate(database, both, &applied), PH_OK);
    assert_int_equal(applied, 1);
    assert_int_equal(ph_migrate(database, both, &applied), PH_OK);
    assert_int_equal(applied, 0);
    assert_int_equal(ph_migrate_check(database, both), PH_OK);
    assert_int_equal(test_number(admin, "SELECT count(*) FROM posthorn.t"), 2);
    assert_int_equal(
        test_number(admin,
                    "SELECT count(*) FROM posthorn.migrations WHERE (number, name) IN"
                    " ((1, '0001_first.sql'), (2, '0002_second.sql')) AND applied_at <= now()"
                    " AND checksum = sha256(convert_to(CASE number WHEN 2 THEN 'INSERT INTO t "
                    "VALUES (2)' ELSE"
                    " 'CREATE TABLE t (n integer); SELECT pg_sleep(0.2); INSERT INTO t VALUES (1)' "
                    "END, 'UTF8'))"),
        2);
}

static void *migrate_in_thread(void *applied)
{
    enum ph_err err = ph_migrate(database, both, applied);

    return (void *)(uintptr_t)err;
}

static void two_at_once_both_succeed_and_each_file_runs_once(void **state)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    int applied[THREADS], sum = 0;
    (void)state;

    for (int i = 0; i < THREADS; i++) {
        applied[i] = -1;
        assert_int_equal(pthread_create(&threads[i], NULL, migrate_in_thread, &applied[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *err;
        assert_int_equal(pthread_join(threads[i], &err), 0);
        assert_int_equal((uintptr_t)err, PH_OK);
        sum += applied[i];
    }
    assert_int_equal(sum, 2);
    assert_int_equal(test_number(admin, "SELECT count(*) FROM posthorn.t"), 2);
}

static void a_changed_file_is_refused(void **state)
{
    static const struct ph_migration changed[] = {
        {1, "0001_first.sql", "CREATE TABLE other (n integer)"}, SECOND, END};
    int applied = -1;
    (void)state;

    assert_int_equal(ph_migrate(database, first_only, &applied), PH_OK);
    applied = -1;
    assert_int_equal(ph_migrate(database, changed, &applied), PH_ERR_CONFIG);
    assert_int_equal(ph_migrate_check(database, changed), PH_ERR_CONFIG);
    assert_int_equal(applied, -1);
    assert_int_equal(test_number(admin, "SELECT count(*) FROM posthorn.t"), 1);
}

static void a_newer_database_is_refused(void **state)
{
    int applied = -1;
    (void)state;

    assert_int_equal(ph_migrate(database, both, &applied), PH_OK);
    assert_int_equal(ph_migrate(database, first_only, &applied), PH_ERR_CONFIG);
    assert_int_equal(ph_migrate_check(database, first_only), PH_ERR_CONFIG);
}

static void a_failing_file_leaves_nothing_and_keeps_the_ones_before(void **state)
{
    static const struct ph_migration failing[] = {
        FIRST,
        {2, "0002_bad.sql", "INSERT INTO t VALUES (2); CREATE TABLE u (n integer); SELECT 1 / 0"},
        END};
    int applied = -1;
    (void)state;

    assert_int_equal(ph_migrate(database, failing, &applied), PH_ERR_DB_FAILED);
    assert_int_equal(applied, -1);
    assert_int_equal(test_number(admin, "SELECT count(*) FROM posthorn.t"), 1);
    assert_int_equal(test_number(admin, "SELECT count(*) FROM posthorn.migrations"), 1);
    assert_int_equal(test_number(admin, "SELECT count(to_regclass('posthorn.u'))"), 0);
    assert_int_equal(ph_migrate(database, both, &applied), PH_OK);
    assert_int_equal(applied, 1);
}

static void a_file_that_ends_its_transaction_is_refused(void **state)
{
    static const struct ph_migration ending[] = {
        {1, "0001_ends.sql", "CREATE TABLE t (n integer); COMMIT"}, END};
    int applied = -1;
    (void)state;

    assert_int_equal(ph_migrate(database, ending, &applied), PH_ERR_DB_FAILED);
    assert_int_equal(test_number(admin, "SELECT count(*) FROM posthorn.migrations"), 0);
}

static void no_connection_is_unavailable(void **state)
{
    int applied = -1;
    (void)state;

    assert_int_equal(ph_migrate("host=/nonexistent dbname=x", both, &applied), PH_ERR_UNAVAILABLE);
    assert_int_equal(ph_migrate_check("host=/nonexistent dbname=x", both), PH_ERR_UNAVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(runs_each_once_and_in_order, fresh, done),
        cmocka_unit_test_setup_teardown(two_at_once_both_succeed_and_each_file_runs_once, fresh,
                                        done),
        cmocka_unit_test_setup_teardown(a_changed_file_is_refused, fresh, done),
        cmocka_unit_test_setup_teardown(a_newer_database_is_refused, fresh, done),
        cmocka_unit_test_setup_teardown(a_failing_file_leaves_nothing_and_keeps_the_ones_before,
                                        fresh, done),
        cmocka_unit_test_setup_teardown(a_file_that_ends_its_transaction_is_refused, fresh, done),
        cmocka_unit_test_setup_teardown(no_connection_is_unavailable, fresh, done),
    };

    test_env("POSTHORN_TEST_DATABASE");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
