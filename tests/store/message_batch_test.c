#include "sql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

#define NODE 7

static struct ph_message_batch *batch, *batch2;

/* A message with what a test may want to be special about it. */
struct sent {
    struct ph_new_message message;
    int index;
};

static struct ph_id key_of(int n)
{
    return (struct ph_id){{0x77, (uint8_t)(n >> 8), (uint8_t)n}};
}

/* key 0: none; event_id NULL: none. The payload belongs to the caller: see done_with. */
static struct sent add(struct ph_message_batch *to, const struct tenant *tenant, int key,
                       const char *event_id)
{
    struct sent sent = {
        .message = {
            .subscriptions = &tenant->subscriptions,
            .payload = ph_payload_new(new_id(), tenant->id, tenant->subscriptions.application,
                                      PH_STR("a.b"), PH_STR_NONE, PH_STR("{\"a\": 1}")),
            .event_type = PH_STR("a.b"),
            .event_id = ph_str_of(event_id),
            .has_key = key != 0,
            .idempotency_key = key_of(key),
        }};

    sent.index = ph_message_batch_add(to, &sent.message);
    return sent;
}

static void done_with(struct sent *sent, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ph_payload_unref(sent[i].message.payload);
}

static void owe(struct ph_message_batch *to, const struct sent *sent, struct ph_id endpoint,
                int32_t node_id)
{
    ph_message_batch_add_delivery(to, sent->index, &sent->message, endpoint, node_id);
}

struct answer {
    bool done;
    enum ph_err err;
    size_t n;
    int rejected[16];
    enum ph_rejection why[16];
    bool known[16];
    int count;
    struct ph_id message;
};

static void on_stored(enum ph_err err, const int *rejected, const enum ph_rejection *why, size_t n,
                      void *ctx)
{
    struct answer *answer = ctx;

    assert_false(answer->done);
    *answer = (struct answer){.done = true, .err = err, .n = n};
    assert_true(n <= 16);
    for (size_t i = 0; i < n; i++) {
        answer->rejected[i] = rejected[i];
        answer->why[i] = why[i];
    }
}

static struct answer store(struct ph_message_batch *which, struct ph_db *with)
{
    struct answer answer = {0};

    ph_message_batch_store(which, with, on_stored, &answer);
    assert_false(answer.done);
    wait_until(&answer.done, "store");
    return answer;
}

static void store_all(void)
{
    struct answer answer = store(batch, db);

    assert_int_equal(answer.err, PH_OK);
    assert_int_equal(answer.n, 0);
}

static void assert_rejected(const struct answer *answer, size_t i, int index, enum ph_rejection why)
{
    assert_true(answer->n > i);
    assert_int_equal(answer->rejected[i], index);
    assert_int_equal(answer->why[i], why);
}

static void on_found(enum ph_err err, const bool *known, void *ctx)
{
    struct answer *answer = ctx;

    answer->done = true;
    answer->err = err;
    memcpy(answer->known, known, (size_t)answer->count * sizeof *known);
}

static struct answer find(struct ph_message_batch *which)
{
    struct answer answer = {.count = ph_message_batch_count(which)};

    ph_message_batch_find(which, db, on_found, &answer);
    wait_until(&answer.done, "find");
    assert_int_equal(answer.err, PH_OK);
    return answer;
}

static void on_key_found(enum ph_err err, struct ph_id message, void *ctx)
{
    *(struct answer *)ctx = (struct answer){.done = true, .err = err, .message = message};
}

static struct answer find_key(const struct tenant *tenant, int key)
{
    struct ph_arena *arena = ph_arena_new();
    struct answer answer = {0};

    ph_idempotency_find(db, arena, tenant->id, key_of(key), on_key_found, &answer);
    wait_until(&answer.done, "find a key");
    ph_arena_free(arena);
    return answer;
}

static bool is_stored(const struct sent *sent)
{
    return ask_number("SELECT count(*) FROM messages WHERE id = '%s'",
                      uuid_text(sent->message.payload->message)) == 1;
}

