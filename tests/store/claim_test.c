#include "sql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "claimer.h"

/* What is taken */

static void only_due_deliveries_are_taken_in_the_order_of_their_times(void **state)
{
    struct ph_id late = owe(&red, 0, -1000), early = owe(&blue, 0, -3000),
                 middle = owe(&red, 0, -2000), future = owe(&red, 0, 60000),
                 other_future = owe(&blue, 1, 90000);
    (void)state;

    schedule();
    struct answer answer = claim(10, 10);
    assert_int_equal(answer.n, 3);
    assert_true(ph_id_eq(answer.taken[0].message, early));
    assert_true(ph_id_eq(answer.taken[1].message, middle));
    assert_true(ph_id_eq(answer.taken[2].message, late));
    assert_true(ph_id_eq(answer.taken[0].endpoint, blue.endpoints[0]));
    assert_true(ph_id_eq(answer.taken[0].tenant, blue.id));
    assert_true(ph_id_eq(answer.taken[0].application, blue.subscriptions.application));
    assert_int_equal(answer.taken[0].attempts, 3);
    assert_int_equal(answer.taken[0].payload_len, 7);
    assert_false(answer.taken[0].gone);
    assert_true(ph_id_eq(answer.taken[1].tenant, red.id));
    assert_int_equal(
        ask_number("SELECT count(*) FROM deliveries WHERE node_id = %d AND next_at IS NULL", NODE),
        3);
    assert_int_equal(
        ask_number("SELECT count(*) FROM deliveries WHERE node_id IS NULL AND next_at > now() "
                   "AND message_id IN ('%s', '%s')",
                   uuid_text(future), uuid_text(other_future)),
        2);
    assert_false(answer.claim.more);
    assert_int_equal(claim(10, 10).n, 0);
}

static void of_each_endpoint_at_most_its_share_is_taken(void **state)
{
    struct ph_id first;
    (void)state;

    for (int i = 0; i < 5; i++) {
        struct ph_id message = owe(&red, 0, -5000 + i * 100);
        if (i == 0)
            first = message;
    }
    owe(&red, 1, -10);
    for (int i = 0; i < 2; i++)
        owe(&blue, 0, -20);
    schedule();
    struct answer answer = claim(10, 2);
    assert_int_equal(answer.n, 5);
    assert_true(ph_id_eq(answer.taken[0].message, first));
    assert_true(answer.claim.more);
    assert_int_equal(due(red.endpoints[0]), 1);
    assert_int_equal(scheduled(red.endpoints[1]), 0);
    assert_int_equal(scheduled(blue.endpoints[0]), 0);
    answer = claim(10, 2);
    assert_int_equal(answer.n, 2);
    assert_true(answer.claim.more);
    answer = claim(10, 2);
    assert_int_equal(answer.n, 1);
    assert_false(answer.claim.more);
    assert_int_equal(ask_number("SELECT count(*) FROM endpoint_schedule"), 0);
}

static void at_most_so_many_endpoints_are_served_those_due_longest_first(void **state)
{
    struct ph_id second = owe(&red, 1, -2000), first = owe(&red, 2, -3000),
                 third = owe(&red, 0, -1000);
    (void)state;

    schedule();
    struct answer answer = claim(2, 10);
    assert_int_equal(answer.n, 2);
    assert_true(took(&answer, first));
    assert_true(took(&answer, second));
    assert_true(ph_id_eq(answer.claim.cursor, red.id));
    assert_int_equal(due(red.endpoints[0]), 1);
    answer = claim(2, 10);
    assert_int_equal(answer.n, 1);
    assert_true(took(&answer, third));
    assert_true(ph_id_is_zero(answer.claim.cursor));
    assert_false(answer.claim.more);
}

static void
a_schedule_row_goes_when_nothing_waits_and_moves_to_the_earliest_rest_otherwise(void **state)
{
    (void)state;

    owe(&red, 0, -100);
    owe(&red, 0, 60000);
    owe(&red, 0, 40000);
    owe(&blue, 0, -100);
    schedule();
    struct answer answer = claim(10, 10);
    assert_int_equal(answer.n, 2);
    assert_int_equal(scheduled(blue.endpoints[0]), 0);
    assert_int_equal(
        ask_number(
            "SELECT count(*) FROM endpoint_schedule s WHERE s.endpoint_id = '%s' AND next_due_at = "
            "(SELECT min(next_at) FROM deliveries d WHERE d.endpoint_id = s.endpoint_id) "
            "AND next_due_at > now()",
            uuid_text(red.endpoints[0])),
        1);
    assert_false(answer.claim.more);
}

