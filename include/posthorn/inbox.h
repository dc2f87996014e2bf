/*
 * Test inboxes: a receiver inside of this server that an application may have, so that somebody sees deliveries arrive before
 * there is a receiver of his own. It answers what it is told to, with a fixed text, and keeps the last requests for a day.
 *
 * Its URL is the instance's, "/inbox/" and a token. Endpoints with it are as any other; only their requests do not leave the
 * node: they go to where it listens itself (ph_node_has_inbox).
 *
 * store.h says how callbacks and memory work.
 */
#ifndef POSTHORN_INBOX_H
#define POSTHORN_INBOX_H

#include "posthorn/store.h"
#include "posthorn/token.h"

#define PH_INBOX_PATH         "/inbox/"
#define PH_INBOX_TOKEN_PREFIX "phi_"
/* Requests that an inbox keeps, and bytes of the body of each. */
#define PH_INBOX_REQUESTS   100
#define PH_INBOX_BODY_BYTES (64 * 1024)
/* Endpoints whose signature a request is tried for. */
#define PH_INBOX_ENDPOINTS 8

/* Whether the path is that of an inbox, with nothing behind the token. */
bool ph_inbox_token_of(struct ph_str path, struct ph_str *token);

struct ph_inbox {
    struct ph_str token;
    int status;
    int64_t delay_ms, created_ms;
};
/* inbox is NULL unless err is OK. NOT_FOUND: the application, or it has none. */
typedef void (*ph_inbox_done)(void *ctx, enum ph_err err, const struct ph_inbox *inbox);

void ph_inbox_get(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                  struct ph_str application, ph_inbox_done done, void *ctx);
/* Makes it, or says how the one that there is answers from now on. */
void ph_inbox_put(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                  struct ph_str application, int status, int64_t delay_ms, ph_inbox_done done,
                  void *ctx);
/* With all that came there. */
void ph_inbox_delete(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                     struct ph_str application, void (*done)(void *ctx, enum ph_err err),
                     void *ctx);

/* Where a request has arrived. */
struct ph_inbox_place {
    struct ph_id tenant, application;
    int status;
    int64_t delay_ms;
    size_t n_endpoints; /* that deliver there */
    struct ph_id endpoints[PH_INBOX_ENDPOINTS];
};
/* engine_db: role posthorn_engine. NOT_FOUND: no tenant in good standing has such an inbox. */
void ph_inbox_find(struct ph_db *engine_db, struct ph_arena *arena, struct ph_str token,
                   void (*done)(void *ctx, enum ph_err err, const struct ph_inbox_place *place),
                   void *ctx);

struct ph_inbox_request {
    struct ph_id id;
    struct ph_str method, signature; /* "valid", "invalid" or "none" */
    int64_t body_bytes;
    struct ph_id endpoint; /* whose signature it has; zero: nobody's */
    int status;
    struct ph_str headers; /* JSON array of pairs; absent in lists */
    struct ph_str body;    /* the beginning; absent in lists */
};
/* engine_db: role posthorn_engine. CONFLICT: the inbox has gone meanwhile. The request's memory stays until then. */
void ph_inbox_request_store(struct ph_db *engine_db, struct ph_arena *arena,
                            const struct ph_inbox_place *place,
                            const struct ph_inbox_request *request,
                            void (*done)(void *ctx, enum ph_err err), void *ctx);

typedef void (*ph_inbox_requests_done)(void *ctx, enum ph_err err,
                                       const struct ph_inbox_request *requests, size_t n,
                                       bool done);
void ph_inbox_request_list(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                           struct ph_str application, const struct ph_list *list,
                           ph_inbox_requests_done done, void *ctx);
void ph_inbox_request_get(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                          struct ph_str application, struct ph_id request,
                          ph_inbox_requests_done done, void *ctx);

#endif
