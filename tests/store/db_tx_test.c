#include "posthorn/clock.h"
#include "posthorn/db.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/database.h"

#include <string.h>

static char database[512];
static PGconn *admin;
static struct ph_loop *loop; /* one a test */
static struct ph_db *db;

/* A request in a transaction, and what came of it. */
struct call {
    struct ph_db_req req;
    struct ph_arena *arena;
    int done;
    enum ph_err err;
    char text[64];
    struct ph_db *then; /* sends `next` there from within its answer */
    struct call *next;
};

static void call_done(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct call *call = ph_container_of(req, struct call, req);

    call->done++;
    call->err = err;
    if (res && PQntuples(res) > 0 && PQftype(res, 0) == 25)
        snprintf(call->text, sizeof call->text, "%.*s", PQgetlength(res, 0, 0),
                 PQgetvalue(res, 0, 0));
    if (call->next)
        ph_db_send(call->then, &call->next->req);
}

static struct call *call_new(const struct ph_stmt *stmt)
{
    struct call *call = ph_calloc(1, sizeof *call);

    call->arena = ph_arena_new();
    ph_db_req_init(&call->req, stmt, call->arena, call_done);
    return call;
}

static void call_free(struct call *call)
{
    ph_arena_free(call->arena);
    free(call);
}

static void wait_until(const int *done, int times, const char *what)
{
    uint64_t end_ms = ph_clock_mono_ms() + 20000;

    while (*done < times) {
        if (ph_clock_mono_ms() > end_ms)
            fail_msg("not after 20 s: %s", what);
        ph_loop_step(loop, 20);
    }
    assert_int_equal(*done, times);
}

static struct call *ask(struct ph_db *on, const struct ph_stmt *stmt)
{
    struct call *call = call_new(stmt);

    ph_db_send(on, &call->req);
    assert_int_equal(call->done, 0);
    wait_until(&call->done, 1, stmt->name);
    return call;
}

static enum ph_err ask_err(struct ph_db *on, const struct ph_stmt *stmt)
{
    struct call *call = ask(on, stmt);
    enum ph_err err = call->err;

    call_free(call);
    return err;
}

struct ending {
    int done;
    enum ph_err err;
};

static void committed(void *ctx, enum ph_err err)
{
    struct ending *ending = ctx;

    ending->done++;
    ending->err = err;
}

static enum ph_err commit(struct ph_db_tx *tx)
{
    struct ending ending = {0};

    ph_db_commit(tx, committed, &ending);
    assert_int_equal(ending.done, 0);
    wait_until(&ending.done, 1, "committed");
    return ending.err;
}

static const struct ph_stmt one = {"one", "INSERT INTO tx_numbers VALUES (1)"};
static const struct ph_stmt two = {"two", "INSERT INTO tx_numbers VALUES (2)"};
static const struct ph_stmt count = {"count", "SELECT count(*)::text FROM tx_numbers"};
static const struct ph_stmt broken = {"broken",
                                      "SELECT 1 / (SELECT count(*) - count(*) FROM tx_numbers)"};
static const struct ph_stmt who = {
    "who", "SELECT current_user || ' ' || coalesce(current_tenant()::text, '')"};
static const struct ph_stmt slow = {"slow", "SELECT 'slow' FROM pg_sleep(20)"};

static struct ph_db *open_db(int connections)
{
    return ph_db_new(loop, &(struct ph_db_options){.conninfo = database,
                                                   .role = PH_DB_API,
                                                   .connections = connections,
                                                   .max_waiting = 100,
                                                   .name = "transactions"});
}

static long stored(void)
{
    return test_number(admin, "SELECT count(*) FROM posthorn.tx_numbers");
}

