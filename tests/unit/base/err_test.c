#include "posthorn/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void test_rows_match_their_names(void **state)
{
    (void)state;
    assert_int_equal(ph_err_http_status(PH_OK), 200);
    assert_int_equal(ph_err_http_status(PH_ERR_NOT_FOUND), 404);
    assert_string_equal(ph_err_code(PH_ERR_NOT_FOUND), "not_found");
    assert_int_equal(ph_err_http_status(PH_ERR_VALIDATION), 422);
    assert_string_equal(ph_err_code(PH_ERR_OUT_CANCELLED), "cancelled");
    assert_true(ph_err_retryable(PH_ERR_UNAVAILABLE));
    assert_false(ph_err_retryable(PH_ERR_CONFLICT));
}

static void test_row_without_http_status_gives_500(void **state)
{
    (void)state;
    assert_int_equal(ph_err_http_status(PH_ERR_CONFIG), 500);
    assert_int_equal(ph_err_http_status(PH_ERR_OUT_DNS), 500);
}

static void test_every_row_is_complete(void **state)
{
    (void)state;
    for (int err = 0; err < PH_ERR_COUNT; err++) {
        int status = ph_err_http_status((enum ph_err)err);
        assert_true(status == 200 || (status >= 400 && status <= 599));
        assert_true(strlen(ph_err_code((enum ph_err)err)) > 1);
        const char *text = ph_err_text((enum ph_err)err);
        assert_true(err == PH_OK || text[strlen(text) - 1] == '.');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_match_their_names),
        cmocka_unit_test(test_row_without_http_status_gives_500),
        cmocka_unit_test(test_every_row_is_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
