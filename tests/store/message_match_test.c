#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

#include "posthorn/unmatched.h"

#define NODE 7

static struct ph_message_batch *batch, *batch2;

/* A message that is committed without deliveries, due at now() + this interval. */
static struct ph_new_message commit_message(const struct tenant *tenant, const char *due_in)
{
    struct ph_id application = tenant->subscriptions.application;
    struct ph_new_message message = {
        .subscriptions = &tenant->subscriptions,
        .payload = ph_payload_new(new_id(), tenant->id, application, PH_STR("a.b"), PH_STR_NONE,
                                  PH_STR("{\"a\": 1}")),
        .event_type = PH_STR("a.b"),
    };

    run_sql(admin,
            "INSERT INTO messages (application_id, id, tenant_id, event_type, channels, payload) "
            "VALUES ('%s', '%s', '%s', 'a.b', '{x,y}', '{\"a\": 1}')",
            uuid_text(application), uuid_text(message.payload->message), uuid_text(tenant->id));
    run_sql(
        admin, "INSERT INTO unmatched_messages VALUES ('%s', '%s', '%s', now() + interval '%s')",
        uuid_text(message.payload->message), uuid_text(tenant->id), uuid_text(application), due_in);
    return message;
}

/* Adds it with one delivery. */
static void add(struct ph_message_batch *to, const struct ph_new_message *message,
                struct ph_id endpoint, int32_t node_id)
{
    int index = ph_message_batch_add(to, message);

    ph_message_batch_add_delivery(to, index, message, endpoint, node_id);
}

struct answer {
    bool done;
    enum ph_err err;
    size_t n;
    enum ph_rejection why[16];
    bool known[16], gone[16];
    int count;
};

static void on_matched(enum ph_err err, const int *rejected, const enum ph_rejection *why, size_t n,
                       void *ctx)
{
    struct answer *answer = ctx;

    *answer = (struct answer){.done = true, .err = err, .n = n};
    for (size_t i = 0; i < n; i++)
        answer->why[rejected[i]] = why[i];
}

static struct answer match(struct ph_message_batch *which)
{
    struct answer answer = {0};

    ph_message_batch_match(which, db, on_matched, &answer);
    wait_until(&answer.done, "match");
    assert_int_equal(answer.err, PH_OK);
    return answer;
}

static void on_found(enum ph_err err, const bool *known, const bool *gone, void *ctx)
{
    struct answer *answer = ctx;

    answer->done = true;
    answer->err = err;
    memcpy(answer->known, known, (size_t)answer->count * sizeof *known);
    memcpy(answer->gone, gone, (size_t)answer->count * sizeof *gone);
}

static struct answer find(struct ph_message_batch *which)
{
    struct answer answer = {.count = ph_message_batch_count(which)};

    ph_message_batch_find_matched(which, db, on_found, &answer);
    wait_until(&answer.done, "find");
    assert_int_equal(answer.err, PH_OK);
    return answer;
}

static void the_first_to_match_stores_the_deliveries(void **state)
{
    struct ph_new_message a = commit_message(&red, "0"), b = commit_message(&blue, "0");
    struct answer answer;

    (void)state;
    add(batch, &a, red.endpoints[0], NODE);
    add(batch, &b, blue.endpoints[0], 0);
    answer = match(batch);
    assert_int_equal(answer.n, 0);
    assert_int_equal(ask_number("SELECT count(*) FROM unmatched_messages"), 0);
    assert_int_equal(ask_number("SELECT count(*) FROM deliveries WHERE node_id = %d", NODE), 1);
    assert_int_equal(ask_number("SELECT count(*) FROM deliveries d JOIN schedule_arrivals s USING "
                                "(endpoint_id) WHERE node_id IS NULL AND next_at <= now()"),
                     1);
    add(batch2, &a, red.endpoints[1], NODE);
    answer = match(batch2);
    assert_int_equal(answer.n, 1);
    assert_int_equal(answer.why[0], PH_REJECTED_MATCHED);
    assert_int_equal(ask_number("SELECT count(*) FROM deliveries"), 2);
    ph_payload_unref(a.payload);
    ph_payload_unref(b.payload);
}

