#include "posthorn/filter.h"
#include "posthorn/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const char payload[] =
    "{ \"type\":\"invoice.paid\", \"data\" : "
    "{\"amount\":100,\"tax\":19.99,\"big\":9007199254740993,"
    "\"items\":[{\"sku\":\"a-1\",\"n\":1},{\"sku\":\"b-2\",\"n\":2}],\"tags\":[\"vip\",7,null,true,"
    "\"gr\\u00fcn\"],\"note\":\"caf\\u00e9 \\\"x\\\" \\ud83d\\ude00\",\"none\":null,\"ok\":true,"
    "\"no\":false,\"empty\":\"\",\"a.b\":{\"c]\":1},\"at\":\"2026-03-01T00:00:00Z\"}, "
    "\"twice\":{\"x\":1}, \"twice\":{\"y\":2}, \"\\u0074ricky\": 5, \"nul\":\"a\\u0000b\","
    "\"list\":[[1,2],[3]] }";

static bool ask(struct ph_arena *arena, const char *filter, const char *json)
{
    struct ph_filters *filters = ph_filters_new(arena);
    struct ph_filter *made;
    struct ph_filter_fault fault;
    struct ph_json_fault json_fault;

    if (ph_json_scan(ph_str_of(filter), NULL, 0, &json_fault) != PH_OK)
        fail_msg("%s is no JSON", filter);
    if (ph_filters_add(filters, ph_str_of(filter), &made, &fault) != PH_OK)
        fail_msg("%s: %s %s", filter, fault.where, fault.text);
    return ph_filter_matches(made, ph_filters_read(filters, arena, ph_str_of(json)));
}

static void check(const char *const *conditions, size_t n, bool expected)
{
    struct ph_arena *arena = ph_arena_new();

    for (size_t i = 0; i < n; i++) {
        const char *filter = ph_arena_printf(arena, "{%s}", conditions[i]);
        if (ask(arena, filter, payload) != expected)
            fail_msg("%s should%s hold", filter, expected ? "" : " not");
    }
    ph_arena_free(arena);
}

static void conditions_that_hold(void **state)
{
    static const char *const conditions[] = {
        "\"path\":\"type\",\"op\":\"eq\",\"value\":\"invoice.paid\"",
        "\"path\":\"data.amount\",\"op\":\"gte\",\"value\":100",
        "\"path\":\"data.amount\",\"op\":\"eq\",\"value\":1e2",
        "\"path\":\"data.amount\",\"op\":\"lt\",\"value\":100.00000000000000000001",
        "\"path\":\"data.tax\",\"op\":\"eq\",\"value\":19.990",
        "\"path\":\"data.tax\",\"op\":\"lte\",\"value\":19.99",
        "\"path\":\"data.big\",\"op\":\"gt\",\"value\":9007199254740992",
        "\"path\":\"data.big\",\"op\":\"ne\",\"value\":9007199254740992",
        "\"path\":\"data.items[1].sku\",\"op\":\"eq\",\"value\":\"b-2\"",
        "\"path\":[\"data\",\"items\",0,\"n\"],\"op\":\"eq\",\"value\":1",
        "\"path\":\"list[0][1]\",\"op\":\"eq\",\"value\":2",
        "\"path\":\"list[1]\",\"op\":\"contains\",\"value\":3.0",
        "\"path\":[\"data\",\"a.b\",\"c]\"],\"op\":\"eq\",\"value\":1",
        "\"path\":\"data.tags\",\"op\":\"contains\",\"value\":\"vip\"",
        "\"path\":\"data.tags\",\"op\":\"contains\",\"value\":7.0",
        "\"path\":\"data.tags\",\"op\":\"contains\",\"value\":null",
        "\"path\":\"data.tags\",\"op\":\"contains\",\"value\":\"gr\xc3\xbcn\"",
        "\"path\":\"data.note\",\"op\":\"contains\",\"value\":\"\\\"x\\\" \xf0\x9f\x98\x80\"",
        "\"path\":\"data.note\",\"op\":\"prefix\",\"value\":\"caf\xc3\xa9\"",
        "\"path\":\"data.note\",\"op\":\"contains\",\"value\":\"\"",
        "\"path\":\"data.empty\",\"op\":\"eq\",\"value\":\"\"",
        "\"path\":\"data.none\",\"op\":\"exists\"",
        "\"path\":\"data.none\",\"op\":\"exists\",\"value\":true",
        "\"path\":\"data.none\",\"op\":\"eq\",\"value\":null",
        "\"path\":\"data.nothing\",\"op\":\"exists\",\"value\":false",
        "\"path\":\"data.nothing\",\"op\":\"ne\",\"value\":1",
        "\"path\":\"data.items\",\"op\":\"ne\",\"value\":1",
        "\"path\":\"data.items\",\"op\":\"exists\"",
        "\"path\":\"data.ok\",\"op\":\"eq\",\"value\":true",
        "\"path\":\"data.ok\",\"op\":\"in\",\"value\":[1,\"x\",true]",
        "\"path\":\"data.at\",\"op\":\"lt\",\"value\":\"2026-03-02\"",
        "\"path\":\"data.at\",\"op\":\"gte\",\"value\":\"2026-03-01\"",
        "\"path\":\"twice.y\",\"op\":\"eq\",\"value\":2",
        "\"path\":\"twice.x\",\"op\":\"exists\",\"value\":false",
        "\"path\":\"tricky\",\"op\":\"eq\",\"value\":5",
        "\"path\":\"nul\",\"op\":\"exists\"",
        "\"not\":{\"path\":\"data.ok\",\"op\":\"eq\",\"value\":false}",
        "\"all\":[{\"path\":\"data.ok\",\"op\":\"eq\",\"value\":true},{\"any\":[{\"path\":\"x\","
        "\"op\":"
        "\"exists\"},{\"path\":\"data.no\",\"op\":\"eq\",\"value\":false}]}]",
    };
    (void)state;
    check(conditions, COUNT_OF(conditions), true);
}

