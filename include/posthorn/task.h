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

enum ph_background_task_type {
    PH_TASK_RECOVER,        /* messages whose newest attempt failed */
    PH_TASK_REPLAY,         /* messages that were attempted */
    PH_TASK_REPLAY_MISSING, /* messages that were not */
    PH_TASK_TYPES
};

struct ph_background_task {
    struct ph_id id, application, endpoint;
    struct ph_str type, status; /* as on the wire */
    struct ph_str params;       /* JSON object text */
    int64_t done, total;        /* attempts or messages looked at; total -1: not known */
    int64_t queued;             /* deliveries made */
    struct ph_str error;        /* absent: none */
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

/* For the dispatcher; db: role posthorn_engine. found: a task was due; queued: deliveries that the step made. */
typedef void (*ph_background_task_stepped)(void *ctx, enum ph_err err, bool found, int32_t queued);
void ph_background_task_step(struct ph_db *db, struct ph_arena *arena,
                             ph_background_task_stepped done, void *ctx);
/* The task whose turn it is has failed to go on: others first. */
void ph_background_task_postpone(struct ph_db *db, struct ph_arena *arena,
                                 ph_background_task_stepped done, void *ctx);

#endif