static void a_stale_snapshot_is_rejected_and_the_message_stays(void **state)
{
    struct ph_new_message a = commit_message(&red, "0");
    struct answer answer;

    (void)state;
    run_sql(admin, "UPDATE applications SET config_version = 2 WHERE id = '%s'",
            uuid_text(red.subscriptions.application));
    add(batch, &a, red.endpoints[0], NODE);
    answer = match(batch);
    assert_int_equal(answer.n, 1);
    assert_int_equal(answer.why[0], PH_REJECTED_STALE);
    assert_int_equal(ask_number("SELECT count(*) FROM deliveries"), 0);
    assert_int_equal(ask_number("SELECT count(*) FROM unmatched_messages"), 1);
    run_sql(admin, "DELETE FROM unmatched_messages");
    assert_int_equal(match(batch).why[0], PH_REJECTED_MATCHED);
    ph_payload_unref(a.payload);
}

/* After a lost answer: what is there by this batch, what by another one, and what is still to be done. */
static void a_lost_answer_is_found_out(void **state)
{
    struct ph_new_message mine = commit_message(&red, "0"), theirs = commit_message(&red, "0"),
                          open = commit_message(&red, "0");
    struct answer answer;

    (void)state;
    add(batch, &mine, red.endpoints[0], NODE);
    add(batch, &theirs, red.endpoints[0], NODE);
    add(batch, &open, red.endpoints[0], NODE);
    add(batch2, &mine, red.endpoints[0], NODE);
    match(batch2);
    ph_message_batch_clear(batch2);
    add(batch2, &theirs, red.endpoints[0], NODE + 1);
    match(batch2);
    answer = find(batch);
    assert_true(answer.known[0] && answer.gone[0]);
    assert_true(!answer.known[1] && answer.gone[1]);
    assert_true(!answer.known[2] && !answer.gone[2]);
    ph_payload_unref(mine.payload);
    ph_payload_unref(theirs.payload);
    ph_payload_unref(open.payload);
}

/* Taking */

struct take {
    bool done;
    size_t n, n_red, n_lost;
    bool more;
    struct ph_id cursor, first;
    int64_t next_in_ms;
};

static void on_taken(enum ph_err err, const struct ph_unmatched_taken *taken, void *ctx)
{
    struct take *take = ctx;

    assert_int_equal(err, PH_OK);
    *take = (struct take){.done = true, .n = taken->n, .more = taken->more};
    take->cursor = taken->cursor;
    take->next_in_ms = taken->next_ms - taken->now_ms;
    for (size_t i = 0; i < taken->n; i++) {
        take->n_red += ph_id_eq(taken->items[i].tenant, red.id);
        take->n_lost += taken->items[i].payload.ptr == NULL;
        if (i == 0)
            take->first = taken->items[i].message;
        if (taken->items[i].payload.ptr) {
            assert_int_equal(taken->items[i].n_channels, 2);
            assert_true(ph_str_eq(taken->items[i].payload, PH_STR("{\"a\": 1}")));
        }
    }
}

static struct take take_some(int max, int per_tenant, int64_t bytes, struct ph_id cursor)
{
    struct ph_arena *arena = ph_arena_new();
    struct take take = {0};

    ph_unmatched_take(db, arena, max, per_tenant, bytes, cursor, on_taken, &take);
    wait_until(&take.done, "take");
    ph_arena_free(arena);
    return take;
}

static void forget(struct ph_new_message message)
{
    ph_payload_unref(message.payload);
}

