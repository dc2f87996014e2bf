#include "posthorn/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

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

static bool is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void sleep_ms(int ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

/* Watches */

struct pipe_watch {
    struct ph_watch watch;
    int write_fd, n_calls;
    uint32_t events;
    struct pipe_watch *victim; /* whose watching the callback ends */
};

static void on_pipe(struct ph_watch *watch, uint32_t events)
{
    struct pipe_watch *p = ph_container_of(watch, struct pipe_watch, watch);
    p->n_calls++;
    p->events = events;
    if (p->victim != NULL)
        ph_loop_watch(loop, &p->victim->watch, 0);
}

static void open_pipe(struct pipe_watch *p)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    *p = (struct pipe_watch){.watch = {.fd = fds[0], .on_event = on_pipe}, .write_fd = fds[1]};
}

static void close_pipe(struct pipe_watch *p)
{
    ph_loop_watch(loop, &p->watch, 0);
    close(p->watch.fd);
    if (p->write_fd >= 0)
        close(p->write_fd);
}

static void put_byte(struct pipe_watch *p)
{
    assert_int_equal(write(p->write_fd, "x", 1), 1);
}

static void test_watch_is_level_triggered_until_stopped(void **state)
{
    (void)state;
    struct pipe_watch p;
    open_pipe(&p);
    ph_loop_watch(loop, &p.watch, EPOLLIN);
    assert_int_equal(p.watch.events, EPOLLIN);
    ph_loop_step(loop, 0);
    assert_int_equal(p.n_calls, 0);
    put_byte(&p);
    ph_loop_step(loop, -1);
    ph_loop_step(loop, -1);
    assert_int_equal(p.n_calls, 2);
    assert_int_equal(p.events, EPOLLIN);
    ph_loop_watch(loop, &p.watch, 0);
    ph_loop_step(loop, 0);
    assert_int_equal(p.n_calls, 2);
    ph_loop_watch(loop, &p.watch, EPOLLIN);
    ph_loop_step(loop, 0);
    assert_int_equal(p.n_calls, 3);
    close_pipe(&p);
}

static void test_hang_up_is_told_whatever_is_watched(void **state)
{
    (void)state;
    struct pipe_watch p;
    open_pipe(&p);
    ph_loop_watch(loop, &p.watch, EPOLLIN);
    close(p.write_fd);
    p.write_fd = -1;
    ph_loop_step(loop, -1);
    assert_int_equal(p.n_calls, 1);
    assert_int_equal(p.events, EPOLLHUP);
    close_pipe(&p);
}

static void test_mask_can_be_changed(void **state)
{
    (void)state;
    struct pipe_watch p;
    open_pipe(&p);
    int read_fd = p.watch.fd;
    p.watch.fd = p.write_fd;
    ph_loop_watch(loop, &p.watch, EPOLLIN);
    ph_loop_step(loop, 0);
    assert_int_equal(p.n_calls, 0);
    ph_loop_watch(loop, &p.watch, EPOLLIN | EPOLLOUT);
    ph_loop_step(loop, 0);
    assert_int_equal(p.n_calls, 1);
    assert_int_equal(p.events, EPOLLOUT);
    ph_loop_watch(loop, &p.watch, EPOLLIN);
    ph_loop_step(loop, 0);
    assert_int_equal(p.n_calls, 1);
    ph_loop_watch(loop, &p.watch, 0);
    close(read_fd);
    close(p.write_fd);
}

/* Both are ready in one batch and each stops the other: whichever comes first, the second must stay silent. */
static void test_watch_removed_in_a_step_gets_no_stale_event(void **state)
{
    (void)state;
    struct pipe_watch a, b;
    open_pipe(&a);
    open_pipe(&b);
    a.victim = &b;
    b.victim = &a;
    put_byte(&a);
    put_byte(&b);
    ph_loop_watch(loop, &a.watch, EPOLLIN);
    ph_loop_watch(loop, &b.watch, EPOLLIN);
    ph_loop_step(loop, 0);
    assert_int_equal(a.n_calls + b.n_calls, 1);
    close_pipe(&a);
    close_pipe(&b);
}

