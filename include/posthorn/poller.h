/*
 * Pollers: endpoints whose messages are fetched. db: role posthorn_api; store.h says how callbacks and memory work.
 *
 * A poller's messages have an order that only grows at its end: by the transaction that stored them, of which one is shown
 * when none that is older runs any more. So whoever goes on behind the last one that he got misses none, however late others
 * were committed.
 */
#ifndef POSTHORN_POLLER_H
#define POSTHORN_POLLER_H

#include "posthorn/endpoint.h"
#include "posthorn/message.h"

/* Consumers of one poller. */
#define PH_POLLER_CONSUMERS_MAX 100

/* A place in a poller's order: behind this message. */
struct ph_poller_place {
    uint64_t xid;
    struct ph_id message;
};

#define PH_POLLER_PLACE_LEN 48
/* The text that clients get, and a NUL. */
void ph_poller_place_format(const struct ph_poller_place *place, char out[PH_POLLER_PLACE_LEN + 1]);
/* BAD_REQUEST: it is no such text. */
PH_MUST_CHECK enum ph_err ph_poller_place_parse(struct ph_str text, struct ph_poller_place *out);

struct ph_poller_request {
    struct ph_endpoint_path path;
    bool
        has_place; /* go on behind it; else where the consumer stands, or from the first one that is kept */
    struct ph_poller_place place;
    struct ph_str consumer; /* has got everything up to `place`, which is stored; absent: none */
    struct ph_str event_type, channel; /* only such; absent: any */
    int64_t after_ms;                  /* only messages from then on; 0: any */
    int limit;
};
/* place: for the next request. done: there is nothing behind it yet. NOT_FOUND: no such poller; CONFLICT: it has too many
 * consumers. */
typedef void (*ph_poller_done)(void *ctx, enum ph_err err, const struct ph_message_view *messages,
                               size_t n, const struct ph_poller_place *place, bool done);
void ph_poller_read(struct ph_db *db, struct ph_arena *arena,
                    const struct ph_poller_request *request, ph_poller_done done, void *ctx);

/* Puts a consumer where messages of that time begin, or a little before. NOT_FOUND, CONFLICT as above. */
void ph_poller_seek(struct ph_db *db, struct ph_arena *arena, const struct ph_endpoint_path *path,
                    struct ph_str consumer, int64_t after_ms,
                    void (*done)(void *ctx, enum ph_err err, const struct ph_poller_place *place),
                    void *ctx);

#endif
