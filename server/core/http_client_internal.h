/*
 * Inside of the outbound client. One exchange a call that is under way, one connection a socket:
 *
 *   exchange: start -> [kept connection | lookup of its origin -> new connection] -> request -> answer -> done
 *   connection: CONNECTING -> TUNNEL (proxy only) -> HANDSHAKE (TLS only) -> BUSY <-> IDLE
 *
 * A call's on_done never runs inside the code that ends it: ended exchanges wait on client->done for the end of the loop's
 * step, so nothing here has to fear that its objects vanish under a callback.
 */
#ifndef POSTHORN_CORE_HTTP_CLIENT_INTERNAL_H
#define POSTHORN_CORE_HTTP_CLIENT_INTERNAL_H

#include "core/list.h"
#include "core/resolve.h"
#include "core/tunnel.h"
#include "posthorn/http_client.h"
#include "posthorn/http_response.h"
#include "posthorn/map.h"

#include <openssl/ssl.h>

/* Exchanges and connections kept for reuse: what is beyond is given back to malloc. */
#define PH_SPARE_MAX 1024

/* One read, one TLS record to write. */
#define PH_SCRATCH_BYTES 16384

/* Exchanges in the order of their deadlines. All of a list have the same time from joining it, so the first is always the
 * next, and one timer does for all. */
struct ph_deadlines {
    struct ph_link list;
    struct ph_timer timer;
};

struct ph_http_client {
    struct ph_loop *loop;
    const struct ph_guard *guard;
    struct ph_http_limits limits;
    SSL_CTX *tls;
    struct ph_resolver *resolver;
    const struct ph_proxy *proxy;  /* NULL: none */
    struct ph_lookup proxy_lookup; /* and the addresses that it found */
    bool proxy_looking_up;
    uint64_t proxy_known_until_ms;
    struct ph_link proxy_waiting; /* connections that wait for the lookup, by in_client */
    struct ph_map origins;
    struct ph_deadlines total; /* every exchange that is not done */
    struct ph_deadlines phase; /* those that look up, connect or shake hands */
    struct ph_link done;       /* exchanges whose on_done is to be called */
    struct ph_task report;     /* that calls them */
    bool report_deferred;
    struct ph_link idle; /* connections, longest idle first */
    size_t n_idle;
    struct ph_timer sweep; /* set while there are idle connections */
    size_t n_exchanges, n_connections;
    struct ph_link spare_exchanges, spare_connections;
    size_t n_spare_exchanges, n_spare_connections;
    char scratch[PH_SCRATCH_BYTES];
};

struct ph_http_origin {
    struct ph_map_node node;
    struct ph_http_client *client;
    size_t refs; /* callers, exchanges, connections, a lookup under way */
    bool tls, is_literal;
    bool is_own; /* this server: neither judged nor reached by the proxy */
    uint16_t port;
    char *host;        /* as in the URL */
    char *server_name; /* host without a dot at its end, for TLS */
    struct ph_address literal;
    struct ph_identity *identity; /* NULL: none, and the authorities of the client */
    struct ph_link idle;          /* connections, last used first */
    size_t n_idle;
    SSL_SESSION *session; /* of the last handshake, NULL when there is none */
    struct ph_lookup lookup;
    bool looking_up;
    struct ph_link waiting; /* exchanges that wait for the lookup */
};

enum ph_connection_state { PH_CONNECTING, PH_TUNNEL, PH_HANDSHAKE, PH_BUSY, PH_IDLE };

struct ph_connection {
    struct ph_watch watch;
    enum ph_connection_state state;
    bool kept;   /* was idle since it was made */
    bool broken; /* nothing may be written any more, not even a TLS goodbye */
    struct ph_http_client *client;
    struct ph_http_origin *origin;
    struct ph_exchange *exchange; /* NULL when idle */
    SSL *ssl;
    uint64_t born_ms, idle_since_ms;
    struct ph_link in_origin,
        in_client; /* lists of idle ones; in_client also that of spare ones and of those that wait for the proxy's address */
    /* while connecting */
    struct ph_timer next_address; /* time to give up this address for the next one */
    size_t n_addresses, address;
    bool by_proxy;            /* this address is to be reached by the proxy */
    size_t proxy_address;     /* of those of the proxy */
    struct ph_tunnel *tunnel; /* NULL but in TUNNEL */
    struct ph_address addresses[PH_ADDRESSES_MAX];
};

struct ph_exchange {
    struct ph_http_call *call;
    struct ph_http_client *client;
    struct ph_http_origin *origin;
    struct ph_connection *connection; /* NULL while looking up and when done */
    struct ph_http_response *response;
    uint64_t start_us;
    uint64_t total_due_ms, phase_due_ms;
    size_t sent; /* bytes of head and body together */
    bool is_done;
    struct ph_link in_total, in_phase;
    struct ph_link link; /* origin's waiting, client's done or spare list */
};

/* http_client.c: exchanges */

/* Ends it with what the answer says. Its connection has been given back or closed. */
void ph_exchange_answered(struct ph_exchange *x);
/* Ends it with a failure; closes its connection. */
void ph_exchange_fail(struct ph_exchange *x, enum ph_err err, const char *fmt, ...) PH_PRINTF(3, 4);
/* Looking up, connecting or shaking hands begins, with a deadline of its own; or all of that is over. */
void ph_exchange_phase_begins(struct ph_exchange *x);
void ph_exchange_phase_ends(struct ph_exchange *x);

/* http_origin.c: origins, their lookups, idle connections */

void ph_origin_ref(struct ph_http_origin *origin);
void ph_origin_unref(struct ph_http_origin *origin);
/* Gives it a kept connection and sends the request, or sets out for a new connection. */
void ph_origin_dispatch(struct ph_exchange *x);
/* Sets out for a new connection: looks up the host, judges the addresses, connects. */
void ph_origin_connect(struct ph_exchange *x);
/* Keeps the connection, which has no exchange any more, or closes it. */
void ph_origin_keep(struct ph_connection *c);
void ph_origin_forget_idle(struct ph_connection *c);
/* Closes idle connections that are too old; all of them when `all`. */
void ph_client_sweep(struct ph_http_client *client, bool all);

/* http_proxy.c */

/* The address of the proxy that the connection is to try now; NULL: there is none left. *waits: they are being looked up,
 * ph_connection_go_on follows. */
const struct ph_address *ph_client_proxy_address(struct ph_connection *c, bool *waits);

/* http_connection.c: sockets */

/* A new connection for the exchange, to the first of these addresses (at least one, all judged) that answers. */
void ph_connection_open(struct ph_exchange *x, const struct ph_address *addresses, size_t n);
/* The proxy's addresses are known (NULL), or why they are not. */
void ph_connection_go_on(struct ph_connection *c, const char *fault);
/* Sends the exchange's request over this idle connection. */
void ph_connection_take(struct ph_connection *c, struct ph_exchange *x);
void ph_connection_close(struct ph_connection *c);

/* http_tls.c */

/* CONFIG: ca_file cannot be read. */
PH_MUST_CHECK enum ph_err ph_tls_context_new(const char *ca_file, SSL_CTX **out);
/* The connection's TLS state: who has to be at the other end, and the session of last time. NULL: out of resources. */
SSL *ph_tls_new(struct ph_connection *c);
void ph_tls_free(struct ph_connection *c);
/* Why the handshake failed, after SSL_do_handshake returned an error other than WANT_READ and WANT_WRITE. */
void ph_tls_explain(const SSL *ssl, int ssl_error, char *out, size_t n);

#endif
