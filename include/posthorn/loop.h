/*
 * Event loop: file descriptors (epoll, level-triggered), timers, and tasks sent by other threads.
 *
 * Owner: the thread that runs it; everything except ph_loop_post and ph_loop_stop is for that thread only. A loop can run
 * by itself (ph_loop_run) or inside another one: watch ph_loop_fd there, call ph_loop_step(loop, 0) when it is readable,
 * and let that loop wait no longer than ph_loop_wait_ms.
 */
#ifndef POSTHORN_LOOP_H
#define POSTHORN_LOOP_H

#include "posthorn/queue.h"

#include <stdint.h>

struct ph_loop;

/* A file descriptor that is watched. Embedded in its owner; zero it before first use. */
struct ph_watch {
    int fd;
    uint32_t events; /* EPOLLIN | EPOLLOUT, 0 when not watched; read only */
    void (*on_event)(struct ph_watch *watch, uint32_t events);
};

/* A one-shot timer. Embedded in its owner; zero it before first use. */
struct ph_timer {
    uint64_t due_ms;  /* read only */
    size_t heap_slot; /* 0 when not set */
    void (*on_timer)(struct ph_timer *timer);
};

/* Work for a loop. Embedded in its owner. */
struct ph_task {
    struct ph_queue_node node;
    void (*run)(struct ph_task *task);
};

struct ph_loop *ph_loop_new(void);
/* Nothing may be watched or set any more; tasks that were posted and not run are dropped. */
void ph_loop_free(struct ph_loop *loop);

/* Monotonic time, what timers compare with: read once a step, and afresh when asked outside of a step. */
uint64_t ph_loop_now_ms(const struct ph_loop *loop);

/* Starts watching, or changes what is watched (events 0 stops). Never called back after it has stopped. */
void ph_loop_watch(struct ph_loop *loop, struct ph_watch *watch, uint32_t events);
/* Sets or moves the timer to a time of ph_loop_now_ms's clock. Cleared before its callback runs. */
void ph_timer_set(struct ph_loop *loop, struct ph_timer *timer, uint64_t due_ms);
void ph_timer_clear(struct ph_loop *loop, struct ph_timer *timer);
bool ph_timer_is_set(const struct ph_timer *timer);

/* Any thread: task->run runs on the loop's thread, which is woken. The task must not be posted again until it ran. */
void ph_loop_post(struct ph_loop *loop, struct ph_task *task);
/* Owner thread: task->run runs once at the end of this step (or of the next one): the place to flush what a step gathered. */
void ph_loop_defer(struct ph_loop *loop, struct ph_task *task);

/* One round: wait up to max_wait_ms (-1: until something happens), then events, timers, tasks, deferred tasks. */
void ph_loop_step(struct ph_loop *loop, int max_wait_ms);
/* How long an outer loop may wait: 0 when work is waiting, -1 for ever. */
int ph_loop_wait_ms(const struct ph_loop *loop);
/* Readable when ph_loop_step has something to do. */
int ph_loop_fd(const struct ph_loop *loop);
/* Steps until ph_loop_stop. */
void ph_loop_run(struct ph_loop *loop);
/* Any thread; ph_loop_run returns after its step. */
void ph_loop_stop(struct ph_loop *loop);

#endif
