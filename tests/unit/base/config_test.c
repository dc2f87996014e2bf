#include "posthorn/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ph_buf problems;
static struct ph_config config;

static int setup(void **state)
{
    (void)state;
    ph_buf_init(&problems, 1 << 16);
    memset(&config, 0, sizeof(config));
    /* all but what the runner asks of cmocka */
    const char *output = getenv("CMOCKA_MESSAGE_OUTPUT");
    char *kept = output ? strdup(output) : NULL;
    int rc = clearenv();
    if (kept)
        rc |= setenv("CMOCKA_MESSAGE_OUTPUT", kept, 1);
    free(kept);
    return rc;
}

static int teardown(void **state)
{
    (void)state;
    ph_buf_free(&problems);
    return 0;
}

/* Loads with one variable set; the fault line, or NULL when there was none. */
static const char *fault_of(const char *name, const char *value)
{
    static char text[1000];
    ph_buf_clear(&problems);
    setenv(name, value, 1);
    enum ph_err err = ph_config_load(&problems, &config);
    unsetenv(name);
    if (err == PH_OK) {
        assert_int_equal(problems.len, 0);
        return NULL;
    }
    assert_int_equal(err, PH_ERR_CONFIG);
    struct ph_str rest = ph_buf_str(&problems), line, none;
    assert_true(ph_str_split(&rest, '\n', &line) && ph_str_split(&rest, '\n', &none));
    assert_true(line.len > 0 && none.len == 0 && rest.ptr == NULL); /* exactly one line */
    snprintf(text, sizeof(text), "%.*s", (int)line.len, line.ptr);
    return text;
}

static void test_defaults_are_valid(void **state)
{
    (void)state;
    assert_int_equal(ph_config_load(&problems, &config), PH_OK);
    assert_int_equal(problems.len, 0);
    assert_string_equal(config.database_url, "");
    assert_string_equal(config.listen, "127.0.0.1:8071");
    assert_int_equal(config.log_level, PH_LOG_INFO);
    assert_true(config.body_bytes == 1 << 20);
    assert_true(config.response_bytes == 16 << 10);
    assert_true(config.attempt_timeout_ms == 15000);
}

static void test_values_come_from_the_environment(void **state)
{
    (void)state;
    setenv("POSTHORN_DATABASE_URL", "postgres://x", 1);
    setenv("POSTHORN_LOG_LEVEL", "debug", 1);
    setenv("POSTHORN_HTTP_THREADS", "3", 1);
    setenv("POSTHORN_BODY_BYTES", "2K", 1);
    setenv("POSTHORN_MEMORY_BYTES", "3G", 1);
    setenv("POSTHORN_RETRY_SCHEDULE", "", 1);
    setenv("PATH", "/bin", 1);
    assert_int_equal(ph_config_load(&problems, &config), PH_OK);
    assert_string_equal(config.database_url, "postgres://x");
    assert_int_equal(config.log_level, PH_LOG_DEBUG);
    assert_true(config.http_threads == 3);
    assert_true(config.body_bytes == 2048);
    assert_true(config.memory_bytes == INT64_C(3) << 30);
    assert_string_equal(config.retry_schedule, "");
}

static void test_bounds_are_inclusive(void **state)
{
    (void)state;
    assert_null(fault_of("POSTHORN_HTTP_THREADS", "64"));
    assert_null(fault_of("POSTHORN_HTTP_THREADS", "0"));
    assert_non_null(fault_of("POSTHORN_HTTP_THREADS", "65"));
    assert_non_null(fault_of("POSTHORN_HTTP_THREADS", "-1"));
    assert_null(fault_of("POSTHORN_BODY_BYTES", "64M"));
    assert_non_null(fault_of("POSTHORN_BODY_BYTES", "67108865"));
    assert_non_null(fault_of("POSTHORN_BODY_BYTES", "65M"));
}

static void test_fault_names_variable_value_and_remedy(void **state)
{
    (void)state;
    assert_string_equal(fault_of("POSTHORN_HTTP_THREADS", "many"),
                        "POSTHORN_HTTP_THREADS=many: has to be a number from 0 to 64");
    assert_string_equal(fault_of("POSTHORN_LOG_LEVEL", "loud"),
                        "POSTHORN_LOG_LEVEL=loud: has to be debug, info, warn or error");
    assert_string_equal(fault_of("POSTHORN_CONNECT_TIMEOUT_MS", "5s"),
                        "POSTHORN_CONNECT_TIMEOUT_MS=5s: has to be a number of milliseconds from "
                        "100 to 600000");
    assert_string_equal(fault_of("POSTHORN_RESPONSE_BYTES", "1T"),
                        "POSTHORN_RESPONSE_BYTES=1T: has to be a number of bytes, optionally with "
                        "K, M or G, from 0 to 1048576");
}

