/*
 * For tests of the database module: calls that say what came of them, and connections to a database of the test's own.
 * Include after cmocka.
 */
#ifndef POSTHORN_TESTS_DB_CALLER_H
#define POSTHORN_TESTS_DB_CALLER_H

#include "posthorn/clock.h"
#include "posthorn/db.h"

#include "../lib/database.h"

#include <spawn.h>
#include <string.h>
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

TEST_UNUSED static void call_done(struct ph_db_req *req, enum ph_err err, PGresult *res)
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

TEST_UNUSED static struct call *call_new(const struct ph_stmt *stmt)
{
    struct call *call = ph_calloc(1, sizeof(*call));

    call->arena = ph_arena_new();
    ph_db_req_init(&call->req, stmt, call->arena, call_done);
    return call;
}

TEST_UNUSED static void call_free(struct call *call)
{
    ph_arena_free(call->arena);
    free(call);
}

TEST_UNUSED static void wait_for(struct call *call)
{
    uint64_t end_ms = ph_clock_mono_ms() + 20000;

    while (call->done == 0) {
        if (ph_clock_mono_ms() > end_ms)
            fail_msg("%s: no answer after 20 s", call->req.stmt->name);
        ph_loop_step(loop, 100);
    }
    assert_int_equal(call->done, 1);
}

TEST_UNUSED static enum ph_err ask(struct ph_db *db, struct call *call)
{
    ph_db_send(db, &call->req);
    assert_int_equal(call->done, 0);
    wait_for(call);
    return call->err;
}

/* Sends a statement without parameters and forgets it. */
TEST_UNUSED static enum ph_err ask_plain(struct ph_db *db, const struct ph_stmt *stmt,
                                         int64_t *number)
{
    struct call *call = call_new(stmt);
    enum ph_err err = ask(db, call);

    if (number != NULL)
        *number = call->number;
    call_free(call);
    return err;
}

TEST_UNUSED static struct ph_db *new_db(const struct ph_db_options *options)
{
    n_open++;
    return ph_db_new(loop, options);
}

TEST_UNUSED static struct ph_db *open_db(enum ph_db_role role, int connections)
{
    struct ph_db_options options = {.conninfo = database,
                                    .role = role,
                                    .connections = connections,
                                    .max_waiting = 5000,
                                    .name = "posthorn test"};

    return new_db(&options);
}

TEST_UNUSED static void close_db(struct ph_db *db)
{
    n_open--;
    ph_db_free(db);
    ph_loop_step(loop, 0); /* what was still deferred */
}

TEST_UNUSED static void step_until(bool (*reached)(void *), void *ctx, const char *what)
{
    uint64_t end_ms = ph_clock_mono_ms() + 20000;

    while (!reached(ctx)) {
        if (ph_clock_mono_ms() > end_ms)
            fail_msg("not after 20 s: %s", what);
        ph_loop_step(loop, 20);
    }
}

TEST_UNUSED static bool is_ready(void *db)
{
    return ph_db_ready(db);
}

TEST_UNUSED static bool is_not_ready(void *db)
{
    return !ph_db_ready(db);
}

/* Crashes the server and starts it again while the loop goes on. */
TEST_UNUSED static void restart_server(void)
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

TEST_UNUSED static const struct ph_stmt insert_thing = {
    "insert_thing", "INSERT INTO things (id) VALUES ($1) RETURNING id"};

TEST_UNUSED static struct call *insert_call(const struct ph_stmt *stmt, int32_t id)
{
    struct call *call = call_new(stmt);

    ph_db_add_i32(&call->req, id);
    return call;
}

TEST_UNUSED static int set_up(void **state)
{
    (void)state;
    test_database("posthorn_db_test", database);
    admin = test_connect(database);
    test_exec(admin, "SET client_min_messages = warning");
    return 0;
}

TEST_UNUSED static int tear_down(void **state)
{
    (void)state;
    PQfinish(admin);
    return 0;
}

TEST_UNUSED static int new_loop(void **state)
{
    (void)state;
    loop = ph_loop_new();
    n_open = 0;
    return 0;
}

/* A test that failed leaves its connections behind: their loop must not run again. */
TEST_UNUSED static int drop_loop(void **state)
{
    (void)state;
    if (n_open == 0)
        ph_loop_free(loop);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_loop, drop_loop)

#endif
