#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "message_sender.h"

/* What a fresh batch leaves behind */

static void messages_and_deliveries_are_stored(void **state)
{
    struct sent sent[2] = {add(batch, &red, 1, "e1"), add(batch, &blue, 0, NULL)};
    (void)state;

    owe(batch, &sent[0], red.endpoints[0], NODE);
    owe(batch, &sent[0], red.endpoints[1], 0);
    owe(batch, &sent[1], blue.endpoints[2], NODE);
    assert_int_equal(ph_message_batch_count(batch), 2);
    assert_int_equal(ph_message_batch_deliveries(batch), 3);
    store_all();

    assert_int_equal(ask_number("SELECT count(*) FROM messages"), 2);
    assert_int_equal(
        ask_number(
            "SELECT count(*) FROM messages WHERE id = '%s' AND tenant_id = '%s' AND application_id "
            "= '%s' "
            "AND event_type = 'a.b' AND event_id = 'e1' AND channels IS NULL AND tags IS NULL "
            "AND expires_at IS NULL",
            uuid_text(id_of(&sent[0])), uuid_text(red.id),
            uuid_text(red.subscriptions.application)),
        1);
    assert_int_equal(
        ask_number("SELECT count(*) FROM messages WHERE id = '%s' AND tenant_id = '%s' "
                   "AND application_id = '%s' AND event_id IS NULL",
                   uuid_text(id_of(&sent[1])), uuid_text(blue.id),
                   uuid_text(blue.subscriptions.application)),
        1);
    assert_int_equal(ask_number("SELECT count(*) FROM deliveries"), 3);
    assert_int_equal(ask_number("SELECT count(*) FROM deliveries WHERE node_id = %d AND next_at IS "
                                "NULL AND attempts = 0 "
                                "AND (endpoint_id, message_id, tenant_id, application_id) IN "
                                "(('%s', '%s', '%s', '%s'), ('%s', '%s', '%s', '%s'))",
                                NODE, uuid_text(red.endpoints[0]), uuid_text(id_of(&sent[0])),
                                uuid_text(red.id), uuid_text(red.subscriptions.application),
                                uuid_text(blue.endpoints[2]), uuid_text(id_of(&sent[1])),
                                uuid_text(blue.id), uuid_text(blue.subscriptions.application)),
                     2);
    assert_int_equal(
        ask_number(
            "SELECT count(*) FROM idempotency_keys WHERE tenant_id = '%s' AND message_id = '%s'",
            uuid_text(red.id), uuid_text(id_of(&sent[0]))),
        1);
    assert_keys_match_messages();
    done_with(sent, 2);
}

/* As each claim does first. */
static void join_schedule(void)
{
    run_sql(admin, "%s", ph_sql_schedule_join.sql);
    assert_int_equal(ask_number("SELECT count(*) FROM schedule_arrivals"), 0);
}

static void an_unclaimed_delivery_is_due_and_schedules_its_endpoint(void **state)
{
    struct sent sent[2] = {add(batch, &red, 0, NULL), add(batch, &blue, 0, NULL)};
    (void)state;

    owe(batch, &sent[0], red.endpoints[0], 0);
    owe(batch, &sent[0], red.endpoints[1], NODE);
    owe(batch, &sent[1], blue.endpoints[0], 0);
    store_all();
    join_schedule();
    assert_int_equal(
        ask_number("SELECT count(*) FROM deliveries WHERE node_id IS NULL AND next_at <= now() "
                   "AND endpoint_id IN ('%s', '%s')",
                   uuid_text(red.endpoints[0]), uuid_text(blue.endpoints[0])),
        2);
    assert_int_equal(ask_number("SELECT count(*) FROM endpoint_schedule"), 2);
    assert_int_equal(
        ask_number("SELECT count(*) FROM endpoint_schedule WHERE serve_at <= now() AND "
                   "(endpoint_id, tenant_id) IN (('%s', '%s'), ('%s', '%s'))",
                   uuid_text(red.endpoints[0]), uuid_text(red.id), uuid_text(blue.endpoints[0]),
                   uuid_text(blue.id)),
        2);
    done_with(sent, 2);
}

