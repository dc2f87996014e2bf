#include "posthorn/claim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

struct answer {
    bool done;
    enum ph_err err;
    int32_t n;
};

static void on_cleared(enum ph_err err, int32_t n, void *ctx)
{
    struct answer *answer = ctx;

    assert_false(answer->done);
    *answer = (struct answer){.done = true, .err = err, .n = n};
}

/* How many were looked at. */
static int32_t clear(void)
{
    struct ph_arena *arena = ph_arena_new();
    struct answer answer = {0};

    ph_payloads_clear(db, arena, on_cleared, &answer);
    wait_until(&answer.done, "clear");
    ph_arena_free(arena);
    assert_int_equal(answer.err, PH_OK);
    return answer.n;
}

/* Messages that expired so long ago; the id of the first. */
static struct ph_id expired(const struct tenant *tenant, int n, const char *ago)
{
    struct ph_id id = {{0}};

    for (int i = 0; i < n; i++) {
        struct ph_id one = new_id();
        run_sql(admin,
                "INSERT INTO messages (application_id, id, tenant_id, event_type, expires_at, "
                "payload, raw_body, content_type) "
                "VALUES ('%s', '%s', '%s', 'a.b', now() - interval '%s', '{}', '<x/>', 'text/xml')",
                uuid_text(tenant->subscriptions.application), uuid_text(one), uuid_text(tenant->id),
                ago);
        if (i == 0)
            id = one;
    }
    return id;
}

static void owe(const struct tenant *tenant, int endpoint, struct ph_id of)
{
    run_sql(admin,
            "INSERT INTO deliveries (endpoint_id, message_id, tenant_id, application_id, node_id) "
            "VALUES ('%s', '%s', '%s', '%s', 7)",
            uuid_text(tenant->endpoints[endpoint]), uuid_text(of), uuid_text(tenant->id),
            uuid_text(tenant->subscriptions.application));
}

static bool is_cleared(struct ph_id id)
{
    return ask_number("SELECT count(*) FROM messages WHERE id = '%s' AND payload IS NULL AND "
                      "raw_body IS NULL",
                      uuid_text(id)) == 1;
}

static void an_expired_payload_is_cleared_once_and_the_message_stays(void **state)
{
    struct ph_id past = expired(&red, 1, "2 minutes"), theirs = expired(&blue, 1, "2 days");
    struct ph_id just = expired(&red, 1, "2 seconds"), later = expired(&red, 1, "-1 hour");
    (void)state;

    assert_int_equal(clear(), 2);
    assert_true(is_cleared(past));
    assert_true(is_cleared(theirs));
    assert_false(is_cleared(just));
    assert_false(is_cleared(later));
    assert_int_equal(clear(), 0);
    assert_int_equal(ask_number("SELECT count(*) FROM messages"), 4);
}

static void a_payload_that_is_owed_is_kept_until_it_is_not(void **state)
{
    struct ph_id owed = expired(&red, 1, "2 hours"), free_one = expired(&red, 1, "1 hour");
    (void)state;

    owe(&red, 2, owed);
    assert_int_equal(clear(), 2);
    assert_false(is_cleared(owed));
    assert_true(is_cleared(free_one));
    assert_int_equal(clear(), 0); /* not looked at again and again */
    assert_int_equal(
        ask_number("SELECT count(*) FROM messages WHERE kept_until BETWEEN "
                   "now() + interval '110 minutes' AND now() + interval '130 minutes'"),
        1);
    run_sql(admin, "DELETE FROM deliveries");
    run_sql(admin, "UPDATE messages SET kept_until = now() - interval '2 minutes' "
                   "WHERE kept_until IS NOT NULL");
    assert_int_equal(clear(), 1);
    assert_true(is_cleared(owed));
    assert_int_equal(clear(), 0);
}

static void a_statement_looks_at_so_many_and_the_next_one_at_the_rest(void **state)
{
    (void)state;
    expired(&red, PH_PAYLOADS_CLEAR_MAX, "2 hours");
    struct ph_id last = expired(&red, 2, "1 hour");

    assert_int_equal(clear(), PH_PAYLOADS_CLEAR_MAX);
    assert_false(is_cleared(last));
    assert_int_equal(clear(), 2);
    assert_true(is_cleared(last));
}

static int set_up(void **state)
{
    (void)state;
    return set_up_database("posthorn_retention_test");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_expired_payload_is_cleared_once_and_the_message_stays),
        TEST(a_payload_that_is_owed_is_kept_until_it_is_not),
        TEST(a_statement_looks_at_so_many_and_the_next_one_at_the_rest),
    };

    test_env("POSTHORN_TEST_DATABASE");
    return cmocka_run_group_tests(tests, set_up, tear_down_database);
}
