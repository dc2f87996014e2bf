#include "posthorn/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void test_equality_tells_absent_from_empty(void **state)
{
    (void)state;
    assert_true(ph_str_eq(PH_STR("abc"), ph_str_of("abc")));
    assert_false(ph_str_eq(PH_STR("abc"), PH_STR("abd")));
    assert_false(ph_str_eq(PH_STR("abc"), PH_STR("ab")));
    assert_true(ph_str_eq(PH_STR(""), ph_str_of("")));
    assert_false(ph_str_eq(PH_STR(""), PH_STR_NONE));
    assert_true(ph_str_eq(ph_str_of(NULL), PH_STR_NONE));
    assert_true(ph_str_eq_c(PH_STR("x"), "x"));
    assert_false(ph_str_eq_c(PH_STR_NONE, ""));
}

static void test_ieq_folds_ascii_letters_only(void **state)
{
    (void)state;
    assert_true(ph_str_ieq(PH_STR("Content-Type"), PH_STR("cONTENT-tYPE")));
    assert_false(ph_str_ieq(PH_STR("@"), PH_STR("`")));
    assert_false(ph_str_ieq(PH_STR("["), PH_STR("{")));
    assert_false(ph_str_ieq(PH_STR("\xc4"), PH_STR("\xe4")));
    assert_false(ph_str_ieq(PH_STR("a"), PH_STR("ab")));
}

static void test_starts_and_trim(void **state)
{
    (void)state;
    assert_true(ph_str_starts(PH_STR("whsec_x"), PH_STR("whsec_")));
    assert_true(ph_str_starts(PH_STR("a"), PH_STR("")));
    assert_false(ph_str_starts(PH_STR("wh"), PH_STR("whsec_")));
    assert_true(ph_str_eq_c(ph_str_trim(PH_STR(" \t\r\n a b \r\n")), "a b"));
    assert_true(ph_str_eq_c(ph_str_trim(PH_STR("  ")), ""));
    assert_null(ph_str_trim(PH_STR_NONE).ptr);
}

static void test_split_gives_every_part_even_empty_ones(void **state)
{
    (void)state;
    struct ph_str rest = PH_STR("a,,b"), part;
    assert_true(ph_str_split(&rest, ',', &part) && ph_str_eq_c(part, "a"));
    assert_true(ph_str_split(&rest, ',', &part) && ph_str_eq_c(part, ""));
    assert_true(ph_str_split(&rest, ',', &part) && ph_str_eq_c(part, "b"));
    assert_false(ph_str_split(&rest, ',', &part));
    rest = PH_STR("a,");
    assert_true(ph_str_split(&rest, ',', &part) && ph_str_eq_c(part, "a"));
    assert_true(ph_str_split(&rest, ',', &part) && ph_str_eq_c(part, ""));
    assert_false(ph_str_split(&rest, ',', &part));
    rest = PH_STR("");
    assert_true(ph_str_split(&rest, ',', &part) && ph_str_eq_c(part, ""));
    assert_false(ph_str_split(&rest, ',', &part));
}

static void test_to_i64_takes_the_whole_range(void **state)
{
    (void)state;
    int64_t v = 7;
    assert_int_equal(ph_str_to_i64(PH_STR("9223372036854775807"), &v), PH_OK);
    assert_true(v == INT64_MAX);
    assert_int_equal(ph_str_to_i64(PH_STR("-9223372036854775808"), &v), PH_OK);
    assert_true(v == INT64_MIN);
    assert_int_equal(ph_str_to_i64(PH_STR("0"), &v), PH_OK);
    assert_true(v == 0);
    assert_int_equal(ph_str_to_i64(PH_STR("-12"), &v), PH_OK);
    assert_true(v == -12);
}

