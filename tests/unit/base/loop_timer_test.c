#include "posthorn/loop.h"

#include "posthorn/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct ph_loop *loop;

static int setup(void **state)
{
    (void)state;
    loop = ph_loop_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ph_loop_free(loop);
    return 0;
}

static void sleep_ms(int ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

#define N_TIMERS 500

struct numbered {
    struct ph_timer timer;
    int number;
};

static int fired[4 * N_TIMERS];
static int n_fired;

static void on_numbered(struct ph_timer *timer)
{
    assert_false(ph_timer_is_set(timer));
    assert_true(timer->due_ms <= ph_loop_now_ms(loop));
    fired[n_fired++] = ph_container_of(timer, struct numbered, timer)->number;
}

static void set_in(struct numbered *t, int64_t in_ms)
{
    t->timer.on_timer = on_numbered;
    ph_timer_set(loop, &t->timer, (uint64_t)((int64_t)ph_loop_now_ms(loop) + in_ms));
}

static void test_timer_waits_for_its_time(void **state)
{
    (void)state;
    struct numbered t = {.number = 1};
    n_fired = 0;
    assert_int_equal(ph_loop_wait_ms(loop), -1);
    uint64_t due_ms = ph_loop_now_ms(loop) + 20;
    set_in(&t, 20);
    assert_true(ph_timer_is_set(&t.timer));
    int wait_ms = ph_loop_wait_ms(loop);
    assert_true(wait_ms > 0 && wait_ms <= 20);
    ph_loop_step(loop, 0);
    assert_int_equal(n_fired, 0);
    while (n_fired == 0)
        ph_loop_step(loop, -1);
    assert_true(ph_clock_mono_ms() >= due_ms);
    assert_int_equal(ph_loop_wait_ms(loop), -1);
    assert_int_equal(n_fired, 1);
    ph_timer_clear(loop, &t.timer); /* of a timer that is not set: nothing */
}

static void test_step_waits_no_longer_than_told(void **state)
{
    (void)state;
    struct numbered t = {.number = 1};
    n_fired = 0;
    set_in(&t, 60000);
    uint64_t before_ms = ph_clock_mono_ms();
    ph_loop_step(loop, 10);
    uint64_t took_ms = ph_clock_mono_ms() - before_ms;
    assert_true(took_ms >= 9 && took_ms < 30000);
    ph_timer_clear(loop, &t.timer);
    assert_int_equal(ph_loop_wait_ms(loop), -1);
    assert_int_equal(n_fired, 0);
}

static void test_due_timer_makes_the_wait_zero(void **state)
{
    (void)state;
    struct numbered t = {.number = 1};
    n_fired = 0;
    set_in(&t, -5);
    assert_int_equal(ph_loop_wait_ms(loop), 0);
    ph_loop_step(loop, -1);
    assert_int_equal(n_fired, 1);
}

static int compare_due(const void *a, const void *b)
{
    const struct numbered *x = *(struct numbered *const *)a, *y = *(struct numbered *const *)b;
    return x->timer.due_ms < y->timer.due_ms ? -1 : x->timer.due_ms > y->timer.due_ms;
}

/* Random sets, moves to earlier and later, and clears; then all that are set fire, in the order of their times. */
static void test_timers_fire_in_order_after_many_changes(void **state)
{
    (void)state;
    static struct numbered timers[N_TIMERS];
    struct numbered *expected[N_TIMERS];
    memset(timers, 0, sizeof(timers));
    srand(7);
    uint64_t base_ms = ph_loop_now_ms(loop);
    int used[N_TIMERS * 8] = {0}; /* every time at most once, so that the order is one */
    for (int round = 0; round < 8; round++) {
        for (int i = 0; i < N_TIMERS; i++) {
            timers[i].number = i;
            timers[i].timer.on_timer = on_numbered;
            if (rand() % 4 == 0) {
                ph_timer_clear(loop, &timers[i].timer);
                continue;
            }
            int at = rand() % (N_TIMERS * 8);
            if (used[at]++ == 0)
                ph_timer_set(loop, &timers[i].timer, base_ms - (uint64_t)at - 1);
        }
    }
    int n_set = 0;
    for (int i = 0; i < N_TIMERS; i++) {
        if (ph_timer_is_set(&timers[i].timer))
            expected[n_set++] = &timers[i];
    }
    qsort(expected, (size_t)n_set, sizeof(*expected), compare_due);
    n_fired = 0;
    ph_loop_step(loop, 0);
    assert_true(n_set > N_TIMERS / 2);
    assert_int_equal(n_fired, n_set);
    for (int i = 0; i < n_set; i++)
        assert_int_equal(fired[i], expected[i]->number);
    assert_int_equal(ph_loop_wait_ms(loop), -1);
}

static void test_timer_moved_to_later_neither_fires_nor_wakes_early(void **state)
{
    (void)state;
    struct numbered moved = {.number = 1}, other = {.number = 2};
    n_fired = 0;
    set_in(&moved, 1);
    set_in(&other, 2);
    set_in(&moved, 100000);
    int wait_ms = ph_loop_wait_ms(loop);
    assert_true(wait_ms <= 2);
    sleep_ms(5);
    ph_loop_step(loop, 0);
    assert_int_equal(n_fired, 1);
    assert_int_equal(fired[0], 2);
    assert_true(ph_loop_wait_ms(loop) > 90000);
    set_in(&moved, 50000); /* earlier again, but later than it first was */
    wait_ms = ph_loop_wait_ms(loop);
    assert_true(wait_ms > 40000 && wait_ms <= 50000);
    set_in(&moved, 0);
    assert_int_equal(ph_loop_wait_ms(loop), 0);
    ph_loop_step(loop, 0);
    assert_int_equal(n_fired, 2);
}

static struct numbered chain[3];

static void clear_next_and_set_last(struct ph_timer *timer)
{
    on_numbered(timer);
    ph_timer_clear(loop, &chain[1].timer);
    assert_false(ph_timer_is_set(&chain[1].timer));
    ph_timer_set(loop, &chain[2].timer, ph_loop_now_ms(loop) + 100000);
}

/* All three are due in the same step; the first clears the second and moves the third. */
static void test_timers_cleared_and_moved_in_a_callback_do_not_fire(void **state)
{
    (void)state;
    memset(chain, 0, sizeof(chain));
    n_fired = 0;
    for (int i = 0; i < 3; i++) {
        chain[i].number = i;
        set_in(&chain[i], -10 + i);
    }
    chain[0].timer.on_timer = clear_next_and_set_last;
    ph_loop_step(loop, 0);
    assert_int_equal(n_fired, 1);
    assert_int_equal(fired[0], 0);
    assert_true(ph_timer_is_set(&chain[2].timer));
    ph_timer_clear(loop, &chain[2].timer);
    ph_loop_step(loop, 0);
    assert_int_equal(n_fired, 1);
}

static void set_again_at_once(struct ph_timer *timer)
{
    on_numbered(timer);
    ph_timer_set(loop, timer, ph_loop_now_ms(loop));
}

static void test_timer_set_to_now_in_its_callback_waits_for_the_next_step(void **state)
{
    (void)state;
    struct numbered t = {.number = 1};
    n_fired = 0;
    set_in(&t, 0);
    t.timer.on_timer = set_again_at_once;
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(ph_loop_wait_ms(loop), 0);
        ph_loop_step(loop, -1);
        assert_int_equal(n_fired, i);
    }
    ph_timer_clear(loop, &t.timer);
}