static void conditions_that_do_not_hold(void **state)
{
    static const char *const conditions[] = {
        "\"path\":\"type\",\"op\":\"eq\",\"value\":\"invoice.pai\"",
        "\"path\":\"type\",\"op\":\"lt\",\"value\":5",
        "\"path\":\"data.amount\",\"op\":\"gt\",\"value\":100",
        "\"path\":\"data.amount\",\"op\":\"eq\",\"value\":\"100\"",
        "\"path\":\"data.amount\",\"op\":\"contains\",\"value\":1",
        "\"path\":\"data.amount\",\"op\":\"prefix\",\"value\":\"1\"",
        "\"path\":\"data.big\",\"op\":\"lte\",\"value\":9007199254740992",
        "\"path\":\"data.items[2]\",\"op\":\"exists\"",
        "\"path\":\"data.items.0.sku\",\"op\":\"exists\"",
        "\"path\":\"data[0]\",\"op\":\"exists\"",
        "\"path\":\"type.x\",\"op\":\"exists\"",
        "\"path\":\"data.items\",\"op\":\"eq\",\"value\":null",
        "\"path\":\"data.items\",\"op\":\"contains\",\"value\":1",
        "\"path\":\"data.tags\",\"op\":\"contains\",\"value\":false",
        "\"path\":\"data.none\",\"op\":\"exists\",\"value\":false",
        "\"path\":\"data.nothing\",\"op\":\"eq\",\"value\":null",
        "\"path\":\"data.nothing\",\"op\":\"lt\",\"value\":1",
        "\"path\":\"data.nothing\",\"op\":\"in\",\"value\":[null]",
        "\"path\":\"data.ok\",\"op\":\"in\",\"value\":[]",
        "\"path\":\"data.ok\",\"op\":\"ne\",\"value\":true",
        "\"path\":\"data.empty\",\"op\":\"contains\",\"value\":\"x\"",
        "\"path\":\"data.empty\",\"op\":\"gt\",\"value\":\"\"",
        "\"path\":\"nul\",\"op\":\"contains\",\"value\":\"a\"",
        "\"any\":[{\"path\":\"x\",\"op\":\"exists\"},{\"path\":\"y\",\"op\":\"exists\"}]",
        "\"all\":[{\"path\":\"data\",\"op\":\"exists\"},{\"path\":\"y\",\"op\":\"exists\"}]",
        "\"not\":{\"not\":{\"path\":\"y\",\"op\":\"exists\"}}",
    };
    (void)state;
    check(conditions, COUNT_OF(conditions), false);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *filter, *where, *text;
    } cases[] = {
        {"{}", "", "has to have path, op and value, or one of"},
        {"{\"all\":[],\"any\":[]}", "", "has to have path, op and value, or one of"},
        {"{\"path\":\"a\",\"op\":\"eq\",\"value\":1,\"x\":1}", "", "has to have path, op and"},
        {"{\"path\":\"a\",\"path\":\"b\",\"op\":\"exists\"}", "", "each once"},
        {"{\"all\":[]}", "/all", "has to have 1 to 50 filters"},
        {"{\"all\":{}}", "/all", "has to be an array of filters"},
        {"{\"all\":[1]}", "/all/0", "has to be an object"},
        {"{\"not\":null}", "/not", "has to be an object"},
        {"{\"op\":\"eq\",\"value\":1}", "/path", "field required"},
        {"{\"path\":1,\"op\":\"eq\",\"value\":1}", "/path", "has to be a string or an array"},
        {"{\"path\":\"\",\"op\":\"eq\",\"value\":1}", "/path", "like data.items[0].sku"},
        {"{\"path\":\"a..b\",\"op\":\"eq\",\"value\":1}", "/path", "like data.items[0].sku"},
        {"{\"path\":\"a.\",\"op\":\"eq\",\"value\":1}", "/path", "like data.items[0].sku"},
        {"{\"path\":\"a[x]\",\"op\":\"eq\",\"value\":1}", "/path", "like data.items[0].sku"},
        {"{\"path\":\"a[-1]\",\"op\":\"eq\",\"value\":1}", "/path", "like data.items[0].sku"},
        {"{\"path\":\"a[10000]\",\"op\":\"eq\",\"value\":1}", "/path", "like data.items[0]"},
        {"{\"path\":\"a]\",\"op\":\"eq\",\"value\":1}", "/path", "like data.items[0].sku"},
        {"{\"path\":\"a[0\",\"op\":\"eq\",\"value\":1}", "/path", "like data.items[0].sku"},
        {"{\"path\":\"[0]\",\"op\":\"eq\",\"value\":1}", "/path", "like data.items[0].sku"},
        {"{\"path\":[],\"op\":\"eq\",\"value\":1}", "/path", "has to have a part"},
        {"{\"path\":[0],\"op\":\"eq\",\"value\":1}", "/path", "every part has to be"},
        {"{\"path\":[\"a\",1.5],\"op\":\"eq\",\"value\":1}", "/path", "every part has to be"},
        {"{\"path\":\"a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a\",\"op\":\"exists\"}", "/path",
         "at most 16 parts"},
        {"{\"path\":\"a\",\"value\":1}", "/op", "has to be eq, ne"},
        {"{\"path\":\"a\",\"op\":\"like\",\"value\":1}", "/op", "has to be eq, ne"},
        {"{\"path\":\"a\",\"op\":\"eq\"}", "/value", "field required"},
        {"{\"path\":\"a\",\"op\":\"eq\",\"value\":[]}", "/value", "has to be a string, a number"},
        {"{\"path\":\"a\",\"op\":\"eq\",\"value\":\"\\u0000\"}", "/value", "holds U+0000"},
        {"{\"path\":\"a\",\"op\":\"lt\",\"value\":true}", "/value", "a number or a string"},
        {"{\"path\":\"a\",\"op\":\"prefix\",\"value\":1}", "/value", "has to be a string"},
        {"{\"path\":\"a\",\"op\":\"exists\",\"value\":1}", "/value", "has to be true or false"},
        {"{\"path\":\"a\",\"op\":\"in\",\"value\":1}", "/value", "has to be an array"},
        {"{\"path\":\"a\",\"op\":\"eq\",\"value\":1e9999}", "/value", "exponent within 1000"},
        {"{\"any\":[{\"path\":\"a\",\"op\":\"exists\"},{\"not\":{\"path\":\"a\",\"op\":\"in\","
         "\"value\":[1,{}]}}]}",
         "/any/1/not/value/1", "has to be a string, a number"},
        {"{\"not\":{\"not\":{\"not\":{\"not\":{\"not\":{\"not\":{\"not\":{\"not\":{\"path\":\"a\","
         "\"op\":\"exists\"}}}}}}}}}",
         "/not/not/not/not/not/not/not/not", "nested more than 8 deep"},
    };
    struct ph_arena *arena = ph_arena_new();
    struct ph_filter *made;
    struct ph_filter_fault fault;
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (ph_filters_add(ph_filters_new(arena), ph_str_of(cases[i].filter), &made, &fault) !=
            PH_ERR_VALIDATION)
            fail_msg("%s is taken", cases[i].filter);
        if (strcmp(fault.where, cases[i].where) != 0 || !strstr(fault.text, cases[i].text))
            fail_msg("%s: %s %s", cases[i].filter, fault.where, fault.text);
    }
    ph_arena_free(arena);
}