static void test_to_i64_refuses_all_else(void **state)
{
    (void)state;
    const char *bad[] = {"",
                         "-",
                         "+1",
                         " 1",
                         "1 ",
                         "1x",
                         "0x1",
                         "1e3",
                         "--1",
                         "1.0",
                         "9223372036854775808",
                         "-9223372036854775809",
                         "99999999999999999999999"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t v = 7;
        assert_int_equal(ph_str_to_i64(ph_str_of(bad[i]), &v), PH_ERR_BAD_REQUEST);
        assert_true(v == 7);
    }
    int64_t v;
    assert_int_equal(ph_str_to_i64(PH_STR_NONE, &v), PH_ERR_BAD_REQUEST);
}

static void test_hash_spreads_and_repeats(void **state)
{
    (void)state;
    assert_true(ph_str_hash(PH_STR("abc")) == ph_str_hash(ph_str_of("abc")));
    assert_true(ph_str_hash(PH_STR("abc")) != ph_str_hash(PH_STR("abd")));
    assert_true(ph_str_hash(PH_STR("")) == ph_str_hash(PH_STR_NONE));
    unsigned seen = 0; /* bit i: some hash fell into bucket i of 16 */
    for (int i = 0; i < 400; i++) {
        char text[16];
        snprintf(text, sizeof(text), "key-%d", i);
        seen |= 1U << (ph_str_hash(ph_str_of(text)) % 16);
    }
    assert_int_equal(seen, 0xffff);
}

static void test_text_is_well_formed_utf8_without_nul(void **state)
{
    (void)state;
    assert_true(ph_str_is_text(PH_STR("")));
    assert_true(ph_str_is_text(PH_STR("plain \x7f")));
    assert_true(ph_str_is_text(PH_STR("\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80")));
    assert_true(ph_str_is_text(PH_STR("\xef\xbf\xbf \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf")));
    const struct ph_str bad[] = {
        PH_STR("a\0b"),
        PH_STR("\x80"),
        PH_STR("\xc0\x80"),
        PH_STR("\xc1\xbf"),
        PH_STR("\xe0\x9f\xbf"),
        PH_STR("\xed\xa0\x80"),
        PH_STR("\xf0\x8f\xbf\xbf"),
        PH_STR("\xf4\x90\x80\x80"),
        PH_STR("\xf5\x80\x80\x80"),
        PH_STR("\xff"),
        PH_STR("\xe2\x82"),
        PH_STR("\xf0\x9f\x98"),
        PH_STR("\xe2\x28\xa1"),
        PH_STR("\xc3"),
        PH_STR("\xf0\x9f\x98\x41"),
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(ph_str_is_text(bad[i]));
    /* A sequence that the slice cuts is not text, whatever follows in memory. */
    assert_false(ph_str_is_text((struct ph_str){"\xc3\xa4", 1}));
}

static void test_buffer_grows_and_keeps_its_bytes(void **state)
{
    (void)state;
    struct ph_buf buf;
    ph_buf_init(&buf, 100000);
    assert_true(ph_str_eq_c(ph_buf_str(&buf), "")); /* empty, not absent */
    for (int i = 0; i < 10000; i++)
        ph_buf_printf(&buf, "%04d,", i);
    assert_int_equal(buf.len, 50000);
    assert_false(buf.overflow);
    assert_memory_equal(buf.ptr + 5 * 1234, "1234,", 5);
    ph_buf_clear(&buf);
    ph_buf_add_c(&buf, "a");
    ph_buf_add_char(&buf, 'b');
    ph_buf_add_str(&buf, PH_STR("cd"));
    ph_buf_add_str(&buf, PH_STR_NONE);
    ph_buf_add(&buf, "\0", 1);
    assert_int_equal(buf.len, 5);
    assert_memory_equal(buf.ptr, "abcd\0", 5);
    ph_buf_free(&buf);
    ph_buf_add_c(&buf, "again");
    assert_true(ph_str_eq_c(ph_buf_str(&buf), "again"));
    ph_buf_free(&buf);
}

static void test_buffer_stops_exactly_at_its_largest_size(void **state)
{
    (void)state;
    struct ph_buf buf;
    ph_buf_init(&buf, 10);
    ph_buf_add_c(&buf, "12345");
    ph_buf_add_c(&buf, "123456"); /* one too many: left out as a whole */
    assert_true(buf.overflow);
    assert_true(ph_str_eq_c(ph_buf_str(&buf), "12345"));
    ph_buf_clear(&buf);
    assert_false(buf.overflow);
    ph_buf_printf(&buf, "%s", "1234567890"); /* exactly full, although printf writes a NUL */
    assert_false(buf.overflow);
    assert_true(ph_str_eq_c(ph_buf_str(&buf), "1234567890"));
    assert_null(ph_buf_reserve(&buf, 1));
    assert_true(buf.overflow);
    assert_null(ph_buf_reserve(&buf, SIZE_MAX));
    ph_buf_free(&buf);
    assert_false(buf.overflow);
    assert_int_equal(buf.max_bytes, 10);
}

static void test_buffer_reserve_gives_the_write_position(void **state)
{
    (void)state;
    struct ph_buf buf;
    ph_buf_init(&buf, 1000);
    ph_buf_add_c(&buf, "ab");
    char *to = ph_buf_reserve(&buf, 500);
    assert_non_null(to);
    memset(to, 'x', 500);
    assert_int_equal(buf.len, 2);
    buf.len += 500;
    assert_memory_equal(buf.ptr, "abxx", 4);
    ph_buf_free(&buf);
}

static void test_buffer_writes_numbers_as_printf_does(void **state)
{
    (void)state;
    const int64_t numbers[] = {0, 1, -1, 10, 99, -100, INT64_MAX, INT64_MIN, 1234567890123};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct ph_buf buf;
        char text[32];
        ph_buf_init(&buf, 100);
        ph_buf_add_i64(&buf, numbers[i]);
        snprintf(text, sizeof(text), "%" PRId64, numbers[i]);
        assert_true(ph_str_eq_c(ph_buf_str(&buf), text));
        ph_buf_free(&buf);
    }
}

