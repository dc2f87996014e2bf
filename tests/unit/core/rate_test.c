#include "posthorn/rate.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)

static void test_a_second_worth_at_once(void **state)
{
    struct ph_rate rate = {0};
    struct ph_rate_state s;
    int64_t now = 100 * SECOND;

    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_true(ph_rate_take(&rate, 10, now, &s));
        assert_int_equal(s.left, 9 - i);
        assert_int_equal(s.full_in_ms, 100 * (i + 1));
    }
    assert_false(ph_rate_take(&rate, 10, now, &s));
    assert_int_equal(s.left, 0);
    assert_int_equal(s.retry_in_ms, 100);
    assert_int_equal(s.full_in_ms, 1000);
    assert_false(ph_rate_take(&rate, 10, now + SECOND / 10 - 1, &s));
    assert_int_equal(s.retry_in_ms, 1);
    assert_true(ph_rate_take(&rate, 10, now + SECOND / 10, &s));
    assert_false(ph_rate_take(&rate, 10, now + SECOND / 10, &s));
}

static void test_no_more_than_the_rate_for_long(void **state)
{
    struct ph_rate rate = {0};
    struct ph_rate_state s;
    int taken = 0;

    (void)state;
    for (int64_t now = 5 * SECOND; now < 15 * SECOND; now += SECOND / 1000)
        taken += ph_rate_take(&rate, 300, now, &s);
    assert_in_range(taken, 3200, 3301);
    taken = 0; /* idle for long: a second's worth, not more */
    for (int i = 0; i < 1000; i++)
        taken += ph_rate_take(&rate, 300, 1000 * SECOND, &s);
    assert_int_equal(taken, 300);
}

static void test_extremes(void **state)
{
    struct ph_rate rate = {0};
    struct ph_rate_state s;
    int64_t taken = 0;

    (void)state;
    assert_true(ph_rate_take(&rate, 1, SECOND, &s));
    assert_false(ph_rate_take(&rate, 1, SECOND, &s));
    assert_int_equal(s.retry_in_ms, 1000);
    for (int i = 0; i < 2 * PH_RATE_MAX; i++)
        taken += ph_rate_take(&rate, PH_RATE_MAX, 10 * SECOND, &s);
    assert_int_equal(taken, PH_RATE_MAX);
}

static struct ph_rate shared;
static _Atomic int shared_taken;

static void *take_all(void *arg)
{
    struct ph_rate_state s;

    (void)arg;
    for (int i = 0; i < 20000; i++)
        atomic_fetch_add(&shared_taken, ph_rate_take(&shared, 10000, 7 * SECOND, &s));
    return NULL;
}

static void test_threads_share_it_exactly(void **state)
{
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_all, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&shared_taken), 10000);
}

static void test_a_table_gives_the_same_again(void **state)
{
    struct ph_rate_table *table = ph_rate_table_new();
    struct ph_rate *first = ph_rate_table_get(table, ph_id_floor(1));

    (void)state;
    for (int i = 2; i < 1000; i++)
        assert_ptr_not_equal(ph_rate_table_get(table, ph_id_floor(i)), first);
    assert_ptr_equal(ph_rate_table_get(table, ph_id_floor(1)), first);
    ph_rate_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_second_worth_at_once),
        cmocka_unit_test(test_no_more_than_the_rate_for_long),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_threads_share_it_exactly),
        cmocka_unit_test(test_a_table_gives_the_same_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