static void what_is_skipped_is_kept_as_such_in_every_statement(void **state)
{
    (void)state;

    for (int keyed = 0; keyed < 2; keyed++) {
        struct sent sent[3] = {add(batch, &red, 0, keyed ? "e" : NULL), add(batch, &red, 0, NULL),
                               add(batch, &blue, 0, NULL)};
        owe(batch, &sent[0], red.endpoints[0], NODE);
        ph_message_batch_add_skipped(batch, sent[0].index, &sent[0].message, red.endpoints[1]);
        ph_message_batch_add_skipped(batch, sent[1].index, &sent[1].message, red.endpoints[1]);
        ph_message_batch_add_skipped(batch, sent[2].index, &sent[2].message, blue.endpoints[0]);
        run_sql(
            admin,
            "UPDATE applications SET config_version = config_version + 1 WHERE tenant_id = '%s'",
            uuid_text(blue.id));
        struct answer answer = store(batch, db);
        assert_int_equal(answer.err, PH_OK);
        assert_int_equal(answer.n, 1);
        assert_int_equal(
            ask_number(
                "SELECT count(*) FROM closed_deliveries WHERE state = 5 AND tenant_id = '%s' AND "
                "endpoint_id = '%s' AND message_id IN ('%s', '%s')",
                uuid_text(red.id), uuid_text(red.endpoints[1]),
                uuid_text(sent[0].message.payload->message),
                uuid_text(sent[1].message.payload->message)),
            2);
        assert_int_equal(ask_number("SELECT count(*) FROM closed_deliveries"), 2 * (keyed + 1));
        assert_int_equal(ask_number("SELECT count(*) FROM deliveries"), keyed + 1);
        assert_int_equal(ask_number("SELECT count(*) FROM schedule_arrivals"), 0);
        done_with(sent, 3);
        ph_message_batch_clear(batch);
    }
}

/* Each bump is what a claim that is under way notices. */
static void joining_deliveries_move_the_schedule_forward_and_bump_it_but_end_no_hold(void **state)
{
    struct sent sent[2];
    (void)state;

    run_sql(admin,
            "INSERT INTO endpoint_schedule (endpoint_id, tenant_id, next_due_at, held_until, "
            "changes) VALUES "
            "('%s', '%s', now() + interval '1 hour', now() + interval '2 hours', 5), "
            "('%s', '%s', now() - interval '1 hour', '-infinity', 0)",
            uuid_text(red.endpoints[0]), uuid_text(red.id), uuid_text(red.endpoints[1]),
            uuid_text(red.id));
    for (int i = 0; i < 2; i++) {
        sent[i] = add(batch, &red, 0, NULL);
        owe(batch, &sent[i], red.endpoints[0], 0);
        owe(batch, &sent[i], red.endpoints[1], 0);
    }
    store_all();
    join_schedule();
    assert_int_equal(
        ask_number(
            "SELECT count(*) FROM endpoint_schedule WHERE endpoint_id = '%s' AND changes > 5 "
            "AND next_due_at <= now() AND held_until > now() + interval '119 minutes' "
            "AND serve_at = held_until",
            uuid_text(red.endpoints[0])),
        1);
    assert_int_equal(
        ask_number(
            "SELECT count(*) FROM endpoint_schedule WHERE endpoint_id = '%s' AND changes > 0 "
            "AND next_due_at < now() - interval '59 minutes'",
            uuid_text(red.endpoints[1])),
        1);
    assert_int_equal(ask_number("SELECT count(*) FROM endpoint_schedule"), 2);
    done_with(sent, 2);
}

