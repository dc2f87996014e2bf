/*
 * What somebody should look at: endpoints in trouble, and how the applications of a list are. All of it is bounded, however much
 * there is. store.h says how callbacks and memory work.
 */
#ifndef POSTHORN_ATTENTION_H
#define POSTHORN_ATTENTION_H

#include "posthorn/store.h"

/* Endpoints that are told of, and of those that have something waiting, that are looked at. */
#define PH_ATTENTION_MAX         50
#define PH_ATTENTION_WAITING_MAX 100

struct ph_attention {
    struct ph_id endpoint, application;
    struct ph_str application_name, url, description;
    struct ph_str disabled_reason; /* absent: it is not disabled, or by hand */
    int64_t failing_since_ms;      /* 0: it is not */
    int64_t next_attempt_ms; /* when it is served again; 0: nothing waits, or it is held for ever */
    int64_t due_since_ms;    /* of what waits longest; 0: nothing is due */
    int64_t success, failure;                    /* attempts of the last day */
    bool disabled, failing, overdue, unreliable; /* why it is told of; at least one */
};
typedef void (*ph_attention_done)(void *ctx, enum ph_err err, const struct ph_attention *list,
                                  size_t n);
void ph_attention_list(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                       ph_attention_done done, void *ctx);

/* Endpoints of an application that are counted at most. */
#define PH_APPLICATION_ENDPOINTS_MAX 1000

struct ph_application_state {
    struct ph_id id;
    int64_t messages, success, failure;   /* of the last 24 hours */
    int64_t endpoints, failing, disabled; /* disabled: for their failures */
};
typedef void (*ph_application_states_done)(void *ctx, enum ph_err err,
                                           const struct ph_application_state *states, size_t n);
/* Those of the ids that are applications of the tenant. */
void ph_application_states(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                           const struct ph_id *ids, size_t n, ph_application_states_done done,
                           void *ctx);

#endif
