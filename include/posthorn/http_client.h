/*
 * Outbound HTTP/1.1 client: resolve, judge every address, connect to exactly the judged one, TLS with name check, one
 * request and its answer; keep-alive connections are reused per origin. It never follows redirects and never decompresses.
 *
 * Owner: one loop. All calls and callbacks on that loop's thread.
 */
#ifndef POSTHORN_HTTP_CLIENT_H
#define POSTHORN_HTTP_CLIENT_H

#include "posthorn/guard.h"
#include "posthorn/identity.h"
#include "posthorn/loop.h"
#include "posthorn/proxy.h"

struct ph_http_limits {
    int64_t
        connect_ms; /* resolving and connecting; once more for what the proxy does; and for the TLS handshake */
    int64_t total_ms;    /* everything, from ph_http_call_start */
    size_t header_bytes; /* status line and headers of one answer, interim answers included */
    size_t body_bytes;   /* bytes of the body that are kept */
    size_t
        body_read_bytes; /* bytes of the body that are read before the connection is given up: the status still counts */
    size_t idle_per_origin; /* keep-alive connections kept per origin */
    int64_t idle_ms;        /* how long one is kept idle */
    int64_t age_ms;         /* how long one is used at all, so that DNS changes are seen */
    size_t idle_total; /* idle connections of this client; the oldest is closed for a new one */
};

struct ph_http_client;

/* ca_file "": the system's certificate authorities. guard outlives the client. CONFIG: the file cannot be read. */
PH_MUST_CHECK enum ph_err ph_http_client_new(struct ph_loop *loop, const struct ph_guard *guard,
                                             const struct ph_http_limits *limits,
                                             const char *ca_file, struct ph_http_client **out);
/* Before any call: requests go by this proxy, which outlives the client; NULL: none. */
void ph_http_client_use_proxy(struct ph_http_client *client, const struct ph_proxy *proxy);
/* No call may be under way. */
void ph_http_client_free(struct ph_http_client *client);

/*
 * Where requests go: scheme, host and port, with its idle connections and TLS session. Reference counted within the
 * client's thread: _open gives one that the caller gives back with _close. Copies what it needs of the URL. Two _open of
 * the same scheme, host, port and identity share one origin. identity: NULL for none; a reference of its own is taken; plain
 * http has none.
 */
struct ph_http_origin;
struct ph_http_origin *ph_http_origin_open(struct ph_http_client *client, const struct ph_url *url,
                                           struct ph_identity *identity);
/*
 * This server itself: plain HTTP to the address at which it listens, whatever the guard and the proxy say. address is copied;
 * of another family than IPv4 and IPv6 (it does not listen yet), its requests fail.
 */
struct ph_http_origin *ph_http_origin_open_own(struct ph_http_client *client,
                                               const struct sockaddr_storage *address);
void ph_http_origin_close(struct ph_http_origin *origin);

/* One request. Embedded in its owner, which keeps it, head and body unchanged until on_done. Zero it first. */
struct ph_http_call {
    /* in */
    struct ph_http_origin *origin;
    struct ph_str head; /* complete request head with the empty line at its end */
    struct ph_str body; /* sent behind it in the same write */
    const char
        *want_header; /* name of a header of the answer that `header` shall have; NULL: none */
    void (*on_done)(struct ph_http_call *call);
    /* out, valid during on_done */
    enum ph_err
        err; /* OK: a complete status line and headers arrived, whatever the status (a body cut short is OUT_RESET) */
    char error_text
        [160]; /* err is not OK: plain reason for the customer, e.g. "certificate has expired"; never an address */
    int status;             /* 0 when there is none */
    struct ph_str response; /* first limits.body_bytes of the body; lives until on_done returns */
    struct ph_str headers;  /* header lines of the answer; lives until on_done returns */
    struct ph_str header;   /* value of want_header; absent without; lives until on_done returns */
    int64_t retry_after_s;  /* from Retry-After as seconds or HTTP date; -1 when absent */
    int64_t duration_us;    /* from start to the last byte or the failure */
    bool reused;            /* went over a kept connection */
    /* the client's own */
    void *state;
};

/* Starts it; on_done follows exactly once, never before this returns. */
void ph_http_call_start(struct ph_http_client *client, struct ph_http_call *call);
/* Ends it early; on_done follows with OUT_CANCELLED unless it was over already. */
void ph_http_call_cancel(struct ph_http_call *call);

#endif