static void channels_tags_and_expiry_are_stored(void **state)
{
    struct sent sent[2];
    struct ph_new_message message = {
        .subscriptions = &red.subscriptions,
        .payload = ph_payload_new(new_id(), red.id, red.subscriptions.application, PH_STR("a.b"),
                                  PH_STR_NONE, PH_STR("{}")),
        .event_type = PH_STR("gr\xc3\xbc\xc3\x9f.e"),
        .channels = PH_STR("one,two"),
        .tags = PH_STR("t"),
        .expires_ms = INT64_C(1795512600250),
    };
    (void)state;

    sent[0] = (struct sent){message, ph_message_batch_add(batch, &message)};
    sent[1] = add(batch, &blue, 0, NULL);
    store_all();
    assert_int_equal(
        ask_number(
            "SELECT count(*) FROM messages WHERE id = '%s' AND channels = '{one,two}' AND tags = "
            "'{t}' "
            "AND expires_at = '2026-11-24 09:30:00.25+00' AND event_type = 'gr\xc3\xbc\xc3\x9f.e'",
            uuid_text(id_of(&sent[0]))),
        1);
    done_with(sent, 2);
}

static void assert_payload(const struct sent *sent, struct ph_str want)
{
    const char *id = uuid_text(id_of(sent));
    PGresult *res = PQexecParams(admin, "SELECT payload FROM messages WHERE id = $1::uuid", 1, NULL,
                                 &id, NULL, NULL, 1);

    assert_int_equal(PQresultStatus(res), PGRES_TUPLES_OK);
    assert_int_equal(PQntuples(res), 1);
    assert_int_equal(PQgetlength(res, 0, 0), want.len);
    assert_memory_equal(PQgetvalue(res, 0, 0), want.ptr, want.len);
    PQclear(res);
}

static void a_raw_body_is_stored_beside_the_payload(void **state)
{
    struct sent sent[2];
    struct ph_new_message message = {
        .subscriptions = &red.subscriptions,
        .payload = ph_payload_new(new_id(), red.id, red.subscriptions.application, PH_STR("a.b"),
                                  PH_STR("text/xml"), PH_STR("<a/>")),
        .event_type = PH_STR("a.b"),
        .json = PH_STR("{\"a\":2}"),
        .content_type = PH_STR("text/xml"),
    };
    (void)state;

    sent[0] = (struct sent){message, ph_message_batch_add(batch, &message)};
    sent[1] = add(batch, &blue, 0, NULL);
    assert_true(ph_message_batch_bytes(batch) >= 4 + 7 + 8);
    store_all();
    assert_payload(&sent[0], PH_STR("{\"a\":2}"));
    assert_int_equal(ask_number("SELECT count(*) FROM messages WHERE id = '%s' AND raw_body = "
                                "'<a/>' AND content_type = 'text/xml'",
                                uuid_text(id_of(&sent[0]))),
                     1);
    assert_payload(&sent[1], PH_STR("{\"a\": 1}"));
    assert_int_equal(ask_number("SELECT count(*) FROM messages WHERE raw_body IS NULL AND "
                                "content_type IS NULL"),
                     1);
    done_with(sent, 2);
}

static void payload_bytes_are_kept_exactly(void **state)
{
    size_t big_bytes = 1 << 20;
    char every[258], *big = ph_malloc(big_bytes);
    struct ph_str payloads[3] = {
        {every, sizeof every}, {big, big_bytes}, {" {\"b\" :1 ,\"b\":1.0e0}\n", 22}};
    struct sent sent[3];
    uint32_t noise = 1;
    (void)state;

    every[0] = every[257] = '"';
    for (int i = 0; i < 256; i++)
        every[i + 1] = (char)i;
    for (size_t i = 0; i < big_bytes; i++) {
        noise = noise * 1664525 + 1013904223;
        big[i] = (char)(noise >> 24);
    }
    for (int i = 0; i < 3; i++) {
        struct tenant *tenant = i == 1 ? &blue : &red;
        struct ph_new_message message = {
            .subscriptions = &tenant->subscriptions,
            .payload = ph_payload_new(new_id(), tenant->id, tenant->subscriptions.application,
                                      PH_STR("a.b"), PH_STR_NONE, payloads[i]),
            .event_type = PH_STR("a.b"),
        };
        sent[i] = (struct sent){message, ph_message_batch_add(batch, &message)};
    }
    assert_true(ph_message_batch_bytes(batch) >= big_bytes + sizeof every + 22);
    store_all();
    for (int i = 0; i < 3; i++)
        assert_payload(&sent[i], payloads[i]);
    done_with(sent, 3);
    free(big);
}

