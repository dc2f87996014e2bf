#include "posthorn/receive.h"

#include "posthorn/json.h"

#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define OTHER  "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

/* ---- options ---- */

static int saved_out, saved_err;

static void silence(void)
{
    int null = open("/dev/null", O_WRONLY);
    fflush(NULL);
    saved_out = dup(1);
    saved_err = dup(2);
    dup2(null, 1);
    dup2(null, 2);
    close(null);
}

static void speak(void)
{
    fflush(NULL);
    dup2(saved_out, 1);
    dup2(saved_err, 2);
    close(saved_out);
    close(saved_err);
}

static int parse(const char *line, struct ph_receive_options *out)
{
    char *copy = strdup(line);
    char *argv[32] = {"posthorn receive"};
    int argc = 1;
    char *save;
    for (char *p = strtok_r(copy, " ", &save); p != NULL; p = strtok_r(NULL, " ", &save))
        argv[argc++] = p;
    memset(out, 0, sizeof(*out));
    silence();
    int code = ph_receive_parse(argc, argv, out);
    speak();
    free(copy);
    return code;
}

static void listens_on_loopback_without_options(void **state)
{
    (void)state;
    struct ph_receive_options o;
    assert_int_equal(parse("", &o), -1);
    assert_string_equal(o.listen, "127.0.0.1:8090");
    assert_int_equal(o.n_secrets, 0);
    assert_int_equal(o.status, 200);
    assert_int_equal(o.delay_ms, 0);
    assert_int_equal(o.fail_percent, 0);
    assert_false(o.json);
    assert_null(o.ready_file);
}

static void reads_every_option(void **state)
{
    (void)state;
    struct ph_receive_options o;
    assert_int_equal(parse("--status 503 --delay-ms=1500 --fail-percent 25 --json --secret " SECRET
                           " --secret " OTHER,
                           &o),
                     -1);
    assert_int_equal(o.status, 503);
    assert_int_equal(o.delay_ms, 1500);
    assert_int_equal(o.fail_percent, 25);
    assert_true(o.json);
    assert_int_equal(o.n_secrets, 2);
    assert_int_equal(o.secrets[0].len, 24);
    assert_int_equal(o.secrets[1].bytes[0], 0);
    assert_int_equal(parse("--help", &o), 0);
}

static void refuses_wrong_options(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "--status 199",      "--status 600",
        "--status abc",      "--status",
        "--delay-ms -1",     "--delay-ms 3600001",
        "--delay-ms 1x",     "--fail-percent 101",
        "--secret whsec_AA", "--secret nonsense",
        "--bogus",           "behind",
        "--json=yes",        "-x",
    };
    struct ph_receive_options o;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        int code = parse(wrong[i], &o);
        if (code != 2)
            fail_msg("\"%s\" gave %d", wrong[i], code);
    }
}

/* ---- text ---- */

static void expect_visible(struct ph_str text, const char *indent, const char *expected)
{
    struct ph_buf buf;
    ph_buf_init(&buf, 1 << 20);
    ph_receive_add_visible(&buf, text, indent);
    ph_buf_add_char(&buf, '\0');
    assert_string_equal(buf.ptr, expected);
    ph_buf_free(&buf);
}

static void makes_controls_visible(void **state)
{
    (void)state;
    expect_visible(PH_STR("plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x93\xaf"), NULL,
                   "plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x93\xaf");
    expect_visible(PH_STR("\x1b[2J\x1b]0;x\a\b\r"), NULL, "\\x1b[2J\\x1b]0;x\\x07\\x08\\x0d");
    expect_visible(PH_STR("\0\x7f"), NULL, "\\x00\\x7f");
    expect_visible(PH_STR("\xc2\x9b\x33\x31m"), NULL, "\\u009b31m"); /* C1 control */
    expect_visible(PH_STR("\x9b\xff\xc3"), NULL, "\\x9b\\xff\\xc3"); /* not UTF-8 */
    expect_visible(PH_STR("\xe2\x80\xae"
                          "abc"),
                   NULL,
                   "\\u202e"
                   "abc"); /* right-to-left override */
    expect_visible(PH_STR("\xef\xbb\xbf"), NULL, "\\ufeff");
    expect_visible(PH_STR("\xf3\xa0\x81\x81"), NULL, "\\U000e0041"); /* invisible tag letter */
}

static void keeps_lines_only_when_indented(void **state)
{
    (void)state;
    expect_visible(PH_STR("a\tb\nc"), NULL, "a\\x09b\\x0ac");
    expect_visible(PH_STR("a\tb\nc\r\nd"), "  ", "a\tb\n  c\\x0d\n  d");
}

