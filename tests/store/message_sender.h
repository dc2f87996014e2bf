/*
 * For tests of message batches: messages that are sent in one, what came of them, and what the tables say. Include after cmocka.
 */
#ifndef POSTHORN_TESTS_MESSAGE_SENDER_H
#define POSTHORN_TESTS_MESSAGE_SENDER_H

#include "sql.h"

#include "fixture.h"

#define NODE 7

static struct ph_message_batch *batch, *batch2;

/* A message with what a test may want to be special about it. */
struct sent {
    struct ph_new_message message;
    int index;
};

TEST_UNUSED static struct ph_id key_of(int n)
{
    return (struct ph_id){{0x77, (uint8_t)(n >> 8), (uint8_t)n}};
}

/* key 0: none; event_id NULL: none. The payload belongs to the caller: see done_with. */
TEST_UNUSED static struct sent add(struct ph_message_batch *to, const struct tenant *tenant,
                                   int key, const char *event_id)
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

TEST_UNUSED static void done_with(struct sent *sent, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ph_payload_unref(sent[i].message.payload);
}

TEST_UNUSED static void owe(struct ph_message_batch *to, const struct sent *sent,
                            struct ph_id endpoint, int32_t node_id)
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

TEST_UNUSED static void on_stored(enum ph_err err, const int *rejected,
                                  const enum ph_rejection *why, size_t n, void *ctx)
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

TEST_UNUSED static struct answer store(struct ph_message_batch *which, struct ph_db *with)
{
    struct answer answer = {0};

    ph_message_batch_store(which, with, on_stored, &answer);
    assert_false(answer.done);
    wait_until(&answer.done, "store");
    return answer;
}

TEST_UNUSED static void store_all(void)
{
    struct answer answer = store(batch, db);

    assert_int_equal(answer.err, PH_OK);
    assert_int_equal(answer.n, 0);
}

TEST_UNUSED static void assert_rejected(const struct answer *answer, size_t i, int index,
                                        enum ph_rejection why)
{
    assert_true(answer->n > i);
    assert_int_equal(answer->rejected[i], index);
    assert_int_equal(answer->why[i], why);
}

TEST_UNUSED static void on_found(enum ph_err err, const bool *known, void *ctx)
{
    struct answer *answer = ctx;

    answer->done = true;
    answer->err = err;
    memcpy(answer->known, known, (size_t)answer->count * sizeof *known);
}

TEST_UNUSED static struct answer find(struct ph_message_batch *which)
{
    struct answer answer = {.count = ph_message_batch_count(which)};

    ph_message_batch_find(which, db, on_found, &answer);
    wait_until(&answer.done, "find");
    assert_int_equal(answer.err, PH_OK);
    return answer;
}

TEST_UNUSED static void on_key_found(enum ph_err err, struct ph_id message, void *ctx)
{
    *(struct answer *)ctx = (struct answer){.done = true, .err = err, .message = message};
}

TEST_UNUSED static struct answer find_key(const struct tenant *tenant, int key)
{
    struct ph_arena *arena = ph_arena_new();
    struct answer answer = {0};

    ph_idempotency_find(db, arena, tenant->id, key_of(key), on_key_found, &answer);
    wait_until(&answer.done, "find a key");
    ph_arena_free(arena);
    return answer;
}

TEST_UNUSED static bool is_stored(const struct sent *sent)
{
    return ask_number("SELECT count(*) FROM messages WHERE id = '%s'",
                      uuid_text(sent->message.payload->message)) == 1;
}

TEST_UNUSED static struct ph_id id_of(const struct sent *sent)
{
    return sent->message.payload->message;
}

TEST_UNUSED static bool is_owed(const struct sent *sent, struct ph_id endpoint)
{
    return ask_number(
               "SELECT count(*) FROM deliveries WHERE message_id = '%s' AND endpoint_id = '%s'",
               uuid_text(id_of(sent)), uuid_text(endpoint)) == 1;
}

/* No key and no event id may lead to a message that is not there, and no message may lack its own. */
TEST_UNUSED static void assert_keys_match_messages(void)
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

TEST_UNUSED static int set_up(void **state)
{
    (void)state;
    batch = ph_message_batch_new(4 << 20);
    batch2 = ph_message_batch_new(1 << 20);
    return set_up_database("posthorn_message_batch_test");
}

TEST_UNUSED static int tear_down(void **state)
{
    ph_message_batch_free(batch);
    ph_message_batch_free(batch2);
    return tear_down_database(state);
}

TEST_UNUSED static int begin(void **state)
{
    ph_message_batch_clear(batch);
    ph_message_batch_clear(batch2);
    return begin_test(state);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end_test)

#endif