/* A filter with so many conditions, as text in the arena. */
static struct ph_str of_conditions(struct ph_arena *arena, int n)
{
    struct ph_buf buf;
    struct ph_str text;

    ph_buf_init(&buf, 1 << 20);
    ph_buf_add_c(&buf, "{\"all\":[");
    for (int i = 0; i < n; i++)
        ph_buf_printf(&buf, "%s{\"all\":[{\"path\":\"a\",\"op\":\"exists\"}]}", i ? "," : "");
    ph_buf_add_c(&buf, "]}");
    text = (struct ph_str){ph_arena_copy(arena, buf.ptr, buf.len), buf.len};
    ph_buf_free(&buf);
    return text;
}

static void size_is_bounded(void **state)
{
    struct ph_arena *arena = ph_arena_new();
    struct ph_filter *made;
    struct ph_filter_fault fault;
    char *big = ph_arena_alloc(arena, 20000);
    (void)state;

    assert_int_equal(ph_filters_add(ph_filters_new(arena), of_conditions(arena, 50), &made, &fault),
                     PH_OK);
    assert_int_equal(ph_filters_add(ph_filters_new(arena), of_conditions(arena, 51), &made, &fault),
                     PH_ERR_VALIDATION);
    memset(big, ' ', 20000);
    memcpy(big, "{", 1);
    memcpy(big + 19999, "}", 1);
    assert_int_equal(
        ph_filters_add(ph_filters_new(arena), (struct ph_str){big, 20000}, &made, &fault),
        PH_ERR_VALIDATION);
    assert_string_equal(fault.text, "has to have at most 16384 bytes");
    ph_arena_free(arena);
}

