/*
 * The expected MACs were computed with Python's hmac and hashlib, independent of the code under test:
 *
 *   hmac.new(key, prefix + body, hashlib.sha256), with the prefixes "", f"{t}.", f"v0:{t}:"
 */
#include "posthorn/sign_profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SECRET  "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define TEXT    "shpss_0123456789 ~!"
#define KEY     "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define NOW_MS  INT64_C(1614265330999)
#define ID_LINE "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\r\n"
#define NAMED   ID_LINE "webhook-timestamp: 1614265330\r\n"

static const struct ph_sign_message message = {
    .id = {"msg_p5jXN8AQM9LWM0D4loKWxJek", 28},
    .event_type = {"invoice.paid", 12},
    .body = {"{\"test\": 2432232314}", 20},
    .now_ms = NOW_MS,
};

struct given {
    const char *secret;
    int64_t expires_ms;
};

/* The lines for these secrets; "none" when the function says that there are none. */
static const char *lines_of(const struct ph_sign_style *style, const struct given *given, int n)
{
    static char text[4096];
    struct ph_signer *signers[4];
    int64_t expires_ms[4];
    struct ph_secret secret;
    struct ph_buf buf, value;

    for (int i = 0; i < n; i++) {
        assert_int_equal(ph_secret_parse_any(ph_str_of(given[i].secret), &secret), PH_OK);
        signers[i] = ph_sign_profile_signer(style->profile, &secret);
        expires_ms[i] = given[i].expires_ms;
    }
    ph_buf_init(&buf, sizeof text - 1);
    ph_buf_init(&value, sizeof text - 1);
    bool any = ph_sign_write_value(style, signers, expires_ms, n, &message, &value);
    ph_sign_write_headers(style, &message, ph_buf_str(&value), &buf);
    memcpy(text, buf.ptr, buf.len);
    text[buf.len] = '\0';
    ph_buf_free(&buf);
    ph_buf_free(&value);
    for (int i = 0; i < n; i++)
        ph_signer_free(signers[i]);
    return any ? text : "none";
}

static struct ph_sign_style style_of(const char *name)
{
    struct ph_sign_style style = {.prefix = PH_HEADER_PREFIX, .header = PH_SIGNATURE_HEADER};

    assert_int_equal(ph_sign_profile_parse(ph_str_of(name), &style.profile), PH_OK);
    assert_true(ph_str_eq_c(ph_sign_profile_name(style.profile), name));
    return style;
}

static const char *lines(const char *name, const char *secret)
{
    struct ph_sign_style style = style_of(name);

    return lines_of(&style, &(struct given){secret, 0}, 1);
}

static void standard_signs_with_every_valid_secret(void **state)
{
    (void)state;
    struct ph_sign_style style = style_of("standard");
    const struct given three[] = {{KEY, 0}, {SECRET, NOW_MS}, {SECRET, NOW_MS + 1}};

    assert_string_equal(lines("standard", SECRET), NAMED
                        "webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\r\n");
    assert_string_equal(
        lines_of(&style, three, 3), NAMED
        "webhook-signature: v1a,yoUrgEkc12aGqm0n4Sydmdz55xJfTz4AsAgieHFjmkR7LJtqVCZOQYzvvHjI5kAey+"
        "r4iaBGxTFRrl2iBQxtDQ== v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\r\n");
    assert_string_equal(lines("standard", TEXT), NAMED
                        "webhook-signature: v1,Q3OFroA6cL0MhswLkJwrQdsP6JD5uONWWmC9vmCgLrk=\r\n");
    assert_string_equal(lines_of(&style, three + 1, 1), "none");
    assert_string_equal(lines_of(&style, NULL, 0), "none");
}

static void the_prefix_is_the_tenants(void **state)
{
    (void)state;
    struct ph_sign_style style = style_of("standard");

    style.prefix = PH_STR("svix");
    assert_string_equal(lines_of(&style, &(struct given){SECRET, 0}, 1),
                        "svix-id: msg_p5jXN8AQM9LWM0D4loKWxJek\r\nsvix-timestamp: 1614265330\r\n"
                        "svix-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\r\n");
}

static void stripe_signs_with_the_text_of_every_valid_secret(void **state)
{
    (void)state;
    struct ph_sign_style style = style_of("stripe");
    const struct given three[] = {{SECRET, 0}, {KEY, 1}, {TEXT, NOW_MS + 1}};

    assert_string_equal(lines_of(&style, three, 3), NAMED
                        "Stripe-Signature: t=1614265330"
                        ",v1=2e37df5d4a028c51a7f3133d64ae1e300d2c2c900f1b1d49d4369ad2530f8964"
                        ",v1=23c14e226ff436161db26d21685adf8a8daf5cb94368ab5072ad3c18401c90ec\r\n");
    assert_string_equal(lines_of(&style, three + 1, 1), "none");
}