static void the_next_time_is_that_of_the_earliest_endpoint_that_waits(void **state)
{
    int64_t now_ms = ph_clock_wall_ms();
    struct answer answer = claim(10, 10);
    (void)state;

    assert_true(answer.claim.next_ms == INT64_MAX);
    assert_true(answer.claim.now_ms >= now_ms - 5 && answer.claim.now_ms <= ph_clock_wall_ms() + 5);

    owe(&red, 0, 60000);
    owe(&blue, 1, 30000);
    owe(&red, 2, 90000);
    schedule();
    run_sql(admin, "UPDATE endpoint_schedule SET held_until = 'infinity' WHERE endpoint_id = '%s'",
            uuid_text(red.endpoints[2]));
    answer = claim(10, 10);
    assert_int_equal(answer.n, 0);
    assert_in_range(answer.claim.next_ms - answer.claim.now_ms, 25000, 30000);

    /* A rest that this claim leaves counts too. */
    owe(&blue, 2, -10);
    owe(&blue, 2, 20000);
    run_sql(admin,
            "INSERT INTO endpoint_schedule (endpoint_id, tenant_id, next_due_at) VALUES ('%s', "
            "'%s', now())",
            uuid_text(blue.endpoints[2]), uuid_text(blue.id));
    answer = claim(10, 10);
    assert_int_equal(answer.n, 1);
    assert_in_range(answer.claim.next_ms - answer.claim.now_ms, 15000, 20000);
}

static void an_endpoint_on_hold_is_not_served_before_its_hold_ends(void **state)
{
    struct ph_id message = owe(&red, 0, -1000), other = owe(&blue, 0, -1000);
    (void)state;

    schedule();
    run_sql(admin,
            "UPDATE endpoint_schedule SET held_until = now() + interval '30 seconds' WHERE "
            "endpoint_id = '%s'",
            uuid_text(red.endpoints[0]));
    struct answer answer = claim(10, 10);
    assert_int_equal(answer.n, 1);
    assert_true(took(&answer, other));
    assert_in_range(answer.claim.next_ms - answer.claim.now_ms, 25000, 30000);
    run_sql(admin, "UPDATE endpoint_schedule SET held_until = now() - interval '1 ms'");
    answer = claim(10, 10);
    assert_true(took(&answer, message));
}

static void a_claim_may_leave_endpoints_alone_for_a_second(void **state)
{
    struct ph_id other = owe(&blue, 0, -1000);
    (void)state;

    owe(&red, 0, -2000);
    owe(&red, 1, -2000);
    schedule();
    run_sql(admin,
            "UPDATE endpoint_schedule SET held_until = now() + interval '1 hour' WHERE endpoint_id "
            "= '%s'",
            uuid_text(red.endpoints[1]));
    struct answer answer = claim_with(10, 10, red.endpoints, 2);
    assert_int_equal(answer.n, 1);
    assert_true(took(&answer, other));
    assert_int_equal(ask_number("SELECT count(*) FROM endpoint_schedule WHERE endpoint_id = '%s' "
                                "AND held_until > now() "
                                "AND held_until <= now() + interval '1 second'",
                                uuid_text(red.endpoints[0])),
                     1);
    assert_int_equal(ask_number("SELECT count(*) FROM endpoint_schedule WHERE endpoint_id = '%s' "
                                "AND held_until > now() + interval '59 minutes'",
                                uuid_text(red.endpoints[1])),
                     1);
    assert_int_equal(claim(10, 10).n, 0);
}

static void the_next_time_forgot_endpoints_that_the_claim_left_alone(void **state)
{
    (void)state;

    owe(&red, 0, -2000);
    owe(&blue, 0, -2000);
    schedule();
    struct answer answer = claim_with(10, 10, red.endpoints, 1);
    assert_int_equal(answer.n, 1);
    assert_in_range(answer.claim.next_ms - answer.claim.now_ms, 500, 1000);
}