static struct ph_id id_of(const struct sent *sent)
{
    return sent->message.payload->message;
}

static bool is_owed(const struct sent *sent, struct ph_id endpoint)
{
    return ask_number(
               "SELECT count(*) FROM deliveries WHERE message_id = '%s' AND endpoint_id = '%s'",
               uuid_text(id_of(sent)), uuid_text(endpoint)) == 1;
}

/* No key and no event id may lead to a message that is not there, and no message may lack its own. */
static void assert_keys_match_messages(void)
{
    assert_int_equal(ask_number("SELECT count(*) FROM idempotency_keys k WHERE NOT EXISTS (SELECT "
                                "FROM messages m WHERE m.id = k.message_id)"),
                     0);
    assert_int_equal(
        ask_number("SELECT count(*) FROM message_uids u WHERE NOT EXISTS (SELECT FROM messages m "
                   "WHERE m.id = u.message_id AND m.event_id = u.event_id "
                   "AND m.application_id = u.application_id)"),
        0);
    assert_int_equal(
        ask_number("SELECT count(*) FROM messages m WHERE m.event_id IS NOT NULL AND NOT EXISTS "
                   "(SELECT FROM message_uids u WHERE m.id = u.message_id)"),
        0);
}

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

/* Event ids and idempotency keys */

static void a_repeated_event_id_is_rejected_within_its_application(void **state)
{
    struct sent sent[5] = {add(batch, &red, 0, "e1"), add(batch, &red, 0, "e1"),
                           add(batch, &blue, 0, "e1"), add(batch, &red, 0, "e2")};
    struct answer answer;
    (void)state;

    owe(batch, &sent[0], red.endpoints[0], NODE);
    owe(batch, &sent[1], red.endpoints[1], NODE);
    owe(batch, &sent[1], red.endpoints[2], 0);
    answer = store(batch, db);
    assert_int_equal(answer.err, PH_OK);
    assert_int_equal(answer.n, 1);
    assert_rejected(&answer, 0, 1, PH_REJECTED_EVENT_ID);
    assert_int_equal(ask_number("SELECT count(*) FROM messages"), 3);
    assert_false(is_stored(&sent[1]));
    assert_int_equal(ask_number("SELECT count(*) FROM deliveries"), 1);
    assert_int_equal(ask_number("SELECT count(*) FROM schedule_arrivals"), 0);

    ph_message_batch_clear(batch);
    sent[4] = add(batch, &red, 0, "e2");
    struct sent other = add(batch, &blue, 0, "e2");
    answer = store(batch, db);
    assert_int_equal(answer.n, 1);
    assert_rejected(&answer, 0, 0, PH_REJECTED_EVENT_ID);
    assert_true(is_stored(&other));
    assert_keys_match_messages();
    done_with(sent, 5);
    done_with(&other, 1);
}

static void
a_repeated_key_is_rejected_within_its_tenant_and_leads_to_the_first_message(void **state)
{
    struct sent sent[4] = {add(batch, &red, 1, NULL), add(batch, &red, 1, NULL),
                           add(batch, &blue, 1, NULL)};
    struct answer answer = store(batch, db);
    (void)state;

    assert_int_equal(answer.err, PH_OK);
    assert_int_equal(answer.n, 1);
    assert_rejected(&answer, 0, 1, PH_REJECTED_KEY);
    assert_false(is_stored(&sent[1]));

    ph_message_batch_clear(batch);
    sent[3] = add(batch, &red, 1, NULL);
    answer = store(batch, db);
    assert_int_equal(answer.n, 1);
    assert_rejected(&answer, 0, 0, PH_REJECTED_KEY);
    assert_int_equal(ask_number("SELECT count(*) FROM messages"), 2);

    answer = find_key(&red, 1);
    assert_int_equal(answer.err, PH_OK);
    assert_true(ph_id_eq(answer.message, id_of(&sent[0])));
    answer = find_key(&blue, 1);
    assert_int_equal(answer.err, PH_OK);
    assert_true(ph_id_eq(answer.message, id_of(&sent[2])));
    assert_int_equal(find_key(&blue, 2).err, PH_ERR_NOT_FOUND);
    done_with(sent, 4);
}

