/*
 * Endpoints with their secrets and custom headers. Every function is for the loop that owns the db; store.h says how
 * callbacks and memory work. Strings given as arguments have to live until the callback.
 *
 * Every change grows the versions of the endpoint and of its application and notifies all nodes, in one statement with the
 * change itself: see server/sql/endpoint.sql.
 */
#ifndef POSTHORN_ENDPOINT_H
#define POSTHORN_ENDPOINT_H

#include "posthorn/retry_read.h"
#include "posthorn/seal.h"
#include "posthorn/sign_profile.h"
#include "posthorn/store.h"

#include <jansson.h>

#define PH_ENDPOINT_THROTTLE_MAX    65535
#define PH_ENDPOINT_CHANNELS_MAX    10
#define PH_ENDPOINT_OLD_SECRETS_MAX 10
/* Owed deliveries that the counts of one endpoint look at, at most. */
#define PH_ENDPOINT_STATS_OWED_MAX 100000

struct ph_endpoint {
    struct ph_id id;
    struct ph_str uid; /* absent: none */
    struct ph_str url;
    struct ph_str description;
    bool disabled;
    struct ph_str *event_types; /* NULL: takes all */
    size_t n_event_types;
    struct ph_str *channels; /* NULL: takes all */
    size_t n_channels;
    struct ph_str metadata; /* JSON object text */
    int64_t throttle_rate;  /* messages per second; -1: none */
    int64_t created_ms, updated_ms;
    struct ph_str signature_profile; /* a name of sign_profile.def; absent: the tenant's */
    struct ph_str signature_header;  /* absent: the tenant's */
    bool paused, ordered;            /* ordered: ordering is "fifo" */
    struct ph_retry_waits retry;
    bool failing;
    int64_t failing_since_ms;      /* when failing */
    struct ph_str disabled_reason; /* absent: nobody but a client has disabled it */
    struct ph_str filter;          /* JSON text; absent: none */
};

enum ph_endpoint_set {
    PH_ENDPOINT_SET_UID = 1,
    PH_ENDPOINT_SET_URL = 2,
    PH_ENDPOINT_SET_DESCRIPTION = 4,
    PH_ENDPOINT_SET_DISABLED = 8,
    PH_ENDPOINT_SET_EVENT_TYPES = 16,
    PH_ENDPOINT_SET_CHANNELS = 32,
    PH_ENDPOINT_SET_METADATA = 64,
    PH_ENDPOINT_SET_THROTTLE_RATE = 128,
    PH_ENDPOINT_SET_PAUSED = 256,
    PH_ENDPOINT_SET_ORDERING = 512,
    PH_ENDPOINT_SET_RETRY = 1024,
    PH_ENDPOINT_SET_FILTER = 2048,
    PH_ENDPOINT_SET_SIGNATURE_PROFILE = 1 << 16,
    PH_ENDPOINT_SET_SIGNATURE_HEADER = 1 << 17,
    PH_ENDPOINT_SET_ALL = 0x7fffffff,
};

/* What a create, replace or patch writes. `set` says which members an update changes; a create writes all. */
struct ph_endpoint_change {
    unsigned set; /* bits of enum ph_endpoint_set */
    struct ph_str uid;
    struct ph_str url;
    struct ph_str description;
    bool disabled;
    const struct ph_str *event_types; /* NULL: takes all */
    size_t n_event_types;
    const struct ph_str *channels; /* NULL: takes all */
    size_t n_channels;
    struct ph_str metadata;
    int64_t throttle_rate;           /* -1: none */
    struct ph_str signature_profile; /* absent: the tenant's */
    struct ph_str signature_header;
    bool paused, ordered;
    struct ph_retry_waits retry;
    struct ph_str filter; /* absent: none */
};

/* How a path names an endpoint: both by id or uid. */
struct ph_endpoint_path {
    struct ph_id tenant;
    struct ph_str application;
    struct ph_str endpoint;
};

/* endpoint is NULL unless err is OK. */
typedef void (*ph_endpoint_done)(void *ctx, enum ph_err err, const struct ph_endpoint *endpoint);
typedef void (*ph_endpoint_plain_done)(void *ctx, enum ph_err err);

/* NOT_FOUND: no such application. endpoints: n items in the list's order. */
typedef void (*ph_endpoint_list_done)(void *ctx, enum ph_err err,
                                      const struct ph_endpoint *endpoints, size_t n, bool done);
void ph_endpoint_list(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                      struct ph_str application, const struct ph_list *list,
                      ph_endpoint_list_done done, void *ctx);

