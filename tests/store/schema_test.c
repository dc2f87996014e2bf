#include "posthorn/clock.h"
#include "posthorn/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/database.h"

#include <string.h>

#define TENANT_A "aaaaaaaa-0000-7000-8000-000000000000"
#define TENANT_B "bbbbbbbb-0000-7000-8000-000000000000"

static char database[512];
static PGconn *admin; /* superuser: row-level security does not touch it */

/* Tables of a tenant, without the partitions: those are reached through their parents. */
#define TENANT_TABLES                                                                              \
    "SELECT c.oid::regclass::text AS name, c.* FROM pg_class c WHERE c.relnamespace = "            \
    "'posthorn'::regnamespace"                                                                     \
    " AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND (c.relname = 'tenants' OR EXISTS "  \
    "(SELECT FROM"                                                                                 \
    " pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT "                \
    "a.attisdropped))"

static const char seed[] =
    "DO $$ DECLARE t uuid; app uuid; ep uuid; msg uuid; BEGIN"
    "  FOREACH t IN ARRAY ARRAY['" TENANT_A "', '" TENANT_B "']::uuid[] LOOP"
    "    app := gen_random_uuid(); ep := gen_random_uuid(); msg := uuid_floor(clock_timestamp());"
    "    INSERT INTO tenants (id, name) VALUES (t, 'tenant');"
    "    INSERT INTO api_keys (id, tenant_id, name, key_hash) VALUES (gen_random_uuid(), t, 'key', "
    "uuid_send(t));"
    "    INSERT INTO applications (id, tenant_id, name, throttle_rate) VALUES (app, t, "
    "'app', 9);"
    "    INSERT INTO event_types (id, tenant_id, name, description) VALUES (gen_random_uuid(), t, "
    "'a.b', '');"
    "    INSERT INTO endpoints (id, tenant_id, application_id, url) VALUES (ep, t, app, "
    "'https://example.test');"
    "    INSERT INTO endpoint_secrets (id, tenant_id, endpoint_id, sealed) VALUES "
    "(gen_random_uuid(), t, ep, '');"
    "    INSERT INTO messages (application_id, id, tenant_id, event_type, payload) VALUES (app, "
    "msg, t, 'a.b', '{}');"
    "    INSERT INTO attempts (message_id, id, endpoint_id, tenant_id, number, status, "
    "trigger_type, status_code, duration_ms,"
    "      url, response) VALUES (msg, msg, ep, t, 1, 0, 0, 200, 5, 'https://example.test', '');"
    "    INSERT INTO message_uids (application_id, event_id, tenant_id, message_id) VALUES (app, "
    "'e', t, msg);"
    "    INSERT INTO idempotency_keys (tenant_id, key, message_id) VALUES (t, gen_random_uuid(), "
    "msg);"
    "    INSERT INTO portal_tokens (id, tenant_id, application_id, token_hash, read_only, "
    "feature_flags, created_by, expires_at)"
    "      VALUES (gen_random_uuid(), t, app, uuid_send(t), false, '{}', t, now());"
    "    INSERT INTO kept_answers (tenant_id, key) VALUES (t, gen_random_uuid());"
    "    INSERT INTO deliveries (endpoint_id, message_id, tenant_id, application_id, next_at) "
    "VALUES (ep, msg, t, app, now());"
    "    INSERT INTO endpoint_schedule (endpoint_id, tenant_id, next_due_at) VALUES (ep, t, now());"
    "    INSERT INTO delivery_stats (endpoint_id, bucket, tenant_id, success, failure, exhausted, "
    "duration_counts)"
    "      VALUES (ep, now(), t, 1, 0, 0, '{1,0,0,0,0,0,0,0}');"
    "    INSERT INTO hourly_stats VALUES (app, now(), 'a.b', t, 1, 1, 0, 0, "
    "'{1,0,0,0,0,0,0,0}');"
    "    INSERT INTO background_tasks (id, tenant_id, application_id, endpoint_id, type, params, "
    "since, until, cursor, stop)"
    "      VALUES (gen_random_uuid(), t, app, ep, 'endpoint.recover', '{}', msg, msg, msg, msg);"
    "    INSERT INTO broadcasts (task_id, tenant_id, event_type, payload)"
    "      SELECT id, t, 'a.b', '{}' FROM background_tasks WHERE tenant_id = t;"
    "    INSERT INTO unmatched_messages VALUES (msg, t, app, now());"
    "    INSERT INTO schedule_arrivals VALUES (ep, t);"
    "    INSERT INTO closed_deliveries VALUES (msg, ep, t, 5);"
    "    INSERT INTO poller_messages (endpoint_id, message_id, tenant_id, application_id) VALUES "
    "(ep, "
    "msg, t, app);"
    "    INSERT INTO poller_tokens (id, tenant_id, endpoint_id, token_hash, token_end) VALUES "
    "(gen_random_uuid(), t, ep, uuid_send(t), 'wxyz');"
    "    INSERT INTO poller_consumers (endpoint_id, name, tenant_id, xid, message_id) VALUES (ep, "
    "'c', t, '1', msg);"
    "    INSERT INTO audit_log (tenant_id, id, actor_kind, action, object_kind) VALUES (t, msg, "
    "'operator', 'a.b', 'a');"
    "    INSERT INTO inboxes VALUES (app, t, t::text, 200, 0);"
    "    INSERT INTO inbox_requests VALUES (app, msg, t, 'POST', '[]', '', 0, 'none', NULL, 200);"
    "    INSERT INTO users (id, email) VALUES (t, t || '@example.test');"
    "    INSERT INTO members (tenant_id, user_id, role) VALUES (t, t, 'owner');"
    "    INSERT INTO invitations (id, tenant_id, email, role, token_hash, expires_at) VALUES (t, "
    "t, 'a@example.test', 'viewer', "
    "uuid_send(t), now());"
    "    INSERT INTO sql_users (role_name, tenant_id) VALUES (t::text, t);"
    "    PERFORM pg_sleep(0.002);" /* so that msg differs */
    "  END LOOP; END $$";