static void due_ones_are_taken_once_for_a_while(void **state)
{
    struct take take;

    (void)state;
    forget(commit_message(&red, "1 hour"));
    struct ph_new_message second = commit_message(&red, "-1 second");
    struct ph_new_message first = commit_message(&blue, "-2 seconds");
    take = take_some(10, 10, 1000, (struct ph_id){{0}});
    assert_int_equal(take.n, 2);
    assert_true(ph_id_eq(take.first, first.payload->message));
    assert_false(take.more);
    assert_in_range(take.next_in_ms, 3500 * 1000, 3600 * 1000);
    assert_int_equal(take_some(10, 10, 1000, (struct ph_id){{0}}).n, 0);
    run_sql(admin, "UPDATE unmatched_messages SET due_at = due_at - interval '10 seconds'");
    assert_int_equal(take_some(10, 10, 1000, (struct ph_id){{0}}).n, 2);
    forget(first);
    forget(second);
}

static void many_of_one_tenant_leave_room_for_another(void **state)
{
    struct take take;

    (void)state;
    for (int i = 0; i < 10; i++)
        forget(commit_message(&red, "-1 second"));
    forget(commit_message(&blue, "0"));
    take = take_some(4, 2, 1000, (struct ph_id){{0}});
    assert_int_equal(take.n, 3);
    assert_int_equal(take.n_red, 2);
    assert_true(take.more);
    assert_true(ph_id_is_zero(take.cursor));
    /* The round goes on behind the tenant at which it had enough. */
    take = take_some(2, 2, 1000, (struct ph_id){{0}});
    assert_int_equal(take.n_red, 2);
    assert_true(ph_id_eq(take.cursor, red.id));
    forget(commit_message(&blue, "0"));
    take = take_some(2, 2, 1000, take.cursor);
    assert_int_equal(take.n, 1);
    assert_int_equal(take.n_red, 0);
}

static void what_is_taken_at_once_is_bounded_in_bytes(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        forget(commit_message(&red, "-1 second"));
    assert_int_equal(take_some(10, 10, 9, (struct ph_id){{0}}).n, 2);
    assert_int_equal(take_some(10, 10, 1, (struct ph_id){{0}}).n, 1);
    assert_int_equal(take_some(10, 10, 1000, (struct ph_id){{0}}).n, 2);
}

static void on_dropped(enum ph_err err, void *ctx)
{
    assert_int_equal(err, PH_OK);
    *(bool *)ctx = true;
}

static void a_message_that_is_gone_is_dropped(void **state)
{
    struct ph_arena *arena = ph_arena_new();
    struct take take;
    bool done = false;

    (void)state;
    forget(commit_message(&red, "0"));
    run_sql(admin, "DELETE FROM messages");
    take = take_some(10, 10, 1000, (struct ph_id){{0}});
    assert_int_equal(take.n_lost, 1);
    ph_unmatched_drop(db, arena, &take.first, 1, on_dropped, &done);
    wait_until(&done, "drop");
    assert_int_equal(ask_number("SELECT count(*) FROM unmatched_messages"), 0);
    ph_arena_free(arena);
}

static int begin(void **state)
{
    begin_test(state);
    batch = ph_message_batch_new(1 << 20);
    batch2 = ph_message_batch_new(1 << 20);
    return 0;
}

static int end(void **state)
{
    ph_message_batch_free(batch);
    ph_message_batch_free(batch2);
    return end_test(state);
}

static int set_up(void **state)
{
    (void)state;
    return set_up_database("posthorn_message_match_test");
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_to_match_stores_the_deliveries),
        TEST(a_stale_snapshot_is_rejected_and_the_message_stays),
        TEST(a_lost_answer_is_found_out),
        TEST(due_ones_are_taken_once_for_a_while),
        TEST(many_of_one_tenant_leave_room_for_another),
        TEST(what_is_taken_at_once_is_bounded_in_bytes),
        TEST(a_message_that_is_gone_is_dropped),
    };

    test_env("POSTHORN_TEST_DATABASE");
    return cmocka_run_group_tests(tests, set_up, tear_down_database);
}
