#include "posthorn/data_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

#define MASTER       PH_STR("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
#define OTHER_MASTER PH_STR("/wECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")

static struct ph_keyring *new_keyring(struct ph_str master)
{
    struct ph_keyring *keyring;

    assert_int_equal(ph_keyring_new(master, &keyring), PH_OK);
    return keyring;
}

/* Whether what one seals the other one opens. */
static void assert_opens(const struct ph_keyring *sealing, const struct ph_keyring *opening,
                         uint8_t key_id)
{
    uint8_t sealed[PH_SEAL_OVERHEAD + 6], plain[6];
    size_t len = 0;

    ph_seal(sealing, red.id, blue.id, PH_STR("secret"), sealed);
    assert_int_equal(sealed[4], key_id);
    assert_int_equal(ph_unseal(opening, red.id, blue.id,
                               (struct ph_str){(char *)sealed, sizeof sealed}, plain, &len),
                     PH_OK);
    assert_int_equal(len, 6);
    assert_memory_equal(plain, "secret", 6);
}

static void insert_key(PGconn *pg, const struct ph_keyring *keyring, uint32_t id)
{
    uint8_t wrapped[PH_WRAPPED_BYTES];
    char hex[2 * PH_WRAPPED_BYTES + 1];

    ph_keyring_make_key(keyring, id, wrapped);
    ph_hex_encode(wrapped, sizeof wrapped, hex);
    run_sql(pg,
            "INSERT INTO data_keys (id, wrapped, created_at) VALUES (%u, '\\x%s', now() - interval "
            "'2 minutes')",
            id, hex);
}

static void the_first_key_is_made_once_and_found_by_all(void **state)
{
    struct ph_keyring *first = new_keyring(MASTER), *second = new_keyring(MASTER);
    (void)state;

    assert_int_equal(ph_data_keys_load(loop, db, first), PH_OK);
    assert_int_equal(ask_number("SELECT count(*) FROM data_keys"), 1);
    assert_int_equal(ask_number("SELECT id FROM data_keys"), 1);
    assert_int_equal(ask_number("SELECT length(wrapped) FROM data_keys"), PH_WRAPPED_BYTES);
    assert_int_equal(ph_data_keys_load(loop, db2, second), PH_OK);
    assert_int_equal(ask_number("SELECT count(*) FROM data_keys"), 1);
    assert_opens(first, second, 1);
    assert_opens(second, first, 1);
    ph_keyring_free(first);
    ph_keyring_free(second);
}

static void all_keys_are_loaded_and_the_newest_seals(void **state)
{
    struct ph_keyring *maker = new_keyring(MASTER), *old = new_keyring(MASTER),
                      *loaded = new_keyring(MASTER);
    (void)state;

    insert_key(admin, maker, 3);
    assert_int_equal(ph_data_keys_load(loop, db, old), PH_OK);
    insert_key(admin, maker, 12);
    assert_int_equal(ph_data_keys_load(loop, db, loaded), PH_OK);
    assert_int_equal(ask_number("SELECT count(*) FROM data_keys"), 2);
    assert_opens(old, loaded, 3);
    assert_opens(loaded, loaded, 12);
    ph_keyring_free(maker);
    ph_keyring_free(old);
    ph_keyring_free(loaded);
}

static void another_master_key_opens_nothing_and_adds_nothing(void **state)
{
    struct ph_keyring *right = new_keyring(MASTER), *wrong = new_keyring(OTHER_MASTER);
    (void)state;

    assert_int_equal(ph_data_keys_load(loop, db, right), PH_OK);
    assert_int_equal(ph_data_keys_load(loop, db, wrong), PH_ERR_CRYPTO);
    assert_int_equal(ask_number("SELECT count(*) FROM data_keys"), 1);
    ph_keyring_free(right);
    ph_keyring_free(wrong);
}

static void commit_by_hand(struct ph_timer *timer)
{
    if (ask_number("SELECT count(*) FROM pg_locks WHERE NOT granted") == 0) {
        ph_timer_set(loop, timer, ph_loop_now_ms(loop) + 5);
        return;
    }
    test_exec(hand, "COMMIT");
}

