#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db_caller.h"

/* Values */

static void check_scalars(struct call *call, PGresult *res)
{
    (void)call;
    static const uint8_t id[16] = {0x01, 0x91, 0xff, 0, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255};

    assert_memory_equal(ph_db_id(res, 0, 0).b, id, 16);
    assert_int_equal(ph_db_int(res, 0, 1), INT16_MIN);
    assert_int_equal(ph_db_int(res, 0, 2), INT32_MIN);
    assert_true(ph_db_int(res, 0, 3) == INT64_MIN);
    assert_true(ph_db_bool(res, 0, 4));
    assert_true(ph_db_time(res, 0, 5) == INT64_C(1795512600250));
    assert_true(ph_str_eq_c(ph_db_str(res, 0, 6), "gr\xc3\xbc\xc3\x9f"));
    assert_true(ph_str_eq(ph_db_str(res, 0, 7), (struct ph_str){"a\0b", 3}));
    assert_true(ph_str_eq_c(ph_db_str(res, 0, 8), "2026-11-24 09:30:00.25+00"));
    assert_true(ph_db_time(res, 0, 9) == INT64_MIN);
    assert_true(ph_db_time(res, 0, 10) == INT64_MAX);
    assert_true(ph_db_time(res, 0, 11) == -1); /* half a millisecond before 1970 rounds down */
    assert_int_equal(ph_db_str(res, 0, 12).len, 0);
    assert_non_null(ph_db_str(res, 0, 12).ptr);
    assert_true(ph_str_eq_c(ph_db_str(res, 0, 13), "{\"a\": 1}"));
}

static void scalars_go_there_and_back(void **state)
{
    static const struct ph_stmt stmt = {
        "scalars", "SELECT $1::uuid, $2::smallint, $3::integer, $4::bigint, $5::boolean, "
                   "$6::timestamptz, $7::text, $8::bytea,"
                   " $6::timestamptz::text, $9::timestamptz, $10::timestamptz, '1969-12-31 "
                   "23:59:59.9995Z'::timestamptz,"
                   " $11::text, $12::json"};
    struct ph_db *db = open_db(PH_DB_OWNER, 1);
    struct call *call = call_new(&stmt);
    (void)state;

    ph_db_add_id(&call->req,
                 (struct ph_id){{0x01, 0x91, 0xff, 0, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255}});
    ph_db_add_i16(&call->req, INT16_MIN);
    ph_db_add_i32(&call->req, INT32_MIN);
    ph_db_add_i64(&call->req, INT64_MIN);
    ph_db_add_bool(&call->req, true);
    ph_db_add_time(&call->req, INT64_C(1795512600250));
    ph_db_add_str(&call->req, PH_STR("gr\xc3\xbc\xc3\x9f"));
    ph_db_add_ref(&call->req, (struct ph_str){"a\0b", 3});
    ph_db_add_time(&call->req, INT64_MIN);
    ph_db_add_time(&call->req, INT64_MAX);
    ph_db_add_str(&call->req, PH_STR(""));
    ph_db_add_str(&call->req, PH_STR("{\"a\": 1}"));
    call->check = check_scalars;
    assert_int_equal(ask(db, call), PH_OK);
    call_free(call);
    close_db(db);
}

static void check_nulls(struct call *call, PGresult *res)
{
    struct ph_str *v;

    for (int col = 0; col < PQnfields(res); col++)
        assert_true(ph_db_is_null(res, 0, col));
    assert_true(ph_id_is_zero(ph_db_id(res, 0, 0)));
    assert_int_equal(ph_db_int(res, 0, 1), 0);
    assert_false(ph_db_bool(res, 0, 2));
    assert_int_equal(ph_db_time(res, 0, 3), 0);
    assert_null(ph_db_str(res, 0, 4).ptr);
    assert_int_equal(ph_db_str_array(call->arena, res, 0, 5, &v), 0);
    assert_null(v);
}

static void nulls_go_there_and_back(void **state)
{
    static const struct ph_stmt stmt = {"nulls",
                                        "SELECT $1::uuid, $2::bigint, $3::boolean, "
                                        "$4::timestamptz, $5::text, $6::text[], $7::bytea"};
    struct ph_db *db = open_db(PH_DB_OWNER, 1);
    struct call *call = call_new(&stmt);
    (void)state;

    for (int i = 0; i < 4; i++)
        ph_db_add_null(&call->req);
    ph_db_add_str(&call->req, PH_STR_NONE);
    ph_db_add_str_array(&call->req, NULL, 0);
    ph_db_add_ref(&call->req, PH_STR_NONE);
    call->check = check_nulls;
    assert_int_equal(ask(db, call), PH_OK);
    call_free(call);
    close_db(db);
}