static void a_delivery_whose_message_is_gone_says_so(void **state)
{
    struct ph_id gone = owe(&red, 0, -2000), there = owe(&blue, 0, -1000);
    (void)state;

    schedule();
    run_sql(admin, "DELETE FROM messages WHERE id = '%s'", uuid_text(gone));
    run_sql(admin, "UPDATE messages SET payload = ''"); /* an empty payload is a payload */
    struct answer answer = claim(10, 10);
    assert_int_equal(answer.n, 2);
    assert_true(ph_id_eq(answer.taken[0].message, gone));
    assert_true(answer.taken[0].gone);
    assert_int_equal(answer.taken[0].payload_len, 0);
    assert_true(ph_id_eq(answer.taken[1].message, there));
    assert_false(answer.taken[1].gone);
}

/* Beside other transactions */

static void two_claimers_never_take_the_same_delivery(void **state)
{
    struct answer answers[2];
    size_t n = 0;
    (void)state;

    for (int e = 0; e < ENDPOINTS; e++) {
        for (int i = 0; i < 40; i++) {
            owe(&red, e, -1000 - i);
            owe(&blue, e, -1000 - i);
        }
    }
    schedule();
    test_exec(admin,
              "CREATE TABLE IF NOT EXISTS took (message_id uuid PRIMARY KEY); TRUNCATE took");
    for (int round = 0; round < 200 && n < 240; round++) {
        send_claim(db, &answers[0], 3, 3, NULL, 0);
        send_claim(db2, &answers[1], 3, 3, NULL, 0);
        for (int i = 0; i < 2; i++) {
            await_claim(&answers[i]);
            for (size_t k = 0; k < answers[i].n; k++)
                run_sql(admin, "INSERT INTO took VALUES ('%s')",
                        uuid_text(answers[i].taken[k].message));
            n += answers[i].n;
        }
    }
    assert_int_equal(n, 240);
    assert_int_equal(ask_number("SELECT count(*) FROM took"), 240);
    assert_int_equal(ask_number("SELECT count(*) FROM deliveries WHERE node_id = %d", NODE), 240);
    test_exec(admin, "DROP TABLE took");
}

static void an_endpoint_that_another_transaction_serves_is_passed_over(void **state)
{
    struct ph_id locked = owe(&red, 0, -2000), free_one = owe(&blue, 0, -1000);
    (void)state;

    schedule();
    test_exec(hand, "BEGIN");
    run_sql(hand, "SELECT FROM endpoint_schedule WHERE endpoint_id = '%s' FOR UPDATE",
            uuid_text(red.endpoints[0]));
    struct answer answer = claim(10, 10);
    assert_int_equal(answer.n, 1);
    assert_true(took(&answer, free_one));
    assert_in_range(answer.claim.next_ms - answer.claim.now_ms, 1, 100); /* looked at again soon */
    test_exec(hand, "COMMIT");
    answer = claim(10, 10);
    assert_true(took(&answer, locked));
}

static void a_delivery_that_another_transaction_works_on_is_passed_over_and_stays_due(void **state)
{
    struct ph_id locked = owe(&red, 0, -3000), next = owe(&red, 0, -2000),
                 other = owe(&blue, 0, -1000);
    (void)state;

    schedule();
    test_exec(hand, "BEGIN");
    run_sql(hand, "SELECT FROM deliveries WHERE message_id = '%s' FOR UPDATE", uuid_text(locked));
    struct answer answer = claim(10, 10);
    assert_int_equal(answer.n, 2);
    assert_true(took(&answer, next));
    assert_true(took(&answer, other));
    assert_true(answer.claim.more);
    assert_int_equal(due(red.endpoints[0]), 1);
    test_exec(hand, "COMMIT");
    answer = claim(10, 10);
    assert_int_equal(answer.n, 1);
    assert_true(took(&answer, locked));
    assert_int_equal(scheduled(red.endpoints[0]), 0);
}

/* Stores a message with an unclaimed delivery for red's first endpoint, as ingest does; returns the message. */
struct ingest {
    bool done;
    struct ph_message_batch *batch;
    struct ph_new_message message;
};

static void on_stored(enum ph_err err, const int *rejected, const enum ph_rejection *why, size_t n,
                      void *ctx)
{
    struct ingest *ingest = ctx;
    (void)rejected;
    (void)why;

    assert_int_equal(err, PH_OK);
    assert_int_equal(n, 0);
    ingest->done = true;
}

