/*
 * Messages that are committed and whose endpoints are not decided yet: sent from SQL, or planned for later. db: role
 * posthorn_engine. Every callback comes once; the arena lives until then.
 */
#ifndef POSTHORN_UNMATCHED_H
#define POSTHORN_UNMATCHED_H

#include "posthorn/message.h"

struct ph_unmatched {
    struct ph_id tenant, application, message;
    struct ph_str event_type;
    struct ph_str event_id; /* absent: none */
    struct ph_str tags;     /* comma-separated; absent: none */
    struct ph_str *channels;
    size_t n_channels;
    struct ph_str payload;                /* absent: it is gone, or the message is */
    struct ph_str raw_body, content_type; /* absent unless it is sent instead of the payload */
};

struct ph_unmatched_taken {
    struct ph_unmatched *items; /* valid until the callback returns */
    size_t n;
    bool more;           /* others are due already */
    struct ph_id cursor; /* tenant at which the next round goes on; zero: from the first */
    int64_t next_ms;     /* when the next one is due, by the database's clock; INT64_MAX: none */
    int64_t now_ms;      /* the database's clock */
};

/* Takes up to `max` due ones for ten seconds, at most `per_tenant` of one tenant when more than `max` are due, and about so
 * many bytes. */
void ph_unmatched_take(struct ph_db *db, struct ph_arena *arena, int max, int per_tenant,
                       int64_t max_bytes, struct ph_id cursor,
                       void (*on_done)(enum ph_err err, const struct ph_unmatched_taken *taken,
                                       void *ctx),
                       void *ctx);
/* Forgets these, which nobody can match. The ids are copied. */
void ph_unmatched_drop(struct ph_db *db, struct ph_arena *arena, const struct ph_id *messages,
                       size_t n, void (*on_done)(enum ph_err err, void *ctx), void *ctx);

/* The message is not delivered any more. NOT_FOUND; CONFLICT: it is too late, its endpoints are decided. */
void ph_message_unplan(struct ph_db *db, struct ph_arena *arena, const struct ph_message_path *path,
                       void (*on_done)(void *ctx, enum ph_err err), void *ctx);

#endif
