#include "posthorn/task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

static struct ph_db *api; /* role posthorn_api */

struct answer {
    bool done;
    enum ph_err err;
    bool found;
    int32_t queued;
    struct ph_id id;
    char status[32];
    int64_t walked, total, made;
};

static void on_task(void *ctx, enum ph_err err, const struct ph_background_task *task)
{
    struct answer *answer = ctx;

    assert_false(answer->done);
    assert_int_equal(err, PH_OK);
    *answer = (struct answer){.done = true,
                              .id = task->id,
                              .walked = task->done,
                              .total = task->total,
                              .made = task->queued};
    snprintf(answer->status, sizeof answer->status, "%.*s", (int)task->status.len,
             task->status.ptr);
}

static void on_step(void *ctx, enum ph_err err, bool found, int32_t queued)
{
    struct answer *answer = ctx;

    assert_false(answer->done);
    *answer = (struct answer){.done = true, .err = err, .found = found, .queued = queued};
}

static struct ph_id begin(const struct tenant *tenant, struct ph_str event_id, size_t bytes)
{
    struct ph_arena *arena = ph_arena_new();
    char *payload = ph_arena_alloc(arena, bytes);
    struct answer answer = {0};

    memset(payload, ' ', bytes);
    memcpy(payload, "{}", 2);
    ph_broadcast_create(api, arena, tenant->id,
                        &(struct ph_broadcast_order){.event_type = PH_STR("a.b"),
                                                     .event_id = event_id,
                                                     .payload = {payload, bytes},
                                                     .params = PH_STR("{}")},
                        on_task, &answer);
    wait_until(&answer.done, "create");
    ph_arena_free(arena);
    assert_string_equal(answer.status, "running");
    return answer.id;
}

static struct answer get(const struct tenant *tenant, struct ph_id id)
{
    struct ph_arena *arena = ph_arena_new();
    struct answer answer = {0};

    ph_background_task_get(api, arena, tenant->id, id, on_task, &answer);
    wait_until(&answer.done, "get");
    ph_arena_free(arena);
    return answer;
}

static struct answer step_with(struct ph_db *with)
{
    struct ph_arena *arena = ph_arena_new();
    struct answer answer = {0};

    ph_background_task_step(with, arena, PH_TASK_OF_BROADCAST, on_step, &answer);
    wait_until(&answer.done, "step");
    ph_arena_free(arena);
    assert_int_equal(answer.err, PH_OK);
    return answer;
}

static struct answer step(void)
{
    return step_with(db);
}

/* The tenant has one already. */
static void add_applications(const struct tenant *tenant, int n)
{
    run_sql(admin,
            "INSERT INTO applications (id, tenant_id, name) "
            "SELECT uuid_now(), '%s', 'x' FROM generate_series(1, %d)",
            uuid_text(tenant->id), n);
}

static long messages_of(const struct tenant *tenant)
{
    return ask_number("SELECT count(*) FROM messages WHERE tenant_id = '%s'",
                      uuid_text(tenant->id));
}

static void steps_go_on_where_the_last_one_ended(void **state)
{
    (void)state;
    add_applications(&red, PH_BROADCAST_STEP);
    add_applications(&blue, 1);
    struct ph_id id = begin(&red, PH_STR_NONE, 10);

    assert_int_equal(step().queued, PH_BROADCAST_STEP);
    struct answer task = get(&red, id);
    assert_string_equal(task.status, "running");
    assert_int_equal(task.walked, PH_BROADCAST_STEP);
    assert_int_equal(task.total, PH_BROADCAST_STEP + 1);
    assert_int_equal(step().queued, 1);
    assert_false(step().found);
    task = get(&red, id);
    assert_string_equal(task.status, "finished");
    assert_int_equal(task.walked, PH_BROADCAST_STEP + 1);
    assert_int_equal(task.made, PH_BROADCAST_STEP + 1);
    assert_int_equal(messages_of(&red), PH_BROADCAST_STEP + 1);
    assert_int_equal(messages_of(&blue), 0);
    assert_int_equal(ask_number("SELECT count(DISTINCT application_id) FROM unmatched_messages"),
                     PH_BROADCAST_STEP + 1);
    assert_int_equal(ask_number("SELECT count(*) FROM broadcasts"), 0);
}

