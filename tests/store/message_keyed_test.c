#include "posthorn/message_batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

/* Batches whose keys and event ids differ: they are stored by a statement of their own, which looks, and then hopes. */

static struct ph_message_batch *batch;
static struct ph_new_message message[8];
static int32_t first_owner; /* of the first message's delivery; 0: it waits */

struct answer {
    bool done;
    enum ph_err err;
    size_t n;
    int rejected[8];
    enum ph_rejection why[8];
    struct ph_id before[8];
};

static struct ph_id key_of(int n)
{
    struct ph_id key = {{0}};

    key.b[0] = 0xf0;
    key.b[15] = (uint8_t)n;
    return key;
}

/* Message i of the batch; key 0: none; event_id NULL: none. */
static void add(int i, const struct tenant *tenant, int key, const char *event_id)
{
    message[i] = (struct ph_new_message){
        .subscriptions = &tenant->subscriptions,
        .payload = ph_payload_new(new_id(), tenant->id, tenant->subscriptions.application,
                                  PH_STR("a.b"), PH_STR_NONE, PH_STR("{}")),
        .event_type = PH_STR("a.b"),
        .event_id = ph_str_of(event_id),
        .has_key = key != 0,
        .idempotency_key = key_of(key),
    };
    assert_int_equal(ph_message_batch_add(batch, &message[i]), i);
    ph_message_batch_add_delivery(batch, i, &message[i], tenant->endpoints[0], i ? 7 : first_owner);
}

static void on_stored(enum ph_err err, const int *rejected, const enum ph_rejection *why, size_t n,
                      void *ctx)
{
    struct answer *answer = ctx;

    assert_false(answer->done);
    *answer = (struct answer){.done = true, .err = err, .n = n};
    for (size_t i = 0; i < n; i++) {
        answer->rejected[i] = rejected[i];
        answer->why[i] = why[i];
        answer->before[i] = ph_message_batch_made_before(batch, i);
    }
}

static struct answer store(void)
{
    struct answer answer = {0};

    ph_message_batch_store(batch, db, on_stored, &answer);
    wait_until(&answer.done, "store");
    return answer;
}

/* Sends the batch again, as ingest does after it failed. */
static struct answer store_again(int n)
{
    ph_message_batch_clear(batch);
    for (int i = 0; i < n; i++) {
        message[i].again = true;
        ph_message_batch_add(batch, &message[i]);
        ph_message_batch_add_delivery(batch, i, &message[i], red.endpoints[0], 7);
    }
    return store();
}

static bool is_stored(int i)
{
    return ask_number("SELECT count(*) FROM messages m JOIN deliveries d ON d.message_id = m.id "
                      "WHERE m.id = '%s'",
                      uuid_text(message[i].payload->message)) == 1;
}

static void expect(const struct answer *answer, size_t nth, int index, enum ph_rejection why,
                   struct ph_id before)
{
    assert_true(answer->n > nth);
    assert_int_equal(answer->rejected[nth], index);
    assert_int_equal(answer->why[nth], why);
    assert_true(ph_id_eq(answer->before[nth], before));
}

/* What the database holds belongs together. */
static void assert_whole(void)
{
    assert_int_equal(ask_number("SELECT count(*) FROM idempotency_keys k LEFT JOIN messages m "
                                "ON m.id = k.message_id WHERE m.id IS NULL"),
                     0);
    assert_int_equal(ask_number("SELECT count(*) FROM message_uids u FULL JOIN "
                                "(SELECT * FROM messages WHERE event_id IS NOT NULL) m "
                                "ON m.application_id = u.application_id AND m.id = u.message_id "
                                "WHERE u.event_id IS DISTINCT FROM m.event_id"),
                     0);
}

