#include "posthorn/clock.h"
#include "posthorn/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* A copy on the heap without a byte behind it, so that AddressSanitizer sees a read past the end. */
static struct ph_str exact(struct ph_str s)
{
    char *copy = malloc(s.len ? s.len : 1);
    assert_non_null(copy);
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    return (struct ph_str){copy, s.len};
}

static enum ph_err scan(struct ph_str doc, struct ph_json_fault *fault)
{
    struct ph_str copy = exact(doc);
    enum ph_err err = ph_json_scan(copy, NULL, 0, fault);
    free((void *)copy.ptr);
    return err;
}

/* Scans {"v": <value>}, so that every value is tried as a member. */
static enum ph_err scan_value(struct ph_str value, struct ph_json_fault *fault)
{
    struct ph_buf buf;
    ph_buf_init(&buf, 1 << 20);
    ph_buf_add_c(&buf, "{\"v\":");
    ph_buf_add_str(&buf, value);
    ph_buf_add_char(&buf, '}');
    enum ph_err err = scan(ph_buf_str(&buf), fault);
    ph_buf_free(&buf);
    return err;
}

static void assert_field(const struct ph_json_field *field, enum ph_json_kind kind, const char *raw)
{
    assert_int_equal(field->kind, kind);
    assert_int_equal(field->raw.len, strlen(raw));
    assert_memory_equal(field->raw.ptr, raw, field->raw.len);
}

static void finds_members_of_the_outermost_object(void **state)
{
    (void)state;
    struct ph_str doc =
        PH_STR(" { \"a\" : 1 ,\"b\":{\"a\":2,\"z\":[{\"a\":3}]},\"c\":[\"a\",{\"d\":1}]"
               ",\"s\":\"x\\\"y\",\"t\":true,\"f\":false,\"n\":null}\r\n\t ");
    struct ph_json_field fields[] = {{.name = "a"}, {.name = "b"}, {.name = "c"},
                                     {.name = "s"}, {.name = "t"}, {.name = "f"},
                                     {.name = "n"}, {.name = "d"}, {.name = "z"}};
    struct ph_json_fault fault;

    assert_int_equal(ph_json_scan(doc, fields, COUNT_OF(fields), &fault), PH_OK);
    assert_field(&fields[0], PH_JSON_NUMBER, "1");
    assert_field(&fields[1], PH_JSON_OBJECT, "{\"a\":2,\"z\":[{\"a\":3}]}");
    assert_field(&fields[2], PH_JSON_ARRAY, "[\"a\",{\"d\":1}]");
    assert_field(&fields[3], PH_JSON_STRING, "\"x\\\"y\"");
    assert_field(&fields[4], PH_JSON_TRUE, "true");
    assert_field(&fields[5], PH_JSON_FALSE, "false");
    assert_field(&fields[6], PH_JSON_NULL, "null");
    assert_int_equal(fields[7].kind, PH_JSON_ABSENT);
    assert_int_equal(fields[8].kind, PH_JSON_ABSENT);
    assert_null(fields[8].raw.ptr);
}

static void keeps_the_bytes_of_a_value(void **state)
{
    (void)state;
    struct ph_str doc =
        PH_STR("{\"payload\" : { \"b\" :1.0 ,\n\"a\": 1e2, \"a\":\"\\u00e9\" } , \"x\":1}");
    struct ph_json_field field = {.name = "payload"};
    struct ph_json_fault fault;

    assert_int_equal(ph_json_scan(doc, &field, 1, &fault), PH_OK);
    assert_field(&field, PH_JSON_OBJECT, "{ \"b\" :1.0 ,\n\"a\": 1e2, \"a\":\"\\u00e9\" }");
    assert_ptr_equal(field.raw.ptr, doc.ptr + 13);
}

static void last_of_repeated_members_counts(void **state)
{
    (void)state;
    struct ph_json_field field = {.name = "eventType"};
    struct ph_json_fault fault;

    assert_int_equal(
        ph_json_scan(PH_STR("{\"eventType\":1,\"eventType\":\"b\"}"), &field, 1, &fault), PH_OK);
    assert_field(&field, PH_JSON_STRING, "\"b\"");
    assert_int_equal(ph_json_scan(PH_STR("{\"eventType\":1,\"\\u0065vent\\u0054yp\\u0065\":2}"),
                                  &field, 1, &fault),
                     PH_OK);
    assert_field(&field, PH_JSON_NUMBER, "2");
    assert_int_equal(
        ph_json_scan(PH_STR("{\"\\u0065ventType\":2,\"eventType\":[ ]}"), &field, 1, &fault),
        PH_OK);
    assert_field(&field, PH_JSON_ARRAY, "[ ]");
}

