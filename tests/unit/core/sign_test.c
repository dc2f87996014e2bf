/*
 * The expected signatures were computed with Python's hmac, hashlib and base64, independent of the code under test:
 *
 *   key = base64.b64decode(secret[6:]); mac = hmac.new(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256)
 *   "v1," + base64.b64encode(mac.digest()).decode()
 *
 * and those of Ed25519 with PyNaCl:
 *
 *   "v1a," + base64.b64encode(SigningKey(bytes(range(32))).sign(f"{id}.{timestamp}.".encode() + body).signature).decode()
 *
 * The first one is also the example that the Standard Webhooks specification and its libraries use.
 */
#include "posthorn/sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define SECRET    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define ID        PH_STR("msg_p5jXN8AQM9LWM0D4loKWxJek")
#define STAMP     1614265330
#define BODY      PH_STR("{\"test\": 2432232314}")
#define SIGNATURE "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define LONGEST                                                                                    \
    "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+"   \
    "P0BBQkNERUZHSElK"

#define SEED_KEY "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define WHOLE_KEY                                                                                  \
    "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8DoQe/884Qvh1w3RjnS8CZZ+"                      \
    "TWMJulDV8d3IZkElUxuA=="
#define PUBLIC_KEY "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
#define ED25519_SIGNATURE                                                                          \
    "v1a,yoUrgEkc12aGqm0n4Sydmdz55xJfTz4AsAgieHFjmkR7LJtqVCZOQYzvvHjI5kAey+r4iaBGxTFRrl2iBQxtDQ=="

static struct ph_signer *signer_of(const char *text)
{
    struct ph_secret secret;
    assert_int_equal(ph_secret_parse(ph_str_of(text), &secret), PH_OK);
    struct ph_signer *signer = ph_signer_new(&secret);
    ph_secret_wipe(&secret);
    return signer;
}

static void signs_by_the_vectors(void **state)
{
    (void)state;
    char out[PH_SIGNATURE_LEN_MAX + 1], every_byte[256];
    struct ph_signer *signer = signer_of(SECRET);

    ph_signer_sign(signer, ID, STAMP, BODY, out);
    assert_string_equal(out, SIGNATURE);
    ph_signer_sign(signer, ID, STAMP + 1, PH_STR(""), out);
    assert_string_equal(out, "v1,H+UzatoGXMdydm/aGoCyGiaDWGRV50/6RwZ49saHL6k=");
    ph_signer_free(signer);

    for (int i = 0; i < 256; i++)
        every_byte[i] = (char)i;
    signer = signer_of(LONGEST);
    ph_signer_sign(signer, PH_STR("msg_1"), -1, (struct ph_str){every_byte, 256}, out);
    assert_string_equal(out, "v1,dpMQvzUop8NkrWsD2eNQnRQwbKKAJtXlrnj5N5e52w4=");
    ph_signer_free(signer);
}

static void a_signer_is_used_again(void **state)
{
    (void)state;
    char out[PH_SIGNATURE_LEN_MAX + 1];
    struct ph_signer *signer = signer_of(SECRET);
    for (int i = 0; i < 100; i++) {
        ph_signer_sign(signer, PH_STR("msg_x"), i, PH_STR("other"), out);
        ph_signer_sign(signer, ID, STAMP, BODY, out);
        assert_string_equal(out, SIGNATURE);
    }
    ph_signer_free(signer);
    ph_signer_free(NULL);
}

static bool verifies(struct ph_signer *signer, const char *header)
{
    return ph_signer_verify(signer, ID, STAMP, BODY, ph_str_of(header));
}

static void verifies_one_of_several(void **state)
{
    (void)state;
    static const char *const right[] = {
        SIGNATURE,
        "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= " SIGNATURE,
        SIGNATURE " v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/"
        "enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg== " SIGNATURE,
        "v9,x  " SIGNATURE " ",
    };
    static const char *const wrong[] = {
        "",
        " ",
        "v1,",
        "v1",
        "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        "V1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE",
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=x",
        "v1,h0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OF=",
        "v1,v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        SIGNATURE "," SIGNATURE,
    };
    struct ph_signer *signer = signer_of(SECRET);
    for (size_t i = 0; i < COUNT_OF(right); i++)
        if (!verifies(signer, right[i]))
            fail_msg("refused: %s", right[i]);
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        if (verifies(signer, wrong[i]))
            fail_msg("verified: %s", wrong[i]);
    assert_false(ph_signer_verify(signer, ID, STAMP, BODY, PH_STR_NONE));
    ph_signer_free(signer);
}

