/*
 * For tests of the statements of ingest and delivery: a migrated database with two tenants, each with an application of
 * three endpoints; connections of the engine's role; and helpers to look and wait. Include after cmocka.
 */
#ifndef POSTHORN_TESTS_FIXTURE_H
#define POSTHORN_TESTS_FIXTURE_H

#include "posthorn/clock.h"
#include "posthorn/message_batch.h"

#include "../lib/database.h"

#include <string.h>

#define ENDPOINTS 3

struct tenant {
    struct ph_id id;
    struct ph_subscriptions
        subscriptions; /* no configurations: the statements look at ids and the version */
    struct ph_id endpoints[ENDPOINTS];
};

static struct tenant red, blue;
static struct ph_loop *loop; /* one a test */
static struct ph_db *db, *db2;
static PGconn *admin; /* superuser's connections, for what happens beside the module */
static PGconn *hand;
static char database[512];

TEST_UNUSED static const char *uuid_text(struct ph_id id)
{
    static char text[8][40];
    static int turn;
    char *out = text[turn++ % 8], hex[33];

    ph_hex_encode(id.b, 16, hex);
    snprintf(out, 40, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
    return out;
}

TEST_UNUSED static struct ph_id new_id(void)
{
    return ph_id_new(ph_clock_wall_ms());
}

/* SQL with printf's formats, that has to work. */
TEST_UNUSED PH_PRINTF(2, 3) static void run_sql(PGconn *pg, const char *fmt, ...)
{
    char sql[4096];
    va_list args;

    va_start(args, fmt);
    int len = vsnprintf(sql, sizeof sql, fmt, args);
    va_end(args);
    assert_true(len < (int)sizeof sql);
    test_exec(pg, sql);
}

/* A number that the database knows. */
TEST_UNUSED PH_PRINTF(1, 2) static long ask_number(const char *fmt, ...)
{
    char sql[4096];
    va_list args;

    va_start(args, fmt);
    int len = vsnprintf(sql, sizeof sql, fmt, args);
    va_end(args);
    assert_true(len < (int)sizeof sql);
    return test_number(admin, sql);
}

/* Steps the loop until the flag is set. */
TEST_UNUSED static void wait_until(const bool *flag, const char *what)
{
    uint64_t end_ms = ph_clock_mono_ms() + 20000;

    while (!*flag) {
        if (ph_clock_mono_ms() > end_ms)
            fail_msg("not after 20 s: %s", what);
        ph_loop_step(loop, 50);
    }
}

/* Steps the loop until so many statements wait for a lock. */
TEST_UNUSED static void wait_for_lock(int n)
{
    uint64_t end_ms = ph_clock_mono_ms() + 20000;

    while (ask_number("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted") < n) {
        if (ph_clock_mono_ms() > end_ms)
            fail_msg("no statement waits for a lock after 20 s");
        ph_loop_step(loop, 5);
    }
}

TEST_UNUSED static struct ph_db *open_db(const char *name)
{
    struct ph_db_options options = {.conninfo = database,
                                    .role = PH_DB_ENGINE,
                                    .connections = 1,
                                    .max_waiting = 1000,
                                    .name = name};

    return ph_db_new(loop, &options);
}

TEST_UNUSED static void close_db(struct ph_db *which)
{
    ph_db_free(which);
    ph_loop_step(loop, 0); /* what was still deferred */
}

static void make_tenant(struct tenant *tenant, const char *name)
{
    *tenant = (struct tenant){.id = new_id()};
    tenant->subscriptions.refs = 1;
    tenant->subscriptions.tenant = tenant->id;
    tenant->subscriptions.application = new_id();
    tenant->subscriptions.config_version = 1;
    run_sql(admin, "INSERT INTO tenants (id, name) VALUES ('%s', '%s')", uuid_text(tenant->id),
            name);
    run_sql(admin,
            "INSERT INTO applications (id, tenant_id, uid, name) VALUES ('%s', '%s', 'app', '%s')",
            uuid_text(tenant->subscriptions.application), uuid_text(tenant->id), name);
    for (int i = 0; i < ENDPOINTS; i++) {
        tenant->endpoints[i] = new_id();
        run_sql(admin,
                "INSERT INTO endpoints (id, tenant_id, application_id, uid, url) "
                "VALUES ('%s', '%s', '%s', 'ep%d', 'https://%s.example/%d')",
                uuid_text(tenant->endpoints[i]), uuid_text(tenant->id),
                uuid_text(tenant->subscriptions.application), i, name, i);
    }
}

static PGconn *connect_admin(void)
{
    PGconn *pg = test_connect(database);

    test_exec(pg, "SET search_path = posthorn, pg_catalog; SET client_min_messages = warning");
    return pg;
}

TEST_UNUSED static int set_up_database(const char *name)
{
    test_database(name, database);
    admin = connect_admin();
    hand = connect_admin();
    return 0;
}

TEST_UNUSED static int tear_down_database(void **state)
{
    (void)state;
    PQfinish(hand);
    PQfinish(admin);
    return 0;
}

/* Empty tables but for two tenants, and fresh connections. */
TEST_UNUSED static int begin_test(void **state)
{
    (void)state;
    if (PQtransactionStatus(hand) != PQTRANS_IDLE)
        test_exec(hand, "ROLLBACK");
    test_exec(
        admin,
        "DO $$ BEGIN EXECUTE (SELECT 'TRUNCATE ' || string_agg(oid::regclass::text, ', ') FROM "
        "pg_class WHERE relnamespace = 'posthorn'::regnamespace AND relkind IN ('r', 'p') "
        "AND NOT relispartition AND relname NOT IN ('migrations', 'channel')); END $$");
    make_tenant(&red, "red");
    make_tenant(&blue, "blue");
    loop = ph_loop_new();
    db = open_db("posthorn test");
    db2 = open_db("posthorn test 2");
    return 0;
}

TEST_UNUSED static int end_test(void **state)
{
    (void)state;
    close_db(db);
    close_db(db2);
    ph_loop_free(loop);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_test, end_test)

#endif