/* Two nodes start at once on an empty database. */
static void a_node_that_comes_second_uses_the_key_of_the_first(void **state)
{
    struct ph_keyring *first = new_keyring(MASTER), *second = new_keyring(MASTER);
    struct ph_timer timer = {.on_timer = commit_by_hand};
    (void)state;

    test_exec(hand, "BEGIN");
    insert_key(hand, first, 1);
    ph_timer_set(loop, &timer, ph_loop_now_ms(loop) + 5);
    assert_int_equal(ph_data_keys_load(loop, db, second), PH_OK);
    assert_false(ph_timer_is_set(&timer)); /* it did wait */
    assert_int_equal(ask_number("SELECT count(*) FROM data_keys"), 1);
    assert_int_equal(ph_data_keys_load(loop, db, first), PH_OK);
    assert_opens(first, second, 1);
    ph_keyring_free(first);
    ph_keyring_free(second);
}

/* Whether a keyring with only this master key loads all keys. */
static bool loads(struct ph_str master)
{
    struct ph_keyring *keyring = new_keyring(master);
    enum ph_err err = ph_data_keys_load(loop, db, keyring);

    ph_keyring_free(keyring);
    return err == PH_OK;
}

static void all_keys_move_to_the_new_master_key(void **state)
{
    struct ph_keyring *old = new_keyring(MASTER), *moving = new_keyring(MASTER),
                      *moved = new_keyring(OTHER_MASTER);
    int n;
    (void)state;

    insert_key(admin, old, 1);
    insert_key(admin, old, 2);
    assert_int_equal(ph_data_keys_load(loop, db, old), PH_OK);
    assert_int_equal(ph_keyring_add_master(moving, OTHER_MASTER), PH_OK);
    assert_int_equal(ph_data_keys_rewrap(loop, db, moving, &n), PH_OK);
    assert_int_equal(n, 2);
    assert_false(loads(MASTER));
    assert_int_equal(ph_data_keys_load(loop, db, moved), PH_OK);
    assert_opens(old, moved, 2);
    assert_int_equal(ph_data_keys_load(loop, db, moving), PH_OK);
    assert_opens(old, moving, 2);
    assert_int_equal(ph_data_keys_rewrap(loop, db, moving, &n), PH_OK);
    assert_int_equal(n, 0);
    ph_keyring_free(old);
    ph_keyring_free(moving);
    ph_keyring_free(moved);
}

static void nothing_moves_when_one_key_does_not_open(void **state)
{
    struct ph_keyring *old = new_keyring(MASTER), *moving = new_keyring(MASTER),
                      *stranger =
                          new_keyring(PH_STR("//ECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="));
    int n;
    (void)state;

    insert_key(admin, old, 1);
    insert_key(admin, stranger, 2);
    assert_int_equal(ph_keyring_add_master(moving, OTHER_MASTER), PH_OK);
    assert_int_equal(ph_data_keys_rewrap(loop, db, moving, &n), PH_ERR_CRYPTO);
    test_exec(admin, "DELETE FROM data_keys WHERE id = 2");
    assert_true(loads(MASTER));
    ph_keyring_free(old);
    ph_keyring_free(moving);
    ph_keyring_free(stranger);
}

struct refreshed {
    bool done;
    enum ph_err err;
    int32_t n;
};

static void on_refreshed(enum ph_err err, int32_t n, void *ctx)
{
    *(struct refreshed *)ctx = (struct refreshed){true, err, n};
}

static struct refreshed refresh(struct ph_keyring *keyring)
{
    struct ph_arena *arena = ph_arena_new();
    struct refreshed result = {.done = false};

    ph_data_keys_refresh(db, arena, keyring, on_refreshed, &result);
    while (!result.done)
        ph_loop_step(loop, -1);
    ph_arena_free(arena);
    return result;
}

