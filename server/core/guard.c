#include "posthorn/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define MAPPED_BITS 96

/* Addresses whose first `bits` bits are those of `net`. v4 uses the first four bytes. */
struct range {
    uint8_t net[16];
    unsigned bits;
};

/* Special-purpose registries of IANA, rounded up to whole blocks. */
static const struct range forbidden_v4[] = {
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
static const struct range global_v6 = {{0x20}, 3};
static const struct range forbidden_v6[] = {
    {{0x20, 0x01}, 23},             /* protocol assignments, Teredo, ORCHID */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
    {{0x20, 0x02}, 16},             /* 6to4: carries an IPv4 address that nobody judged */
    {{0x3f, 0xff}, 20},             /* documentation */
};

static const struct range mapped_v4 = {{[10] = 0xff, [11] = 0xff}, MAPPED_BITS};

struct ph_guard {
    struct range *allow_v4, *allow_v6;
    size_t n_v4, n_v6;
};

static bool holds(const struct range *range, const uint8_t *addr)
{
    unsigned bytes = range->bits / 8, rest = range->bits % 8;

    if (memcmp(range->net, addr, bytes) != 0)
        return false;
    return rest == 0 || (range->net[bytes] ^ addr[bytes]) >> (8 - rest) == 0;
}

static bool any_holds(const struct range *ranges, size_t n, const uint8_t *addr)
{
    for (size_t i = 0; i < n; i++)
        if (holds(&ranges[i], addr))
            return true;
    return false;
}

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static bool allows_v4(const struct ph_guard *guard, const uint8_t *addr)
{
    return !any_holds(forbidden_v4, COUNT_OF(forbidden_v4), addr) ||
           any_holds(guard->allow_v4, guard->n_v4, addr);
}

static bool allows_v6(const struct ph_guard *guard, const uint8_t *addr)
{
    /* The kernel connects a mapped address by IPv4, so only ranges of IPv4 open it. */
    if (holds(&mapped_v4, addr))
        return any_holds(guard->allow_v4, guard->n_v4, addr + MAPPED_BITS / 8);
    return (holds(&global_v6, addr) && !any_holds(forbidden_v6, COUNT_OF(forbidden_v6), addr)) ||
           any_holds(guard->allow_v6, guard->n_v6, addr);
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

/* Digits only, at most `max`. */
static bool read_bits(struct ph_str text, unsigned max, unsigned *out)
{
    unsigned bits = 0;

    if (text.len == 0 || text.len > 3)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        bits = bits * 10 + (unsigned)(text.ptr[i] - '0');
    }
    *out = bits;
    return bits <= max;
}

/* Whether all bits behind the prefix are zero: anything else is a slip of the pen that would open more than it shows. */
static bool is_clean(const struct range *range)
{
    for (unsigned bit = range->bits; bit < 128; bit++)
        if (range->net[bit / 8] & (0x80 >> bit % 8))
            return false;
    return true;
}

/* One range or bare address; NULL, or what is wrong. */
static const char *read_range(struct ph_str text, struct range *out, bool *is_v6)
{
    struct ph_str bits = text, addr;
    char buf[INET6_ADDRSTRLEN];
    struct range range = {.bits = 0};

    (void)ph_str_split(&bits, '/', &addr);
    if (addr.len == 0 || addr.len >= sizeof(buf) || memchr(addr.ptr, '\0', addr.len))
        return "not an address or CIDR range";
    memcpy(buf, addr.ptr, addr.len);
    buf[addr.len] = '\0';
    *is_v6 = memchr(addr.ptr, ':', addr.len) != NULL;
    if (inet_pton(*is_v6 ? AF_INET6 : AF_INET, buf, range.net) != 1)
        return "not an address or CIDR range";
    range.bits = *is_v6 ? 128 : 32;
    if (bits.ptr && !read_bits(bits, range.bits, &range.bits))
        return "the number behind '/' has to be 0 to 32 for IPv4, 0 to 128 for IPv6";
    if (!is_clean(&range))
        return "the address has bits set behind its prefix";
    if (*is_v6 && range.bits >= MAPPED_BITS && holds(&mapped_v4, range.net))
        return "write an IPv4 range as such; it opens the mapped form too";
    *out = range;
    return NULL;
}

static void append(struct range **ranges, size_t *n, const struct range *range)
{
    *ranges = ph_realloc(*ranges, (*n + 1) * sizeof(**ranges));
    (*ranges)[(*n)++] = *range;
}

enum ph_err ph_guard_new(struct ph_str allow, struct ph_buf *problems, struct ph_guard **out)
{
    struct ph_guard *guard = ph_calloc(1, sizeof(*guard));
    struct ph_str rest = ph_str_trim(allow), part;
    enum ph_err err = PH_OK;

    if (rest.len == 0)
        rest = PH_STR_NONE;
    while (ph_str_split(&rest, ',', &part)) {
        struct range range;
        bool is_v6 = false;
        part = ph_str_trim(part);
        const char *wrong = read_range(part, &range, &is_v6);
        if (wrong) {
            ph_buf_printf(problems, "\"%.*s\": %s\n", (int)part.len, part.ptr, wrong);
            err = PH_ERR_CONFIG;
        } else if (is_v6) {
            append(&guard->allow_v6, &guard->n_v6, &range);
        } else {
            append(&guard->allow_v4, &guard->n_v4, &range);
        }
    }
    if (err != PH_OK) {
        ph_guard_free(guard);
        return err;
    }
    *out = guard;
    return PH_OK;
}

void ph_guard_free(struct ph_guard *guard)
{
    if (!guard)
        return;
    free(guard->allow_v4);
    free(guard->allow_v6);
    free(guard);
}
