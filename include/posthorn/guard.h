/*
 * Outbound guard: which URLs and addresses this instance may send requests to. Pure; every outbound request passes it.
 */
#ifndef POSTHORN_GUARD_H
#define POSTHORN_GUARD_H

#include "posthorn/arena.h"
#include "posthorn/str.h"

#include <sys/socket.h>

struct ph_url {
    bool tls;           /* https */
    struct ph_str host; /* lower case, brackets of an IPv6 literal removed */
    bool host_is_ipv6;  /* literal: needs brackets in a Host header */
    uint16_t port;
    struct ph_str target; /* path and query as given, at least "/"; the fragment is dropped */
};

/*
 * Strict absolute http or https URL (RFC 3986): no userinfo, no control characters, spaces or non-ASCII bytes, a port of 1
 * to 65535, at most 65536 bytes, host of letters, digits, '-', '_', '.' or an IPv6 literal. Slices point into the arena's
 * copy. OUT_URL: *reason is one static sentence that says what is wrong.
 */
PH_MUST_CHECK enum ph_err ph_url_parse(struct ph_arena *arena, struct ph_str text,
                                       struct ph_url *out, const char **reason);

struct ph_guard;

/* allow: comma-separated CIDR ranges (v4, v6, or a bare address), "" for none. CONFIG: *reason (in problems) names the bad one. */
PH_MUST_CHECK enum ph_err ph_guard_new(struct ph_str allow, struct ph_buf *problems,
                                       struct ph_guard **out);
void ph_guard_free(struct ph_guard *guard);

/* Whether connecting to this address is allowed: v4 and v6 in binary form, mapped, NAT64, 6to4 and Teredo forms judged as
 * forbidden ranges of their own. Immutable guard: any thread. */
bool ph_guard_allows(const struct ph_guard *guard, const struct sockaddr *addr);

#endif
