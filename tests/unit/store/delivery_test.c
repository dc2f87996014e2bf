#include "posthorn/delivery.h"
#include "posthorn/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

static const struct ph_id message = {{1, 2, 3}}, tenant = {{4}}, application = {{5}},
                          endpoint = {{6}};

static int64_t bytes_in_memory(void)
{
    return ph_metric_get(payload_bytes_memory);
}

/* Payloads */

static void a_payload_is_a_copy_with_the_message_s_id_on_the_wire(void **state)
{
    char bytes[] = "{\"a\":\0\"b\"}";
    struct ph_payload *payload = ph_payload_new(message, tenant, application, PH_STR("a.b"),
                                                PH_STR_NONE, (struct ph_str){bytes, 10});
    struct ph_id parsed;
    (void)state;

    memset(bytes, 'x', sizeof bytes);
    assert_int_equal(payload->len, 10);
    assert_memory_equal(payload->bytes, "{\"a\":\0\"b\"}", 10);
    assert_true(ph_id_eq(payload->message, message));
    assert_true(ph_id_eq(payload->tenant, tenant));
    assert_true(ph_id_eq(payload->application, application));
    assert_int_equal(strlen(payload->wire_id), payload->wire_id_len);
    assert_int_equal(ph_id_parse(PH_ID_MESSAGE,
                                 (struct ph_str){payload->wire_id, payload->wire_id_len}, &parsed),
                     PH_OK);
    assert_true(ph_id_eq(parsed, message));
    assert_true(ph_str_eq_c(payload->event_type, "a.b"));
    assert_true(ph_str_eq_c(payload->content_type, "application/json"));
    ph_payload_unref(payload);
}

static void a_payload_has_its_own_copies_of_its_texts(void **state)
{
    char type[] = "invoice.paid", content[] = "text/xml";
    struct ph_payload *payload =
        ph_payload_new(message, tenant, application, (struct ph_str){type, 12},
                       (struct ph_str){content, 8}, PH_STR("<a/>"));
    (void)state;

    memset(type, 'x', sizeof type);
    memset(content, 'x', sizeof content);
    assert_int_equal(payload->len, 4);
    assert_memory_equal(payload->bytes, "<a/>", 4);
    assert_true(ph_str_eq_c(payload->event_type, "invoice.paid"));
    assert_true(ph_str_eq_c(payload->content_type, "text/xml"));
    ph_payload_unref(payload);
}

static void the_last_one_to_let_go_frees_a_payload_and_its_bytes_count_until_then(void **state)
{
    int64_t before = bytes_in_memory();
    struct ph_payload *payload = ph_payload_new(message, tenant, application, PH_STR("a.b"),
                                                PH_STR_NONE, PH_STR("0123456789")),
                      *empty = ph_payload_new(message, tenant, application, PH_STR("a.b"),
                                              PH_STR_NONE, PH_STR_NONE);
    (void)state;

    assert_int_equal(empty->len, 0);
    assert_int_equal(bytes_in_memory() - before, 10);
    assert_ptr_equal(ph_payload_ref(payload), payload);
    ph_payload_unref(payload);
    assert_int_equal(bytes_in_memory() - before, 10);
    ph_payload_unref(payload);
    assert_int_equal(bytes_in_memory(), before);
    ph_payload_unref(empty);
    ph_payload_unref(NULL);
    assert_int_equal(bytes_in_memory(), before);
}

static void *share(void *payload)
{
    for (int i = 0; i < 20000; i++) {
        ph_payload_ref(payload);
        ph_payload_unref(payload);
    }
    ph_payload_unref(payload);
    return NULL;
}

static void threads_share_a_payload(void **state)
{
    int64_t before = bytes_in_memory();
    struct ph_payload *payload =
        ph_payload_new(message, tenant, application, PH_STR("a.b"), PH_STR_NONE, PH_STR("shared"));
    pthread_t threads[4];
    (void)state;

    for (int i = 0; i < 4; i++)
        ph_payload_ref(payload);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, share, payload), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&payload->refs), 1);
    assert_int_equal(bytes_in_memory() - before, 6);
    ph_payload_unref(payload);
    assert_int_equal(bytes_in_memory(), before);
}