static void other_names_do_not_match(void **state)
{
    (void)state;
    static const char *const keys[] = {"",     "a",        "abc",       "AB",      "ab\\u0000",
                                       "\\n",  "a\\u0162", "a\\ud800",  "\\\"ab",  "ab\\u0000c",
                                       "a\\b", "\xc3\xa9", "a\xc5\xa2", "\\u0000", "ab "};
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct ph_json_field field = {.name = "ab"};
        struct ph_json_fault fault;
        char doc[64];
        snprintf(doc, sizeof(doc), "{\"%s\":1}", keys[i]);
        assert_int_equal(ph_json_scan(ph_str_of(doc), &field, 1, &fault), PH_OK);
        assert_int_equal(field.kind, PH_JSON_ABSENT);
    }
    struct ph_json_field slash = {.name = "a/b"};
    struct ph_json_fault fault;
    assert_int_equal(ph_json_scan(PH_STR("{\"a\\/b\":1}"), &slash, 1, &fault), PH_OK);
    assert_int_equal(slash.kind, PH_JSON_NUMBER);
}

static void forgets_earlier_results(void **state)
{
    (void)state;
    struct ph_json_field field = {.name = "a"};
    struct ph_json_fault fault;

    assert_int_equal(ph_json_scan(PH_STR("{\"a\":1}"), &field, 1, &fault), PH_OK);
    assert_int_equal(ph_json_scan(PH_STR("{\"b\":1}"), &field, 1, &fault), PH_OK);
    assert_int_equal(field.kind, PH_JSON_ABSENT);
    assert_int_equal(ph_json_scan(PH_STR("{\"a\":1,}"), &field, 1, &fault), PH_ERR_BAD_REQUEST);
    assert_int_equal(field.kind, PH_JSON_ABSENT);
    assert_null(field.raw.ptr);
}

static void accepts_every_valid_value(void **state)
{
    (void)state;
    static const char *const values[] = {
        "0",
        "-0",
        "1",
        "-1",
        "10",
        "0.0",
        "-0.5",
        "1.25e10",
        "1E+2",
        "1e-2",
        "0e0",
        "1e400",
        "-1e-400",
        "123456789012345678901234567890",
        "1.7976931348623157e309",
        "\"\"",
        "\"a\"",
        "\"\x7f\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\uABCD\\uabcd\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "\"\\u0000\"",
        "\"\xc2\x80\"",
        "\"\xdf\xbf\"",
        "\"\xe0\xa0\x80\"",
        "\"\xed\x9f\xbf\"",
        "\"\xee\x80\x80\"",
        "\"\xef\xbf\xbf\"",
        "\"\xf0\x90\x80\x80\"",
        "\"\xf4\x8f\xbf\xbf\"",
        "[]",
        "[ ]",
        "{}",
        "{ }",
        "[[],{}]",
        "[1 , 2]",
        "true",
        "false",
        "null",
        "{\"\":{\"\":[]}}",
    };
    struct ph_json_fault fault;
    for (size_t i = 0; i < COUNT_OF(values); i++)
        if (scan_value(ph_str_of(values[i]), &fault) != PH_OK)
            fail_msg("refused %s: %s", values[i], fault.text);
}