/* Rows of the array test: every third value of a column is NULL, at another place in each column. */
#define ROWS 300

static bool null_at(int row, int col)
{
    return (row + col) % 3 == 0;
}

static struct ph_id id_at(int row)
{
    struct ph_id id = {{0}};

    memset(id.b, row, sizeof(id.b));
    return id;
}

static void check_arrays(struct call *call, PGresult *res)
{
    char text[16];
    (void)call;

    assert_int_equal(PQntuples(res), ROWS);
    for (int row = 0; row < ROWS; row++) {
        for (int col = 0; col < 8; col++)
            assert_int_equal(ph_db_is_null(res, row, col), null_at(row, col));
        if (!null_at(row, 0))
            assert_true(ph_id_eq(ph_db_id(res, row, 0), id_at(row)));
        if (!null_at(row, 1))
            assert_int_equal(ph_db_int(res, row, 1), row - 100);
        if (!null_at(row, 2))
            assert_int_equal(ph_db_int(res, row, 2), row * 1000000);
        if (!null_at(row, 3))
            assert_true(ph_db_int(res, row, 3) == row * INT64_C(-10000000000));
        if (!null_at(row, 4))
            assert_int_equal(ph_db_bool(res, row, 4), row % 2 == 0);
        if (!null_at(row, 5))
            assert_true(ph_db_time(res, row, 5) == INT64_C(1795512600250) + row);
        int len = snprintf(text, sizeof(text), "%.*s", row % 5, "abcd");
        if (!null_at(row, 6))
            assert_true(ph_str_eq(ph_db_str(res, row, 6), (struct ph_str){text, (size_t)len}));
        if (!null_at(row, 7))
            assert_true(ph_str_eq(ph_db_str(res, row, 7), (struct ph_str){"\0\1\2", 3}));
    }
}

static void fill_arrays(struct ph_db_array a[8])
{
    for (int row = 0; row < ROWS; row++) {
        for (int col = 0; col < 8; col++)
            if (null_at(row, col))
                ph_db_array_null(&a[col]);
        if (!null_at(row, 0))
            ph_db_array_id(&a[0], id_at(row));
        if (!null_at(row, 1))
            ph_db_array_i16(&a[1], (int16_t)(row - 100));
        if (!null_at(row, 2))
            ph_db_array_i32(&a[2], row * 1000000);
        if (!null_at(row, 3))
            ph_db_array_i64(&a[3], row * INT64_C(-10000000000));
        if (!null_at(row, 4))
            ph_db_array_bool(&a[4], row % 2 == 0);
        if (!null_at(row, 5))
            ph_db_array_time(&a[5], INT64_C(1795512600250) + row);
        if (!null_at(row, 6))
            ph_db_array_str(&a[6], (struct ph_str){"abcd", (size_t)row % 5});
        if (!null_at(row, 7))
            ph_db_array_str(&a[7], (struct ph_str){"\0\1\2", 3});
    }
}

static void check_no_rows(struct call *call, PGresult *res)
{
    (void)call;
    assert_int_equal(PQntuples(res), 0);
}

static void arrays_go_through_unnest(void **state)
{
    static const struct ph_stmt stmt = {"arrays",
                                        "SELECT * FROM unnest($1::uuid[], $2::smallint[], "
                                        "$3::integer[], $4::bigint[], $5::boolean[],"
                                        " $6::timestamptz[], $7::text[], $8::bytea[])"};
    struct ph_db *db = open_db(PH_DB_OWNER, 1);
    struct ph_db_array a[8];
    (void)state;

    for (int i = 0; i < 8; i++)
        ph_db_array_init(&a[i], (enum ph_db_array_of)i, 100000);
    /* Twice, and once empty, with the same arrays: clearing must leave nothing behind. */
    for (int round = 0; round < 3; round++) {
        struct call *call = call_new(&stmt);
        if (round != 1)
            fill_arrays(a);
        for (int i = 0; i < 8; i++)
            ph_db_add_array(&call->req, &a[i]);
        call->check = round == 1 ? check_no_rows : check_arrays;
        assert_int_equal(ask(db, call), PH_OK);
        call_free(call);
        for (int i = 0; i < 8; i++)
            ph_db_array_clear(&a[i]);
    }
    for (int i = 0; i < 8; i++)
        ph_db_array_free(&a[i]);
    close_db(db);
}