static void free_timer(struct ph_timer *timer)
{
    on_numbered(timer);
    free(ph_container_of(timer, struct numbered, timer));
}

static void test_timer_may_be_freed_in_its_callback(void **state)
{
    (void)state;
    n_fired = 0;
    for (int i = 0; i < 10; i++) {
        struct numbered *t = calloc(1, sizeof(*t));
        assert_non_null(t);
        set_in(t, -i);
        t->timer.on_timer = free_timer;
    }
    ph_loop_step(loop, 0);
    assert_int_equal(n_fired, 10);
}

static void check_time_stands_still(struct ph_timer *timer)
{
    uint64_t now_ms = ph_loop_now_ms(loop);
    sleep_ms(5);
    assert_true(ph_loop_now_ms(loop) == now_ms);
    on_numbered(timer);
}

/* A loop inside of another one may not step for minutes: a timer set then must not count from the last step. */
static void test_time_stands_still_in_a_step_and_goes_on_outside(void **state)
{
    (void)state;
    struct numbered t = {.number = 1};
    n_fired = 0;
    set_in(&t, 0);
    t.timer.on_timer = check_time_stands_still;
    ph_loop_step(loop, 0);
    assert_int_equal(n_fired, 1);
    uint64_t now_ms = ph_loop_now_ms(loop);
    sleep_ms(5);
    assert_true(ph_loop_now_ms(loop) >= now_ms + 5);
}

int main(void)
{
#define WITH_LOOP(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_LOOP(test_timer_waits_for_its_time),
        WITH_LOOP(test_step_waits_no_longer_than_told),
        WITH_LOOP(test_due_timer_makes_the_wait_zero),
        WITH_LOOP(test_timers_fire_in_order_after_many_changes),
        WITH_LOOP(test_timer_moved_to_later_neither_fires_nor_wakes_early),
        WITH_LOOP(test_timers_cleared_and_moved_in_a_callback_do_not_fire),
        WITH_LOOP(test_timer_set_to_now_in_its_callback_waits_for_the_next_step),
        WITH_LOOP(test_timer_may_be_freed_in_its_callback),
        WITH_LOOP(test_time_stands_still_in_a_step_and_goes_on_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