static void refuses_every_invalid_value(void **state)
{
    (void)state;
    static const char *const values[] = {
        "",
        ",",
        ":",
        "}",
        "]",
        "[",
        "{",
        "\"",
        "-",
        "+1",
        "01",
        "-01",
        "00",
        "1.",
        ".5",
        "1.e1",
        "1e",
        "1e+",
        "1ee1",
        "0x1",
        "1_0",
        "--1",
        "-a",
        "1 2",
        "NaN",
        "Infinity",
        "-Infinity",
        "nul",
        "nulll",
        "True",
        "TRUE",
        "tru\\u0065",
        "'a'",
        "a",
        "\"a",
        "a\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\U0041\"",
        "\"\\\"",
        "\"\\\x01\"",
        "\"\n\"",
        "\"\t\"",
        "\"\x1f\"",
        "\"\x01\"",
        "\"\x80\"",
        "\"\xbf\"",
        "\"\xc0\x80\"",
        "\"\xc1\xbf\"",
        "\"\xc2\"",
        "\"\xc2\x41\"",
        "\"\xe0\x80\x80\"",
        "\"\xe0\x9f\xbf\"",
        "\"\xe1\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\xed\xbf\xbf\"",
        "\"\xf0\x80\x80\x80\"",
        "\"\xf0\x8f\xbf\xbf\"",
        "\"\xf4\x90\x80\x80\"",
        "\"\xf5\x80\x80\x80\"",
        "\"\xff\"",
        "\"\xf0\x9f\x98\"",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1}",
        "{\"a\":1]",
        "{\"a\":1,}",
        "{,}",
        "{\"a\"}",
        "{\"a\",1}",
        "{\"a\":}",
        "{a:1}",
        "{1:1}",
        "{'a':1}",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "[1]]",
        "{}}",
        "/**/1",
        "//\n1",
        "\xa0"
        "1",
        "\x0b"
        "1",
        "\x0c"
        "1",
        "\xef\xbb\xbf"
        "1",
        "{null:1}",
        "{\"a\":1,,\"b\":1}",
        "[\"\\\"]",
    };
    struct ph_json_fault fault;
    for (size_t i = 0; i < COUNT_OF(values); i++)
        if (scan_value(ph_str_of(values[i]), &fault) != PH_ERR_BAD_REQUEST)
            fail_msg("accepted %s", values[i]);
}

/* The strings move over every alignment and length of the wide comparison, with the bad byte at every place. */
static void sees_a_bad_byte_wherever_it_stands(void **state)
{
    (void)state;
    static const char bad[] = {'\x00', '\x1f', '\n', '\x80', '\xff'};
    struct ph_json_fault fault;
    char doc[128];
    for (size_t len = 1; len < 50; len++) {
        memset(doc, 'x', sizeof(doc));
        memcpy(doc, "{\"", 2);
        memcpy(doc + 2 + len, "\":1}", 4);
        assert_int_equal(scan((struct ph_str){doc, len + 6}, &fault), PH_OK);
        for (size_t at = 0; at < len; at++) {
            for (size_t i = 0; i < sizeof(bad); i++) {
                doc[2 + at] = bad[i];
                assert_int_equal(scan((struct ph_str){doc, len + 6}, &fault), PH_ERR_BAD_REQUEST);
                assert_int_equal(fault.offset, 2 + at);
            }
            doc[2 + at] = 'x';
        }
    }
}

/* Every proper prefix of a valid document is invalid, and nothing reads past it. */
static void refuses_every_prefix(void **state)
{
    (void)state;
    struct ph_str doc =
        PH_STR("{\"a\":[1,-2.5e-3,true,false,null,{\"b\":\"\\u00e9\xc3\xa9\xe2\x82\xac"
               "\xf0\x9f\x98\x80 a string of more than sixteen bytes\"}]}");
    struct ph_json_fault fault;
    assert_int_equal(scan(doc, &fault), PH_OK);
    for (size_t len = 0; len < doc.len; len++) {
        assert_int_equal(scan((struct ph_str){doc.ptr, len}, &fault), PH_ERR_BAD_REQUEST);
        assert_true(fault.offset <= len);
    }
    assert_int_equal(ph_json_scan(PH_STR_NONE, NULL, 0, &fault), PH_ERR_BAD_REQUEST);
}

static void nothing_may_stand_behind(void **state)
{
    (void)state;
    struct ph_json_fault fault;
    assert_int_equal(scan(PH_STR("{} \t\r\n"), &fault), PH_OK);
    assert_int_equal(scan(PH_STR("{} x"), &fault), PH_ERR_BAD_REQUEST);
    assert_int_equal(fault.offset, 3);
    assert_int_equal(scan(PH_STR("{}{}"), &fault), PH_ERR_BAD_REQUEST);
    assert_int_equal(scan(PH_STR("{}\0"), &fault), PH_ERR_BAD_REQUEST);
    assert_int_equal(scan(PH_STR("{},"), &fault), PH_ERR_BAD_REQUEST);
}