static PGconn *connect_as(const char *role, const char *tenant)
{
    char sql[256];
    PGconn *pg = test_connect(database);

    snprintf(sql, sizeof(sql),
             "SET search_path = posthorn; SET ROLE %s; SET posthorn.tenant_id = '%s'", role,
             tenant);
    test_exec(pg, sql);
    return pg;
}

/* SQLSTATE of a statement; "" when it works. */
static const char *sqlstate_of(PGconn *pg, const char *sql)
{
    static char state[8];
    PGresult *res = PQexec(pg, sql);
    const char *field = PQresultErrorField(res, PG_DIAG_SQLSTATE);

    snprintf(state, sizeof(state), "%s", field != NULL ? field : "");
    PQclear(res);
    return state;
}

static void every_tenant_table_has_forced_row_security(void **state)
{
    PGresult *res = test_query(
        admin,
        "SELECT name, relrowsecurity AND relforcerowsecurity, (SELECT count(*) FROM pg_policy"
        " WHERE polrelid = t.oid), (SELECT count(*) FROM pg_policy WHERE polrelid = t.oid AND"
        " (polroles && ARRAY[0::oid, 'posthorn_api'::regrole]) AND (polqual IS NULL OR"
        " pg_get_expr(polqual, polrelid) NOT LIKE '%current_tenant()%')) FROM (" TENANT_TABLES
        ") t");
    (void)state;

    assert_true(PQntuples(res) >= 13);
    for (int i = 0; i < PQntuples(res); i++) {
        if (strcmp(PQgetvalue(res, i, 1), "t") != 0 || strcmp(PQgetvalue(res, i, 2), "0") == 0)
            fail_msg("table %s has no forced row-level security", PQgetvalue(res, i, 0));
        if (strcmp(PQgetvalue(res, i, 3), "0") != 0)
            fail_msg("a policy of %s lets posthorn_api past current_tenant()",
                     PQgetvalue(res, i, 0));
    }
    PQclear(res);
}