static void expect_pretty(const char *json, const char *expected)
{
    struct ph_buf buf;
    ph_buf_init(&buf, 1 << 20);
    ph_receive_add_pretty(&buf, ph_str_of(json));
    ph_buf_add_char(&buf, '\0');
    assert_string_equal(buf.ptr, expected);
    ph_buf_free(&buf);
}

static void indents_json_without_changing_tokens(void **state)
{
    (void)state;
    expect_pretty("{}", "{}");
    expect_pretty(" [ ] ", "[]");
    expect_pretty("1.50e+3", "1.50e+3");
    expect_pretty("{\"a\" :1.0 , \"b\":[true,{\"c\":\"x\\\"{,:}\"}],\"a\":{ }}",
                  "{\n  \"a\": 1.0,\n  \"b\": [\n    true,\n    {\n      \"c\": \"x\\\"{,:}\"\n"
                  "    }\n  ],\n  \"a\": {}\n}");
}

static void pretty_is_bounded_by_depth(void **state)
{
    (void)state;
    struct ph_buf deep, buf;
    ph_buf_init(&deep, 1 << 20);
    ph_buf_init(&buf, 16 << 20);
    for (int i = 0; i < 2000; i++)
        ph_buf_add_char(&deep, '[');
    for (int i = 0; i < 2000; i++)
        ph_buf_add_char(&deep, ']');
    ph_receive_add_pretty(&buf, ph_buf_str(&deep));
    assert_false(buf.overflow);
    assert_true(buf.len < 4000 * 100);
    ph_buf_free(&deep);
    ph_buf_free(&buf);
}

/* ---- events ---- */

