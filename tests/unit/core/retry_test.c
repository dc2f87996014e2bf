#include "posthorn/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define NOW INT64_C(1795512600250)

static enum ph_err parse(const char *text, int jitter, struct ph_retry_schedule *out)
{
    struct ph_buf problems;
    enum ph_err err;

    ph_buf_init(&problems, 1000);
    err = ph_retry_parse(ph_str_of(text), jitter, &problems, out);
    assert_true((problems.len > 0) == (err != PH_OK));
    assert_true(err == PH_OK || problems.ptr[problems.len - 1] == '\n');
    ph_buf_free(&problems);
    return err;
}

static void a_list_of_seconds_is_a_schedule(void **state)
{
    struct ph_retry_schedule s = {.n_waits = 9};
    (void)state;

    assert_int_equal(parse("5, 300 ,1800", 20, &s), PH_OK);
    assert_int_equal(s.n_waits, 3);
    assert_int_equal(s.wait_ms[0], 5000);
    assert_int_equal(s.wait_ms[1], 300000);
    assert_int_equal(s.wait_ms[2], 1800000);
    assert_int_equal(s.jitter_percent, 20);
    assert_int_equal(parse("0,2592000", 0, &s), PH_OK);
    assert_int_equal(s.n_waits, 2);
    assert_int_equal(s.wait_ms[0], 0);
    assert_true(s.wait_ms[1] == INT64_C(2592000000));
}

static void no_seconds_are_a_single_attempt(void **state)
{
    static const char *const texts[] = {"", "  ", NULL};
    (void)state;

    for (int i = 0; i < 3; i++) {
        struct ph_retry_schedule s = {.n_waits = 9};
        assert_int_equal(parse(texts[i], 0, &s), PH_OK);
        assert_int_equal(s.n_waits, 0);
        assert_true(ph_retry_next_ms(&s, 1, NOW, -1, 0) == -1);
        assert_true(ph_retry_next_ms(&s, 1, NOW, 60, 0) == -1);
    }
}

static void anything_else_is_refused_and_changes_nothing(void **state)
{
    static const char *const texts[] = {"5,,6", "5,", ",5",   "-1",  "2592001",
                                        "1.5",  "5s", "five", "5;6", "99999999999999999999"};
    struct ph_retry_schedule s = {.n_waits = 9};
    (void)state;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(parse(texts[i], 0, &s), PH_ERR_CONFIG);
        assert_int_equal(s.n_waits, 9);
    }
}

static void there_are_at_most_32_waits(void **state)
{
    struct ph_retry_schedule s;
    char text[200] = "1";
    (void)state;

    for (int i = 1; i < PH_RETRY_WAITS_MAX; i++)
        memcpy(text + strlen(text), ",1", 3);
    assert_int_equal(parse(text, 0, &s), PH_OK);
    assert_int_equal(s.n_waits, PH_RETRY_WAITS_MAX);
    memcpy(text + strlen(text), ",1", 3);
    assert_int_equal(parse(text, 0, &s), PH_ERR_CONFIG);
}

static void
each_failure_waits_as_long_as_its_place_says_until_the_schedule_is_exhausted(void **state)
{
    struct ph_retry_schedule s;
    (void)state;

    assert_int_equal(parse("5,300,1800", 0, &s), PH_OK);
    assert_true(ph_retry_next_ms(&s, 1, NOW, -1, UINT32_MAX) == NOW + 5000);
    assert_true(ph_retry_next_ms(&s, 2, NOW, -1, UINT32_MAX) == NOW + 300000);
    assert_true(ph_retry_next_ms(&s, 3, NOW, -1, UINT32_MAX) == NOW + 1800000);
    assert_true(ph_retry_next_ms(&s, 4, NOW, -1, 0) == -1);
    assert_true(ph_retry_next_ms(&s, 1000, NOW, 60, 0) == -1);
}

static void jitter_only_lengthens_and_up_to_its_percentage(void **state)
{
    struct ph_retry_schedule s;
    (void)state;

    assert_int_equal(parse("100", 20, &s), PH_OK);
    assert_true(ph_retry_next_ms(&s, 1, NOW, -1, 0) == NOW + 100000);
    assert_true(ph_retry_next_ms(&s, 1, NOW, -1, UINT32_C(1) << 31) == NOW + 110000);
    assert_in_range(ph_retry_next_ms(&s, 1, NOW, -1, UINT32_MAX) - NOW, 119999, 120000);
    assert_int_equal(parse("2592000", 100, &s), PH_OK); /* no overflow */
    assert_in_range(ph_retry_next_ms(&s, 1, NOW, -1, UINT32_MAX) - NOW, INT64_C(5183999999),
                    INT64_C(5184000000));
}

static void retry_after_can_only_delay_and_by_a_day_at_most(void **state)
{
    struct ph_retry_schedule s;
    (void)state;

    assert_int_equal(parse("100,200000", 0, &s), PH_OK);
    assert_true(ph_retry_next_ms(&s, 1, NOW, 0, 0) == NOW + 100000);
    assert_true(ph_retry_next_ms(&s, 1, NOW, 99, 0) == NOW + 100000);
    assert_true(ph_retry_next_ms(&s, 1, NOW, 101, 0) == NOW + 101000);
    assert_true(ph_retry_next_ms(&s, 1, NOW, 86400, 0) == NOW + 86400000);
    assert_true(ph_retry_next_ms(&s, 1, NOW, 86401, 0) == NOW + 86400000);
    assert_true(ph_retry_next_ms(&s, 1, NOW, INT64_MAX, 0) == NOW + 86400000);
    assert_true(ph_retry_next_ms(&s, 2, NOW, INT64_MAX, 0) == NOW + 200000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_of_seconds_is_a_schedule),
        cmocka_unit_test(no_seconds_are_a_single_attempt),
        cmocka_unit_test(anything_else_is_refused_and_changes_nothing),
        cmocka_unit_test(there_are_at_most_32_waits),
        cmocka_unit_test(
            each_failure_waits_as_long_as_its_place_says_until_the_schedule_is_exhausted),
        cmocka_unit_test(jitter_only_lengthens_and_up_to_its_percentage),
        cmocka_unit_test(retry_after_can_only_delay_and_by_a_day_at_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
