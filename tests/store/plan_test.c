#include "sql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

/* What EXPLAIN says of the statement as the engine's connections plan it. The caller frees. */
static char *plan_of(const struct ph_stmt *stmt)
{
    struct ph_buf text;
    PGresult *res = PQprepare(hand, stmt->name, stmt->sql, 0, NULL);
    long n;

    if (PQresultStatus(res) != PGRES_COMMAND_OK)
        fail_msg("%s: %s", stmt->name, PQerrorMessage(hand));
    PQclear(res);
    ph_buf_init(&text, 1 << 20);
    ph_buf_printf(&text,
                  "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = "
                  "'%s'",
                  stmt->name);
    ph_buf_add_char(&text, '\0');
    n = test_number(hand, text.ptr);
    ph_buf_clear(&text);
    ph_buf_printf(&text, "EXPLAIN (COSTS OFF) EXECUTE %s", stmt->name);
    for (long i = 0; i < n; i++)
        ph_buf_add_c(&text, i ? ", NULL" : "(NULL");
    ph_buf_add_c(&text, n ? ")" : "");
    ph_buf_add_char(&text, '\0');
    res = test_query(hand, text.ptr);
    ph_buf_clear(&text);
    for (int row = 0; row < PQntuples(res); row++)
        ph_buf_printf(&text, "%s\n", PQgetvalue(res, row, 0));
    ph_buf_add_char(&text, '\0');
    PQclear(res);
    return text.ptr;
}

/* The tables are empty: whatever their size, such a plan would be no other. */
static void statements_of_every_delivery_never_read_a_whole_table(void **state)
{
    static const struct ph_stmt *const statements[] = {
        &ph_sql_claim_due,
        &ph_sql_messages_store_plain,
        &ph_sql_messages_store_waiting,
        &ph_sql_endpoint_messages_closed_down,
        &ph_sql_deliveries_cancel,
        &ph_sql_outcomes_store,
        &ph_sql_outcomes_store_plain,
        &ph_sql_schedule_room,
        &ph_sql_schedule_release,
        &ph_sql_endpoint_disable,
        &ph_sql_payloads_clear,
        &ph_sql_messages_store_keyed,
        &ph_sql_messages_store_keyed_waiting,
        &ph_sql_messages_match,
        &ph_sql_unmatched_take,
        &ph_sql_instance_queue,
    };
    static const char *const tables[] = {
        "deliveries",         "endpoint_schedule", "endpoints",    "messages",
        "delivery_stats",     "idempotency_keys",  "message_uids", "applications",
        "unmatched_messages", "closed_deliveries"};
    (void)state;

    test_exec(hand, "SET ROLE posthorn_engine; SET enable_seqscan = off; "
                    "SET enable_hashjoin = off; SET enable_mergejoin = off; "
                    "SET plan_cache_mode = force_generic_plan; SET search_path = posthorn, "
                    "pg_catalog; SET jit = off");
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        char *plan = plan_of(statements[i]), scan[64];
        assert_non_null(strstr(plan, "Index"));
        for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
            snprintf(scan, sizeof scan, "Seq Scan on %s", tables[t]);
            if (strstr(plan, scan))
                fail_msg("%s: %s", statements[i]->name, plan);
        }
        free(plan);
    }
    test_exec(hand, "RESET ROLE");
}

static int set_up(void **state)
{
    (void)state;
    return set_up_database("posthorn_plan_test");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(statements_of_every_delivery_never_read_a_whole_table),
    };

    test_env("POSTHORN_TEST_DATABASE");
    return cmocka_run_group_tests(tests, set_up, tear_down_database);
}