static void every_part_is_signed(void **state)
{
    (void)state;
    struct ph_str header = PH_STR(SIGNATURE);
    struct ph_signer *signer = signer_of(SECRET), *other = signer_of(LONGEST);

    assert_true(ph_signer_verify(signer, ID, STAMP, BODY, header));
    assert_false(ph_signer_verify(other, ID, STAMP, BODY, header));
    assert_false(
        ph_signer_verify(signer, PH_STR("msg_p5jXN8AQM9LWM0D4loKWxJej"), STAMP, BODY, header));
    assert_false(ph_signer_verify(signer, ID, STAMP + 1, BODY, header));
    assert_false(ph_signer_verify(signer, ID, STAMP, PH_STR("{\"test\":2432232314}"), header));
    ph_signer_free(signer);
    ph_signer_free(other);
}

static void secrets_have_24_to_75_bytes(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "whsec_",
        "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRY=", /* 23 bytes */
        LONGEST "Sw==",                           /* 76 bytes */
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
        "WHSEC_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
        "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
        "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGA", /* padding is missing */
        "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRY_",   /* another alphabet */
        "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX\n",
        " whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
        "whsec_AAECAwQF BgcICQoLDA0ODxAREhMUFRYX",
    };
    struct ph_secret secret;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        secret.len = 7;
        if (ph_secret_parse(ph_str_of(wrong[i]), &secret) != PH_ERR_VALIDATION)
            fail_msg("accepted: %s", wrong[i]);
        assert_int_equal(secret.len, 7);
    }
    assert_int_equal(ph_secret_parse(PH_STR_NONE, &secret), PH_ERR_VALIDATION);

    assert_int_equal(ph_secret_parse(PH_STR("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"), &secret),
                     PH_OK);
    assert_int_equal(secret.len, 24);
    assert_int_equal(ph_secret_parse(PH_STR(LONGEST), &secret), PH_OK);
    assert_int_equal(secret.len, 75);
    for (size_t i = 0; i < 75; i++)
        assert_int_equal(secret.bytes[i], i);

    char text[PH_SECRET_TEXT_MAX];
    assert_int_equal(ph_secret_format(&secret, text), strlen(LONGEST));
    assert_string_equal(text, LONGEST);
}

static void new_secrets_are_random(void **state)
{
    (void)state;
    static const uint8_t zeroes[PH_SECRET_BYTES_NEW];
    struct ph_secret a, b, back;
    char text[PH_SECRET_TEXT_MAX];

    ph_secret_new(&a);
    ph_secret_new(&b);
    assert_int_equal(a.len, PH_SECRET_BYTES_NEW);
    assert_memory_not_equal(a.bytes, b.bytes, PH_SECRET_BYTES_NEW);
    assert_memory_not_equal(a.bytes, zeroes, PH_SECRET_BYTES_NEW);

    size_t len = ph_secret_format(&a, text);
    assert_int_equal(len, strlen(text));
    assert_int_equal(ph_secret_parse((struct ph_str){text, len}, &back), PH_OK);
    assert_int_equal(back.len, a.len);
    assert_memory_equal(back.bytes, a.bytes, a.len);

    ph_secret_wipe(&a);
    assert_int_equal(a.len, 0);
    assert_memory_equal(a.bytes, zeroes, PH_SECRET_BYTES_NEW);
}

static void signs_v1a_by_the_vectors(void **state)
{
    (void)state;
    static const char *const keys[] = {SEED_KEY, WHOLE_KEY};
    char out[PH_SIGNATURE_LEN_MAX + 1], every_byte[256];

    for (int i = 0; i < 256; i++)
        every_byte[i] = (char)i;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct ph_signer *signer = signer_of(keys[i]);
        assert_int_equal(ph_signer_sign(signer, ID, STAMP, BODY, out), PH_SIGNATURE_LEN_MAX);
        assert_string_equal(out, ED25519_SIGNATURE);
        ph_signer_sign(signer, PH_STR("msg_1"), -1, (struct ph_str){every_byte, 256}, out);
        assert_string_equal(out, "v1a,mLAcYSg25k/2gRXWV9wY/7mSER0rdn4uQaE+"
                                 "i7uCeRuDxmwPVCWbhEuddEgry+3p74+LgO9tXxZblyzyU3OrBg==");
        ph_signer_sign(signer, ID, STAMP, PH_STR(""), out);
        assert_string_equal(out, "v1a,KCQh4R353gbT6ddPAmg2Tf9Sc4fZLgQKsN9dGPl/"
                                 "GPxHA/naeYQYjozaur664sAMjBBos/pIwebCwt1H3rE6BA==");
        assert_true(verifies(signer, SIGNATURE " " ED25519_SIGNATURE));
        assert_false(verifies(signer, SIGNATURE));
        assert_false(ph_signer_verify(signer, ID, STAMP + 1, BODY, PH_STR(ED25519_SIGNATURE)));
        ph_signer_free(signer);
    }
}

