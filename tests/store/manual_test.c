#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tasks.h"

static enum ph_err resend(const struct tenant *tenant, int endpoint, struct ph_id of)
{
    struct ph_arena *arena = ph_arena_new();
    struct ph_endpoint_path path = path_to(tenant, endpoint);
    char wire[PH_ID_WIRE_MAX];
    struct ph_str name = {wire, ph_id_format(PH_ID_MESSAGE, of, wire)};
    struct answer answer = {0};

    ph_delivery_resend(db, arena, &path, name, on_plain, &answer);
    wait_until(&answer.done, "resend");
    ph_arena_free(arena);
    return answer.err;
}

static void a_resent_delivery_is_due_at_once(void **state)
{
    struct ph_id done = message(&red, "a.b", NULL, NULL), waits = message(&red, "a.b", NULL, NULL);
    struct ph_id held = message(&red, "a.b", NULL, NULL);
    (void)state;

    owe(&red, 0, waits, WAITING);
    run_sql(admin,
            "UPDATE deliveries SET attempts = 3; INSERT INTO endpoint_schedule (endpoint_id, "
            "tenant_id, next_due_at) VALUES ('%s', '%s', now() + interval '2 hours')",
            uuid_text(red.endpoints[0]), uuid_text(red.id));
    owe(&red, 0, held, IN_MEMORY);
    close_delivery(0, done, PH_STATUS_SKIPPED);
    assert_int_equal(resend(&red, 0, done), PH_OK);
    assert_int_equal(ask_number("SELECT count(*) FROM closed_deliveries"), 0);
    assert_int_equal(resend(&red, 0, waits), PH_OK);
    assert_int_equal(resend(&red, 0, held), PH_OK);
    assert_true(owes(&red, 0, done));
    assert_true(owes(&red, 0, waits));
    assert_int_equal(owed_to(&red, 0), 3);
    assert_int_equal(
        ask_number("SELECT attempts FROM deliveries WHERE message_id = '%s'", uuid_text(waits)), 3);
    assert_int_equal(ask_number("SELECT count(*) FROM deliveries WHERE message_id = '%s' AND "
                                "node_id = 7 AND trigger_type = 0",
                                uuid_text(held)),
                     1);
    assert_int_equal(ask_number("SELECT count(*) FROM schedule_arrivals WHERE endpoint_id = '%s'",
                                uuid_text(red.endpoints[0])),
                     2);
}

static void what_cannot_be_resent_says_why(void **state)
{
    struct ph_id mine = message(&red, "a.b", NULL, NULL),
                 theirs = message(&blue, "a.b", NULL, NULL);
    (void)state;

    assert_int_equal(resend(&red, 0, theirs), PH_ERR_NOT_FOUND);
    assert_int_equal(resend(&blue, 0, mine), PH_ERR_NOT_FOUND);
    run_sql(admin, "UPDATE endpoints SET disabled = true WHERE id = '%s'",
            uuid_text(red.endpoints[0]));
    assert_int_equal(resend(&red, 0, mine), PH_ERR_CONFLICT);
    run_sql(admin, "UPDATE messages SET expires_at = now()");
    assert_int_equal(resend(&red, 1, mine), PH_ERR_VALIDATION);
    assert_int_equal(ask_number("SELECT count(*) FROM deliveries"), 0);
    assert_int_equal(ask_number("SELECT count(*) FROM schedule_arrivals"), 0);
}

static enum ph_err cancel_before(const struct tenant *tenant, int endpoint, int64_t before_ms)
{
    struct ph_arena *arena = ph_arena_new();
    struct ph_endpoint_path path = path_to(tenant, endpoint);
    struct answer answer = {0};

    ph_deliveries_cancel(db, arena, &path, before_ms, on_plain, &answer);
    wait_until(&answer.done, "cancel");
    ph_arena_free(arena);
    return answer.err;
}

