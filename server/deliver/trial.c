#include "posthorn/trial.h"

#include "posthorn/courier.h"

#include <pthread.h>
#include <stdlib.h>

/* Lives until its owner and all its trials have let go. */
struct ph_trial_hub {
    atomic_int refs;
    pthread_mutex_t lock;
    struct ph_loop *loop;   /* under the lock; NULL: closed, nobody waits any more */
    struct ph_trial *first; /* those that wait; owner's thread only */
};

/* The hub's thread owns the list and who waits; the courier has the rest until it ends the trial. */
struct ph_trial {
    struct ph_task task;
    struct ph_trial_hub *hub;
    struct ph_trial *next, *prev;
    ph_trial_done done; /* NULL: answered already */
    void *ctx;
    struct ph_arena *arena; /* holds the outcome's texts */
    enum ph_err err;
    struct ph_trial_outcome outcome;
};

static void unref(struct ph_trial_hub *hub)
{
    if (atomic_fetch_sub(&hub->refs, 1) == 1) {
        pthread_mutex_destroy(&hub->lock);
        free(hub);
    }
}

static void trial_free(struct ph_trial *trial)
{
    unref(trial->hub);
    ph_arena_free(trial->arena);
    free(trial);
}

static void answer(struct ph_trial *trial, enum ph_err err)
{
    struct ph_trial_hub *hub = trial->hub;
    ph_trial_done done = trial->done;

    if (trial->prev)
        trial->prev->next = trial->next;
    else
        hub->first = trial->next;
    if (trial->next)
        trial->next->prev = trial->prev;
    trial->done = NULL;
    done(trial->ctx, err, err == PH_OK ? &trial->outcome : NULL);
}

static void ended(struct ph_task *task)
{
    struct ph_trial *trial = ph_container_of(task, struct ph_trial, task);

    if (trial->done)
        answer(trial, trial->err);
    trial_free(trial);
}

struct ph_trial_hub *ph_trial_hub_new(struct ph_loop *loop)
{
    struct ph_trial_hub *hub = ph_calloc(1, sizeof *hub);

    atomic_init(&hub->refs, 1);
    pthread_mutex_init(&hub->lock, NULL);
    hub->loop = loop;
    return hub;
}

void ph_trial_hub_free(struct ph_trial_hub *hub)
{
    pthread_mutex_lock(&hub->lock);
    hub->loop = NULL;
    pthread_mutex_unlock(&hub->lock);
    while (hub->first)
        answer(hub->first, PH_ERR_UNAVAILABLE);
    unref(hub);
}

void ph_trial_start(struct ph_trial_hub *hub, struct ph_node *node, struct ph_id endpoint,
                    struct ph_payload *payload, ph_trial_done done, void *ctx)
{
    struct ph_trial *trial = ph_calloc(1, sizeof *trial);
    struct ph_job *job = ph_job_new(payload, endpoint, NULL, 0, 0);

    atomic_fetch_add(&hub->refs, 1);
    trial->task.run = ended;
    trial->hub = hub;
    trial->done = done;
    trial->ctx = ctx;
    trial->arena = ph_arena_new();
    trial->next = hub->first;
    if (trial->next)
        trial->next->prev = trial;
    hub->first = trial;
    job->is_manual = true;
    job->trial = trial;
    ph_courier_try(ph_node_courier(node, endpoint), job);
}

static struct ph_str keep(struct ph_arena *arena, struct ph_str text)
{
    return (struct ph_str){ph_arena_copy(arena, text.ptr ? text.ptr : "", text.len), text.len};
}

void ph_trial_end(struct ph_trial *trial, enum ph_err err, const struct ph_trial_outcome *outcome)
{
    struct ph_trial_hub *hub = trial->hub;
    bool posted;

    trial->err = err;
    if (outcome) {
        trial->outcome = *outcome;
        trial->outcome.url = keep(trial->arena, outcome->url);
        trial->outcome.response = keep(trial->arena, outcome->response);
    }
    pthread_mutex_lock(&hub->lock);
    posted = hub->loop != NULL;
    if (posted)
        ph_loop_post(hub->loop, &trial->task);
    pthread_mutex_unlock(&hub->lock);
    if (!posted)
        trial_free(trial);
}
