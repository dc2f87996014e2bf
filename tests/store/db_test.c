#include "posthorn/clock.h"
#include "posthorn/db.h"
#include "posthorn/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/database.h"

#include <arpa/inet.h>
#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

extern char **environ;

static char database[512];
static PGconn *admin;        /* superuser's own connection, for what happens beside the module */
static struct ph_loop *loop; /* one a test */
static int n_open;

/* A request and what came of it. */
struct call {
    struct ph_db_req req;
    struct ph_arena *arena;
    int done;
    enum ph_err err;
    int64_t number; /* first column of the first row when it is a number */
    char text[128]; /* or when it is text */
    char constraint[64];
    int order; /* how many calls had ended before */
    void (*check)(struct call *call, PGresult *res);
    void (*then)(struct call *call);
    struct ph_db *db;
};

static int ended;

static void call_done(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct call *call = ph_container_of(req, struct call, req);

    call->done++;
    call->err = err;
    call->order = ended++;
    assert_true((res != NULL) == (err == PH_OK));
    if (req->constraint != NULL)
        snprintf(call->constraint, sizeof(call->constraint), "%s", req->constraint);
    if (res != NULL && call->check != NULL)
        call->check(call, res);
    else if (res != NULL && PQntuples(res) > 0 && PQftype(res, 0) == 25)
        snprintf(call->text, sizeof(call->text), "%.*s", (int)ph_db_str(res, 0, 0).len,
                 PQgetvalue(res, 0, 0));
    else if (res != NULL && PQntuples(res) > 0 && PQftype(res, 0) != 2278 &&
             PQgetlength(res, 0, 0) > 0)
        call->number = ph_db_int(res, 0, 0);
    if (call->then != NULL)
        call->then(call);
}

static struct call *call_new(const struct ph_stmt *stmt)
{
    struct call *call = ph_calloc(1, sizeof(*call));

    call->arena = ph_arena_new();
    ph_db_req_init(&call->req, stmt, call->arena, call_done);
    return call;
}

static void call_free(struct call *call)
{
    ph_arena_free(call->arena);
    free(call);
}

static void wait_for(struct call *call)
{
    uint64_t end_ms = ph_clock_mono_ms() + 20000;

    while (call->done == 0) {
        if (ph_clock_mono_ms() > end_ms)
            fail_msg("%s: no answer after 20 s", call->req.stmt->name);
        ph_loop_step(loop, 100);
    }
    assert_int_equal(call->done, 1);
}

static enum ph_err ask(struct ph_db *db, struct call *call)
{
    ph_db_send(db, &call->req);
    assert_int_equal(call->done, 0);
    wait_for(call);
    return call->err;
}

/* Sends a statement without parameters and forgets it. */
static enum ph_err ask_plain(struct ph_db *db, const struct ph_stmt *stmt, int64_t *number)
{
    struct call *call = call_new(stmt);
    enum ph_err err = ask(db, call);

    if (number != NULL)
        *number = call->number;
    call_free(call);
    return err;
}

static struct ph_db *new_db(const struct ph_db_options *options)
{
    n_open++;
    return ph_db_new(loop, options);
}

static struct ph_db *open_db(enum ph_db_role role, int connections)
{
    struct ph_db_options options = {.conninfo = database,
                                    .role = role,
                                    .connections = connections,
                                    .max_waiting = 5000,
                                    .name = "posthorn test"};

    return new_db(&options);
}

static void close_db(struct ph_db *db)
{
    n_open--;
    ph_db_free(db);
    ph_loop_step(loop, 0); /* what was still deferred */
}

static void step_until(bool (*reached)(void *), void *ctx, const char *what)
{
    uint64_t end_ms = ph_clock_mono_ms() + 20000;

    while (!reached(ctx)) {
        if (ph_clock_mono_ms() > end_ms)
            fail_msg("not after 20 s: %s", what);
        ph_loop_step(loop, 20);
    }
}

static bool is_ready(void *db)
{
    return ph_db_ready(db);
}

static bool is_not_ready(void *db)
{
    return !ph_db_ready(db);
}

