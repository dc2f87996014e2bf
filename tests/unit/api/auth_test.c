#include "posthorn/auth.h"
#include "posthorn/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ONE       PH_STR(PH_API_KEY_PREFIX "1111111111111111111111111111111111111111111")
#define TWO       PH_STR(PH_API_KEY_PREFIX "2222222222222222222222222222222222222222222")
#define OTHER_ONE PH_STR(PH_API_KEY_PREFIX "111111111111111111111111111111111111111111x")

/* The database of these tests: what it answers next, and how often it was asked. */
static enum ph_err next_err;
static struct ph_identity next_key;
static int asked, used;
static void (*while_asked)(void);
static struct ph_auth_news news;
static struct ph_rate_table *rates;

void ph_api_key_find(struct ph_db *db, struct ph_arena *arena, struct ph_str key,
                     ph_identity_done done, void *ctx)
{
    if (while_asked)
        while_asked();
    (void)db, (void)arena, (void)key;
    asked++;
    done(ctx, next_err, next_err == PH_OK ? &next_key : NULL);
}

void ph_api_keys_used(struct ph_db *db, struct ph_arena *arena, const struct ph_id *ids, size_t n,
                      void (*done)(void *ctx, enum ph_err err), void *ctx)
{
    (void)db, (void)arena, (void)ids;
    used += (int)n;
    done(ctx, PH_OK);
}

static struct ph_loop *loop;
static struct ph_auth *auth;
static struct ph_arena *arena;
static enum ph_err last_err;
static struct ph_identity last;

static void on_done(void *ctx, enum ph_err err, const struct ph_identity *identity)
{
    assert_ptr_equal(ctx, &last);
    assert_true((identity != NULL) == (err == PH_OK));
    last_err = err;
    if (identity)
        last = *identity;
}

static enum ph_err resolve(struct ph_str key)
{
    ph_auth_resolve(auth, arena, key, on_done, &last);
    return last_err;
}

static void test_bearer_tokens(void **state)
{
    (void)state;
    assert_true(ph_str_eq_c(ph_auth_bearer(PH_STR("Bearer abc")), "abc"));
    assert_true(ph_str_eq_c(ph_auth_bearer(PH_STR("bEARER   abc.eu ")), "abc.eu"));
    assert_int_equal(ph_auth_bearer(PH_STR("Bearer ")).len, 0);
    assert_null(ph_auth_bearer(PH_STR("Bearer")).ptr);
    assert_null(ph_auth_bearer(PH_STR("Basic abc")).ptr);
    assert_null(ph_auth_bearer(PH_STR("BearerX abc")).ptr);
    assert_null(ph_auth_bearer(PH_STR_NONE).ptr);
}

static void test_a_found_key_is_remembered(void **state)
{
    struct ph_identity identity;

    (void)state;
    assert_false(ph_auth_lookup(auth, ONE, &identity));
    assert_int_equal(resolve(ONE), PH_OK);
    assert_true(ph_id_eq(last.tenant, next_key.tenant));
    assert_true(ph_id_eq(last.credential, next_key.credential));
    assert_true(ph_auth_lookup(auth, ONE, &identity));
    assert_true(ph_id_eq(identity.tenant, next_key.tenant));
    assert_true(ph_id_eq(identity.credential, next_key.credential));
    assert_false(ph_auth_lookup(auth, OTHER_ONE, &identity));
    assert_int_equal(asked, 1);
}

static void test_failures_are_not_remembered(void **state)
{
    struct ph_identity identity;

    (void)state;
    next_err = PH_ERR_NOT_FOUND;
    assert_int_equal(resolve(ONE), PH_ERR_AUTH);
    assert_false(ph_auth_lookup(auth, ONE, &identity));
    next_err = PH_ERR_UNAVAILABLE; /* is not "no such key" */
    assert_int_equal(resolve(ONE), PH_ERR_UNAVAILABLE);
    assert_false(ph_auth_lookup(auth, ONE, &identity));
}

static void test_a_key_is_not_remembered_past_its_end(void **state)
{
    struct ph_identity identity;

    (void)state;
    next_key.expires_ms = ph_clock_wall_ms() + 150;
    assert_int_equal(resolve(ONE), PH_OK);
    assert_true(ph_auth_lookup(auth, ONE, &identity));
    usleep(200000);
    assert_false(ph_auth_lookup(auth, ONE, &identity));
    next_key.expires_ms = 1; /* ended long before the database answered */
    assert_int_equal(resolve(TWO), PH_OK);
    assert_false(ph_auth_lookup(auth, TWO, &identity));
}

static void test_memory_is_bounded_and_new_keys_win(void **state)
{
    struct ph_identity identity;
    char key[PH_TOKEN_LEN + 1];
    int known = 0;

    (void)state;
    for (int i = 0; i < 4 * PH_AUTH_CACHE_KEYS; i++) {
        snprintf(key, sizeof(key), PH_API_KEY_PREFIX "%043d", i);
        assert_int_equal(resolve(ph_str_of(key)), PH_OK);
        assert_true(ph_auth_lookup(auth, ph_str_of(key), &identity));
    }
    for (int i = 0; i < 4 * PH_AUTH_CACHE_KEYS; i++) {
        snprintf(key, sizeof(key), PH_API_KEY_PREFIX "%043d", i);
        known += ph_auth_lookup(auth, ph_str_of(key), &identity);
    }
    assert_in_range(known, PH_AUTH_CACHE_KEYS / 2, PH_AUTH_CACHE_KEYS);
}