/* Policies of the parent do not hold for a partition that is named directly. */
static void the_api_role_reaches_tenant_tables_only(void **state)
{
    PGresult *res = test_query(
        admin, "SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = "
               "'posthorn'::regnamespace AND relkind IN"
               " ('r', 'p', 'v', 'm', 'f') AND has_table_privilege('posthorn_api', c.oid, 'SELECT, "
               "INSERT, UPDATE, DELETE, TRUNCATE,"
               " REFERENCES, TRIGGER') AND c.oid NOT IN (SELECT oid FROM (" TENANT_TABLES ") t)");
    (void)state;

    if (PQntuples(res) != 0)
        fail_msg("posthorn_api may use %s", PQgetvalue(res, 0, 0));
    PQclear(res);
    assert_int_equal(
        test_number(
            admin,
            "SELECT count(*) FROM pg_roles WHERE rolname IN ('posthorn_api', 'posthorn_engine')"
            " AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcanlogin)"),
        0);
    assert_int_equal(
        test_number(admin,
                    "SELECT count(*) FROM pg_auth_members WHERE member = 'posthorn_api'::regrole"),
        0);
}

/* Calls each(name) for the tenant tables on which posthorn_api has the privilege; returns how many there are. */
static int for_tenant_tables(const char *privilege, void (*each)(const char *table))
{
    char sql[1024];

    snprintf(sql, sizeof(sql),
             "SELECT name FROM (" TENANT_TABLES
             ") t WHERE has_table_privilege('posthorn_api', oid, '%s')",
             privilege);
    PGresult *res = test_query(admin, sql);
    int n = PQntuples(res);
    for (int i = 0; i < n; i++)
        each(PQgetvalue(res, i, 0));
    PQclear(res);
    return n;
}

static const char *tenant_column(const char *table)
{
    return strcmp(table, "tenants") == 0 ? "id" : "tenant_id";
}

static long count_of(PGconn *pg, const char *table, const char *tenant)
{
    char sql[256];

    snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s WHERE %s = '%s'", table,
             tenant_column(table), tenant);
    return test_number(pg, sql);
}

static void sees_own_rows_only(const char *table)
{
    PGconn *none = connect_as("posthorn_api", ""), *a = connect_as("posthorn_api", TENANT_A);
    PGconn *engine = connect_as("posthorn_engine", "");
    char sql[128];

    if (count_of(admin, table, TENANT_A) == 0 || count_of(admin, table, TENANT_B) == 0)
        fail_msg("the test's seed has no rows in %s", table);
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
    assert_int_equal(test_number(none, sql), 0);
    assert_int_equal(test_number(a, sql), count_of(admin, table, TENANT_A));
    assert_int_equal(count_of(a, table, TENANT_B), 0);
    assert_int_equal(test_number(engine, sql), test_number(admin, sql));
    test_exec(none, "RESET posthorn.tenant_id"); /* never set, not only empty */
    assert_int_equal(test_number(none, sql), 0);
    PQfinish(none);
    PQfinish(a);
    PQfinish(engine);
}

static void a_tenant_sees_its_own_rows_only(void **state)
{
    (void)state;
    assert_true(for_tenant_tables("SELECT", sees_own_rows_only) >= 11);
}

/* The row of tenant B as it is in the table, offered by tenant A. */
static void cannot_insert_for_another(const char *table)
{
    char sql[1024];
    PGconn *a = connect_as("posthorn_api", TENANT_A);

    snprintf(sql, sizeof(sql), "SELECT row_to_json(t) FROM %s t WHERE %s = '" TENANT_B "' LIMIT 1",
             table, tenant_column(table));
    PGresult *row = test_query(admin, sql);
    assert_int_equal(PQntuples(row), 1);
    snprintf(sql, sizeof(sql), "INSERT INTO %s SELECT (json_populate_record(NULL::%s, '%s')).*",
             table, table, PQgetvalue(row, 0, 0));
    assert_string_equal(sqlstate_of(a, sql), "42501");
    PQclear(row);
    PQfinish(a);
}

