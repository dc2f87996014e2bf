#include "posthorn/loop.h"

#include "posthorn/arena.h"
#include "posthorn/clock.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BATCH 128 /* events taken by one epoll_wait */

/*
 * The heap is ordered by keys of its own. A timer moved to a later time keeps its place and key, and is put where it
 * belongs when its key comes to the top: moving an idle timeout ahead with every request costs nothing.
 * Invariant: key_ms <= timer->due_ms.
 */
struct slot {
    uint64_t key_ms;
    struct ph_timer *timer;
};

struct ph_loop {
    int epoll_fd, wake_fd;
    bool in_step;
    atomic_bool stopping;
    size_t n_watched;
    uint64_t now_ms; /* valid in a step */

    struct epoll_event
        batch[BATCH];        /* data.ptr NULL: nothing to call (wake_fd, or no longer watched) */
    int batch_len, batch_at; /* batch_at: first that is not called yet */

    struct slot *heap; /* heap[1] is the first; heap[0] is not used */
    size_t heap_len, heap_cap;
    /* Timers taken off the heap in this step that are still to be called, NULL when cleared meanwhile. Their heap_slot is
     * SIZE_MAX minus their place here. */
    struct ph_timer **due;
    size_t due_len, due_cap;

    struct ph_queue posted;
    struct ph_queue_node *deferred_first, **deferred_end;
};

static void die(const char *what)
{
    perror(what);
    abort();
}

struct ph_loop *ph_loop_new(void)
{
    struct ph_loop *loop = ph_calloc(1, sizeof(*loop));
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0)
        die("epoll_create1");
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd < 0)
        die("eventfd");
    /* Edge-triggered: every write is one event, and the counter is never read. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event) != 0)
        die("epoll_ctl");
    atomic_init(&loop->stopping, false);
    ph_queue_init(&loop->posted);
    loop->deferred_end = &loop->deferred_first;
    return loop;
}

void ph_loop_free(struct ph_loop *loop)
{
    if (loop == NULL)
        return;
    assert(!loop->in_step && loop->n_watched == 0 && loop->heap_len == 0);
    close(loop->wake_fd);
    close(loop->epoll_fd);
    free(loop->heap);
    free(loop->due);
    free(loop);
}

uint64_t ph_loop_now_ms(const struct ph_loop *loop)
{
    return loop->in_step ? loop->now_ms : ph_clock_mono_ms();
}

/* Watches */

/* Events that were taken from the kernel but not called yet are void: the owner may be gone. */
static void forget_events(struct ph_loop *loop, const struct ph_watch *watch)
{
    for (int i = loop->batch_at; i < loop->batch_len; i++) {
        if (loop->batch[i].data.ptr == watch)
            loop->batch[i].data.ptr = NULL;
    }
}

void ph_loop_watch(struct ph_loop *loop, struct ph_watch *watch, uint32_t events)
{
    if (watch->events == events)
        return;
    int op = EPOLL_CTL_MOD;
    if (watch->events == 0) {
        op = EPOLL_CTL_ADD;
        loop->n_watched++;
    } else if (events == 0) {
        op = EPOLL_CTL_DEL;
        loop->n_watched--;
        forget_events(loop, watch);
    }
    struct epoll_event event = {.events = events, .data.ptr = watch};
    if (epoll_ctl(loop->epoll_fd, op, watch->fd, &event) != 0)
        die("epoll_ctl");
    watch->events = events;
}

static void call_watches(struct ph_loop *loop)
{
    while (loop->batch_at < loop->batch_len) {
        struct epoll_event *event = &loop->batch[loop->batch_at++];
        struct ph_watch *watch = event->data.ptr;
        if (watch == NULL)
            continue;
        /* The owner may have narrowed what it watches since. */
        uint32_t events = event->events & (watch->events | EPOLLERR | EPOLLHUP);
        if (events != 0)
            watch->on_event(watch, events);
    }
    loop->batch_at = loop->batch_len = 0;
}

/* Timers */

static void place(struct slot *heap, size_t at, struct slot s)
{
    heap[at] = s;
    s.timer->heap_slot = at;
}

static void sift_up(struct slot *heap, size_t at, struct slot s)
{
    for (; at > 1 && heap[at / 2].key_ms > s.key_ms; at /= 2)
        place(heap, at, heap[at / 2]);
    place(heap, at, s);
}

static void sift_down(struct slot *heap, size_t len, size_t at, struct slot s)
{
    for (size_t child; (child = at * 2) <= len; at = child) {
        if (child < len && heap[child + 1].key_ms < heap[child].key_ms)
            child++;
        if (heap[child].key_ms >= s.key_ms)
            break;
        place(heap, at, heap[child]);
    }
    place(heap, at, s);
}

static void heap_remove(struct ph_loop *loop, size_t at)
{
    struct slot last = loop->heap[loop->heap_len--];
    loop->heap[at].timer->heap_slot = 0;
    if (at > loop->heap_len)
        return;
    if (at > 1 && loop->heap[at / 2].key_ms > last.key_ms)
        sift_up(loop->heap, at, last);
    else
        sift_down(loop->heap, loop->heap_len, at, last);
}

/* Puts timers that were moved to later where they belong until the first one is really the first. Changes nothing that
 * shows, hence const. */
static struct ph_timer *first_timer(const struct ph_loop *loop)
{
    if (loop->heap_len == 0)
        return NULL;
    struct slot *heap = loop->heap;
    while (heap[1].key_ms != heap[1].timer->due_ms)
        sift_down(heap, loop->heap_len, 1, (struct slot){heap[1].timer->due_ms, heap[1].timer});
    return heap[1].timer;
}