static void github_signs_the_body_with_the_newest_secret(void **state)
{
    (void)state;
    struct ph_sign_style style = style_of("github");
    const struct given two[] = {{TEXT, 0}, {SECRET, NOW_MS + 1}};

    assert_string_equal(
        lines_of(&style, two, 2), NAMED
        "X-Hub-Signature-256: "
        "sha256=da79cac4225e65b7c5791fe9c1675dbe8f443c32b3919e10e49e95783ab79886\r\n"
        "X-GitHub-Event: invoice.paid\r\nX-GitHub-Delivery: msg_p5jXN8AQM9LWM0D4loKWxJek\r\n");
}

static void shopify_signs_in_base64(void **state)
{
    (void)state;
    assert_string_equal(lines("shopify", TEXT), NAMED
                        "X-Shopify-Hmac-SHA256: 2nnKxCJeZbfFeR/pwWddvo9EPDKzkZ4Q5J6VeDq3mIY=\r\n"
                        "X-Shopify-Topic: invoice.paid\r\n"
                        "X-Shopify-Webhook-Id: msg_p5jXN8AQM9LWM0D4loKWxJek\r\n");
}

static void slack_signs_version_and_time(void **state)
{
    (void)state;
    assert_string_equal(
        lines("slack", SECRET), NAMED
        "X-Slack-Signature: v0=cddefca50684fde6ab7a4b4868a953cc180e93a68f4ad4f0a13b91731cd987fa\r\n"
        "X-Slack-Request-Timestamp: 1614265330\r\n");
}

static void plain_ones_use_the_bytes_and_a_header_of_choice(void **state)
{
    (void)state;
    struct ph_sign_style style = style_of("hmac-base64");

    assert_string_equal(
        lines("hmac-hex", SECRET),
        NAMED "X-Signature: e2cb4f5251572539d458bfb8a7adb533b08801e6a794467e06f771debbb0818b\r\n");
    assert_string_equal(
        lines("hmac-hex", TEXT),
        NAMED "X-Signature: da79cac4225e65b7c5791fe9c1675dbe8f443c32b3919e10e49e95783ab79886\r\n");
    assert_string_equal(
        lines("hmac-hex", KEY),
        NAMED "X-Signature: 47a88bb052a4920b6e6631d3f98e5e3a5476679ee9f120b99793d8b903950d8d\r\n");
    style.header = PH_STR("X-Acme-Digest");
    assert_string_equal(lines_of(&style, &(struct given){SECRET, 0}, 1),
                        NAMED "X-Acme-Digest: 4stPUlFXJTnUWL+4p621M7CIAeanlEZ+Bvdx3ruwgYs=\r\n");
}

static void a_full_buffer_shows(void **state)
{
    (void)state;
    struct ph_sign_style style = style_of("standard");
    struct ph_secret secret;
    struct ph_buf buf;

    assert_int_equal(ph_secret_parse(PH_STR(SECRET), &secret), PH_OK);
    struct ph_signer *signer = ph_sign_profile_signer(style.profile, &secret);
    ph_buf_init(&buf, PH_SIGNATURE_LEN - 1);
    assert_false(ph_sign_write_value(&style, &signer, &(int64_t){0}, 1, &message, &buf));
    ph_buf_free(&buf);
    ph_signer_free(signer);
}

/* Ends the record of value "v" and reads it back. */
static size_t record(const struct ph_sign_style *style, int64_t now_ms, int64_t attempt_ms,
                     struct ph_sign_record *out)
{
    static char text[256];
    struct ph_buf buf = {.ptr = text, .cap = sizeof text, .max_bytes = sizeof text};

    ph_buf_add_c(&buf, "v1,a v1,b");
    ph_sign_record_end(&buf, style, now_ms, attempt_ms);
    ph_sign_record_read(ph_buf_str(&buf), attempt_ms, out);
    assert_true(ph_str_eq_c(out->value, "v1,a v1,b"));
    return buf.len;
}

static void a_record_keeps_what_is_not_as_usual(void **state)
{
    (void)state;
    struct ph_sign_style usual = style_of("standard"), other = style_of("hmac-hex");
    struct ph_sign_record got;

    assert_int_equal(record(&usual, 1700000000999, 1700000000001, &got), 9);
    assert_int_equal(got.now_ms, 1700000000001);
    assert_true(ph_str_eq_c(got.style.prefix, "webhook"));
    assert_int_equal(record(&usual, 1700000001000, 1700000000999, &got), 9 + 11);
    assert_int_equal(got.now_ms, 1700000001000);
    assert_int_equal(got.style.profile, PH_SIGN_STANDARD);
    other.header = PH_STR("X-Sig");
    other.prefix = PH_STR("acme");
    record(&other, 1700000000000, 1700000000000, &got);
    assert_int_equal(got.now_ms, 1700000000000);
    assert_int_equal(got.style.profile, PH_SIGN_HMAC_HEX);
    assert_true(ph_str_eq_c(got.style.prefix, "acme") && ph_str_eq_c(got.style.header, "X-Sig"));
    usual.prefix = PH_STR("svix");
    record(&usual, 1700000000000, 1700000000000, &got);
    assert_int_equal(got.style.profile, PH_SIGN_STANDARD);
    assert_true(ph_str_eq_c(got.style.prefix, "svix"));
    ph_sign_record_read(PH_STR(""), 1700000000000, &got);
    assert_int_equal(got.value.len, 0);
}

