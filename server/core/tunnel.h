/*
 * What is said to a proxy to get a connection through it, and what it answers: HTTP CONNECT (RFC 9110, 9.3.6) and SOCKS5
 * (RFC 1928, 1929). Incremental and pure: give its output to the proxy, feed it what comes.
 */
#ifndef POSTHORN_CORE_TUNNEL_H
#define POSTHORN_CORE_TUNNEL_H

#include "core/resolve.h"
#include "posthorn/proxy.h"

struct ph_tunnel;

/* A way through the proxy to this address. The proxy outlives it. */
struct ph_tunnel *ph_tunnel_new(const struct ph_proxy *proxy, const struct ph_address *to);
void ph_tunnel_free(struct ph_tunnel *tunnel); /* NULL is allowed */

/* What is still to be sent now, and how much of it was. */
struct ph_str ph_tunnel_output(const struct ph_tunnel *tunnel);
void ph_tunnel_sent(struct ph_tunnel *tunnel, size_t n);

enum ph_tunnel_state {
    PH_TUNNEL_MORE,   /* send the output, feed more */
    PH_TUNNEL_OPEN,   /* the connection is the target's from now on */
    PH_TUNNEL_CLOSED, /* see ph_tunnel_fault */
};
/* Takes what came from the proxy. Bytes behind its last word are a fault: nobody speaks before it was spoken to. */
enum ph_tunnel_state ph_tunnel_feed(struct ph_tunnel *tunnel, const char *bytes, size_t n);
/* A plain sentence without addresses and credentials. */
const char *ph_tunnel_fault(const struct ph_tunnel *tunnel);

#endif