static void a_thousand_messages_with_three_endpoints_each(void **state)
{
    struct sent *sent = ph_calloc(1000, sizeof *sent);
    char event_id[16];
    (void)state;

    for (int i = 0; i < 1000; i++) {
        struct tenant *tenant = i % 2 ? &blue : &red;
        snprintf(event_id, sizeof event_id, "e%d", i);
        sent[i] = add(batch, tenant, i % 3 == 0 ? i + 1 : 0, NULL);
        for (int e = 0; e < ENDPOINTS; e++)
            owe(batch, &sent[i], tenant->endpoints[e], (i + e) % 4 ? NODE : 0);
    }
    store_all();
    assert_int_equal(ask_number("SELECT count(*) FROM messages"), 1000);
    assert_int_equal(
        ask_number("SELECT count(*) FROM deliveries d JOIN messages m ON m.id = d.message_id "
                   "AND m.application_id = d.application_id AND m.tenant_id = d.tenant_id "
                   "JOIN endpoints e ON e.id = d.endpoint_id AND e.tenant_id = d.tenant_id"),
        3000);
    assert_int_equal(ask_number("SELECT count(*) FROM deliveries WHERE node_id IS NULL"), 750);
    assert_int_equal(ask_number("SELECT count(*) FROM idempotency_keys"), 334);
    done_with(sent, 1000);
    free(sent);
}

static void a_cleared_batch_is_empty(void **state)
{
    struct sent sent[2] = {add(batch, &red, 1, "e1")};
    (void)state;

    owe(batch, &sent[0], red.endpoints[0], 0);
    ph_message_batch_clear(batch);
    assert_int_equal(ph_message_batch_count(batch), 0);
    assert_int_equal(ph_message_batch_deliveries(batch), 0);
    sent[1] = add(batch, &blue, 1, "e1");
    assert_int_equal(sent[1].index, 0);
    store_all();
    assert_int_equal(ask_number("SELECT count(*) FROM messages"), 1);
    assert_int_equal(ask_number("SELECT count(*) FROM deliveries"), 0);
    assert_true(is_stored(&sent[1]));
    done_with(sent, 2);
}

/* Stale snapshots */

static void a_stale_version_rejects_the_messages_of_that_application_only(void **state)
{
    struct ph_subscriptions before = red.subscriptions;
    struct sent sent[4];
    struct answer answer;
    (void)state;

    run_sql(admin, "UPDATE applications SET config_version = 2 WHERE id = '%s'",
            uuid_text(before.application));
    sent[0] = add(batch, &red, 1, "e1");
    sent[1] = add(batch, &blue, 2, "e1");
    sent[2] = add(batch, &red, 0, NULL);
    owe(batch, &sent[0], red.endpoints[0], NODE);
    owe(batch, &sent[1], blue.endpoints[0], 0);
    owe(batch, &sent[2], red.endpoints[1], 0);
    answer = store(batch, db);
    assert_int_equal(answer.err, PH_OK);
    assert_int_equal(answer.n, 2);
    assert_rejected(&answer, 0, 0, PH_REJECTED_STALE);
    assert_rejected(&answer, 1, 2, PH_REJECTED_STALE);
    assert_true(is_stored(&sent[1]));
    assert_int_equal(ask_number("SELECT count(*) FROM messages"), 1);
    assert_int_equal(ask_number("SELECT count(*) FROM deliveries"), 1);
    assert_int_equal(ask_number("SELECT count(*) FROM schedule_arrivals"), 1);
    assert_keys_match_messages();

    /* Matched again: its key and event id are free. */
    red.subscriptions.config_version = 2;
    ph_message_batch_clear(batch);
    sent[3] = add(batch, &red, 1, "e1");
    store_all();
    assert_true(is_stored(&sent[3]));
    done_with(sent, 4);
}