static void cannot_move_to_another(const char *table)
{
    char sql[256];
    PGconn *a = connect_as("posthorn_api", TENANT_A);

    snprintf(sql, sizeof(sql), "UPDATE %s SET %s = '" TENANT_B "'", table, tenant_column(table));
    assert_string_equal(sqlstate_of(a, sql), "42501");
    PQfinish(a);
}

static void cannot_delete_of_another(const char *table)
{
    char sql[256];
    PGconn *a = connect_as("posthorn_api", TENANT_A);

    snprintf(sql, sizeof(sql),
             "WITH gone AS (DELETE FROM %s WHERE %s = '" TENANT_B
             "' RETURNING 1) SELECT count(*) FROM gone",
             table, tenant_column(table));
    assert_int_equal(test_number(a, sql), 0);
    PQfinish(a);
}

static void a_tenant_cannot_write_rows_of_another(void **state)
{
    (void)state;
    assert_true(for_tenant_tables("INSERT", cannot_insert_for_another) >= 4);
    assert_true(for_tenant_tables("UPDATE", cannot_move_to_another) >= 4);
    assert_true(for_tenant_tables("DELETE", cannot_delete_of_another) >= 4);
}

/* Partitions */

#define PARTITIONS                                                                                 \
    "SELECT count(*) FROM pg_inherits WHERE inhparent IN ('posthorn.messages'::regclass, "         \
    "'posthorn.attempts'::regclass, 'posthorn.closed_deliveries'::regclass)"

static void making_partitions_again_makes_none(void **state)
{
    PGconn *engine = connect_as("posthorn_engine", "");
    (void)state;

    test_exec(engine, "SELECT make_partitions(7)");
    assert_int_equal(test_number(engine, "SELECT make_partitions(7)"), 0);
    assert_int_equal(test_number(admin, PARTITIONS), 3 * 9);
    assert_int_equal(test_number(engine, "SELECT make_partitions(9)"), 6);
    assert_int_equal(test_number(engine, "SELECT make_partitions(9)"), 0);
    assert_int_equal(test_number(engine, "SELECT make_partitions(7)"), 0);
    assert_int_equal(test_number(admin, PARTITIONS), 3 * 11);
    PQfinish(engine);
    PGconn *api = connect_as("posthorn_api", TENANT_A);
    assert_string_equal(sqlstate_of(api, "SELECT make_partitions(7)"), "42501");
    assert_string_equal(sqlstate_of(api, "SELECT drop_partitions(7)"), "42501");
    PQfinish(api);
}

/* Partitions, and what else is kept as long as they are, of four, three and two days ago. */
static const char make_old[] =
    "DO $$ DECLARE today date := (now() AT TIME ZONE 'UTC')::date; day date; parent text; BEGIN"
    "  FOR n IN 2..4 LOOP"
    "    day := today - n;"
    "    FOREACH parent IN ARRAY ARRAY['messages', 'attempts'] LOOP"
    "      EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', parent "
    "|| '_' || to_char(day, 'YYYYMMDD'),"
    "        parent, uuid_floor(day::timestamp AT TIME ZONE 'UTC'), uuid_floor((day + "
    "1)::timestamp AT TIME ZONE 'UTC'));"
    "    END LOOP;"
    "    INSERT INTO message_uids (application_id, event_id, tenant_id, message_id) VALUES "
    "('" TENANT_A "', 'old-' || n,"
    "      '" TENANT_A "', uuid_floor(day::timestamp AT TIME ZONE 'UTC' + interval '23 hours'));"
    "    INSERT INTO delivery_stats (endpoint_id, bucket, tenant_id, success, failure, exhausted, "
    "duration_counts)"
    "      VALUES ('" TENANT_A
    "', day::timestamp AT TIME ZONE 'UTC' + interval '23 hours', '" TENANT_A "', 1, 0, 0, '{}');"
    "    INSERT INTO hourly_stats VALUES ('" TENANT_A
    "', day::timestamp AT TIME ZONE 'UTC' + interval '23 hours', 'a.b', '" TENANT_A
    "', 1, 1, 0, 0, '{}');"
    "  END LOOP; END $$";