static void send_ingest(struct ingest *ingest)
{
    *ingest = (struct ingest){
        .batch = ph_message_batch_new(1000),
        .message = {.subscriptions = &red.subscriptions,
                    .payload = ph_payload_new(new_id(), red.id, red.subscriptions.application,
                                              PH_STR("a.b"), PH_STR_NONE, PH_STR("{}")),
                    .event_type = PH_STR("a.b")}};
    ph_message_batch_add_delivery(ingest->batch,
                                  ph_message_batch_add(ingest->batch, &ingest->message),
                                  &ingest->message, red.endpoints[0], 0);
    ph_message_batch_store(ingest->batch, db2, on_stored, ingest);
}

static struct ph_id await_ingest(struct ingest *ingest)
{
    struct ph_id message = ingest->message.payload->message;

    wait_until(&ingest->done, "ingest");
    ph_payload_unref(ingest->message.payload);
    ph_message_batch_free(ingest->batch);
    return message;
}

/* The claim statement in a transaction of the hand's, which ends when the test says so. */
static void claim_by_hand(int want)
{
    const char *values[] = {"7",  "10", "10", "{}", "00000000-0000-0000-0000-000000000000",
                            "10", "{}", "0"};
    int n = 0;

    test_exec(hand, "BEGIN");
    PGresult *res = PQexecParams(hand, ph_sql_claim_due.sql, 8, NULL, values, NULL, NULL, 0);
    if (PQresultStatus(res) != PGRES_TUPLES_OK)
        fail_msg("%s", PQerrorMessage(hand));
    for (int row = 0; row < PQntuples(res); row++)
        n += strcmp(PQgetvalue(res, row, 0), "1") == 0;
    assert_int_equal(n, want);
    PQclear(res);
}

/* As each claim does first. */
static void join_schedule(void)
{
    run_sql(admin, "%s", ph_sql_schedule_join.sql);
}

static void assert_is_served_next(struct ph_id message)
{
    join_schedule();
    assert_int_equal(due(red.endpoints[0]), 1);
    struct answer answer = claim(10, 10);
    assert_true(took(&answer, message));
}

/* It waits for nobody, either. */
static void a_delivery_stored_while_a_claim_holds_its_schedule_row_is_not_forgotten(void **state)
{
    struct ingest ingest;
    struct ph_id message;
    (void)state;

    owe(&red, 0, -1000);
    owe(&blue, 0, -1000);
    schedule();
    claim_by_hand(2); /* takes all there is: the row goes with its commit */
    send_ingest(&ingest);
    message = await_ingest(&ingest);
    test_exec(hand, "COMMIT");
    assert_is_served_next(message);

    owe(&red, 0, -1000);
    owe(&red, 0, 60000);
    schedule();
    claim_by_hand(1); /* leaves one for later: the row moves */
    send_ingest(&ingest);
    message = await_ingest(&ingest);
    test_exec(hand, "COMMIT");
    assert_is_served_next(message);
}

static void
a_delivery_stored_by_a_transaction_that_began_before_the_claim_is_not_forgotten(void **state)
{
    struct ph_id message = new_id();
    (void)state;

    owe(&red, 0, -1000);
    owe(&blue, 0, -1000);
    schedule();
    test_exec(hand, "BEGIN");
    run_sql(hand,
            "INSERT INTO deliveries (endpoint_id, message_id, tenant_id, application_id, next_at) "
            "VALUES ('%s', '%s', '%s', '%s', now())",
            uuid_text(red.endpoints[0]), uuid_text(message), uuid_text(red.id),
            uuid_text(red.subscriptions.application));
    assert_int_equal(claim(10, 10).n, 2);
    assert_int_equal(scheduled(red.endpoints[0]), 0);
    run_sql(hand,
            "INSERT INTO endpoint_schedule (endpoint_id, tenant_id, next_due_at) VALUES ('%s', "
            "'%s', now()) "
            "ON CONFLICT (endpoint_id) DO UPDATE SET changes = endpoint_schedule.changes + 1, "
            "next_due_at = least(endpoint_schedule.next_due_at, excluded.next_due_at)",
            uuid_text(red.endpoints[0]), uuid_text(red.id));
    test_exec(hand, "COMMIT");
    assert_is_served_next(message);
}

