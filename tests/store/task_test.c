#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tasks.h"

static void recover_sends_what_failed_last_and_nothing_else(void **state)
{
    struct ph_id failed = message(&red, "a.b", NULL, NULL), fine = message(&red, "a.b", NULL, NULL);
    struct ph_id mended = message(&red, "a.b", NULL, NULL),
                 broke = message(&red, "a.b", NULL, NULL);
    struct ph_id elsewhere = message(&red, "a.b", NULL, NULL);
    struct ph_id pending = message(&red, "a.b", NULL, NULL);
    struct ph_id foreign = message(&blue, "a.b", NULL, NULL);
    (void)state;

    attempt(&red, 0, failed, FAIL, 500);
    attempt(&red, 0, failed, FAIL, 500);
    attempt(&red, 0, fine, SUCCESS, 200);
    attempt(&red, 0, mended, FAIL, 500);
    attempt(&red, 0, mended, SUCCESS, 200);
    attempt(&red, 0, broke, SUCCESS, 200);
    attempt(&red, 0, broke, FAIL, 0);
    attempt(&red, 1, elsewhere, FAIL, 500);
    attempt(&red, 0, pending, FAIL, 500);
    owe(&red, 0, pending, WAITING);
    attempt(&blue, 0, foreign, FAIL, 500);
    struct ph_id id = new_task(&red, 0, PH_TASK_RECOVER, "{\"status\":2}");

    struct answer first = step();
    assert_true(first.found);
    assert_int_equal(first.queued, 2);
    assert_false(step().found);
    assert_true(owes(&red, 0, failed));
    assert_true(owes(&red, 0, broke));
    assert_false(owes(&red, 0, pending)); /* it keeps its own time */
    assert_int_equal(owed_to(&red, 0), 3);
    assert_int_equal(owed_to(&red, 1) + owed_to(&blue, 0), 0);
    struct answer task = get(&red, id);
    assert_string_equal(task.status, "finished");
    assert_int_equal(task.walked, 8);
    assert_int_equal(task.total, 8);
    assert_int_equal(task.made, 2);
    assert_int_equal(ask_number("SELECT count(*) FROM schedule_arrivals WHERE endpoint_id = '%s'",
                                uuid_text(red.endpoints[0])),
                     1);
}

static void only_messages_of_the_time_are_looked_at(void **state)
{
    struct ph_id failed = message(&red, "a.b", NULL, NULL);
    (void)state;

    attempt(&red, 0, failed, FAIL, 500);
    new_task(&red, 0, PH_TASK_RECOVER, "{\"status\":2}");
    run_sql(admin, "UPDATE background_tasks SET until = uuid_floor(now() - interval '1 minute')");
    assert_int_equal(steps_until_idle(), 1);
    assert_int_equal(owed_to(&red, 0), 0);
    new_task(&red, 0, PH_TASK_RECOVER, "{\"status\":2}");
    run_sql(admin, "UPDATE background_tasks SET since = uuid_floor(now() + interval '1 minute') "
                   "WHERE status = 'running'");
    assert_int_equal(steps_until_idle(), 1);
    assert_int_equal(owed_to(&red, 0), 0);
}

static void what_is_missing_passes_the_filter_of_the_endpoint(void **state)
{
    struct ph_id small = message(&red, "a.b", NULL, NULL), large = message(&red, "a.b", NULL, NULL);
    (void)state;

    run_sql(admin, "UPDATE messages SET payload = '{\"amount\":100.01}' WHERE id = '%s'",
            uuid_text(large));
    run_sql(admin,
            "UPDATE endpoints SET filter = '{\"path\":\"amount\",\"op\":\"gt\",\"value\":100}' "
            "WHERE id = '%s'",
            uuid_text(red.endpoints[0]));
    new_task(&red, 0, PH_TASK_REPLAY_MISSING, "{}");
    new_task(&red, 1, PH_TASK_REPLAY_MISSING, "{}");
    steps_until_idle();
    assert_true(owes(&red, 0, large));
    assert_false(owes(&red, 0, small));
    assert_int_equal(owed_to(&red, 1), 2);
}

