#include "posthorn/json.h"
#include "posthorn/webhook_spec.h"
#include "posthorn/yaml.h"

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

static struct ph_str from_yaml(const char *yaml)
{
    struct ph_str json;
    const char *fault;
    struct ph_json_fault json_fault;

    if (ph_yaml_to_json(arena, ph_str_of(yaml), &json, &fault) != PH_OK)
        fail_msg("%s: %s", yaml, fault);
    if (ph_json_scan(json, NULL, 0, &json_fault) == PH_ERR_BAD_REQUEST)
        fail_msg("%s becomes %.*s: %s", yaml, (int)json.len, json.ptr, json_fault.text);
    return json;
}

static void assert_text(struct ph_str text, const char *expected)
{
    if (!ph_str_eq_c(text, expected))
        fail_msg("%.*s and not %s", (int)text.len, text.ptr, expected);
}

static void yaml_becomes_json(void **state)
{
    static const char *const cases[][2] = {
        {"a: 1\nb: [x, -2.5e3, true, False, null, ~, '', \"1\", 01, .5, 1_000]\n",
         "{\"a\":1,\"b\":[\"x\",-2.5e3,true,false,null,null,\"\",\"1\",\"01\",\".5\",\"1_000\"]}"},
        {"- a:\n    b:\n- - 1\n  - {c: d}\n", "[{\"a\":{\"b\":null}},[1,{\"c\":\"d\"}]]"},
        {"1: x\ntrue: y\n", "{\"1\":\"x\",\"true\":\"y\"}"},
        {"text: |\n  one \"two\"\n  gr\xc3\xbcn\n",
         "{\"text\":\"one \\\"two\\\"\\ngr\xc3\xbcn\\n\"}"},
        {"# only\na: b # this\n", "{\"a\":\"b\"}"},
        {"{\"json\": [1, {}]}", "{\"json\":[1,{}]}"},
        {"a: 1\n---\nb: 2\n", "{\"a\":1}"},
    };
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_text(from_yaml(cases[i][0]), cases[i][1]);
}

static void yaml_that_could_explode_is_refused(void **state)
{
    static const char *const cases[][2] = {
        {"a: &x [1]\nb: *x\n", "anchors and aliases are not supported (line 1)"},
        {"b: *x\n", "anchors and aliases are not supported (line 1)"},
        {"a: !!str 1\n", "tags are not supported"},
        {"? [a]\n: b\n", "a key has to be a scalar"},
        {"a: [\n", "line"},
        {"a: b: c\n", "line 1"},
        {"", "is empty"},
    };
    struct ph_str json;
    const char *fault;
    char deep[300];
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(ph_yaml_to_json(arena, ph_str_of(cases[i][0]), &json, &fault),
                         PH_ERR_VALIDATION);
        if (!strstr(fault, cases[i][1]))
            fail_msg("%s: %s", cases[i][0], fault);
    }
    memset(deep, '[', sizeof deep);
    assert_int_equal(ph_yaml_to_json(arena, (struct ph_str){deep, sizeof deep}, &json, &fault),
                     PH_ERR_VALIDATION);
    assert_non_null(strstr(fault, "nested too deeply"));
}

static void webhooks_are_read_with_all_that_they_refer_to(void **state)
{
    static const char spec[] =
        "openapi: 3.1.0\n"
        "webhooks:\n"
        "  pet.new:\n"
        "    post:\n"
        "      description: A pet.\n"
        "      summary: short\n"
        "      tags: [pets, other]\n"
        "      x-feature-flag: beta\n"
        "      requestBody: {$ref: '#/components/requestBodies/Pet'}\n"
        "  pet.gone:\n"
        "    $ref: '#/components/pathItems/gone'\n"
        "x-webhooks:\n"
        "  old:\n"
        "    summary: Of the item.\n"
        "    put: {requestBody: {content: {text/plain: {schema: {type: string}}}}}\n"
        "components:\n"
        "  requestBodies:\n"
        "    Pet: {content: {application/json; charset=utf-8: {schema: {$ref: "
        "'#/components/schemas/Pet'}}}}\n"
        "  pathItems:\n"
        "    gone:\n"
        "      post:\n"
        "        deprecated: true\n"
        "        x-group-name: farewell\n"
        "        requestBody: {content: {application/vnd.x+json: {schema: {properties: {id: {$ref: "
        "'#/components/schemas/a b'}}, maximum: 0.10}}}}\n"
        "  schemas:\n"
        "    Pet: {properties: {owner: {$ref: '#/components/schemas/Owner'}}}\n"
        "    Owner: {properties: {pets: {items: {$ref: '#/components/schemas/Pet'}}}}\n"
        "    a b: {type: integer}\n"
        "    unused: {}\n";
    struct ph_webhook *w;
    struct ph_webhook_fault fault;
    size_t n;
    (void)state;

    if (ph_webhook_spec_read(arena, from_yaml(spec), &w, &n, &fault) != PH_OK)
        fail_msg("%s: %s", fault.where, fault.text);
    assert_int_equal(n, 3);
    assert_text(w[0].name, "pet.new");
    assert_text(w[0].description, "A pet.");
    assert_text(w[0].group, "pets");
    assert_text(w[0].feature_flag, "beta");
    assert_false(w[0].deprecated);
    assert_text(w[0].schema,
                "{\"properties\":{\"owner\":{\"$ref\":\"#/$defs/Owner\"}},\"$defs\":{\"Owner\":{"
                "\"properties\":{\"pets\":{\"items\":{\"$ref\":\"#/$defs/Pet\"}}}},\"Pet\":{"
                "\"properties\":{\"owner\":{\"$ref\":\"#/$defs/Owner\"}}}}}");
    assert_text(w[1].name, "pet.gone");
    assert_text(w[1].description, "");
    assert_text(w[1].group, "farewell");
    assert_true(w[1].deprecated);
    assert_null(w[1].feature_flag.ptr);
    assert_text(w[1].schema,
                "{\"properties\":{\"id\":{\"$ref\":\"#/$defs/a-b-2\"}},\"maximum\":0.10,\"$defs\":{"
                "\"a-b-2\":{\"type\":\"integer\"}}}");
    assert_text(w[2].name, "old");
    assert_text(w[2].description, "Of the item.");
    assert_null(w[2].schema.ptr);
}

