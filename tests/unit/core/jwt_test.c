#include "posthorn/jwt.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECRET  PH_STR("a secret of 16 bytes and more")
#define NOW_MS  INT64_C(1764000000000)
#define NOW     "1764000000"
#define LATER   "1764000100"
#define FOREIGN "org_23rb8YdGqMT0qIzpgGwdXfHirMu"
#define OURS    "org_0353RvV5f0cWZPvA17jzme"
#define APP     "app_0353SMJpwXkUdd9D5IuLcJ"
#define HEADER  "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"

static char token[PH_JWT_LEN_MAX * 2];

static void add_part(const void *bytes, size_t n)
{
    char text[PH_JWT_LEN_MAX * 2];

    sodium_bin2base64(text, sizeof(text), bytes, n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    assert_true(strlen(token) + strlen(text) + 2 < sizeof(token));
    memcpy(token + strlen(token), text, strlen(text) + 1);
}

/* The token with these parts, signed by the secret. */
static struct ph_str sign(struct ph_str secret, const char *header, const char *claims)
{
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;

    token[0] = '\0';
    add_part(header, strlen(header));
    add_part("", 0);
    token[strlen(token) + 1] = '\0';
    token[strlen(token)] = '.';
    add_part(claims, strlen(claims));
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)secret.ptr, secret.len);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)token, strlen(token));
    crypto_auth_hmacsha256_final(&state, mac);
    token[strlen(token) + 1] = '\0';
    token[strlen(token)] = '.';
    add_part(mac, sizeof(mac));
    return ph_str_of(token);
}

static enum ph_err verify(const char *header, const char *claims, struct ph_jwt_claims *out)
{
    return ph_jwt_verify(SECRET, sign(SECRET, header, claims), NOW_MS, out);
}

static void refused(const char *header, const char *claims)
{
    struct ph_jwt_claims out;

    if (verify(header, claims, &out) != PH_ERR_AUTH)
        fail_msg("accepted: %s %s", header, claims);
}

static void accepted(const char *header, const char *claims)
{
    struct ph_jwt_claims out;

    if (verify(header, claims, &out) != PH_OK)
        fail_msg("refused: %s %s", header, claims);
}

static void test_tenants(void **state)
{
    struct ph_jwt_claims out;
    struct ph_id ours;

    (void)state;
    assert_int_equal(verify(HEADER, "{\"sub\":\"" FOREIGN "\",\"exp\":" LATER "}", &out), PH_OK);
    assert_string_equal(out.foreign, FOREIGN);
    assert_true(ph_id_is_zero(out.tenant) && ph_id_is_zero(out.application));
    assert_int_equal(out.expires_ms, NOW_MS + 100000);
    assert_int_equal(ph_id_parse(PH_ID_TENANT, PH_STR(OURS), &ours), PH_OK);
    assert_int_equal(verify(HEADER, "{\"sub\":\"" OURS "\",\"exp\":" LATER "}", &out), PH_OK);
    assert_true(ph_id_eq(out.tenant, ours));
    assert_int_equal(out.foreign[0], 0);
}

static void test_applications(void **state)
{
    struct ph_jwt_claims out;
    struct ph_id app;

    (void)state;
    assert_int_equal(ph_id_parse(PH_ID_APPLICATION, PH_STR(APP), &app), PH_OK);
    assert_int_equal(
        verify(HEADER, "{\"org\":\"" FOREIGN "\",\"sub\":\"" APP "\",\"exp\":" LATER "}", &out),
        PH_OK);
    assert_true(ph_id_eq(out.application, app));
    assert_string_equal(out.foreign, FOREIGN);
    refused(HEADER, "{\"sub\":\"" APP "\",\"exp\":" LATER "}");
    refused(HEADER, "{\"org\":\"" APP "\",\"sub\":\"" APP "\",\"exp\":" LATER "}");
    refused(HEADER, "{\"org\":null,\"sub\":\"" FOREIGN "\",\"exp\":" LATER "}");
    refused(HEADER, "{\"org\":\"" FOREIGN "\",\"sub\":\"" FOREIGN "\",\"exp\":" LATER "}");
    refused(HEADER, "{\"org\":\"" FOREIGN "\",\"exp\":" LATER "}");
    refused(HEADER,
            "{\"org\":\"" FOREIGN "\",\"sub\":\"app_0000000000000000000000\",\"exp\":" LATER "}");
}