static void replay_takes_what_its_filters_leave(void **state)
{
    static const struct {
        const char *params;
        bool plain, tagged, channelled, failed;
    } cases[] = {
        {"{}", true, true, true, true},
        {"{\"status\":0}", true, true, true, false},
        {"{\"status\":2}", false, false, false, true},
        {"{\"statusCodeClass\":200}", true, true, true, false},
        {"{\"statusCodeClass\":400}", false, false, false, true},
        {"{\"statusCodeClass\":0}", false, false, false, false},
        {"{\"eventTypes\":[\"x\",\"c.d\"]}", false, false, false, true},
        {"{\"channel\":\"ch\"}", false, false, true, false},
        {"{\"tag\":\"t2\"}", false, true, false, false},
        {"{\"tag\":\"t2\",\"eventTypes\":[\"c.d\"]}", false, false, false, false},
    };
    struct ph_id plain = message(&red, "a.b", NULL, NULL);
    struct ph_id tagged = message(&red, "a.b", NULL, "'{t1,t2}'");
    struct ph_id channelled = message(&red, "a.b", "'{ch,other}'", NULL);
    struct ph_id failed = message(&red, "c.d", NULL, NULL);
    (void)state;

    attempt(&red, 0, plain, SUCCESS, 200);
    attempt(&red, 0, tagged, SUCCESS, 204);
    attempt(&red, 0, channelled, SUCCESS, 200);
    attempt(&red, 0, failed, FAIL, 404);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        new_task(&red, 0, PH_TASK_REPLAY, cases[i].params);
        assert_int_equal(steps_until_idle(), 1);
        if (owes(&red, 0, plain) != cases[i].plain || owes(&red, 0, tagged) != cases[i].tagged ||
            owes(&red, 0, channelled) != cases[i].channelled ||
            owes(&red, 0, failed) != cases[i].failed)
            fail_msg("%s takes others", cases[i].params);
        run_sql(admin, "TRUNCATE deliveries, endpoint_schedule");
    }
}

static void an_expired_payload_is_not_sent_again(void **state)
{
    struct ph_id expired = message(&red, "a.b", NULL, NULL);
    (void)state;

    attempt(&red, 0, expired, FAIL, 500);
    run_sql(admin, "UPDATE messages SET expires_at = now() - interval '1 second'");
    new_task(&red, 0, PH_TASK_RECOVER, "{\"status\":2}");
    new_task(&red, 1, PH_TASK_REPLAY_MISSING, "{}");
    assert_int_equal(steps_until_idle(), 2);
    assert_int_equal(owed_to(&red, 0) + owed_to(&red, 1), 0);
}

static void replay_missing_sends_what_the_endpoint_takes_and_never_got(void **state)
{
    struct ph_id wanted = message(&red, "a.b", "'{ch}'", NULL);
    struct ph_id type = message(&red, "c.d", "'{ch}'", NULL);
    struct ph_id channel = message(&red, "a.b", "'{other}'", NULL);
    struct ph_id none = message(&red, "a.b", NULL, NULL);
    struct ph_id tried = message(&red, "a.b", "'{ch}'", NULL);
    struct ph_id owed = message(&red, "a.b", "'{ch}'", NULL);
    struct ph_id mine = message(&red, "a.b", "'{ch}'", NULL);
    struct ph_id of_other = message(&red, "a.b", "'{ch}'", NULL);
    (void)state;

    message(&blue, "a.b", "'{ch}'", NULL);
    run_sql(admin,
            "UPDATE endpoints SET event_types = '{a.b,x}', channels = '{ch}' WHERE id = '%s'",
            uuid_text(red.endpoints[0]));
    run_sql(admin, "UPDATE messages SET endpoint_id = '%s' WHERE id = '%s'",
            uuid_text(red.endpoints[0]), uuid_text(mine));
    run_sql(admin, "UPDATE messages SET endpoint_id = '%s' WHERE id = '%s'",
            uuid_text(red.endpoints[1]), uuid_text(of_other));
    attempt(&red, 0, tried, FAIL, 500);
    attempt(&red, 1, wanted, SUCCESS, 200); /* elsewhere */
    owe(&red, 0, owed, IN_MEMORY);
    struct ph_id id = new_task(&red, 0, PH_TASK_REPLAY_MISSING, "{}");
    assert_int_equal(steps_until_idle(), 1);
    assert_true(owes(&red, 0, wanted));
    assert_true(owes(&red, 0, mine));
    assert_false(owes(&red, 0, type) || owes(&red, 0, channel) || owes(&red, 0, none) ||
                 owes(&red, 0, tried) || owes(&red, 0, of_other));
    assert_int_equal(owed_to(&red, 0), 3);
    struct answer task = get(&red, id);
    assert_int_equal(task.made, 2);
    assert_int_equal(task.walked, 8);
    assert_int_equal(task.total, 8);
}

