/* Retry-After: delta-seconds or one of the three date forms of RFC 9110, 5.6.7. */
#include "posthorn/http_response.h"

#include <string.h>

#define SECONDS_MAX (7 * 86400)

static const char *const days_short[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", NULL};
static const char *const days_long[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                        "Friday", "Saturday", "Sunday",    NULL};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul",
                                     "Aug", "Sep", "Oct", "Nov", "Dec", NULL};

struct date {
    int day, month, year, hour, minute, second;
};

/* Takes one of the names off the front: its index, -1 when there is none. */
static int take_name(struct ph_str *s, const char *const *names)
{
    for (int i = 0; names[i] != NULL; i++) {
        struct ph_str name = ph_str_of(names[i]);
        if (ph_str_starts(*s, name)) {
            s->ptr += name.len;
            s->len -= name.len;
            return i;
        }
    }
    return -1;
}

/* Takes exactly that many digits off the front (the first may be a space if `pad`): -1 when they are not there. */
static int take_number(struct ph_str *s, size_t digits, bool pad)
{
    if (s->len < digits)
        return -1;
    int v = 0;
    for (size_t i = 0; i < digits; i++) {
        char c = s->ptr[i];
        if (pad && i == 0 && c == ' ')
            c = '0';
        if (c < '0' || c > '9')
            return -1;
        v = v * 10 + (c - '0');
    }
    s->ptr += digits;
    s->len -= digits;
    return v;
}

/* w, W: day's name, short, long; d, e: day of month, padded with zero, space; b: month; Y, y: year of four, two digits;
 * H, M, S: time; anything else is itself. The whole of s has to match. */
static bool match_date(struct ph_str s, const char *pattern, struct date *out)
{
    struct date d = {0};
    for (; *pattern != '\0'; pattern++) {
        int v = 0;
        switch (*pattern) {
        case 'w':
            v = take_name(&s, days_short);
            break;
        case 'W':
            v = take_name(&s, days_long);
            break;
        case 'd':
        case 'e':
            v = d.day = take_number(&s, 2, *pattern == 'e');
            break;
        case 'b':
            v = d.month = take_name(&s, months);
            break;
        case 'Y':
            v = d.year = take_number(&s, 4, false);
            break;
        case 'y':
            v = d.year = take_number(&s, 2, false);
            break;
        case 'H':
            v = d.hour = take_number(&s, 2, false);
            break;
        case 'M':
            v = d.minute = take_number(&s, 2, false);
            break;
        case 'S':
            v = d.second = take_number(&s, 2, false);
            break;
        default:
            if (s.len == 0 || s.ptr[0] != *pattern)
                return false;
            s.ptr++;
            s.len--;
        }
        if (v < 0)
            return false;
    }
    *out = d;
    return s.len == 0;
}

/* Days from 1970-01-01 of the proleptic Gregorian calendar; years are counted from March, so that the leap day is last. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = year - (month < 2);
    int64_t m = (month + 10) % 12;
    int64_t day_of_year = (153 * m + 2) / 5 + day - 1;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static bool is_sound(const struct date *d)
{
    static const int lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return d->day >= 1 && d->day <= lengths[d->month] && d->hour <= 23 && d->minute <= 59 &&
           d->second <= 60;
}

static int64_t seconds_of(const struct date *d)
{
    return days_of(d->year, d->month, d->day) * 86400 + d->hour * 3600 + d->minute * 60 + d->second;
}

/* False when it is not a date. Seconds since 1970. */
static bool parse_date(struct ph_str s, int64_t now_s, int64_t *out)
{
    struct date d;
    bool two_digits = false;
    struct ph_str zone = PH_STR(" GMT");
    struct ph_str rest = s;
    if (s.len > zone.len && memcmp(s.ptr + s.len - zone.len, zone.ptr, zone.len) == 0) {
        rest.len -= zone.len;
        if (!match_date(rest, "w, d b Y H:M:S", &d)) {
            if (!match_date(rest, "W, d-b-y H:M:S", &d))
                return false;
            two_digits = true;
        }
    } else if (!match_date(s, "w b e H:M:S Y", &d)) {
        return false;
    }
    if (!is_sound(&d))
        return false;
    if (two_digits) {
        /* RFC 9110: a year that seems more than 50 years ahead is of the century before. */
        d.year += 2000;
        if (seconds_of(&d) > now_s + INT64_C(50) * 31556952)
            d.year -= 100;
    }
    *out = seconds_of(&d);
    return true;
}

int64_t ph_http_retry_after_s(struct ph_str value, int64_t now_wall_ms)
{
    value = ph_str_trim(value);
    if (value.len == 0)
        return -1;
    size_t digits = 0;
    while (digits < value.len && value.ptr[digits] >= '0' && value.ptr[digits] <= '9')
        digits++;
    if (digits == value.len) {
        int64_t v;
        if (ph_str_to_i64(value, &v) != PH_OK || v > SECONDS_MAX)
            return SECONDS_MAX; /* too large even for 64 bits */
        return v;
    }
    int64_t now_s = now_wall_ms / 1000;
    int64_t then_s;
    if (!parse_date(value, now_s, &then_s))
        return -1;
    int64_t wait_s = then_s - now_s;
    return wait_s < 0 ? 0 : wait_s > SECONDS_MAX ? SECONDS_MAX : wait_s;
}