/* RFC 4648, section 10, and bytes that use the whole alphabet. */
static const struct {
    struct ph_str plain;
    const char *coded;
} base64_pairs[] = {
    {{"", 0}, ""},
    {{"f", 1}, "Zg=="},
    {{"fo", 2}, "Zm8="},
    {{"foo", 3}, "Zm9v"},
    {{"foob", 4}, "Zm9vYg=="},
    {{"fooba", 5}, "Zm9vYmE="},
    {{"foobar", 6}, "Zm9vYmFy"},
    {{"\xfb\xff\xbf\x00", 4}, "+/+/AA=="},
};

static void test_base64_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(base64_pairs) / sizeof(base64_pairs[0]); i++) {
        struct ph_str plain = base64_pairs[i].plain;
        char coded[16];
        uint8_t back[8];
        size_t n = 99;
        assert_int_equal(ph_base64_encode(plain.ptr, plain.len, coded), PH_BASE64_LEN(plain.len));
        assert_string_equal(coded, base64_pairs[i].coded);
        assert_int_equal(ph_base64_decode(ph_str_of(coded), back, sizeof(back), &n), PH_OK);
        assert_int_equal(n, plain.len);
        assert_memory_equal(back, plain.ptr, n);
    }
}

/* RFC 4648, section 10, without the padding */
static void test_base32(void **state)
{
    static const char *const pairs[][2] = {
        {"", ""},
        {"f", "MY"},
        {"fo", "MZXQ"},
        {"foo", "MZXW6"},
        {"foob", "MZXW6YQ"},
        {"fooba", "MZXW6YTB"},
        {"foobar", "MZXW6YTBOI"},
    };
    char coded[PH_BASE32_LEN(6) + 1];

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        ph_base32_encode(pairs[i][0], strlen(pairs[i][0]), coded);
        assert_string_equal(coded, pairs[i][1]);
        assert_int_equal(PH_BASE32_LEN(strlen(pairs[i][0])), strlen(pairs[i][1]));
    }
    ph_base32_encode("\xff\xff\xff\xff\xff", 5, coded);
    assert_string_equal(coded, "77777777");
}

