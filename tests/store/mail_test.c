#include "posthorn/data_key.h"
#include "posthorn/mail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

#define MASTER PH_STR("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
#define TOKEN  PH_STR("phx_a-token-that-nobody-may-read-in-the-database")

static struct ph_keyring *keyring;

static const struct ph_mail mail = {
    .kind = PH_MAIL_ENDPOINT_DISABLED,
    .recipient = {"olga@customer.example", 21},
    .about = {"{\"tenant\": \"Acme\"}", 18},
    .lifetime_s = 3600,
};

static void queue(const struct ph_mail *one, struct ph_id tenant)
{
    static const struct ph_stmt stmt = {"test_queue_mail",
                                        "SELECT queue_mail($1::uuid, $2::uuid, $3::text, $4::text, "
                                        "$5::json, $6::bytea, $7::bigint)"};
    struct ph_arena *arena = ph_arena_new();
    struct ph_db_req req;
    PGresult *res = NULL;

    ph_db_req_init(&req, &stmt, arena, NULL);
    ph_db_add_id(&req, tenant);
    ph_mail_add(&req, keyring, one);
    assert_int_equal(ph_db_run(loop, db, &req, &res), PH_OK);
    assert_int_equal(ph_db_bool(res, 0, 0), one != NULL);
    PQclear(res);
    ph_arena_free(arena);
}

struct seen {
    bool done, found, is_over, opens, opens_elsewhere, has_token;
    struct ph_id id;
    int32_t tries;
    struct ph_arena *arena;
};

static void on_claim(void *ctx, enum ph_err err, const struct ph_mail_claim *claim)
{
    struct seen *seen = ctx;
    struct ph_str token;

    assert_int_equal(err, PH_OK);
    seen->done = true;
    seen->found = claim != NULL;
    if (!claim)
        return;
    seen->id = claim->id;
    seen->tries = claim->tries;
    seen->is_over = claim->is_over;
    seen->has_token = claim->sealed.ptr != NULL;
    assert_true(ph_str_eq(claim->recipient, mail.recipient));
    assert_int_equal(ph_mail_kind_parse(claim->kind), PH_MAIL_ENDPOINT_DISABLED);
    seen->opens = ph_mail_token(keyring, seen->arena, claim, &token) == PH_OK &&
                  (!token.ptr || ph_str_eq(token, TOKEN));
    struct ph_mail_claim moved = *claim;
    moved.tenant = blue.id;
    seen->opens_elsewhere = ph_mail_token(keyring, seen->arena, &moved, &token) == PH_OK;
}

static struct seen claim(int64_t lease_ms)
{
    struct seen seen = {.arena = ph_arena_new()};

    ph_mail_claim(db, seen.arena, lease_ms, on_claim, &seen);
    wait_until(&seen.done, "a claim");
    ph_arena_free(seen.arena);
    return seen;
}

static void on_plain(void *ctx, enum ph_err err)
{
    assert_int_equal(err, PH_OK);
    *(bool *)ctx = true;
}

static void postpone(struct ph_id id, int32_t tries)
{
    struct ph_arena *arena = ph_arena_new();
    bool done = false;

    ph_mail_postpone(db, arena, id, tries, 0, on_plain, &done);
    wait_until(&done, "later");
    ph_arena_free(arena);
}

static void the_database_does_not_know_the_token(void **state)
{
    struct ph_mail with_token = mail;
    (void)state;

    with_token.tenant = red.id;
    with_token.token = TOKEN;
    queue(&with_token, red.id);
    assert_int_equal(ask_number("SELECT count(*) FROM mails WHERE sealed IS NOT NULL"), 1);
    assert_int_equal(ask_number("SELECT count(*) FROM mails m WHERE position('a-token-that' in "
                                "to_json(m)::text || encode(sealed, 'escape')) > 0"),
                     0);
    struct seen seen = claim(60000);
    assert_true(seen.found && seen.has_token && seen.opens && !seen.opens_elsewhere);
}

static void a_claimed_mail_is_nobody_elses_for_a_while(void **state)
{
    (void)state;
    queue(NULL, red.id);
    assert_false(claim(60000).found);
    queue(&mail, red.id);
    struct seen seen = claim(60000);
    assert_true(seen.found && !seen.has_token && seen.opens && !seen.is_over);
    assert_int_equal(seen.tries, 1);
    assert_false(claim(60000).found);
    postpone(seen.id, seen.tries + 1); /* somebody else's claim */
    assert_false(claim(60000).found);
    postpone(seen.id, seen.tries);
    assert_int_equal(claim(0).tries, 2);
    assert_int_equal(claim(60000).tries, 3); /* the time of the one before was over */
}

static void an_old_one_says_so(void **state)
{
    struct ph_mail old = mail;
    (void)state;

    old.lifetime_s = -1;
    queue(&old, red.id);
    assert_true(claim(60000).is_over);
}

static int begin_empty(void **state)
{
    test_exec(admin, "DELETE FROM mails");
    return begin_test(state);
}

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(ph_keyring_new(MASTER, &keyring), PH_OK);
    if (set_up_database("posthorn_mail_test") != 0)
        return 1;
    struct ph_loop *once = ph_loop_new();
    struct ph_db *engine = ph_db_new(once, &(struct ph_db_options){.conninfo = database,
                                                                   .role = PH_DB_ENGINE,
                                                                   .connections = 1,
                                                                   .max_waiting = 4,
                                                                   .name = "keys"});
    assert_int_equal(ph_data_keys_load(once, engine, keyring), PH_OK);
    ph_db_free(engine);
    ph_loop_free(once);
    return 0;
}

static int tear_down(void **state)
{
    ph_keyring_free(keyring);
    return tear_down_database(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_database_does_not_know_the_token, begin_empty,
                                        end_test),
        cmocka_unit_test_setup_teardown(a_claimed_mail_is_nobody_elses_for_a_while, begin_empty,
                                        end_test),
        cmocka_unit_test_setup_teardown(an_old_one_says_so, begin_empty, end_test),
    };

    test_env("POSTHORN_TEST_DATABASE");
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
