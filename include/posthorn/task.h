/*
 * Background tasks: manual work that takes many steps. Made and read by the interface, gone on with by the dispatchers of
 * all nodes. store.h says how callbacks and memory work; strings given as arguments have to live until the callback.
 */
#ifndef POSTHORN_TASK_H
#define POSTHORN_TASK_H

#include "posthorn/endpoint.h"

/* Attempts or messages that one step looks at, and deliveries of the endpoint that may wait before a step. */
#define PH_BACKGROUND_TASK_STEP    500
#define PH_BACKGROUND_TASK_WAITING 1000
/* Applications that one step of a broadcast sends to, payload bytes that it makes, and messages of the tenant that may wait to
 * be matched before it. */
#define PH_BROADCAST_STEP    200
#define PH_BROADCAST_BYTES   (4 * 1024 * 1024)
#define PH_BROADCAST_WAITING 1000
/* Messages, and applications, of a step. */
#define PH_PURGE_STEP 500
#define PH_USAGE_STEP 200

enum ph_background_task_type {
    PH_TASK_RECOVER,        /* messages whose newest attempt failed */
    PH_TASK_REPLAY,         /* messages that were attempted */
    PH_TASK_REPLAY_MISSING, /* messages that were not */
    PH_TASK_BROADCAST,      /* a message to every application of the tenant */
    PH_TASK_PURGE,          /* expunge all messages of an application */
    PH_TASK_USAGE,          /* count what applications have used */
    PH_TASK_TYPES
};

struct ph_background_task {
    struct ph_id id, application, endpoint; /* zero: of none */
    struct ph_str type, status;             /* as on the wire */
    struct ph_str params;                   /* JSON object text */
    int64_t done, total;  /* attempts, messages or applications looked at; total -1: not known */
    int64_t queued;       /* deliveries or messages made, messages expunged */
    struct ph_str error;  /* absent: none */
    struct ph_str result; /* JSON array text: of PH_TASK_USAGE, not in lists; absent: none */
    int64_t created_ms, updated_ms;
};

/* What a new task is to do. */
struct ph_background_task_order {
    enum ph_background_task_type type;
    int64_t since_ms, until_ms; /* wall time of the messages; until exclusive */
    struct ph_str
        params; /* JSON object text: eventTypes, channel, tag, status and statusCodeClass are filters */
};

/* "endpoint.recover" and so on. */
const char *ph_background_task_type_text(enum ph_background_task_type type);
bool ph_background_task_type_known(struct ph_str text);
/* running, finished, failed or cancelled */
bool ph_background_task_status_known(struct ph_str text);

/* task is NULL unless err is OK. */
typedef void (*ph_background_task_done)(void *ctx, enum ph_err err,
                                        const struct ph_background_task *task);

/* NOT_FOUND: no such endpoint; CONFLICT: it is disabled. */
void ph_background_task_create(struct ph_db *db, struct ph_arena *arena,
                               const struct ph_endpoint_path *path,
                               const struct ph_background_task_order *order,
                               ph_background_task_done done, void *ctx);
/* NOT_FOUND */
void ph_background_task_get(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                            struct ph_id id, ph_background_task_done done, void *ctx);
/* A task that is over stays as it is. NOT_FOUND */
void ph_background_task_cancel(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                               struct ph_id id, ph_background_task_done done, void *ctx);

typedef void (*ph_background_task_list_done)(void *ctx, enum ph_err err,
                                             const struct ph_background_task *tasks, size_t n,
                                             bool done);
/* status and type: absent: any. */
void ph_background_task_list(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                             const struct ph_list *list, struct ph_str status, struct ph_str type,
                             ph_background_task_list_done done, void *ctx);

/* A message for every application. Slices may be absent where a message's may. */
struct ph_broadcast_order {
    struct ph_str event_type, event_id;
    const struct ph_str *channels, *tags; /* NULL: none */
    size_t n_channels, n_tags;
    int64_t expires_ms, deliver_ms; /* wall times; 0: never, and at once */
    struct ph_str payload;
    struct ph_str raw_body, content_type; /* what is sent instead of the payload */
    struct ph_str params;                 /* JSON object text, as the interface shows it */
};
void ph_broadcast_create(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                         const struct ph_broadcast_order *order, ph_background_task_done done,
                         void *ctx);

/* Expunges the messages of an application that are there now. NOT_FOUND. */
void ph_purge_create(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                     struct ph_str application, ph_background_task_done done, void *ctx);

#define PH_USAGE_APPLICATIONS_MAX 1000
struct ph_usage_order {
    int64_t since_ms, until_ms;        /* full hours */
    const struct ph_str *applications; /* ids or uids; NULL: all */
    size_t n_applications;             /* at most PH_USAGE_APPLICATIONS_MAX */
    struct ph_str params;              /* JSON object text, as the interface shows it */
};
/* missing: indexes of those applications that there are not. */
typedef void (*ph_usage_created)(void *ctx, enum ph_err err, const struct ph_background_task *task,
                                 const int32_t *missing, size_t n_missing);
/* NOT_FOUND: none of the applications is there. */
void ph_usage_create(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                     const struct ph_usage_order *order, ph_usage_created done, void *ctx);

/* Tasks that go on by the same statement. */
enum ph_background_task_kind {
    PH_TASK_OF_ENDPOINT,
    PH_TASK_OF_BROADCAST,
    PH_TASK_OF_PURGE,
    PH_TASK_OF_USAGE,
    PH_TASK_KINDS
};
/* For the dispatcher; db: role posthorn_engine. found: a task of this kind was due; queued: what the step made. */
typedef void (*ph_background_task_stepped)(void *ctx, enum ph_err err, bool found, int32_t queued);
void ph_background_task_step(struct ph_db *db, struct ph_arena *arena,
                             enum ph_background_task_kind kind, ph_background_task_stepped done,
                             void *ctx);
/* The task of this kind whose turn it is has failed to go on: others first. */
void ph_background_task_postpone(struct ph_db *db, struct ph_arena *arena,
                                 enum ph_background_task_kind kind, ph_background_task_stepped done,
                                 void *ctx);

#endif
