/*
 * Host names to addresses, with c-ares on the owner's loop: the hosts file, then DNS. No cache: whoever connects often
 * keeps connections.
 */
#ifndef POSTHORN_CORE_RESOLVE_H
#define POSTHORN_CORE_RESOLVE_H

#include "posthorn/loop.h"
#include "posthorn/str.h"

#include <netinet/in.h>

/* Of one answer this many addresses are used. */
#define PH_ADDRESSES_MAX 8

struct ph_address {
    socklen_t len;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } to;
};

struct ph_addresses {
    size_t n;
    struct ph_address list[PH_ADDRESSES_MAX];
};

/* One lookup. Embedded in its owner, which keeps it until on_resolved. */
struct ph_lookup {
    /* in */
    uint16_t port; /* written into the addresses */
    void (*on_resolved)(struct ph_lookup *lookup);
    /* out */
    const char *fault; /* NULL: addresses has at least one; static storage */
    struct ph_addresses addresses;
};

struct ph_resolver;

/* timeout_ms: how long a name server may take before the next one is asked. CONFIG: c-ares cannot be set up. */
PH_MUST_CHECK enum ph_err ph_resolver_new(struct ph_loop *loop, int64_t timeout_ms,
                                          struct ph_resolver **out);
/* Asks these name servers ("address:port,…") instead of the system's. CONFIG: not understood. */
PH_MUST_CHECK enum ph_err ph_resolver_set_servers(struct ph_resolver *resolver,
                                                  const char *servers);
/* Lookups under way end with a fault. */
void ph_resolver_free(struct ph_resolver *resolver);

/* on_resolved follows exactly once, perhaps before this returns. */
void ph_resolve(struct ph_resolver *resolver, const char *host, struct ph_lookup *lookup);

/* Reads an IPv4 address in its usual form (four decimal numbers) or an IPv6 address: false when it is a name. */
bool ph_address_parse(const char *host, uint16_t port, struct ph_address *out);
/* The address in text, for logs. */
void ph_address_format(const struct ph_address *address, char out[INET6_ADDRSTRLEN]);

#endif
