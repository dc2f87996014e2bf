/* For tests of background tasks and of what is done by hand: what failed, what is owed, steps. Include after cmocka. */
#ifndef POSTHORN_TESTS_TASKS_H
#define POSTHORN_TESTS_TASKS_H

#include "posthorn/task.h"

#include "posthorn/claim.h"
#include "posthorn/manual.h"
#include "posthorn/message.h"

#include "fixture.h"

#define SUCCESS 0
#define FAIL    2
#define HOUR_MS (3600 * 1000LL)

static struct ph_db *api; /* role posthorn_api */

struct answer {
    bool done;
    enum ph_err err;
    bool found;
    int32_t queued;
    struct ph_id id;
    char status[32], error[64];
    int64_t walked, total, made;
    size_t n;
};

TEST_UNUSED static void on_task(void *ctx, enum ph_err err, const struct ph_background_task *task)
{
    struct answer *answer = ctx;

    assert_false(answer->done);
    answer->done = true;
    answer->err = err;
    if (!task)
        return;
    answer->id = task->id;
    snprintf(answer->status, sizeof answer->status, "%.*s", (int)task->status.len,
             task->status.ptr);
    if (task->error.ptr)
        snprintf(answer->error, sizeof answer->error, "%.*s", (int)task->error.len,
                 task->error.ptr);
    answer->walked = task->done;
    answer->total = task->total;
    answer->made = task->queued;
}

TEST_UNUSED static void on_step(void *ctx, enum ph_err err, bool found, int32_t queued)
{
    struct answer *answer = ctx;

    assert_false(answer->done);
    *answer = (struct answer){.done = true, .err = err, .found = found, .queued = queued};
}

TEST_UNUSED static void on_list(void *ctx, enum ph_err err, const struct ph_background_task *tasks,
                                size_t n, bool done)
{
    struct answer *answer = ctx;

    assert_false(answer->done);
    *answer = (struct answer){.done = true, .err = err, .n = n};
    if (n)
        answer->id = tasks[0].id;
    assert_true(done);
}

TEST_UNUSED static void on_plain(void *ctx, enum ph_err err)
{
    struct answer *answer = ctx;

    assert_false(answer->done);
    *answer = (struct answer){.done = true, .err = err};
}

TEST_UNUSED static struct ph_endpoint_path path_to(const struct tenant *tenant, int endpoint)
{
    static const char *const uids[] = {"ep0", "ep1", "ep2"};

    return (struct ph_endpoint_path){tenant->id, PH_STR("app"), ph_str_of(uids[endpoint])};
}

TEST_UNUSED static struct answer order(const struct tenant *tenant, int endpoint,
                                       enum ph_background_task_type type, const char *params)
{
    struct ph_arena *arena = ph_arena_new();
    struct ph_endpoint_path path = path_to(tenant, endpoint);
    struct ph_background_task_order wanted = {
        .type = type,
        .since_ms = ph_clock_wall_ms() - HOUR_MS,
        .until_ms = ph_clock_wall_ms() + 1000,
        .params = ph_str_of(params),
    };
    struct answer answer = {0};

    /* attempts made in this very millisecond are before the task */
    for (int64_t now_ms = ph_clock_wall_ms(); ph_clock_wall_ms() < now_ms + 2;)
        ph_loop_step(loop, 1);
    ph_background_task_create(api, arena, &path, &wanted, on_task, &answer);
    wait_until(&answer.done, "create");
    ph_arena_free(arena);
    return answer;
}

/* A new one, which has to work. */
TEST_UNUSED static struct ph_id new_task(const struct tenant *tenant, int endpoint,
                                         enum ph_background_task_type type, const char *params)
{
    struct answer answer = order(tenant, endpoint, type, params);

    assert_int_equal(answer.err, PH_OK);
    assert_string_equal(answer.status, "running");
    return answer.id;
}

TEST_UNUSED static struct answer get(const struct tenant *tenant, struct ph_id id)
{
    struct ph_arena *arena = ph_arena_new();
    struct answer answer = {0};

    ph_background_task_get(api, arena, tenant->id, id, on_task, &answer);
    wait_until(&answer.done, "get");
    ph_arena_free(arena);
    return answer;
}

TEST_UNUSED static struct answer cancel_task(const struct tenant *tenant, struct ph_id id)
{
    struct ph_arena *arena = ph_arena_new();
    struct answer answer = {0};

    ph_background_task_cancel(api, arena, tenant->id, id, on_task, &answer);
    wait_until(&answer.done, "cancel");
    ph_arena_free(arena);
    return answer;
}

TEST_UNUSED static struct answer step_with(struct ph_db *with)
{
    struct ph_arena *arena = ph_arena_new();
    struct answer answer = {0};

    ph_background_task_step(with, arena, PH_TASK_OF_ENDPOINT, on_step, &answer);
    wait_until(&answer.done, "step");
    ph_arena_free(arena);
    assert_int_equal(answer.err, PH_OK);
    return answer;
}

