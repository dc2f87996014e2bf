#include "posthorn/http_response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { HEADER_BYTES = 1024, BODY_BYTES = 16, BODY_READ_BYTES = 64 };

static int set_up(void **state)
{
    *state = ph_http_response_new(HEADER_BYTES, BODY_BYTES, BODY_READ_BYTES);
    return 0;
}

static int tear_down(void **state)
{
    ph_http_response_free(*state);
    return 0;
}

/* Feeds it as a whole, from a copy of the exact size, into a fresh parser. */
static enum ph_http_progress feed(struct ph_http_response *r, const char *text)
{
    ph_http_response_reset(r);
    size_t n = strlen(text);
    char *copy = malloc(n > 0 ? n : 1);
    assert_non_null(copy);
    memcpy(copy, text, n);
    enum ph_http_progress progress = ph_http_response_feed(r, copy, n);
    free(copy);
    return progress;
}

static void assert_body(const struct ph_http_response *r, const char *want)
{
    struct ph_str body = ph_http_response_body(r);
    assert_int_equal(body.len, strlen(want));
    assert_memory_equal(body.ptr, want, body.len);
}

static void assert_refused(struct ph_http_response *r, const char *text, const char *fault)
{
    assert_int_equal(feed(r, text), PH_HTTP_INVALID);
    assert_non_null(strstr(ph_http_response_fault(r), fault));
    assert_false(ph_http_response_keep_alive(r));
    /* it stays refused */
    assert_int_equal(ph_http_response_feed(r, "HTTP/1.1 200 OK\r\n\r\n", 19), PH_HTTP_INVALID);
    assert_int_equal(ph_http_response_eof(r), PH_HTTP_INVALID);
}

static void body_of_known_length(void **state)
{
    struct ph_http_response *r = *state;
    assert_false(ph_http_response_started(r));
    assert_int_equal(feed(r, "HTTP/1.1 201 Created\r\nContent-Length: 5\r\nX-A:  b \r\n\r\nhello"),
                     PH_HTTP_COMPLETE);
    assert_int_equal(ph_http_response_status(r), 201);
    assert_body(r, "hello");
    assert_true(ph_http_response_keep_alive(r));
    assert_true(ph_http_response_started(r));
    assert_false(ph_http_response_truncated(r));
    assert_true(ph_str_eq_c(ph_http_response_header(r, "x-a"), "b"));
    assert_null(ph_http_response_header(r, "x-b").ptr);
    assert_null(ph_http_response_fault(r));
}

static void byte_by_byte_is_the_same(void **state)
{
    struct ph_http_response *r = *state;
    const char *text = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
                       "HTTP/1.1 200 OK\nTransfer-Encoding: Chunked\r\n\r\n"
                       "5;ext=1\r\nhello\r\nA\r\n, world!!!\r\n0\r\nTrailer: x\r\n\r\n";
    for (size_t i = 0; text[i] != '\0'; i++) {
        bool last = text[i + 1] == '\0';
        assert_int_equal(ph_http_response_feed(r, text + i, 1),
                         last ? PH_HTTP_COMPLETE : PH_HTTP_MORE);
    }
    assert_int_equal(ph_http_response_status(r), 200);
    assert_body(r, "hello, world!!!");
    assert_true(ph_http_response_keep_alive(r));
}

