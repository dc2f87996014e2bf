/*
 * Ranges of addresses in CIDR notation. Pure.
 */
#ifndef POSTHORN_CORE_CIDR_H
#define POSTHORN_CORE_CIDR_H

#include "posthorn/str.h"

/* Addresses whose first `bits` bits are those of `net`. IPv4 uses the first four bytes. */
struct ph_cidr {
    uint8_t net[16];
    unsigned bits;
};

bool ph_cidr_holds(const struct ph_cidr *range, const uint8_t *addr);
bool ph_cidr_any_holds(const struct ph_cidr *ranges, size_t n, const uint8_t *addr);
/* The bytes of the IPv4 address that a mapped one carries (::ffff:0:0/96); NULL: it is another one. */
const uint8_t *ph_cidr_mapped_v4(const uint8_t *v6);
/* One range or bare address; NULL, or a static sentence that says what is wrong. */
const char *ph_cidr_parse(struct ph_str text, struct ph_cidr *out, bool *is_v6);

/* Ranges of both families. Zero it first. */
struct ph_cidr_list {
    struct ph_cidr *v4, *v6;
    size_t n_v4, n_v6;
};
/* Comma-separated ranges or bare addresses; "" for none. CONFIG: a line in problems says why; the list is empty then. */
PH_MUST_CHECK enum ph_err ph_cidr_list_parse(struct ph_str text, struct ph_buf *problems,
                                             struct ph_cidr_list *out);
void ph_cidr_list_free(struct ph_cidr_list *list);
/* The bytes of an IPv4 or IPv6 address. */
bool ph_cidr_list_holds_v4(const struct ph_cidr_list *list, const uint8_t *addr);
bool ph_cidr_list_holds_v6(const struct ph_cidr_list *list, const uint8_t *addr);

#endif
