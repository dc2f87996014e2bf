#include "exchange.h"

/* What the last good request was read as. */
static struct {
    char text[8192];
    struct ph_str name, uid, metadata;
    int64_t rate;
    bool flag, has_name, has_uid, has_metadata, has_rate, has_flag, has_names;
    size_t n_names;
    bool names_null;
} got;

static struct ph_str save(struct ph_str s)
{
    static size_t at;

    if (!s.ptr)
        return s;
    if (at + s.len > sizeof(got.text))
        at = 0;
    memcpy(got.text + at, s.ptr, s.len);
    at += s.len;
    return (struct ph_str){got.text + at - s.len, s.len};
}

static void read_all(struct ph_call *call)
{
    struct ph_faults faults = {0};
    json_t *body = ph_body_object(call);
    struct ph_str *names;

    if (!body)
        return;
    got.name = ph_field_str(call, &faults, body, "name", true, 2, 4, &got.has_name);
    got.uid = ph_field_uid(call, &faults, body, "uid", PH_ID_APPLICATION, &got.has_uid);
    got.metadata = ph_field_metadata(call, &faults, body, "metadata", &got.has_metadata);
    got.rate = ph_field_int(call, &faults, body, "rate", 1, 10, &got.has_rate);
    got.flag = ph_field_bool(call, &faults, body, "flag", true, &got.has_flag);
    got.n_names = ph_field_names(call, &faults, body, "names", 2, 5, &names, &got.has_names);
    got.names_null = names == NULL;
    if (ph_faults_answer(call, &faults))
        return;
    got.name = save(got.name);
    got.uid = save(got.uid);
    got.metadata = save(got.metadata);
    ph_answer_empty(call, 204);
}

static void assert_reads(const char *body)
{
    assert_int_equal(exchange(read_all, "", body), 204);
}

/* Exactly one fault, of this type, at this place. */
static void assert_fault(const char *body, const char *field, const char *type)
{
    json_t *answer, *fault, *loc;

    assert_int_equal(exchange(read_all, "", body), 422);
    answer = json_loads(exchange_body(), 0, NULL);
    assert_non_null(answer);
    assert_int_equal(json_array_size(json_object_get(answer, "detail")), 1);
    fault = json_array_get(json_object_get(answer, "detail"), 0);
    assert_string_equal(json_string_value(json_object_get(fault, "type")), type);
    assert_true(json_string_length(json_object_get(fault, "msg")) > 0);
    loc = json_object_get(fault, "loc");
    assert_string_equal(json_string_value(json_array_get(loc, 0)), "body");
    if (field)
        assert_string_equal(json_string_value(json_array_get(loc, 1)), field);
    else
        assert_int_equal(json_array_size(loc), 1);
    json_decref(answer);
}

static void test_absent_members_give_defaults(void **state)
{
    (void)state;
    assert_reads("{\"name\":\"abc\",\"other\":1}");
    assert_true(ph_str_eq_c(got.name, "abc"));
    assert_null(got.uid.ptr);
    assert_true(ph_str_eq_c(got.metadata, "{}"));
    assert_int_equal(got.rate, -1);
    assert_true(got.flag);
    assert_int_equal(got.n_names, 0);
    assert_true(got.names_null);
    assert_true(got.has_name);
    assert_false(got.has_uid || got.has_metadata || got.has_rate || got.has_flag || got.has_names);
}

static void test_members_are_read(void **state)
{
    (void)state;
    assert_reads("{\"name\":\"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\",\"uid\":\"a-B_9.\",\"metadata\":{"
                 "\"z\":\"1\",\"a\":\"2\"},"
                 "\"rate\":10,\"flag\":false,\"names\":[\"a.b\",\"c\"]}");
    assert_int_equal(got.name.len, 8); /* four characters */
    assert_true(ph_str_eq_c(got.uid, "a-B_9."));
    assert_true(ph_str_eq_c(got.metadata, "{\"z\":\"1\",\"a\":\"2\"}"));
    assert_int_equal(got.rate, 10);
    assert_false(got.flag);
    assert_int_equal(got.n_names, 2);
    assert_true(got.has_uid && got.has_metadata && got.has_rate && got.has_flag && got.has_names);
}

static void test_null_clears_what_may_be_null(void **state)
{
    (void)state;
    assert_reads("{\"name\":\"abc\",\"uid\":null,\"rate\":null,\"names\":null}");
    assert_null(got.uid.ptr);
    assert_int_equal(got.rate, -1);
    assert_true(got.names_null);
    assert_true(got.has_uid && got.has_rate && got.has_names);
    assert_fault("{\"name\":null}", "name", "type_error.str");
    assert_fault("{\"name\":\"abc\",\"metadata\":null}", "metadata", "type_error.dict");
    assert_fault("{\"name\":\"abc\",\"flag\":null}", "flag", "type_error.bool");
}

