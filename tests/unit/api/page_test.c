#include "exchange.h"

static struct ph_page page;
static struct ph_list list;
static char iterator[64];
static size_t n_values;
static char values[8][64];
static bool flag;

static void read_page(struct ph_call *call)
{
    if (!ph_page_read(call, true, &page))
        return;
    iterator[0] = '\0';
    if (page.iterator.ptr) {
        assert_true(page.iterator.len < sizeof(iterator));
        memcpy(iterator, page.iterator.ptr, page.iterator.len);
        iterator[page.iterator.len] = '\0';
    }
    ph_answer_empty(call, 204);
}

static void read_ids(struct ph_call *call)
{
    if (ph_page_read_ids(call, false, PH_ID_APPLICATION, &list))
        ph_answer_empty(call, 204);
}

static void read_list(struct ph_call *call)
{
    struct ph_str *v;

    n_values = ph_query_list(call, "event_types", &v);
    for (size_t i = 0; i < n_values && i < 8; i++) {
        memcpy(values[i], v[i].ptr, v[i].len);
        values[i][v[i].len] = '\0';
    }
    ph_answer_empty(call, 204);
}

static void read_flag(struct ph_call *call)
{
    if (ph_query_bool(call, "flag", true, &flag))
        ph_answer_empty(call, 204);
}

static void write_page(struct ph_call *call)
{
    struct ph_json_writer *w = ph_answer_writer(call, 1000);
    struct ph_id first = {{1}}, last = {{2}};

    ph_answer_page_begin(w);
    ph_jw_i64(w, 7);
    ph_jw_i64(w, 8);
    ph_answer_page_ids(call, w, PH_ID_APPLICATION, &first, &last, false);
}

static void write_empty_page(struct ph_call *call)
{
    struct ph_json_writer *w = ph_answer_writer(call, 1000);

    ph_answer_page_begin(w);
    ph_answer_page(call, w, PH_STR_NONE, PH_STR_NONE, true);
}

static void write_too_much(struct ph_call *call)
{
    struct ph_json_writer *w = ph_answer_writer(call, 10);

    ph_jw_cstr(w, "more than ten bytes");
    ph_answer_json(call, 200, w);
}

static void test_defaults(void **state)
{
    (void)state;
    assert_int_equal(exchange(read_page, "", ""), 204);
    assert_int_equal(page.limit, 50);
    assert_true(page.descending);
    assert_false(page.backwards);
    assert_null(page.iterator.ptr);
    assert_int_equal(exchange(read_page, "?iterator=", ""), 204);
    assert_null(page.iterator.ptr);
}

static void test_parameters(void **state)
{
    (void)state;
    assert_int_equal(
        exchange(read_page, "?limit=250&iterator=-a%2Fb+c&order=ascending&limit=3", ""), 204);
    assert_int_equal(page.limit, 250); /* the first one wins */
    assert_false(page.descending);
    assert_true(page.backwards);
    assert_string_equal(iterator, "a/b c");
}

static void test_wrong_parameters(void **state)
{
    (void)state;
    assert_int_equal(exchange(read_page, "?limit=251", ""), 422);
    assert_non_null(strstr(exchange_body(), "[\"query\",\"limit\"]"));
    assert_int_equal(exchange(read_page, "?limit=0", ""), 422);
    assert_int_equal(exchange(read_page, "?limit=ten", ""), 400);
    assert_non_null(strstr(exchange_body(), "\"code\":\"bad_request\""));
    assert_int_equal(exchange(read_page, "?limit=-1", ""), 400);
    assert_int_equal(exchange(read_page, "?limit=", ""), 400);
    assert_int_equal(exchange(read_page, "?order=up", ""), 422);
}