static void what_was_skipped_is_missing_and_what_was_canceled_is_not(void **state)
{
    struct ph_id skipped = message(&red, "a.b", NULL, NULL),
                 canceled = message(&red, "a.b", NULL, NULL),
                 failed = message(&red, "a.b", NULL, NULL);
    (void)state;

    close_delivery(0, skipped, PH_STATUS_SKIPPED);
    close_delivery(1, skipped, PH_STATUS_SKIPPED);
    close_delivery(0, canceled, PH_STATUS_CANCELED);
    close_delivery(0, failed, PH_STATUS_CANCELED);
    attempt(&red, 0, failed, FAIL, 500);
    (void)new_task(&red, 0, PH_TASK_REPLAY_MISSING, "{}");
    (void)new_task(&red, 0, PH_TASK_RECOVER, "{\"status\":2}");
    (void)steps_until_idle();
    assert_int_equal(owed_to(&red, 0), 1);
    assert_true(owes(&red, 0, skipped));
    assert_int_equal(
        ask_number("SELECT count(*) FROM closed_deliveries WHERE state = 5 AND endpoint_id = '%s'",
                   uuid_text(red.endpoints[1])),
        1);
    assert_int_equal(ask_number("SELECT count(*) FROM closed_deliveries WHERE state = 5"), 1);
    (void)new_task(&red, 0, PH_TASK_REPLAY, "{}");
    (void)steps_until_idle();
    assert_true(owes(&red, 0, failed));
    assert_int_equal(owed_to(&red, 0), 2);
    assert_int_equal(ask_number("SELECT count(*) FROM closed_deliveries WHERE state = 4"), 1);
}

static void an_endpoint_without_filters_misses_all_messages(void **state)
{
    struct ph_id one = message(&red, "a.b", NULL, NULL), two = message(&red, "c", "'{ch}'", NULL);
    (void)state;

    new_task(&red, 2, PH_TASK_REPLAY_MISSING, "{}");
    assert_int_equal(steps_until_idle(), 1);
    assert_true(owes(&red, 2, one));
    assert_true(owes(&red, 2, two));
}

static void a_step_looks_at_five_hundred_and_waits_while_a_thousand_wait(void **state)
{
    (void)state;
    fail_many(&red, 0, 1700);
    struct ph_id id = new_task(&red, 0, PH_TASK_RECOVER, "{\"status\":2}");

    assert_int_equal(step().queued, 500);
    struct answer task = get(&red, id);
    assert_int_equal(task.walked, 500);
    assert_int_equal(task.total, 1700);
    assert_string_equal(task.status, "running");
    assert_int_equal(step().queued, 500);
    assert_int_equal(step().queued, 500); /* 1,000 wait: not more than 1,000 */
    struct answer waits = step();
    assert_true(waits.found);
    assert_int_equal(waits.queued, 0);
    assert_false(step().found); /* not before half a second */
    assert_string_equal(get(&red, id).status, "running");
    run_sql(admin, "DELETE FROM deliveries");
    run_sql(admin, "UPDATE background_tasks SET next_step_at = now()");
    assert_int_equal(step().queued, 200);
    task = get(&red, id);
    assert_string_equal(task.status, "finished");
    assert_int_equal(task.walked, 1700);
    assert_int_equal(task.made, 1700);
    assert_int_equal(owed_to(&red, 0), 200);
}

static void deliveries_in_memory_do_not_hold_a_task_up(void **state)
{
    (void)state;
    fail_many(&red, 0, 1500);
    run_sql(admin,
            "INSERT INTO deliveries (endpoint_id, message_id, tenant_id, application_id, node_id) "
            "SELECT '%s', id, tenant_id, application_id, 7 FROM messages ORDER BY id LIMIT 1200",
            uuid_text(red.endpoints[0]));
    struct ph_id id = new_task(&red, 0, PH_TASK_RECOVER, "{\"status\":2}");
    steps_until_idle();
    assert_string_equal(get(&red, id).status, "finished");
    assert_int_equal(get(&red, id).made, 300);
}

static void a_step_that_is_rolled_back_has_done_nothing(void **state)
{
    (void)state;
    fail_many(&red, 0, 700);
    struct ph_id id = new_task(&red, 0, PH_TASK_RECOVER, "{\"status\":2}");
    assert_int_equal(step().queued, 500);
    run_sql(hand, "BEGIN; UPDATE background_tasks SET cursor = stop, done = 999");
    assert_false(step_with(db2).found); /* another node has it */
    run_sql(hand, "ROLLBACK");
    assert_int_equal(step_with(db2).queued, 200);
    assert_int_equal(get(&red, id).walked, 700);
    assert_int_equal(owed_to(&red, 0), 700);
}