static void
deliveries_of_older_messages_are_cancelled_however_many_and_whoever_has_them(void **state)
{
    struct ph_id late = ph_id_new(ph_clock_wall_ms() + 60000),
                 held = message(&red, "a.b", NULL, NULL);
    int64_t now_ms = ph_clock_wall_ms() + 1000;
    char told[128] = "";
    PGnotify *notify;
    (void)state;

    fail_many(&red, 0, 5600);
    run_sql(admin,
            "INSERT INTO deliveries (endpoint_id, message_id, tenant_id, application_id, next_at) "
            "SELECT '%s', id, tenant_id, application_id, now() FROM messages WHERE id <> '%s'",
            uuid_text(red.endpoints[0]), uuid_text(held));
    owe(&red, 0, late, WAITING);
    owe(&red, 0, held, IN_MEMORY);
    owe(&red, 1, held, WAITING);
    run_sql(hand, "SELECT hear_news()");
    assert_int_equal(cancel_before(&red, 0, now_ms), PH_OK);
    assert_int_equal(owed_to(&red, 0), 1);
    assert_int_equal(owed_to(&red, 1), 1);
    assert_int_equal(
        ask_number("SELECT count(*) FROM closed_deliveries WHERE state = 4 AND endpoint_id = '%s'",
                   uuid_text(red.endpoints[0])),
        5601);
    run_sql(hand, "SELECT 1");
    PQconsumeInput(hand);
    int n = 0;
    while ((notify = PQnotifies(hand))) {
        snprintf(told, sizeof told, "%s", notify->extra);
        PQfreemem(notify);
        n++;
    }
    run_sql(hand, "UNLISTEN *");
    char expected[128];
    snprintf(expected, sizeof expected, "cancel:%s:%lld", uuid_text(red.endpoints[0]),
             (long long)now_ms);
    assert_int_equal(n, 2); /* one of each statement */
    assert_string_equal(told, expected);
    assert_int_equal(cancel_before(&red, 1, 0), PH_OK);
    assert_int_equal(owed_to(&red, 1), 1);
}

static void a_message_for_one_endpoint_is_owed_to_that_one_alone(void **state)
{
    struct ph_arena *arena = ph_arena_new();
    struct ph_endpoint_path path = path_to(&red, 1);
    struct ph_id id = new_id();
    struct answer answer = {0};
    (void)state;

    ph_message_send_to(db, arena, &path, id, PH_STR("a.b"), PH_STR("{\"x\":1}"), on_plain, &answer);
    wait_until(&answer.done, "send");
    assert_int_equal(answer.err, PH_OK);
    assert_int_equal(owed_to(&red, 1), 1);
    assert_int_equal(ask_number("SELECT count(*) FROM deliveries"), 1);
    assert_int_equal(
        ask_number("SELECT count(*) FROM messages WHERE id = '%s' AND endpoint_id = '%s' AND "
                   "tenant_id = '%s' AND application_id = '%s' AND payload = '{\"x\":1}'",
                   uuid_text(id), uuid_text(red.endpoints[1]), uuid_text(red.id),
                   uuid_text(red.subscriptions.application)),
        1);
    run_sql(admin, "UPDATE endpoints SET disabled = true");
    answer.done = false;
    ph_message_send_to(db, arena, &path, new_id(), PH_STR("a.b"), PH_STR("{}"), on_plain, &answer);
    wait_until(&answer.done, "send");
    assert_int_equal(answer.err, PH_ERR_CONFLICT);
    assert_int_equal(ask_number("SELECT count(*) FROM messages"), 1);
    ph_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TASK_TEST(a_resent_delivery_is_due_at_once),
        TASK_TEST(what_cannot_be_resent_says_why),
        TASK_TEST(deliveries_of_older_messages_are_cancelled_however_many_and_whoever_has_them),
        TASK_TEST(a_message_for_one_endpoint_is_owed_to_that_one_alone),
    };

    test_env("POSTHORN_TEST_DATABASE");
    return cmocka_run_group_tests(tests, set_up, tear_down_database);
}