static void test_subjects_that_are_none(void **state)
{
    static const char *const subjects[] = {
        "null",
        "17",
        "\"\"",
        "\"org_\"",
        "\"org_23rb8YdGqMT0qIzpgGwdXfHirM\"",   /* 26 */
        "\"org_23rb8YdGqMT0qIzpgGwdXfHirMuu\"", /* 28 */
        "\"org_23rb8YdGqMT0qIzpgGwdXfHirM-\"",
        "\"app_23rb8YdGqMT0qIzpgGwdXfHirMu\"",
        "\"org_0000000000000000000000\"",
        "\"org_zzzzzzzzzzzzzzzzzzzzzz\"", /* more than 128 bits */
        "\"org_23rb8YdGqMT0qIzpgGwdXfHirM\\u0000\"",
        "[\"" FOREIGN "\"]",
    };
    char claims[256];

    (void)state;
    for (size_t i = 0; i < sizeof(subjects) / sizeof(*subjects); i++) {
        snprintf(claims, sizeof(claims), "{\"sub\":%s,\"exp\":" LATER "}", subjects[i]);
        refused(HEADER, claims);
    }
    refused(HEADER, "{\"exp\":" LATER "}");
}

static void test_times(void **state)
{
    (void)state;
#define WITH(times) "{\"sub\":\"" FOREIGN "\"," times "}"
    accepted(HEADER, WITH("\"exp\":1764000000.5"));
    accepted(HEADER, WITH("\"exp\":" LATER ",\"nbf\":" NOW ",\"iat\":" NOW));
    accepted(HEADER, WITH("\"exp\":" LATER ",\"nbf\":1764000059,\"iat\":1764000059"));
    accepted(HEADER, WITH("\"exp\":2079360000,\"iat\":0"));
    refused(HEADER, WITH("\"exp\":" NOW));
    refused(HEADER, WITH("\"exp\":1763999999"));
    refused(HEADER, WITH("\"exp\":" LATER ",\"nbf\":1764000061"));
    refused(HEADER, WITH("\"exp\":" LATER ",\"iat\":1764000061"));
    refused(HEADER, "{\"sub\":\"" FOREIGN "\"}"); /* for ever */
    refused(HEADER, WITH("\"exp\":null"));
    refused(HEADER, WITH("\"exp\":\"" LATER "\""));
    refused(HEADER, WITH("\"exp\":true"));
    refused(HEADER, WITH("\"exp\":-1"));
    refused(HEADER, WITH("\"exp\":1e300"));
    refused(HEADER, WITH("\"exp\":9223372036854775807"));
    refused(HEADER, WITH("\"exp\":99999999999999999999"));
    refused(HEADER, WITH("\"exp\":" LATER ",\"nbf\":\"x\""));
    refused(HEADER, WITH("\"exp\":" LATER ",\"iat\":-1"));
}

static void test_headers(void **state)
{
    static const char claims[] = "{\"sub\":\"" FOREIGN "\",\"exp\":" LATER "}";

    (void)state;
    accepted("{\"alg\":\"HS256\"}", claims);
    accepted("{\"alg\":\"HS256\",\"typ\":\"jwt\",\"kid\":\"1\",\"jku\":\"https://evil.example\"}",
             claims);
    refused("{\"alg\":\"none\"}", claims);
    refused("{\"alg\":\"None\"}", claims);
    refused("{\"alg\":\"hs256\"}", claims);
    refused("{\"alg\":\"HS512\"}", claims);
    refused("{\"alg\":\"RS256\"}", claims);
    refused("{\"alg\":\"ES256\"}", claims);
    refused("{\"alg\":null}", claims);
    refused("{\"alg\":[\"HS256\"]}", claims);
    refused("{\"typ\":\"JWT\"}", claims);
    refused("{\"alg\":\"HS256\",\"typ\":\"JWE\"}", claims);
    refused("{\"alg\":\"HS256\",\"typ\":1}", claims);
    refused("{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", claims);
    refused("{\"alg\":\"none\",\"alg\":\"HS256\"}", claims);
    refused("[\"HS256\"]", claims);
    refused("", claims);
    refused("{\"alg\":\"HS256\"} ",
            "{\"sub\":\"" FOREIGN "\",\"exp\":" LATER ",\"exp\":" LATER "}");
    refused(HEADER, "[]");
    refused(HEADER, "");
    refused(HEADER, "{\"sub\":\"" FOREIGN "\",\"exp\":" LATER "} x");
}