static int set_up(void **state)
{
    (void)state;
    test_exec(admin, "TRUNCATE posthorn.tx_numbers");
    loop = ph_loop_new();
    db = open_db(1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (db)
        ph_db_free(db);
    ph_loop_step(loop, 0);
    ph_loop_free(loop);
    return 0;
}

static void a_commit_shows_all_of_it(void **state)
{
    struct ph_db_tx *tx = ph_db_begin(db);
    struct ph_db *api = ph_db_tx_as(tx, PH_DB_API);

    (void)state;
    assert_int_equal(ask_err(api, &one), PH_OK);
    assert_int_equal(ask_err(api, &two), PH_OK);
    struct call *seen = ask(api, &count);
    assert_string_equal(seen->text, "2");
    call_free(seen);
    assert_int_equal(stored(), 0);
    assert_int_equal(commit(tx), PH_OK);
    assert_int_equal(stored(), 2);
}

static void a_rollback_leaves_nothing(void **state)
{
    struct ph_db_tx *tx = ph_db_begin(db);

    (void)state;
    assert_int_equal(ask_err(ph_db_tx_as(tx, PH_DB_API), &one), PH_OK);
    ph_db_rollback(tx);
    ph_db_rollback(ph_db_begin(db)); /* one that never began */
    tx = ph_db_begin(db);
    assert_int_equal(ask_err(ph_db_tx_as(tx, PH_DB_API), &two), PH_OK);
    assert_int_equal(commit(tx), PH_OK);
    assert_int_equal(stored(), 1);
}

static void a_failed_statement_is_undone_by_itself(void **state)
{
    struct ph_db_tx *tx = ph_db_begin(db);
    struct ph_db *api = ph_db_tx_as(tx, PH_DB_API);

    (void)state;
    assert_int_equal(ask_err(api, &one), PH_OK);
    assert_int_equal(ask_err(api, &one), PH_ERR_CONFLICT);
    assert_int_equal(ask_err(api, &two), PH_OK);
    assert_int_equal(ask_err(api, &broken), PH_ERR_DB_FAILED);
    assert_int_equal(commit(tx), PH_OK);
    assert_int_equal(stored(), 2);
}

static void a_first_statement_that_failed_is_undone(void **state)
{
    struct ph_db_tx *tx = ph_db_begin(db);
    struct ph_db *api = ph_db_tx_as(tx, PH_DB_API), *engine = ph_db_tx_as(tx, PH_DB_ENGINE);

    (void)state;
    assert_int_equal(ask_err(engine, &broken), PH_ERR_DB_FAILED);
    struct call *call = ask(engine, &who);
    assert_memory_equal(call->text, "posthorn_engine ", 16);
    call_free(call);
    assert_int_equal(ask_err(api, &one), PH_OK);
    assert_int_equal(ask_err(api, &one), PH_ERR_CONFLICT);
    assert_int_equal(stored(), 0);
    assert_int_equal(commit(tx), PH_OK);
    assert_int_equal(stored(), 1);
}

static void what_is_sent_before_the_commit_is_committed_with_it(void **state)
{
    struct ph_db_tx *tx = ph_db_begin(db);
    struct call *late = call_new(&two);

    (void)state;
    assert_int_equal(ask_err(ph_db_tx_as(tx, PH_DB_API), &one), PH_OK);
    ph_db_send(ph_db_tx_as(tx, PH_DB_API), &late->req);
    assert_int_equal(commit(tx), PH_OK);
    assert_int_equal(late->done, 1);
    assert_int_equal(late->err, PH_OK);
    call_free(late);
    assert_int_equal(stored(), 2);
}

static void what_fails_before_the_commit_fails_it(void **state)
{
    struct ph_db_tx *tx = ph_db_begin(db);
    struct call *late = call_new(&one);

    (void)state;
    assert_int_equal(ask_err(ph_db_tx_as(tx, PH_DB_API), &one), PH_OK);
    ph_db_send(ph_db_tx_as(tx, PH_DB_API), &late->req);
    assert_int_equal(commit(tx), PH_ERR_DB_RETRY);
    assert_int_equal(late->done, 1);
    assert_int_equal(late->err, PH_ERR_CONFLICT);
    call_free(late);
    assert_int_equal(stored(), 0);
}

static void requests_go_one_after_the_other(void **state)
{
    struct ph_db_tx *tx = ph_db_begin(db);
    struct ph_db *api = ph_db_tx_as(tx, PH_DB_API);
    const struct ph_stmt *stmts[] = {&one, &one, &two, &count};
    struct call *calls[4];

    (void)state;
    for (int i = 0; i < 4; i++) {
        calls[i] = call_new(stmts[i]);
        ph_db_send(api, &calls[i]->req);
    }
    wait_until(&calls[3]->done, 1, "the last is answered");
    assert_int_equal(calls[0]->err, PH_OK);
    assert_int_equal(calls[1]->err, PH_ERR_CONFLICT);
    assert_int_equal(calls[2]->err, PH_OK);
    assert_string_equal(calls[3]->text, "2");
    for (int i = 0; i < 4; i++)
        call_free(calls[i]);
    assert_int_equal(commit(tx), PH_OK);
}

static void each_statement_has_its_role_and_tenant(void **state)
{
    struct ph_db_tx *tx = ph_db_begin(db);
    struct ph_db *api = ph_db_tx_as(tx, PH_DB_API), *engine = ph_db_tx_as(tx, PH_DB_ENGINE);
    struct call *call = call_new(&who);

    (void)state;
    ph_db_req_tenant(&call->req, (struct ph_id){{1}});
    ph_db_send(api, &call->req);
    wait_until(&call->done, 1, "answered");
    assert_string_equal(call->text, "posthorn_api 01000000-0000-0000-0000-000000000000");
    call_free(call);
    call = ask(engine, &who);
    assert_memory_equal(call->text, "posthorn_engine ", 16);
    call_free(call);
    call = ask(api, &who);
    assert_memory_equal(call->text, "posthorn_api ", 13);
    call_free(call);
    assert_int_equal(commit(tx), PH_OK);
    tx = ph_db_begin(db); /* the same connection: nothing is left of it */
    call = ask(ph_db_tx_as(tx, PH_DB_API), &who);
    assert_string_equal(call->text, "posthorn_api ");
    call_free(call);
    ph_db_rollback(tx);
}

static void a_transaction_waits_for_a_connection(void **state)
{
    struct ph_db_tx *first = ph_db_begin(db), *second = ph_db_begin(db);
    struct call *late = call_new(&count);

    (void)state;
    ph_db_send(ph_db_tx_as(second, PH_DB_API), &late->req);
    assert_int_equal(ask_err(ph_db_tx_as(first, PH_DB_API), &one), PH_OK);
    assert_int_equal(late->done, 0);
    assert_int_equal(commit(first), PH_OK);
    wait_until(&late->done, 1, "the second has its turn");
    assert_string_equal(late->text, "1");
    call_free(late);
    assert_int_equal(commit(second), PH_OK);
}

static void a_lost_connection_loses_all_of_it(void **state)
{
    struct ph_db_tx *tx = ph_db_begin(db);
    struct ph_db *api = ph_db_tx_as(tx, PH_DB_API);
    struct call *last = call_new(&slow), *behind = call_new(&two);

    (void)state;
    assert_int_equal(ask_err(api, &one), PH_OK);
    last->then = api;
    last->next = behind;
    ph_db_send(api, &last->req);
    while (test_number(admin, "SELECT count(*) FROM pg_stat_activity"
                              " WHERE application_name = 'transactions' AND query LIKE '%slow%'"
                              " AND state = 'active'") == 0)
        ph_loop_step(loop, 5);
    test_exec(admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                     " WHERE application_name = 'transactions'");
    wait_until(&behind->done, 1, "both are answered");
    assert_int_equal(last->err, PH_ERR_DB_LOST);
    assert_int_equal(behind->err, PH_ERR_UNAVAILABLE);
    assert_int_equal(commit(tx), PH_ERR_UNAVAILABLE);
    call_free(last);
    call_free(behind);
    tx = ph_db_begin(db);
    assert_int_equal(ask_err(ph_db_tx_as(tx, PH_DB_API), &two), PH_OK);
    assert_int_equal(commit(tx), PH_OK);
    assert_int_equal(stored(), 1);
}

/* What a handler does whose statement failed. */
struct giving_up {
    struct call call;
    struct ph_db_tx *tx;
};

static void give_up(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct giving_up *one_of = ph_container_of(req, struct giving_up, call.req);

    (void)res;
    one_of->call.done++;
    one_of->call.err = err;
    ph_db_rollback(one_of->tx);
}

static void freeing_ends_every_transaction(void **state)
{
    struct giving_up all[3] = {0};
    struct ending ending = {0};
    struct ph_db_tx *tx = ph_db_begin(db);

    (void)state;
    assert_int_equal(ask_err(ph_db_tx_as(tx, PH_DB_API), &one), PH_OK);
    ph_db_commit(tx, committed, &ending);
    for (int i = 0; i < 3; i++) {
        all[i].call.arena = ph_arena_new();
        all[i].tx = ph_db_begin(db);
        ph_db_req_init(&all[i].call.req, &two, all[i].call.arena, give_up);
        ph_db_send(ph_db_tx_as(all[i].tx, PH_DB_API), &all[i].call.req);
    }
    ph_db_free(db);
    db = NULL;
    assert_int_equal(ending.done, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(all[i].call.done, 1);
        assert_int_equal(all[i].call.err, PH_ERR_UNAVAILABLE);
        ph_arena_free(all[i].call.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_commit_shows_all_of_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_rollback_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failed_statement_is_undone_by_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_first_statement_that_failed_is_undone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_sent_before_the_commit_is_committed_with_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_fails_before_the_commit_fails_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(requests_go_one_after_the_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_statement_has_its_role_and_tenant, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_transaction_waits_for_a_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lost_connection_loses_all_of_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(freeing_ends_every_transaction, set_up, tear_down),
    };
    int failed;

    test_database("posthorn_db_tx_test", database);
    admin = test_connect(database);
    test_exec(admin, "CREATE TABLE posthorn.tx_numbers (n integer PRIMARY KEY)");
    test_exec(admin,
              "GRANT SELECT, INSERT ON posthorn.tx_numbers TO posthorn_api, posthorn_engine");
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    PQfinish(admin);
    return failed;
}