static struct ph_receive_event event_of(struct ph_str body)
{
    return (struct ph_receive_event){
        .at_ms = 1614265330 * INT64_C(1000) + 250,
        .method = PH_STR("POST"),
        .path = PH_STR("/hook"),
        .query = PH_STR_NONE,
        .body = body,
        .webhook_id = PH_STR("msg_p5jXN8AQM9LWM0D4loKWxJek"),
        .webhook_timestamp = PH_STR("1614265330"),
        .webhook_signature = PH_STR("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        .content_type = PH_STR("application/json"),
        .user_agent = PH_STR_NONE,
        .status = 200,
    };
}

static enum ph_receive_verdict judge(const char *secret_text, const struct ph_receive_event *event)
{
    struct ph_secret secrets[3];
    struct ph_signer *signers[3];
    assert_int_equal(ph_secret_parse(ph_str_of(OTHER), &secrets[0]), PH_OK);
    assert_int_equal(ph_secret_parse(ph_str_of(secret_text), &secrets[1]), PH_OK);
    secrets[2] = secrets[0];
    for (int i = 0; i < 3; i++)
        signers[i] = ph_signer_new(&secrets[i]);
    enum ph_receive_verdict verdict = ph_receive_verify(signers, 3, event);
    for (int i = 0; i < 3; i++)
        ph_signer_free(signers[i]);
    return verdict;
}

/* The example that the Standard Webhooks libraries test themselves with. */
static void verifies_the_published_example(void **state)
{
    (void)state;
    struct ph_receive_event e = event_of(PH_STR("{\"test\": 2432232314}"));
    assert_int_equal(judge(SECRET, &e), PH_RECEIVE_VERIFIED);
    assert_int_equal(judge(OTHER, &e), PH_RECEIVE_WRONG);
    assert_int_equal(ph_receive_verify(NULL, 0, &e), PH_RECEIVE_NOT_CHECKED);
    e.body = PH_STR("{\"test\": 2432232315}");
    assert_int_equal(judge(SECRET, &e), PH_RECEIVE_WRONG);
    e.webhook_timestamp = PH_STR("soon");
    assert_int_equal(judge(SECRET, &e), PH_RECEIVE_WRONG);
    e.webhook_signature = PH_STR_NONE;
    assert_int_equal(judge(SECRET, &e), PH_RECEIVE_MISSING);
}

static void holds_the_tolerance(void **state)
{
    (void)state;
    struct ph_receive_event e = event_of(PH_STR("{\"test\": 2432232314}"));
    int64_t signed_ms = 1614265330 * INT64_C(1000);
    e.at_ms = signed_ms + 300 * 1000;
    assert_int_equal(judge(SECRET, &e), PH_RECEIVE_VERIFIED);
    e.at_ms = signed_ms + 301 * 1000;
    assert_int_equal(judge(SECRET, &e), PH_RECEIVE_TOO_OLD);
    e.at_ms = signed_ms - 300 * 1000;
    assert_int_equal(judge(SECRET, &e), PH_RECEIVE_VERIFIED);
    e.at_ms = signed_ms - 301 * 1000;
    assert_int_equal(judge(SECRET, &e), PH_RECEIVE_TOO_NEW);
}

static void refuses_all_but_verified_and_unchecked(void **state)
{
    (void)state;
    assert_false(ph_receive_refused(PH_RECEIVE_NOT_CHECKED));
    assert_false(ph_receive_refused(PH_RECEIVE_VERIFIED));
    assert_true(ph_receive_refused(PH_RECEIVE_WRONG));
    assert_true(ph_receive_refused(PH_RECEIVE_MISSING));
    assert_true(ph_receive_refused(PH_RECEIVE_TOO_OLD));
    assert_true(ph_receive_refused(PH_RECEIVE_TOO_NEW));
}

static void hostile_body_forges_no_line(void **state)
{
    (void)state;
    struct ph_buf buf;
    ph_buf_init(&buf, 1 << 20);
    struct ph_receive_event e =
        event_of(PH_STR("x\n\x1b[2J2026-01-01T00:00:00.000Z  POST /  verified  -> 200\n"));
    e.path = PH_STR("/a\nb");
    e.webhook_id = PH_STR("\x1b]0;owned\a");
    e.verdict = PH_RECEIVE_WRONG;
    ph_receive_write_text(&e, &buf);
    ph_buf_add_char(&buf, '\0');
    assert_string_equal(buf.ptr,
                        "2021-02-25T15:02:10.250Z  POST /a\\x0ab  WRONG SIGNATURE  -> 200\n"
                        "  webhook-id         \\x1b]0;owned\\x07\n"
                        "  webhook-timestamp  1614265330\n"
                        "  content-type       application/json\n"
                        "\n"
                        "  x\n"
                        "  \\x1b[2J2026-01-01T00:00:00.000Z  POST /  verified  -> 200\n"
                        "  \n"
                        "\n");
    ph_buf_free(&buf);
}

static void long_body_is_cut_in_text(void **state)
{
    (void)state;
    struct ph_buf buf;
    size_t n = PH_RECEIVE_TEXT_BYTES + 7;
    char *body = malloc(n);
    memset(body, 'y', n);
    ph_buf_init(&buf, 1 << 20);
    struct ph_receive_event e = event_of((struct ph_str){body, n});
    ph_receive_write_text(&e, &buf);
    ph_buf_add_char(&buf, '\0');
    assert_non_null(strstr(buf.ptr, "y\n  (and 7 more bytes)\n"));
    ph_buf_free(&buf);
    free(body);
}

static void json_line_keeps_every_byte(void **state)
{
    (void)state;
    struct ph_buf buf;
    ph_buf_init(&buf, 1 << 20);
    struct ph_receive_event e = event_of(PH_STR("\xff\0\n{}"));
    e.verdict = PH_RECEIVE_VERIFIED;
    ph_receive_write_json(&e, &buf);
    assert_int_equal(buf.ptr[buf.len - 1], '\n');
    assert_ptr_equal(memchr(buf.ptr, '\n', buf.len), buf.ptr + buf.len - 1);
    json_t *root = json_loadb(buf.ptr, buf.len, 0, NULL);
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(root, "body_base64")), "/wAKe30=");
    assert_string_equal(json_string_value(json_object_get(root, "signature")), "verified");
    assert_string_equal(json_string_value(json_object_get(root, "path")), "/hook");
    assert_true(json_is_null(json_object_get(root, "query")));
    assert_int_equal(json_integer_value(json_object_get(root, "status")), 200);
    json_decref(root);
    ph_buf_free(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listens_on_loopback_without_options),
        cmocka_unit_test(reads_every_option),
        cmocka_unit_test(refuses_wrong_options),
        cmocka_unit_test(makes_controls_visible),
        cmocka_unit_test(keeps_lines_only_when_indented),
        cmocka_unit_test(indents_json_without_changing_tokens),
        cmocka_unit_test(pretty_is_bounded_by_depth),
        cmocka_unit_test(verifies_the_published_example),
        cmocka_unit_test(holds_the_tolerance),
        cmocka_unit_test(refuses_all_but_verified_and_unchecked),
        cmocka_unit_test(hostile_body_forges_no_line),
        cmocka_unit_test(long_body_is_cut_in_text),
        cmocka_unit_test(json_line_keeps_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