static void says_where_and_what(void **state)
{
    (void)state;
    static const struct {
        const char *doc;
        size_t offset;
        const char *text;
    } cases[] = {
        {"{\"a\" 1}", 5, "expected ':' after a member name"},
        {"{a:1}", 1, "expected a member name"},
        {"{\"a\":1 2}", 7, "expected ',' or '}'"},
        {"{\"a\":[1 2]}", 8, "expected ',' or ']'"},
        {"{\"a\":01}", 6, "expected ',' or '}'"},
        {"{\"a\":-x}", 6, "expected a digit"},
        {"{\"a\":?}", 5, "expected a value"},
        {"{\"a\":\"\\q\"}", 7, "unknown escape in a string"},
        {"{\"a\":\"\\u00g0\"}", 10, "expected four hex digits after \\u"},
        {"{\"a\":", 5, "the document ends too early"},
        {"", 0, "the document ends too early"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct ph_json_fault fault;
        assert_int_equal(scan(ph_str_of(cases[i].doc), &fault), PH_ERR_BAD_REQUEST);
        assert_int_equal(fault.offset, cases[i].offset);
        assert_string_equal(fault.text, cases[i].text);
    }
}

static void valid_but_no_object_is_another_error(void **state)
{
    (void)state;
    static const char *const docs[] = {"[]", " [{\"a\":1}]", "1", "\"{}\"", "null", "true "};
    struct ph_json_fault fault;
    for (size_t i = 0; i < COUNT_OF(docs); i++)
        assert_int_equal(scan(ph_str_of(docs[i]), &fault), PH_ERR_VALIDATION);
    assert_int_equal(scan(PH_STR("[1"), &fault), PH_ERR_BAD_REQUEST);

    struct ph_json_field field = {.name = "a"};
    assert_int_equal(ph_json_scan(PH_STR("[{\"a\":1}]"), &field, 1, &fault), PH_ERR_VALIDATION);
    assert_int_equal(field.kind, PH_JSON_ABSENT);
}

/* depth containers, the outermost an object. */
static enum ph_err scan_nested(size_t depth, char opener)
{
    struct ph_buf buf;
    struct ph_json_fault fault;
    ph_buf_init(&buf, 1 << 24);
    ph_buf_add_c(&buf, "{\"a\":");
    for (size_t i = 1; i < depth; i++)
        ph_buf_add_c(&buf, opener == '[' ? "[" : "{\"a\":");
    ph_buf_add_c(&buf, "0");
    for (size_t i = 1; i < depth; i++)
        ph_buf_add_char(&buf, opener == '[' ? ']' : '}');
    ph_buf_add_char(&buf, '}');
    assert_false(buf.overflow);
    enum ph_err err = scan(ph_buf_str(&buf), &fault);
    if (err != PH_OK)
        assert_string_equal(fault.text, "nested too deeply");
    ph_buf_free(&buf);
    return err;
}

static void depth_is_capped(void **state)
{
    (void)state;
    assert_int_equal(scan_nested(PH_JSON_DEPTH_MAX, '['), PH_OK);
    assert_int_equal(scan_nested(PH_JSON_DEPTH_MAX, '{'), PH_OK);
    assert_int_equal(scan_nested(PH_JSON_DEPTH_MAX + 1, '['), PH_ERR_BAD_REQUEST);
    assert_int_equal(scan_nested(PH_JSON_DEPTH_MAX + 1, '{'), PH_ERR_BAD_REQUEST);
    assert_int_equal(scan_nested(1000000, '['), PH_ERR_BAD_REQUEST);
}

static void decodes_strings(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *text;
    } cases[] = {
        {"\"\"", ""},
        {"\"plain \xc3\xa9\"", "plain \xc3\xa9"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"a\\u0041b\\u00e9c\\u20aCd\"", "aAb\xc3\xa9"
                                          "c\xe2\x82\xac"
                                          "d"},
        {"\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"", "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"},
        {"\"\\ud800\\udc00\\uDBFF\\uDFFF\"", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
        {"\"\\ud83d\\ude00!\"", "\xf0\x9f\x98\x80!"},
        {"\"\\u0001\"", "\x01"},
        {"\"\\\\u0000\"", "\\u0000"},
    };
    struct ph_arena *arena = ph_arena_new();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct ph_str raw = ph_str_of(cases[i].raw), out;
        assert_int_equal(ph_json_string(arena, raw, &out), PH_OK);
        assert_non_null(out.ptr);
        assert_int_equal(out.len, strlen(cases[i].text));
        assert_memory_equal(out.ptr, cases[i].text, out.len);
        if (!strchr(cases[i].raw, '\\'))
            assert_ptr_equal(out.ptr, raw.ptr + 1);
    }
    ph_arena_free(arena);
}

static void refuses_text_the_database_cannot_hold(void **state)
{
    (void)state;
    static const char *const raws[] = {
        "\"\\u0000\"",        "\"a\\u0000b\"",      "\"\\ud800\"",         "\"\\udc00\"",
        "\"\\ud800x\"",       "\"\\ud800\\n\"",     "\"\\ud800\\u0041\"",  "\"\\udfff\\ud800\"",
        "\"\\ud800\\ud800\"", "\"\\udbff\\ue000\"", "\"\\ud800\\\\udc00\""};
    struct ph_arena *arena = ph_arena_new();
    for (size_t i = 0; i < COUNT_OF(raws); i++) {
        struct ph_str out = PH_STR("untouched");
        assert_int_equal(ph_json_string(arena, ph_str_of(raws[i]), &out), PH_ERR_VALIDATION);
        assert_string_equal(out.ptr, "untouched");
    }
    ph_arena_free(arena);
}

static void assert_elements(const char *array, size_t n, const char *const *want)
{
    struct ph_str copy = exact(ph_str_of(array)), rest = copy, element;
    for (size_t i = 0; i < n; i++) {
        assert_true(ph_json_next_element(&rest, &element));
        assert_int_equal(element.len, strlen(want[i]));
        assert_memory_equal(element.ptr, want[i], element.len);
    }
    assert_false(ph_json_next_element(&rest, &element));
    assert_false(ph_json_next_element(&rest, &element));
    free((void *)copy.ptr);
}

static void walks_the_elements_of_an_array(void **state)
{
    (void)state;
    static const char *const mixed[] = {"1",
                                        "\"a,]\\\"\\\\\"",
                                        "[2,[3],\"]\"]",
                                        "{\"k\":[\"}\",1],\"l\":{}}",
                                        "null",
                                        "-1.5e3",
                                        "[]",
                                        "true",
                                        "\"\""};
    assert_elements("[1,\"a,]\\\"\\\\\",[2,[3],\"]\"] ,{\"k\":[\"}\",1],\"l\":{}}, null\n,\t-1.5e3 "
                    ",[],true,\"\" ]",
                    COUNT_OF(mixed), mixed);
    assert_elements("[]", 0, NULL);
    assert_elements("[ \n]", 0, NULL);
    assert_elements("[1]", 1, (const char *const[]){"1"});
    assert_elements("[[]]", 1, (const char *const[]){"[]"});

    struct ph_str none = PH_STR_NONE, element;
    assert_false(ph_json_next_element(&none, &element));
}

static void knows_kinds(void **state)
{
    (void)state;
    assert_int_equal(ph_json_kind_of(PH_STR_NONE), PH_JSON_ABSENT);
    assert_int_equal(ph_json_kind_of(PH_STR("{}")), PH_JSON_OBJECT);
    assert_int_equal(ph_json_kind_of(PH_STR("[]")), PH_JSON_ARRAY);
    assert_int_equal(ph_json_kind_of(PH_STR("\"\"")), PH_JSON_STRING);
    assert_int_equal(ph_json_kind_of(PH_STR("-1")), PH_JSON_NUMBER);
    assert_int_equal(ph_json_kind_of(PH_STR("7")), PH_JSON_NUMBER);
    assert_int_equal(ph_json_kind_of(PH_STR("true")), PH_JSON_TRUE);
    assert_int_equal(ph_json_kind_of(PH_STR("false")), PH_JSON_FALSE);
    assert_int_equal(ph_json_kind_of(PH_STR("null")), PH_JSON_NULL);
}

static void assert_written(struct ph_buf *buf, const char *want)
{
    struct ph_str got = ph_buf_str(buf);
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.ptr, want, got.len);
    ph_buf_clear(buf);
}