/*
 * The claim's snapshot is older than the delivery, but its lock of the schedule row younger. A row-level policy that waits
 * for an advisory lock stops the claim between the two.
 */
static void
deliveries_stored_between_a_claim_s_snapshot_and_its_lock_are_not_forgotten(void **state)
{
    (void)state;

    test_exec(admin,
              "CREATE OR REPLACE FUNCTION pause() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN "
              "IF current_setting('application_name') = 'posthorn test' THEN "
              "PERFORM pg_advisory_xact_lock_shared(4711); END IF; RETURN true; END $$");
    test_exec(admin, "ALTER POLICY engine ON endpoint_schedule USING (pause())");
    for (int rest = 0; rest < 2; rest++) {
        struct answer answer;
        struct ingest ingest;
        owe(&red, 0, -1000);
        if (rest)
            owe(&red, 0, 60000);
        schedule();
        test_exec(hand, "SELECT pg_advisory_lock(4711)");
        send_claim(db, &answer, 10, 10, NULL, 0);
        wait_for_lock(1);
        send_ingest(&ingest);
        struct ph_id message = await_ingest(&ingest);
        join_schedule(); /* as another node does */
        test_exec(hand, "SELECT pg_advisory_unlock(4711)");
        await_claim(&answer);
        assert_false(took(&answer, message));
        assert_int_equal(answer.n, 1);
        assert_is_served_next(message);
        test_exec(admin, "TRUNCATE deliveries, endpoint_schedule");
    }
    test_exec(admin, "ALTER POLICY engine ON endpoint_schedule USING (true)");
}

/* Nodes */

static void
the_deliveries_of_a_node_without_its_lock_are_freed_and_those_of_the_living_are_not(void **state)
{
    struct ph_db *dying = open_db("dying");
    int32_t self = register_node(db), alive = register_node(db2), dead = register_node(dying);
    struct ph_id freed = owned_by(dead, &red, 0), freed_too = owned_by(dead, &red, 0),
                 freed_blue = owned_by(dead, &blue, 1), kept = owned_by(alive, &red, 0),
                 mine = owned_by(self, &blue, 1);
    (void)state;

    assert_true(self != alive && alive != dead && self != dead);
    assert_int_equal(take_over(self), 0);
    assert_int_equal(owner_of(freed), dead);
    close_db(dying);
    while (ask_number("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dying'"))
        ph_loop_step(loop, 5);

    assert_int_equal(take_over(self), 1);
    assert_int_equal(owner_of(freed), 0);
    assert_int_equal(owner_of(freed_too), 0);
    assert_int_equal(owner_of(freed_blue), 0);
    assert_int_equal(owner_of(kept), alive);
    assert_int_equal(owner_of(mine), self);
    assert_int_equal(ask_number("SELECT count(*) FROM nodes"), 3);
    assert_int_equal(
        ask_number("SELECT count(*) FROM nodes WHERE dead_at IS NOT NULL AND id = %d", dead), 1);
    assert_int_equal(ask_number("SELECT count(*) FROM nodes WHERE dead_at IS NOT NULL"), 1);
    assert_int_equal(ask_number("SELECT count(*) FROM endpoint_schedule"), 2);
    assert_int_equal(ask_number("SELECT count(*) FROM endpoint_schedule WHERE tenant_id = '%s'",
                                uuid_text(blue.id)),
                     1);

    struct answer answer = claim(10, 10);
    assert_int_equal(answer.n, 3);
    assert_true(took(&answer, freed));
    assert_true(took(&answer, freed_too));
    assert_true(took(&answer, freed_blue));
}

static void a_take_over_moves_a_schedule_forward_and_bumps_it(void **state)
{
    (void)state;

    run_sql(admin, "INSERT INTO nodes (name) VALUES ('dead')");
    owned_by((int32_t)ask_number("SELECT id FROM nodes"), &red, 0);
    run_sql(admin,
            "INSERT INTO endpoint_schedule (endpoint_id, tenant_id, next_due_at, held_until) "
            "VALUES ('%s', '%s', now() + interval '1 hour', now() + interval '2 hours')",
            uuid_text(red.endpoints[0]), uuid_text(red.id));
    assert_int_equal(take_over(0), 1);
    assert_int_equal(
        ask_number(
            "SELECT count(*) FROM endpoint_schedule WHERE next_due_at <= now() AND changes = 1 "
            "AND held_until > now() + interval '119 minutes'"),
        1);
}