static void tasks_take_turns(void **state)
{
    (void)state;
    fail_many(&red, 0, 900);
    fail_many(&blue, 1, 900);
    struct ph_id mine = new_task(&red, 0, PH_TASK_RECOVER, "{\"status\":2}");
    struct ph_id theirs = new_task(&blue, 1, PH_TASK_RECOVER, "{\"status\":2}");
    assert_true(step().found);
    assert_true(step().found);
    assert_int_equal(get(&red, mine).walked, 500);
    assert_int_equal(get(&blue, theirs).walked, 500);
}

static void a_task_of_a_disabled_or_deleted_endpoint_fails(void **state)
{
    struct ph_id failed = message(&red, "a.b", NULL, NULL);
    (void)state;

    attempt(&red, 0, failed, FAIL, 500);
    attempt(&red, 1, failed, FAIL, 500);
    struct ph_id disabled = new_task(&red, 0, PH_TASK_RECOVER, "{\"status\":2}");
    struct ph_id gone = new_task(&red, 1, PH_TASK_RECOVER, "{\"status\":2}");
    run_sql(admin, "UPDATE endpoints SET disabled = true WHERE id = '%s'",
            uuid_text(red.endpoints[0]));
    run_sql(admin, "DELETE FROM endpoints WHERE id = '%s'", uuid_text(red.endpoints[1]));
    assert_int_equal(steps_until_idle(), 2);
    assert_string_equal(get(&red, disabled).status, "failed");
    assert_string_equal(get(&red, disabled).error, "the endpoint is disabled");
    assert_string_equal(get(&red, gone).status, "failed");
    assert_string_equal(get(&red, gone).error, "the endpoint is gone");
    assert_int_equal(ask_number("SELECT count(*) FROM deliveries"), 0);
    assert_int_equal(order(&red, 0, PH_TASK_RECOVER, "{}").err, PH_ERR_CONFLICT);
    assert_int_equal(order(&red, 1, PH_TASK_RECOVER, "{}").err, PH_ERR_NOT_FOUND);
}

static void a_cancelled_task_does_nothing_more_and_a_finished_one_stays_finished(void **state)
{
    (void)state;
    fail_many(&red, 0, 700);
    struct ph_id id = new_task(&red, 0, PH_TASK_RECOVER, "{\"status\":2}");
    assert_int_equal(step().queued, 500);
    struct answer cancelled = cancel_task(&red, id);
    assert_string_equal(cancelled.status, "failed");
    assert_string_equal(cancelled.error, "cancelled");
    assert_false(step().found);
    assert_int_equal(owed_to(&red, 0), 500);
    struct ph_id other = new_task(&red, 1, PH_TASK_RECOVER, "{\"status\":2}");
    assert_int_equal(steps_until_idle(), 1);
    assert_string_equal(cancel_task(&red, other).status, "finished");
}

static void a_step_that_fails_lets_others_go_first(void **state)
{
    struct ph_arena *arena = ph_arena_new();
    struct answer answer = {0};
    (void)state;

    struct ph_id first = new_task(&red, 0, PH_TASK_RECOVER, "{\"status\":2}");
    struct ph_id second = new_task(&red, 1, PH_TASK_RECOVER, "{\"status\":2}");
    ph_background_task_postpone(db, arena, PH_TASK_OF_ENDPOINT, on_step, &answer);
    wait_until(&answer.done, "postpone");
    ph_arena_free(arena);
    assert_int_equal(answer.err, PH_OK);
    assert_int_equal(steps_until_idle(), 1);
    assert_string_equal(get(&red, first).status, "running");
    assert_string_equal(get(&red, first).error, "a step failed and will be tried again");
    assert_string_equal(get(&red, second).status, "finished");
}

