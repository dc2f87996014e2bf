/*
 * For tests of claims: what is owed, a claimer that keeps what it took, and the statements beside it. Include after cmocka.
 */
#ifndef POSTHORN_TESTS_CLAIMER_H
#define POSTHORN_TESTS_CLAIMER_H

#include "posthorn/claim.h"

#include "fixture.h"

#define NODE 7

/* A waiting delivery, due so many ms after now; returns its message, which exists. Schedules nothing. */
TEST_UNUSED static struct ph_id owe(const struct tenant *tenant, int endpoint, int due_ms)
{
    struct ph_id message = new_id();

    run_sql(admin,
            "INSERT INTO messages (application_id, id, tenant_id, event_type, payload) "
            "VALUES ('%s', '%s', '%s', 'a.b', '{\"m\":1}')",
            uuid_text(tenant->subscriptions.application), uuid_text(message),
            uuid_text(tenant->id));
    run_sql(admin,
            "INSERT INTO deliveries (endpoint_id, message_id, tenant_id, application_id, next_at, "
            "attempts) "
            "VALUES ('%s', '%s', '%s', '%s', now() + %d * interval '1 ms', 3)",
            uuid_text(tenant->endpoints[endpoint]), uuid_text(message), uuid_text(tenant->id),
            uuid_text(tenant->subscriptions.application), due_ms);
    return message;
}

/* Every endpoint with waiting deliveries, when its first is due. */
TEST_UNUSED static void schedule(void)
{
    run_sql(admin, "INSERT INTO endpoint_schedule (endpoint_id, tenant_id, next_due_at) "
                   "SELECT endpoint_id, min(tenant_id::text)::uuid, min(next_at) FROM deliveries "
                   "WHERE node_id IS NULL GROUP BY endpoint_id");
}

#define TAKEN_MAX 256

struct taken {
    struct ph_id endpoint, message, tenant, application;
    int attempts;
    bool gone, ordered, manual;
    int n_waits; /* of its retry schedule; -1: none of its own */
    int64_t first_wait_ms;
    size_t payload_len;
    char sent[64]; /* event type, content type and body */
};

TEST_UNUSED static void describe(const struct ph_payload *payload, char out[64])
{
    snprintf(out, 64, "%.*s %.*s %.*s", (int)payload->event_type.len, payload->event_type.ptr,
             (int)payload->content_type.len, payload->content_type.ptr, (int)payload->len,
             payload->bytes);
}

struct answer {
    bool done;
    enum ph_err err;
    struct ph_claim claim; /* without the jobs and lists */
    struct ph_id drained[TAKEN_MAX], behind[TAKEN_MAX];
    size_t n;
    struct taken taken[TAKEN_MAX];
    int32_t number;
    struct ph_arena *arena;
};

TEST_UNUSED static void on_claimed(enum ph_err err, struct ph_claim *claim, void *ctx)
{
    struct answer *answer = ctx;
    struct ph_job *job;

    assert_false(answer->done);
    answer->done = true;
    answer->err = err;
    answer->claim = *claim;
    assert_true(claim->n_drained <= TAKEN_MAX && claim->n_behind <= TAKEN_MAX);
    for (size_t i = 0; i < claim->n_drained; i++)
        answer->drained[i] = claim->drained[i];
    for (size_t i = 0; i < claim->n_behind; i++)
        answer->behind[i] = claim->behind[i];
    while ((job = ph_job_list_take(&claim->jobs))) {
        assert_true(answer->n < TAKEN_MAX);
        assert_int_equal(job->node_id, NODE);
        assert_null(job->config);
        const struct ph_retry_schedule *retry = job->payload->retry;
        answer->taken[answer->n++] = (struct taken){
            .endpoint = job->endpoint,
            .message = job->payload->message,
            .tenant = job->payload->tenant,
            .application = job->payload->application,
            .attempts = job->attempts_made,
            .gone = job->message_gone,
            .ordered = job->is_ordered,
            .manual = job->is_manual,
            .n_waits = retry ? retry->n_waits : -1,
            .first_wait_ms = retry && retry->n_waits ? retry->wait_ms[0] : 0,
            .payload_len = job->payload->len,
        };
        describe(job->payload, answer->taken[answer->n - 1].sent);
        ph_job_free(job);
    }
}

TEST_UNUSED static void send_claim(struct ph_db *with, struct answer *answer, int endpoints,
                                   int share, const struct ph_id *held, size_t n_held)
{
    *answer = (struct answer){.arena = ph_arena_new()};
    struct ph_claim_request request = {
        .node_id = NODE,
        .max_endpoints = endpoints,
        .endpoints_per_tenant = 100,
        .share = share,
        .held = held,
        .n_held = n_held,
    };
    ph_claim_due(with, answer->arena, &request, on_claimed, answer);
}

TEST_UNUSED static void await_claim(struct answer *answer)
{
    wait_until(&answer->done, "claim");
    assert_int_equal(answer->err, PH_OK);
    ph_arena_free(answer->arena);
}