/* A statement that it had sent may commit after its death. */
static void a_dead_node_is_scanned_again_and_removed_only_after_a_minute(void **state)
{
    int32_t self = register_node(db), dead;
    struct ph_id first, late;
    (void)state;

    run_sql(admin, "INSERT INTO nodes (name) VALUES ('dead')");
    dead = (int32_t)ask_number("SELECT id FROM nodes WHERE name = 'dead'");
    first = owned_by(dead, &red, 0);
    assert_int_equal(take_over(self), 1);
    assert_int_equal(owner_of(first), 0);

    late = owned_by(dead, &blue, 0);
    assert_int_equal(take_over(self), 0); /* not yet again */
    assert_int_equal(owner_of(late), dead);
    run_sql(admin,
            "UPDATE nodes SET scanned_at = now() - interval '21 seconds', dead_at = now() - "
            "interval '50 seconds' "
            "WHERE id = %d",
            dead);
    assert_int_equal(take_over(self), 0); /* seen dead before */
    assert_int_equal(owner_of(late), 0);
    assert_int_equal(ask_number("SELECT count(*) FROM nodes WHERE id = %d AND scanned_at > now() - "
                                "interval '10 seconds' "
                                "AND dead_at < now() - interval '49 seconds'",
                                dead),
                     1);

    late = owned_by(dead, &red, 1);
    run_sql(admin,
            "UPDATE nodes SET scanned_at = now() - interval '21 seconds', dead_at = now() - "
            "interval '61 seconds' "
            "WHERE id = %d",
            dead);
    take_over(self);
    assert_int_equal(owner_of(late), 0);
    assert_int_equal(ask_number("SELECT count(*) FROM nodes WHERE id = %d", dead), 0);
    assert_int_equal(ask_number("SELECT count(*) FROM nodes WHERE id = %d", self), 1);
}

static void a_node_that_stops_gives_its_deliveries_back(void **state)
{
    int32_t self = register_node(db), other = register_node(db2);
    struct ph_id mine = owned_by(self, &red, 0), mine_too = owned_by(self, &blue, 0),
                 foreign = owned_by(other, &red, 1);
    struct answer answer = {.arena = ph_arena_new()};
    (void)state;

    ph_node_unregister(db, answer.arena, self, on_number, &answer);
    assert_int_equal(await_number(&answer), 2);
    assert_int_equal(owner_of(mine), 0);
    assert_int_equal(owner_of(mine_too), 0);
    assert_int_equal(owner_of(foreign), other);
    assert_int_equal(due(red.endpoints[0]), 1);
    assert_int_equal(due(blue.endpoints[0]), 1);
    assert_int_equal(scheduled(red.endpoints[1]), 0);
    assert_int_equal(ask_number("SELECT count(*) FROM nodes WHERE id = %d", self), 0);
    assert_int_equal(ask_number("SELECT count(*) FROM nodes WHERE id = %d", other), 1);
}

static void housekeeping_forgets_what_came_to_an_inbox_after_a_day(void **state)
{
    struct answer answer = {.arena = ph_arena_new()};
    (void)state;

    run_sql(admin,
            "INSERT INTO inboxes SELECT application_id, tenant_id, 'phi_x', 200, 0 FROM endpoints "
            "WHERE id = '%s'",
            uuid_text(red.endpoints[0]));
    test_exec(admin, "INSERT INTO inbox_requests SELECT application_id, uuid_floor(now() - h * "
                     "interval '1 hour'), tenant_id, 'POST', '[]', '', 0, 'none', NULL, 200 "
                     "FROM inboxes, unnest('{23,25}'::integer[]) h");
    ph_housekeeping_run(db, answer.arena, 30, 365, on_number, &answer);
    (void)await_number(&answer);
    assert_int_equal(ask_number("SELECT count(*) FROM inbox_requests"), 1);
    assert_int_equal(ask_number("SELECT count(*) FROM inbox_requests WHERE id > uuid_floor(now() - "
                                "interval '1 day')"),
                     1);
}

