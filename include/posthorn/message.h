/*
 * Messages: what is stored of them, and reading it. Creating is the ingest batch's work (ingest.h). store.h says how
 * callbacks and memory work; strings given as arguments have to live until the callback.
 */
#ifndef POSTHORN_MESSAGE_H
#define POSTHORN_MESSAGE_H

#include "posthorn/endpoint.h"
#include "posthorn/store.h"

/* Payload bytes after which a page of messages ends early. */
#define PH_MESSAGE_PAGE_BYTES     (16 * 1024 * 1024)
#define PH_MESSAGE_NAME_CHARS_MAX 128 /* of a channel or tag */

/* A message as a client sees it. Slices belong to whoever filled it. */
struct ph_message_view {
    struct ph_id id; /* carries the message's time */
    struct ph_str event_type;
    struct ph_str event_id;        /* absent without one */
    const struct ph_str *channels; /* NULL: none */
    size_t n_channels;
    const struct ph_str *tags; /* NULL: none */
    size_t n_tags;
    struct ph_str payload; /* JSON text exactly as it was received; absent: left out */
    int64_t deliver_ms;    /* planned for then; 0: for at once */
    struct ph_str
        schema_warning; /* what in the payload does not match the schema; absent: nothing, or not asked */
};

/* What became of a message at an endpoint, by the numbers of the REST interface. The last two, which are not those of an attempt,
 * are in closed_deliveries by these numbers. */
enum ph_message_status {
    PH_STATUS_SUCCESS,
    PH_STATUS_PENDING,
    PH_STATUS_FAIL,
    PH_STATUS_SENDING,
    PH_STATUS_CANCELED,
    PH_STATUS_SKIPPED, /* the endpoint was disabled */
};
/* "success", "pending", "fail", "sending", "canceled" or "skipped" */
const char *ph_message_status_text(enum ph_message_status status);

/* What became of one message at one endpoint. */
struct ph_message_fate {
    enum ph_message_status status;
    bool has_next; /* an attempt is planned, and it is not under way */
    int64_t next_ms;
    bool is_owed; /* neither arrived nor given up */
    int attempts; /* of one that is owed: those made in vain, since it was owed */
};

/* Which messages of a list are wanted. */
struct ph_message_filter {
    struct ph_id after, before;       /* ids strictly between; zero: no bound */
    struct ph_str channel, tag;       /* absent: any */
    const struct ph_str *event_types; /* NULL: any */
    size_t n_event_types;
    bool with_content; /* else "{}" stands for the payload */
};

/* How a path names a message: the application by id or uid, the message by id or event id. */
struct ph_message_path {
    struct ph_id tenant;
    struct ph_str application;
    struct ph_str message;
};

typedef void (*ph_message_done)(void *ctx, enum ph_err err, const struct ph_message_view *message);
/* NOT_FOUND: no such application, or it has no such message. An expired payload reads {"expired":true}, an expunged one
 * {"expired":true,"expunged":true}. */
void ph_message_get(struct ph_db *db, struct ph_arena *arena, const struct ph_message_path *path,
                    bool with_content, ph_message_done done, void *ctx);
/* The same with the body that is delivered, which may be another one than the payload, and no JSON. */
void ph_message_get_raw(struct ph_db *db, struct ph_arena *arena,
                        const struct ph_message_path *path, ph_message_done done, void *ctx);

/* messages: n items in any order, without payloads; those that are not there are missing. */
typedef void (*ph_message_many_done)(void *ctx, enum ph_err err,
                                     const struct ph_message_view *messages, size_t n);
/* NOT_FOUND: no such application. The ids are copied. */
void ph_message_get_many(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                         struct ph_str application, const struct ph_id *ids, size_t n,
                         ph_message_many_done done, void *ctx);

/* messages: n items, newest first. A page whose payloads are large has fewer than the limit and yet is not the last, and so
 * has one whose filter has let few through. end is NULL unless err is OK. */
typedef void (*ph_message_list_done)(void *ctx, enum ph_err err,
                                     const struct ph_message_view *messages, size_t n,
                                     const struct ph_list_end *end);
/* NOT_FOUND: no such application. */
void ph_message_list(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                     struct ph_str application, const struct ph_list *list,
                     const struct ph_message_filter *filter, ph_message_list_done done, void *ctx);

struct ph_message_endpoint {
    struct ph_endpoint endpoint;
    struct ph_message_fate fate;
};
typedef void (*ph_message_endpoints_done)(void *ctx, enum ph_err err,
                                          const struct ph_message_endpoint *items, size_t n,
                                          bool done);
/* The endpoints that the message was or is to be sent to, as they are now, newest first. NOT_FOUND: no such message. */
void ph_message_endpoints(struct ph_db *db, struct ph_arena *arena,
                          const struct ph_message_path *path, const struct ph_list *list,
                          ph_message_endpoints_done done, void *ctx);

#endif