static void a_message_with_a_used_key_leaves_its_event_id_free(void **state)
{
    struct sent sent[4] = {add(batch, &red, 1, NULL), add(batch, &blue, 1, NULL)};
    struct answer answer;
    (void)state;

    store_all();
    ph_message_batch_clear(batch);
    sent[2] = add(batch, &red, 1, "fresh");
    sent[3] = add(batch, &red, 0, "fresh"); /* even in the same batch */
    answer = store(batch, db);
    assert_int_equal(answer.err, PH_OK);
    assert_int_equal(answer.n, 1);
    assert_rejected(&answer, 0, 0, PH_REJECTED_KEY);
    assert_true(is_stored(&sent[3]));
    assert_keys_match_messages();
    done_with(sent, 4);
}

static void a_message_with_a_used_event_id_leaves_its_key_free(void **state)
{
    struct sent sent[4] = {add(batch, &red, 0, "used"), add(batch, &blue, 0, "used")};
    struct answer answer;
    (void)state;

    store_all();
    ph_message_batch_clear(batch);
    sent[2] = add(batch, &red, 5, "used");
    answer = store(batch, db);
    assert_int_equal(answer.err, PH_OK);
    assert_int_equal(answer.n, 1);
    assert_rejected(&answer, 0, 0, PH_REJECTED_EVENT_ID);
    assert_int_equal(find_key(&red, 5).err, PH_ERR_NOT_FOUND);

    ph_message_batch_clear(batch);
    sent[3] = add(batch, &red, 5, "other");
    store_all();
    assert_keys_match_messages();
    done_with(sent, 4);
}

static void a_used_key_goes_before_a_used_event_id(void **state)
{
    struct sent sent[3] = {add(batch, &red, 1, "e1"), add(batch, &blue, 1, "e1")};
    struct answer answer;
    (void)state;

    store_all();
    ph_message_batch_clear(batch);
    sent[2] = add(batch, &red, 1, "e1"); /* the client repeats its request */
    answer = store(batch, db);
    assert_int_equal(answer.n, 1);
    assert_rejected(&answer, 0, 0, PH_REJECTED_KEY);
    assert_true(ph_id_eq(find_key(&red, 1).message, id_of(&sent[0])));
    done_with(sent, 3);
}

static void a_batch_asked_again_for_ever_when_two_of_its_messages_shared_only_a_key(void **state)
{
    struct sent sent[5] = {add(batch, &red, 1, "e1"),
                           add(batch, &red, 1, "e2"), /* shares the key */
                           add(batch, &red, 2, "e1"), /* shares the event id */
                           add(batch, &blue, 1, "e1"), add(batch, &red, 0, "e3")};
    struct answer answer = store(batch, db);
    (void)state;

    assert_int_equal(answer.err, PH_OK);
    assert_int_equal(answer.n, 2);
    assert_rejected(&answer, 0, 1, PH_REJECTED_KEY);
    assert_rejected(&answer, 1, 2, PH_REJECTED_EVENT_ID);
    assert_int_equal(ask_number("SELECT count(*) FROM messages"), 3);
    assert_int_equal(find_key(&red, 2).err, PH_ERR_NOT_FOUND);
    assert_keys_match_messages();
    done_with(sent, 5);
}