static void only_old_partitions_are_dropped(void **state)
{
    PGconn *engine = connect_as("posthorn_engine", "");
    long before = test_number(admin, PARTITIONS);
    (void)state;

    test_exec(admin, make_old);
    assert_int_equal(test_number(engine, "SELECT drop_partitions(3)"), 2);
    assert_int_equal(test_number(engine, "SELECT drop_partitions(3)"), 0);
    assert_int_equal(test_number(admin, PARTITIONS), before + 4);
    assert_int_equal(test_number(admin, "SELECT count(to_regclass(p || to_char((now() AT TIME ZONE "
                                        "'UTC')::date - 4, 'YYYYMMDD')))"
                                        " FROM unnest('{messages_,attempts_}'::text[]) p"),
                     0);
    assert_int_equal(
        test_number(admin, "SELECT count(*) FROM message_uids WHERE event_id LIKE 'old-%'"), 2);
    assert_int_equal(
        test_number(admin,
                    "SELECT count(*) FROM delivery_stats WHERE endpoint_id = '" TENANT_A "'"),
        2);
    assert_int_equal(
        test_number(admin, "SELECT count(*) FROM hourly_stats WHERE owner_id = '" TENANT_A "'"), 2);
    assert_int_equal(test_number(admin, "SELECT count(*) FROM message_uids WHERE event_id = 'e'"),
                     2);
    assert_int_equal(test_number(engine, "SELECT drop_partitions(1)"), 4);
    assert_int_equal(test_number(admin, PARTITIONS), before);
    PQfinish(engine);
}

#define LIST                                                                                       \
    "SELECT id, event_type FROM messages WHERE application_id = $1 AND id < $2 ORDER BY id DESC "  \
    "LIMIT 50"

static void explain_list(PGconn *pg, const char *mode)
{
    char sql[128], tomorrow[32];

    snprintf(sql, sizeof(sql), "SET plan_cache_mode = %s", mode);
    test_exec(pg, sql);
    test_exec(pg, "PREPARE list (uuid, uuid) AS " LIST);
    PGresult *name = test_query(
        admin, "SELECT 'messages_' || to_char((now() AT TIME ZONE 'UTC')::date + 1, 'YYYYMMDD')");
    snprintf(tomorrow, sizeof(tomorrow), "%s", PQgetvalue(name, 0, 0));
    PQclear(name);
    PGresult *plan = test_query(pg, "EXPLAIN EXECUTE list ('" TENANT_A "', uuid_floor(now()))");
    bool uses_index = false;
    for (int i = 0; i < PQntuples(plan); i++) {
        const char *line = PQgetvalue(plan, i, 0);
        if (strstr(line, "Sort") != NULL)
            fail_msg("%s: the plan sorts: %s", mode, line);
        if (strstr(line, "Seq Scan") != NULL)
            fail_msg("%s: the plan reads a whole partition: %s", mode, line);
        if (strstr(line, tomorrow) != NULL)
            fail_msg("%s: the plan reads a partition that cannot hold a row: %s", mode, line);
        uses_index |= strstr(line, "Index Scan Backward") != NULL;
    }
    assert_true(uses_index);
    PQclear(plan);
}

static void listing_messages_reads_few_partitions_and_never_sorts(void **state)
{
    PGconn *engine = connect_as("posthorn_engine", ""), *api = connect_as("posthorn_api", TENANT_A);
    (void)state;

    /* The other order would walk through the messages of all applications. */
    assert_int_equal(test_number(admin, "SELECT count(*) FROM pg_index i JOIN pg_attribute a ON "
                                        "attrelid = indrelid AND attnum = indkey[0]"
                                        " WHERE indrelid = 'messages'::regclass AND indisprimary "
                                        "AND attname = 'application_id'"),
                     1);
    test_exec(admin, "INSERT INTO messages (application_id, id, tenant_id, event_type, payload)"
                     " SELECT ('aaaaaaaa-0000-7000-8000-00000000000' || a)::uuid, uuid_floor(now() "
                     "- n * interval '7 seconds'),"
                     " '" TENANT_A
                     "', 'a.b', '{}' FROM generate_series(0, 3) a, generate_series(1, 3000) n"
                     " WHERE now() - n * interval '7 seconds' > date_trunc('day', now() AT TIME "
                     "ZONE 'UTC') AT TIME ZONE 'UTC'"
                     " - interval '1 day'");
    test_exec(admin, "ANALYZE messages");
    test_exec(engine,
              "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off");
    explain_list(engine, "force_generic_plan"); /* as the module's sessions are set up */
    explain_list(api, "force_custom_plan");
    test_exec(api, "DEALLOCATE list");
    explain_list(api, "force_generic_plan");
    PQfinish(engine);
    PQfinish(api);
}