static void writer_places_commas(void **state)
{
    (void)state;
    struct ph_buf buf;
    struct ph_json_writer w;
    struct ph_id id;
    memset(id.b, 0, sizeof(id.b));
    ph_buf_init(&buf, 4096);

    ph_jw_init(&w, &buf);
    ph_jw_object_begin(&w);
    ph_jw_key(&w, "data");
    ph_jw_array_begin(&w);
    ph_jw_i64(&w, INT64_MIN);
    ph_jw_object_begin(&w);
    ph_jw_object_end(&w);
    ph_jw_object_begin(&w);
    ph_jw_key(&w, "a");
    ph_jw_bool(&w, true);
    ph_jw_key(&w, "b");
    ph_jw_bool(&w, false);
    ph_jw_object_end(&w);
    ph_jw_array_begin(&w);
    ph_jw_array_end(&w);
    ph_jw_null(&w);
    ph_jw_array_end(&w);
    ph_jw_key(&w, "raw");
    ph_jw_raw(&w, PH_STR("{ \"x\" : 1 }"));
    ph_jw_key_str(&w, PH_STR("k\"\n"));
    ph_jw_cstr(&w, "v");
    ph_jw_key(&w, "none");
    ph_jw_cstr(&w, NULL);
    ph_jw_key(&w, "absent");
    ph_jw_str(&w, PH_STR_NONE);
    ph_jw_key(&w, "empty");
    ph_jw_str(&w, PH_STR(""));
    ph_jw_key(&w, "id");
    ph_jw_id(&w, PH_ID_MESSAGE, id);
    ph_jw_key(&w, "at");
    ph_jw_time(&w, 0);
    ph_jw_object_end(&w);
    assert_written(&buf, "{\"data\":[-9223372036854775808,{},{\"a\":true,\"b\":false},[],null],"
                         "\"raw\":{ \"x\" : 1 },\"k\\\"\\n\":\"v\",\"none\":null,\"absent\":null,"
                         "\"empty\":\"\",\"id\":\"msg_0000000000000000000000\","
                         "\"at\":\"1970-01-01T00:00:00.000Z\"}");
    ph_buf_free(&buf);
}

