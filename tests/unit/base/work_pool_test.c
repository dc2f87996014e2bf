#include "posthorn/work_pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#define PIECES 200

struct piece {
    struct ph_work work;
    int number, result;
    pthread_t ran_on;
    bool done;
    enum ph_err err;
    int *n_done;
};

static struct ph_loop *loop;
static sem_t may_run, runs; /* of those that block */

static struct piece *piece_of(struct ph_work *work)
{
    return ph_container_of(work, struct piece, work);
}

static void square(struct ph_work *work)
{
    struct piece *p = piece_of(work);

    p->result = p->number * p->number;
    p->ran_on = pthread_self();
}

static void block(struct ph_work *work)
{
    sem_post(&runs);
    sem_wait(&may_run);
    square(work);
}

static void on_done(struct ph_work *work, enum ph_err err)
{
    struct piece *p = piece_of(work);

    assert_false(p->done);
    p->done = true;
    p->err = err;
    ++*p->n_done;
}

static void fill(struct piece *p, void (*run)(struct ph_work *), int number, int *n_done)
{
    *p = (struct piece){.work = {.run = run, .done = on_done}, .number = number, .n_done = n_done};
}

static int set_up(void **state)
{
    (void)state;
    loop = ph_loop_new();
    sem_init(&may_run, 0, 0);
    sem_init(&runs, 0, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ph_loop_step(loop, 0); /* what closed desks left behind */
    ph_loop_free(loop);
    return 0;
}

static void test_runs_elsewhere_and_answers_here(void **state)
{
    struct ph_work_pool *pool = ph_work_pool_new(3, PIECES);
    struct ph_work_desk *desk = ph_work_desk_new(pool, loop);
    static struct piece pieces[PIECES];
    int n_done = 0;
    (void)state;

    for (int i = 0; i < PIECES; i++) {
        fill(&pieces[i], square, i, &n_done);
        assert_int_equal(ph_work_do(desk, &pieces[i].work), PH_OK);
    }
    assert_int_equal(n_done, 0);
    while (n_done < PIECES)
        ph_loop_step(loop, -1);
    for (int i = 0; i < PIECES; i++) {
        assert_int_equal(pieces[i].err, PH_OK);
        assert_int_equal(pieces[i].result, i * i);
        assert_false(pthread_equal(pieces[i].ran_on, pthread_self()));
    }
    ph_work_desk_free(desk);
    ph_work_pool_free(pool);
}

static void test_refuses_at_once_when_too_many_wait(void **state)
{
    struct ph_work_pool *pool = ph_work_pool_new(1, 2);
    struct ph_work_desk *desk = ph_work_desk_new(pool, loop);
    struct piece pieces[4];
    int n_done = 0;
    (void)state;

    for (int i = 0; i < 4; i++)
        fill(&pieces[i], block, i, &n_done);
    assert_int_equal(ph_work_do(desk, &pieces[0].work), PH_OK);
    sem_wait(&runs);
    assert_int_equal(ph_work_do(desk, &pieces[1].work), PH_OK);
    assert_int_equal(ph_work_do(desk, &pieces[2].work), PH_OK);
    assert_int_equal(ph_work_do(desk, &pieces[3].work), PH_ERR_UNAVAILABLE);
    for (int i = 0; i < 3; i++)
        sem_post(&may_run);
    while (n_done < 3)
        ph_loop_step(loop, -1);
    assert_false(pieces[3].done);
    fill(&pieces[3], square, 3, &n_done);
    assert_int_equal(ph_work_do(desk, &pieces[3].work), PH_OK);
    while (n_done < 4)
        ph_loop_step(loop, -1);
    ph_work_desk_free(desk);
    ph_work_pool_free(pool);
}

/* Once there is room in the pool again, taken by this piece: the desk has withdrawn its own. */
struct late {
    struct ph_work_desk *desk;
    struct piece piece;
};

static void *let_run(void *arg)
{
    struct late *late = arg;

    while (ph_work_do(late->desk, &late->piece.work) != PH_OK)
        sched_yield();
    sem_post(&may_run);
    return NULL;
}

/* One runs, one waits, and another desk's waits too. */
static void test_closing_a_desk_ends_its_own_work_only(void **state)
{
    struct ph_work_pool *pool = ph_work_pool_new(1, 2);
    struct ph_work_desk *desk = ph_work_desk_new(pool, loop), *other = ph_work_desk_new(pool, loop);
    struct piece runs_now, waits, others;
    struct late late = {.desk = other};
    int n_done = 0, n_others = 0;
    pthread_t thread;
    (void)state;

    fill(&runs_now, block, 2, &n_done);
    fill(&waits, square, 3, &n_done);
    fill(&others, square, 4, &n_others);
    fill(&late.piece, square, 5, &n_others);
    assert_int_equal(ph_work_do(desk, &runs_now.work), PH_OK);
    sem_wait(&runs);
    assert_int_equal(ph_work_do(desk, &waits.work), PH_OK);
    assert_int_equal(ph_work_do(other, &others.work), PH_OK);
    assert_int_equal(pthread_create(&thread, NULL, let_run, &late), 0);
    ph_work_desk_free(desk);
    pthread_join(thread, NULL);
    assert_int_equal(n_done, 2);
    assert_int_equal(runs_now.err, PH_OK);
    assert_int_equal(runs_now.result, 4);
    assert_int_equal(waits.err, PH_ERR_UNAVAILABLE);
    while (n_others < 2)
        ph_loop_step(loop, -1);
    assert_int_equal(others.err, PH_OK);
    assert_int_equal(late.piece.err, PH_OK);
    ph_work_desk_free(other);
    ph_work_pool_free(pool);
}

/* Its task may be on the way: nothing that the loop still holds may be gone. */
static void test_a_desk_may_close_before_its_answers_are_fetched(void **state)
{
    struct ph_work_pool *pool = ph_work_pool_new(2, 10);
    struct ph_work_desk *desk = ph_work_desk_new(pool, loop);
    struct piece pieces[2];
    int n_done = 0;
    (void)state;

    for (int i = 0; i < 2; i++) {
        fill(&pieces[i], block, i, &n_done);
        assert_int_equal(ph_work_do(desk, &pieces[i].work), PH_OK);
        sem_wait(&runs);
        sem_post(&may_run);
    }
    ph_work_desk_free(desk);
    assert_int_equal(n_done, 2);
    ph_loop_step(loop, 0);
    assert_int_equal(n_done, 2);
    ph_work_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_runs_elsewhere_and_answers_here, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refuses_at_once_when_too_many_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_closing_a_desk_ends_its_own_work_only, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_desk_may_close_before_its_answers_are_fetched,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