/* Crashes the server and starts it again while the loop goes on. */
static void restart_server(void)
{
    const char *argv[] = {"tests/lib/postgres", "restart", test_env("POSTHORN_TEST_CLUSTER"), NULL};
    pid_t pid, ended_pid;
    int status;

    assert_int_equal(posix_spawn(&pid, argv[0], NULL, NULL, (char *const *)argv, environ), 0);
    while ((ended_pid = waitpid(pid, &status, WNOHANG)) == 0)
        ph_loop_step(loop, 5);
    assert_int_equal(ended_pid, pid);
    assert_int_equal(status, 0);
    PQfinish(admin);
    admin = test_connect(database);
}

static const struct ph_stmt one = {"one", "SELECT 1"};

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

static const struct ph_stmt insert_thing = {"insert_thing",
                                            "INSERT INTO things (id) VALUES ($1) RETURNING id"};

static struct call *insert_call(const struct ph_stmt *stmt, int32_t id)
{
    struct call *call = call_new(stmt);

    ph_db_add_i32(&call->req, id);
    return call;
}

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

/* Loss */

static int n_connects, n_disconnects;

static void count_connect(struct ph_db *db, void *ctx)
{
    (void)db;
    (void)ctx;
    n_connects++;
}

static void count_disconnect(struct ph_db *db, void *ctx)
{
    (void)db;
    (void)ctx;
    n_disconnects++;
}

static void kill_backends(void)
{
    test_exec(admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                     "application_name = 'posthorn test'");
}

static bool sleeps(void *unused)
{
    (void)unused;
    return test_number(admin, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE "
                              "'%pg_sleep(20)' AND state = 'active'"
                              " AND application_name = 'posthorn test'") > 0;
}

static void a_killed_backend_loses_its_requests_and_comes_back(void **state)
{
    static const struct ph_stmt sleep_long = {"sleep_long", "SELECT 1 FROM pg_sleep(20)"};
    struct ph_db_options options = {.conninfo = database,
                                    .role = PH_DB_OWNER,
                                    .connections = 1,
                                    .max_waiting = 100,
                                    .name = "posthorn test",
                                    .on_connect = count_connect,
                                    .on_disconnect = count_disconnect};
    int64_t before = ph_metric_get(db_connections), reconnects = ph_metric_get(db_reconnects);
    (void)state;

    n_connects = n_disconnects = 0;
    struct ph_db *db = new_db(&options);
    assert_int_equal(ask_plain(db, &one, NULL), PH_OK);
    assert_int_equal(ph_metric_get(db_connections), before + 1);
    struct call *slow = call_new(&sleep_long), *behind = call_new(&one);
    ph_db_send(db, &slow->req);
    ph_db_send(db, &behind->req);
    step_until(sleeps, NULL, "the statement runs");
    kill_backends();
    wait_for(slow);
    wait_for(behind);
    assert_int_equal(slow->err, PH_ERR_DB_LOST);
    assert_int_equal(behind->err, PH_ERR_DB_LOST);
    assert_false(ph_db_ready(db));
    assert_int_equal(n_disconnects, 1);
    assert_int_equal(ph_metric_get(db_connections), before);

    assert_int_equal(ask_plain(db, &one, NULL), PH_OK);
    assert_int_equal(n_connects, 2);
    assert_int_equal(ph_metric_get(db_connections), before + 1);
    assert_int_equal(ph_metric_get(db_reconnects), reconnects + 1);
    call_free(slow);
    call_free(behind);

    kill_backends(); /* with nothing under way */
    step_until(is_not_ready, db, "the loss is seen");
    assert_int_equal(ask_plain(db, &one, NULL), PH_OK);
    close_db(db);
    assert_int_equal(ph_metric_get(db_connections), before);
}

static struct ph_db *resend_db;
static int n_resent;

static void send_again(struct call *call)
{
    if (call->err == PH_OK)
        return;
    n_resent++;
    call->done = 0;
    ph_db_send(resend_db, &call->req);
    assert_int_equal(call->done, 0);
}