static void test_signatures(void **state)
{
    static const char claims[] = "{\"sub\":\"" FOREIGN "\",\"exp\":" LATER "}";
    struct ph_jwt_claims out;
    struct ph_str good = sign(SECRET, HEADER, claims);
    char copy[PH_JWT_LEN_MAX];

    (void)state;
    assert_int_equal(ph_jwt_verify(SECRET, good, NOW_MS, &out), PH_OK);
    assert_int_equal(ph_jwt_verify(PH_STR("another secret, as long"), good, NOW_MS, &out),
                     PH_ERR_AUTH);
    assert_int_equal(ph_jwt_verify(PH_STR(""), good, NOW_MS, &out), PH_ERR_AUTH);
    /* whatever character is another one */
    for (size_t i = 0; i < good.len; i++) {
        memcpy(copy, good.ptr, good.len);
        for (const char *c = "Aa0-_.=+/ \n"; *c; c++) {
            copy[i] = *c;
            if (*c != good.ptr[i])
                assert_int_equal(
                    ph_jwt_verify(SECRET, (struct ph_str){copy, good.len}, NOW_MS, &out),
                    PH_ERR_AUTH);
        }
    }
    /* whatever is missing or too much */
    memcpy(copy, good.ptr, good.len);
    for (size_t len = 0; len < good.len; len++)
        assert_int_equal(ph_jwt_verify(SECRET, (struct ph_str){copy, len}, NOW_MS, &out),
                         PH_ERR_AUTH);
    for (const char *c = "A=. "; *c; c++) {
        copy[good.len] = *c;
        assert_int_equal(ph_jwt_verify(SECRET, (struct ph_str){copy, good.len + 1}, NOW_MS, &out),
                         PH_ERR_AUTH);
    }
    /* signed by nothing */
    memcpy(copy, good.ptr, good.len);
    size_t unsigned_len = (size_t)(strrchr(good.ptr, '.') - good.ptr) + 1;
    assert_int_equal(ph_jwt_verify(SECRET, (struct ph_str){copy, unsigned_len}, NOW_MS, &out),
                     PH_ERR_AUTH);
}

static void test_another_spelling_of_the_same_signature(void **state)
{
    static const char claims[] = "{\"sub\":\"" FOREIGN "\",\"exp\":" LATER "}";
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    struct ph_jwt_claims out;
    struct ph_str good = sign(SECRET, HEADER, claims);
    int spellings = 0;

    (void)state;
    for (const char *c = digits; *c; c++) { /* the last digit has two bits that say nothing */
        token[good.len - 1] = *c;
        spellings += ph_jwt_verify(SECRET, good, NOW_MS, &out) == PH_OK;
    }
    assert_int_equal(spellings, 1);
}

static void test_long_ones(void **state)
{
    char claims[PH_JWT_LEN_MAX + 64];
    int n = snprintf(claims, sizeof(claims), "{\"sub\":\"" FOREIGN "\",\"exp\":" LATER ",\"x\":\"");

    (void)state;
    memset(claims + n, 'x', sizeof(claims) - (size_t)n);
    memcpy(claims + 2000, "\"}", 3);
    accepted(HEADER, claims);
    memset(claims + 2000, 'x', 3);
    memcpy(claims + 3500, "\"}", 3);
    refused(HEADER, claims);
    assert_false(ph_jwt_well_formed(PH_STR("a.b")));
    assert_false(ph_jwt_well_formed(PH_STR("a.b.c.d")));
    assert_true(ph_jwt_well_formed(PH_STR("a.b.c")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tenants),
        cmocka_unit_test(test_applications),
        cmocka_unit_test(test_subjects_that_are_none),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_another_spelling_of_the_same_signature),
        cmocka_unit_test(test_long_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
