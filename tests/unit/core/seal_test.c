#include "posthorn/seal.h"

#include "posthorn/clock.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MASTER PH_STR("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=") /* bytes 0 to 31 */
#define OTHER  PH_STR("AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
#define PLAIN  PH_STR("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

static const struct ph_id tenant = {{1, 2, 3}}, row = {{4, 5, 6}};

static struct ph_keyring *keyring_of(struct ph_str master)
{
    struct ph_keyring *keyring;
    assert_int_equal(ph_keyring_new(master, &keyring), PH_OK);
    return keyring;
}

static struct ph_str bytes_of(const uint8_t *ptr, size_t len)
{
    return (struct ph_str){(const char *)ptr, len};
}

static void add_new_key(struct ph_keyring *keyring, uint32_t id)
{
    uint8_t wrapped[PH_WRAPPED_BYTES];
    ph_keyring_make_key(keyring, id, wrapped);
    assert_int_equal(ph_keyring_add_key(keyring, id, bytes_of(wrapped, sizeof(wrapped))), PH_OK);
}

static void master_key_is_32_bytes_of_base64(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==", /* 31 bytes */
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g", /* 33 bytes */
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",  /* padding is missing */
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct ph_keyring *keyring = NULL;
        assert_int_equal(ph_keyring_new(ph_str_of(wrong[i]), &keyring), PH_ERR_CONFIG);
        assert_null(keyring);
    }
    ph_keyring_free(keyring_of(MASTER));
    ph_keyring_free(NULL);
}

static void opens_what_it_sealed(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 15, 16, 17, 75, 4096};
    struct ph_keyring *keyring = keyring_of(MASTER);
    static uint8_t plain[4096], sealed[4096 + PH_SEAL_OVERHEAD], opened[4096];

    add_new_key(keyring, 1);
    for (size_t i = 0; i < sizeof(plain); i++)
        plain[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t len = 99999;
        ph_seal(keyring, tenant, row, bytes_of(plain, sizes[i]), sealed);
        assert_int_equal(ph_unseal(keyring, tenant, row,
                                   bytes_of(sealed, sizes[i] + PH_SEAL_OVERHEAD), opened, &len),
                         PH_OK);
        assert_int_equal(len, sizes[i]);
        assert_memory_equal(opened, plain, len);
    }
    ph_keyring_free(keyring);
}

/* Format, key id, nonce, and what libsodium makes of key, nonce and the two ids: read with nothing of ours. */
static void sealed_value_has_the_documented_form(void **state)
{
    (void)state;
    struct ph_keyring *keyring = keyring_of(MASTER);
    uint8_t wrapped[PH_WRAPPED_BYTES], master[32], key[32], bound[32] = {0}, opened[64];
    uint8_t sealed[38 + PH_SEAL_OVERHEAD];
    const uint8_t key_id[4] = {0x01, 0x02, 0x03, 0x04};
    unsigned long long len = 0;

    for (int i = 0; i < 32; i++)
        master[i] = (uint8_t)i;
    memcpy(bound, tenant.b, 16);
    memcpy(bound + 16, row.b, 16);
    ph_keyring_make_key(keyring, 0x01020304, wrapped);
    assert_int_equal(ph_keyring_add_key(keyring, 0x01020304, bytes_of(wrapped, sizeof(wrapped))),
                     PH_OK);
    assert_int_equal(PLAIN.len, 38);
    ph_seal(keyring, tenant, row, PLAIN, sealed);

    assert_int_equal(crypto_aead_xchacha20poly1305_ietf_decrypt(
                         key, &len, NULL, wrapped + 24, 32 + 16, key_id, 4, wrapped, master),
                     0);
    assert_int_equal(len, 32);
    assert_int_equal(sealed[0], 1);
    assert_memory_equal(sealed + 1, key_id, 4);
    assert_int_equal(crypto_aead_xchacha20poly1305_ietf_decrypt(
                         opened, &len, NULL, sealed + 29, 38 + 16, bound, 32, sealed + 5, key),
                     0);
    assert_int_equal(len, 38);
    assert_memory_equal(opened, PLAIN.ptr, 38);
    ph_keyring_free(keyring);
}

static void every_altered_byte_is_noticed(void **state)
{
    (void)state;
    struct ph_keyring *keyring = keyring_of(MASTER);
    uint8_t sealed[38 + PH_SEAL_OVERHEAD], opened[64];
    size_t len = 7;

    add_new_key(keyring, 1);
    ph_seal(keyring, tenant, row, PLAIN, sealed);
    for (size_t i = 0; i < sizeof(sealed); i++) {
        for (unsigned bit = 1; bit < 256; bit <<= 1) {
            sealed[i] ^= (uint8_t)bit;
            assert_int_equal(
                ph_unseal(keyring, tenant, row, bytes_of(sealed, sizeof(sealed)), opened, &len),
                PH_ERR_CRYPTO);
            sealed[i] ^= (uint8_t)bit;
        }
    }
    for (size_t cut = 0; cut < sizeof(sealed); cut++)
        assert_int_equal(ph_unseal(keyring, tenant, row, bytes_of(sealed, cut), opened, &len),
                         PH_ERR_CRYPTO);
    assert_int_equal(ph_unseal(keyring, tenant, row, PH_STR_NONE, opened, &len), PH_ERR_CRYPTO);
    assert_int_equal(len, 7);
    assert_int_equal(
        ph_unseal(keyring, tenant, row, bytes_of(sealed, sizeof(sealed)), opened, &len), PH_OK);
    ph_keyring_free(keyring);
}

