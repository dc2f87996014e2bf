#include "posthorn/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int real_stderr, reader;

/* Standard error becomes a socket that keeps the borders of writes: one packet read is one write(2). */
static int capture(void **state)
{
    (void)state;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0)
        return -1;
    real_stderr = dup(STDERR_FILENO);
    dup2(pair[1], STDERR_FILENO);
    close(pair[1]);
    reader = pair[0];
    return 0;
}

static int release(void **state)
{
    (void)state;
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(reader);
    return 0;
}

static char line[20000];

/* The next line as JSON, or NULL when nothing was logged. */
static json_t *next_line(void)
{
    ssize_t n = recv(reader, line, sizeof(line) - 1, MSG_DONTWAIT);
    if (n <= 0)
        return NULL;
    line[n] = '\0';
    assert_int_equal(line[n - 1], '\n');
    assert_null(memchr(line, '\n', (size_t)n - 1));
    assert_true(n <= 8192);
    json_error_t error;
    json_t *json = json_loadb(line, (size_t)n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (json == NULL)
        fail_msg("not JSON: %s in %s", error.text, line);
    return json;
}

static const char *text_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text != NULL ? text : "(no string)";
}

static void test_line_holds_time_level_message_and_fields(void **state)
{
    (void)state;
    struct ph_id zero = {{0}};
    ph_log(PH_LOG_WARN, "database lost", ph_log_s("host", "db1"), ph_log_i("retry_ms", -500),
           ph_log_str("part", ((struct ph_str){"abcdef", 3})), ph_log_s("none", NULL),
           ph_log_id("message", PH_ID_MESSAGE, zero));
    json_t *json = next_line();
    assert_non_null(json);
    assert_int_equal(json_object_size(json), 8);
    assert_int_equal(strlen(text_of(json, "time")), 24);
    assert_string_equal(text_of(json, "level"), "warn");
    assert_string_equal(text_of(json, "msg"), "database lost");
    assert_string_equal(text_of(json, "host"), "db1");
    assert_string_equal(text_of(json, "part"), "abc");
    assert_int_equal(json_integer_value(json_object_get(json, "retry_ms")), -500);
    assert_true(json_is_null(json_object_get(json, "none")));
    assert_string_equal(text_of(json, "message"), "msg_0000000000000000000000");
    json_decref(json);
    assert_null(next_line());
}

static void test_every_byte_value_gives_valid_json(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char text[3] = {'<', (char)c, '>'};
        ph_log(PH_LOG_ERROR, "m", ph_log_str("v", ((struct ph_str){text, 3})));
        json_t *json = next_line();
        assert_non_null(json);
        json_t *value = json_object_get(json, "v");
        if (c < 0x80) {
            assert_int_equal(json_string_length(value), 3);
            assert_memory_equal(json_string_value(value), text, 3);
        } else {
            assert_string_equal(json_string_value(value), "<\xef\xbf\xbd>");
        }
        for (const char *p = line; *p != '\n'; p++)
            assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
        json_decref(json);
    }
}

static void test_hostile_text_stays_inside_its_string(void **state)
{
    (void)state;
    ph_log(PH_LOG_INFO, "a\"}\n{\"level\":\"error",
           ph_log_s("k\"\\\n", "\",\"admin\":true,\"x\":\"\\"),
           ph_log_s("utf8", "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80 \xed\xa0\x80 \xc3"));
    json_t *json = next_line();
    assert_non_null(json);
    assert_string_equal(text_of(json, "msg"), "a\"}\n{\"level\":\"error");
    assert_string_equal(text_of(json, "level"), "info");
    assert_string_equal(text_of(json, "k\"\\\n"), "\",\"admin\":true,\"x\":\"\\");
    assert_null(json_object_get(json, "admin"));
    assert_string_equal(text_of(json, "utf8"), "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80 "
                                               "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd");
    json_decref(json);
}

static char long_text[30000];

/* Text of every kind of character and of every length near the cap: the line is cut, never broken. */
static void test_long_line_is_cut_and_still_json(void **state)
{
    (void)state;
    const char *units[] = {"x", "\"", "\n", "\xff", "\xc3\xa4", "\xf0\x9f\x98\x80"};
    for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
        size_t unit_len = strlen(units[u]), n = 0;
        for (; n + unit_len <= sizeof(long_text); n += unit_len)
            memcpy(long_text + n, units[u], unit_len);
        ph_log(PH_LOG_INFO, "long", ph_log_str("text", ((struct ph_str){long_text, n})),
               ph_log_i("after", 1));
        json_t *json = next_line();
        assert_non_null(json);
        assert_true(json_is_true(json_object_get(json, "truncated")));
        assert_true(json_string_length(json_object_get(json, "text")) > 1000);
        json_decref(json);
    }
}

