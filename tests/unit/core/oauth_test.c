#include "posthorn/oauth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define BASE "\"grantType\":\"clientCredentials\",\"clientId\":\"a b\",\"clientSecret\":\"s:t\","

/* The request of this configuration; the caller frees the arena. */
static struct ph_oauth read_ok(struct ph_arena *arena, const char *text)
{
    json_t *config = json_loads(text, 0, NULL);
    struct ph_oauth oauth;
    const char *member, *reason;

    assert_non_null(config);
    if (ph_oauth_read(arena, config, &oauth, &member, &reason) != PH_OK)
        fail_msg("%s: %s", member, reason);
    json_decref(config);
    return oauth;
}

static void basic_request_is_written(void **state)
{
    (void)state;
    struct ph_arena *arena = ph_arena_new();
    struct ph_oauth oauth = read_ok(
        arena,
        "{" BASE "\"authMethod\":\"clientSecretBasic\",\"tokenUrl\":\"https://id.test/t?x=1\","
        "\"scopes\":[\"r:w\",\"b\"],\"extraParams\":{\"au d\":\"\u00e4&=\"},"
        "\"extraHeaders\":{\"X-A\":\"b\"}}");
    static const char body[] = "grant_type=client_credentials&scope=r%3Aw+b&au+d=%C3%A4%26%3D";

    assert_true(ph_str_eq_c(oauth.body, body));
    assert_true(ph_str_eq_c(oauth.head, "POST /t?x=1 HTTP/1.1\r\nHost: id.test\r\n"
                                        "User-Agent: Posthorn/1.0\r\nAccept: application/json\r\n"
                                        "Content-Type: application/x-www-form-urlencoded\r\n"
                                        "Authorization: Basic YStiOnMlM0F0\r\nX-A: b\r\n"
                                        "Content-Length: 61\r\n\r\n"));
    assert_int_equal(oauth.body.len, 61);
    assert_true(oauth.url.tls && oauth.url.port == 443);
    ph_arena_free(arena);
}

static void post_request_is_written(void **state)
{
    (void)state;
    struct ph_arena *arena = ph_arena_new();
    struct ph_oauth oauth = read_ok(
        arena, "{" BASE "\"authMethod\":\"clientSecretPost\",\"tokenUrl\":\"http://[::1]:81/\","
               "\"scopes\":null,\"extraParams\":null,\"extraHeaders\":{}}");

    assert_true(
        ph_str_eq_c(oauth.body, "grant_type=client_credentials&client_id=a+b&client_secret=s%3At"));
    assert_non_null(memmem(oauth.head.ptr, oauth.head.len, "Host: [::1]:81\r\n", 16));
    assert_null(memmem(oauth.head.ptr, oauth.head.len, "Authorization", 13));
    ph_arena_free(arena);
}

static void what_cannot_work_is_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{}", "grantType"},
        {"{\"grantType\":\"refreshToken\"}", "grantType"},
        {"{" BASE "\"authMethod\":\"clientSecretJwt\"}", "authMethod"},
        {"{\"grantType\":\"clientCredentials\",\"authMethod\":\"clientSecretPost\",\"clientId\":"
         "\"\"}",
         "clientId"},
        {"{" BASE "\"authMethod\":\"clientSecretPost\",\"tokenUrl\":\"http://127.1/\"}",
         "tokenUrl"},
        {"{" BASE
         "\"authMethod\":\"clientSecretPost\",\"tokenUrl\":\"http://x/\",\"scopes\":[\"\"]}",
         "scopes"},
        {"{" BASE
         "\"authMethod\":\"clientSecretPost\",\"tokenUrl\":\"http://x/\",\"extraParams\":[]}",
         "extraParams"},
        {"{" BASE "\"authMethod\":\"clientSecretPost\",\"tokenUrl\":\"http://x/\","
         "\"extraParams\":{\"scope\":\"x\"}}",
         "extraParams"},
        {"{" BASE "\"authMethod\":\"clientSecretPost\",\"tokenUrl\":\"http://x/\","
         "\"extraHeaders\":{\"transfer-encoding\":\"chunked\"}}",
         "extraHeaders"},
        {"{" BASE "\"authMethod\":\"clientSecretPost\",\"tokenUrl\":\"http://x/\","
         "\"extraHeaders\":{\"X-A\":\"b\\r\\nHost: y\"}}",
         "extraHeaders"},
        {"{" BASE "\"authMethod\":\"clientSecretPost\",\"tokenUrl\":\"http://x/\","
         "\"extraHeaders\":{\"X-A\\r\\n\":\"b\"}}",
         "extraHeaders"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ph_arena *arena = ph_arena_new();
        json_t *config = json_loads(cases[i][0], 0, NULL);
        struct ph_oauth oauth;
        const char *member, *reason = NULL;
        assert_non_null(config);
        assert_int_equal(ph_oauth_read(arena, config, &oauth, &member, &reason), PH_ERR_VALIDATION);
        assert_string_equal(member, cases[i][1]);
        assert_non_null(reason);
        json_decref(config);
        ph_arena_free(arena);
    }
}

