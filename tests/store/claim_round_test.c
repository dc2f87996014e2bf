#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "claimer.h"

/* The round of the tenants */

/* So many endpoints, each with one due delivery; nobody knows them, but their deliveries are owed. */
static void owe_many(const struct tenant *tenant, int n)
{
    run_sql(admin,
            "INSERT INTO deliveries (endpoint_id, message_id, tenant_id, application_id, next_at) "
            "SELECT gen_random_uuid(), gen_random_uuid(), '%s', '%s', now() - interval '1 hour' "
            "FROM generate_series(1, %d)",
            uuid_text(tenant->id), uuid_text(tenant->subscriptions.application), n);
}

static void schedule_again(void)
{
    run_sql(admin, "TRUNCATE endpoint_schedule");
    schedule();
}

static void
a_tenant_with_many_due_endpoints_keeps_another_waiting_for_one_claim_at_most(void **state)
{
    struct ph_id cursor = {{0}};
    size_t of_red = 0;
    (void)state;

    owe_many(&red, 100);
    for (int round = 0; round < 12; round++) {
        struct ph_id message = owe(&blue, 0, -1);
        int claims = 0;
        bool served = false;
        schedule_again();
        while (!served) {
            struct answer answer = claim_behind(cursor, 5, 5, 10);
            of_red += answer.n;
            served = took(&answer, message);
            cursor = answer.claim.cursor;
            assert_true(answer.n <= 5);
            assert_true(++claims <= 2);
        }
        of_red--; /* blue's */
    }
    assert_in_range(of_red, 50, 60); /* and was not left behind itself */
}

static void of_each_tenant_at_most_so_many_endpoints_are_served(void **state)
{
    struct ph_id message = owe(&blue, 0, -1);
    (void)state;

    owe_many(&red, 20);
    schedule();
    struct answer answer = claim_behind((struct ph_id){{0}}, 50, 5, 10);
    assert_int_equal(answer.n, 6);
    assert_true(took(&answer, message));
    assert_true(answer.claim.more);
    assert_true(ph_id_is_zero(answer.claim.cursor)); /* came to the end */
    answer = claim_behind(red.id, 50, 5, 10);
    assert_int_equal(answer.n, 0); /* red is not behind itself */
    answer = claim_behind((struct ph_id){{0}}, 3, 5, 10);
    assert_int_equal(answer.n, 3);
    assert_true(ph_id_eq(answer.claim.cursor, red.id));
}

static void a_tenant_that_has_no_room_in_memory_is_left_alone_for_one_claim(void **state)
{
    struct answer answer = {.arena = ph_arena_new()};
    struct ph_id message = owe(&blue, 0, -1);
    struct ph_claim_request request = {.node_id = NODE,
                                       .max_endpoints = 10,
                                       .endpoints_per_tenant = 5,
                                       .share = 10,
                                       .full = &red.id,
                                       .n_full = 1};
    (void)state;

    owe_many(&red, 150);
    owe(&red, 0, -1000);
    schedule();
    ph_claim_due(db, answer.arena, &request, on_claimed, &answer);
    await_claim(&answer);
    assert_int_equal(answer.n, 1);
    assert_true(took(&answer, message));
    assert_int_equal(due(red.endpoints[0]), 1); /* not held */
    assert_int_equal(claim_behind((struct ph_id){{0}}, 10, 5, 10).n, 5);
}

static void an_endpoint_with_more_to_do_goes_behind_the_others_of_its_tenant(void **state)
{
    static const int order[] = {0, 1, 2, 0, 1, 0}, left[] = {3, 2, 1};
    (void)state;

    for (int e = 0; e < 3; e++)
        for (int i = 0; i < 2 * left[e]; i++)
            owe(&red, e, -100000 + 1000 * e);
    schedule();
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        struct answer answer = claim_behind((struct ph_id){{0}}, 1, 1, 2);
        assert_int_equal(answer.n, 2);
        assert_true(ph_id_eq(answer.taken[0].endpoint, red.endpoints[order[i]]));
    }
    assert_int_equal(claim(10, 10).n, 0);
}

static int claim_in_pieces(int share, int pieces)
{
    struct answer answer = {.arena = ph_arena_new()};
    struct ph_claim_request request = {.node_id = NODE,
                                       .max_endpoints = 50,
                                       .endpoints_per_tenant = 5,
                                       .share = share,
                                       .pieces = pieces};

    ph_claim_due(db, answer.arena, &request, on_claimed, &answer);
    await_claim(&answer);
    return (int)answer.n;
}

static void one_endpoint_alone_is_served_in_larger_pieces(void **state)
{
    (void)state;
    for (int i = 0; i < 60; i++)
        owe(&red, 0, -1000);
    schedule();
    assert_int_equal(claim_in_pieces(10, 0), 10);
    assert_int_equal(claim_in_pieces(10, 30), 30);
}

static void few_endpoints_share_the_larger_pieces(void **state)
{
    (void)state;
    for (int i = 0; i < 60; i++)
        owe(&red, i % 3, -1000);
    schedule();
    assert_int_equal(claim_in_pieces(2, 12), 3 * 4);
    assert_int_equal(claim_in_pieces(5, 12), 3 * 5); /* no less than their shares */
}

static bool lists(const struct ph_id *ids, size_t n, struct ph_id id)
{
    size_t found = 0;

    for (size_t i = 0; i < n; i++)
        found += ph_id_eq(ids[i], id);
    assert_true(found <= 1);
    return found == 1;
}

