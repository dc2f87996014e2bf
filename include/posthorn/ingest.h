/*
 * Ingest: from a validated message to its commit and on to the delivery threads. One per http thread.
 *
 * While one batch is in flight the next one fills: group commit without a timer.
 */
#ifndef POSTHORN_INGEST_H
#define POSTHORN_INGEST_H

#include "posthorn/message_batch.h"
#include "posthorn/node.h"
#include "posthorn/payload_check.h"
#include "posthorn/subscription_cache.h"

struct ph_ingest;

/* One message on its way. It and its slices live in the request's arena, except `body`, which submit copies. */
struct ph_ingest_item {
    /* in: all of `message` but its payload and subscriptions, which ingest sets */
    struct ph_new_message message;
    struct ph_id stored; /* id of a message that is stored already; zero: it gets a new one */
    struct ph_id tenant;
    struct ph_str application; /* id or uid, as the request names it */
    struct ph_str body;        /* payload bytes; valid until submit returns */
    const struct ph_str *channels;
    size_t n_channels;
    struct ph_arena *arena;
    /*
     * OK: committed; message.payload has id and bytes. CONFLICT with replay_of zero: the event id is taken, or somebody
     * else has matched the stored message; CONFLICT with
     * replay_of set: the idempotency key has made that message before. NOT_FOUND: no such application. UNAVAILABLE,
     * INTERNAL: not stored. VALIDATION: the payload does not match the schema of its event type, check.fault says where; with
     * OK and a check.fault.text it does not either, and was taken. The payload is ingest's again when on_done returns.
     */
    void (*on_done)(struct ph_ingest_item *item, enum ph_err err);
    struct ph_id replay_of;
    /* ingest's own */
    struct ph_ingest *ingest;
    struct ph_subscription_waiter waiter;
    struct ph_subscriptions *snapshot;
    struct ph_payload_check check;
    struct ph_ingest_item *next;
    bool in_doubt; /* was sent, and the answer lost */
    bool alone;    /* a batch with it failed: goes by itself, so that it fails by itself */
    int tries;
    struct ph_job_list jobs;
};

/* Has a database connection of its own. for_stored: all its messages are stored already, and only matched. For the loop's
 * thread, like all calls here that say nothing else. */
struct ph_ingest *ph_ingest_new(struct ph_loop *loop, struct ph_node *node, bool for_stored);
/* Requests that still wait are answered UNAVAILABLE first. */
void ph_ingest_free(struct ph_ingest *ingest);
/* Its database connection is up. */
bool ph_ingest_ready(const struct ph_ingest *ingest);
/* Its database connection, for statements of its owner while no message is under way. */
struct ph_db *ph_ingest_db(struct ph_ingest *ingest);
/* Takes the message; on_done follows exactly once, perhaps before this returns. */
void ph_ingest_submit(struct ph_ingest *ingest, struct ph_ingest_item *item);

/* A question about an application's endpoints, answered from what is at hand of them. Embedded in its owner; slices stay valid
 * until on_answer. */
struct ph_ingest_question {
    struct ph_id tenant;
    struct ph_str application; /* id or uid */
    struct ph_str event_type;
    const struct ph_str *channels;
    size_t n_channels;
    /* OK: taken says whether an enabled endpoint takes such a message. NOT_FOUND: no such application. UNAVAILABLE. */
    void (*on_answer)(struct ph_ingest_question *question, enum ph_err err, bool taken);
    struct ph_subscription_waiter waiter; /* ingest's own */
};
/* on_answer follows exactly once. True: it was called already. */
bool ph_ingest_ask(struct ph_ingest *ingest, struct ph_ingest_question *question);
/* Any thread, while the ingest exists: an application's configuration changed (NULL: all may have). */
void ph_ingest_application_changed(struct ph_ingest *ingest, const struct ph_id *application);

#endif
