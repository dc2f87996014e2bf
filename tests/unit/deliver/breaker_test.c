#include "posthorn/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NOW       INT64_C(1795512600250)
#define THRESHOLD 3
#define LIMIT     10

static bool fail_at(struct ph_breaker *breaker, int64_t now_ms)
{
    return ph_breaker_failure(breaker, THRESHOLD, now_ms, 0);
}

/* Opened by a row of failures at NOW. */
static struct ph_breaker opened(void)
{
    struct ph_breaker breaker = {0};

    for (int i = 1; i < THRESHOLD; i++)
        assert_false(fail_at(&breaker, NOW));
    assert_true(fail_at(&breaker, NOW));
    return breaker;
}

static void a_closed_one_lets_all_through_that_the_endpoint_may_have(void **state)
{
    struct ph_breaker breaker = {0};
    (void)state;

    assert_int_equal(ph_breaker_window(&breaker, LIMIT), LIMIT);
    assert_int_equal(ph_breaker_window(&breaker, 1), 1);
    assert_false(fail_at(&breaker, NOW));
    assert_int_equal(ph_breaker_window(&breaker, LIMIT), LIMIT);
    assert_false(ph_breaker_success(&breaker, LIMIT));
}

static void only_failures_in_a_row_open_it(void **state)
{
    struct ph_breaker breaker = {0};
    (void)state;

    for (int round = 0; round < 5; round++) {
        for (int i = 1; i < THRESHOLD; i++)
            assert_false(fail_at(&breaker, NOW));
        assert_false(ph_breaker_success(&breaker, LIMIT));
    }
    breaker = opened();
    assert_true(breaker.open_until_ms == NOW + PH_BREAKER_PROBE_MS);
    assert_int_equal(ph_breaker_window(&breaker, LIMIT), 1);
}

static void a_threshold_of_zero_never_opens_it(void **state)
{
    struct ph_breaker breaker = {0};
    (void)state;

    for (int i = 0; i < 1000; i++)
        assert_false(ph_breaker_failure(&breaker, 0, NOW, UINT32_MAX));
    assert_int_equal(ph_breaker_window(&breaker, LIMIT), LIMIT);
}

static void a_failed_probe_opens_it_again_for_twice_as_long_up_to_a_bound(void **state)
{
    struct ph_breaker breaker = opened();
    int64_t wait_ms = PH_BREAKER_PROBE_MS, now_ms = NOW;
    (void)state;

    for (int i = 0; i < 20; i++) {
        now_ms += wait_ms;
        assert_true(breaker.open_until_ms == now_ms);
        assert_true(fail_at(&breaker, now_ms));
        wait_ms = wait_ms * 2 < PH_BREAKER_PROBE_MAX_MS ? wait_ms * 2 : PH_BREAKER_PROBE_MAX_MS;
        assert_int_equal(ph_breaker_window(&breaker, LIMIT), 1);
    }
    assert_true(breaker.open_until_ms == now_ms + PH_BREAKER_PROBE_MAX_MS);
}

/* They had been sent before it opened. */
static void failures_while_it_is_open_do_not_lengthen_the_wait(void **state)
{
    struct ph_breaker breaker = opened();
    (void)state;

    for (int i = 0; i < 50; i++)
        assert_true(fail_at(&breaker, NOW + i));
    assert_true(breaker.open_until_ms == NOW + PH_BREAKER_PROBE_MS);
}

static void after_a_probe_that_succeeds_the_window_doubles_with_every_success(void **state)
{
    static const int windows[] = {2, 4, 8, LIMIT};
    struct ph_breaker breaker = opened();
    (void)state;

    for (int i = 0; i < 4; i++) {
        assert_true(ph_breaker_success(&breaker, LIMIT));
        assert_int_equal(ph_breaker_window(&breaker, LIMIT), windows[i]);
    }
    assert_false(ph_breaker_success(&breaker, LIMIT)); /* it is closed */
    for (int i = 1; i < THRESHOLD; i++)
        assert_false(fail_at(&breaker, NOW));
}

static void a_failure_while_it_recovers_opens_it_at_once_for_the_first_wait(void **state)
{
    struct ph_breaker breaker = opened();
    (void)state;

    assert_true(fail_at(&breaker, NOW + PH_BREAKER_PROBE_MS)); /* waits 10 s now */
    assert_true(ph_breaker_success(&breaker, LIMIT));
    assert_true(ph_breaker_success(&breaker, LIMIT));
    assert_int_equal(ph_breaker_window(&breaker, LIMIT), 4);
    assert_true(fail_at(&breaker, NOW + 60000));
    assert_int_equal(ph_breaker_window(&breaker, LIMIT), 1);
    assert_true(breaker.open_until_ms == NOW + 60000 + PH_BREAKER_PROBE_MS);
}

static void an_endpoint_with_one_attempt_at_once_recovers_with_the_first_success(void **state)
{
    struct ph_breaker breaker = opened();
    (void)state;

    assert_true(ph_breaker_success(&breaker, 1));
    assert_false(ph_breaker_success(&breaker, 1));
    assert_int_equal(ph_breaker_window(&breaker, 1), 1);
    assert_false(fail_at(&breaker, NOW));
}

static void chance_spreads_probes_by_a_fifth(void **state)
{
    struct ph_breaker breaker = {0};
    (void)state;

    assert_true(ph_breaker_failure(&breaker, 1, NOW, UINT32_MAX));
    assert_in_range(breaker.open_until_ms - NOW, PH_BREAKER_PROBE_MS * 6 / 5 - 1,
                    PH_BREAKER_PROBE_MS * 6 / 5);
    breaker = (struct ph_breaker){0};
    assert_true(ph_breaker_failure(&breaker, 1, NOW, UINT32_C(1) << 31));
    assert_true(breaker.open_until_ms == NOW + PH_BREAKER_PROBE_MS * 11 / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_closed_one_lets_all_through_that_the_endpoint_may_have),
        cmocka_unit_test(only_failures_in_a_row_open_it),
        cmocka_unit_test(a_threshold_of_zero_never_opens_it),
        cmocka_unit_test(a_failed_probe_opens_it_again_for_twice_as_long_up_to_a_bound),
        cmocka_unit_test(failures_while_it_is_open_do_not_lengthen_the_wait),
        cmocka_unit_test(after_a_probe_that_succeeds_the_window_doubles_with_every_success),
        cmocka_unit_test(a_failure_while_it_recovers_opens_it_at_once_for_the_first_wait),
        cmocka_unit_test(an_endpoint_with_one_attempt_at_once_recovers_with_the_first_success),
        cmocka_unit_test(chance_spreads_probes_by_a_fifth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
