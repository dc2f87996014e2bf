/* What filter_takes says in the database, held against what the server says. */
#include "posthorn/filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/database.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static PGconn *pg;

static const char payload[] =
    "{\"n\":100,\"d\":19.990,\"big\":9007199254740993,\"neg\":-0.5,\"e\":1.5E3,\"s\":\"b\","
    "\"u\":\"gr\\u00fcn \\\"\\ud83d\\ude00\",\"nul\":null,\"t\":true,\"f\":false,\"empty\":\"\","
    "\"list\":[1,\"b\",null,{\"x\":2},[3]],\"o\":{\"x\":{\"y\":\"B\"},\"a.b\":1},"
    "\"twice\":{\"x\":1},\"twice\":{\"y\":\"b\"},\"none\":[]}";

static const char *const paths[] = {
    "\"n\"",
    "\"d\"",
    "\"big\"",
    "\"neg\"",
    "\"e\"",
    "\"s\"",
    "\"u\"",
    "\"nul\"",
    "\"t\"",
    "\"f\"",
    "\"empty\"",
    "\"list\"",
    "\"list[0]\"",
    "\"list[3].x\"",
    "\"list[4][0]\"",
    "\"list[5]\"",
    "\"o.x.y\"",
    "\"o.x\"",
    "[\"o\",\"a.b\"]",
    "\"twice.x\"",
    "\"twice.y\"",
    "\"none\"",
    "\"gone\"",
    "[\"list\",1]",
    "\"s.x\"",
    "\"none[0]\"",
    "\"list.1\"",
    "\"o[0]\"",
    "[\"list\",3,\"x\"]",
};
static const char *const ops[] = {"eq",  "ne", "lt",     "lte",    "gt",
                                  "gte", "in", "exists", "prefix", "contains"};
static const char *const values[] = {
    "100",
    "1e2",
    "19.99",
    "9007199254740992",
    "9007199254740993.0",
    "-0.50",
    "1500",
    "\"b\"",
    "\"B\"",
    "\"gr\xc3\xbcn \"",
    "null",
    "true",
    "false",
    "\"\"",
    "\"\\\"\\ud83d\"",
    "2",
    "3",
    "[]",
    "[null,1,\"b\"]",
    "[100.0,false,1.5e3]",
    "\"a\"",
    "\"list\"",
};

static bool in_database(const char *filter, const char *json)
{
    const char *const params[] = {filter, json};
    PGresult *res = PQexecParams(pg, "SELECT filter_takes($1::json, convert_to($2::text, 'UTF8'))",
                                 2, NULL, params, NULL, NULL, 0);
    bool takes;

    if (PQresultStatus(res) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", filter, PQerrorMessage(pg));
    takes = *PQgetvalue(res, 0, 0) == 't';
    PQclear(res);
    return takes;
}

/* False: it is no filter. */
static bool compare(const char *filter, const char *json)
{
    struct ph_arena *arena = ph_arena_new();
    struct ph_filters *filters = ph_filters_new(arena);
    struct ph_filter_fault fault;
    struct ph_filter *made;
    bool is_filter = ph_filters_add(filters, ph_str_of(filter), &made, &fault) == PH_OK;

    if (is_filter) {
        bool takes = ph_filter_matches(made, ph_filters_read(filters, arena, ph_str_of(json)));
        if (in_database(filter, json) != takes)
            fail_msg("%s of %s: the server says %s", filter, json, takes ? "yes" : "no");
    }
    ph_arena_free(arena);
    return is_filter;
}

static void conditions_mean_the_same_in_the_database(void **state)
{
    char filter[256];
    int n = 0;
    (void)state;

    for (size_t p = 0; p < COUNT_OF(paths); p++)
        for (size_t o = 0; o < COUNT_OF(ops); o++)
            for (size_t v = 0; v < COUNT_OF(values); v++) {
                snprintf(filter, sizeof filter, "{\"path\":%s,\"op\":\"%s\",\"value\":%s}",
                         paths[p], ops[o], values[v]);
                n += compare(filter, payload);
            }
    assert_true(n > 3000);
}

static void filters_of_filters_mean_the_same_in_the_database(void **state)
{
    static const char *const parts[] = {
        "{\"path\":\"t\",\"op\":\"exists\"}",
        "{\"path\":\"gone\",\"op\":\"exists\"}",
        "{\"not\":{\"path\":\"n\",\"op\":\"lt\",\"value\":5}}",
        "{\"any\":[{\"path\":\"gone\",\"op\":\"eq\",\"value\":1},{\"path\":\"n\",\"op\":\"gt\","
        "\"value\":\"x\"}]}",
    };
    char filter[1024];
    (void)state;

    for (size_t i = 0; i < COUNT_OF(parts); i++)
        for (size_t j = 0; j < COUNT_OF(parts); j++) {
            const char *a = parts[i], *b = parts[j];
            snprintf(filter, sizeof filter, "{\"all\":[%s,%s]}", a, b);
            assert_true(compare(filter, payload));
            snprintf(filter, sizeof filter, "{\"any\":[%s,%s]}", a, b);
            assert_true(compare(filter, payload));
            snprintf(filter, sizeof filter, "{\"not\":{\"all\":[%s,%s]}}", a, b);
            assert_true(compare(filter, payload));
            snprintf(filter, sizeof filter, "{\"any\":[{\"not\":%s},{\"all\":[%s]}]}", a, b);
            assert_true(compare(filter, payload));
        }
}

static void what_the_database_cannot_hold_is_taken_by_no_filter(void **state)
{
    (void)state;

    assert_false(
        in_database("{\"path\":\"a\",\"op\":\"exists\"}", "{\"b\\u0000\":1,\"a\":\"\\u0000\""));
    assert_false(in_database("{\"path\":\"a\",\"op\":\"lt\",\"value\":1}", "{\"a\":-1e1000000}"));
    assert_int_equal(
        test_number(
            pg, "SELECT (filter_takes('{\"path\":\"a\",\"op\":\"ne\",\"value\":1}', NULL))::int"),
        0);
}

static int set_up(void **state)
{
    char conninfo[512];
    (void)state;

    test_database("posthorn_filter_test", conninfo);
    pg = test_connect(conninfo);
    test_exec(pg, "SET search_path = posthorn");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    PQfinish(pg);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_mean_the_same_in_the_database),
        cmocka_unit_test(filters_of_filters_mean_the_same_in_the_database),
        cmocka_unit_test(what_the_database_cannot_hold_is_taken_by_no_filter),
    };

    test_env("POSTHORN_TEST_DATABASE");
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
