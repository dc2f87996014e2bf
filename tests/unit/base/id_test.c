#include "posthorn/id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define NOW_MS INT64_C(1795512600250)

static struct ph_id id_of_bytes(int fill)
{
    struct ph_id id;
    memset(id.b, fill, sizeof(id.b));
    return id;
}

static void test_new_id_is_a_uuid_version_7_of_its_time(void **state)
{
    (void)state;
    for (int i = 0; i < 5000; i++) { /* past the end of the counter */
        struct ph_id id = ph_id_new(NOW_MS);
        assert_int_equal(id.b[6] >> 4, 7);
        assert_int_equal(id.b[8] >> 6, 2);
        assert_true(ph_id_time_ms(id) == NOW_MS);
    }
    assert_true(ph_id_time_ms(ph_id_new(0)) == 0);
    int64_t last = (INT64_C(1) << 48) - 1;
    assert_true(ph_id_time_ms(ph_id_new(last)) == last);
}

static void test_ids_of_one_millisecond_ascend(void **state)
{
    (void)state;
    struct ph_id before = ph_id_new(NOW_MS + 1);
    for (int i = 0; i < 20000; i++) {
        struct ph_id id = ph_id_new(NOW_MS + 1);
        assert_true(ph_id_compare(before, id) < 0);
        before = id;
    }
    assert_true(ph_id_compare(before, ph_id_new(NOW_MS + 2)) < 0);
}

#define N_THREADS  4
#define PER_THREAD 20000

static struct ph_id made[N_THREADS][PER_THREAD];

static void *make_many(void *ids)
{
    for (int i = 0; i < PER_THREAD; i++)
        ((struct ph_id *)ids)[i] = ph_id_new(NOW_MS);
    return NULL;
}

static int compare_ids(const void *a, const void *b)
{
    return ph_id_compare(*(const struct ph_id *)a, *(const struct ph_id *)b);
}

static void test_threads_never_make_the_same_id(void **state)
{
    (void)state;
    pthread_t threads[N_THREADS];
    for (int t = 0; t < N_THREADS; t++)
        assert_int_equal(pthread_create(&threads[t], NULL, make_many, made[t]), 0);
    for (int t = 0; t < N_THREADS; t++)
        pthread_join(threads[t], NULL);
    struct ph_id *all = &made[0][0];
    qsort(all, N_THREADS * PER_THREAD, sizeof(*all), compare_ids);
    for (int i = 1; i < N_THREADS * PER_THREAD; i++)
        assert_false(ph_id_eq(all[i - 1], all[i]));
}

static void test_random_part_is_not_repeated(void **state)
{
    (void)state;
    /* More ids than one block of random bytes makes; each in its own millisecond, so that only randomness differs. */
    enum { N = 3000 };
    static uint64_t tails[N];
    int ones = 0;
    for (int i = 0; i < N; i++) {
        struct ph_id id = ph_id_new(NOW_MS + i);
        memcpy(&tails[i], id.b + 8, 8);
        ones += __builtin_popcount(id.b[15]);
        for (int k = 0; k < i; k++)
            assert_true(tails[k] != tails[i]);
    }
    assert_true(ones > N * 7 / 2 && ones < N * 9 / 2);
}

static void test_floor_lies_between_two_times(void **state)
{
    (void)state;
    struct ph_id floor = ph_id_floor(NOW_MS);
    assert_true(ph_id_time_ms(floor) == NOW_MS);
    assert_true(ph_id_compare(ph_id_new(NOW_MS - 1), floor) < 0);
    assert_true(ph_id_compare(floor, ph_id_new(NOW_MS)) < 0);
    /* What uuid_floor of the first migration gives: twelve digits of time, then zeroes. */
    const uint8_t expected[16] = {0x01, 0xa2, 0x0c, 0xe4, 0x06, 0xba};
    assert_memory_equal(floor.b, expected, sizeof(expected));
    assert_true(ph_id_is_zero(ph_id_floor(-5)));
    assert_true(ph_id_time_ms(ph_id_floor(INT64_MAX)) == (INT64_C(1) << 48) - 1);
}

static void test_compare_goes_by_unsigned_bytes(void **state)
{
    (void)state;
    struct ph_id low = {{0x7f}}, high = {{0x80}};
    assert_true(ph_id_compare(low, high) < 0);
    assert_true(ph_id_compare(high, low) > 0);
    assert_int_equal(ph_id_compare(low, low), 0);
    assert_true(ph_id_eq(low, low));
    assert_false(ph_id_eq(low, high));
    assert_true(ph_id_is_zero(id_of_bytes(0)));
    assert_false(ph_id_is_zero((struct ph_id){.b[15] = 1}));
    assert_true(ph_id_hash(low) == ph_id_hash(low));
    assert_true(ph_id_hash(low) != ph_id_hash(high));
}

static void test_wire_form_is_known(void **state)
{
    (void)state;
    char text[PH_ID_WIRE_MAX];
    assert_int_equal(ph_id_format(PH_ID_MESSAGE, id_of_bytes(0), text), 26);
    assert_string_equal(text, "msg_0000000000000000000000");
    ph_id_format(PH_ID_MESSAGE, (struct ph_id){.b[15] = 61}, text);
    assert_string_equal(text, "msg_000000000000000000000z");
    ph_id_format(PH_ID_MESSAGE, (struct ph_id){.b[15] = 62}, text);
    assert_string_equal(text, "msg_0000000000000000000010");
    assert_int_equal(ph_id_format(PH_ID_EVENT_TYPE, id_of_bytes(0xff), text), 29);
    assert_string_equal(text, "evtype_7n42DGM5Tflk9n8mt7Fhc7"); /* 2^128 - 1 */
    const char *prefixes[PH_ID_KINDS] = {"org_",    "app_",   "ep_",   "msg_",    "atmpt_",
                                         "evtype_", "qtask_", "key_",  "portal_", "audit_",
                                         "inreq_",  "usr_",   "sess_", "inv_"};
    for (int kind = 0; kind < PH_ID_KINDS; kind++)
        assert_string_equal(ph_id_prefix((enum ph_id_kind)kind), prefixes[kind]);
}

