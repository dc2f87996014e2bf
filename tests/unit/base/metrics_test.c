#include "posthorn/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *kind;
} rows[] = {
#define PH_METRIC(field, name, kind, help) {name, #kind},
#include "posthorn/metrics.def"
#undef PH_METRIC
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static void test_text_format_has_every_metric_once(void **state)
{
    (void)state;
    struct ph_buf out;
    ph_buf_init(&out, 1 << 16);
    ph_metric_add(attempts_success, 41);
    ph_metric_add(attempts_success, 1);
    ph_metric_add(http_connections, 3);
    ph_metric_add(http_connections, -4);
    assert_true(ph_metric_get(attempts_success) == 42);
    ph_metrics_write(&out);
    assert_false(out.overflow);

    struct ph_str rest = ph_buf_str(&out), help, type, sample, none;
    for (size_t i = 0; i < N_ROWS; i++) {
        char expected[200];
        assert_true(ph_str_split(&rest, '\n', &help) && ph_str_split(&rest, '\n', &type) &&
                    ph_str_split(&rest, '\n', &sample));
        snprintf(expected, sizeof(expected), "# HELP %s ", rows[i].name);
        assert_true(ph_str_starts(help, ph_str_of(expected)));
        snprintf(expected, sizeof(expected), "# TYPE %s %s", rows[i].name, rows[i].kind);
        assert_true(ph_str_eq_c(type, expected));
        int value = strcmp(rows[i].name, "posthorn_attempts_success_total") == 0 ? 42
                    : strcmp(rows[i].name, "posthorn_http_connections") == 0     ? -1
                                                                                 : 0;
        snprintf(expected, sizeof(expected), "%s %d", rows[i].name, value);
        assert_true(ph_str_eq_c(sample, expected));
    }
    assert_true(ph_str_split(&rest, '\n', &none) && none.len == 0 && rest.ptr == NULL);
    ph_buf_free(&out);
}

/* The naming rules of Prometheus: counters, and only they, end in _total. */
static void test_names_follow_the_convention(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS; i++) {
        bool total = strlen(rows[i].name) > 6 &&
                     strcmp(rows[i].name + strlen(rows[i].name) - 6, "_total") == 0;
        assert_true(total == (strcmp(rows[i].kind, "counter") == 0));
        assert_true(total || strcmp(rows[i].kind, "gauge") == 0);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(rows[k].name, rows[i].name);
    }
}

static void *count(void *unused)
{
    (void)unused;
    for (int i = 0; i < 50000; i++)
        ph_metric_add(ingest_messages, 1);
    return NULL;
}

static void test_threads_lose_no_count(void **state)
{
    (void)state;
    int64_t before = ph_metric_get(ingest_messages);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_true(ph_metric_get(ingest_messages) - before == 200000);
}

static void test_doc_is_a_table_of_all_rows(void **state)
{
    (void)state;
    struct ph_buf out;
    ph_buf_init(&out, 1 << 16);
    ph_metrics_write_doc(&out);
    struct ph_str rest = ph_buf_str(&out), line;
    size_t n_lines = 0;
    while (ph_str_split(&rest, '\n', &line) && line.len > 0) {
        int n_bars = 0;
        for (size_t i = 0; i < line.len; i++)
            n_bars += line.ptr[i] == '|';
        assert_int_equal(n_bars, 4);
        n_lines++;
    }
    assert_int_equal(n_lines, N_ROWS + 2);
    ph_buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_format_has_every_metric_once),
        cmocka_unit_test(test_names_follow_the_convention),
        cmocka_unit_test(test_threads_lose_no_count),
        cmocka_unit_test(test_doc_is_a_table_of_all_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