/* The answers may be lost, the requests not: each gets exactly one, and what they say is what the table holds. */
static void every_request_is_answered_once_when_the_server_crashes(void **state)
{
    /* Slow enough for the crash to meet all of them: done, under way, and not sent yet. */
    static const struct ph_stmt insert = {"insert_slowly",
                                          "INSERT INTO things (id) SELECT $1 FROM pg_sleep(0.002)"};
    enum { N = 1000 };
    struct call *calls[N];
    char sql[128];
    int n[3] = {0}, waiting = N;
    (void)state;

    test_exec(admin, "DROP TABLE IF EXISTS posthorn.things; CREATE TABLE posthorn.things (id "
                     "integer PRIMARY KEY)");
    struct ph_db *db = open_db(PH_DB_OWNER, 4);
    step_until(is_ready, db, "ready");
    for (int i = 0; i < N; i++) {
        calls[i] = insert_call(&insert, i);
        ph_db_send(db, &calls[i]->req);
    }
    restart_server();
    for (uint64_t end_ms = ph_clock_mono_ms() + 30000; waiting > 0;) {
        assert_true(ph_clock_mono_ms() < end_ms);
        ph_loop_step(loop, 100);
        waiting = 0;
        for (int i = 0; i < N; i++)
            waiting += calls[i]->done == 0;
    }
    for (int i = 0; i < 50; i++)
        ph_loop_step(loop, 5);
    for (int i = 0; i < N; i++) {
        assert_int_equal(calls[i]->done, 1);
        snprintf(sql, sizeof(sql), "SELECT count(*) FROM posthorn.things WHERE id = %d", i);
        if (calls[i]->err == PH_OK) {
            n[0]++;
            assert_int_equal(test_number(admin, sql), 1);
        } else if (calls[i]->err == PH_ERR_UNAVAILABLE) {
            n[1]++;
            assert_int_equal(test_number(admin, sql), 0);
        } else {
            n[2]++;
            assert_int_equal(calls[i]->err, PH_ERR_DB_LOST);
        }
        call_free(calls[i]);
    }
    print_message("# ok %d, unavailable %d, lost %d\n", n[0], n[1], n[2]);
    assert_true(n[2] > 0 && n[2] <= 4 * 64);
    close_db(db);
}

static void what_is_sent_again_from_its_answer_arrives_after_a_crash(void **state)
{
    static const struct ph_stmt insert = {
        "insert_once",
        "INSERT INTO things (id) SELECT $1 FROM pg_sleep(0.002) ON CONFLICT DO NOTHING"};
    enum { N = 500 };
    struct call *calls[N];
    int waiting = N;
    (void)state;

    test_exec(admin, "DROP TABLE IF EXISTS posthorn.things; CREATE TABLE posthorn.things (id "
                     "integer PRIMARY KEY)");
    resend_db = open_db(PH_DB_OWNER, 2);
    n_resent = 0;
    step_until(is_ready, resend_db, "ready");
    for (int i = 0; i < N; i++) {
        calls[i] = call_new(&insert);
        ph_db_add_i32(&calls[i]->req, i);
        calls[i]->then = send_again;
        ph_db_send(resend_db, &calls[i]->req);
    }
    restart_server();
    for (uint64_t end_ms = ph_clock_mono_ms() + 30000; waiting > 0;) {
        assert_true(ph_clock_mono_ms() < end_ms);
        ph_loop_step(loop, 100);
        waiting = 0;
        for (int i = 0; i < N; i++)
            waiting += calls[i]->done == 0;
    }
    assert_true(n_resent > 0);
    assert_int_equal(test_number(admin, "SELECT count(*) FROM posthorn.things"), N);
    for (int i = 0; i < N; i++)
        call_free(calls[i]);
    close_db(resend_db);
}

static void without_a_server_requests_fail_after_the_first_attempt(void **state)
{
    struct ph_db_options options = {.conninfo = "host=/nonexistent dbname=x",
                                    .role = PH_DB_API,
                                    .connections = 1,
                                    .max_waiting = 2};
    struct ph_db *db = new_db(&options);
    struct call *calls[3];
    (void)state;

    for (int i = 0; i < 3; i++) {
        calls[i] = call_new(&one);
        ph_db_send(db, &calls[i]->req);
        assert_int_equal(calls[i]->done, 0);
    }
    for (int i = 0; i < 3; i++) {
        wait_for(calls[i]);
        assert_int_equal(calls[i]->err, PH_ERR_UNAVAILABLE);
        call_free(calls[i]);
    }
    assert_false(ph_db_ready(db));
    close_db(db);
}

static void more_than_may_wait_is_refused_at_once(void **state)
{
    struct ph_db_options options = {
        .conninfo = database, .role = PH_DB_OWNER, .connections = 1, .max_waiting = 100};
    struct ph_db *db = new_db(&options);
    struct call *calls[150];
    (void)state;

    for (int i = 0; i < 150; i++) {
        calls[i] = call_new(&one);
        ph_db_send(db, &calls[i]->req);
        assert_int_equal(calls[i]->done, 0);
    }
    ph_loop_step(loop, 0);
    for (int i = 0; i < 150; i++)
        assert_int_equal(calls[i]->done, i >= 100);
    for (int i = 0; i < 150; i++) {
        wait_for(calls[i]);
        assert_int_equal(calls[i]->err, i < 100 ? PH_OK : PH_ERR_UNAVAILABLE);
        call_free(calls[i]);
    }
    assert_int_equal(ask_plain(db, &one, NULL), PH_OK); /* there is room again */
    close_db(db);
}

