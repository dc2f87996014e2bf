#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db_caller.h"

#include "posthorn/metrics.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_killed_backend_loses_its_requests_and_comes_back),
        TEST(every_request_is_answered_once_when_the_server_crashes),
        TEST(what_is_sent_again_from_its_answer_arrives_after_a_crash),
        TEST(without_a_server_requests_fail_after_the_first_attempt),
        TEST(more_than_may_wait_is_refused_at_once),
        TEST(a_silent_server_is_given_up_at_the_deadline),
        TEST(a_dead_first_host_does_not_hide_the_second),
        TEST(notifications_arrive_and_on_connect_goes_first),
        TEST(a_busy_connection_does_not_hold_up_the_others),
        TEST(freeing_answers_everything),
        TEST(a_command_line_can_wait_for_its_answer),
    };

    test_env("POSTHORN_TEST_DATABASE");
    test_env("POSTHORN_TEST_CLUSTER");
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