static void a_value_opens_in_its_own_row_only(void **state)
{
    (void)state;
    struct ph_keyring *keyring = keyring_of(MASTER);
    uint8_t sealed[38 + PH_SEAL_OVERHEAD], opened[64];
    size_t len;

    add_new_key(keyring, 1);
    ph_seal(keyring, tenant, row, PLAIN, sealed);
    struct ph_str value = bytes_of(sealed, sizeof(sealed));
    assert_int_equal(ph_unseal(keyring, row, tenant, value, opened, &len), PH_ERR_CRYPTO);
    for (int i = 0; i < 16; i++) {
        struct ph_id other = tenant;
        other.b[i] ^= 1;
        assert_int_equal(ph_unseal(keyring, other, row, value, opened, &len), PH_ERR_CRYPTO);
        other = row;
        other.b[i] ^= 1;
        assert_int_equal(ph_unseal(keyring, tenant, other, value, opened, &len), PH_ERR_CRYPTO);
    }
    ph_keyring_free(keyring);
}

static void highest_key_seals_and_older_ones_still_open(void **state)
{
    (void)state;
    struct ph_keyring *keyring = keyring_of(MASTER);
    uint8_t first[38 + PH_SEAL_OVERHEAD], second[38 + PH_SEAL_OVERHEAD], opened[64];
    size_t len;

    add_new_key(keyring, 7);
    ph_seal(keyring, tenant, row, PLAIN, first);
    add_new_key(keyring, 300);
    add_new_key(keyring, 2);
    ph_seal(keyring, tenant, row, PLAIN, second);
    assert_memory_equal(first + 1, ((const uint8_t[]){0, 0, 0, 7}), 4);
    assert_memory_equal(second + 1, ((const uint8_t[]){0, 0, 1, 44}), 4);
    assert_int_equal(ph_unseal(keyring, tenant, row, bytes_of(first, sizeof(first)), opened, &len),
                     PH_OK);
    assert_memory_equal(opened, PLAIN.ptr, len);
    assert_int_equal(
        ph_unseal(keyring, tenant, row, bytes_of(second, sizeof(second)), opened, &len), PH_OK);

    /* Another instance's key of the same id does not open it; an id that is not there does not either. */
    struct ph_keyring *fresh = keyring_of(MASTER);
    assert_int_equal(ph_unseal(fresh, tenant, row, bytes_of(first, sizeof(first)), opened, &len),
                     PH_ERR_CRYPTO);
    add_new_key(fresh, 7);
    assert_int_equal(ph_unseal(fresh, tenant, row, bytes_of(first, sizeof(first)), opened, &len),
                     PH_ERR_CRYPTO);
    ph_keyring_free(fresh);
    ph_keyring_free(keyring);
}

static void wrapped_key_belongs_to_master_and_id(void **state)
{
    (void)state;
    struct ph_keyring *keyring = keyring_of(MASTER), *other = keyring_of(OTHER);
    uint8_t wrapped[PH_WRAPPED_BYTES];

    ph_keyring_make_key(keyring, 3, wrapped);
    struct ph_str value = bytes_of(wrapped, sizeof(wrapped));
    assert_int_equal(ph_keyring_add_key(other, 3, value), PH_ERR_CRYPTO);
    assert_int_equal(ph_keyring_add_key(keyring, 4, value), PH_ERR_CRYPTO);
    assert_int_equal(ph_keyring_add_key(keyring, 3, bytes_of(wrapped, sizeof(wrapped) - 1)),
                     PH_ERR_CRYPTO);
    assert_int_equal(ph_keyring_add_key(keyring, 3, PH_STR_NONE), PH_ERR_CRYPTO);
    wrapped[40] ^= 1;
    assert_int_equal(ph_keyring_add_key(keyring, 3, value), PH_ERR_CRYPTO);
    wrapped[40] ^= 1;
    assert_int_equal(ph_keyring_add_key(keyring, 3, value), PH_OK);
    ph_keyring_free(keyring);
    ph_keyring_free(other);
}