static struct pipe_watch reborn[2];
static int n_reborn_calls;

/* Stops the other watch and starts it again with the same struct for an fd that is not ready. */
static void rebirth(struct ph_watch *watch, uint32_t events)
{
    (void)events;
    if (n_reborn_calls++ > 0)
        return;
    struct pipe_watch *other = &reborn[watch == &reborn[0].watch ? 1 : 0];
    close_pipe(other);
    open_pipe(other);
    other->watch.on_event = rebirth;
    ph_loop_watch(loop, &other->watch, EPOLLIN);
}

static void test_watch_started_again_in_a_step_gets_no_event_of_its_former_life(void **state)
{
    (void)state;
    n_reborn_calls = 0;
    for (int i = 0; i < 2; i++) {
        open_pipe(&reborn[i]);
        reborn[i].watch.on_event = rebirth;
        put_byte(&reborn[i]);
        ph_loop_watch(loop, &reborn[i].watch, EPOLLIN);
    }
    ph_loop_step(loop, 0);
    assert_int_equal(n_reborn_calls, 1);
    close_pipe(&reborn[0]);
    close_pipe(&reborn[1]);
}

static struct ph_watch narrowed[2];
static int n_narrowed_calls;

static void narrow_other(struct ph_watch *watch, uint32_t events)
{
    assert_int_equal(events, EPOLLOUT);
    n_narrowed_calls++;
    ph_loop_watch(loop, &narrowed[watch == &narrowed[0] ? 1 : 0], EPOLLIN);
}

static void test_mask_narrowed_in_a_step_filters_the_batch(void **state)
{
    (void)state;
    int pipes[2][2];
    n_narrowed_calls = 0;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pipe(pipes[i]), 0);
        narrowed[i] = (struct ph_watch){.fd = pipes[i][1], .on_event = narrow_other};
        ph_loop_watch(loop, &narrowed[i], EPOLLIN | EPOLLOUT);
    }
    ph_loop_step(loop, 0);
    assert_int_equal(n_narrowed_calls, 1);
    for (int i = 0; i < 2; i++) {
        ph_loop_watch(loop, &narrowed[i], 0);
        close(pipes[i][0]);
        close(pipes[i][1]);
    }
}

/* Tasks */

struct counted {
    struct ph_task task;
    int n_runs;
    int repeat; /* how often it defers or posts itself again */
    bool by_post;
};

static void on_counted(struct ph_task *task)
{
    struct counted *c = ph_container_of(task, struct counted, task);
    c->n_runs++;
    if (c->repeat-- <= 0)
        return;
    if (c->by_post)
        ph_loop_post(loop, task);
    else
        ph_loop_defer(loop, task);
}

static void test_posted_task_shows_on_the_fd_and_in_the_wait(void **state)
{
    (void)state;
    struct counted c = {.task.run = on_counted};
    ph_loop_step(loop, 0);
    assert_false(is_readable(ph_loop_fd(loop)));
    ph_loop_post(loop, &c.task);
    assert_true(is_readable(ph_loop_fd(loop)));
    assert_int_equal(ph_loop_wait_ms(loop), 0);
    ph_loop_step(loop, 0);
    assert_int_equal(c.n_runs, 1);
    assert_false(is_readable(ph_loop_fd(loop)));
    assert_int_equal(ph_loop_wait_ms(loop), -1);
    ph_loop_post(loop, &c.task); /* and again: the wake-up is not a single one */
    assert_true(is_readable(ph_loop_fd(loop)));
    ph_loop_step(loop, -1);
    assert_int_equal(c.n_runs, 2);
}