void ph_timer_set(struct ph_loop *loop, struct ph_timer *timer, uint64_t due_ms)
{
    if (timer->heap_slot > loop->heap_len)
        ph_timer_clear(loop, timer); /* waits in `due`: its time came already */
    timer->due_ms = due_ms;
    struct slot s = {due_ms, timer};
    if (timer->heap_slot != 0) {
        if (due_ms < loop->heap[timer->heap_slot].key_ms)
            sift_up(loop->heap, timer->heap_slot, s);
        return;
    }
    if (loop->heap_len + 1 >= loop->heap_cap) {
        loop->heap_cap = loop->heap_cap > 0 ? loop->heap_cap * 2 : 64;
        loop->heap = ph_realloc(loop->heap, loop->heap_cap * sizeof(*loop->heap));
    }
    sift_up(loop->heap, ++loop->heap_len, s);
}

void ph_timer_clear(struct ph_loop *loop, struct ph_timer *timer)
{
    if (timer->heap_slot == 0)
        return;
    if (timer->heap_slot > loop->heap_len) {
        size_t at = SIZE_MAX - timer->heap_slot;
        assert(at < loop->due_len && loop->due[at] == timer);
        loop->due[at] = NULL;
        timer->heap_slot = 0;
        return;
    }
    assert(loop->heap[timer->heap_slot].timer == timer);
    heap_remove(loop, timer->heap_slot);
}

bool ph_timer_is_set(const struct ph_timer *timer)
{
    return timer->heap_slot != 0;
}

static void take_due(struct ph_loop *loop)
{
    struct ph_timer *timer;
    while ((timer = first_timer(loop)) != NULL && timer->due_ms <= loop->now_ms) {
        if (loop->due_len == loop->due_cap) {
            loop->due_cap = loop->due_cap > 0 ? loop->due_cap * 2 : 64;
            loop->due = ph_realloc(loop->due, loop->due_cap * sizeof(struct ph_timer *));
        }
        heap_remove(loop, 1);
        timer->heap_slot = SIZE_MAX - loop->due_len;
        loop->due[loop->due_len++] = timer;
    }
}

/* All that are due are taken first, so that a timer that sets itself to now waits for the next step. */
static void call_timers(struct ph_loop *loop)
{
    take_due(loop);
    for (size_t i = 0; i < loop->due_len; i++) {
        struct ph_timer *timer = loop->due[i];
        if (timer == NULL)
            continue;
        loop->due[i] = NULL;
        timer->heap_slot = 0;
        timer->on_timer(timer);
    }
    loop->due_len = 0;
}

/* Tasks */

static void wake(struct ph_loop *loop)
{
    uint64_t one = 1;
    ssize_t n;
    do {
        n = write(loop->wake_fd, &one, sizeof(one));
    } while (n < 0 && errno == EINTR);
    if (n != sizeof(one))
        die("write to eventfd");
}

void ph_loop_post(struct ph_loop *loop, struct ph_task *task)
{
    if (ph_queue_push(&loop->posted, &task->node))
        wake(loop);
}

void ph_loop_defer(struct ph_loop *loop, struct ph_task *task)
{
    task->node.next = NULL;
    *loop->deferred_end = &task->node;
    loop->deferred_end = &task->node.next;
}

static void run_tasks(struct ph_queue_node *node)
{
    while (node != NULL) {
        struct ph_task *task = ph_container_of(node, struct ph_task, node);
        node = node->next; /* the task may be gone, or posted again, once it ran */
        task->run(task);
    }
}

static void run_deferred(struct ph_loop *loop)
{
    struct ph_queue_node *first = loop->deferred_first;
    loop->deferred_first = NULL;
    loop->deferred_end = &loop->deferred_first;
    run_tasks(first);
}

/* Rounds */

int ph_loop_wait_ms(const struct ph_loop *loop)
{
    if (loop->deferred_first != NULL ||
        atomic_load_explicit(&loop->posted.newest, memory_order_relaxed) != NULL)
        return 0;
    const struct ph_timer *timer = first_timer(loop);
    if (timer == NULL)
        return -1;
    uint64_t now_ms = ph_clock_mono_ms();
    if (timer->due_ms <= now_ms)
        return 0;
    uint64_t wait_ms = timer->due_ms - now_ms;
    return wait_ms < INT_MAX ? (int)wait_ms : INT_MAX;
}

static int shorter(int a_ms, int b_ms)
{
    if (a_ms < 0)
        return b_ms;
    return b_ms < 0 || a_ms < b_ms ? a_ms : b_ms;
}

void ph_loop_step(struct ph_loop *loop, int max_wait_ms)
{
    assert(!loop->in_step);
    int wait_ms = max_wait_ms == 0 ? 0 : shorter(max_wait_ms, ph_loop_wait_ms(loop));
    int n = epoll_wait(loop->epoll_fd, loop->batch, BATCH, wait_ms);
    if (n < 0 && errno != EINTR)
        die("epoll_wait");
    loop->now_ms = ph_clock_mono_ms();
    loop->in_step = true;
    loop->batch_len = n > 0 ? n : 0;
    call_watches(loop);
    call_timers(loop);
    run_tasks(ph_queue_take_all(&loop->posted));
    run_deferred(loop);
    loop->in_step = false;
}

int ph_loop_fd(const struct ph_loop *loop)
{
    return loop->epoll_fd;
}

void ph_loop_run(struct ph_loop *loop)
{
    while (!atomic_load_explicit(&loop->stopping, memory_order_acquire))
        ph_loop_step(loop, -1);
    atomic_store_explicit(&loop->stopping, false, memory_order_relaxed);
}

void ph_loop_stop(struct ph_loop *loop)
{
    atomic_store_explicit(&loop->stopping, true, memory_order_release);
    wake(loop);
}