static void test_odd_numbers_are_faults(void **state)
{
    (void)state;
    const char *bad[] = {"", " 1", "1 ", "+1", "0x10", "1.5", "1e3", "9223372036854775808"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_non_null(fault_of("POSTHORN_INGEST_ROWS", bad[i]));
    const char *bad_bytes[] = {"", "K", "1k", "1KB", "1 K", "KK", "-1K", "9007199254740993G"};
    for (size_t i = 0; i < sizeof(bad_bytes) / sizeof(bad_bytes[0]); i++)
        assert_non_null(fault_of("POSTHORN_MEMORY_BYTES", bad_bytes[i]));
}

static void test_unknown_variable_is_refused_without_its_value(void **state)
{
    (void)state;
    assert_string_equal(
        fault_of("POSTHORN_MASTERKEY", "s3cret"),
        "POSTHORN_MASTERKEY: there is no such setting; did you mean POSTHORN_MASTER_KEY?");
    assert_string_equal(fault_of("POSTHORN_SOMETHING_ELSE_ENTIRELY", "1"),
                        "POSTHORN_SOMETHING_ELSE_ENTIRELY: there is no such setting; remove it");
    assert_non_null(fault_of("POSTHORN_", "1"));
    assert_non_null(fault_of("POSTHORN_LISTEN2", "1"));
    assert_null(fault_of("POSTHORNX", "1"));
    assert_null(fault_of("XPOSTHORN_LISTEN", "1"));
    char longer[3000] = "POSTHORN_";
    memset(longer + 9, 'A', sizeof(longer) - 10);
    assert_non_null(fault_of(longer, "1"));
}

static void test_hostile_value_stays_in_its_line(void **state)
{
    (void)state;
    char value[500];
    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    value[0] = '\n';
    value[1] = '\x1b';
    const char *line = fault_of("POSTHORN_HTTP_THREADS", value);
    assert_non_null(line);
    assert_true(strlen(line) < 200);
    assert_true(strncmp(line, "POSTHORN_HTTP_THREADS=??xxx", 27) == 0);
}

static void test_every_fault_is_listed_and_out_is_untouched(void **state)
{
    (void)state;
    setenv("POSTHORN_HTTP_THREADS", "a", 1);
    setenv("POSTHORN_DELIVERY_THREADS", "b", 1);
    setenv("POSTHORN_LISTN", "c", 1);
    config.max_connections = 7;
    assert_int_equal(ph_config_load(&problems, &config), PH_ERR_CONFIG);
    assert_true(config.max_connections == 7);
    int n_lines = 0;
    for (size_t i = 0; i < problems.len; i++)
        n_lines += problems.ptr[i] == '\n';
    assert_int_equal(n_lines, 3);
}

static const char *written(void)
{
    ph_buf_clear(&problems);
    ph_config_write(&config, &problems);
    ph_buf_add_char(&problems, '\0');
    return problems.ptr;
}

static void test_write_shows_effective_values_but_no_secret(void **state)
{
    (void)state;
    setenv("POSTHORN_DATABASE_URL", "postgres://u:s3cret@h/d", 1);
    setenv("POSTHORN_BODY_BYTES", "2K", 1);
    setenv("POSTHORN_LOG_LEVEL", "warn", 1);
    assert_int_equal(ph_config_load(&problems, &config), PH_OK);
    const char *text = written();
    assert_non_null(strstr(text, "POSTHORN_DATABASE_URL=(set)\n"));
    assert_non_null(strstr(text, "POSTHORN_MASTER_KEY=(not set)\n"));
    assert_non_null(strstr(text, "\nPOSTHORN_BODY_BYTES=2048\n"));
    assert_non_null(strstr(text, "\nPOSTHORN_LOG_LEVEL=warn\n"));
    assert_non_null(strstr(text, "\nPOSTHORN_LISTEN=127.0.0.1:8071\n"));
    assert_null(strstr(text, "s3cret"));
}

/* What is written can be set again and gives the same. */
static void test_written_values_can_be_read_again(void **state)
{
    (void)state;
    assert_int_equal(ph_config_load(&problems, &config), PH_OK);
    char first[8192];
    snprintf(first, sizeof(first), "%s", written());
    struct ph_str rest = ph_str_of(first), line;
    while (ph_str_split(&rest, '\n', &line) && line.len > 0) {
        char *name = strndup(line.ptr, line.len);
        char *value = strchr(name, '=');
        *value++ = '\0';
        if (value[0] != '(')
            setenv(name, value, 1);
        free(name);
    }
    ph_buf_clear(&problems);
    assert_int_equal(ph_config_load(&problems, &config), PH_OK);
    assert_string_equal(written(), first);
}

static void test_doc_is_a_table_of_all_settings(void **state)
{
    (void)state;
    size_t n_settings = 0, n_lines = 0;
#define PH_SETTING(field, env, type, def, min, max, secret, help) n_settings++;
#include "posthorn/config.def"
#undef PH_SETTING
    ph_config_write_doc(&problems);
    struct ph_str rest = ph_buf_str(&problems), line;
    while (ph_str_split(&rest, '\n', &line) && line.len > 0) {
        int n_bars = 0;
        for (size_t i = 0; i < line.len; i++)
            n_bars += line.ptr[i] == '|';
        assert_int_equal(n_bars, 4);
        n_lines++;
    }
    assert_int_equal(n_lines, n_settings + 2);
}

int main(void)
{
#define CLEAN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        CLEAN(test_defaults_are_valid),
        CLEAN(test_values_come_from_the_environment),
        CLEAN(test_bounds_are_inclusive),
        CLEAN(test_fault_names_variable_value_and_remedy),
        CLEAN(test_odd_numbers_are_faults),
        CLEAN(test_unknown_variable_is_refused_without_its_value),
        CLEAN(test_hostile_value_stays_in_its_line),
        CLEAN(test_every_fault_is_listed_and_out_is_untouched),
        CLEAN(test_write_shows_effective_values_but_no_secret),
        CLEAN(test_written_values_can_be_read_again),
        CLEAN(test_doc_is_a_table_of_all_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