static void a_further_key_is_known_at_once_and_seals_later(void **state)
{
    struct ph_keyring *maker = new_keyring(MASTER), *running = new_keyring(MASTER),
                      *later = new_keyring(MASTER);
    struct refreshed result;
    uint32_t id = 0;
    (void)state;

    assert_int_equal(ph_data_keys_load(loop, db, running), PH_OK);
    assert_int_equal(ph_data_key_add_next(loop, db, maker, &id), PH_ERR_CONFLICT); /* not loaded */
    assert_int_equal(ph_data_keys_load(loop, db, maker), PH_OK);
    assert_int_equal(ph_data_key_add_next(loop, db, maker, &id), PH_OK);
    assert_int_equal(id, 2);
    result = refresh(running);
    assert_int_equal(result.err, PH_OK);
    assert_int_equal(result.n, 1);
    assert_int_equal(refresh(running).n, 0);
    assert_opens(running, running, 1);
    test_exec(admin, "UPDATE data_keys SET created_at = created_at - interval '2 minutes'");
    assert_int_equal(ph_data_keys_load(loop, db, later), PH_OK);
    assert_opens(later, running, 2);
    ph_keyring_free(maker);
    ph_keyring_free(running);
    ph_keyring_free(later);
}

static void a_further_key_that_does_not_open_is_told(void **state)
{
    struct ph_keyring *running = new_keyring(MASTER), *other = new_keyring(OTHER_MASTER);
    (void)state;

    assert_int_equal(ph_data_keys_load(loop, db, running), PH_OK);
    insert_key(admin, other, 2);
    assert_int_equal(refresh(running).err, PH_ERR_CRYPTO);
    assert_opens(running, running, 1);
    ph_keyring_free(running);
    ph_keyring_free(other);
}

/* The master key that the others have just moved to wraps it. */
static void a_key_that_is_added_after_the_move_is_wrapped_like_the_others(void **state)
{
    struct ph_keyring *left = new_keyring(MASTER), *moving = new_keyring(MASTER);
    uint32_t id;
    int n;
    (void)state;

    assert_int_equal(ph_data_keys_load(loop, db, left), PH_OK);
    assert_int_equal(ph_keyring_add_master(moving, OTHER_MASTER), PH_OK);
    assert_int_equal(ph_data_keys_rewrap(loop, db, moving, &n), PH_OK);
    assert_int_equal(ph_data_keys_load(loop, db, moving), PH_OK);
    assert_int_equal(ph_data_key_add_next(loop, db, moving, &id), PH_OK);
    assert_true(loads(OTHER_MASTER));
    assert_false(loads(MASTER));
    ph_keyring_free(left);
    ph_keyring_free(moving);
}

static void a_failure_of_the_database_is_told(void **state)
{
    struct ph_keyring *keyring = new_keyring(MASTER);
    (void)state;

    test_exec(admin, "REVOKE INSERT ON data_keys FROM posthorn_engine");
    assert_int_equal(ph_data_keys_load(loop, db, keyring), PH_ERR_DB_FAILED);
    test_exec(admin, "GRANT INSERT ON data_keys TO posthorn_engine");
    test_exec(admin, "REVOKE SELECT ON data_keys FROM posthorn_engine");
    assert_int_equal(ph_data_keys_load(loop, db2, keyring), PH_ERR_DB_FAILED);
    test_exec(admin, "GRANT SELECT ON data_keys TO posthorn_engine");
    assert_int_equal(ask_number("SELECT count(*) FROM data_keys"), 0);
    ph_keyring_free(keyring);
}

static int set_up(void **state)
{
    (void)state;
    return set_up_database("posthorn_data_key_test");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_key_is_made_once_and_found_by_all),
        TEST(all_keys_are_loaded_and_the_newest_seals),
        TEST(another_master_key_opens_nothing_and_adds_nothing),
        TEST(a_node_that_comes_second_uses_the_key_of_the_first),
        TEST(all_keys_move_to_the_new_master_key),
        TEST(nothing_moves_when_one_key_does_not_open),
        TEST(a_further_key_is_known_at_once_and_seals_later),
        TEST(a_further_key_that_does_not_open_is_told),
        TEST(a_key_that_is_added_after_the_move_is_wrapped_like_the_others),
        TEST(a_failure_of_the_database_is_told),
    };

    test_env("POSTHORN_TEST_DATABASE");
    return cmocka_run_group_tests(tests, set_up, tear_down_database);
}