static bool drained(const struct answer *answer, struct ph_id endpoint)
{
    return lists(answer->drained, answer->claim.n_drained, endpoint);
}

static bool behind(const struct answer *answer, struct ph_id endpoint)
{
    return lists(answer->behind, answer->claim.n_behind, endpoint);
}

static void the_claim_tells_which_endpoints_have_nothing_left_and_which_have_more(void **state)
{
    (void)state;

    for (int i = 0; i < 5; i++) {
        owe(&red, 0, -1000);
        owe(&red, 2, -1000);
        owe(&blue, 1, -1000);
    }
    owe(&red, 1, -1000);
    owe(&blue, 0, -1000);
    owe(&blue, 0, 60000);
    owe(&blue, 2, -1000);
    set_endpoint(red.endpoints[2], "ordering = 'fifo'");
    set_endpoint(blue.endpoints[1], "paused = true");
    schedule();
    struct answer answer = claim(10, 2);
    assert_int_equal(answer.n, 2 + 2 + 1 + 1 + 1);
    assert_true(behind(&answer, red.endpoints[0]));
    assert_true(drained(&answer, red.endpoints[1]));
    assert_true(drained(&answer, blue.endpoints[2]));
    assert_int_equal(answer.claim.n_behind, 1);
    assert_int_equal(answer.claim.n_drained, 2);
    claim(10, 2);
    answer = claim(10, 2);
    assert_true(drained(&answer, red.endpoints[0]));
    assert_int_equal(answer.claim.n_drained, 1);
    assert_int_equal(answer.claim.n_behind, 0);
}

/* What a claim knows of a delivery */

static void jobs_carry_the_schedule_of_their_event_type_or_of_their_tenant(void **state)
{
    struct ph_id of_type = owe(&red, 0, -4000), of_tenant = owe(&red, 0, -3000),
                 of_none = owe(&blue, 0, -2000), single = owe(&blue, 0, -1000);
    (void)state;

    run_sql(admin, "UPDATE messages SET event_type = 'other' WHERE id IN ('%s', '%s')",
            uuid_text(of_tenant), uuid_text(of_none));
    run_sql(admin, "UPDATE messages SET event_type = 'once' WHERE id = '%s'", uuid_text(single));
    run_sql(admin, "UPDATE tenants SET retry_schedule = '{60,61}' WHERE id = '%s'",
            uuid_text(red.id));
    run_sql(admin,
            "INSERT INTO event_types (id, tenant_id, name, description, retry_schedule) VALUES "
            "('%s', '%s', 'a.b', '', '{7,8,9}'), ('%s', '%s', 'other', '', NULL), "
            "('%s', '%s', 'once', '', '{}'), ('%s', '%s', 'a.b', '', '{1}')",
            uuid_text(new_id()), uuid_text(red.id), uuid_text(new_id()), uuid_text(red.id),
            uuid_text(new_id()), uuid_text(blue.id), uuid_text(new_id()), uuid_text(blue.id));
    schedule();
    struct answer answer = claim(10, 10);
    assert_int_equal(answer.n, 4);
    for (size_t i = 0; i < 4; i++) {
        const struct taken *taken = &answer.taken[i];
        if (ph_id_eq(taken->message, of_type)) {
            assert_int_equal(taken->n_waits, 3);
            assert_int_equal(taken->first_wait_ms, 7000);
        } else if (ph_id_eq(taken->message, of_tenant)) {
            assert_int_equal(taken->n_waits, 2);
            assert_int_equal(taken->first_wait_ms, 60000);
        } else if (ph_id_eq(taken->message, of_none)) {
            assert_int_equal(taken->n_waits, -1);
        } else {
            assert_true(ph_id_eq(taken->message, single));
            assert_int_equal(taken->n_waits, 0);
        }
    }
}

static void a_job_knows_that_somebody_asked_for_it(void **state)
{
    struct ph_id manual = owe(&red, 0, -1000);
    (void)state;

    owe(&red, 0, -1000);
    run_sql(admin, "UPDATE deliveries SET trigger_type = 1 WHERE message_id = '%s'",
            uuid_text(manual));
    schedule();
    struct answer answer = claim(10, 10);
    assert_int_equal(answer.n, 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(answer.taken[i].manual, ph_id_eq(answer.taken[i].message, manual));
}

static int set_up(void **state)
{
    (void)state;
    return set_up_database("posthorn_claim_round_test");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_tenant_with_many_due_endpoints_keeps_another_waiting_for_one_claim_at_most),
        TEST(of_each_tenant_at_most_so_many_endpoints_are_served),
        TEST(a_tenant_that_has_no_room_in_memory_is_left_alone_for_one_claim),
        TEST(an_endpoint_with_more_to_do_goes_behind_the_others_of_its_tenant),
        TEST(one_endpoint_alone_is_served_in_larger_pieces),
        TEST(few_endpoints_share_the_larger_pieces),
        TEST(the_claim_tells_which_endpoints_have_nothing_left_and_which_have_more),
        TEST(jobs_carry_the_schedule_of_their_event_type_or_of_their_tenant),
        TEST(a_job_knows_that_somebody_asked_for_it),
    };

    test_env("POSTHORN_TEST_DATABASE");
    return cmocka_run_group_tests(tests, set_up, tear_down_database);
}