static void many_filters_share_one_reading(void **state)
{
    struct ph_arena *arena = ph_arena_new();
    struct ph_filters *filters = ph_filters_new(arena);
    struct ph_filter *made[300];
    struct ph_filter_fault fault;
    struct ph_filter_values *values;
    (void)state;

    for (int i = 0; i < 300; i++)
        assert_int_equal(
            ph_filters_add(
                filters,
                ph_str_of(ph_arena_printf(
                    arena, "{\"path\":\"data.k%d\",\"op\":\"eq\",\"value\":%d}", i % 150, i)),
                &made[i], &fault),
            PH_OK);
    values = ph_filters_read(filters, arena, PH_STR("{\"data\":{\"k7\":7,\"k20\":170}}"));
    for (int i = 0; i < 300; i++)
        assert_int_equal(ph_filter_matches(made[i], values), i == 7 || i == 170);
    ph_arena_free(arena);
}

static void contains_looks_at_a_beginning_only(void **state)
{
    struct ph_arena *arena = ph_arena_new();
    struct ph_buf buf;
    (void)state;

    ph_buf_init(&buf, 1 << 20);
    ph_buf_printf(&buf, "{\"s\":\"%*s!x\",\"a\":[", PH_FILTER_TEXT_BYTES - 1, "");
    for (int i = 0; i <= PH_FILTER_ELEMENTS; i++)
        ph_buf_printf(&buf, "%s%d", i ? "," : "", i);
    ph_buf_add_c(&buf, "]}");
    ph_buf_add_char(&buf, '\0');
    assert_true(ask(arena, "{\"path\":\"s\",\"op\":\"contains\",\"value\":\"!\"}", buf.ptr));
    assert_false(ask(arena, "{\"path\":\"s\",\"op\":\"contains\",\"value\":\"x\"}", buf.ptr));
    assert_true(ask(arena, "{\"path\":\"a\",\"op\":\"contains\",\"value\":255}", buf.ptr));
    assert_false(ask(arena, "{\"path\":\"a\",\"op\":\"contains\",\"value\":256}", buf.ptr));
    ph_buf_free(&buf);
    ph_arena_free(arena);
}

static void the_deciding_part_is_named(void **state)
{
    static const char *const cases[][2] = {
        {"{\"path\":\"data.amount\",\"op\":\"gt\",\"value\":100}",
         "filter does not hold (gt): the value is 100"},
        {"{\"all\":[{\"path\":\"data\",\"op\":\"exists\"},{\"not\":{\"path\":\"data.ok\",\"op\":"
         "\"eq\",\"value\":true}}]}",
         "filter.all.1.not holds (eq): the value is true"},
        {"{\"any\":[{\"path\":\"x\",\"op\":\"exists\"}]}", "filter.any: none of 1 holds"},
        {"{\"all\":[{\"path\":\"data\",\"op\":\"exists\"}]}", "filter.all: each of 1 holds"},
        {"{\"any\":[{\"path\":\"x\",\"op\":\"ne\",\"value\":1}]}",
         "filter.any.0 holds (ne): there is no such value"},
    };
    struct ph_arena *arena = ph_arena_new();
    struct ph_filter_fault fault;
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct ph_filters *filters = ph_filters_new(arena);
        struct ph_filter *made;
        assert_int_equal(ph_filters_add(filters, ph_str_of(cases[i][0]), &made, &fault), PH_OK);
        assert_string_equal(
            ph_filter_reason(made, ph_filters_read(filters, arena, ph_str_of(payload))),
            cases[i][1]);
    }
    ph_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_that_hold),
        cmocka_unit_test(conditions_that_do_not_hold),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(size_is_bounded),
        cmocka_unit_test(many_filters_share_one_reading),
        cmocka_unit_test(contains_looks_at_a_beginning_only),
        cmocka_unit_test(the_deciding_part_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
