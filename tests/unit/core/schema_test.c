#include "posthorn/json.h"
#include "posthorn/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static struct ph_arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = ph_arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ph_arena_free(arena);
    return 0;
}

static struct ph_schema *compile(const char *text)
{
    struct ph_schema *schema;
    struct ph_schema_fault fault;
    struct ph_json_fault json_fault;

    if (ph_json_scan(ph_str_of(text), NULL, 0, &json_fault) == PH_ERR_BAD_REQUEST)
        fail_msg("%s is no JSON", text);
    if (ph_schema_compile(arena, ph_str_of(text), &schema, &fault) != PH_OK)
        fail_msg("%s: %s: %s", text, fault.where, fault.text);
    return schema;
}

static bool is_valid(const char *schema, const char *json)
{
    struct ph_schema_fault fault;

    return ph_schema_check(compile(schema), arena, ph_str_of(json), &fault) == PH_OK;
}

/* Keywords that the shared tests of draft 7 do not have. */
static void keywords_since_draft_7_are_checked(void **state)
{
    static const struct {
        const char *schema, *good[4], *bad[4];
    } cases[] = {
        {"{\"prefixItems\":[{\"type\":\"string\"},true],\"items\":{\"type\":\"integer\"}}",
         {"[]", "[\"a\",null,3]", "{}"},
         {"[1]", "[\"a\",1,\"x\"]"}},
        {"{\"prefixItems\":[true],\"items\":false}", {"[1]", "[]"}, {"[1,2]"}},
        {"{\"contains\":{\"const\":1},\"minContains\":2,\"maxContains\":3}",
         {"[1,1]", "[1,2,1,1.0]"},
         {"[1]", "[1,1,1,1]", "[]"}},
        {"{\"contains\":{\"const\":1},\"minContains\":0}", {"[]", "[2]"}, {NULL}},
        {"{\"dependentRequired\":{\"a\":[\"b\",\"c\"]}}",
         {"{}", "{\"b\":1}", "{\"a\":1,\"b\":1,\"c\":1}"},
         {"{\"a\":1}", "{\"a\":1,\"b\":1}"}},
        {"{\"dependentSchemas\":{\"a\":{\"required\":[\"b\"]}}}",
         {"{}", "{\"a\":1,\"b\":1}"},
         {"{\"a\":1}"}},
        {"{\"$ref\":\"#/$defs/a\",\"maximum\":5,\"$defs\":{\"a\":{\"minimum\":1}}}",
         {"1", "5"},
         {"0", "6"}},
        {"{\"$defs\":{\"a/b c~\":{\"type\":\"null\"}},\"$ref\":\"#/$defs/a~1b%20c~0\"}",
         {"null"},
         {"1"}},
        {"{\"type\":\"string\",\"nullable\":true,\"enum\":[\"a\"]}",
         {"null", "\"a\""},
         {"1", "\"b\""}},
        {"{\"properties\":{\"next\":{\"$ref\":\"#\"},\"n\":{\"type\":\"integer\"}}}",
         {"{\"next\":{\"next\":{\"n\":1}}}"},
         {"{\"next\":{\"next\":{\"n\":1.5}}}"}},
    };
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t j = 0; j < 4 && cases[i].good[j]; j++)
            if (!is_valid(cases[i].schema, cases[i].good[j]))
                fail_msg("%s refuses %s", cases[i].schema, cases[i].good[j]);
        for (size_t j = 0; j < 4 && cases[i].bad[j]; j++)
            if (is_valid(cases[i].schema, cases[i].bad[j]))
                fail_msg("%s takes %s", cases[i].schema, cases[i].bad[j]);
    }
}

static void numbers_are_exact(void **state)
{
    (void)state;

    assert_false(is_valid("{\"maximum\":9007199254740992}", "9007199254740993"));
    assert_true(is_valid("{\"multipleOf\":0.01}", "19.99"));
    assert_false(is_valid("{\"exclusiveMaximum\":0.3}", "0.3"));
    assert_true(is_valid("{\"exclusiveMaximum\":0.3}", "0.29999999999999999999"));
    assert_true(is_valid("{\"type\":\"integer\"}", "123456789012345678901234567890"));
    assert_true(is_valid("{\"const\":1e2}", "100"));
    assert_true(is_valid("{\"minLength\":1e0,\"maxLength\":12}", "\"abcdefghijkl\""));
    assert_false(is_valid("{\"maxLength\":10}", "\"abcdefghijk\""));
    assert_true(is_valid("{\"maxLength\":2}", "\"\\ud83d\\ude00\xc3\xa4\""));
}