static void tell_what_is_used(void)
{
    struct ph_id first, second;

    add(0, &red, 1, "e1");
    add(1, &red, 2, NULL);
    add(2, &red, 0, "e2");
    add(3, &red, 0, NULL);
    if (!first_owner)
        ph_message_batch_add_skipped(batch, 3, &message[3], red.endpoints[1]);
    struct answer answer = store();
    assert_int_equal(answer.err, PH_OK);
    assert_int_equal(answer.n, 0);
    assert_int_equal(ask_number("SELECT count(*) FROM closed_deliveries"), !first_owner);
    for (int i = 0; i < 4; i++)
        assert_true(is_stored(i));
    assert_int_equal(ask_number("SELECT count(*) FROM schedule_arrivals"), !first_owner);
    first = message[0].payload->message;
    second = message[1].payload->message;
    for (int i = 0; i < 4; i++)
        ph_payload_unref(message[i].payload);

    ph_message_batch_clear(batch);
    add(0, &red, 1, "e3");
    add(1, &red, 3, "e1");
    add(2, &red, 4, "e4");
    add(3, &red, 2, NULL);
    add(4, &blue, 5, "e2");
    answer = store();
    assert_int_equal(answer.err, PH_OK);
    assert_int_equal(answer.n, 3);
    expect(&answer, 0, 0, PH_REJECTED_KEY, first);
    assert_int_equal(answer.rejected[1], 1);
    assert_int_equal(answer.why[1], PH_REJECTED_EVENT_ID);
    expect(&answer, 2, 3, PH_REJECTED_KEY, second);
    assert_true(is_stored(2) && is_stored(4));
    assert_whole();
    for (int i = 0; i < 5; i++)
        ph_payload_unref(message[i].payload);
}

static void used_keys_and_event_ids_are_told_with_what_they_made(void **state)
{
    (void)state;
    tell_what_is_used();
}

static void so_they_are_beside_deliveries_that_wait_or_are_skipped(void **state)
{
    (void)state;
    first_owner = 0;
    tell_what_is_used();
}

static void a_stale_snapshot_rejects_its_own_messages_only(void **state)
{
    (void)state;
    run_sql(admin, "UPDATE applications SET config_version = 2 WHERE tenant_id = '%s'",
            uuid_text(blue.id));
    add(0, &red, 1, "e1");
    add(1, &blue, 2, "e1");
    struct answer answer = store();
    assert_int_equal(answer.err, PH_OK);
    assert_int_equal(answer.n, 1);
    expect(&answer, 0, 1, PH_REJECTED_STALE, (struct ph_id){{0}});
    assert_true(is_stored(0));
    assert_whole();
    ph_payload_unref(message[0].payload);
    ph_payload_unref(message[1].payload);
}

/* Somebody else holds key 2 or event id e2 and commits once the batch waits for that. */
static struct answer lose_a_race(const char *sql, struct ph_id rival)
{
    struct answer answer = {0};

    test_exec(hand, "BEGIN");
    run_sql(hand,
            "INSERT INTO messages (application_id, id, tenant_id, event_type, payload) "
            "VALUES ('%s', '%s', '%s', 'a.b', '{}')",
            uuid_text(red.subscriptions.application), uuid_text(rival), uuid_text(red.id));
    test_exec(hand, sql);
    ph_message_batch_store(batch, db, on_stored, &answer);
    wait_for_lock(1);
    assert_false(answer.done);
    test_exec(hand, "COMMIT");
    wait_until(&answer.done, "store");
    return answer;
}

static void
what_is_taken_at_that_moment_stores_nothing_and_the_second_time_rejects_one(void **state)
{
    struct ph_id rival = new_id();
    char sql[400];
    (void)state;

    add(0, &red, 1, "e1");
    add(1, &red, 2, NULL);
    add(2, &blue, 3, NULL);
    snprintf(sql, sizeof sql, "INSERT INTO idempotency_keys VALUES ('%s', '%s', '%s')",
             uuid_text(red.id), uuid_text(key_of(2)), uuid_text(rival));
    assert_int_equal(lose_a_race(sql, rival).err, PH_ERR_CONFLICT);
    assert_int_equal(ask_number("SELECT count(*) FROM messages"), 1);
    assert_int_equal(ask_number("SELECT count(*) FROM idempotency_keys"), 1);
    struct answer answer = store_again(3);
    assert_int_equal(answer.err, PH_OK);
    assert_int_equal(answer.n, 1);
    expect(&answer, 0, 1, PH_REJECTED_KEY, rival);
    assert_true(is_stored(0) && is_stored(2));
    assert_whole();
    for (int i = 0; i < 3; i++)
        ph_payload_unref(message[i].payload);
}