static void a_later_key_opens_at_once_and_seals_from_its_time_on(void **state)
{
    (void)state;
    struct ph_keyring *keyring = keyring_of(MASTER);
    uint8_t wrapped[PH_WRAPPED_BYTES], sealed[38 + PH_SEAL_OVERHEAD];
    int64_t now_ms = ph_clock_wall_ms();
    const int64_t from_ms[] = {now_ms - 1000, now_ms + 60000}; /* of keys 2 and 3 */

    ph_keyring_make_key(keyring, 1, wrapped);
    assert_int_equal(
        ph_keyring_add_key_from(keyring, 1, bytes_of(wrapped, sizeof(wrapped)), now_ms + 60000),
        PH_OK);
    ph_seal(keyring, tenant, row, PLAIN, sealed);
    assert_int_equal(sealed[4], 1); /* there is no older one */
    for (uint32_t id = 2; id <= 3; id++) {
        ph_keyring_make_key(keyring, id, wrapped);
        assert_false(ph_keyring_has_key(keyring, id));
        assert_int_equal(ph_keyring_add_key_from(keyring, id, bytes_of(wrapped, sizeof(wrapped)),
                                                 from_ms[id - 2]),
                         PH_OK);
        assert_true(ph_keyring_has_key(keyring, id));
        ph_seal(keyring, tenant, row, PLAIN, sealed);
        assert_int_equal(sealed[4], 2);
    }
    ph_keyring_free(keyring);
}

static void a_keyring_with_two_masters_opens_both_and_moves_to_the_second(void **state)
{
    (void)state;
    struct ph_keyring *first = keyring_of(MASTER), *second = keyring_of(OTHER),
                      *both = keyring_of(MASTER);
    uint8_t old[PH_WRAPPED_BYTES], new[PH_WRAPPED_BYTES], out[PH_WRAPPED_BYTES];
    bool changed;

    assert_int_equal(ph_keyring_add_master(both, PH_STR("none")), PH_ERR_CONFIG);
    ph_keyring_make_key(second, 1, new);
    assert_int_equal(ph_keyring_add_key(both, 1, bytes_of(new, sizeof(new))), PH_ERR_CRYPTO);
    assert_int_equal(ph_keyring_add_master(both, OTHER), PH_OK);
    assert_int_equal(ph_keyring_add_key(both, 1, bytes_of(new, sizeof(new))), PH_OK);
    assert_int_equal(ph_keyring_rewrap(both, 1, bytes_of(new, sizeof(new)), out, &changed), PH_OK);
    assert_false(changed);
    ph_keyring_make_key(first, 2, old);
    assert_int_equal(ph_keyring_rewrap(both, 1, bytes_of(old, sizeof(old)), out, &changed),
                     PH_ERR_CRYPTO);
    assert_int_equal(ph_keyring_rewrap(both, 2, bytes_of(old, sizeof(old)), out, &changed), PH_OK);
    assert_true(changed);
    assert_int_equal(ph_keyring_add_key(second, 2, bytes_of(out, sizeof(out))), PH_OK);
    assert_int_equal(ph_keyring_add_key(first, 2, bytes_of(out, sizeof(out))), PH_ERR_CRYPTO);

    /* further ones are wrapped like the newest */
    ph_keyring_make_key(both, 2, out);
    assert_int_equal(ph_keyring_add_key(first, 2, bytes_of(out, sizeof(out))), PH_ERR_CRYPTO);
    assert_int_equal(ph_keyring_add_key(both, 2, bytes_of(old, sizeof(old))), PH_OK);
    ph_keyring_make_key(both, 3, out);
    assert_int_equal(ph_keyring_add_key(first, 3, bytes_of(out, sizeof(out))), PH_OK);
    ph_keyring_free(first);
    ph_keyring_free(second);
    ph_keyring_free(both);
}

static void nothing_is_sealed_the_same_twice(void **state)
{
    (void)state;
    struct ph_keyring *keyring = keyring_of(MASTER);
    uint8_t a[38 + PH_SEAL_OVERHEAD], b[38 + PH_SEAL_OVERHEAD];
    uint8_t key_a[PH_WRAPPED_BYTES], key_b[PH_WRAPPED_BYTES];

    add_new_key(keyring, 1);
    ph_seal(keyring, tenant, row, PLAIN, a);
    ph_seal(keyring, tenant, row, PLAIN, b);
    assert_memory_not_equal(a + 5, b + 5, 24);
    assert_memory_not_equal(a + 29, b + 29, 38);
    ph_keyring_make_key(keyring, 2, key_a);
    ph_keyring_make_key(keyring, 2, key_b);
    assert_memory_not_equal(key_a, key_b, 24);
    ph_keyring_free(keyring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(master_key_is_32_bytes_of_base64),
        cmocka_unit_test(opens_what_it_sealed),
        cmocka_unit_test(sealed_value_has_the_documented_form),
        cmocka_unit_test(every_altered_byte_is_noticed),
        cmocka_unit_test(a_value_opens_in_its_own_row_only),
        cmocka_unit_test(highest_key_seals_and_older_ones_still_open),
        cmocka_unit_test(wrapped_key_belongs_to_master_and_id),
        cmocka_unit_test(a_later_key_opens_at_once_and_seals_from_its_time_on),
        cmocka_unit_test(a_keyring_with_two_masters_opens_both_and_moves_to_the_second),
        cmocka_unit_test(nothing_is_sealed_the_same_twice),
    };
    return cmocka_run_group_tests_name("seal", tests, NULL, NULL);
}