static void what_is_twice_is_found_in_every_form(void **state)
{
    static const char *const twice[] = {
        "[1,2,1.0]",
        "[100,1e2]",
        "[0,-0.0]",
        "[120.50,1205e-1]",
        "[\"a\",\"\\u0061\"]",
        "[{\"a\":1,\"b\":[2]},{\"b\":[2.0],\"\\u0061\":1}]",
        "[null,null]",
        "[[],{},[]]",
    };
    static const char *const once[] = {
        "[1,\"1\",true,[1],{\"1\":1}]",    "[100,1e3,1,10]",
        "[{\"a\":1},{\"a\":2},{\"b\":1}]", "[[1,2],[2,1]]",
        "[1.01,1.001,10.1,101]",           "[\"\\ud83d\",\"\\ude00\"]",
    };
    struct ph_schema_fault fault;
    struct ph_buf buf;
    (void)state;

    for (size_t i = 0; i < COUNT_OF(twice); i++)
        if (is_valid("{\"uniqueItems\":true}", twice[i]))
            fail_msg("%s is unique", twice[i]);
    for (size_t i = 0; i < COUNT_OF(once); i++)
        if (!is_valid("{\"uniqueItems\":true}", once[i]))
            fail_msg("%s is not unique", once[i]);
    ph_buf_init(&buf, 1 << 20);
    for (int i = 0; i < 50000; i++)
        ph_buf_printf(&buf, "%c%d", i ? ',' : '[', i);
    ph_buf_add_char(&buf, ']');
    assert_int_equal(
        ph_schema_check(compile("{\"uniqueItems\":true}"), arena, ph_buf_str(&buf), &fault),
        PH_OK); /* many do not take too much */
    ph_buf_free(&buf);
}

static void what_is_wrong_in_a_payload_is_named(void **state)
{
    static const char schema[] =
        "{\"type\":\"object\",\"required\":[\"id\"],\"properties\":{\"id\":{\"type\":\"string\"},"
        "\"lines\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/line\"}},\"a/"
        "b\":{\"maximum\":1},"
        "\"kind\":{\"enum\":[\"x\",\"y\"]},\"n\":{\"anyOf\":[{\"minimum\":5},{\"type\":\"null\"}]},"
        "\"code\":{\"pattern\":\"^[A-Z]+$\"}},"
        "\"additionalProperties\":false,\"$defs\":{\"line\":{\"properties\":{\"amount\":{\"type\":["
        "\"number\",\"null\"],\"minimum\":0}}}}}";
    static const char *const cases[][3] = {
        {"{}", "/id", "field required"},
        {"{\"id\":1}", "/id", "has to be of type string"},
        {"{\"id\":\"\",\"lines\":[{},{\"amount\":-1}]}", "/lines/1/amount", "is below the minimum"},
        {"{\"id\":\"\",\"lines\":[{\"amount\":\"\"}]}", "/lines/0/amount",
         "has to be of type null or number"},
        {"{\"id\":\"\",\"a/b\":2}", "/a~1b", "is above the maximum"},
        {"{\"id\":\"\",\"kind\":\"z\"}", "/kind", "is none of the enum values"},
        {"{\"id\":\"\",\"n\":1}", "/n", "matches none of the schemas of anyOf"},
        {"{\"id\":\"\",\"code\":\"a\"}", "/code", "does not match the pattern"},
        {"{\"id\":\"\",\"other\":1}", "/other", "is no member that the schema knows"},
        {"[]", "", "has to be of type object"},
    };
    struct ph_schema_fault fault;
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(ph_schema_check(compile(schema), arena, ph_str_of(cases[i][0]), &fault),
                         PH_ERR_VALIDATION);
        assert_string_equal(fault.where, cases[i][1]);
        assert_string_equal(fault.text, cases[i][2]);
    }
}

static void what_is_wrong_in_a_schema_is_named(void **state)
{
    static const char *const cases[][3] = {
        {"[]", "", "has to be an object, true or false"},
        {"{\"type\":\"text\"}", "/type", "has to be of null"},
        {"{\"type\":[]}", "/type", "has to name a type"},
        {"{\"properties\":{\"a\":{\"items\":[{\"type\":5}]}}}", "/properties/a/items/0/type",
         "has to be a string"},
        {"{\"properties\":{\"a~/\":1}}", "/properties/a~0~1", "has to be an object, true"},
        {"{\"properties\":[]}", "/properties", "has to be an object of schemas"},
        {"{\"required\":\"a\"}", "/required", "has to be an array of strings"},
        {"{\"required\":[1]}", "/required/0", "has to be a string"},
        {"{\"enum\":1}", "/enum", "has to be an array"},
        {"{\"allOf\":{}}", "/allOf", "has to be an array of schemas"},
        {"{\"minimum\":\"1\"}", "/minimum", "has to be a number"},
        {"{\"exclusiveMinimum\":true}", "/exclusiveMinimum", "has to be a number"},
        {"{\"maxLength\":-1}", "/maxLength", "has to be a whole number"},
        {"{\"maxLength\":1.5}", "/maxLength", "has to be a whole number"},
        {"{\"multipleOf\":0}", "/multipleOf", "has to be above 0"},
        {"{\"uniqueItems\":1}", "/uniqueItems", "has to be true or false"},
        {"{\"pattern\":\"(?=a)\"}", "/pattern", "lookahead is not supported"},
        {"{\"patternProperties\":{\"(\":{}}}", "/patternProperties/(", "a group is not closed"},
        {"{\"items\":{\"$ref\":\"#/$defs/x\"}}", "/items/$ref", "there is nothing at this place"},
        {"{\"$ref\":\"https://example.com/x.json\"}", "/$ref", "has to point into this schema"},
        {"{\"$ref\":\"other.json#/a\"}", "/$ref", "has to point into this schema"},
        {"{\"$ref\":\"#name\"}", "/$ref", "has to point into this schema"},
        {"{\"$ref\":\"#/x/y\",\"x\":{\"y\":{\"type\":1}}}", "/x/y/type", "has to be a string"},
        {"{\"unevaluatedProperties\":false}", "/unevaluatedProperties", "would not be checked"},
        {"{\"items\":{\"$dynamicRef\":\"#a\"}}", "/items/$dynamicRef", "would not be checked"},
        {"{\"type\":\"null\",\"not\":{\"title\":1,\"const\":1,\"const\":2}}", "/not/const",
         "is there twice"},
        {"{\"items\":[true],\"prefixItems\":[true]}", "/prefixItems", "exclude each other"},
        {"{\"not\":{\"$id\":\"x\"}}", "/not/$id", "is not supported inside"},
    };
    struct ph_schema_fault fault;
    struct ph_schema *schema;
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (ph_schema_compile(arena, ph_str_of(cases[i][0]), &schema, &fault) != PH_ERR_VALIDATION)
            fail_msg("%s is taken", cases[i][0]);
        if (strcmp(fault.where, cases[i][1]) != 0 || !strstr(fault.text, cases[i][2]))
            fail_msg("%s: %s: %s", cases[i][0], fault.where, fault.text);
    }
}

