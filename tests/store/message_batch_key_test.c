#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "message_sender.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