static void test_iterators_that_are_ids(void **state)
{
    char query[128], wire[PH_ID_WIRE_MAX];
    struct ph_id id = ph_id_floor(1700000000000);

    (void)state;
    ph_id_format(PH_ID_APPLICATION, id, wire);
    snprintf(query, sizeof(query), "?iterator=-%s&limit=2", wire);
    assert_int_equal(exchange(read_ids, query, ""), 204);
    assert_true(list.backwards);
    assert_false(list.descending);
    assert_int_equal(list.limit, 2);
    assert_true(ph_id_eq(list.from, id));
    assert_int_equal(exchange(read_ids, "?iterator=app_zz", ""), 422);
    ph_id_format(PH_ID_ENDPOINT, id, wire);
    snprintf(query, sizeof(query), "?iterator=%s", wire);
    assert_int_equal(exchange(read_ids, query, ""), 422);
}

static void test_list_parameters(void **state)
{
    (void)state;
    assert_int_equal(
        exchange(read_list,
                 "?event_types=a,b&x=1&event_types=c&event_types[]=d&event_types%5B%5D=e", ""),
        204);
    assert_int_equal(n_values, 5);
    assert_string_equal(values[0], "a");
    assert_string_equal(values[1], "b");
    assert_string_equal(values[2], "c");
    assert_string_equal(values[3], "d");
    assert_string_equal(values[4], "e");
    assert_int_equal(exchange(read_list, "?event_type=a", ""), 204);
    assert_int_equal(n_values, 0);
}

static void test_booleans(void **state)
{
    (void)state;
    assert_int_equal(exchange(read_flag, "", ""), 204);
    assert_true(flag);
    assert_int_equal(exchange(read_flag, "?flag=false", ""), 204);
    assert_false(flag);
    assert_int_equal(exchange(read_flag, "?flag=0", ""), 400);
}

static void test_envelopes(void **state)
{
    char wire[2][PH_ID_WIRE_MAX], want[256];
    struct ph_id first = {{1}}, last = {{2}};

    (void)state;
    ph_id_format(PH_ID_APPLICATION, first, wire[0]);
    ph_id_format(PH_ID_APPLICATION, last, wire[1]);
    snprintf(want, sizeof(want),
             "{\"data\":[7,8],\"iterator\":\"%s\",\"prevIterator\":\"-%s\",\"done\":false}",
             wire[1], wire[0]);
    assert_int_equal(exchange(write_page, "", ""), 200);
    assert_string_equal(exchange_body(), want);
    assert_int_equal(exchange(write_empty_page, "", ""), 200);
    assert_string_equal(exchange_body(), "{\"data\":[],\"iterator\":null,\"done\":true}");
    assert_int_equal(exchange(write_too_much, "", ""), 500);
    assert_non_null(strstr(exchange_body(), "\"code\":\"internal_error\""));
}

static void test_rows_of_a_list(void **state)
{
    struct ph_list l = {.limit = 2};
    struct ph_id highest;

    (void)state;
    memset(&highest, 0xff, sizeof(highest));
    assert_true(ph_list_ascending(&l));
    assert_true(ph_id_is_zero(ph_list_bound(&l)));
    assert_int_equal(ph_list_count(&l, 3), 2);
    assert_int_equal(ph_list_count(&l, 1), 1);
    assert_false(ph_list_done(&l, 3));
    assert_true(ph_list_done(&l, 2));
    assert_int_equal(ph_list_row(&l, 2, 0), 0);
    l.backwards = true; /* nearest first from the database, the list's own order to the caller */
    assert_false(ph_list_ascending(&l));
    assert_true(ph_id_eq(ph_list_bound(&l), highest));
    assert_int_equal(ph_list_row(&l, 2, 0), 1);
    l.descending = true;
    assert_true(ph_list_ascending(&l));
    l.backwards = false;
    assert_false(ph_list_ascending(&l));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),         cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_wrong_parameters), cmocka_unit_test(test_iterators_that_are_ids),
        cmocka_unit_test(test_list_parameters),  cmocka_unit_test(test_booleans),
        cmocka_unit_test(test_envelopes),        cmocka_unit_test(test_rows_of_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