/* A TCP socket that takes connections and says nothing. */
static int silent_listener(int backlog, int *port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    *port = ntohs(addr.sin_port);
    return fd;
}

static void a_silent_server_is_given_up_at_the_deadline(void **state)
{
    int port, fd = silent_listener(8, &port);
    char conninfo[128];
    (void)state;

    snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%d connect_timeout=1 user=x dbname=x",
             port);
    struct ph_db_options options = {
        .conninfo = conninfo, .role = PH_DB_API, .connections = 1, .max_waiting = 2};
    struct ph_db *db = new_db(&options);
    uint64_t start_ms = ph_clock_mono_ms();
    assert_int_equal(ask_plain(db, &one, NULL), PH_ERR_UNAVAILABLE);
    uint64_t took_ms = ph_clock_mono_ms() - start_ms;
    assert_true(took_ms >= 900 && took_ms < 4000);
    close_db(db);
    close(fd);
}

/* A host that is switched off answers no SYN at all; here a full queue of connections stands for it. */
static void a_dead_first_host_does_not_hide_the_second(void **state)
{
    int port, fd = silent_listener(0, &port), fill[4];
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                               .sin_port = htons((uint16_t)port)};
    char conninfo[600];
    (void)state;

    for (int i = 0; i < 4; i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_true(connect(fill[i], (struct sockaddr *)&addr, sizeof(addr)) == 0 ||
                    errno == EINPROGRESS);
    }
    PQconninfoOption *options = PQconninfoParse(database, NULL), *o;
    const char *host = NULL, *tcp_port = NULL;
    for (o = options; o->keyword != NULL; o++) {
        host = strcmp(o->keyword, "host") == 0 ? o->val : host;
        tcp_port = strcmp(o->keyword, "port") == 0 ? o->val : tcp_port;
    }
    snprintf(conninfo, sizeof(conninfo), "%s host=127.0.0.1,%s port=%d,%s", database, host, port,
             tcp_port);
    struct ph_db_options with = {
        .conninfo = conninfo, .role = PH_DB_OWNER, .connections = 1, .max_waiting = 2};
    struct ph_db *db = new_db(&with);
    assert_int_equal(ask_plain(db, &one, NULL), PH_OK);
    close_db(db);
    PQconninfoFree(options);
    for (int i = 0; i < 4; i++)
        close(fill[i]);
    close(fd);
}

/* Order, sharing, and notifications */

static const struct ph_stmt make_temp = {"make_temp",
                                         "CREATE TEMPORARY TABLE of_session (n integer)"};
static struct call *first_calls[2];

static void send_first(struct ph_db *db, void *ctx)
{
    static const struct ph_stmt listen_to = {"listen_to", "LISTEN changes"};
    (void)ctx;

    first_calls[0] = call_new(&make_temp);
    first_calls[1] = call_new(&listen_to);
    ph_db_send(db, &first_calls[0]->req);
    ph_db_send(db, &first_calls[1]->req);
}

static char notified[128];

static void on_notify(struct ph_db *db, const char *channel, const char *payload, void *ctx)
{
    (void)db;
    assert_ptr_equal(ctx, notified);
    snprintf(notified, sizeof(notified), "%s:%s", channel, payload);
}

static bool is_notified(void *text)
{
    return strcmp(notified, text) == 0;
}

