/*
 * A few threads for work that would block a loop, such as hashing a password: a bounded number of pieces, each answered on the
 * loop that asked for it.
 *
 * Owner of a pool: whoever made it. Each thread that gives it work has a desk of its own there.
 */
#ifndef POSTHORN_WORK_POOL_H
#define POSTHORN_WORK_POOL_H

#include "posthorn/err.h"
#include "posthorn/loop.h"

struct ph_work_pool;
struct ph_work_desk;

/* A piece of work. Embedded in its owner, who leaves it alone between ph_work_do and `done`. */
struct ph_work {
    void (*run)(struct ph_work *work); /* on a thread of the pool: touches nothing that others do */
    /* On the loop's thread. OK: it ran. UNAVAILABLE: it did not, for the desk was closed. */
    void (*done)(struct ph_work *work, enum ph_err err);
    /* the module's own */
    struct ph_work_desk *desk;
    struct ph_work *next;
    bool ran;
};

/* `threads` (at most 16) work, and no more than `max_waiting` pieces wait for them. */
struct ph_work_pool *ph_work_pool_new(int threads, int max_waiting);
/* When all of its desks are closed. NULL is allowed. */
void ph_work_pool_free(struct ph_work_pool *pool);

struct ph_work_desk *ph_work_desk_new(struct ph_work_pool *pool, struct ph_loop *loop);
/* Waits for what is being run, then calls `done` of all that was handed in here. Memory may be given back in the loop's next
 * step. Not from within a callback of this module. NULL is allowed. */
void ph_work_desk_free(struct ph_work_desk *desk);

/* UNAVAILABLE: too many wait already, and `done` is not called. Else it is, once, never before this returns. */
PH_MUST_CHECK enum ph_err ph_work_do(struct ph_work_desk *desk, struct ph_work *work);

#endif
