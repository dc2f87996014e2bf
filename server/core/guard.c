#include "posthorn/guard.h"

#include "core/cidr.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* Special-purpose registries of IANA, rounded up to whole blocks. */
static const struct ph_cidr forbidden_v4[] = {
    {{0}, 8},             /* this network */
    {{10}, 8},            /* private */
    {{100, 64}, 10},      /* carrier-grade NAT */
    {{127}, 8},           /* loopback */
    {{169, 254}, 16},     /* link-local, cloud metadata */
    {{172, 16}, 12},      /* private */
    {{192, 0, 0}, 24},    /* protocol assignments */
    {{192, 0, 2}, 24},    /* documentation */
    {{192, 88, 99}, 24},  /* 6to4 relays */
    {{192, 168}, 16},     /* private */
    {{198, 18}, 15},      /* benchmarks */
    {{198, 51, 100}, 24}, /* documentation */
    {{203, 0, 113}, 24},  /* documentation */
    {{224}, 4},           /* multicast */
    {{240}, 4},           /* reserved, broadcast */
};

/*
 * The Internet's unicast addresses lie in 2000::/3. Everything outside is forbidden without a row of its own: unspecified,
 * loopback, IPv4 mapped and compatible, NAT64 (64:ff9b::/96, 64:ff9b:1::/48), discard (100::/64), segment routing
 * (5f00::/16), unique local, link-local, site-local, multicast. These rows are inside.
 */
static const struct ph_cidr global_v6 = {{0x20}, 3};
static const struct ph_cidr forbidden_v6[] = {
    {{0x20, 0x01}, 23},             /* protocol assignments, Teredo, ORCHID */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
    {{0x20, 0x02}, 16},             /* 6to4: carries an IPv4 address that nobody judged */
    {{0x3f, 0xff}, 20},             /* documentation */
};

struct ph_guard {
    struct ph_cidr_list allow;
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static bool allows_v4(const struct ph_guard *guard, const uint8_t *addr)
{
    return !ph_cidr_any_holds(forbidden_v4, COUNT_OF(forbidden_v4), addr) ||
           ph_cidr_list_holds_v4(&guard->allow, addr);
}

static bool allows_v6(const struct ph_guard *guard, const uint8_t *addr)
{
    /* The kernel connects a mapped address by IPv4, so only ranges of IPv4 open it. */
    const uint8_t *v4 = ph_cidr_mapped_v4(addr);
    if (v4)
        return ph_cidr_list_holds_v4(&guard->allow, v4);
    return (ph_cidr_holds(&global_v6, addr) &&
            !ph_cidr_any_holds(forbidden_v6, COUNT_OF(forbidden_v6), addr)) ||
           ph_cidr_list_holds_v6(&guard->allow, addr);
}

bool ph_guard_allows(const struct ph_guard *guard, const struct sockaddr *addr)
{
    if (addr->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, addr, sizeof(v4));
        return allows_v4(guard, (const uint8_t *)&v4.sin_addr);
    }
    if (addr->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, addr, sizeof(v6));
        return allows_v6(guard, v6.sin6_addr.s6_addr);
    }
    return false;
}

enum ph_err ph_guard_new(struct ph_str allow, struct ph_buf *problems, struct ph_guard **out)
{
    struct ph_guard *guard = ph_calloc(1, sizeof(*guard));
    enum ph_err err = ph_cidr_list_parse(allow, problems, &guard->allow);

    if (err != PH_OK) {
        free(guard);
        return err;
    }
    *out = guard;
    return PH_OK;
}

void ph_guard_free(struct ph_guard *guard)
{
    if (!guard)
        return;
    ph_cidr_list_free(&guard->allow);
    free(guard);
}