static void test_wire_form_goes_back_and_sorts_like_the_key(void **state)
{
    (void)state;
    struct ph_id id = id_of_bytes(0), before;
    char text[PH_ID_WIRE_MAX], text_before[PH_ID_WIRE_MAX];
    srand(1);
    for (int i = 0; i < 20000; i++) {
        before = id;
        for (int k = 0; k < 16; k++)
            id.b[k] = (uint8_t)(rand() >> 7);
        if (i % 4 == 0) /* differ in the last bytes only */
            memcpy(id.b, before.b, 12);
        enum ph_id_kind kind = (enum ph_id_kind)(i % PH_ID_KINDS);
        size_t n = ph_id_format(kind, id, text);
        assert_int_equal(n, strlen(ph_id_prefix(kind)) + PH_ID_BASE62_LEN);
        assert_int_equal(strlen(text), n);
        struct ph_id back;
        assert_int_equal(ph_id_parse(kind, ph_str_of(text), &back), PH_OK);
        assert_true(ph_id_eq(back, id));
        ph_id_format(kind, before, text_before);
        int by_text = strcmp(text_before, text), by_key = ph_id_compare(before, id);
        assert_true((by_text < 0) == (by_key < 0) && (by_text > 0) == (by_key > 0));
    }
}

static void test_parse_refuses_what_is_no_id(void **state)
{
    (void)state;
    const struct ph_str bad[] = {
        PH_STR("msg_7n42DGM5Tflk9n8mt7Fhc8"), /* 2^128 */
        PH_STR("msg_80000000000000000000000"),
        PH_STR("msg_8000000000000000000000"),
        PH_STR("msg_zzzzzzzzzzzzzzzzzzzzzz"),
        PH_STR("msg_000000000000000000000"),
        PH_STR("msg_00000000000000000000000"),
        PH_STR("app_0000000000000000000000"),
        PH_STR("MSG_0000000000000000000000"),
        PH_STR("msg-0000000000000000000000"),
        PH_STR("0000000000000000000000"),
        PH_STR("msg_00000000000000000000-0"),
        PH_STR("msg_00000000000000000000\0000"),
        PH_STR("msg_000000000000000000000 "),
        PH_STR("msg_00000000000000000000\xc3\xa4"),
        PH_STR("msg_"),
        PH_STR(""),
        PH_STR_NONE,
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ph_id id = id_of_bytes(0x55);
        assert_int_equal(ph_id_parse(PH_ID_MESSAGE, bad[i], &id), PH_ERR_BAD_REQUEST);
        assert_true(ph_id_eq(id, id_of_bytes(0x55)));
    }
    struct ph_id id;
    assert_int_equal(ph_id_parse(PH_ID_MESSAGE, PH_STR("msg_7n42DGM5Tflk9n8mt7Fhc7"), &id), PH_OK);
    assert_true(ph_id_eq(id, id_of_bytes(0xff)));
}

static void test_a_uuid_is_read_as_postgresql_writes_it(void **state)
{
    static const char *const none[] = {"",
                                       "0192f0c8-7b1a-7c3d-8e4f-00112233445",
                                       "0192f0c8-7b1a-7c3d-8e4f-0011223344556",
                                       "0192f0c8x7b1a-7c3d-8e4f-001122334455",
                                       "0192F0C8-7b1a-7c3d-8e4f-001122334455",
                                       " 192f0c8-7b1a-7c3d-8e4f-001122334455",
                                       "0192f0c8-7b1a-7c3d-8e4f-00112233445g"};
    static const uint8_t bytes[] = {0x01, 0x92, 0xf0, 0xc8, 0x7b, 0x1a, 0x7c, 0x3d,
                                    0x8e, 0x4f, 0x00, 0x11, 0x22, 0x33, 0x44, 0x55};
    struct ph_id id;

    (void)state;
    assert_int_equal(ph_id_parse_uuid("0192f0c8-7b1a-7c3d-8e4f-001122334455", &id), PH_OK);
    assert_memory_equal(id.b, bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
        assert_int_equal(ph_id_parse_uuid(none[i], &id), PH_ERR_BAD_REQUEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_id_is_a_uuid_version_7_of_its_time),
        cmocka_unit_test(test_ids_of_one_millisecond_ascend),
        cmocka_unit_test(test_threads_never_make_the_same_id),
        cmocka_unit_test(test_random_part_is_not_repeated),
        cmocka_unit_test(test_floor_lies_between_two_times),
        cmocka_unit_test(test_compare_goes_by_unsigned_bytes),
        cmocka_unit_test(test_wire_form_is_known),
        cmocka_unit_test(test_wire_form_goes_back_and_sorts_like_the_key),
        cmocka_unit_test(test_parse_refuses_what_is_no_id),
        cmocka_unit_test(test_a_uuid_is_read_as_postgresql_writes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