/* Which of them may stay is only known once the others are decided: those are matched and sent again. */
static void messages_whose_rival_in_the_batch_is_rejected_itself_are_sent_again(void **state)
{
    struct sent sent[5] = {add(batch, &red, 1, "e1"), add(batch, &red, 1, "e2"),
                           add(batch, &red, 2, "e2"), add(batch, &blue, 2, "e2"),
                           add(batch, &red, 2, NULL)};
    struct answer answer = store(batch, db);
    (void)state;

    assert_int_equal(answer.err, PH_OK);
    assert_rejected(&answer, 0, 1, PH_REJECTED_KEY);
    assert_rejected(&answer, 1, 2, PH_REJECTED_STALE);
    assert_rejected(&answer, 2, 4, PH_REJECTED_STALE);
    assert_int_equal(answer.n, 3);
    assert_keys_match_messages();

    ph_message_batch_clear(batch);
    struct sent again = add(batch, &red, 2, "e2");
    store_all();
    assert_true(is_stored(&again));
    assert_keys_match_messages();
    done_with(sent, 5);
    done_with(&again, 1);
}

/* Races. `hand` holds a row that is not committed yet. */

static void begin_by_hand(const char *event_id, int key, struct ph_id message)
{
    test_exec(hand, "BEGIN");
    if (key)
        run_sql(
            hand,
            "INSERT INTO idempotency_keys (tenant_id, key, message_id) VALUES ('%s', '%s', '%s')",
            uuid_text(red.id), uuid_text(key_of(key)), uuid_text(message));
    if (event_id)
        run_sql(hand,
                "INSERT INTO message_uids (application_id, event_id, tenant_id, message_id) VALUES "
                "('%s', '%s', '%s', '%s')",
                uuid_text(red.subscriptions.application), event_id, uuid_text(red.id),
                uuid_text(message));
    run_sql(hand,
            "INSERT INTO messages (application_id, id, tenant_id, event_type, event_id, payload) "
            "VALUES ('%s', '%s', '%s', 'a.b', %s%s%s, '{}')",
            uuid_text(red.subscriptions.application), uuid_text(message), uuid_text(red.id),
            event_id ? "'" : "", event_id ? event_id : "NULL", event_id ? "'" : "");
}

/* Sends the batch, and ends the hand's transaction once it waits for it. */
static struct answer store_against_hand(const char *end)
{
    struct answer answer = {0};

    ph_message_batch_store(batch, db, on_stored, &answer);
    wait_for_lock(1);
    assert_false(answer.done);
    test_exec(hand, end);
    wait_until(&answer.done, "store");
    return answer;
}

static void losing_a_race_for_the_key_asks_again_and_leaves_the_event_id_free(void **state)
{
    struct ph_id rival = new_id();
    struct sent sent[3] = {add(batch, &red, 1, "mine"), add(batch, &blue, 1, "mine")};
    struct answer answer;
    (void)state;

    begin_by_hand(NULL, 1, rival);
    answer = store_against_hand("COMMIT");
    assert_int_equal(answer.err, PH_ERR_DB_RETRY);
    assert_int_equal(ask_number("SELECT count(*) FROM messages"), 1);
    answer = store(batch, db);
    assert_int_equal(answer.err, PH_OK);
    assert_int_equal(answer.n, 1);
    assert_rejected(&answer, 0, 0, PH_REJECTED_KEY);
    assert_true(ph_id_eq(find_key(&red, 1).message, rival));

    ph_message_batch_clear(batch);
    sent[2] = add(batch, &red, 0, "mine");
    store_all();
    assert_keys_match_messages();
    done_with(sent, 3);
}

static void losing_a_race_for_the_event_id_asks_again_and_leaves_the_key_free(void **state)
{
    struct sent sent[3] = {add(batch, &red, 1, "ours"), add(batch, &blue, 1, "ours")};
    struct answer answer;
    (void)state;

    begin_by_hand("ours", 0, new_id());
    answer = store_against_hand("COMMIT");
    assert_int_equal(answer.err, PH_ERR_DB_RETRY);
    answer = store(batch, db);
    assert_int_equal(answer.err, PH_OK);
    assert_int_equal(answer.n, 1);
    assert_rejected(&answer, 0, 0, PH_REJECTED_EVENT_ID);

    ph_message_batch_clear(batch);
    sent[2] = add(batch, &red, 1, NULL);
    store_all();
    assert_keys_match_messages();
    done_with(sent, 3);
}