static void ed25519_keys_are_seeds_or_whole(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "whsk_",
        "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==", /* 31 bytes */
        "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g", /* 33 bytes */
        "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8AoQe/884Qvh1w3RjnS8CZZ+"
        "TWMJulDV8d3IZkElUxuA==", /* another public key */
        PUBLIC_KEY,
    };
    char text[PH_SECRET_TEXT_MAX], public_key[PH_PUBLIC_KEY_TEXT_MAX];
    struct ph_secret secret;

    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        if (ph_secret_parse(ph_str_of(wrong[i]), &secret) != PH_ERR_VALIDATION)
            fail_msg("accepted: %s", wrong[i]);
    assert_int_equal(ph_secret_parse(PH_STR(SEED_KEY), &secret), PH_OK);
    assert_int_equal(secret.kind, PH_SECRET_ED25519);
    ph_secret_format(&secret, text);
    assert_string_equal(text, SEED_KEY);
    assert_int_equal(ph_secret_format_public(&secret, public_key), strlen(PUBLIC_KEY));
    assert_string_equal(public_key, PUBLIC_KEY);
    assert_int_equal(ph_secret_parse(PH_STR(WHOLE_KEY), &secret), PH_OK);
    ph_secret_format(&secret, text);
    assert_string_equal(text, WHOLE_KEY);
    ph_secret_format_public(&secret, public_key);
    assert_string_equal(public_key, PUBLIC_KEY);
}

static void new_ed25519_keys_are_random_and_valid(void **state)
{
    (void)state;
    char text[PH_SECRET_TEXT_MAX], a_public[PH_PUBLIC_KEY_TEXT_MAX],
        b_public[PH_PUBLIC_KEY_TEXT_MAX];
    struct ph_secret a, b;

    ph_secret_new_ed25519(&a);
    assert_int_equal(a.len, 64);
    size_t len = ph_secret_format(&a, text);
    assert_int_equal(ph_secret_parse((struct ph_str){text, len}, &b), PH_OK);
    assert_memory_equal(a.bytes, b.bytes, 64);
    ph_secret_new_ed25519(&b);
    ph_secret_format_public(&a, a_public);
    ph_secret_format_public(&b, b_public);
    assert_string_not_equal(a_public, b_public);
}

static void any_printable_text_is_a_secret(void **state)
{
    (void)state;
    char text[PH_SECRET_TEXT_MAX], longest[258];
    struct ph_secret secret;

    assert_int_equal(ph_secret_parse_any(PH_STR("whsec_not base64"), &secret), PH_OK);
    assert_int_equal(secret.kind, PH_SECRET_TEXT);
    assert_int_equal(ph_secret_format(&secret, text), 16);
    assert_string_equal(text, "whsec_not base64");
    assert_int_equal(ph_secret_parse_any(ph_str_of(LONGEST), &secret), PH_OK);
    assert_int_equal(secret.kind, PH_SECRET_HMAC);
    assert_int_equal(ph_secret_parse_any(PH_STR(SEED_KEY), &secret), PH_OK);
    assert_int_equal(secret.kind, PH_SECRET_ED25519);

    memset(longest, '~', sizeof longest);
    assert_int_equal(ph_secret_parse_any((struct ph_str){longest, 256}, &secret), PH_OK);
    assert_int_equal(ph_secret_format(&secret, text), 256);
    assert_memory_equal(text, longest, 256);
    assert_int_equal(ph_secret_parse_any((struct ph_str){longest, 257}, &secret),
                     PH_ERR_VALIDATION);
    assert_int_equal(ph_secret_parse_any(PH_STR("12345678"), &secret), PH_OK);
    assert_int_equal(ph_secret_parse_any(PH_STR("1234567"), &secret), PH_ERR_VALIDATION);
    assert_int_equal(ph_secret_parse_any(PH_STR("1234567\n"), &secret), PH_ERR_VALIDATION);
    assert_int_equal(ph_secret_parse_any(PH_STR("1234567\x7f"), &secret), PH_ERR_VALIDATION);
    assert_int_equal(ph_secret_parse_any(PH_STR("1234567\xc3\xa9"), &secret), PH_ERR_VALIDATION);
    assert_int_equal(ph_secret_parse_any(PH_STR_NONE, &secret), PH_ERR_VALIDATION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_by_the_vectors),
        cmocka_unit_test(a_signer_is_used_again),
        cmocka_unit_test(verifies_one_of_several),
        cmocka_unit_test(every_part_is_signed),
        cmocka_unit_test(secrets_have_24_to_75_bytes),
        cmocka_unit_test(new_secrets_are_random),
        cmocka_unit_test(signs_v1a_by_the_vectors),
        cmocka_unit_test(ed25519_keys_are_seeds_or_whole),
        cmocka_unit_test(new_ed25519_keys_are_random_and_valid),
        cmocka_unit_test(any_printable_text_is_a_secret),
    };
    return cmocka_run_group_tests_name("sign", tests, NULL, NULL);
}