TEST_UNUSED static struct answer step(void)
{
    return step_with(db);
}

TEST_UNUSED static int steps_until_idle(void)
{
    int n = 0;

    while (step().found)
        assert_true(++n < 100);
    return n;
}

TEST_UNUSED static struct ph_id message(const struct tenant *tenant, const char *type,
                                        const char *channels, const char *tags)
{
    struct ph_id id = new_id();

    run_sql(admin,
            "INSERT INTO messages (application_id, id, tenant_id, event_type, channels, tags, "
            "payload) VALUES ('%s', '%s', '%s', '%s', %s, %s, '{}')",
            uuid_text(tenant->subscriptions.application), uuid_text(id), uuid_text(tenant->id),
            type, channels ? channels : "NULL", tags ? tags : "NULL");
    return id;
}

TEST_UNUSED static void attempt(const struct tenant *tenant, int endpoint, struct ph_id of,
                                int status, int code)
{
    run_sql(admin,
            "INSERT INTO attempts (message_id, id, endpoint_id, tenant_id, number, status, "
            "trigger_type, status_code, duration_ms, url, response) "
            "VALUES ('%s', '%s', '%s', '%s', 1, %d, 0, %d, 1, '', '')",
            uuid_text(of), uuid_text(new_id()), uuid_text(tenant->endpoints[endpoint]),
            uuid_text(tenant->id), status, code);
}

TEST_UNUSED static void owe(const struct tenant *tenant, int endpoint, struct ph_id of,
                            const char *state)
{
    run_sql(admin,
            "INSERT INTO deliveries (endpoint_id, message_id, tenant_id, application_id, next_at, "
            "node_id) VALUES ('%s', '%s', '%s', '%s', %s)",
            uuid_text(tenant->endpoints[endpoint]), uuid_text(of), uuid_text(tenant->id),
            uuid_text(tenant->subscriptions.application), state);
}

#define WAITING   "now() + interval '2 hours', NULL"
#define IN_MEMORY "NULL, 7"

TEST_UNUSED static long owed_to(const struct tenant *tenant, int endpoint)
{
    return ask_number("SELECT count(*) FROM deliveries WHERE endpoint_id = '%s'",
                      uuid_text(tenant->endpoints[endpoint]));
}

TEST_UNUSED static bool owes(const struct tenant *tenant, int endpoint, struct ph_id of)
{
    return ask_number("SELECT count(*) FROM deliveries WHERE endpoint_id = '%s' AND message_id = "
                      "'%s' AND node_id IS NULL AND trigger_type = 1 AND next_at <= now()",
                      uuid_text(tenant->endpoints[endpoint]), uuid_text(of)) == 1;
}

/* Many messages with one failed attempt each; their ids are from the last second. */
TEST_UNUSED static void fail_many(const struct tenant *tenant, int endpoint, int n)
{
    run_sql(
        admin,
        "WITH made AS (INSERT INTO messages (application_id, id, tenant_id, event_type, payload) "
        "SELECT '%s', (left(uuid_floor(now() - interval '1 second')::text, 24) || "
        "lpad(to_hex(i), 12, '0'))::uuid, '%s', 'a.b', '{}' FROM generate_series(1, %d) i "
        "RETURNING id) "
        "INSERT INTO attempts (message_id, id, endpoint_id, tenant_id, number, status, "
        "trigger_type, status_code, duration_ms, url, response) "
        "SELECT id, id, '%s', '%s', 1, 2, 0, 500, 1, '', '' FROM made",
        uuid_text(tenant->subscriptions.application), uuid_text(tenant->id), n,
        uuid_text(tenant->endpoints[endpoint]), uuid_text(tenant->id));
}

TEST_UNUSED static void close_delivery(int endpoint, struct ph_id of, int status)
{
    run_sql(admin, "INSERT INTO closed_deliveries VALUES ('%s', '%s', '%s', %d)", uuid_text(of),
            uuid_text(red.endpoints[endpoint]), uuid_text(red.id), status);
}

TEST_UNUSED static int begin_task_test(void **state)
{
    int err = begin_test(state);

    api = ph_db_new(loop, &(struct ph_db_options){.conninfo = database,
                                                  .role = PH_DB_API,
                                                  .connections = 1,
                                                  .max_waiting = 100,
                                                  .name = "posthorn test api"});
    return err;
}

TEST_UNUSED static int end_task_test(void **state)
{
    close_db(api);
    return end_test(state);
}

TEST_UNUSED static int set_up(void **state)
{
    (void)state;
    return set_up_database("posthorn_task_test");
}

#define TASK_TEST(name) cmocka_unit_test_setup_teardown(name, begin_task_test, end_task_test)

#endif