static void tasks_are_their_tenant_s_own(void **state)
{
    struct ph_arena *arena = ph_arena_new();
    struct ph_list list = {.limit = 10, .descending = true};
    struct ph_id id = new_task(&red, 0, PH_TASK_RECOVER, "{\"status\":2}");
    struct ph_id replay = new_task(&red, 0, PH_TASK_REPLAY, "{}");
    struct answer answer = {0};
    (void)state;

    assert_int_equal(get(&blue, id).err, PH_ERR_NOT_FOUND);
    assert_int_equal(cancel_task(&blue, id).err, PH_ERR_NOT_FOUND);
    assert_string_equal(get(&red, id).status, "running");
    ph_background_task_list(api, arena, blue.id, &list, PH_STR_NONE, PH_STR_NONE, on_list, &answer);
    wait_until(&answer.done, "list");
    assert_int_equal(answer.n, 0);
    answer.done = false;
    ph_background_task_list(api, arena, red.id, &list, PH_STR_NONE, PH_STR_NONE, on_list, &answer);
    wait_until(&answer.done, "list");
    assert_int_equal(answer.n, 2);
    assert_true(ph_id_eq(answer.id, replay));
    answer.done = false;
    ph_background_task_list(api, arena, red.id, &list, PH_STR("running"),
                            PH_STR("endpoint.recover"), on_list, &answer);
    wait_until(&answer.done, "list");
    assert_int_equal(answer.n, 1);
    assert_true(ph_id_eq(answer.id, id));
    answer.done = false;
    ph_background_task_list(api, arena, red.id, &list, PH_STR("failed"), PH_STR_NONE, on_list,
                            &answer);
    wait_until(&answer.done, "list");
    assert_int_equal(answer.n, 0);
    ph_arena_free(arena);
}

static void on_number(enum ph_err err, int32_t n, void *ctx)
{
    (void)n;
    on_plain(ctx, err);
}

static void tasks_go_with_retention_unless_they_run(void **state)
{
    struct ph_arena *arena = ph_arena_new();
    struct ph_id old = new_task(&red, 0, PH_TASK_RECOVER, "{}");
    struct answer answer = {0};
    (void)state;

    assert_int_equal(steps_until_idle(), 1);
    run_sql(admin, "UPDATE background_tasks SET id = uuid_floor(now() - interval '31 days')");
    struct ph_id ended = new_task(&red, 0, PH_TASK_RECOVER, "{}");
    assert_int_equal(steps_until_idle(), 1);
    run_sql(admin,
            "INSERT INTO background_tasks SELECT uuid_floor(now() - interval '40 days') AS id, "
            "tenant_id, application_id, endpoint_id, type, 'running' AS status, params, since, "
            "until, cursor, stop FROM background_tasks WHERE id = '%s'",
            uuid_text(ended));
    ph_housekeeping_run(db, arena, 30, 365, on_number, &answer);
    wait_until(&answer.done, "housekeeping");
    ph_arena_free(arena);
    assert_int_equal(answer.err, PH_OK);
    assert_int_equal(get(&red, old).err, PH_ERR_NOT_FOUND);
    assert_int_equal(get(&red, ended).err, PH_OK);
    assert_int_equal(ask_number("SELECT count(*) FROM background_tasks WHERE status = 'running'"),
                     1);
    assert_int_equal(ask_number("SELECT count(*) FROM background_tasks"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TASK_TEST(recover_sends_what_failed_last_and_nothing_else),
        TASK_TEST(only_messages_of_the_time_are_looked_at),
        TASK_TEST(what_is_missing_passes_the_filter_of_the_endpoint),
        TASK_TEST(replay_takes_what_its_filters_leave),
        TASK_TEST(an_expired_payload_is_not_sent_again),
        TASK_TEST(replay_missing_sends_what_the_endpoint_takes_and_never_got),
        TASK_TEST(what_was_skipped_is_missing_and_what_was_canceled_is_not),
        TASK_TEST(an_endpoint_without_filters_misses_all_messages),
        TASK_TEST(a_step_looks_at_five_hundred_and_waits_while_a_thousand_wait),
        TASK_TEST(deliveries_in_memory_do_not_hold_a_task_up),
        TASK_TEST(a_step_that_is_rolled_back_has_done_nothing),
        TASK_TEST(tasks_take_turns),
        TASK_TEST(a_task_of_a_disabled_or_deleted_endpoint_fails),
        TASK_TEST(a_cancelled_task_does_nothing_more_and_a_finished_one_stays_finished),
        TASK_TEST(a_step_that_fails_lets_others_go_first),
        TASK_TEST(tasks_are_their_tenant_s_own),
        TASK_TEST(tasks_go_with_retention_unless_they_run),
    };

    test_env("POSTHORN_TEST_DATABASE");
    return cmocka_run_group_tests(tests, set_up, tear_down_database);
}
