/*
 * Live tail: tells of accepted messages and of attempts, as they happen on any node, to whoever listens on any other.
 *
 * A node with listeners of a tenant says so every few seconds; the others note it (ph_tail_interest), and only then make events
 * of what happens and announce them, many at a time, to the nodes that listen. When nobody listens, all of this is one look at
 * a slot for each message and attempt. Nothing waits for it: what does not fit is counted, and the count told.
 *
 * Part of the dispatcher's thread, with a database connection of its own from the first listener on.
 */
#ifndef POSTHORN_TAIL_H
#define POSTHORN_TAIL_H

#include "posthorn/config.h"
#include "posthorn/err.h"
#include "posthorn/id.h"
#include "posthorn/loop.h"

#include <stdatomic.h>

/* Tenants whose events are wanted somewhere, by hash. */
#define PH_TAIL_SLOTS  1024
#define PH_TAIL_PROBES 8

struct ph_tail_slot {
    _Atomic uint64_t tenant;   /* its hash; 0: free */
    _Atomic uint64_t until_ms; /* events are wanted until then, monotonic */
    _Atomic uint32_t waiting;  /* events that are not announced yet */
    _Atomic uint32_t dropped;  /* since the last one that was */
};

struct ph_tail {
    struct ph_tail_slot slots[PH_TAIL_SLOTS];
    struct ph_tail_desk *desk; /* the dispatcher thread's part */
};

/* Something that happened, from malloc, as JSON. Belongs to whoever holds it. */
struct ph_tail_event {
    struct ph_task task;
    struct ph_tail *tail;
    struct ph_tail_slot *slot;
    struct ph_tail_event *next;
    struct ph_id tenant, application;
    size_t len;
    char json[];
};

/* Any thread: whether events of the tenant are wanted. tail NULL: no. */
bool ph_tail_wants(const struct ph_tail *tail, struct ph_id tenant);

/* An attempt as tail events tell of it. */
struct ph_tail_attempt {
    struct ph_id tenant, application, endpoint, message, attempt;
    struct ph_str event_type;
    const char *status; /* "success" or "fail" */
    int status_code, number;
    int64_t duration_ms;
    bool is_manual;
    int64_t next_ms; /* of the next attempt; 0: none */
};
struct ph_tail_message {
    struct ph_id tenant, application, message;
    struct ph_str event_type, event_id;
    struct ph_str channels, tags; /* comma-separated; absent: none */
    int64_t deliver_ms;           /* 0: at once */
};
/* A request that came to a test inbox. */
struct ph_tail_arrival {
    struct ph_id tenant, application, request;
    struct ph_id endpoint; /* whose signature it has; zero: nobody's */
    struct ph_str signature;
    int status; /* that it is answered */
};
/* Any thread: NULL when there is no room for it, which is counted. */
struct ph_tail_event *ph_tail_of_attempt(struct ph_tail *tail,
                                         const struct ph_tail_attempt *attempt);
struct ph_tail_event *ph_tail_of_message(struct ph_tail *tail,
                                         const struct ph_tail_message *message);
struct ph_tail_event *ph_tail_of_arrival(struct ph_tail *tail,
                                         const struct ph_tail_arrival *arrival);
/* Any thread: announces it. It is given up. */
void ph_tail_tell(struct ph_tail_event *event);

/* Who listens on a loop. Embedded in its owner. */
struct ph_tail_ear {
    struct ph_loop *loop;
    /* On that loop: an event of a tenant with listeners here. dropped: so many of the tenant's were lost before it; json may
     * be empty, when there is nothing else to tell. */
    void (*on_event)(struct ph_tail_ear *ear, struct ph_id tenant, struct ph_id application,
                     uint32_t dropped, struct ph_str json);
};
/* Any thread: events of the tenant are wanted; on_done follows on the ear's loop when those of this node come for sure
 * (UNAVAILABLE: there is no database), or never when the node stops. Listening is counted, and ends as often. */
void ph_tail_listen(struct ph_tail *tail, struct ph_tail_ear *ear, struct ph_id tenant,
                    void (*on_done)(void *ctx, enum ph_err err), void *ctx);
void ph_tail_unlisten(struct ph_tail *tail, struct ph_tail_ear *ear, struct ph_id tenant);

/* ---- for the dispatcher, on its thread ---- */

struct ph_tail *ph_tail_new(struct ph_loop *loop, const struct ph_config *config);
/* Some node has listeners of this tenant. */
void ph_tail_interest(struct ph_tail *tail, struct ph_id tenant);
/* Calls nobody any more. */
void ph_tail_pause(struct ph_tail *tail);
/* When the loop runs no more; it has to be stepped once afterwards. */
void ph_tail_free(struct ph_tail *tail);

#endif
