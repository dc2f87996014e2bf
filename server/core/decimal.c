#include "posthorn/decimal.h"

#define DIVISOR_DIGITS_MAX 15

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int64_t read_exponent(const char *p, const char *end)
{
    bool negative = *p == '-';
    int64_t n = 0;

    if (*p == '-' || *p == '+')
        p++;
    for (; p < end; p++)
        if (n < PH_DECIMAL_EXPONENT_MAX)
            n = n * 10 + (*p - '0');
    if (n > PH_DECIMAL_EXPONENT_MAX)
        n = PH_DECIMAL_EXPONENT_MAX;
    return negative ? -n : n;
}

struct ph_decimal ph_decimal_of(struct ph_str raw)
{
    const char *p = raw.ptr, *end = raw.ptr + raw.len, *point = NULL;
    struct ph_decimal d = {.sign = *p == '-' ? -1 : 1};

    if (*p == '-')
        p++;
    for (; p < end && (is_digit(*p) || *p == '.'); p++) {
        if (*p == '.')
            point = p;
        else if (!d.digits && *p != '0')
            d.digits = p;
    }
    d.end = p;
    if (!d.digits) {
        d.sign = 0;
        return d;
    }
    if (!point)
        point = p;
    /* Digits in front of the point, or, as a negative number, zeros between the point and the first digit. */
    d.magnitude = point > d.digits ? point - d.digits : point + 1 - d.digits;
    if (p < end)
        d.magnitude += read_exponent(p + 1, end);
    return d;
}

/* The next digit; -1 behind the last one. */
static int next_digit(const char **p, const char *end)
{
    if (*p < end && **p == '.')
        ++*p;
    return *p < end ? *(*p)++ - '0' : -1;
}

static int compare_digits(const struct ph_decimal *a, const struct ph_decimal *b)
{
    const char *p = a->digits, *q = b->digits;

    for (;;) {
        int x = next_digit(&p, a->end), y = next_digit(&q, b->end);
        if (x < 0 && y < 0)
            return 0;
        x = x < 0 ? 0 : x;
        y = y < 0 ? 0 : y;
        if (x != y)
            return x < y ? -1 : 1;
    }
}

int ph_decimal_compare(const struct ph_decimal *a, const struct ph_decimal *b)
{
    if (a->sign != b->sign || a->sign == 0)
        return a->sign < b->sign ? -1 : a->sign > b->sign;
    if (a->magnitude != b->magnitude)
        return a->magnitude < b->magnitude ? -a->sign : a->sign;
    return a->sign * compare_digits(a, b);
}

/* Up to and with the last one that is not 0. */
static int64_t count_digits(const struct ph_decimal *a)
{
    const char *p = a->digits;
    int64_t n = 0, last = 0;
    int digit;

    while ((digit = next_digit(&p, a->end)) >= 0) {
        n++;
        if (digit)
            last = n;
    }
    return last;
}

bool ph_decimal_is_integer(const struct ph_decimal *a)
{
    return a->sign == 0 || count_digits(a) <= a->magnitude;
}

enum ph_err ph_decimal_divisor_of(const struct ph_decimal *a, struct ph_decimal_divisor *out)
{
    const char *p = a->digits;
    int64_t n;

    if (a->sign <= 0 || (n = count_digits(a)) > DIVISOR_DIGITS_MAX)
        return PH_ERR_VALIDATION;
    out->divisor = 0;
    for (int64_t i = 0; i < n; i++)
        out->divisor = out->divisor * 10 + (uint64_t)next_digit(&p, a->end);
    out->exponent = a->magnitude - n;
    return PH_OK;
}

/*
 * a is V × 10^f, V without zeros at its end; the divisor D × 10^e. For f < e the quotient V / (D × 10^(e-f)) is whole only
 * if V ends in a zero, which it does not. Else V × 10^(f-e) has to be divisible by D: after 64 more zeros, D has no factor
 * left that one more could take out.
 */
bool ph_decimal_is_multiple(const struct ph_decimal *a, const struct ph_decimal_divisor *divisor)
{
    const char *p = a->digits;
    uint64_t rest = 0;
    int64_t n, zeros;

    if (a->sign == 0)
        return true;
    n = count_digits(a);
    zeros = a->magnitude - n - divisor->exponent;
    if (zeros < 0)
        return false;
    for (int64_t i = 0; i < n; i++)
        rest = (rest * 10 + (uint64_t)next_digit(&p, a->end)) % divisor->divisor;
    for (int64_t i = 0; i < zeros && i < 64; i++)
        rest = rest * 10 % divisor->divisor;
    return rest == 0;
}