static void a_payload_frees_its_retry_schedule(void **state)
{
    struct ph_payload *payload =
        ph_payload_new(message, tenant, application, PH_STR("a.b"), PH_STR_NONE, PH_STR("{}"));
    (void)state;

    assert_null(payload->retry); /* the instance's */
    payload->retry = ph_calloc(1, sizeof *payload->retry);
    assert_ptr_equal(ph_payload_ref(payload), payload);
    ph_payload_unref(payload);
    assert_int_equal(payload->retry->n_waits, 0);
    ph_payload_unref(payload); /* a leak is found by AddressSanitizer */
}

/* Endpoint configurations */

static void count_free(void *counter)
{
    ++*(int *)counter;
}

static struct ph_endpoint_config *new_config(int *freed)
{
    struct ph_arena *arena = ph_arena_new();
    struct ph_endpoint_config *config = ph_arena_new_of(arena, struct ph_endpoint_config);

    atomic_init(&config->refs, 1);
    config->arena = arena;
    config->id = endpoint;
    if (freed)
        ph_arena_defer(arena, count_free, freed);
    return config;
}

/* Looks at the secret's memory while the arena goes. */
static void assert_wiped(void *secret)
{
    static const uint8_t zeros[PH_SECRET_TEXT_CHARS_MAX];

    assert_memory_equal(((struct ph_endpoint_secret *)secret)->secret.bytes, zeros, sizeof zeros);
}

static void the_last_one_to_let_go_frees_a_configuration_and_wipes_its_secrets(void **state)
{
    int freed = 0;
    struct ph_endpoint_config *config = new_config(&freed);
    (void)state;

    config->n_secrets = 2;
    config->secrets = ph_arena_array_of(config->arena, struct ph_endpoint_secret, 2);
    for (int i = 0; i < 2; i++) {
        memset(config->secrets[i].secret.bytes, 'x', PH_SECRET_TEXT_CHARS_MAX);
        config->secrets[i].secret.len = PH_SECRET_TEXT_CHARS_MAX;
        ph_arena_defer(config->arena, assert_wiped, &config->secrets[i]);
    }
    assert_ptr_equal(ph_endpoint_config_ref(config), config);
    ph_endpoint_config_unref(config);
    assert_int_equal(freed, 0);
    assert_int_equal(config->secrets[0].secret.bytes[0], 'x');
    ph_endpoint_config_unref(config);
    assert_int_equal(freed, 1);
    ph_endpoint_config_unref(NULL);
}

static void an_endpoint_takes_what_its_filters_name(void **state)
{
    static struct ph_str types[] = {{"a.b", 3}, {"a.c", 3}},
                         channels[] = {{"west", 4}, {"east", 4}};
    static const struct {
        bool disabled;
        size_t n_types, n_channels; /* of the endpoint's filters */
        struct ph_str type, channels[2];
        size_t n; /* of the message's channels */
        bool takes;
    } rows[] = {
        {false, 0, 0, {"x", 1}, {{"west", 4}}, 1, true},
        {false, 0, 0, {"x", 1}, {{NULL, 0}}, 0, true},
        {true, 0, 0, {"x", 1}, {{NULL, 0}}, 0, true}, /* it is skipped then */
        {true, 1, 1, {"a.b", 3}, {{"west", 4}}, 1, true},
        {true, 1, 1, {"a.b", 3}, {{"east", 4}}, 1, false},
        {false, 1, 0, {"a.b", 3}, {{NULL, 0}}, 0, true},
        {false, 1, 0, {"a.c", 3}, {{NULL, 0}}, 0, false},
        {false, 2, 0, {"a.c", 3}, {{"north", 5}}, 1, true},
        {false, 2, 0, {"a", 1}, {{NULL, 0}}, 0, false},
        {false, 2, 0, {"a.bc", 4}, {{NULL, 0}}, 0, false},
        {false, 2, 0, {"A.B", 3}, {{NULL, 0}}, 0, false},
        {false,
         0,
         1,
         {"x", 1},
         {{NULL, 0}},
         0,
         false}, /* a message without channels is not for one with a filter */
        {false, 0, 1, {"x", 1}, {{"west", 4}}, 1, true},
        {false, 0, 1, {"x", 1}, {{"east", 4}}, 1, false},
        {false, 0, 1, {"x", 1}, {{"east", 4}, {"west", 4}}, 2, true},
        {false, 0, 2, {"x", 1}, {{"north", 5}, {"south", 5}}, 2, false},
        {false, 2, 2, {"a.c", 3}, {{"east", 4}}, 1, true},
        {false, 1, 2, {"a.c", 3}, {{"east", 4}}, 1, false},
        {false, 1, 1, {"a.b", 3}, {{"east", 4}}, 1, false},
    };
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ph_endpoint_config config = {.disabled = rows[i].disabled,
                                            .n_event_types = rows[i].n_types,
                                            .event_types = types,
                                            .n_channels = rows[i].n_channels,
                                            .channels = channels};
        if (ph_endpoint_config_takes(&config, rows[i].type, rows[i].channels, rows[i].n) !=
            rows[i].takes)
            fail_msg("row %zu", i);
    }
}

