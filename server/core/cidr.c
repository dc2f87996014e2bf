#include "core/cidr.h"

#include "posthorn/arena.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define MAPPED_BITS 96

static const struct ph_cidr mapped_v4 = {{[10] = 0xff, [11] = 0xff}, MAPPED_BITS};

bool ph_cidr_holds(const struct ph_cidr *range, const uint8_t *addr)
{
    unsigned bytes = range->bits / 8, rest = range->bits % 8;

    if (memcmp(range->net, addr, bytes) != 0)
        return false;
    return rest == 0 || (range->net[bytes] ^ addr[bytes]) >> (8 - rest) == 0;
}

bool ph_cidr_any_holds(const struct ph_cidr *ranges, size_t n, const uint8_t *addr)
{
    for (size_t i = 0; i < n; i++)
        if (ph_cidr_holds(&ranges[i], addr))
            return true;
    return false;
}

const uint8_t *ph_cidr_mapped_v4(const uint8_t *v6)
{
    return ph_cidr_holds(&mapped_v4, v6) ? v6 + MAPPED_BITS / 8 : NULL;
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
static bool is_clean(const struct ph_cidr *range)
{
    for (unsigned bit = range->bits; bit < 128; bit++)
        if (range->net[bit / 8] & (0x80 >> bit % 8))
            return false;
    return true;
}

const char *ph_cidr_parse(struct ph_str text, struct ph_cidr *out, bool *is_v6)
{
    struct ph_str bits = text, addr;
    char buf[INET6_ADDRSTRLEN];
    struct ph_cidr range = {.bits = 0};

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
    if (*is_v6 && range.bits >= MAPPED_BITS && ph_cidr_mapped_v4(range.net))
        return "write an IPv4 range as such; it opens the mapped form too";
    *out = range;
    return NULL;
}

static void append(struct ph_cidr **ranges, size_t *n, const struct ph_cidr *range)
{
    *ranges = ph_realloc(*ranges, (*n + 1) * sizeof(**ranges));
    (*ranges)[(*n)++] = *range;
}

enum ph_err ph_cidr_list_parse(struct ph_str text, struct ph_buf *problems,
                               struct ph_cidr_list *out)
{
    struct ph_str rest = ph_str_trim(text), part;
    enum ph_err err = PH_OK;

    if (rest.len == 0)
        rest = PH_STR_NONE;
    while (ph_str_split(&rest, ',', &part)) {
        struct ph_cidr range;
        bool is_v6 = false;
        part = ph_str_trim(part);
        const char *wrong = ph_cidr_parse(part, &range, &is_v6);
        if (wrong) {
            ph_buf_printf(problems, "\"%.*s\": %s\n", (int)part.len, part.ptr, wrong);
            err = PH_ERR_CONFIG;
        } else if (is_v6) {
            append(&out->v6, &out->n_v6, &range);
        } else {
            append(&out->v4, &out->n_v4, &range);
        }
    }
    if (err != PH_OK)
        ph_cidr_list_free(out);
    return err;
}

void ph_cidr_list_free(struct ph_cidr_list *list)
{
    free(list->v4);
    free(list->v6);
    *list = (struct ph_cidr_list){0};
}

bool ph_cidr_list_holds_v4(const struct ph_cidr_list *list, const uint8_t *addr)
{
    return ph_cidr_any_holds(list->v4, list->n_v4, addr);
}

bool ph_cidr_list_holds_v6(const struct ph_cidr_list *list, const uint8_t *addr)
{
    return ph_cidr_any_holds(list->v6, list->n_v6, addr);
}