static void test_watched_event_shows_on_the_fd(void **state)
{
    (void)state;
    struct pipe_watch p;
    open_pipe(&p);
    ph_loop_watch(loop, &p.watch, EPOLLIN);
    assert_false(is_readable(ph_loop_fd(loop)));
    put_byte(&p);
    assert_true(is_readable(ph_loop_fd(loop)));
    close_pipe(&p);
}

static void test_deferred_runs_at_the_end_and_a_repeated_one_in_the_next_step(void **state)
{
    (void)state;
    struct counted c = {.task.run = on_counted, .repeat = 2}, d = {.task.run = on_counted};
    ph_loop_defer(loop, &c.task);
    ph_loop_defer(loop, &d.task);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(ph_loop_wait_ms(loop), 0);
        ph_loop_step(loop, -1);
        assert_int_equal(c.n_runs, i);
        assert_int_equal(d.n_runs, 1);
    }
    assert_int_equal(ph_loop_wait_ms(loop), -1);
}

static void test_task_that_posts_itself_runs_once_a_step(void **state)
{
    (void)state;
    struct counted c = {.task.run = on_counted, .repeat = 2, .by_post = true};
    ph_loop_post(loop, &c.task);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(ph_loop_wait_ms(loop), 0);
        ph_loop_step(loop, -1);
        assert_int_equal(c.n_runs, i);
    }
    ph_loop_step(loop, 0);
    assert_int_equal(c.n_runs, 3);
}

static char phases[8];
static size_t n_phases;
static struct ph_task phase_deferred;

static void phase_d(struct ph_task *task)
{
    (void)task;
    phases[n_phases++] = 'd';
}

static void phase_p(struct ph_task *task)
{
    (void)task;
    phases[n_phases++] = 'p';
}

static void phase_t(struct ph_timer *timer)
{
    (void)timer;
    phases[n_phases++] = 't';
}

static void phase_e(struct ph_watch *watch, uint32_t events)
{
    (void)events;
    phases[n_phases++] = 'e';
    phase_deferred.run = phase_d;
    ph_loop_defer(loop, &phase_deferred);
    ph_loop_watch(loop, watch, 0);
}

static void test_step_runs_events_timers_tasks_deferred(void **state)
{
    (void)state;
    struct pipe_watch p;
    struct ph_task posted = {.run = phase_p};
    struct ph_timer timer = {.on_timer = phase_t};
    memset(phases, 0, sizeof(phases));
    n_phases = 0;
    open_pipe(&p);
    p.watch.on_event = phase_e;
    put_byte(&p);
    ph_loop_watch(loop, &p.watch, EPOLLIN);
    ph_loop_post(loop, &posted);
    ph_timer_set(loop, &timer, ph_loop_now_ms(loop));
    ph_loop_step(loop, 0);
    assert_string_equal(phases, "etpd");
    close_pipe(&p);
}

#define N_POSTERS  4
#define PER_POSTER 20000

struct message {
    struct ph_task task;
    int poster, number;
};

static int next_of[N_POSTERS];
static int n_received, n_out_of_order;

/* Runs on the loop's thread only, so that nothing here is atomic: ThreadSanitizer judges. */
static void receive(struct ph_task *task)
{
    struct message *m = ph_container_of(task, struct message, task);
    n_out_of_order += m->number != next_of[m->poster]++;
    free(m);
    if (++n_received == N_POSTERS * PER_POSTER)
        ph_loop_stop(loop);
}

static void *post_many(void *arg)
{
    int poster = *(int *)arg;
    for (int i = 0; i < PER_POSTER; i++) {
        struct message *m = malloc(sizeof(*m));
        if (m == NULL)
            abort();
        *m = (struct message){.task.run = receive, .poster = poster, .number = i};
        ph_loop_post(loop, &m->task);
        if (i % 1000 == 0)
            sleep_ms(1); /* lets the loop fall asleep now and then */
    }
    return NULL;
}