static void notifications_arrive_and_on_connect_goes_first(void **state)
{
    static const struct ph_stmt use_temp = {"use_temp", "SELECT count(*) FROM of_session"};
    static const struct ph_stmt tell = {"tell", "SELECT pg_notify('changes', 'app_3')"};
    struct ph_db_options options = {.conninfo = database,
                                    .role = PH_DB_ENGINE,
                                    .connections = 1,
                                    .max_waiting = 100,
                                    .name = "posthorn test",
                                    .on_connect = send_first,
                                    .on_notify = on_notify,
                                    .ctx = notified};
    (void)state;

    test_exec(admin, "DO $$ BEGIN EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO "
                     "posthorn_engine', current_database()); END $$");
    struct ph_db *db = new_db(&options);
    struct call *call = call_new(&use_temp);
    ph_db_send(db, &call->req); /* long before the connection is there */
    wait_for(call);
    assert_int_equal(call->err, PH_OK);
    assert_int_equal(first_calls[0]->err, PH_OK);
    assert_int_equal(first_calls[1]->err, PH_OK);
    assert_true(first_calls[0]->order < first_calls[1]->order &&
                first_calls[1]->order < call->order);
    test_exec(admin, "NOTIFY changes, 'app_1'");
    step_until(is_notified, (void *)(uintptr_t) "changes:app_1", "the notification");
    call_free(call);
    /* One that comes with a result was left until the connection had something to read again. */
    call = call_new(&tell);
    ph_db_send(db, &call->req);
    wait_for(call);
    assert_string_equal(notified, "changes:app_3");
    call_free(call);
    for (int i = 0; i < 2; i++)
        call_free(first_calls[i]);

    /* Again on the connection that replaces it. */
    kill_backends();
    step_until(is_not_ready, db, "lost");
    step_until(is_ready, db, "ready again");
    wait_for(first_calls[1]);
    test_exec(admin, "NOTIFY changes, 'app_2'");
    step_until(is_notified, (void *)(uintptr_t) "changes:app_2", "the notification");
    for (int i = 0; i < 2; i++)
        call_free(first_calls[i]);
    close_db(db);
}

static void a_busy_connection_does_not_hold_up_the_others(void **state)
{
    static const struct ph_stmt sleep_short = {"sleep_short", "SELECT 1 FROM pg_sleep(0.5)"};
    struct ph_db *db = open_db(PH_DB_OWNER, 2);
    struct call *slow = call_new(&sleep_short), *quick[10];
    (void)state;

    /* Both are up before anything is sent. */
    while (
        test_number(admin,
                    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'posthorn test'"
                    " AND query LIKE '%posthorn_set_tenant%' AND state = 'idle'") < 2)
        ph_loop_step(loop, 10);
    ph_loop_step(loop, 50);
    ph_db_send(db, &slow->req);
    ph_loop_step(loop, 0);
    for (int i = 0; i < 10; i++) {
        quick[i] = call_new(&one);
        ask(db, quick[i]);
    }
    assert_int_equal(slow->done, 0);
    wait_for(slow);
    for (int i = 0; i < 10; i++)
        call_free(quick[i]);
    call_free(slow);
    close_db(db);
}

static void send_into_closing(struct call *call)
{
    call->then = NULL;
    call->done = 0;
    ph_db_send(call->db, &call->req);
    assert_int_equal(call->done, 0);
}

static void freeing_answers_everything(void **state)
{
    static const struct ph_stmt sleep_long = {"sleep_long", "SELECT 1 FROM pg_sleep(20)"};
    struct ph_db *db = open_db(PH_DB_OWNER, 1);
    struct call *sent = call_new(&sleep_long), *again = call_new(&one), *waits = call_new(&one);
    (void)state;

    assert_int_equal(ask_plain(db, &one, NULL), PH_OK);
    ph_db_send(db, &sent->req);
    ph_db_send(db, &again->req);
    ph_loop_step(loop, 0);
    again->then = send_into_closing;
    again->db = db;
    ph_db_send(db, &waits->req);
    close_db(db);
    assert_int_equal(sent->done, 1);
    assert_int_equal(sent->err, PH_ERR_DB_LOST);
    assert_int_equal(again->done, 1);
    assert_int_equal(again->err, PH_ERR_UNAVAILABLE);
    assert_int_equal(waits->done, 1);
    assert_int_equal(waits->err, PH_ERR_UNAVAILABLE);
    call_free(sent);
    call_free(again);
    call_free(waits);

    db = open_db(PH_DB_OWNER, 1); /* while it connects */
    ph_loop_step(loop, 0);
    close_db(db);
}

