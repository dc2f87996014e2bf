#include "posthorn/decimal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static int compare(const char *a, const char *b)
{
    struct ph_decimal x = ph_decimal_of(ph_str_of(a)), y = ph_decimal_of(ph_str_of(b));

    return ph_decimal_compare(&x, &y);
}

static void numbers_have_one_order(void **state)
{
    /* Ascending; those of one row are equal. */
    static const char *const rows[][5] = {
        {"-1e1000000000000", "-1e99999999999999999999"},
        {"-9007199254740993"},
        {"-9007199254740992", "-9007199254740992.0"},
        {"-10", "-1e1", "-0.1E+2"},
        {"-9.99"},
        {"-1e-7", "-0.0000001"},
        {"0", "-0", "0.000", "0e99", "-0.0E-5"},
        {"1e-1000000000000"},
        {"0.05", "5e-2", "0.0500"},
        {"0.1", "0.1000000000000000000000", "1e-1"},
        {"0.1000000000000000000001"},
        {"1", "1.0", "10e-1", "0.01e2"},
        {"9.99"},
        {"10", "1e1"},
        {"10.5", "105e-1", "0.105E2"},
        {"99"},
        {"100", "1E2", "100.00"},
        {"9007199254740992"},
        {"9007199254740993"},
        {"18446744073709551616"},
        {"123456789012345678901234567890"},
        {"123456789012345678901234567891", "1.23456789012345678901234567891e29"},
        {"1e400", "10E399"},
    };
    (void)state;

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t j = 0; j < COUNT_OF(rows); j++)
            for (const char *const *a = rows[i]; a < rows[i] + 5 && *a; a++)
                for (const char *const *b = rows[j]; b < rows[j] + 5 && *b; b++) {
                    int order = compare(*a, *b);
                    if ((order > 0) - (order < 0) != (i > j) - (i < j))
                        fail_msg("%s and %s: %d", *a, *b, order);
                }
}

static void whole_numbers_are_found_in_every_form(void **state)
{
    static const char *const whole[] = {"0",     "-7",     "1.0",      "1e3",
                                        "1.5e1", "100e-2", "0.30e1",   "12345678901234567890.000",
                                        "0e-5",  "1E400",  "-2.50e+2", "-0.0"};
    static const char *const broken[] = {"0.5", "1e-1", "10.01", "15e-1", "-3.000001", "1e-400"};
    (void)state;

    for (size_t i = 0; i < COUNT_OF(whole); i++) {
        struct ph_decimal d = ph_decimal_of(ph_str_of(whole[i]));
        if (!ph_decimal_is_integer(&d))
            fail_msg("%s is whole", whole[i]);
    }
    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        struct ph_decimal d = ph_decimal_of(ph_str_of(broken[i]));
        if (ph_decimal_is_integer(&d))
            fail_msg("%s is not whole", broken[i]);
    }
}

static bool is_multiple(const char *number, const char *of)
{
    struct ph_decimal a = ph_decimal_of(ph_str_of(number)), b = ph_decimal_of(ph_str_of(of));
    struct ph_decimal_divisor divisor;

    assert_int_equal(ph_decimal_divisor_of(&b, &divisor), PH_OK);
    return ph_decimal_is_multiple(&a, &divisor);
}

static void multiples_are_exact(void **state)
{
    (void)state;

    assert_true(is_multiple("19.99", "0.01"));
    assert_true(is_multiple("0.3", "0.1"));
    assert_true(is_multiple("-4.2", "0.7"));
    assert_true(is_multiple("0", "3"));
    assert_true(is_multiple("9007199254740993", "3"));
    assert_true(is_multiple("1e300", "16"));
    assert_true(is_multiple("1e20", "1024"));
    assert_true(is_multiple("120", "40"));
    assert_true(is_multiple("1500", "1.5e1"));
    assert_false(is_multiple("19.995", "0.01"));
    assert_false(is_multiple("9007199254740992", "3"));
    assert_false(is_multiple("1e300", "3"));
    assert_false(is_multiple("1", "2"));
    assert_false(is_multiple("5", "10"));
    assert_false(is_multiple("0.05", "0.1"));
}

static void a_divisor_is_above_zero_and_short(void **state)
{
    static const char *const refused[] = {"0", "-1", "0.0", "1.234567890123456"};
    struct ph_decimal_divisor divisor;
    (void)state;

    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        struct ph_decimal d = ph_decimal_of(ph_str_of(refused[i]));
        assert_int_equal(ph_decimal_divisor_of(&d, &divisor), PH_ERR_VALIDATION);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_one_order),
        cmocka_unit_test(whole_numbers_are_found_in_every_form),
        cmocka_unit_test(multiples_are_exact),
        cmocka_unit_test(a_divisor_is_above_zero_and_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