static void writer_escapes(void **state)
{
    (void)state;
    static const struct {
        struct ph_str text;
        const char *json;
    } cases[] = {
        {PH_STR("\"\\/\b\f\n\r\t"), "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
        {PH_STR("\0\x01\x1f\x7f"), "\"\\u0000\\u0001\\u001f\x7f\""},
        {PH_STR("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
         "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {PH_STR("a\xff"
                "b\xc3"),
         "\"a\xef\xbf\xbd"
         "b\xef\xbf\xbd\""},
        {PH_STR("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {PH_STR("more than sixteen bytes, then \" and more"),
         "\"more than sixteen bytes, then \\\" and more\""},
    };
    struct ph_buf buf;
    struct ph_json_writer w;
    ph_buf_init(&buf, 4096);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ph_jw_init(&w, &buf);
        ph_jw_str(&w, cases[i].text);
        assert_written(&buf, cases[i].json);
    }
    ph_buf_free(&buf);
}

/* What the writer makes of any two bytes, the scanner takes; text comes back as it was. */
static void scanner_reads_what_the_writer_wrote(void **state)
{
    (void)state;
    struct ph_arena *arena = ph_arena_new();
    struct ph_buf buf;
    struct ph_json_writer w;
    struct ph_json_field field = {.name = "v"};
    struct ph_json_fault fault;
    ph_buf_init(&buf, 4096);
    for (int i = 0; i < 65536; i++) {
        char bytes[2] = {(char)(i >> 8), (char)i};
        struct ph_str text = {bytes, 2}, back;
        ph_buf_clear(&buf);
        ph_jw_init(&w, &buf);
        ph_jw_object_begin(&w);
        ph_jw_key(&w, "v");
        ph_jw_str(&w, text);
        ph_jw_object_end(&w);
        assert_int_equal(ph_json_scan(ph_buf_str(&buf), &field, 1, &fault), PH_OK);
        if (ph_str_is_text(text)) {
            assert_int_equal(ph_json_string(arena, field.raw, &back), PH_OK);
            assert_true(ph_str_eq(back, text));
        }
        if (i % 256 == 0)
            ph_arena_reset(arena);
    }
    ph_buf_free(&buf);
    ph_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_members_of_the_outermost_object),
        cmocka_unit_test(keeps_the_bytes_of_a_value),
        cmocka_unit_test(last_of_repeated_members_counts),
        cmocka_unit_test(other_names_do_not_match),
        cmocka_unit_test(forgets_earlier_results),
        cmocka_unit_test(accepts_every_valid_value),
        cmocka_unit_test(refuses_every_invalid_value),
        cmocka_unit_test(sees_a_bad_byte_wherever_it_stands),
        cmocka_unit_test(refuses_every_prefix),
        cmocka_unit_test(nothing_may_stand_behind),
        cmocka_unit_test(says_where_and_what),
        cmocka_unit_test(valid_but_no_object_is_another_error),
        cmocka_unit_test(depth_is_capped),
        cmocka_unit_test(decodes_strings),
        cmocka_unit_test(refuses_text_the_database_cannot_hold),
        cmocka_unit_test(walks_the_elements_of_an_array),
        cmocka_unit_test(knows_kinds),
        cmocka_unit_test(writer_places_commas),
        cmocka_unit_test(writer_escapes),
        cmocka_unit_test(scanner_reads_what_the_writer_wrote),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