static void tokens_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t lifetime_ms;
    } cases[] = {
        {"{\"access_token\":\"t.-_~+/=\",\"token_type\":\"Bearer\",\"expires_in\":3600}", 3540000},
        {"{\"access_token\":\"t.-_~+/=\",\"token_type\":\"bearer\",\"expires_in\":\"100\"}", 90000},
        {"{\"access_token\":\"t.-_~+/=\"}", 270000},
        {"{\"access_token\":\"t.-_~+/=\",\"expires_in\":null}", 270000},
        {"{\"access_token\":\"t.-_~+/=\",\"expires_in\":-5}", 270000},
        {"{\"access_token\":\"t.-_~+/=\",\"expires_in\":0}", 1000},
        {"{\"access_token\":\"t.-_~+/=\",\"expires_in\":5.9}", 5000},
        {"{\"access_token\":\"t.-_~+/=\",\"expires_in\":1e300}", 270000},
        {"{\"access_token\":\"t.-_~+/=\",\"expires_in\":9000000000000000000}", 86340000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ph_arena *arena = ph_arena_new();
        struct ph_oauth_token token;
        const char *reason;
        assert_int_equal(ph_oauth_token_read(arena, 200, ph_str_of(cases[i].text), &token, &reason),
                         PH_OK);
        assert_true(ph_str_eq_c(token.value, "t.-_~+/="));
        assert_int_equal(token.lifetime_ms, cases[i].lifetime_ms);
        ph_arena_free(arena);
    }
}

static void answers_without_a_token_are_told(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *text, *reason;
    } cases[] = {
        {400, "{\"error\":\"invalid_scope\"}", "the server answered 400: invalid_scope"},
        {400, "{\"error\":\"<script>\"}", "the server answered 400"},
        {500, "", "the server answered 500"},
        {201, "{\"access_token\":\"t\"}", "the server answered 201"},
        {200, "", "the answer is not a JSON object"},
        {200, "{\"access_token\":\"t\"", "the answer is not a JSON object"},
        {200, "{\"access_token\":\"\"}", "the answer has no access_token"},
        {200, "{\"access_token\":\"a b\"}",
         "the access_token has characters that no header may have"},
        {200, "{\"access_token\":\"a\\u00e4\"}",
         "the access_token has characters that no header may have"},
        {200, "{\"access_token\":\"a\",\"token_type\":\"mac\"}", "the token is not of type Bearer"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ph_arena *arena = ph_arena_new();
        struct ph_oauth_token token;
        const char *reason = "";
        assert_int_equal(
            ph_oauth_token_read(arena, cases[i].status, ph_str_of(cases[i].text), &token, &reason),
            PH_ERR_VALIDATION);
        assert_string_equal(reason, cases[i].reason);
        ph_arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(basic_request_is_written),
        cmocka_unit_test(post_request_is_written),
        cmocka_unit_test(what_cannot_work_is_refused),
        cmocka_unit_test(tokens_are_read),
        cmocka_unit_test(answers_without_a_token_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