#define BODY(schema)                                                                               \
    "{\"webhooks\":{\"a\":{\"post\":{\"requestBody\":{\"content\":{\"application/"                 \
    "json\":{\"schema\":" schema "}}}}}}}"

static void what_is_wrong_in_a_document_is_named(void **state)
{
    static const char *const cases[][3] = {
        {"{\"webhooks\":[]}", "/webhooks", "has to be an object"},
        {"{\"webhooks\":{\"a/b\":{}}}", "/webhooks/a~1b", "has to have an operation"},
        {"{\"webhooks\":{\"a\":{\"$ref\":\"#/x\"}}}", "/webhooks/a", "there is nothing"},
        {"{\"webhooks\":{\"a\":{\"$ref\":\"#/webhooks/a\"}}}", "/webhooks/a", "in a circle"},
        {"{\"webhooks\":{\"a\":{\"$ref\":\"other.yaml#/a\"}}}", "/webhooks/a", "point into this"},
        {BODY("{\"items\":{\"$ref\":\"https://example.com/a\"}}"), "/webhooks/a/items/$ref",
         "point into this"},
        {BODY("{\"items\":{\"$ref\":\"#/components/schemas/none\"}}"), "/webhooks/a/items/$ref",
         "there is nothing"},
    };
    struct ph_webhook *w;
    struct ph_webhook_fault fault;
    size_t n;
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (ph_webhook_spec_read(arena, ph_str_of(cases[i][0]), &w, &n, &fault) !=
            PH_ERR_VALIDATION)
            fail_msg("%s is taken", cases[i][0]);
        if (strcmp(fault.where, cases[i][1]) != 0 || !strstr(fault.text, cases[i][2]))
            fail_msg("%s: %s: %s", cases[i][0], fault.where, fault.text);
    }
}

/* Every level twice the one below: written out in place it would be 2^40 times the innermost. */
static void references_do_not_multiply(void **state)
{
    struct ph_webhook *w;
    struct ph_webhook_fault fault;
    struct ph_buf buf;
    size_t n;
    (void)state;

    ph_buf_init(&buf, 1 << 20);
    ph_buf_add_c(&buf, BODY("{\"allOf\":[{\"$ref\":\"#/components/schemas/s40\"}]}"));
    buf.len--; /* the last brace */
    ph_buf_add_c(&buf, ",\"components\":{\"schemas\":{\"s0\":{}");
    for (int i = 1; i <= 40; i++)
        ph_buf_printf(&buf,
                      ",\"s%d\":{\"allOf\":[{\"$ref\":\"#/components/schemas/s%d\"},{\"$ref\":"
                      "\"#/components/schemas/s%d\"}]}",
                      i, i - 1, i - 1);
    ph_buf_add_c(&buf, "}}}");
    assert_int_equal(ph_webhook_spec_read(arena, ph_buf_str(&buf), &w, &n, &fault), PH_OK);
    assert_true(w[0].schema.len < buf.len);
    ph_buf_free(&buf);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(yaml_becomes_json),
        TEST(yaml_that_could_explode_is_refused),
        TEST(webhooks_are_read_with_all_that_they_refer_to),
        TEST(what_is_wrong_in_a_document_is_named),
        TEST(references_do_not_multiply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
