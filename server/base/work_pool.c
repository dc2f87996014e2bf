#include "posthorn/work_pool.h"

#include "posthorn/arena.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#define THREADS_MAX 16

/* First in, first out. */
struct jobs {
    struct ph_work *first, **end;
};

struct ph_work_pool {
    pthread_mutex_t lock; /* of all that follows, and of the desks' lists */
    pthread_cond_t work_came, job_ended;
    struct jobs waiting;
    int n_waiting, max_waiting;
    bool stopping;
    int n_threads;
    pthread_t threads[THREADS_MAX];
};

struct ph_work_desk {
    struct ph_work_pool *pool;
    struct ph_loop *loop;
    struct ph_task task; /* calls those that have ended */
    struct jobs ended;
    int n_running;
    bool task_posted, closed;
};

static void jobs_init(struct jobs *jobs)
{
    jobs->first = NULL;
    jobs->end = &jobs->first;
}

static void jobs_add(struct jobs *jobs, struct ph_work *work)
{
    work->next = NULL;
    *jobs->end = work;
    jobs->end = &work->next;
}

static struct ph_work *jobs_take(struct jobs *jobs)
{
    struct ph_work *work = jobs->first;

    if (!work)
        return NULL;
    jobs->first = work->next;
    if (!work->next)
        jobs->end = &jobs->first;
    return work;
}

/* ---- the pool's threads ---- */

/* The lock is held, but for while it runs. */
static void run(struct ph_work_pool *pool, struct ph_work *work)
{
    struct ph_work_desk *desk = work->desk;

    desk->n_running++;
    pthread_mutex_unlock(&pool->lock);
    work->run(work);
    pthread_mutex_lock(&pool->lock);
    work->ran = true;
    desk->n_running--;
    jobs_add(&desk->ended, work);
    if (!desk->task_posted && !desk->closed) {
        desk->task_posted = true;
        ph_loop_post(desk->loop, &desk->task);
    }
    pthread_cond_broadcast(&pool->job_ended);
}

static void *thread_main(void *arg)
{
    struct ph_work_pool *pool = arg;
    struct ph_work *work;

    pthread_mutex_lock(&pool->lock);
    for (;;) {
        work = jobs_take(&pool->waiting);
        if (work) {
            pool->n_waiting--;
            run(pool, work);
        } else if (pool->stopping) {
            break;
        } else {
            pthread_cond_wait(&pool->work_came, &pool->lock);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

struct ph_work_pool *ph_work_pool_new(int threads, int max_waiting)
{
    struct ph_work_pool *pool = ph_calloc(1, sizeof *pool);

    assert(threads > 0 && threads <= THREADS_MAX);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work_came, NULL);
    pthread_cond_init(&pool->job_ended, NULL);
    jobs_init(&pool->waiting);
    pool->max_waiting = max_waiting;
    for (; pool->n_threads < threads; pool->n_threads++)
        if (pthread_create(&pool->threads[pool->n_threads], NULL, thread_main, pool) != 0)
            abort();
    return pool;
}

void ph_work_pool_free(struct ph_work_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    assert(pool->n_waiting == 0);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->work_came);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->n_threads; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->work_came);
    pthread_cond_destroy(&pool->job_ended);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

/* ---- desks ---- */

static void call_ended(struct ph_work_desk *desk)
{
    struct ph_work *work;

    do {
        pthread_mutex_lock(&desk->pool->lock);
        work = jobs_take(&desk->ended);
        pthread_mutex_unlock(&desk->pool->lock);
        if (work)
            work->done(work, work->ran ? PH_OK : PH_ERR_UNAVAILABLE);
    } while (work);
}

static void on_task(struct ph_task *task)
{
    struct ph_work_desk *desk = ph_container_of(task, struct ph_work_desk, task);

    if (desk->closed) {
        free(desk);
        return;
    }
    pthread_mutex_lock(&desk->pool->lock);
    desk->task_posted = false;
    pthread_mutex_unlock(&desk->pool->lock);
    call_ended(desk);
}

struct ph_work_desk *ph_work_desk_new(struct ph_work_pool *pool, struct ph_loop *loop)
{
    struct ph_work_desk *desk = ph_calloc(1, sizeof *desk);

    desk->pool = pool;
    desk->loop = loop;
    desk->task.run = on_task;
    jobs_init(&desk->ended);
    return desk;
}

/* Those of this desk that nobody has begun end as they are. The lock is held. */
static void withdraw(struct ph_work_desk *desk)
{
    struct ph_work_pool *pool = desk->pool;
    struct jobs others;
    struct ph_work *work;

    jobs_init(&others);
    while ((work = jobs_take(&pool->waiting)) != NULL) {
        if (work->desk == desk) {
            pool->n_waiting--;
            jobs_add(&desk->ended, work);
        } else {
            jobs_add(&others, work);
        }
    }
    while ((work = jobs_take(&others)) != NULL)
        jobs_add(&pool->waiting, work);
}

void ph_work_desk_free(struct ph_work_desk *desk)
{
    bool task_posted;

    if (!desk)
        return;
    pthread_mutex_lock(&desk->pool->lock);
    desk->closed = true;
    withdraw(desk);
    while (desk->n_running > 0)
        pthread_cond_wait(&desk->pool->job_ended, &desk->pool->lock);
    task_posted = desk->task_posted;
    pthread_mutex_unlock(&desk->pool->lock);
    call_ended(desk);
    if (!task_posted) /* else the task still points here */
        free(desk);
}

enum ph_err ph_work_do(struct ph_work_desk *desk, struct ph_work *work)
{
    struct ph_work_pool *pool = desk->pool;
    enum ph_err err = PH_ERR_UNAVAILABLE;

    work->desk = desk;
    work->ran = false;
    pthread_mutex_lock(&pool->lock);
    if (!desk->closed && pool->n_waiting < pool->max_waiting) {
        jobs_add(&pool->waiting, work);
        pool->n_waiting++;
        pthread_cond_signal(&pool->work_came);
        err = PH_OK;
    }
    pthread_mutex_unlock(&pool->lock);
    return err;
}
