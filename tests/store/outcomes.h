/*
 * For tests of the outcome statement: deliveries under way, their outcomes, a batch, and what became of them. Include after
 * cmocka.
 */
#ifndef POSTHORN_TESTS_OUTCOMES_H
#define POSTHORN_TESTS_OUTCOMES_H

#include "posthorn/claim.h"
#include "posthorn/outcome_batch.h"

#include "fixture.h"

#define NODE  7
#define OTHER 8

static struct ph_outcome_batch *batch;
static int64_t now_ms;

/* A delivery that node has in memory after so many attempts; returns its message. */
TEST_UNUSED static struct ph_id owe(const struct tenant *tenant, int endpoint, int node,
                                    int attempts)
{
    struct ph_id message = new_id();

    run_sql(admin,
            "INSERT INTO deliveries (endpoint_id, message_id, tenant_id, application_id, node_id, "
            "attempts) "
            "VALUES ('%s', '%s', '%s', '%s', %d, %d)",
            uuid_text(tenant->endpoints[endpoint]), uuid_text(message), uuid_text(tenant->id),
            uuid_text(tenant->subscriptions.application), node, attempts);
    return message;
}

TEST_UNUSED static struct ph_outcome success(const struct tenant *tenant, int endpoint,
                                             struct ph_id message)
{
    return (struct ph_outcome){
        .endpoint = tenant->endpoints[endpoint],
        .message = message,
        .tenant = tenant->id,
        .node_id = NODE,
        .done = true,
        .attempts_made = 1,
        .has_attempt = true,
        .attempt = new_id(),
        .status = PH_STATUS_SUCCESS,
        .status_code = 204,
        .duration_ms = 12,
        .url = PH_STR("https://red.example/0"),
        .response = PH_STR("ok"),
    };
}

TEST_UNUSED static struct ph_outcome failure(const struct tenant *tenant, int endpoint,
                                             struct ph_id message, int64_t next_ms)
{
    struct ph_outcome outcome = success(tenant, endpoint, message);

    outcome.done = false;
    outcome.next_ms = next_ms;
    outcome.status = PH_STATUS_FAIL;
    outcome.status_code = 500;
    return outcome;
}

TEST_UNUSED static void add(const struct ph_outcome *outcome)
{
    assert_true(ph_outcome_batch_add(batch, outcome));
}

struct answer {
    bool done;
    enum ph_err err;
    int32_t n;
};

TEST_UNUSED static void on_stored(enum ph_err err, void *ctx)
{
    struct answer *answer = ctx;

    assert_false(answer->done);
    *answer = (struct answer){.done = true, .err = err};
}

TEST_UNUSED static void store(void)
{
    struct answer answer = {0};

    ph_outcome_batch_store(batch, db, on_stored, &answer);
    wait_until(&answer.done, "store");
    assert_int_equal(answer.err, PH_OK);
}

TEST_UNUSED static void on_released(enum ph_err err, int32_t n, void *ctx)
{
    *(struct answer *)ctx = (struct answer){.done = true, .err = err, .n = n};
}

TEST_UNUSED static int release(struct ph_id endpoint)
{
    struct ph_arena *arena = ph_arena_new();
    struct answer answer = {0};

    ph_schedule_release(db, arena, endpoint, on_released, &answer);
    wait_until(&answer.done, "release");
    assert_int_equal(answer.err, PH_OK);
    ph_arena_free(arena);
    return answer.n;
}

/* What is waiting of an endpoint, in ms from the test's start; -1: nothing. */
TEST_UNUSED static long due_in_ms(struct ph_id endpoint, struct ph_id message)
{
    return ask_number("SELECT coalesce((SELECT round(extract(epoch FROM next_at) * 1000 - %lld) "
                      "FROM deliveries WHERE "
                      "endpoint_id = '%s' AND message_id = '%s' AND node_id IS NULL), -1)",
                      (long long)now_ms, uuid_text(endpoint), uuid_text(message));
}

TEST_UNUSED static long scheduled_in_ms(struct ph_id endpoint)
{
    return ask_number("SELECT coalesce((SELECT round(extract(epoch FROM next_due_at) * 1000 - "
                      "%lld) FROM endpoint_schedule "
                      "WHERE endpoint_id = '%s'), -1)",
                      (long long)now_ms, uuid_text(endpoint));
}

TEST_UNUSED static bool is_owed(struct ph_id endpoint, struct ph_id message)
{
    return ask_number(
               "SELECT count(*) FROM deliveries WHERE endpoint_id = '%s' AND message_id = '%s'",
               uuid_text(endpoint), uuid_text(message)) == 1;
}

TEST_UNUSED static void assert_stats(struct ph_id endpoint, int success_n, int failure_n,
                                     int exhausted_n)
{
    assert_int_equal(
        ask_number("SELECT count(*) FROM delivery_stats WHERE endpoint_id = '%s' AND success = %d "
                   "AND failure = %d AND exhausted = %d",
                   uuid_text(endpoint), success_n, failure_n, exhausted_n),
        1);
    assert_int_equal(ask_number("SELECT count(*) FROM delivery_stats WHERE endpoint_id = '%s'",
                                uuid_text(endpoint)),
                     1);
    assert_int_equal(
        ask_number(
            "SELECT sum(n) FROM delivery_stats, unnest(duration_counts) n WHERE endpoint_id = '%s'",
            uuid_text(endpoint)),
        success_n + failure_n);
}

TEST_UNUSED static int set_up_outcomes(const char *name)
{
    batch = ph_outcome_batch_new(1 << 20);
    return set_up_database(name);
}

TEST_UNUSED static int tear_down_outcomes(void **state)
{
    ph_outcome_batch_free(batch);
    return tear_down_database(state);
}

static int begin(void **state)
{
    ph_outcome_batch_clear(batch);
    now_ms = ph_clock_wall_ms();
    return begin_test(state);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end_test)

#endif