static void two_snapshots_of_one_application_are_told_apart(void **state)
{
    struct tenant old = red;
    struct sent sent[2];
    struct answer answer;
    (void)state;

    run_sql(admin, "UPDATE applications SET config_version = 2 WHERE id = '%s'",
            uuid_text(red.subscriptions.application));
    red.subscriptions.config_version = 2;
    sent[0] = add(batch, &old, 0, NULL);
    sent[1] = add(batch, &red, 0, NULL);
    answer = store(batch, db);
    assert_int_equal(answer.err, PH_OK);
    assert_int_equal(answer.n, 1);
    assert_rejected(&answer, 0, 0, PH_REJECTED_STALE);
    assert_true(is_stored(&sent[1]));
    done_with(sent, 2);
}

static void a_deleted_application_rejects_its_messages(void **state)
{
    struct sent sent[2] = {add(batch, &red, 0, NULL), add(batch, &blue, 0, NULL)};
    struct answer answer;
    (void)state;

    owe(batch, &sent[0], red.endpoints[0], NODE);
    owe(batch, &sent[1], blue.endpoints[0], NODE);
    run_sql(admin, "DELETE FROM applications WHERE id = '%s'",
            uuid_text(red.subscriptions.application));
    answer = store(batch, db);
    assert_int_equal(answer.err, PH_OK);
    assert_int_equal(answer.n, 1);
    assert_rejected(&answer, 0, 0, PH_REJECTED_STALE);
    assert_false(is_stored(&sent[0]));
    assert_true(is_stored(&sent[1]));
    assert_int_equal(ask_number("SELECT count(*) FROM deliveries"), 1);
    assert_true(is_owed(&sent[1], blue.endpoints[0]));
    done_with(sent, 2);
}

/* The snapshots of a batch are found by a hash of their address: more of them than slots. */
static void many_applications_share_a_batch(void **state)
{
    struct tenant *tenants = ph_calloc(300, sizeof *tenants);
    struct sent *sent = ph_calloc(600, sizeof *sent);
    struct answer answer;
    (void)state;

    for (int i = 0; i < 300; i++) {
        tenants[i] = i % 2 ? red : blue;
        tenants[i].subscriptions.application = new_id();
        run_sql(admin,
                "INSERT INTO applications (id, tenant_id, name, config_version) VALUES ('%s', "
                "'%s', 'x', %d)",
                uuid_text(tenants[i].subscriptions.application), uuid_text(tenants[i].id),
                i == 77 || i == 299 ? 2 : 1);
    }
    for (int i = 0; i < 600; i++)
        sent[i] = add(batch, &tenants[i % 300], 0, NULL);
    answer = store(batch, db);
    assert_int_equal(answer.err, PH_OK);
    assert_int_equal(answer.n, 4);
    assert_rejected(&answer, 0, 77, PH_REJECTED_STALE);
    assert_rejected(&answer, 1, 299, PH_REJECTED_STALE);
    assert_rejected(&answer, 2, 377, PH_REJECTED_STALE);
    assert_rejected(&answer, 3, 599, PH_REJECTED_STALE);
    done_with(sent, 600);
    free(sent);
    free(tenants);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(messages_and_deliveries_are_stored),
        TEST(what_is_skipped_is_kept_as_such_in_every_statement),
        TEST(an_unclaimed_delivery_is_due_and_schedules_its_endpoint),
        TEST(joining_deliveries_move_the_schedule_forward_and_bump_it_but_end_no_hold),
        TEST(channels_tags_and_expiry_are_stored),
        TEST(a_raw_body_is_stored_beside_the_payload),
        TEST(payload_bytes_are_kept_exactly),
        TEST(a_thousand_messages_with_three_endpoints_each),
        TEST(a_cleared_batch_is_empty),
        TEST(a_stale_version_rejects_the_messages_of_that_application_only),
        TEST(two_snapshots_of_one_application_are_told_apart),
        TEST(a_deleted_application_rejects_its_messages),
        TEST(many_applications_share_a_batch),
    };

    test_env("POSTHORN_TEST_DATABASE");
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
