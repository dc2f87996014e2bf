#include "posthorn/clock.h"

#include <time.h>

#define DAY_MS      86400000
#define YEAR_MIN_MS (-62167219200000) /* 0000-01-01T00:00:00.000Z */
#define YEAR_MAX_MS 253402300799999   /* 9999-12-31T23:59:59.999Z */

static struct timespec now_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t;
}

int64_t ph_clock_wall_ms(void)
{
    struct timespec t = now_of(CLOCK_REALTIME);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

uint64_t ph_clock_mono_us(void)
{
    struct timespec t = now_of(CLOCK_MONOTONIC);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t ph_clock_mono_ms(void)
{
    struct timespec t = now_of(CLOCK_MONOTONIC);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/*
 * The proleptic Gregorian calendar, counted in years that begin on 1 March, so that the leap day comes last, and in eras
 * of 400 years, which all have 146,097 days. Day 0 is 1970-01-01; 719,468 days lie between it and 0000-03-01.
 */
static int64_t days_of_date(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void date_of_days(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    *month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    *year = (int)(year_of_era + era * 400 + (*month <= 2 ? 1 : 0));
}

/* Writes `width` digits and the character behind them. */
static char *put(char *out, int v, int width, char behind)
{
    for (int i = width - 1; i >= 0; i--) {
        out[i] = (char)('0' + v % 10);
        v /= 10;
    }
    out[width] = behind;
    return out + width + 1;
}

void ph_time_format(int64_t wall_ms, char out[PH_TIME_LEN + 1])
{
    if (wall_ms < YEAR_MIN_MS)
        wall_ms = YEAR_MIN_MS;
    if (wall_ms > YEAR_MAX_MS)
        wall_ms = YEAR_MAX_MS;
    int64_t days = wall_ms / DAY_MS;
    int ms = (int)(wall_ms % DAY_MS);
    if (ms < 0) {
        ms += DAY_MS;
        days--;
    }
    int year, month, day;
    date_of_days(days, &year, &month, &day);
    out = put(out, year, 4, '-');
    out = put(out, month, 2, '-');
    out = put(out, day, 2, 'T');
    out = put(out, ms / 3600000, 2, ':');
    out = put(out, ms / 60000 % 60, 2, ':');
    out = put(out, ms / 1000 % 60, 2, '.');
    out = put(out, ms % 1000, 3, 'Z');
    *out = '\0';
}

/* Cuts `width` digits off the front. */
static bool take_digits(struct ph_str *s, int width, int *v)
{
    if (s->len < (size_t)width)
        return false;
    int sum = 0;
    for (int i = 0; i < width; i++) {
        if (s->ptr[i] < '0' || s->ptr[i] > '9')
            return false;
        sum = sum * 10 + (s->ptr[i] - '0');
    }
    s->ptr += width;
    s->len -= (size_t)width;
    *v = sum;
    return true;
}

/* Cuts one of the two characters off the front. */
static bool take_char(struct ph_str *s, char c, char or_c)
{
    if (s->len == 0 || (s->ptr[0] != c && s->ptr[0] != or_c))
        return false;
    s->ptr++;
    s->len--;
    return true;
}

static bool take_fraction_ms(struct ph_str *s, int *ms)
{
    int digit, scale = 100;
    *ms = 0;
    if (!take_char(s, '.', '.'))
        return true;
    if (!take_digits(s, 1, &digit))
        return false;
    do {
        *ms += digit * scale;
        scale /= 10;
    } while (take_digits(s, 1, &digit));
    return true;
}

static bool take_offset_minutes(struct ph_str *s, int *minutes)
{
    int hour, minute;
    *minutes = 0;
    if (take_char(s, 'Z', 'z'))
        return true;
    bool west = s->len > 0 && s->ptr[0] == '-';
    if (!take_char(s, '+', '-') || !take_digits(s, 2, &hour) || !take_char(s, ':', ':') ||
        !take_digits(s, 2, &minute) || hour > 23 || minute > 59)
        return false;
    *minutes = (west ? -1 : 1) * (hour * 60 + minute);
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

enum ph_err ph_time_parse(struct ph_str s, int64_t *wall_ms)
{
    int year, month, day, hour, minute, second, ms, offset;

    if (!take_digits(&s, 4, &year) || !take_char(&s, '-', '-') || !take_digits(&s, 2, &month) ||
        !take_char(&s, '-', '-') || !take_digits(&s, 2, &day) || !take_char(&s, 'T', 't') ||
        !take_digits(&s, 2, &hour) || !take_char(&s, ':', ':') || !take_digits(&s, 2, &minute) ||
        !take_char(&s, ':', ':') || !take_digits(&s, 2, &second) || !take_fraction_ms(&s, &ms) ||
        !take_offset_minutes(&s, &offset) || s.len > 0)
        return PH_ERR_BAD_REQUEST;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 ||
        minute > 59 || second > 60)
        return PH_ERR_BAD_REQUEST;

    bool leap_second = second == 60;
    if (leap_second) {
        second = 59;
        ms = 999;
    }
    int64_t minutes = days_of_date(year, month, day) * 1440 + hour * 60 + minute - offset;
    int64_t t = (minutes * 60 + second) * 1000 + ms;
    if (t < YEAR_MIN_MS || t > YEAR_MAX_MS)
        return PH_ERR_BAD_REQUEST;
    if (leap_second && minutes % 1440 != 1439 && minutes % 1440 != -1)
        return PH_ERR_BAD_REQUEST; /* leap seconds end a day of UTC */
    *wall_ms = t;
    return PH_OK;
}
