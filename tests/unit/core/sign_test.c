/*
 * The expected signatures were computed with Python's hmac, hashlib and base64, independent of the code under test:
 *
 *   key = base64.b64decode(secret[6:]); mac = hmac.new(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256)
 *   "v1," + base64.b64encode(mac.digest()).decode()
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
    char out[PH_SIGNATURE_LEN + 1], every_byte[256];
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
    char out[PH_SIGNATURE_LEN + 1];
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_by_the_vectors),        cmocka_unit_test(a_signer_is_used_again),
        cmocka_unit_test(verifies_one_of_several),     cmocka_unit_test(every_part_is_signed),
        cmocka_unit_test(secrets_have_24_to_75_bytes), cmocka_unit_test(new_secrets_are_random),
    };
    return cmocka_run_group_tests_name("sign", tests, NULL, NULL);
}