static void test_a_change_ends_what_is_remembered(void **state)
{
    struct ph_identity identity;

    (void)state;
    assert_int_equal(resolve(ONE), PH_OK);
    assert_true(ph_auth_lookup(auth, ONE, &identity));
    ph_auth_news_changed(&news, &identity.tenant);
    assert_false(ph_auth_lookup(auth, ONE, &identity));
    assert_int_equal(resolve(ONE), PH_OK);
    assert_true(ph_auth_lookup(auth, ONE, &identity));
    ph_auth_news_changed(&news, NULL);
    assert_false(ph_auth_lookup(auth, ONE, &identity));
}

static void change(void)
{
    ph_auth_news_changed(&news, &next_key.tenant);
}

static void test_an_answer_from_before_a_change_is_not_remembered(void **state)
{
    struct ph_identity identity;

    (void)state;
    while_asked = change;
    assert_int_equal(resolve(ONE), PH_OK);
    assert_false(ph_auth_lookup(auth, ONE, &identity));
    while_asked = NULL;
    assert_int_equal(resolve(ONE), PH_OK);
    assert_true(ph_auth_lookup(auth, ONE, &identity));
}

static void test_without_news_little_is_trusted(void **state)
{
    struct ph_identity identity;

    (void)state;
    assert_int_equal(resolve(ONE), PH_OK);
    ph_auth_news_heard(&news, 0);
    assert_true(ph_auth_lookup(auth, ONE, &identity));
    usleep(PH_AUTH_CACHE_DEAF_MS * 1000 + 50000);
    assert_false(ph_auth_lookup(auth, ONE, &identity));
    ph_auth_news_heard(&news, ph_clock_mono_ms());
    assert_true(ph_auth_lookup(auth, ONE, &identity));
    ph_auth_news_heard(&news, ph_clock_mono_ms() - 2000); /* silent for too long */
    assert_false(ph_auth_lookup(auth, ONE, &identity));
}

static void test_uses_are_noted_once(void **state)
{
    struct ph_identity identity;
    uint64_t end_ms = ph_clock_mono_ms() + 20000;

    (void)state;
    assert_int_equal(resolve(ONE), PH_OK);
    assert_int_equal(resolve(TWO), PH_OK);
    for (int i = 0; i < 100; i++)
        assert_true(ph_auth_lookup(auth, ONE, &identity));
    while (used < 2 && ph_clock_mono_ms() < end_ms)
        ph_loop_step(loop, 100);
    assert_int_equal(used, 2);
    assert_true(ph_auth_lookup(auth, ONE, &identity));
    assert_int_equal(resolve(TWO), PH_OK);
    ph_loop_step(loop, 1100);
    assert_int_equal(used, 2);
}

static void test_quotas_go_before_what_the_instance_says(void **state)
{
    struct ph_identity identity;

    (void)state;
    next_key.standing.root = ph_id_new(1); /* that of another environment */
    next_key.standing.quotas.per_second[PH_RATE_READ] = -1;
    next_key.standing.quotas.per_second[PH_RATE_WRITE] = -1;
    next_key.standing.quotas.per_second[PH_RATE_SEND] = 3;
    assert_int_equal(resolve(ONE), PH_OK);
    assert_true(ph_auth_lookup(auth, ONE, &identity));
    assert_int_equal(identity.standing.quotas.per_second[PH_RATE_READ], 5);
    assert_int_equal(identity.standing.quotas.per_second[PH_RATE_WRITE], 0);
    assert_int_equal(identity.standing.quotas.per_second[PH_RATE_SEND], 3);
    assert_ptr_equal(identity.rates, ph_rate_table_get(rates, next_key.standing.root));
}

static int set_up(void **state)
{
    (void)state;
    loop = ph_loop_new();
    rates = ph_rate_table_new();
    auth = ph_auth_new(
        loop, &(struct ph_auth_options){.db = (struct ph_db *)&news, /* never looked into */
                                        .news = &news,
                                        .rates = rates,
                                        .per_second = {5, 0, 7}});
    ph_auth_news_heard(&news, ph_clock_mono_ms() + 60000);
    used = 0;
    while_asked = NULL;
    arena = ph_arena_new();
    asked = 0;
    next_err = PH_OK;
    next_key = (struct ph_identity){.credential = ph_id_floor(1000),
                                    .tenant = ph_id_floor(2000),
                                    .standing.quotas.messages_per_day = -1};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ph_arena_free(arena);
    ph_auth_free(auth);
    ph_rate_table_free(rates);
    ph_loop_free(loop);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bearer_tokens),
        cmocka_unit_test_setup_teardown(test_a_found_key_is_remembered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failures_are_not_remembered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_key_is_not_remembered_past_its_end, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_change_ends_what_is_remembered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_answer_from_before_a_change_is_not_remembered,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_news_little_is_trusted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_uses_are_noted_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_quotas_go_before_what_the_instance_says, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_memory_is_bounded_and_new_keys_win, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