static void a_command_line_can_wait_for_its_answer(void **state)
{
    struct ph_db *db = open_db(PH_DB_OWNER, 1);
    struct ph_arena *arena = ph_arena_new();
    struct ph_db_req req;
    PGresult *res = NULL;
    (void)state;

    test_exec(admin, "DROP TABLE IF EXISTS posthorn.things; CREATE TABLE posthorn.things (id "
                     "integer CONSTRAINT things_one UNIQUE)");
    for (int i = 0; i < 2; i++) {
        ph_db_req_init(&req, &insert_thing, arena, NULL);
        ph_db_add_i32(&req, 5);
        enum ph_err err = ph_db_run(loop, db, &req, &res);
        if (i == 0) {
            assert_int_equal(err, PH_OK);
            assert_int_equal(ph_db_int(res, 0, 0), 5);
            PQclear(res);
        } else {
            assert_int_equal(err, PH_ERR_CONFLICT);
            assert_string_equal(req.constraint, "things_one");
        }
    }
    ph_arena_free(arena);
    close_db(db);
}

static int set_up(void **state)
{
    (void)state;
    test_database("posthorn_db_test", database);
    admin = test_connect(database);
    test_exec(admin, "SET client_min_messages = warning");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    PQfinish(admin);
    return 0;
}

static int new_loop(void **state)
{
    (void)state;
    loop = ph_loop_new();
    n_open = 0;
    return 0;
}

/* A test that failed leaves its connections behind: their loop must not run again. */
static int drop_loop(void **state)
{
    (void)state;
    if (n_open == 0)
        ph_loop_free(loop);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(scalars_go_there_and_back, new_loop, drop_loop),
        cmocka_unit_test_setup_teardown(nulls_go_there_and_back, new_loop, drop_loop),
        cmocka_unit_test_setup_teardown(arrays_go_through_unnest, new_loop, drop_loop),
        cmocka_unit_test_setup_teardown(a_full_array_says_so_and_holds_whole_elements, new_loop,
                                        drop_loop),
        cmocka_unit_test_setup_teardown(text_arrays_go_there_and_back, new_loop, drop_loop),
        cmocka_unit_test_setup_teardown(big_values_pass_in_both_directions_at_once, new_loop,
                                        drop_loop),
        cmocka_unit_test_setup_teardown(sessions_are_set_up_for_their_role, new_loop, drop_loop),
        cmocka_unit_test_setup_teardown(a_tenant_reaches_its_statement_and_nothing_after_it,
                                        new_loop, drop_loop),
        cmocka_unit_test_setup_teardown(a_unique_violation_names_its_constraint, new_loop,
                                        drop_loop),
        cmocka_unit_test_setup_teardown(a_failing_commit_is_not_a_success, new_loop, drop_loop),
        cmocka_unit_test_setup_teardown(errors_are_told_apart_by_sqlstate, new_loop, drop_loop),
        cmocka_unit_test_setup_teardown(a_failed_prepare_is_tried_again, new_loop, drop_loop),
        cmocka_unit_test_setup_teardown(a_changed_column_is_prepared_anew, new_loop, drop_loop),
        cmocka_unit_test_setup_teardown(many_statements_stay_prepared, new_loop, drop_loop),
        cmocka_unit_test_setup_teardown(a_killed_backend_loses_its_requests_and_comes_back,
                                        new_loop, drop_loop),
        cmocka_unit_test_setup_teardown(every_request_is_answered_once_when_the_server_crashes,
                                        new_loop, drop_loop),
        cmocka_unit_test_setup_teardown(what_is_sent_again_from_its_answer_arrives_after_a_crash,
                                        new_loop, drop_loop),
        cmocka_unit_test_setup_teardown(without_a_server_requests_fail_after_the_first_attempt,
                                        new_loop, drop_loop),
        cmocka_unit_test_setup_teardown(more_than_may_wait_is_refused_at_once, new_loop, drop_loop),
        cmocka_unit_test_setup_teardown(a_silent_server_is_given_up_at_the_deadline, new_loop,
                                        drop_loop),
        cmocka_unit_test_setup_teardown(a_dead_first_host_does_not_hide_the_second, new_loop,
                                        drop_loop),
        cmocka_unit_test_setup_teardown(notifications_arrive_and_on_connect_goes_first, new_loop,
                                        drop_loop),
        cmocka_unit_test_setup_teardown(a_busy_connection_does_not_hold_up_the_others, new_loop,
                                        drop_loop),
        cmocka_unit_test_setup_teardown(freeing_answers_everything, new_loop, drop_loop),
        cmocka_unit_test_setup_teardown(a_command_line_can_wait_for_its_answer, new_loop,
                                        drop_loop),
    };

    test_env("POSTHORN_TEST_DATABASE");
    test_env("POSTHORN_TEST_CLUSTER");
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