/* Jobs */

static void a_job_holds_its_payload_and_configuration_until_it_is_freed(void **state)
{
    int64_t before = bytes_in_memory();
    int freed = 0;
    struct ph_payload *payload =
        ph_payload_new(message, tenant, application, PH_STR("a.b"), PH_STR_NONE, PH_STR("12345"));
    struct ph_endpoint_config *config = new_config(&freed);
    struct ph_job *job = ph_job_new(payload, endpoint, config, 7, 3),
                  *early = ph_job_new(payload, endpoint, NULL, 8, 0);
    (void)state;

    ph_payload_unref(payload);
    ph_endpoint_config_unref(config);
    assert_ptr_equal(job->payload, payload);
    assert_ptr_equal(job->config, config);
    assert_true(ph_id_eq(job->endpoint, endpoint));
    assert_int_equal(job->node_id, 7);
    assert_int_equal(job->attempts_made, 3);
    assert_false(job->message_gone);
    assert_false(job->is_manual || job->is_ordered);
    assert_null(job->next);
    assert_null(early->config);

    ph_job_drop_payload(early);
    assert_null(early->payload);
    assert_int_equal(bytes_in_memory() - before, 5);
    ph_job_drop_payload(early);
    ph_job_free(early);
    assert_int_equal(freed, 0);
    ph_job_free(job);
    assert_int_equal(freed, 1);
    assert_int_equal(bytes_in_memory(), before);
}

static void a_list_gives_the_oldest_first(void **state)
{
    struct ph_job jobs[5] = {{0}};
    struct ph_job_list list = {NULL, NULL, 0};
    (void)state;

    assert_null(ph_job_list_take(&list));
    for (int round = 0; round < 2; round++) { /* again once it was emptied */
        ph_job_list_add_front(&list, &jobs[1]);
        ph_job_list_add(&list, &jobs[2]);
        ph_job_list_add_front(&list, &jobs[0]);
        jobs[3].next = &jobs[0]; /* what is left from an earlier list does not count */
        ph_job_list_add(&list, &jobs[3]);
        assert_int_equal(list.n, 4);
        for (size_t i = 0; i < 4; i++) {
            assert_ptr_equal(ph_job_list_take(&list), &jobs[i]);
            assert_null(jobs[i].next);
            assert_int_equal(list.n, 3 - i);
        }
        assert_null(ph_job_list_take(&list));
        assert_null(list.first);
        assert_null(list.last);
    }
    ph_job_list_add(&list, &jobs[4]);
    assert_ptr_equal(list.first, &jobs[4]);
    assert_ptr_equal(list.last, &jobs[4]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_payload_is_a_copy_with_the_message_s_id_on_the_wire),
        cmocka_unit_test(a_payload_has_its_own_copies_of_its_texts),
        cmocka_unit_test(the_last_one_to_let_go_frees_a_payload_and_its_bytes_count_until_then),
        cmocka_unit_test(threads_share_a_payload),
        cmocka_unit_test(a_payload_frees_its_retry_schedule),
        cmocka_unit_test(the_last_one_to_let_go_frees_a_configuration_and_wipes_its_secrets),
        cmocka_unit_test(an_endpoint_takes_what_its_filters_name),
        cmocka_unit_test(a_job_holds_its_payload_and_configuration_until_it_is_freed),
        cmocka_unit_test(a_list_gives_the_oldest_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
