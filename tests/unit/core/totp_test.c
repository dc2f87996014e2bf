#include "posthorn/totp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECRET PH_STR("12345678901234567890") /* of both RFCs */

/* RFC 4226, appendix D */
static void hotp_vectors(void **state)
{
    static const char *const codes[] = {"755224", "287082", "359152", "969429", "338314",
                                        "254676", "287922", "162583", "399871", "520489"};
    char code[PH_TOTP_DIGITS + 1];

    (void)state;
    for (int i = 0; i < 10; i++) {
        ph_totp_code(SECRET, i, code);
        assert_string_equal(code, codes[i]);
    }
}

/* RFC 6238, appendix B: the last six of its eight digits */
static void totp_vectors(void **state)
{
    static const struct {
        int64_t time_s;
        const char *code;
    } cases[] = {{59, "287082"},         {1111111109, "081804"}, {1111111111, "050471"},
                 {1234567890, "005924"}, {2000000000, "279037"}, {20000000000, "353130"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t counter = -2;
        assert_true(
            ph_totp_check(SECRET, ph_str_of(cases[i].code), cases[i].time_s * 1000, -1, &counter));
        assert_int_equal(counter, cases[i].time_s / 30);
    }
}

static bool check_at(int64_t time_s, int64_t used)
{
    char code[PH_TOTP_DIGITS + 1];
    int64_t counter = 0;
    bool ok;

    ph_totp_code(SECRET, 1000, code);
    ok = ph_totp_check(SECRET, ph_str_of(code), time_s * 1000, used, &counter);
    assert_int_equal(counter, ok ? 1000 : 0);
    return ok;
}

static void one_step_before_and_behind_is_near_enough(void **state)
{
    (void)state;
    assert_false(check_at(999 * 30 - 1, -1));
    assert_true(check_at(999 * 30, -1));
    assert_true(check_at(1000 * 30, -1));
    assert_true(check_at(1002 * 30 - 1, -1));
    assert_false(check_at(1002 * 30, -1));
}

static void a_code_is_accepted_once(void **state)
{
    (void)state;
    assert_true(check_at(1000 * 30, 999));
    assert_false(check_at(1000 * 30, 1000));
    assert_false(check_at(1000 * 30, 1001));
}

static void what_is_no_code_is_refused(void **state)
{
    static const char *const wrong[] = {"",        "28708",   "2870822", "28708a",
                                        "-287082", "287082.", "0x7082",  "287083"};
    int64_t counter;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(ph_totp_check(SECRET, ph_str_of(wrong[i]), 59000, -1, &counter));
    assert_false(ph_totp_check(SECRET, PH_STR_NONE, 59000, -1, &counter));
    assert_true(ph_totp_check(SECRET, PH_STR(" 287 082"), 59000, -1, &counter));
}

static void uri_is_encoded(void **state)
{
    struct ph_buf buf;

    (void)state;
    ph_buf_init(&buf, 1024);
    ph_totp_write_uri(&buf, PH_STR("Post: horn"), PH_STR("a+b&c@x.test"), SECRET);
    assert_true(ph_str_eq_c(ph_buf_str(&buf),
                            "otpauth://totp/Post%3A%20horn:a%2Bb%26c%40x.test"
                            "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Post%3A%20horn"
                            "&algorithm=SHA1&digits=6&period=30"));
    ph_buf_free(&buf);
}

static void secrets_differ(void **state)
{
    uint8_t a[PH_TOTP_SECRET_BYTES] = {0}, b[PH_TOTP_SECRET_BYTES] = {0};

    (void)state;
    ph_totp_secret_make(a);
    ph_totp_secret_make(b);
    assert_memory_not_equal(a, b, sizeof a);
}

static void recovery_codes_are_typed_as_people_do(void **state)
{
    uint8_t a[PH_RECOVERY_HASH_BYTES], b[PH_RECOVERY_HASH_BYTES];

    (void)state;
    assert_true(ph_recovery_code_hash(PH_STR("abcd-efgh-ijkl-2345"), a));
    assert_true(ph_recovery_code_hash(PH_STR(" ABCDefgh IJKL-2345 "), b));
    assert_memory_equal(a, b, sizeof a);
    assert_true(ph_recovery_code_hash(PH_STR("abcd-efgh-ijkl-2346"), b));
    assert_memory_not_equal(a, b, sizeof a);
    assert_false(ph_recovery_code_hash(PH_STR("abcd-efgh-ijkl-234"), a));
    assert_false(ph_recovery_code_hash(PH_STR("abcd-efgh-ijkl-23456"), a));
    assert_false(ph_recovery_code_hash(PH_STR("abcd-efgh-ijkl-2341"), a));
    assert_false(ph_recovery_code_hash(PH_STR("123456"), a));
    assert_false(ph_recovery_code_hash(PH_STR_NONE, a));
}

static void recovery_codes_differ(void **state)
{
    char a[PH_RECOVERY_LEN + 1], b[PH_RECOVERY_LEN + 1];
    uint8_t hash[PH_RECOVERY_HASH_BYTES];

    (void)state;
    ph_recovery_code_make(a);
    ph_recovery_code_make(b);
    assert_string_not_equal(a, b);
    assert_int_equal(strlen(a), PH_RECOVERY_LEN);
    assert_true(a[4] == '-' && a[9] == '-' && a[14] == '-');
    assert_true(ph_recovery_code_hash(ph_str_of(a), hash));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hotp_vectors),
        cmocka_unit_test(totp_vectors),
        cmocka_unit_test(one_step_before_and_behind_is_near_enough),
        cmocka_unit_test(a_code_is_accepted_once),
        cmocka_unit_test(what_is_no_code_is_refused),
        cmocka_unit_test(uri_is_encoded),
        cmocka_unit_test(secrets_differ),
        cmocka_unit_test(recovery_codes_are_typed_as_people_do),
        cmocka_unit_test(recovery_codes_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
