/*
 * Numbers of JSON, taken as the decimals that they are written as: compared exactly, whatever their size and precision.
 * 100, 1e2 and 100.00 are equal; 9007199254740993 is not 9007199254740992.
 */
#ifndef POSTHORN_DECIMAL_H
#define POSTHORN_DECIMAL_H

#include "posthorn/str.h"

/* An exponent beyond this, either way, counts as this. */
#define PH_DECIMAL_EXPONENT_MAX INT64_C(1000000000000)

/* sign × 0.digits × 10^magnitude; the digits stand in the number's text, perhaps with a '.' among them. */
struct ph_decimal {
    int sign; /* 0: it is zero */
    int64_t magnitude;
    const char *digits, *end;
};

/* raw: a number that a scan has found valid, which has to outlive the result. */
struct ph_decimal ph_decimal_of(struct ph_str raw);
/* Less than, equal to or greater than zero, as a is to b. */
int ph_decimal_compare(const struct ph_decimal *a, const struct ph_decimal *b);
bool ph_decimal_is_integer(const struct ph_decimal *a);

/* A number that others are divided by: divisor × 10^exponent. */
struct ph_decimal_divisor {
    uint64_t divisor; /* not 0 */
    int64_t exponent;
};
/* VALIDATION: not above zero, or it has more than 15 digits. */
PH_MUST_CHECK enum ph_err ph_decimal_divisor_of(const struct ph_decimal *a,
                                                struct ph_decimal_divisor *out);
bool ph_decimal_is_multiple(const struct ph_decimal *a, const struct ph_decimal_divisor *divisor);

#endif