/* NOT_FOUND: no such application, or it has no such endpoint. */
void ph_endpoint_get(struct ph_db *db, struct ph_arena *arena, const struct ph_endpoint_path *path,
                     ph_endpoint_done done, void *ctx);

/* Makes an endpoint with its first secret. NOT_FOUND: no such application; CONFLICT: the uid is taken. */
void ph_endpoint_create(struct ph_db *db, struct ph_arena *arena, const struct ph_keyring *keyring,
                        struct ph_id tenant, struct ph_str application,
                        const struct ph_endpoint_change *change, const struct ph_secret *secret,
                        ph_endpoint_done done, void *ctx);

/* Changes what `set` names. NOT_FOUND, or CONFLICT: the uid is taken. */
void ph_endpoint_update(struct ph_db *db, struct ph_arena *arena,
                        const struct ph_endpoint_path *path,
                        const struct ph_endpoint_change *change, ph_endpoint_done done, void *ctx);

/* Deletes it with its secrets; what is owed to it is cancelled by whoever meets it. NOT_FOUND. */
void ph_endpoint_delete(struct ph_db *db, struct ph_arena *arena,
                        const struct ph_endpoint_path *path, ph_endpoint_plain_done done,
                        void *ctx);

/* The current secret. NOT_FOUND; INTERNAL: it does not open (logged). */
typedef void (*ph_endpoint_secret_done)(void *ctx, enum ph_err err, const struct ph_secret *secret);
void ph_endpoint_get_secret(struct ph_db *db, struct ph_arena *arena,
                            const struct ph_keyring *keyring, const struct ph_endpoint_path *path,
                            ph_endpoint_secret_done done, void *ctx);

/* Makes `secret` the current one; the one before signs along for grace_s seconds, with 0 it is deleted. NOT_FOUND;
 * VALIDATION: there are PH_ENDPOINT_OLD_SECRETS_MAX old ones already. */
void ph_endpoint_rotate_secret(struct ph_db *db, struct ph_arena *arena,
                               const struct ph_keyring *keyring,
                               const struct ph_endpoint_path *path, const struct ph_secret *secret,
                               int32_t grace_s, ph_endpoint_plain_done done, void *ctx);

/* Custom headers as a JSON object of strings, owned by the arena, and the names of those whose values are not shown.
 * NOT_FOUND; INTERNAL: they do not open (logged). */
typedef void (*ph_endpoint_headers_done)(void *ctx, enum ph_err err, json_t *headers,
                                         const struct ph_str *sensitive, size_t n_sensitive);
void ph_endpoint_get_headers(struct ph_db *db, struct ph_arena *arena,
                             const struct ph_keyring *keyring, const struct ph_endpoint_path *path,
                             ph_endpoint_headers_done done, void *ctx);

/* Gives the new headers, made from the present ones; NULL: they are refused, which ends it with VALIDATION. May be called
 * more than once, when changes come between. The object and the names live in the arena. */
typedef json_t *(*ph_endpoint_headers_edit)(void *ctx, json_t *present,
                                            const struct ph_str **sensitive, size_t *n_sensitive);
void ph_endpoint_edit_headers(struct ph_db *db, struct ph_arena *arena,
                              const struct ph_keyring *keyring, const struct ph_endpoint_path *path,
                              ph_endpoint_headers_edit edit, ph_endpoint_plain_done done,
                              void *ctx);

/* Deliveries of one endpoint, counted. At most PH_ENDPOINT_STATS_OWED_MAX are looked at for pending and sending. */
struct ph_endpoint_stats {
    int64_t success, exhausted;
    int64_t pending; /* not attempted yet */
    int64_t sending; /* failed so far, to be attempted again */
    int64_t canceled, skipped;
};
typedef void (*ph_endpoint_stats_done)(void *ctx, enum ph_err err,
                                       const struct ph_endpoint_stats *stats);
/* since_ms and until_ms: wall time, of the attempt for finished ones (in steps of 5 minutes), of the message for the others. */
void ph_endpoint_get_stats(struct ph_db *db, struct ph_arena *arena,
                           const struct ph_endpoint_path *path, int64_t since_ms, int64_t until_ms,
                           ph_endpoint_stats_done done, void *ctx);

/* Reads the columns of an endpoint, the first PH_ENDPOINT_COLUMNS of a row. For stores. */
#define PH_ENDPOINT_COLUMNS 19
void ph_endpoint_read_row(struct ph_arena *arena, const PGresult *res, int row,
                          struct ph_endpoint *out);

#endif