/* Other databases, other owners */

static void migrate_as_plain_owner(const char *name)
{
    char sql[256], conninfo[600];
    int applied = 0;

    snprintf(sql, sizeof(sql), "CREATE DATABASE %s OWNER posthorn_plain", name);
    test_exec(admin, sql);
    snprintf(conninfo, sizeof(conninfo), "%s user=posthorn_plain dbname=%s",
             test_env("POSTHORN_TEST_DATABASE"), name);
    assert_int_equal(ph_migrate(conninfo, ph_migrations, &applied), PH_OK);
    assert_true(applied > 0);

    /* Retention works although the owner is bound by row-level security itself. */
    PGconn *pg = test_connect(conninfo);
    test_exec(pg, "SET search_path = posthorn");
    test_exec(pg, make_old);
    test_exec(pg, "SET ROLE posthorn_engine");
    assert_int_equal(test_number(pg, "SELECT drop_partitions(3)"), 2);
    assert_int_equal(test_number(pg, "SELECT count(*) FROM message_uids"), 2);
    assert_int_equal(test_number(pg, "SELECT count(*) FROM delivery_stats"), 2);
    assert_int_equal(test_number(pg, "SELECT make_partitions(8)"), 3);
    PQfinish(pg);
}

static void drop_plain(const char *name)
{
    char sql[256];

    snprintf(sql, sizeof(sql), "DROP DATABASE %s WITH (FORCE)", name);
    test_exec(admin, sql);
}

static void an_owner_who_is_no_superuser_can_migrate(void **state)
{
    (void)state;
    test_exec(admin, "CREATE ROLE posthorn_plain LOGIN CREATEROLE");
    /* The roles are there from another database. */
    migrate_as_plain_owner("posthorn_plain_second");
    drop_plain("posthorn_plain_second");
    /* And with roles that it makes itself. */
    test_exec(admin, "ALTER ROLE posthorn_api RENAME TO hidden_api; ALTER ROLE posthorn_engine "
                     "RENAME TO hidden_engine");
    migrate_as_plain_owner("posthorn_plain_first");
    drop_plain("posthorn_plain_first");
    test_exec(
        admin,
        "DROP ROLE posthorn_api, posthorn_engine; ALTER ROLE hidden_api RENAME TO posthorn_api;"
        " ALTER ROLE hidden_engine RENAME TO posthorn_engine; DROP ROLE posthorn_plain");
}

static int set_up(void **state)
{
    (void)state;
    test_database("posthorn_schema_test", database);
    admin = test_connect(database);
    test_exec(admin, "SET search_path = posthorn; SET client_min_messages = warning");
    test_exec(admin, seed);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    PQfinish(admin);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tenant_table_has_forced_row_security),
        cmocka_unit_test(the_api_role_reaches_tenant_tables_only),
        cmocka_unit_test(a_tenant_sees_its_own_rows_only),
        cmocka_unit_test(a_tenant_cannot_write_rows_of_another),
        cmocka_unit_test(making_partitions_again_makes_none),
        cmocka_unit_test(only_old_partitions_are_dropped),
        cmocka_unit_test(listing_messages_reads_few_partitions_and_never_sorts),
        cmocka_unit_test(an_owner_who_is_no_superuser_can_migrate),
    };

    test_env("POSTHORN_TEST_DATABASE");
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
