/*
 * Forward proxy of all outbound requests, as the operator set it: HTTP CONNECT or SOCKS5. Immutable: any thread.
 *
 * A proxy is no way round the guard: names are resolved and their addresses judged here, and the proxy is asked for a
 * judged address. Only the proxy's own address is not judged.
 */
#ifndef POSTHORN_PROXY_H
#define POSTHORN_PROXY_H

#include "posthorn/str.h"

#include <sys/socket.h>

struct ph_proxy;

/* url: "http://[user:password@]host:port" or "socks5://…", user and password percent-encoded; "": none, *out is NULL.
 * no_proxy: comma-separated host suffixes, addresses and CIDR ranges that are reached directly. CONFIG: lines in problems. */
PH_MUST_CHECK enum ph_err ph_proxy_new(struct ph_str url, struct ph_str no_proxy,
                                       struct ph_buf *problems, struct ph_proxy **out);
void ph_proxy_free(struct ph_proxy *proxy); /* NULL is allowed */

/* Whether this host at this address is to be reached by the proxy. */
bool ph_proxy_serves(const struct ph_proxy *proxy, const char *host, const struct sockaddr *addr);
/* Where the proxy is: a name or an address without brackets. */
const char *ph_proxy_host(const struct ph_proxy *proxy);
uint16_t ph_proxy_port(const struct ph_proxy *proxy);

#endif
