#include "posthorn/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

static void assert_formats(int64_t wall_ms, const char *text)
{
    char out[PH_TIME_LEN + 1];
    ph_time_format(wall_ms, out);
    assert_string_equal(out, text);
}

static void assert_parses(const char *text, int64_t wall_ms)
{
    int64_t v = 1;
    if (ph_time_parse(ph_str_of(text), &v) != PH_OK)
        fail_msg("refused: %s", text);
    if (v != wall_ms)
        fail_msg("%s: %lld, expected %lld", text, (long long)v, (long long)wall_ms);
}

static void assert_refused(const char *text)
{
    int64_t v = 1;
    if (ph_time_parse(ph_str_of(text), &v) != PH_ERR_BAD_REQUEST)
        fail_msg("accepted: %s", text);
    assert_true(v == 1);
}

static void test_format(void **state)
{
    (void)state;
    assert_formats(0, "1970-01-01T00:00:00.000Z");
    assert_formats(-1, "1969-12-31T23:59:59.999Z");
    assert_formats(1795512600250, "2026-11-24T09:30:00.250Z");
    assert_formats(951782400000, "2000-02-29T00:00:00.000Z");
    assert_formats(-62167219200000, "0000-01-01T00:00:00.000Z");
    assert_formats(253402300799999, "9999-12-31T23:59:59.999Z");
    assert_formats(INT64_MIN, "0000-01-01T00:00:00.000Z");
    assert_formats(INT64_MAX, "9999-12-31T23:59:59.999Z");
}

/* Every day of 1600 to 2400, held against the C library, and parsed back. */
static void test_calendar_agrees_with_the_c_library(void **state)
{
    (void)state;
    for (int64_t day = -135140; day < 157000; day++) {
        int64_t ms = day * 86400000 + (day & 0xffff) * 1000 + 7;
        time_t seconds = (time_t)(ms / 1000 - (ms % 1000 < 0));
        struct tm tm;
        char expected[64], out[PH_TIME_LEN + 1];
        gmtime_r(&seconds, &tm);
        snprintf(expected, sizeof(expected), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, 7);
        ph_time_format(ms, out);
        if (strcmp(out, expected) != 0)
            fail_msg("%s, expected %s", out, expected);
        int64_t back;
        if (ph_time_parse(ph_str_of(out), &back) != PH_OK || back != ms)
            fail_msg("%s does not parse back", out);
    }
}

static void test_parse_offsets_and_fractions(void **state)
{
    (void)state;
    assert_parses("1970-01-01T00:00:00Z", 0);
    assert_parses("1970-01-01t00:00:00z", 0);
    assert_parses("1970-01-01T01:30:00+01:30", 0);
    assert_parses("1969-12-31T18:00:00-06:00", 0);
    assert_parses("1970-01-01T00:00:00-00:00", 0);
    assert_parses("1970-01-02T00:59:00+23:59", 3600000);
    assert_parses("1970-01-01T00:00:00.5Z", 500);
    assert_parses("1970-01-01T00:00:00.05Z", 50);
    assert_parses("1970-01-01T00:00:00.1239999999999999999Z", 123);
    assert_parses("1969-12-31T23:59:59.999Z", -1);
    assert_parses("2026-11-24T09:30:00.250000+00:00", 1795512600250);
}

static void test_parse_leap_days(void **state)
{
    (void)state;
    assert_parses("2000-02-29T00:00:00Z", 951782400000);
    assert_parses("2024-02-29T00:00:00Z", 1709164800000);
    assert_refused("1900-02-29T00:00:00Z");
    assert_refused("2100-02-29T00:00:00Z");
    assert_refused("2023-02-29T00:00:00Z");
    assert_refused("2024-02-30T00:00:00Z");
}

static void test_parse_leap_second_ends_a_day_of_utc(void **state)
{
    (void)state;
    assert_parses("2016-12-31T23:59:60Z", 1483228799999);
    assert_parses("2016-12-31T23:59:60.7Z", 1483228799999);
    assert_parses("2017-01-01T05:29:60+05:30", 1483228799999);
    assert_parses("1969-12-31T23:59:60Z", -1);
    assert_parses("1965-12-31T23:59:60Z", -126230400001);
    assert_refused("2016-12-31T23:58:60Z");
    assert_refused("2016-12-31T23:59:60+01:00");
    assert_refused("2016-12-31T12:00:60Z");
    assert_refused("2016-12-31T23:59:61Z");
}

static void test_parse_refuses_all_else(void **state)
{
    (void)state;
    const char *bad[] = {
        "",
        "Z",
        "2026",
        "2026-11-24",
        "2026-11-24T09:30:00",
        "2026-11-24T09:30Z",
        "2026-11-24 09:30:00Z",
        "2026-11-24T09:30:00.Z",
        "2026-11-24T09:30:00,5Z",
        "2026-11-24T09:30:00Z ",
        " 2026-11-24T09:30:00Z",
        "2026-11-24T09:30:00ZZ",
        "2026-11-24T09:30:00+0100",
        "2026-11-24T09:30:00+01",
        "2026-11-24T09:30:00+1:00",
        "2026-11-24T09:30:00+24:00",
        "2026-11-24T09:30:00+01:60",
        "2026-11-24T09:30:00 01:00",
        "2026-00-24T09:30:00Z",
        "2026-13-24T09:30:00Z",
        "2026-11-00T09:30:00Z",
        "2026-11-31T09:30:00Z",
        "2026-01-32T09:30:00Z",
        "2026-11-24T24:00:00Z",
        "2026-11-24T09:60:00Z",
        "2026-1-24T09:30:00Z",
        "+2026-11-24T09:30:00Z",
        "-2026-11-24T09:30:00Z",
        "12026-11-24T09:30:00Z",
        "20261124T093000Z",
        "2026-11-24T09:30:0xZ",
        "0000-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_refused(bad[i]);
    int64_t v;
    assert_int_equal(ph_time_parse(PH_STR_NONE, &v), PH_ERR_BAD_REQUEST);
    /* Bytes behind the slice do not count. */
    assert_int_equal(ph_time_parse((struct ph_str){"2026-11-24T09:30:00Z", 19}, &v),
                     PH_ERR_BAD_REQUEST);
}

static void test_clocks_agree_and_go_forward(void **state)
{
    (void)state;
    int64_t wall_s = ph_clock_wall_ms() / 1000, now = (int64_t)time(NULL);
    assert_true(now - wall_s <= 1 && wall_s - now <= 1);
    uint64_t ms = ph_clock_mono_ms(), us = ph_clock_mono_us();
    assert_true(us / 1000 >= ms && us / 1000 - ms < 1000);
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    assert_true(ph_clock_mono_us() - us >= 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_calendar_agrees_with_the_c_library),
        cmocka_unit_test(test_parse_offsets_and_fractions),
        cmocka_unit_test(test_parse_leap_days),
        cmocka_unit_test(test_parse_leap_second_ends_a_day_of_utc),
        cmocka_unit_test(test_parse_refuses_all_else),
        cmocka_unit_test(test_clocks_agree_and_go_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