static void test_an_empty_array_is_not_null(void **state)
{
    (void)state;
    assert_reads("{\"name\":\"abc\",\"names\":[]}");
    assert_int_equal(got.n_names, 0);
    assert_false(got.names_null);
}

static void test_wrong_members_are_faults(void **state)
{
    (void)state;
    assert_fault("{}", "name", "value_error.missing");
    assert_fault("{\"name\":5}", "name", "type_error.str");
    assert_fault("{\"name\":\"a\"}", "name", "value_error.any_str.min_length");
    assert_fault("{\"name\":\"abcde\"}", "name", "value_error.any_str.max_length");
    assert_fault("{\"name\":\"abc\",\"rate\":0}", "rate", "value_error.number.not_ge");
    assert_fault("{\"name\":\"abc\",\"rate\":11}", "rate", "value_error.number.not_le");
    assert_fault("{\"name\":\"abc\",\"rate\":1.5}", "rate", "type_error.integer");
    assert_fault("{\"name\":\"abc\",\"rate\":\"1\"}", "rate", "type_error.integer");
    assert_fault("{\"name\":\"abc\",\"flag\":1}", "flag", "type_error.bool");
    assert_fault("{\"name\":\"abc\",\"metadata\":{\"a\":1}}", "metadata", "type_error.str");
    assert_fault("{\"name\":\"abc\",\"names\":\"a\"}", "names", "type_error.list");
    assert_fault("{\"name\":\"abc\",\"names\":[\"a\",\"b\",\"c\"]}", "names",
                 "value_error.list.max_items");
    assert_fault("{\"name\":\"abc\",\"names\":[\"a b\"]}", "names", "value_error.str.regex");
    assert_fault("{\"name\":\"abc\",\"names\":[\"abcdef\"]}", "names", "value_error.str.regex");
    assert_fault("{\"name\":\"abc\",\"names\":[1]}", "names", "value_error.str.regex");
    assert_fault("{\"name\":\"abc\",\"uid\":\"\"}", "uid", "value_error.str.regex");
    assert_fault("{\"name\":\"abc\",\"uid\":\"a b\"}", "uid", "value_error.str.regex");
    assert_fault("{\"name\":\"abc\",\"uid\":\"app_mine\"}", "uid", "value_error.str.regex");
    assert_reads("{\"name\":\"abc\",\"uid\":\"ep_mine\"}"); /* another kind's prefix is fine */
}

static void test_the_body_has_to_be_a_json_object(void **state)
{
    (void)state;
    assert_fault("", NULL, "value_error.jsondecode");
    assert_fault("{\"name\":", NULL, "value_error.jsondecode");
    assert_fault("{\"name\":\"abc\"} x", NULL, "value_error.jsondecode");
    assert_fault("{\"name\":\"\xff\"}", NULL, "value_error.jsondecode");
    assert_fault("{\"name\":\"a\\u0000b\"}", NULL, "value_error.jsondecode");
    assert_fault("[]", NULL, "type_error.dict");
    assert_fault("\"abc\"", NULL, "type_error.dict");
}

static void test_all_faults_are_answered_together(void **state)
{
    json_t *answer;

    (void)state;
    assert_int_equal(exchange(read_all, "", "{\"rate\":0,\"flag\":1,\"uid\":5}"), 422);
    answer = json_loads(exchange_body(), 0, NULL);
    assert_int_equal(json_array_size(json_object_get(answer, "detail")), 4);
    json_decref(answer);
}

static void test_names_have_an_alphabet_and_a_length(void **state)
{
    (void)state;
    assert_true(ph_name_ok(PH_STR("aZ09-_."), 7));
    assert_false(ph_name_ok(PH_STR("aZ09-_."), 6));
    assert_false(ph_name_ok(PH_STR(""), 6));
    assert_false(ph_name_ok(PH_STR_NONE, 6));
    assert_false(ph_name_ok(PH_STR("a/b"), 6));
    assert_false(ph_name_ok(PH_STR("\xc3\xa4"), 6));
    assert_true(ph_uid_ok(PH_STR("app"), PH_ID_APPLICATION));
    assert_false(ph_uid_ok(PH_STR("app_"), PH_ID_APPLICATION));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_absent_members_give_defaults),
        cmocka_unit_test(test_members_are_read),
        cmocka_unit_test(test_null_clears_what_may_be_null),
        cmocka_unit_test(test_an_empty_array_is_not_null),
        cmocka_unit_test(test_wrong_members_are_faults),
        cmocka_unit_test(test_the_body_has_to_be_a_json_object),
        cmocka_unit_test(test_all_faults_are_answered_together),
        cmocka_unit_test(test_names_have_an_alphabet_and_a_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