static void a_batch_that_was_stored_already_is_a_conflict(void **state)
{
    (void)state;
    add(0, &red, 1, NULL);
    add(1, &red, 0, "e1");
    assert_int_equal(store().n, 0);
    struct answer answer = store();
    assert_int_equal(answer.err, PH_ERR_CONFLICT);
    assert_int_equal(ask_number("SELECT count(*) FROM messages"), 2);
    assert_int_equal(store_again(2).err, PH_ERR_CONFLICT);
    ph_payload_unref(message[0].payload);
    ph_payload_unref(message[1].payload);
}

/* Repeats are told row by row, as the statement that hopes could not. */
static void a_batch_that_repeats_a_key_stores_the_first(void **state)
{
    (void)state;
    add(0, &red, 1, NULL);
    add(1, &red, 2, NULL);
    add(2, &red, 1, NULL);
    add(3, &red, 0, "e1");
    add(4, &red, 0, "e1");
    struct answer answer = store();
    assert_int_equal(answer.err, PH_OK);
    assert_int_equal(answer.n, 2);
    expect(&answer, 0, 2, PH_REJECTED_KEY, (struct ph_id){{0}});
    expect(&answer, 1, 4, PH_REJECTED_EVENT_ID, (struct ph_id){{0}});
    assert_true(is_stored(0) && is_stored(1) && is_stored(3));
    assert_whole();
    for (int i = 0; i < 5; i++)
        ph_payload_unref(message[i].payload);
}

/* Whatever a batch before it had. */
static void a_cleared_batch_repeats_nothing(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        ph_message_batch_clear(batch);
        add(0, &red, round + 1, NULL);
        assert_int_equal(store().n, 0);
        ph_payload_unref(message[0].payload);
        ph_message_batch_clear(batch);
        add(0, &red, round + 1, NULL);
        struct answer answer = store();
        assert_int_equal(answer.err, PH_OK);
        assert_int_equal(answer.n, 1);
        ph_payload_unref(message[0].payload);
    }
    assert_int_equal(ask_number("SELECT count(*) FROM messages"), 3);
}

static void many_keys_are_as_good_as_few(void **state)
{
    enum { MANY = 3000 };
    struct ph_new_message *all = ph_calloc(MANY, sizeof *all);
    (void)state;

    for (int i = 0; i < MANY; i++) {
        all[i] = (struct ph_new_message){
            .subscriptions = &red.subscriptions,
            .payload = ph_payload_new(new_id(), red.id, red.subscriptions.application,
                                      PH_STR("a.b"), PH_STR_NONE, PH_STR("{}")),
            .event_type = PH_STR("a.b"),
            .has_key = true,
            .idempotency_key = new_id(),
        };
        ph_message_batch_add(batch, &all[i]);
    }
    struct answer answer = store();
    assert_int_equal(answer.err, PH_OK);
    assert_int_equal(answer.n, 0);
    assert_int_equal(ask_number("SELECT count(*) FROM messages"), MANY);
    for (int i = 0; i < MANY; i++)
        ph_payload_unref(all[i].payload);
    free(all);
}

static int begin_with_batch(void **state)
{
    begin_test(state);
    batch = ph_message_batch_new(1 << 20);
    first_owner = 7;
    return 0;
}

static int end_with_batch(void **state)
{
    ph_message_batch_free(batch);
    return end_test(state);
}

static int set_up(void **state)
{
    (void)state;
    return set_up_database("posthorn_message_keyed_test");
}

#define KEYED_TEST(name) cmocka_unit_test_setup_teardown(name, begin_with_batch, end_with_batch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEYED_TEST(used_keys_and_event_ids_are_told_with_what_they_made),
        KEYED_TEST(so_they_are_beside_deliveries_that_wait_or_are_skipped),
        KEYED_TEST(a_stale_snapshot_rejects_its_own_messages_only),
        KEYED_TEST(what_is_taken_at_that_moment_stores_nothing_and_the_second_time_rejects_one),
        KEYED_TEST(a_batch_that_was_stored_already_is_a_conflict),
        KEYED_TEST(a_batch_that_repeats_a_key_stores_the_first),
        KEYED_TEST(a_cleared_batch_repeats_nothing),
        KEYED_TEST(many_keys_are_as_good_as_few),
    };

    test_env("POSTHORN_TEST_DATABASE");
    return cmocka_run_group_tests(tests, set_up, tear_down_database);
}