static void a_full_array_says_so_and_holds_whole_elements(void **state)
{
    struct ph_db_array a;
    (void)state;

    ph_db_array_init(&a, PH_DB_TEXTS, 30);
    ph_db_array_str(&a, PH_STR("0123456789"));
    assert_false(a.buf.overflow);
    ph_db_array_str(&a, PH_STR("0123456789abcdef"));
    assert_true(a.buf.overflow);
    assert_int_equal(a.n, 1);
    ph_db_array_clear(&a);
    assert_false(a.buf.overflow);
    assert_int_equal(a.n, 0);
    ph_db_array_free(&a);
}

static void check_text_arrays(struct call *call, PGresult *res)
{
    struct ph_str *v;

    assert_int_equal(ph_db_str_array(call->arena, res, 0, 0, &v), 3);
    assert_true(ph_str_eq_c(v[0], "a"));
    assert_null(v[1].ptr);
    assert_non_null(v[2].ptr);
    assert_int_equal(v[2].len, 0);
    assert_int_equal(ph_db_str_array(call->arena, res, 0, 1, &v), 0);
    assert_non_null(v);
    assert_int_equal(ph_db_int(res, 0, 2), 0);
}

static void text_arrays_go_there_and_back(void **state)
{
    static const struct ph_stmt stmt = {"text_arrays",
                                        "SELECT $1::text[], $2::text[], cardinality($2::text[])"};
    const struct ph_str v[] = {PH_STR("a"), PH_STR_NONE, PH_STR("")};
    struct ph_db *db = open_db(PH_DB_OWNER, 1);
    struct call *call = call_new(&stmt);
    (void)state;

    ph_db_add_str_array(&call->req, v, 3);
    ph_db_add_str_array(&call->req, v, 0);
    call->check = check_text_arrays;
    assert_int_equal(ask(db, call), PH_OK);
    call_free(call);
    close_db(db);
}

static void check_big(struct call *call, PGresult *res)
{
    struct ph_str s = ph_db_str(res, 0, 0);

    call->number = (int64_t)s.len;
    assert_int_equal(s.ptr[0], 'x');
    assert_int_equal(s.ptr[s.len - 1], 'x');
}

/* Far more than a socket holds: both directions have to wait for each other. */
static void big_values_pass_in_both_directions_at_once(void **state)
{
    static const struct ph_stmt stmt = {"big", "SELECT $1::bytea"};
    struct ph_db *db = open_db(PH_DB_OWNER, 1);
    size_t len = 4 * 1000 * 1000;
    char *bytes = ph_malloc(len);
    struct call *calls[8];
    (void)state;

    memset(bytes, 'x', len);
    for (int i = 0; i < 8; i++) {
        calls[i] = call_new(&stmt);
        ph_db_add_ref(&calls[i]->req, (struct ph_str){bytes, len});
        calls[i]->check = check_big;
        ph_db_send(db, &calls[i]->req);
    }
    for (int i = 0; i < 8; i++) {
        wait_for(calls[i]);
        assert_int_equal(calls[i]->err, PH_OK);
        assert_int_equal(calls[i]->number, len);
        call_free(calls[i]);
    }
    free(bytes);
    close_db(db);
}

/* Session and tenant */

static void sessions_are_set_up_for_their_role(void **state)
{
    static const struct ph_stmt stmt = {
        "settings", "SELECT concat_ws(',', current_user, current_setting('search_path'), "
                    "current_setting('timezone'),"
                    " current_setting('jit'), current_setting('statement_timeout'), "
                    "current_setting('enable_seqscan'),"
                    " current_setting('plan_cache_mode'))"};
    static const char *const want[] = {
        [PH_DB_API] = "posthorn_api,posthorn, pg_catalog,UTC,off,30s,off,force_generic_plan",
        [PH_DB_ENGINE] = "posthorn_engine,posthorn, pg_catalog,UTC,off,30s,off,force_generic_plan",
        [PH_DB_OWNER] = "posthorn,posthorn, pg_catalog,UTC,off,30s,on,auto",
    };
    (void)state;

    for (int role = PH_DB_API; role <= PH_DB_OWNER; role++) {
        struct ph_db *db = open_db((enum ph_db_role)role, 1);
        struct call *call = call_new(&stmt);
        assert_int_equal(ask(db, call), PH_OK);
        assert_string_equal(call->text, want[role]);
        call_free(call);
        close_db(db);
    }
}

/* The applications of one tenant each; statements of two tenants and of none alternate on one connection, all under way
 * at once: each must see its own, and the setting must end with its transaction. */