static void a_step_makes_no_more_bytes_than_its_share(void **state)
{
    (void)state;
    add_applications(&red, 9);
    begin(&red, PH_STR_NONE, PH_BROADCAST_BYTES / 4);
    assert_int_equal(step().queued, 3);
    begin(&blue, PH_STR_NONE, PH_BROADCAST_BYTES * 2);
    assert_int_equal(step().queued + step().queued, 3 + 1); /* whichever is first */
    assert_int_equal(messages_of(&blue), 1);
}

static void it_waits_while_too_many_messages_of_the_tenant_wait(void **state)
{
    (void)state;
    run_sql(admin,
            "INSERT INTO unmatched_messages (message_id, tenant_id, application_id, due_at) "
            "SELECT uuid_now(), '%s', '%s', now() FROM generate_series(1, %d)",
            uuid_text(red.id), uuid_text(red.subscriptions.application), PH_BROADCAST_WAITING + 1);
    struct ph_id id = begin(&red, PH_STR_NONE, 10);
    begin(&blue, PH_STR_NONE, 10);

    struct answer waited = step(), other = step();
    assert_true(waited.found && other.found);
    assert_int_equal(waited.queued, 0);
    assert_int_equal(other.queued, 1); /* the other tenant's goes on */
    assert_int_equal(messages_of(&red), 0);
    assert_string_equal(get(&red, id).status, "running");
    run_sql(admin, "DELETE FROM unmatched_messages; "
                   "UPDATE background_tasks SET next_step_at = now() WHERE status = 'running'");
    while (step().found)
        ;
    assert_int_equal(messages_of(&red), 1);
}

static void a_cancelled_one_sends_no_more(void **state)
{
    struct ph_arena *arena = ph_arena_new();
    struct answer answer = {0};
    (void)state;

    add_applications(&red, 2 * PH_BROADCAST_STEP);
    struct ph_id id = begin(&red, PH_STR_NONE, 10);
    step();
    ph_background_task_cancel(api, arena, red.id, id, on_task, &answer);
    wait_until(&answer.done, "cancel");
    ph_arena_free(arena);
    assert_string_equal(answer.status, "failed");
    assert_false(step().found);
    assert_int_equal(messages_of(&red), PH_BROADCAST_STEP);
    assert_int_equal(ask_number("SELECT count(*) FROM broadcasts"), 0);
}

static void an_event_id_is_taken_together_with_its_message(void **state)
{
    (void)state;
    begin(&red, PH_STR("e1"), 10);
    begin(&red, PH_STR("e1"), 10);
    assert_int_equal(step().queued + step().queued, 1);
    assert_int_equal(ask_number("SELECT count(*) FROM messages m JOIN message_uids u "
                                "ON u.application_id = m.application_id AND u.message_id = m.id "
                                "AND u.event_id = m.event_id"),
                     1);
    assert_int_equal(messages_of(&red), 1);
}

static void two_nodes_take_turns(void **state)
{
    (void)state;
    add_applications(&red, 2 * PH_BROADCAST_STEP);
    begin(&red, PH_STR_NONE, 10);
    run_sql(hand, "BEGIN; SELECT FROM background_tasks FOR UPDATE");
    assert_false(step_with(db2).found);
    run_sql(hand, "ROLLBACK");
    while (step_with(db).found || step_with(db2).found)
        ;
    assert_int_equal(messages_of(&red), 2 * PH_BROADCAST_STEP + 1);
}

static int begin_with_api(void **state)
{
    begin_test(state);
    api = ph_db_new(loop, &(struct ph_db_options){.conninfo = database,
                                                  .role = PH_DB_API,
                                                  .connections = 1,
                                                  .max_waiting = 100,
                                                  .name = "posthorn test api"});
    return 0;
}

static int end_with_api(void **state)
{
    close_db(api);
    return end_test(state);
}

static int set_up(void **state)
{
    (void)state;
    return set_up_database("posthorn_broadcast_test");
}

#define BROADCAST_TEST(name) cmocka_unit_test_setup_teardown(name, begin_with_api, end_with_api)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BROADCAST_TEST(steps_go_on_where_the_last_one_ended),
        BROADCAST_TEST(a_step_makes_no_more_bytes_than_its_share),
        BROADCAST_TEST(it_waits_while_too_many_messages_of_the_tenant_wait),
        BROADCAST_TEST(a_cancelled_one_sends_no_more),
        BROADCAST_TEST(an_event_id_is_taken_together_with_its_message),
        BROADCAST_TEST(two_nodes_take_turns),
    };

    test_env("POSTHORN_TEST_DATABASE");
    return cmocka_run_group_tests(tests, set_up, tear_down_database);
}