static void housekeeping_drops_what_is_past_retention_and_used_keys_after_twelve_hours(void **state)
{
    struct answer answer = {.arena = ph_arena_new()};
    (void)state;

    run_sql(admin,
            "INSERT INTO idempotency_keys (tenant_id, key, message_id) VALUES "
            "('%s', gen_random_uuid(), uuid_floor(now() - interval '11 hours 59 minutes')), "
            "('%s', gen_random_uuid(), uuid_floor(now() - interval '12 hours 1 minute'))",
            uuid_text(red.id), uuid_text(blue.id));
    run_sql(admin, "CREATE TABLE messages_20200101 PARTITION OF messages FOR VALUES FROM "
                   "(uuid_floor('2020-01-01Z')) "
                   "TO (uuid_floor('2020-01-02Z'))");
    test_exec(admin, "DO $$ BEGIN EXECUTE 'DROP TABLE attempts_' || to_char((now() AT TIME ZONE "
                     "'UTC') + interval '7 days', "
                     "'YYYYMMDD'); END $$");
    ph_housekeeping_run(db, answer.arena, 30, 365, on_number, &answer);
    assert_int_equal(await_number(&answer), 2); /* one made, one dropped */
    assert_int_equal(ask_number("SELECT count(*) FROM idempotency_keys WHERE tenant_id = '%s'",
                                uuid_text(red.id)),
                     1);
    assert_int_equal(ask_number("SELECT count(*) FROM idempotency_keys"), 1);
    assert_int_equal(
        ask_number("SELECT count(*) FROM pg_class WHERE relname = 'messages_20200101'"), 0);
}

static void a_raw_body_is_delivered_as_what_it_is_instead_of_the_payload(void **state)
{
    struct ph_id plain = owe(&red, 0, -30), raw = owe(&red, 0, -20);
    struct answer answer;
    (void)state;

    run_sql(admin,
            "UPDATE messages SET raw_body = '<a/>', content_type = 'text/xml' WHERE id = '%s'",
            uuid_text(raw));
    schedule();
    answer = claim(10, 10);
    assert_int_equal(answer.n, 2);
    assert_true(ph_id_eq(answer.taken[0].message, plain));
    assert_string_equal(answer.taken[0].sent, "a.b application/json {\"m\":1}");
    assert_string_equal(answer.taken[1].sent, "a.b text/xml <a/>");
}

static int set_up(void **state)
{
    (void)state;
    return set_up_database("posthorn_claim_test");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_due_deliveries_are_taken_in_the_order_of_their_times),
        TEST(of_each_endpoint_at_most_its_share_is_taken),
        TEST(at_most_so_many_endpoints_are_served_those_due_longest_first),
        TEST(a_schedule_row_goes_when_nothing_waits_and_moves_to_the_earliest_rest_otherwise),
        TEST(the_next_time_is_that_of_the_earliest_endpoint_that_waits),
        TEST(an_endpoint_on_hold_is_not_served_before_its_hold_ends),
        TEST(a_claim_may_leave_endpoints_alone_for_a_second),
        TEST(the_next_time_forgot_endpoints_that_the_claim_left_alone),
        TEST(a_delivery_whose_message_is_gone_says_so),
        TEST(a_raw_body_is_delivered_as_what_it_is_instead_of_the_payload),
        TEST(two_claimers_never_take_the_same_delivery),
        TEST(an_endpoint_that_another_transaction_serves_is_passed_over),
        TEST(a_delivery_that_another_transaction_works_on_is_passed_over_and_stays_due),
        TEST(a_delivery_stored_while_a_claim_holds_its_schedule_row_is_not_forgotten),
        TEST(a_delivery_stored_by_a_transaction_that_began_before_the_claim_is_not_forgotten),
        TEST(deliveries_stored_between_a_claim_s_snapshot_and_its_lock_are_not_forgotten),
        TEST(the_deliveries_of_a_node_without_its_lock_are_freed_and_those_of_the_living_are_not),
        TEST(a_take_over_moves_a_schedule_forward_and_bumps_it),
        TEST(a_dead_node_is_scanned_again_and_removed_only_after_a_minute),
        TEST(a_node_that_stops_gives_its_deliveries_back),
        TEST(housekeeping_forgets_what_came_to_an_inbox_after_a_day),
        TEST(housekeeping_drops_what_is_past_retention_and_used_keys_after_twelve_hours),
    };

    test_env("POSTHORN_TEST_DATABASE");
    return cmocka_run_group_tests(tests, set_up, tear_down_database);
}