TEST_UNUSED static struct answer claim_with(int endpoints, int share, const struct ph_id *held,
                                            size_t n_held)
{
    struct answer answer;

    send_claim(db, &answer, endpoints, share, held, n_held);
    assert_false(answer.done);
    await_claim(&answer);
    return answer;
}

TEST_UNUSED static struct answer claim(int endpoints, int share)
{
    return claim_with(endpoints, share, NULL, 0);
}

/* At most `endpoints`, `of_tenant` of each tenant behind the cursor. */
TEST_UNUSED static struct answer claim_behind(struct ph_id cursor, int endpoints, int of_tenant,
                                              int share)
{
    struct answer answer = {.arena = ph_arena_new()};
    struct ph_claim_request request = {
        .node_id = NODE,
        .max_endpoints = endpoints,
        .endpoints_per_tenant = of_tenant,
        .share = share,
        .cursor = cursor,
    };

    ph_claim_due(db, answer.arena, &request, on_claimed, &answer);
    await_claim(&answer);
    return answer;
}

TEST_UNUSED static bool took(const struct answer *answer, struct ph_id message)
{
    size_t n = 0;

    for (size_t i = 0; i < answer->n; i++)
        n += ph_id_eq(answer->taken[i].message, message);
    assert_true(n <= 1);
    return n == 1;
}

TEST_UNUSED static long scheduled(struct ph_id endpoint)
{
    return ask_number("SELECT count(*) FROM endpoint_schedule WHERE endpoint_id = '%s'",
                      uuid_text(endpoint));
}

TEST_UNUSED static long due(struct ph_id endpoint)
{
    return ask_number(
        "SELECT count(*) FROM endpoint_schedule WHERE endpoint_id = '%s' AND serve_at <= now()",
        uuid_text(endpoint));
}

TEST_UNUSED static void on_number(enum ph_err err, int32_t n, void *ctx)
{
    struct answer *answer = ctx;

    assert_false(answer->done);
    answer->done = true;
    answer->err = err;
    answer->number = n;
}

TEST_UNUSED static int32_t await_number(struct answer *answer)
{
    wait_until(&answer->done, "a statement");
    assert_int_equal(answer->err, PH_OK);
    ph_arena_free(answer->arena);
    return answer->number;
}

/* Deliveries joined those of the endpoint, as ingest says it. */
TEST_UNUSED static void join(struct ph_id endpoint, const struct tenant *tenant)
{
    run_sql(admin,
            "INSERT INTO endpoint_schedule AS s (endpoint_id, tenant_id, next_due_at) VALUES "
            "('%s', '%s', now()) ON CONFLICT (endpoint_id) DO UPDATE SET changes = s.changes + 1, "
            "next_due_at = least(s.next_due_at, excluded.next_due_at)",
            uuid_text(endpoint), uuid_text(tenant->id));
}

TEST_UNUSED static void set_endpoint(struct ph_id endpoint, const char *what)
{
    run_sql(admin, "UPDATE endpoints SET %s WHERE id = '%s'", what, uuid_text(endpoint));
}

TEST_UNUSED static void pause_ms(int64_t ms)
{
    uint64_t end_ms = ph_clock_mono_ms() + (uint64_t)ms;

    while (ph_clock_mono_ms() < end_ms)
        ph_loop_step(loop, 5);
}

TEST_UNUSED static int32_t release(struct ph_id endpoint)
{
    struct answer answer = {.arena = ph_arena_new()};

    ph_schedule_release(db, answer.arena, endpoint, on_number, &answer);
    return await_number(&answer);
}

TEST_UNUSED static int32_t give_room(struct ph_id endpoint)
{
    struct answer answer = {.arena = ph_arena_new()};

    ph_schedule_room(db, answer.arena, endpoint, on_number, &answer);
    return await_number(&answer);
}

TEST_UNUSED static int32_t register_node(struct ph_db *with)
{
    struct answer answer = {.arena = ph_arena_new()};

    ph_node_register(with, answer.arena, PH_STR("a node"), on_number, &answer);
    return await_number(&answer);
}

TEST_UNUSED static int32_t take_over(int32_t self)
{
    struct answer answer = {.arena = ph_arena_new()};

    ph_nodes_take_over(db, answer.arena, self, on_number, &answer);
    return await_number(&answer);
}

/* A delivery that a node has in memory. */
TEST_UNUSED static struct ph_id owned_by(int32_t node, const struct tenant *tenant, int endpoint)
{
    struct ph_id message = owe(tenant, endpoint, 0);

    run_sql(admin, "UPDATE deliveries SET node_id = %d, next_at = NULL WHERE message_id = '%s'",
            node, uuid_text(message));
    return message;
}

TEST_UNUSED static long owner_of(struct ph_id message)
{
    return ask_number("SELECT coalesce(node_id, 0) FROM deliveries WHERE message_id = '%s' "
                      "AND (node_id IS NULL) = (next_at IS NOT NULL) AND attempts = 3",
                      uuid_text(message));
}

#endif
