#include "posthorn/router.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct ph_arena *arena;

static enum ph_err find(const char *method, const char *path, struct ph_route_match *match)
{
    memset(match, 0, sizeof(*match));
    return ph_router_find(arena, ph_str_of(method), ph_str_of(path), match);
}

static void test_every_route_is_found_by_its_own_path(void **state)
{
    struct ph_route_match match;
    int n = 0;

    (void)state;
    for (const struct ph_route *r = ph_routes; r->method; r++, n++) {
        assert_int_equal(find(r->method, r->path, &match), PH_OK);
        assert_ptr_equal(match.route, r);
    }
    assert_true(n >= 11);
}

static void test_no_route_is_listed_twice(void **state)
{
    (void)state;
    for (const struct ph_route *a = ph_routes; a->method; a++)
        for (const struct ph_route *b = a + 1; b->method; b++)
            assert_false(strcmp(a->method, b->method) == 0 && strcmp(a->path, b->path) == 0);
}

static void test_a_trailing_slash_is_accepted(void **state)
{
    struct ph_route_match match;

    (void)state;
    assert_int_equal(find("GET", "/api/v1/app/", &match), PH_OK);
    assert_string_equal(match.route->path, "/api/v1/app");
    assert_int_equal(find("GET", "/api/v1/app/app-1/", &match), PH_OK);
    assert_string_equal(match.route->path, "/api/v1/app/{app_id}");
    assert_int_equal(match.n_params, 1);
    assert_int_equal(find("GET", "/", &match), PH_OK);
    assert_int_equal(find("GET", "/api/v1/app//", &match), PH_ERR_NOT_FOUND);
    assert_int_equal(find("GET", "//", &match), PH_ERR_NOT_FOUND);
}

static void test_parameters_are_decoded(void **state)
{
    struct ph_route_match match;

    (void)state;
    assert_int_equal(find("GET", "/api/v1/app/a%2Db%2fc%C3%a4+", &match), PH_OK);
    assert_true(ph_str_eq_c(match.params[0], "a-b/c\xc3\xa4+"));
    assert_int_equal(find("GET", "/api/v1/app/%zz", &match), PH_ERR_NOT_FOUND);
    assert_int_equal(find("GET", "/api/v1/app/a%2", &match), PH_ERR_NOT_FOUND);
    assert_int_equal(find("GET", "/api/v1/app/a%00b", &match), PH_ERR_NOT_FOUND);
    assert_int_equal(find("GET", "/api/v1/app/%ff", &match), PH_ERR_NOT_FOUND);
}

static void test_parameters_are_copies(void **state)
{
    char path[] = "/api/v1/app/cust-1";
    struct ph_route_match match;

    (void)state;
    assert_int_equal(find("GET", path, &match), PH_OK);
    memset(path, 'x', sizeof(path) - 1);
    assert_true(ph_str_eq_c(match.params[0], "cust-1"));
}

static void test_unknown_paths_and_methods(void **state)
{
    struct ph_route_match match;

    (void)state;
    assert_int_equal(find("GET", "/api/v1/nothing", &match), PH_ERR_NOT_FOUND);
    assert_int_equal(find("GET", "/api/v1", &match), PH_ERR_NOT_FOUND);
    assert_int_equal(find("GET", "", &match), PH_ERR_NOT_FOUND);
    assert_int_equal(find("GET", "*", &match), PH_ERR_NOT_FOUND);
    assert_int_equal(find("GET", "http://x/api/v1/app", &match), PH_ERR_NOT_FOUND);
    assert_int_equal(find("GET", "/api/v1/app/{app_id}/x/y/z", &match), PH_ERR_NOT_FOUND);
    assert_int_equal(find("TRACE", "/api/v1/app", &match), PH_ERR_METHOD);
    assert_string_equal(match.allow, "GET, POST");
    assert_int_equal(find("get", "/api/v1/app", &match), PH_ERR_METHOD);
    assert_int_equal(find("POST", "/api/v1/app/x", &match), PH_ERR_METHOD);
    assert_string_equal(match.allow, "GET, PUT, PATCH, DELETE");
}

static void test_an_object_may_be_called_as_an_action_is(void **state)
{
    struct ph_route_match match;

    (void)state;
    assert_int_equal(find("POST", "/api/v1/app/a/msg/search", &match), PH_OK);
    assert_string_equal(match.route->path, "/api/v1/app/{app_id}/msg/search");
    assert_int_equal(match.n_params, 1);
    assert_int_equal(find("GET", "/api/v1/app/a/msg/search", &match), PH_OK);
    assert_string_equal(match.route->path, "/api/v1/app/{app_id}/msg/{msg_id}");
    assert_int_equal(match.n_params, 2);
    assert_true(ph_str_eq_c(match.params[1], "search"));
    assert_int_equal(find("PUT", "/api/v1/app/a/msg/search", &match), PH_ERR_METHOD);
    assert_string_equal(match.allow, "POST");
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_route_is_found_by_its_own_path, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_no_route_is_listed_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_trailing_slash_is_accepted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_parameters_are_decoded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_parameters_are_copies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unknown_paths_and_methods, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_object_may_be_called_as_an_action_is, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