static void bytes_behind_the_answer_end_reuse(void **state)
{
    struct ph_http_response *r = *state;
    assert_int_equal(feed(r, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1"),
                     PH_HTTP_COMPLETE);
    assert_false(ph_http_response_keep_alive(r));
    assert_body(r, "ok");

    assert_int_equal(feed(r, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), PH_HTTP_COMPLETE);
    assert_true(ph_http_response_keep_alive(r));
    assert_int_equal(ph_http_response_feed(r, "x", 1), PH_HTTP_COMPLETE);
    assert_false(ph_http_response_keep_alive(r));
}

static void keep_alive_by_version_and_connection(void **state)
{
    static const struct {
        const char *text;
        bool keep_alive;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x, CLOSE\r\n\r\n", false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: a\r\nConnection: close\r\n\r\n",
         false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n", true},
        {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: Keep-Alive\r\n\r\n"
         "0\r\n\r\n",
         false},
        {"HTTP/1.1 204 No Content\r\n\r\n", true},
        {"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n", false},
        {"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", false},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(feed(*state, rows[i].text), PH_HTTP_COMPLETE);
        if (ph_http_response_keep_alive(*state) != rows[i].keep_alive)
            fail_msg("row %zu", i);
        assert_body(*state, "");
    }
}

static void body_until_the_end(void **state)
{
    struct ph_http_response *r = *state;
    assert_int_equal(feed(r, "HTTP/1.1 200 OK\r\n\r\nall of it"), PH_HTTP_MORE);
    assert_int_equal(ph_http_response_eof(r), PH_HTTP_COMPLETE);
    assert_body(r, "all of it");
    assert_false(ph_http_response_keep_alive(r));
}

static void an_end_too_early_is_not_complete(void **state)
{
    static const char *const texts[] = {
        "",
        "HTTP/1.",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(feed(*state, texts[i]), PH_HTTP_MORE);
        assert_int_equal(ph_http_response_eof(*state), PH_HTTP_MORE);
    }
}

static void forgetful_but_harmless_servers_are_read(void **state)
{
    assert_int_equal(feed(*state, "HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx"), PH_HTTP_COMPLETE);
    assert_int_equal(feed(*state, "HTTP/1.1 200 OK\nContent-Length: 1\n\nx"), PH_HTTP_COMPLETE);
    assert_int_equal(feed(*state, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
                                  "Content-Length: 1\r\n\r\nx"),
                     PH_HTTP_COMPLETE);
    assert_int_equal(feed(*state, "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 1\r\n\r\nx"),
                     PH_HTTP_COMPLETE);
}

static void what_is_not_http_is_refused(void **state)
{
    struct ph_http_response *r = *state;
    assert_refused(r, "X", "does not begin with");
    assert_refused(r, "HTTP/2", "does not begin with");
    assert_refused(r, "\x15\x03\x01", "does not begin with");
    assert_refused(r, "HTTP/1.2 200 OK\r\n\r\n", "status line");
    assert_refused(r, "HTTP/1.1 20 OK\r\n\r\n", "status line");
    assert_refused(r, "HTTP/1.1 2000 OK\r\n\r\n", "status line");
    assert_refused(r, "HTTP/1.1 099 OK\r\n\r\n", "status line");
    assert_refused(r, "HTTP/1.1  200 OK\r\n\r\n", "status line");
    assert_refused(r, "HTTP/1.1 200 O\x01K\r\n\r\n", "status line");
    assert_refused(r, "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "headers are malformed");
    assert_refused(r, "HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "headers are malformed");
    assert_refused(r, "HTTP/1.1 200 OK\r\nA: \x01\r\n\r\n", "headers are malformed");
    assert_refused(r, "HTTP/1.1 101 Switching Protocols\r\n\r\n", "another protocol");
}

static void doubtful_framing_is_refused(void **state)
{
    struct ph_http_response *r = *state;
#define HEAD "HTTP/1.1 200 OK\r\n"
    assert_refused(r, HEAD "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "twice");
    assert_refused(r, HEAD "Content-Length: 1, 1\r\n\r\n", "not a number");
    assert_refused(r, HEAD "Content-Length: -1\r\n\r\n", "not a number");
    assert_refused(r, HEAD "Content-Length: +1\r\n\r\n", "not a number");
    assert_refused(r, HEAD "Content-Length:\r\n\r\n", "not a number");
    assert_refused(r, HEAD "Content-Length: 99999999999999999999\r\n\r\n", "not a number");
    assert_refused(r, HEAD "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "both");
    assert_refused(r, HEAD "Transfer-Encoding: gzip\r\n\r\n", "not chunked");
    assert_refused(r, HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n", "not chunked");
    assert_refused(r, HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
                   "not chunked");
    assert_refused(r, HEAD "Content-Length: 1\r\n 2\r\n\r\n", "folded");
    assert_refused(r, HEAD "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "chunk");
    assert_refused(r, HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", "chunk");
    assert_refused(r, HEAD "Transfer-Encoding: chunked\r\n\r\n11111111111111111\r\n", "chunk");
#undef HEAD
}

/* An answer of exactly `bytes` bytes of headers. */
static char *long_headers(size_t bytes)
{
    static const char begin[] = "HTTP/1.1 204 No Content\r\nX: ";
    char *text = malloc(bytes + 1);
    assert_non_null(text);
    memset(text, 'x', bytes);
    memcpy(text, begin, sizeof(begin) - 1);
    memcpy(text + bytes - 4, "\r\n\r\n", 5);
    return text;
}

static void header_block_over_the_cap_is_refused(void **state)
{
    char *fits = long_headers(HEADER_BYTES), *too_long = long_headers(HEADER_BYTES + 1);
    assert_int_equal(feed(*state, fits), PH_HTTP_COMPLETE);
    assert_refused(*state, too_long, "too long");
    free(fits);
    free(too_long);
}

static void interim_answers_count_for_the_cap(void **state)
{
    struct ph_http_response *r = *state;
    static const char interim[] = "HTTP/1.1 102 Processing\r\n\r\n";
    enum ph_http_progress progress = PH_HTTP_MORE;
    size_t n = 0;
    while (progress == PH_HTTP_MORE && n++ < HEADER_BYTES)
        progress = ph_http_response_feed(r, interim, sizeof(interim) - 1);
    assert_int_equal(progress, PH_HTTP_INVALID);
    assert_int_equal(n, HEADER_BYTES / (sizeof(interim) - 1) + 1);
    assert_int_equal(ph_http_response_status(r), 0);
}

static void too_many_headers_are_refused(void **state)
{
    char text[HEADER_BYTES];
    size_t n = (size_t)snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 101; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "A:b\r\n");
    snprintf(text + n, sizeof(text) - n, "\r\n");
    assert_refused(*state, text, "too many");
}

static void only_the_first_bytes_of_the_body_are_kept(void **state)
{
    assert_int_equal(feed(*state, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"
                                  "0123456789abcdefghij"),
                     PH_HTTP_COMPLETE);
    assert_body(*state, "0123456789abcdef");
    assert_true(ph_http_response_keep_alive(*state));
    assert_false(ph_http_response_truncated(*state));
}

static void body_over_the_reading_cap_is_cut(void **state)
{
    static const char *const heads[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
    };
    for (size_t i = 0; i < 3; i++) {
        struct ph_http_response *r = *state;
        assert_int_equal(feed(r, heads[i]), PH_HTTP_MORE);
        size_t n = 1;
        while (ph_http_response_feed(r, "y", 1) == PH_HTTP_MORE && n < 1000)
            n++;
        assert_int_equal(n, i == 0 ? BODY_READ_BYTES : BODY_READ_BYTES + 1);
        assert_true(ph_http_response_truncated(r));
        assert_false(ph_http_response_keep_alive(r));
        assert_int_equal(ph_http_response_status(r), 200);
        assert_body(r, "yyyyyyyyyyyyyyyy");
    }
}

static void a_body_of_exactly_the_reading_cap_is_whole(void **state)
{
    struct ph_http_response *r = *state;
    assert_int_equal(feed(r, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n"),
                     PH_HTTP_MORE);
    for (int i = 0; i < BODY_READ_BYTES; i++)
        assert_int_equal(ph_http_response_feed(r, "y", 1), PH_HTTP_MORE);
    assert_int_equal(ph_http_response_feed(r, "\r\n0\r\n\r\n", 7), PH_HTTP_COMPLETE);
    assert_false(ph_http_response_truncated(r));
    assert_true(ph_http_response_keep_alive(r));
}

static void endless_chunk_overhead_is_cut(void **state)
{
    struct ph_http_response *r = *state;
    assert_int_equal(feed(r, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;"),
                     PH_HTTP_MORE);
    char extension[1024];
    memset(extension, 'e', sizeof(extension));
    int n = 0;
    while (ph_http_response_feed(r, extension, sizeof(extension)) == PH_HTTP_MORE && n < 1000)
        n++;
    assert_true(n < 100);
    assert_true(ph_http_response_truncated(r));
}

static void header_lines_are_kept_as_they_came(void **state)
{
    static const struct {
        const char *answer, *want;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nA: 1\r\nb:2\r\nContent-Length: 0\r\n\r\n",
         "A: 1\r\nb:2\r\nContent-Length: 0\r\n"},
        {"HTTP/1.1 204\nA: 1\n\n", "A: 1\n"},
        {"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 204 None\r\nA: 1\r\n\r\n", "A: 1\r\n"},
        {"HTTP/1.1 204 None\r\n\r\n", NULL},
    };
    struct ph_http_response *r = *state;

    assert_null(ph_http_response_headers(r).ptr);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(feed(r, cases[i].answer), PH_HTTP_COMPLETE);
        struct ph_str lines = ph_http_response_headers(r);
        if (cases[i].want)
            assert_true(ph_str_eq_c(lines, cases[i].want));
        else
            assert_null(lines.ptr);
    }
}

static void nothing_is_left_after_reset(void **state)
{
    struct ph_http_response *r = *state;
    assert_int_equal(feed(r, "HTTP/1.1 500 Oops\r\nContent-Length: 2\r\nX: y\r\n\r\nno"),
                     PH_HTTP_COMPLETE);
    ph_http_response_reset(r);
    assert_int_equal(ph_http_response_status(r), 0);
    assert_false(ph_http_response_started(r));
    assert_null(ph_http_response_header(r, "X").ptr);
    assert_null(ph_http_response_headers(r).ptr);
    assert_body(r, "");
    assert_int_equal(ph_http_response_eof(r), PH_HTTP_MORE);
}

#define NOW_S  INT64_C(1792314000) /* 2026-10-18T09:00:00Z */
#define NOW_MS (NOW_S * 1000)

static int64_t retry_after(const char *text)
{
    return ph_http_retry_after_s(ph_str_of(text), NOW_MS);
}

static void retry_after_in_seconds(void **state)
{
    (void)state;
    assert_int_equal(retry_after("0"), 0);
    assert_int_equal(retry_after(" 120 "), 120);
    assert_int_equal(retry_after("604801"), 604800);
    assert_int_equal(retry_after("99999999999999999999999"), 604800);
    assert_int_equal(retry_after(NULL), -1);
    assert_int_equal(retry_after(""), -1);
    assert_int_equal(retry_after("-1"), -1);
    assert_int_equal(retry_after("1.5"), -1);
    assert_int_equal(retry_after("soon"), -1);
}

static void retry_after_as_a_date(void **state)
{
    (void)state;
    assert_int_equal(retry_after("Sun, 18 Oct 2026 09:01:30 GMT"), 90);
    assert_int_equal(retry_after("Sunday, 18-Oct-26 09:01:30 GMT"), 90);
    assert_int_equal(retry_after("Sun Oct 18 09:01:30 2026"), 90);
    assert_int_equal(retry_after("Thu Oct  1 09:01:30 2026"), 0);
    assert_int_equal(retry_after("Sun, 06 Nov 1994 08:49:37 GMT"), 0);
    assert_int_equal(retry_after("Sunday, 06-Nov-94 08:49:37 GMT"), 0);
    assert_int_equal(retry_after("Fri, 01 Jan 2100 00:00:00 GMT"), 604800);
    assert_int_equal(retry_after("Sun, 18 Oct 2026 09:01:30"), -1);
    assert_int_equal(retry_after("Sun, 18 Oct 2026 09:01:30 CET"), -1);
    assert_int_equal(retry_after("Sun, 18 Oct 2026 24:01:30 GMT"), -1);
    assert_int_equal(retry_after("Sun, 32 Oct 2026 09:01:30 GMT"), -1);
    assert_int_equal(retry_after("Sun, 00 Oct 2026 09:01:30 GMT"), -1);
    assert_int_equal(retry_after("Sun, 18 Oct 2026 09:01:30 GMT x"), -1);
}

/* Days around leap days and ends of centuries, against the C library. */
static void dates_agree_with_the_calendar(void **state)
{
    (void)state;
    static const int64_t days[] = {0, 58, 59, 789, 10956, 10957, 11016, 11017, 20000, 20148, 47540};
    for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++) {
        char text[64];
        time_t then = days[i] * 86400 + 3723;
        struct tm tm;
        gmtime_r(&then, &tm);
        strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        assert_int_equal(ph_http_retry_after_s(ph_str_of(text), (then - 7) * 1000), 7);
    }
}

int main(void)
{
#define WITH_PARSER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_PARSER(body_of_known_length),
        WITH_PARSER(byte_by_byte_is_the_same),
        WITH_PARSER(bytes_behind_the_answer_end_reuse),
        WITH_PARSER(keep_alive_by_version_and_connection),
        WITH_PARSER(body_until_the_end),
        WITH_PARSER(an_end_too_early_is_not_complete),
        WITH_PARSER(forgetful_but_harmless_servers_are_read),
        WITH_PARSER(what_is_not_http_is_refused),
        WITH_PARSER(doubtful_framing_is_refused),
        WITH_PARSER(header_block_over_the_cap_is_refused),
        WITH_PARSER(interim_answers_count_for_the_cap),
        WITH_PARSER(too_many_headers_are_refused),
        WITH_PARSER(only_the_first_bytes_of_the_body_are_kept),
        WITH_PARSER(body_over_the_reading_cap_is_cut),
        WITH_PARSER(a_body_of_exactly_the_reading_cap_is_whole),
        WITH_PARSER(endless_chunk_overhead_is_cut),
        WITH_PARSER(header_lines_are_kept_as_they_came),
        WITH_PARSER(nothing_is_left_after_reset),
        cmocka_unit_test(retry_after_in_seconds),
        cmocka_unit_test(retry_after_as_a_date),
        cmocka_unit_test(dates_agree_with_the_calendar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