static void test_threads_post_and_nothing_is_lost(void **state)
{
    (void)state;
    pthread_t threads[N_POSTERS];
    int ids[N_POSTERS];
    memset(next_of, 0, sizeof(next_of));
    n_received = n_out_of_order = 0;
    for (int i = 0; i < N_POSTERS; i++) {
        ids[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &ids[i]), 0);
    }
    ph_loop_run(loop); /* hangs when a wake-up is lost */
    for (int i = 0; i < N_POSTERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(n_received, N_POSTERS * PER_POSTER);
    assert_int_equal(n_out_of_order, 0);
}

static void *stop_later(void *arg)
{
    (void)arg;
    sleep_ms(10);
    ph_loop_stop(loop);
    return NULL;
}

static void test_run_returns_after_stop_and_can_run_again(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, stop_later, NULL), 0);
        ph_loop_run(loop);
        pthread_join(thread, NULL);
    }
    ph_loop_stop(loop); /* before it runs: returns at once */
    ph_loop_run(loop);
}

static int n_timers_fired;

static void note_timer(struct ph_timer *timer)
{
    (void)timer;
    n_timers_fired++;
}

/* The loop inside of another one, as in the http threads: the outer one waits for the inner one's fd and time only. */
static void test_nested_in_another_epoll(void **state)
{
    (void)state;
    int outer = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    assert_int_equal(epoll_ctl(outer, EPOLL_CTL_ADD, ph_loop_fd(loop), &event), 0);
    pthread_t thread;
    int id = 0;
    struct ph_timer timer = {.on_timer = note_timer};
    n_timers_fired = n_received = n_out_of_order = 0;
    memset(next_of, 0, sizeof(next_of));
    ph_timer_set(loop, &timer, ph_loop_now_ms(loop) + 30);
    assert_int_equal(pthread_create(&thread, NULL, post_many, &id), 0);
    while (n_received < PER_POSTER || n_timers_fired == 0) {
        int wait_ms = ph_loop_wait_ms(loop);
        int n = epoll_wait(outer, &event, 1, wait_ms);
        assert_true(n >= 0 || errno == EINTR);
        ph_loop_step(loop, 0);
    }
    pthread_join(thread, NULL);
    assert_int_equal(n_received, PER_POSTER);
    assert_int_equal(n_out_of_order, 0);
    close(outer);
}

static void test_free_drops_tasks_that_did_not_run(void **state)
{
    (void)state;
    struct counted c = {.task.run = on_counted}, d = {.task.run = on_counted};
    ph_loop_post(loop, &c.task);
    ph_loop_defer(loop, &d.task);
    ph_loop_free(loop);
    loop = NULL;
    assert_int_equal(c.n_runs + d.n_runs, 0);
}

int main(void)
{
#define WITH_LOOP(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_LOOP(test_watch_is_level_triggered_until_stopped),
        WITH_LOOP(test_hang_up_is_told_whatever_is_watched),
        WITH_LOOP(test_mask_can_be_changed),
        WITH_LOOP(test_watch_removed_in_a_step_gets_no_stale_event),
        WITH_LOOP(test_watch_started_again_in_a_step_gets_no_event_of_its_former_life),
        WITH_LOOP(test_mask_narrowed_in_a_step_filters_the_batch),
        WITH_LOOP(test_posted_task_shows_on_the_fd_and_in_the_wait),
        WITH_LOOP(test_watched_event_shows_on_the_fd),
        WITH_LOOP(test_deferred_runs_at_the_end_and_a_repeated_one_in_the_next_step),
        WITH_LOOP(test_task_that_posts_itself_runs_once_a_step),
        WITH_LOOP(test_step_runs_events_timers_tasks_deferred),
        WITH_LOOP(test_threads_post_and_nothing_is_lost),
        WITH_LOOP(test_run_returns_after_stop_and_can_run_again),
        WITH_LOOP(test_nested_in_another_epoll),
        WITH_LOOP(test_free_drops_tasks_that_did_not_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
