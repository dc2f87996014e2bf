/*
 * The ingest statement: many messages, their deliveries, event ids and idempotency keys in one transaction.
 *
 * One batch object is reused by its owner for one statement at a time.
 */
#ifndef POSTHORN_MESSAGE_BATCH_H
#define POSTHORN_MESSAGE_BATCH_H

#include "posthorn/db.h"
#include "posthorn/delivery.h"
#include "posthorn/subscription.h"

/* A message about to be stored. Slices stay valid until it is answered. */
struct ph_new_message {
    const struct ph_subscriptions *subscriptions; /* what it was matched with */
    struct ph_payload *payload;                   /* id, tenant, application and bytes */
    struct ph_str event_type;
    struct ph_str event_id; /* absent: none */
    /* When the payload's bytes are not the JSON payload but a body sent instead of it: the JSON payload. Absent: they are. */
    struct ph_str json;
    struct ph_str content_type; /* of such a body; absent: JSON's */
    struct ph_str channels;     /* comma-separated; absent: none */
    struct ph_str tags;         /* comma-separated; absent: none */
    int64_t expires_ms;         /* wall time from which the payload is not shown; 0: never */
    int64_t
        deliver_ms; /* wall time at which it is matched and delivered, so without deliveries yet; 0: at once */
    bool has_key;
    struct ph_id idempotency_key; /* hash of key, credential and path */
    bool again; /* it was sent before and not stored: this time it is told row by row why not */
};

enum ph_rejection {
    /* match and send again: the application changed since the snapshot, or the message shares a key or event id with
     * another one of the batch that was rejected itself */
    PH_REJECTED_STALE,
    PH_REJECTED_KEY,      /* the idempotency key has been used */
    PH_REJECTED_EVENT_ID, /* the application has a message with this event id */
    PH_REJECTED_MATCHED,  /* of a stored message: its endpoints have been decided */
};

struct ph_message_batch;

/* max_bytes: of the payloads; adding more than that is a bug of the caller. */
struct ph_message_batch *ph_message_batch_new(size_t max_bytes);
void ph_message_batch_free(struct ph_message_batch *batch);
void ph_message_batch_clear(struct ph_message_batch *batch);
/* Adds a message; returns its index. */
int ph_message_batch_add(struct ph_message_batch *batch, const struct ph_new_message *message);
/* Adds a delivery of the message with that index; node_id 0: unclaimed, due at once. */
void ph_message_batch_add_delivery(struct ph_message_batch *batch, int index,
                                   const struct ph_new_message *message, struct ph_id endpoint,
                                   int32_t node_id);
/* The endpoint would take the message with that index, but is disabled. */
void ph_message_batch_add_skipped(struct ph_message_batch *batch, int index,
                                  const struct ph_new_message *message, struct ph_id endpoint);
/* Lets a poller have the message with that index. */
void ph_message_batch_add_polled(struct ph_message_batch *batch, int index,
                                 const struct ph_new_message *message, struct ph_id endpoint);
int ph_message_batch_count(const struct ph_message_batch *batch);
int ph_message_batch_deliveries(const struct ph_message_batch *batch);
size_t ph_message_batch_bytes(const struct ph_message_batch *batch);

/*
 * Stores the batch. on_done: OK, with those messages that were rejected and so not stored (indexes ascending); CONFLICT:
 * a message of the batch is there already (it was sent before and its answer lost), or, unless it was sent `again`, its key
 * or event id was taken at this very moment; nothing was stored; DB_RETRY: nothing was stored, send again; else as
 * ph_db_send.
 */
void ph_message_batch_store(struct ph_message_batch *batch, struct ph_db *db,
                            void (*on_done)(enum ph_err err, const int *rejected,
                                            const enum ph_rejection *why, size_t n_rejected,
                                            void *ctx),
                            void *ctx);

/* In on_done, of the nth rejected message, whose key has been used: the message that it made; zero: ph_idempotency_find knows. */
struct ph_id ph_message_batch_made_before(const struct ph_message_batch *batch, size_t nth);

/* Which messages of a batch are in the database: known[i] for the message with index i. */
void ph_message_batch_find(struct ph_message_batch *batch, struct ph_db *db,
                           void (*on_done)(enum ph_err err, const bool *known, void *ctx),
                           void *ctx);

/*
 * The same two for messages that are stored already, and whose endpoints nobody has decided yet: of the batch only the
 * deliveries are stored, and the messages' rows in unmatched_messages go. gone[i]: there is no such row any more; known[i]:
 * and deliveries of the batch are there, claimed as it says.
 */
void ph_message_batch_match(struct ph_message_batch *batch, struct ph_db *db,
                            void (*on_done)(enum ph_err err, const int *rejected,
                                            const enum ph_rejection *why, size_t n_rejected,
                                            void *ctx),
                            void *ctx);
void ph_message_batch_find_matched(struct ph_message_batch *batch, struct ph_db *db,
                                   void (*on_done)(enum ph_err err, const bool *known,
                                                   const bool *gone, void *ctx),
                                   void *ctx);

/* The message that was made with an idempotency key. NOT_FOUND: none (any more). */
void ph_idempotency_find(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                         struct ph_id key,
                         void (*on_done)(enum ph_err err, struct ph_id message, void *ctx),
                         void *ctx);

#endif