static void a_message_that_races_with_one_key_only_is_rejected_at_once(void **state)
{
    struct sent sent[3] = {add(batch, &red, 1, NULL), add(batch, &red, 0, NULL),
                           add(batch, &blue, 1, NULL)};
    struct answer answer;
    (void)state;

    begin_by_hand(NULL, 1, new_id());
    answer = store_against_hand("COMMIT");
    assert_int_equal(answer.err, PH_OK);
    assert_int_equal(answer.n, 1);
    assert_rejected(&answer, 0, 0, PH_REJECTED_KEY);
    assert_true(is_stored(&sent[1]));
    assert_true(is_stored(&sent[2]));
    assert_keys_match_messages();
    done_with(sent, 3);
}

static void a_rival_that_rolls_back_is_no_rival(void **state)
{
    struct sent sent[2] = {add(batch, &red, 1, "ours"), add(batch, &blue, 1, "ours")};
    struct answer answer;
    (void)state;

    begin_by_hand("ours", 1, new_id());
    answer = store_against_hand("ROLLBACK");
    assert_int_equal(answer.err, PH_OK);
    assert_int_equal(answer.n, 0);
    assert_true(is_stored(&sent[0]));
    assert_keys_match_messages();
    done_with(sent, 2);
}

/* Each has what the other one wants: PostgreSQL ends one of the two. */
static void in_a_deadlock_over_key_and_event_id_exactly_one_message_stays(void **state)
{
    struct sent sent[2] = {add(batch, &red, 1, "ours"), add(batch, &blue, 1, "ours")};
    struct ph_id rival = new_id();
    struct answer answer = {0};
    char sql[256];
    PGresult *res;
    (void)state;

    begin_by_hand("ours", 0, rival);
    ph_message_batch_store(batch, db, on_stored, &answer);
    wait_for_lock(1);
    snprintf(sql, sizeof sql,
             "INSERT INTO idempotency_keys (tenant_id, key, message_id) VALUES ('%s', '%s', '%s')",
             uuid_text(red.id), uuid_text(key_of(1)), uuid_text(rival));
    res = PQexec(hand, sql);
    bool hand_won = PQresultStatus(res) == PGRES_COMMAND_OK;
    PQclear(res);
    test_exec(hand, hand_won ? "COMMIT" : "ROLLBACK");
    wait_until(&answer.done, "store");
    assert_int_equal(answer.err, hand_won ? PH_ERR_DB_RETRY : PH_OK);
    if (hand_won) {
        answer = store(batch, db);
        assert_int_equal(answer.err, PH_OK);
        assert_rejected(&answer, 0, 0, PH_REJECTED_KEY);
    }
    assert_int_equal(
        ask_number("SELECT count(*) FROM messages WHERE tenant_id = '%s'", uuid_text(red.id)), 1);
    assert_keys_match_messages();
    done_with(sent, 2);
}

/* Sends again as long as it is asked for. */
static void settle(struct ph_message_batch *which, struct ph_db *with, struct answer *answer)
{
    wait_until(&answer->done, "store");
    for (int tries = 0; answer->err == PH_ERR_DB_RETRY; tries++) {
        assert_true(tries < 20);
        *answer = store(which, with);
    }
    assert_int_equal(answer->err, PH_OK);
}