static void annotations_mean_nothing(void **state)
{
    (void)state;

    assert_true(
        is_valid("{\"$id\":\"https://example.com/a\",\"$schema\":\"x\",\"title\":\"t\",\"format\":"
                 "\"email\",\"x-any\":[1],\"example\":1,\"id\":{},\"$comment\":5}",
                 "1"));
}

static void nothing_takes_forever(void **state)
{
    static const char *const loops[] = {
        "{\"$ref\":\"#\"}",
        "{\"anyOf\":[{\"$ref\":\"#/$defs/a\"}],\"$defs\":{\"a\":{\"not\":{\"$ref\":\"#\"}}}}",
        /* twice as much with every level */
        "{\"type\":\"array\",\"anyOf\":[{\"items\":{\"$ref\":\"#\"}},{\"items\":{\"$ref\":\"#\"},"
        "\"minItems\":1}]}",
    };
    struct ph_schema_fault fault;
    char deep[202];
    (void)state;

    memset(deep, '[', 100);
    deep[100] = '1';
    memset(deep + 101, ']', 100);
    deep[201] = '\0';
    for (size_t i = 0; i < COUNT_OF(loops); i++) {
        if (ph_schema_check(compile(loops[i]), arena, ph_str_of(deep), &fault) != PH_ERR_VALIDATION)
            fail_msg("%s ends", loops[i]);
        assert_string_equal(fault.text, "takes too much to be checked against the schema");
    }
}

static void size_is_bounded(void **state)
{
    struct ph_schema *schema;
    struct ph_schema_fault fault;
    struct ph_buf buf;
    (void)state;

    ph_buf_init(&buf, 1 << 20);
    for (int i = 0; i < 70; i++)
        ph_buf_add_c(&buf, "{\"not\":");
    ph_buf_add_c(&buf, "true");
    for (int i = 0; i < 70; i++)
        ph_buf_add_c(&buf, "}");
    assert_int_equal(ph_schema_compile(arena, ph_buf_str(&buf), &schema, &fault),
                     PH_ERR_VALIDATION);
    assert_string_equal(fault.text, "is nested too deeply");
    ph_buf_clear(&buf);
    ph_buf_add_c(&buf, "{\"allOf\":[true");
    for (int i = 0; i < PH_SCHEMA_NODES_MAX; i++)
        ph_buf_add_c(&buf, ",true");
    ph_buf_add_c(&buf, "]}");
    assert_int_equal(ph_schema_compile(arena, ph_buf_str(&buf), &schema, &fault),
                     PH_ERR_VALIDATION);
    assert_string_equal(fault.text, "there are more than 5000 schemas");
    ph_buf_clear(&buf);
    ph_buf_printf(&buf, "{\"title\":\"%*s\"}", PH_SCHEMA_BYTES_MAX, "");
    assert_int_equal(ph_schema_compile(arena, ph_buf_str(&buf), &schema, &fault),
                     PH_ERR_VALIDATION);
    assert_string_equal(fault.text, "has to have at most 131072 bytes");
    ph_buf_free(&buf);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(keywords_since_draft_7_are_checked),
        TEST(numbers_are_exact),
        TEST(what_is_twice_is_found_in_every_form),
        TEST(what_is_wrong_in_a_payload_is_named),
        TEST(what_is_wrong_in_a_schema_is_named),
        TEST(annotations_mean_nothing),
        TEST(nothing_takes_forever),
        TEST(size_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