static void test_base64_is_strict(void **state)
{
    (void)state;
    const struct ph_str bad[] = {
        PH_STR("Zg"),       PH_STR("Zg="),  PH_STR("Zg==="),  PH_STR("Z"),      PH_STR("Z==="),
        PH_STR("===="),     PH_STR("="),    PH_STR("Zm9v\n"), PH_STR(" Zm9v"),  PH_STR("Zm 9v"),
        PH_STR("Zg==Zg=="), PH_STR("Zh=="), PH_STR("Zm9="),   PH_STR("-_-_"),   PH_STR("Zm9v="),
        PH_STR("Zm9v===="), PH_STR("Zg=g"), PH_STR("Zm9\0"),  PH_STR("Zg==\0"), PH_STR("Zm9\xc3"),
        PH_STR_NONE,
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint8_t out[16];
        size_t n = 99;
        assert_int_equal(ph_base64_decode(bad[i], out, sizeof(out), &n), PH_ERR_BAD_REQUEST);
        assert_int_equal(n, 99);
    }
}

/* libsodium's decoder takes some bytes above 0x7f for digits. */
static void test_base64_refuses_every_byte_outside_the_alphabet(void **state)
{
    (void)state;
    const char *alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int c = 0; c < 256; c++) {
        char text[4] = {'Z', 'm', (char)c, 'v'};
        uint8_t out[4];
        size_t n;
        bool known = c != 0 && strchr(alphabet, c) != NULL;
        assert_int_equal(ph_base64_decode((struct ph_str){text, 4}, out, sizeof(out), &n),
                         known ? PH_OK : PH_ERR_BAD_REQUEST);
    }
}

static void test_base64_keeps_to_the_room_it_has(void **state)
{
    (void)state;
    uint8_t out[4] = {0, 0, 0, 0xee};
    size_t n;
    assert_int_equal(ph_base64_decode(PH_STR("AQID"), out, 3, &n), PH_OK);
    assert_int_equal(n, 3);
    assert_int_equal(ph_base64_decode(PH_STR("AQIDBA=="), out, 3, &n), PH_ERR_BAD_REQUEST);
    assert_int_equal(out[3], 0xee);
}

static void test_hex(void **state)
{
    (void)state;
    char out[9];
    ph_hex_encode("\x00\x9f\xab\xff", 4, out);
    assert_string_equal(out, "009fabff");
    ph_hex_encode("", 0, out);
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equality_tells_absent_from_empty),
        cmocka_unit_test(test_ieq_folds_ascii_letters_only),
        cmocka_unit_test(test_starts_and_trim),
        cmocka_unit_test(test_split_gives_every_part_even_empty_ones),
        cmocka_unit_test(test_to_i64_takes_the_whole_range),
        cmocka_unit_test(test_to_i64_refuses_all_else),
        cmocka_unit_test(test_hash_spreads_and_repeats),
        cmocka_unit_test(test_text_is_well_formed_utf8_without_nul),
        cmocka_unit_test(test_buffer_grows_and_keeps_its_bytes),
        cmocka_unit_test(test_buffer_stops_exactly_at_its_largest_size),
        cmocka_unit_test(test_buffer_reserve_gives_the_write_position),
        cmocka_unit_test(test_buffer_writes_numbers_as_printf_does),
        cmocka_unit_test(test_base64_both_ways),
        cmocka_unit_test(test_base32),
        cmocka_unit_test(test_base64_is_strict),
        cmocka_unit_test(test_base64_refuses_every_byte_outside_the_alphabet),
        cmocka_unit_test(test_base64_keeps_to_the_room_it_has),
        cmocka_unit_test(test_hex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