static bool sends(const char *profile, const char *header)
{
    struct ph_sign_style style = style_of(profile);

    return ph_sign_style_sends(&style, ph_str_of(header));
}

static void tells_its_own_headers(void **state)
{
    (void)state;
    struct ph_sign_style style = style_of("standard");

    assert_true(sends("standard", "Webhook-ID"));
    assert_true(sends("standard", "webhook-timestamp"));
    assert_true(sends("standard", "webhook-signature"));
    assert_false(sends("standard", "webhook"));
    assert_false(sends("standard", "webhook-idx"));
    assert_false(sends("standard", "x-signature"));
    assert_false(sends("stripe", "webhook-signature"));
    assert_true(sends("stripe", "stripe-signature"));
    assert_true(sends("github", "x-github-event"));
    assert_true(sends("github", "x-github-delivery"));
    assert_false(sends("github", "x-slack-signature"));
    assert_true(sends("slack", "x-slack-request-timestamp"));
    assert_true(sends("hmac-hex", "x-signature"));
    style.prefix = PH_STR("svix");
    assert_true(ph_sign_style_sends(&style, PH_STR("svix-id")));
    assert_false(ph_sign_style_sends(&style, PH_STR("webhook-id")));
}

static void only_known_profiles_are_read(void **state)
{
    (void)state;
    enum ph_sign_profile profile;

    assert_int_equal(ph_sign_profile_parse(PH_STR("Stripe"), &profile), PH_ERR_VALIDATION);
    assert_int_equal(ph_sign_profile_parse(PH_STR(""), &profile), PH_ERR_VALIDATION);
    assert_int_equal(ph_sign_profile_parse(PH_STR_NONE, &profile), PH_ERR_VALIDATION);
    assert_string_equal(ph_sign_profile_names(),
                        "standard, stripe, github, shopify, slack, hmac-hex, hmac-base64");
}

static void header_tokens_and_content_types_are_judged(void **state)
{
    (void)state;
    static const char *const types[] = {"text/xml", "application/soap+xml; charset=utf-8",
                                        "a/b;c=\"d e\"", "application/vnd.x-y_z.v1+json"};
    static const char *const no_types[] = {
        "",          "text",      "/xml",        "text/",      "a/b/c",      " text/xml",
        "text/xml ", "text/x ml", "a/b\r\nX: y", "a/b; c\x01", "a/\xc3\xa9", ";a/b"};

    assert_true(ph_header_token_ok(PH_STR("X-Signature-256"), 64));
    assert_true(ph_header_token_ok(PH_STR("svix"), 4));
    assert_false(ph_header_token_ok(PH_STR("svix"), 3));
    assert_false(ph_header_token_ok(PH_STR(""), 64));
    assert_false(ph_header_token_ok(PH_STR("-x"), 64));
    assert_false(ph_header_token_ok(PH_STR("x-"), 64));
    assert_false(ph_header_token_ok(PH_STR("x y"), 64));
    assert_false(ph_header_token_ok(PH_STR("x:y"), 64));
    assert_false(ph_header_token_ok(PH_STR("x_y"), 64));
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!ph_content_type_ok(ph_str_of(types[i])))
            fail_msg("refused: %s", types[i]);
    for (size_t i = 0; i < sizeof no_types / sizeof *no_types; i++)
        if (ph_content_type_ok(ph_str_of(no_types[i])))
            fail_msg("accepted: %s", no_types[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(standard_signs_with_every_valid_secret),
        cmocka_unit_test(the_prefix_is_the_tenants),
        cmocka_unit_test(stripe_signs_with_the_text_of_every_valid_secret),
        cmocka_unit_test(github_signs_the_body_with_the_newest_secret),
        cmocka_unit_test(shopify_signs_in_base64),
        cmocka_unit_test(slack_signs_version_and_time),
        cmocka_unit_test(plain_ones_use_the_bytes_and_a_header_of_choice),
        cmocka_unit_test(a_full_buffer_shows),
        cmocka_unit_test(a_record_keeps_what_is_not_as_usual),
        cmocka_unit_test(tells_its_own_headers),
        cmocka_unit_test(only_known_profiles_are_read),
        cmocka_unit_test(header_tokens_and_content_types_are_judged),
    };
    return cmocka_run_group_tests_name("sign_profile", tests, NULL, NULL);
}