static void a_tenant_reaches_its_statement_and_nothing_after_it(void **state)
{
    static const struct ph_stmt stmt = {"tenant",
                                        "SELECT coalesce(current_tenant()::text, 'none') || ' ' || "
                                        "coalesce(string_agg(name, ','), '') FROM applications"};
    const struct ph_id a = {{1}}, b = {{2}};
    struct ph_db *db = open_db(PH_DB_API, 1);
    struct call *calls[60];
    (void)state;

    test_exec(admin, "INSERT INTO posthorn.tenants (id, name) VALUES "
                     "('01000000-0000-0000-0000-000000000000', 'a'),"
                     " ('02000000-0000-0000-0000-000000000000', 'b')");
    test_exec(
        admin,
        "INSERT INTO posthorn.applications (id, tenant_id, name) SELECT gen_random_uuid(), id, name"
        " FROM posthorn.tenants");
    for (int i = 0; i < 60; i++) {
        calls[i] = call_new(&stmt);
        if (i % 3 != 2)
            ph_db_req_tenant(&calls[i]->req, i % 3 == 0 ? a : b);
        ph_db_send(db, &calls[i]->req);
    }
    for (int i = 0; i < 60; i++) {
        static const char *const want[] = {"01000000-0000-0000-0000-000000000000 a",
                                           "02000000-0000-0000-0000-000000000000 b", "none "};
        wait_for(calls[i]);
        assert_int_equal(calls[i]->err, PH_OK);
        assert_string_equal(calls[i]->text, want[i % 3]);
        assert_int_equal(calls[i]->order - calls[0]->order, i);
    }
    for (int i = 0; i < 60; i++)
        call_free(calls[i]);
    close_db(db);
}

/* Errors */

static void a_unique_violation_names_its_constraint(void **state)
{
    struct ph_db *db = open_db(PH_DB_OWNER, 1);
    struct call *calls[3];
    (void)state;

    test_exec(admin, "DROP TABLE IF EXISTS posthorn.things; CREATE TABLE posthorn.things (id "
                     "integer CONSTRAINT things_one UNIQUE)");
    for (int i = 0; i < 3; i++) {
        calls[i] = insert_call(&insert_thing, i < 2 ? 1 : 2);
        ph_db_send(db, &calls[i]->req);
    }
    for (int i = 0; i < 3; i++)
        wait_for(calls[i]);
    assert_int_equal(calls[0]->err, PH_OK);
    assert_int_equal(calls[1]->err, PH_ERR_CONFLICT);
    assert_string_equal(calls[1]->constraint, "things_one");
    assert_int_equal(calls[2]->err, PH_OK); /* a neighbour in the pipeline is another transaction */
    assert_int_equal(test_number(admin, "SELECT count(*) FROM posthorn.things"), 2);
    for (int i = 0; i < 3; i++)
        call_free(calls[i]);
    close_db(db);
}

/* Its statement succeeds and only the commit fails: an answer before the sync's would be a lie. */
static void a_failing_commit_is_not_a_success(void **state)
{
    struct ph_db *db = open_db(PH_DB_OWNER, 1);
    struct call *calls[3];
    (void)state;

    test_exec(admin, "DROP TABLE IF EXISTS posthorn.things; CREATE TABLE posthorn.things"
                     " (id integer CONSTRAINT things_late UNIQUE DEFERRABLE INITIALLY DEFERRED)");
    for (int i = 0; i < 3; i++) {
        calls[i] = insert_call(&insert_thing, i < 2 ? 1 : 2);
        ph_db_send(db, &calls[i]->req);
    }
    for (int i = 0; i < 3; i++)
        wait_for(calls[i]);
    assert_int_equal(calls[0]->err, PH_OK);
    assert_int_equal(calls[1]->err, PH_ERR_CONFLICT);
    assert_string_equal(calls[1]->constraint, "things_late");
    assert_int_equal(calls[2]->err, PH_OK);
    assert_int_equal(test_number(admin, "SELECT count(*) FROM posthorn.things"), 2);
    for (int i = 0; i < 3; i++)
        call_free(calls[i]);
    close_db(db);
}

