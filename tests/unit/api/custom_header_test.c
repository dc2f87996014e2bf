#include "api/custom_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static bool name_ok(const char *name)
{
    return ph_custom_header_name_fault(ph_str_of(name)) == NULL;
}

static void test_takes_tokens_only(void **state)
{
    static const char *const good[] = {"X-Team",       "x",      "!#$%&'*+-.^_`|~09azAZ",
                                       "X-Request-Id", "Accept", "Authorization"};
    static const char *const bad[] = {"",     " X",    "X ",    "X Y",      "X:Y",  "X\r\nEvil",
                                      "X\n",  "X\tY",  "X\x7f", "\xc3\xa9", "X(Y)", "X/Y",
                                      "X@Y",  "\"X\"", "X,Y",   "X;Y",      "X<Y>", "X[Y]",
                                      "X\\Y", "X{Y}",  "X=Y"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(name_ok(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(name_ok(bad[i]));
    assert_non_null(ph_custom_header_name_fault((struct ph_str){"X\0Y", 3}));
}

static void test_bounds_the_name(void **state)
{
    char name[PH_CUSTOM_HEADER_NAME_BYTES_MAX + 1];

    (void)state;
    memset(name, 'x', sizeof name);
    assert_null(ph_custom_header_name_fault((struct ph_str){name, sizeof name - 1}));
    assert_non_null(ph_custom_header_name_fault((struct ph_str){name, sizeof name}));
}

static void test_refuses_names_that_are_ours_or_the_connections(void **state)
{
    static const char *const refused[] = {"Connection",
                                          "keep-alive",
                                          "Proxy-Authorization",
                                          "proxy-connection",
                                          "TE",
                                          "Trailer",
                                          "Transfer-Encoding",
                                          "Upgrade",
                                          "Content-Length",
                                          "content-type",
                                          "CONTENT-x",
                                          "User-Agent",
                                          "Host",
                                          "Accept-Encoding",
                                          "Expect",
                                          "webhook-id",
                                          "Webhook-Signature",
                                          "svix-id",
                                          "Svix-Anything",
                                          "HTTP2-Settings"};

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_false(name_ok(refused[i]));
    assert_true(name_ok("X-Content-Type"));
    assert_true(name_ok("Hostess"));
    assert_true(name_ok("X-Webhook-Id"));
    assert_true(name_ok("content"));
    assert_true(name_ok("t"));
}

static void test_refuses_values_that_could_end_the_line(void **state)
{
    char value[PH_CUSTOM_HEADER_VALUE_BYTES_MAX + 1];

    (void)state;
    assert_null(ph_custom_header_value_fault(PH_STR("")));
    assert_null(ph_custom_header_value_fault(PH_STR("Bearer a.b-c~ \"q\"")));
    assert_null(ph_custom_header_value_fault(PH_STR("caf\xc3\xa9")));
    for (int c = 0; c < 0x20; c++) {
        char text[] = {'a', (char)c, 'b'};
        assert_non_null(ph_custom_header_value_fault((struct ph_str){text, sizeof text}));
    }
    assert_non_null(ph_custom_header_value_fault(PH_STR("a\x7f")));
    assert_non_null(ph_custom_header_value_fault(PH_STR(" a")));
    assert_non_null(ph_custom_header_value_fault(PH_STR("a ")));
    memset(value, 'v', sizeof value);
    assert_null(ph_custom_header_value_fault((struct ph_str){value, sizeof value - 1}));
    assert_non_null(ph_custom_header_value_fault((struct ph_str){value, sizeof value}));
}

static void test_hides_values_of_credentials(void **state)
{
    static const char *const hidden[] = {"Authorization", "X-Api-Key", "x-apikey", "X-Auth-Token",
                                         "Cookie",        "X-SECRET",  "Api_Key",  "X-My-Password",
                                         "X-Session-Id",  "key"};
    static const char *const shown[] = {"X-Team", "Accept", "X-Partition-Key", "X-Request-Id",
                                        "Keyboard"};

    (void)state;
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        assert_true(ph_custom_header_is_sensitive(ph_str_of(hidden[i])));
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        assert_false(ph_custom_header_is_sensitive(ph_str_of(shown[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_tokens_only),
        cmocka_unit_test(test_bounds_the_name),
        cmocka_unit_test(test_refuses_names_that_are_ours_or_the_connections),
        cmocka_unit_test(test_refuses_values_that_could_end_the_line),
        cmocka_unit_test(test_hides_values_of_credentials),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