static void
two_batches_racing_for_keys_and_event_ids_in_crossed_order_keep_them_paired(void **state)
{
    char e1[16], e2[16];
    (void)state;

    for (int round = 0; round < 40; round++) {
        int k1 = round * 2 + 1, k2 = round * 2 + 2;
        snprintf(e1, sizeof e1, "e%d", k1);
        snprintf(e2, sizeof e2, "e%d", k2);
        struct sent sent[6] = {add(batch, &red, k1, e1),  add(batch, &red, k2, e2),
                               add(batch2, &red, k2, e1), add(batch2, &red, k1, e2),
                               add(batch, &blue, k1, e1), add(batch2, &blue, k1, e1)};
        struct answer answers[2] = {{0}, {0}};
        ph_message_batch_store(batch, db, on_stored, &answers[0]);
        ph_message_batch_store(batch2, db2, on_stored, &answers[1]);
        settle(batch, db, &answers[0]);
        settle(batch2, db2, &answers[1]);
        assert_int_equal(
            ask_number("SELECT count(*) FROM messages WHERE tenant_id = '%s'", uuid_text(red.id)),
            (round + 1) * 2);
        assert_int_equal(
            ask_number("SELECT count(*) FROM messages WHERE tenant_id = '%s'", uuid_text(blue.id)),
            round + 1);
        assert_int_equal(ask_number("SELECT count(*) FROM idempotency_keys"), (round + 1) * 3);
        assert_keys_match_messages();
        done_with(sent, 6);
        ph_message_batch_clear(batch);
        ph_message_batch_clear(batch2);
    }
}

/* Sent again */

static void a_batch_sent_twice_is_a_conflict_and_nothing_twice(void **state)
{
    struct sent sent[2] = {add(batch, &red, 0, NULL), add(batch, &blue, 0, NULL)};
    (void)state;

    owe(batch, &sent[0], red.endpoints[0], NODE);
    owe(batch, &sent[1], blue.endpoints[0], 0);
    store_all();
    assert_int_equal(store(batch, db).err, PH_ERR_CONFLICT);
    assert_int_equal(ask_number("SELECT count(*) FROM messages"), 2);
    assert_int_equal(ask_number("SELECT count(*) FROM deliveries"), 2);
    assert_int_equal(ask_number("SELECT count(*) FROM schedule_arrivals"), 1);
    done_with(sent, 2);
}

static void a_batch_sent_twice_was_rejected_by_its_own_keys(void **state)
{
    static const struct {
        int key;
        const char *event_id;
    } rows[] = {{1, NULL}, {0, "e1"}, {1, "e1"}};
    (void)state;

    for (size_t i = 0; i < 3; i++) {
        struct sent sent[2] = {
            add(batch, i % 2 ? &blue : &red, rows[i].key ? (int)i + 1 : 0, rows[i].event_id)};
        sent[1] = add(batch, i % 2 ? &red : &blue, 9 + (int)i, NULL);
        owe(batch, &sent[0], i % 2 ? blue.endpoints[0] : red.endpoints[0], NODE);
        store_all();
        assert_int_equal(store(batch, db).err, PH_ERR_CONFLICT);
        run_sql(admin, "UPDATE applications SET config_version = config_version + 1");
        assert_int_equal(store(batch, db).err,
                         PH_ERR_CONFLICT); /* also when it became stale meanwhile */
        red.subscriptions.config_version++;
        blue.subscriptions.config_version++;
        assert_int_equal(ask_number("SELECT count(*) FROM messages"), (long)(i + 1) * 2);
        assert_int_equal(ask_number("SELECT count(*) FROM deliveries"), (long)i + 1);
        assert_keys_match_messages();
        done_with(sent, 2);
        ph_message_batch_clear(batch);
    }
}

static void
a_batch_sent_twice_was_called_stale_when_its_application_had_changed_between(void **state)
{
    (void)state;

    for (int keyed = 0; keyed < 2; keyed++) {
        struct sent sent[2] = {add(batch, &red, keyed, NULL), add(batch2, &blue, 0, NULL)};
        store_all();
        assert_int_equal(store(batch2, db).err, PH_OK);
        run_sql(admin, "UPDATE applications SET config_version = config_version + 1");
        assert_int_equal(store(batch, db).err, PH_ERR_CONFLICT);
        assert_int_equal(store(batch2, db).err, PH_ERR_CONFLICT);
        run_sql(admin, "DELETE FROM applications WHERE id = '%s'",
                uuid_text(red.subscriptions.application));
        assert_int_equal(store(batch, db).err, PH_ERR_CONFLICT);
        done_with(sent, 2);
        ph_message_batch_clear(batch);
        ph_message_batch_clear(batch2);
        make_tenant(&red, "red2");
        blue.subscriptions.config_version++;
    }
}