static void errors_are_told_apart_by_sqlstate(void **state)
{
    static const struct ph_stmt stmt = {"raise", "SELECT raise_state($1::text)"};
    static const struct {
        const char *sqlstate;
        enum ph_err err;
    } rows[] = {
        {"40001", PH_ERR_DB_RETRY},  {"40P01", PH_ERR_DB_RETRY}, {"57P01", PH_ERR_DB_LOST},
        {"57P03", PH_ERR_DB_LOST},   {"08006", PH_ERR_DB_LOST},  {"22012", PH_ERR_DB_FAILED},
        {"57014", PH_ERR_DB_FAILED},
    };
    struct ph_db *db = open_db(PH_DB_OWNER, 1);
    (void)state;

    test_exec(admin, "CREATE OR REPLACE FUNCTION posthorn.raise_state(s text) RETURNS integer "
                     "LANGUAGE plpgsql AS"
                     " $$ BEGIN RAISE EXCEPTION 'as asked' USING ERRCODE = s; END $$");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct call *call = call_new(&stmt);
        ph_db_add_str(&call->req, ph_str_of(rows[i].sqlstate));
        assert_int_equal(ask(db, call), rows[i].err);
        call_free(call);
        assert_int_equal(ask_plain(db, &one, NULL), PH_OK);
    }
    close_db(db);
}

static void a_failed_prepare_is_tried_again(void **state)
{
    static const struct ph_stmt stmt = {"later", "SELECT n FROM made_later"};
    struct ph_db *db = open_db(PH_DB_OWNER, 1);
    struct call *calls[2];
    int64_t n;
    (void)state;

    test_exec(admin, "DROP TABLE IF EXISTS posthorn.made_later");
    assert_int_equal(ask_plain(db, &stmt, NULL), PH_ERR_DB_FAILED);
    /* The second relies on the first's prepare; it was surely not executed. */
    for (int i = 0; i < 2; i++) {
        calls[i] = call_new(&stmt);
        ph_db_send(db, &calls[i]->req);
    }
    for (int i = 0; i < 2; i++)
        wait_for(calls[i]);
    assert_int_equal(calls[0]->err, PH_ERR_DB_FAILED);
    assert_int_equal(calls[1]->err, PH_ERR_DB_RETRY);
    call_free(calls[0]);
    call_free(calls[1]);
    test_exec(admin, "CREATE TABLE posthorn.made_later AS SELECT 7 AS n");
    assert_int_equal(ask_plain(db, &stmt, &n), PH_OK);
    assert_int_equal(n, 7);
    close_db(db);
}

static void a_changed_column_is_prepared_anew(void **state)
{
    static const struct ph_stmt stmt = {"changing", "SELECT n FROM changing"};
    struct ph_db *db = open_db(PH_DB_OWNER, 1);
    int64_t n;
    (void)state;

    test_exec(
        admin,
        "DROP TABLE IF EXISTS posthorn.changing; CREATE TABLE posthorn.changing AS SELECT 7 AS n");
    assert_int_equal(ask_plain(db, &stmt, &n), PH_OK);
    test_exec(admin, "ALTER TABLE posthorn.changing ALTER COLUMN n TYPE bigint");
    assert_int_equal(ask_plain(db, &stmt, &n), PH_ERR_DB_RETRY);
    assert_int_equal(ask_plain(db, &stmt, &n), PH_OK);
    assert_int_equal(n, 7);
    close_db(db);
}

static void many_statements_stay_prepared(void **state)
{
    static struct ph_stmt stmts[200];
    static char sql[200][32];
    struct ph_db *db = open_db(PH_DB_OWNER, 1);
    static const struct ph_stmt count = {
        "count", "SELECT count(*) FROM pg_prepared_statements WHERE NOT from_sql"};
    int64_t n;
    (void)state;

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 200; i++) {
            snprintf(sql[i], sizeof(sql[i]), "SELECT %d", i);
            stmts[i] = (struct ph_stmt){"numbered", sql[i]};
            assert_int_equal(ask_plain(db, &stmts[i], &n), PH_OK);
            assert_int_equal(n, i);
        }
    }
    assert_int_equal(ask_plain(db, &count, &n), PH_OK);
    assert_int_equal(n, 201);
    close_db(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(scalars_go_there_and_back),
        TEST(nulls_go_there_and_back),
        TEST(arrays_go_through_unnest),
        TEST(a_full_array_says_so_and_holds_whole_elements),
        TEST(text_arrays_go_there_and_back),
        TEST(big_values_pass_in_both_directions_at_once),
        TEST(sessions_are_set_up_for_their_role),
        TEST(a_tenant_reaches_its_statement_and_nothing_after_it),
        TEST(a_unique_violation_names_its_constraint),
        TEST(a_failing_commit_is_not_a_success),
        TEST(errors_are_told_apart_by_sqlstate),
        TEST(a_failed_prepare_is_tried_again),
        TEST(a_changed_column_is_prepared_anew),
        TEST(many_statements_stay_prepared),
    };

    test_env("POSTHORN_TEST_DATABASE");
    test_env("POSTHORN_TEST_CLUSTER");
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
