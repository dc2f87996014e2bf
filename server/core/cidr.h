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

#endif
