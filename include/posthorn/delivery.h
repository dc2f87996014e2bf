/*
 * What is delivered where, as it travels through memory: payloads, endpoint configurations, and the lists of deliveries
 * that one thread hands to another.
 *
 * Payloads and endpoint configurations are immutable once made and counted by reference; any thread may hold one, the
 * last one to let go frees it. A job belongs to the thread that holds it.
 */
#ifndef POSTHORN_DELIVERY_H
#define POSTHORN_DELIVERY_H

#include "posthorn/arena.h"
#include "posthorn/guard.h"
#include "posthorn/id.h"
#include "posthorn/identity.h"
#include "posthorn/oauth.h"
#include "posthorn/retry.h"
#include "posthorn/sign_profile.h"

#include <stdatomic.h>

/* The bytes of one message, shared by all its deliveries. Counted in the metric payload_bytes_memory. */
struct ph_payload {
    atomic_int refs;
    struct ph_id message, tenant, application;
    struct ph_retry_schedule *retry; /* of the event type or tenant; NULL: none of their own */
    char wire_id[PH_ID_WIRE_MAX];    /* webhook-id */
    size_t wire_id_len;
    struct ph_str event_type, content_type; /* behind the bytes */
    size_t len;
    char bytes[]; /* as they are sent */
};

/* A copy of the texts and bytes, with one reference. content_type absent: that of JSON. */
struct ph_payload *ph_payload_new(struct ph_id message, struct ph_id tenant,
                                  struct ph_id application, struct ph_str event_type,
                                  struct ph_str content_type, struct ph_str bytes);
struct ph_payload *ph_payload_ref(struct ph_payload *payload);
void ph_payload_unref(struct ph_payload *payload); /* NULL is allowed */

struct ph_endpoint_secret {
    struct ph_secret secret;
    int64_t expires_ms; /* wall time; 0: does not expire */
};

/* What a delivery needs to know of its endpoint; `version` tells which of two is newer. */
struct ph_endpoint_config {
    atomic_int refs;
    struct ph_arena *arena; /* holds everything below */
    struct ph_id id, tenant, application;
    int64_t version;
    bool disabled, paused;
    bool polled; /* nothing is sent there: its messages are fetched */
    /* Its deliveries always wait in the database: it is ordered, paused, or throttled, or its application is. */
    bool queued;
    struct ph_retry_schedule *retry; /* its own; NULL: the message's or the instance's */
    struct ph_str url_text;
    struct ph_url url;
    struct ph_sign_style style;
    struct ph_identity *identity; /* client certificate; NULL: none */
    struct ph_oauth *oauth;       /* NULL: none */
    const char *fault;            /* why nothing can be sent to it; NULL: it can. Static */
    size_t n_secrets;             /* current one first */
    struct ph_endpoint_secret *secrets;
    struct ph_str header_lines; /* custom headers as "Name: value\r\n"… */
    size_t n_event_types;       /* 0: takes all */
    struct ph_str *event_types;
    size_t n_channels; /* 0: takes all */
    struct ph_str *channels;
};

struct ph_endpoint_config *ph_endpoint_config_ref(struct ph_endpoint_config *config);
void ph_endpoint_config_unref(struct ph_endpoint_config *config); /* NULL is allowed */
/* Whether a message of this type and these channels is for this endpoint, be it disabled or not. */
bool ph_endpoint_config_takes(const struct ph_endpoint_config *config, struct ph_str event_type,
                              const struct ph_str *channels, size_t n_channels);

struct ph_trial; /* trial.h */

/* One delivery in memory: claimed in the database by node `node_id`. Counted in the metric deliveries_memory. */
struct ph_job {
    struct ph_job *next;
    struct ph_payload *payload;
    struct ph_id endpoint, tenant;
    struct ph_endpoint_config *config; /* as its message was matched with; NULL: to be loaded */
    int32_t node_id;
    int attempts_made;
    bool is_manual; /* somebody asked for it */
    bool
        is_ordered; /* its endpoint is held for this node until all its ordered deliveries are done */
    bool message_gone;      /* nothing to send any more: retention was faster */
    struct ph_trial *trial; /* who waits for the outcome, which is not stored; NULL: a delivery */
};

struct ph_job *ph_job_new(struct ph_payload *payload, struct ph_id endpoint,
                          struct ph_endpoint_config *config, int32_t node_id,
                          int attempts_made); /* takes references of its own */
/* Gives the payload back early, when it is not needed any more. */
void ph_job_drop_payload(struct ph_job *job);
void ph_job_free(struct ph_job *job);

struct ph_job_list {
    struct ph_job *first, *last;
    size_t n;
};
void ph_job_list_add(struct ph_job_list *list, struct ph_job *job);
void ph_job_list_add_front(struct ph_job_list *list, struct ph_job *job);
struct ph_job *ph_job_list_take(struct ph_job_list *list); /* oldest, NULL when empty */

#endif
