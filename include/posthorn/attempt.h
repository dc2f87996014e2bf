/*
 * Attempts, and messages by what became of them at one endpoint: reading. store.h says how callbacks and memory work;
 * strings given as arguments have to live until the callback.
 */
#ifndef POSTHORN_ATTEMPT_H
#define POSTHORN_ATTEMPT_H

#include "posthorn/message.h"

struct ph_attempt_view {
    struct ph_id id; /* carries the attempt's time */
    struct ph_id message, endpoint;
    enum ph_message_status status; /* success or fail */
    int trigger_type;              /* 0 scheduled, 1 manual */
    int status_code;               /* 0: there was no answer */
    int64_t duration_ms;
    struct ph_str url;
    struct ph_str response; /* any bytes */
};

#define PH_ATTEMPT_ANY (-1)

struct ph_attempt_filter {
    struct ph_id after, before;       /* ids strictly between; zero: no bound */
    int status;                       /* enum ph_message_status, or PH_ATTEMPT_ANY */
    int status_code_class;            /* 0, 100, 200, 300, 400 or 500, or PH_ATTEMPT_ANY */
    struct ph_str endpoint;           /* id or uid; absent: any. Lists of a message only */
    struct ph_str channel, tag;       /* of the message; absent: any */
    const struct ph_str *event_types; /* of the message; NULL: any */
    size_t n_event_types;
    bool with_content; /* else the response is empty */
};

/* attempts: n items, newest first. A page whose filter has let few through has fewer than the limit and yet is not the last.
 * end is NULL unless err is OK. */
typedef void (*ph_attempt_list_done)(void *ctx, enum ph_err err,
                                     const struct ph_attempt_view *attempts, size_t n,
                                     const struct ph_list_end *end);
/* NOT_FOUND: no such endpoint. */
void ph_attempt_list_by_endpoint(struct ph_db *db, struct ph_arena *arena,
                                 const struct ph_endpoint_path *path, const struct ph_list *list,
                                 const struct ph_attempt_filter *filter, ph_attempt_list_done done,
                                 void *ctx);
/* NOT_FOUND: no such message. */
void ph_attempt_list_by_message(struct ph_db *db, struct ph_arena *arena,
                                const struct ph_message_path *path, const struct ph_list *list,
                                const struct ph_attempt_filter *filter, ph_attempt_list_done done,
                                void *ctx);

typedef void (*ph_attempt_done)(void *ctx, enum ph_err err, const struct ph_attempt_view *attempt);
/* NOT_FOUND: no such message, or it has no such attempt. */
void ph_attempt_get(struct ph_db *db, struct ph_arena *arena, const struct ph_message_path *path,
                    struct ph_id attempt, ph_attempt_done done, void *ctx);

/* What the headers of an attempt can be written from. */
struct ph_attempt_headers {
    struct ph_id message;
    struct ph_str url;
    struct ph_str signature; /* record of it (sign_profile.h); empty: nothing was sent */
    struct ph_str response;  /* header lines of the answer, as they came, whole ones */
    struct ph_str event_type, content_type; /* of the message; content_type absent: JSON's */
    int64_t body_bytes;                     /* -1: not known any more */
    /* The endpoint as it is now, when there still is one: */
    json_t *custom;                 /* its headers, a JSON object of strings; NULL: none */
    const struct ph_str *sensitive; /* names of those whose values are not shown */
    size_t n_sensitive;
    bool has_token; /* an access token is sent to it */
};
typedef void (*ph_attempt_headers_done)(void *ctx, enum ph_err err,
                                        const struct ph_attempt_headers *headers);
/* NOT_FOUND: no such message, or it has no such attempt. */
void ph_attempt_get_headers(struct ph_db *db, struct ph_arena *arena,
                            const struct ph_keyring *keyring, const struct ph_message_path *path,
                            struct ph_id attempt, ph_attempt_headers_done done, void *ctx);

/* A message and what became of it at one endpoint. */
struct ph_endpoint_message {
    struct ph_message_view message;
    struct ph_message_fate fate;
};
typedef void (*ph_endpoint_messages_done)(void *ctx, enum ph_err err,
                                          const struct ph_endpoint_message *items, size_t n,
                                          const struct ph_list_end *end);
/*
 * The messages that were attempted at an endpoint, the one first attempted last in front; with status pending or sending
 * those still owed to it, with canceled or skipped those closed so, newest first. status: enum ph_message_status, or PH_ATTEMPT_ANY. A page whose payloads are large
 * has fewer than the limit and yet is not `done`. NOT_FOUND: no such endpoint.
 */
void ph_endpoint_messages(struct ph_db *db, struct ph_arena *arena,
                          const struct ph_endpoint_path *path, const struct ph_list *list,
                          int status, const struct ph_message_filter *filter,
                          ph_endpoint_messages_done done, void *ctx);

#endif