static void test_every_length_near_the_cap(void **state)
{
    (void)state;
    memset(long_text, 'y', sizeof(long_text));
    int n_whole = 0, n_cut = 0;
    for (size_t n = 7900; n < 8300; n++) {
        ph_log(PH_LOG_INFO, "m", ph_log_str("text", ((struct ph_str){long_text, n})),
               ph_log_s("second", "short"), ph_log_i("third", 1234567));
        json_t *json = next_line();
        assert_non_null(json);
        bool whole = json_string_length(json_object_get(json, "text")) == n &&
                     json_object_get(json, "second") != NULL &&
                     strcmp(text_of(json, "second"), "short") == 0 &&
                     json_integer_value(json_object_get(json, "third")) == 1234567;
        assert_true(whole == (json_object_get(json, "truncated") == NULL));
        n_whole += whole;
        n_cut += !whole;
        json_decref(json);
    }
    assert_true(n_whole > 0 && n_cut > 0);
}

static void test_long_message_and_names_are_cut_too(void **state)
{
    (void)state;
    memset(long_text, 'z', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    ph_log(PH_LOG_INFO, long_text, ph_log_i("n", 1));
    json_t *json = next_line();
    assert_non_null(json);
    json_decref(json);
    ph_log(PH_LOG_INFO, "m", ph_log_i(long_text, 1), ph_log_i("n", 1));
    json = next_line();
    assert_non_null(json);
    assert_true(json_is_true(json_object_get(json, "truncated")));
    json_decref(json);
}

static void test_lines_below_the_level_are_dropped(void **state)
{
    (void)state;
    ph_log_set_level(PH_LOG_WARN);
    ph_log(PH_LOG_INFO, "quiet", ph_log_i("n", 1));
    assert_null(next_line());
    ph_log(PH_LOG_WARN, "loud", ph_log_i("n", 1));
    json_t *json = next_line();
    assert_non_null(json);
    json_decref(json);
    ph_log_set_level(PH_LOG_DEBUG);
    ph_log(PH_LOG_DEBUG, "all", ph_log_i("n", 1));
    json = next_line();
    assert_non_null(json);
    json_decref(json);
    ph_log_set_level(PH_LOG_INFO);
}

static void test_level_names_go_both_ways(void **state)
{
    (void)state;
    for (int i = PH_LOG_DEBUG; i <= PH_LOG_ERROR; i++) {
        enum ph_log_level level;
        const char *name = ph_log_level_name((enum ph_log_level)i);
        assert_int_equal(ph_log_level_parse(ph_str_of(name), &level), PH_OK);
        assert_int_equal(level, i);
    }
    enum ph_log_level level = PH_LOG_WARN;
    assert_int_equal(ph_log_level_parse(PH_STR("INFO"), &level), PH_ERR_BAD_REQUEST);
    assert_int_equal(ph_log_level_parse(PH_STR(""), &level), PH_ERR_BAD_REQUEST);
    assert_int_equal(level, PH_LOG_WARN);
}

static void test_errno_survives(void **state)
{
    (void)state;
    close(STDERR_FILENO); /* the write fails */
    errno = ENOENT;
    ph_log(PH_LOG_ERROR, "m", ph_log_i("n", 1));
    assert_int_equal(errno, ENOENT);
}

int main(void)
{
#define CAPTURED(test) cmocka_unit_test_setup_teardown(test, capture, release)
    const struct CMUnitTest tests[] = {
        CAPTURED(test_line_holds_time_level_message_and_fields),
        CAPTURED(test_every_byte_value_gives_valid_json),
        CAPTURED(test_hostile_text_stays_inside_its_string),
        CAPTURED(test_long_line_is_cut_and_still_json),
        CAPTURED(test_every_length_near_the_cap),
        CAPTURED(test_long_message_and_names_are_cut_too),
        CAPTURED(test_lines_below_the_level_are_dropped),
        CAPTURED(test_level_names_go_both_ways),
        CAPTURED(test_errno_survives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