/* The connection broke, and the first statement is still at work when the batch goes again. */
static void
a_batch_sent_again_while_its_first_statement_works_was_rejected_by_its_own_keys(void **state)
{
    static const struct {
        int key;
        const char *event_id;
    } rows[] = {{1, NULL}, {0, "e1"}, {2, "e2"}};
    (void)state;

    for (size_t i = 0; i < 3; i++) {
        struct sent sent[2] = {add(batch, &red, rows[i].key, rows[i].event_id),
                               add(batch, &blue, 0, NULL)};
        begin_by_hand(rows[i].event_id, rows[i].key, id_of(&sent[0]));
        assert_int_equal(store_against_hand("COMMIT").err, PH_ERR_CONFLICT);
        assert_false(is_stored(&sent[1]));
        assert_keys_match_messages();
        done_with(sent, 2);
        ph_message_batch_clear(batch);
    }
}

static void find_tells_which_messages_are_there(void **state)
{
    struct sent sent[3] = {add(batch, &red, 0, NULL), add(batch, &blue, 0, NULL),
                           add(batch, &red, 0, NULL)};
    struct answer answer = find(batch);
    (void)state;

    for (int i = 0; i < 3; i++)
        assert_false(answer.known[i]);
    ph_message_batch_add(batch2, &sent[1].message);
    struct sent neighbour = add(batch2, &red, 0, NULL);
    assert_int_equal(store(batch2, db).err, PH_OK);
    answer = find(batch);
    assert_false(answer.known[0]);
    assert_true(answer.known[1]);
    assert_false(answer.known[2]);
    assert_int_equal(store(batch, db).err, PH_ERR_CONFLICT);
    assert_int_equal(ask_number("SELECT count(*) FROM messages"), 2);
    done_with(sent, 3);
    done_with(&neighbour, 1);
}

static int set_up(void **state)
{
    (void)state;
    batch = ph_message_batch_new(4 << 20);
    batch2 = ph_message_batch_new(1 << 20);
    return set_up_database("posthorn_message_batch_test");
}

static int tear_down(void **state)
{
    ph_message_batch_free(batch);
    ph_message_batch_free(batch2);
    return tear_down_database(state);
}

static int begin(void **state)
{
    ph_message_batch_clear(batch);
    ph_message_batch_clear(batch2);
    return begin_test(state);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end_test)

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
        TEST(a_repeated_event_id_is_rejected_within_its_application),
        TEST(a_repeated_key_is_rejected_within_its_tenant_and_leads_to_the_first_message),
        TEST(a_message_with_a_used_key_leaves_its_event_id_free),
        TEST(a_message_with_a_used_event_id_leaves_its_key_free),
        TEST(a_used_key_goes_before_a_used_event_id),
        TEST(a_batch_asked_again_for_ever_when_two_of_its_messages_shared_only_a_key),
        TEST(messages_whose_rival_in_the_batch_is_rejected_itself_are_sent_again),
        TEST(losing_a_race_for_the_key_asks_again_and_leaves_the_event_id_free),
        TEST(losing_a_race_for_the_event_id_asks_again_and_leaves_the_key_free),
        TEST(a_message_that_races_with_one_key_only_is_rejected_at_once),
        TEST(a_rival_that_rolls_back_is_no_rival),
        TEST(in_a_deadlock_over_key_and_event_id_exactly_one_message_stays),
        TEST(two_batches_racing_for_keys_and_event_ids_in_crossed_order_keep_them_paired),
        TEST(a_batch_sent_twice_is_a_conflict_and_nothing_twice),
        TEST(a_batch_sent_twice_was_rejected_by_its_own_keys),
        TEST(a_batch_sent_twice_was_called_stale_when_its_application_had_changed_between),
        TEST(a_batch_sent_again_while_its_first_statement_works_was_rejected_by_its_own_keys),
        TEST(find_tells_which_messages_are_there),
    };

    test_env("POSTHORN_TEST_DATABASE");
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
