#include "posthorn/jwk.h"

#include "signer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define CLAIMS "{\"sub\":\"me\"}"

/* RFC 7515, A.2 and A.3 */
#define RFC_RSA                                                                                    \
    "{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-"   \
    "Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7"  \
    "OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qC" \
    "o5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXp" \
    "oQ\",\"e\":\"AQAB\"}"
#define RFC_EC                                                                                     \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","     \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"
#define RFC_CLAIMS                                                                                 \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl" \
    "fQ"
#define RFC_RS256                                                                                  \
    "eyJhbGciOiJSUzI1NiJ9." RFC_CLAIMS ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOi" \
    "Zj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrn" \
    "byTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqt" \
    "FZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypG" \
    "lUPQGe77Rw"
#define RFC_ES256                                                                                  \
    "eyJhbGciOiJFUzI1NiJ9." RFC_CLAIMS ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djx" \
    "La8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"

static EVP_PKEY *rsa, *p256, *ed25519, *weak;

static int make_keys(void **state)
{
    (void)state;
    rsa = signer_rsa(2048);
    weak = signer_rsa(1024);
    p256 = signer_p256();
    ed25519 = signer_ed25519();
    return rsa && weak && p256 && ed25519 ? 0 : 1;
}

static int free_keys(void **state)
{
    (void)state;
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(weak);
    EVP_PKEY_free(p256);
    EVP_PKEY_free(ed25519);
    return 0;
}

static struct ph_jwk_set *read_set(const char *keys)
{
    struct ph_jwk_set *set = NULL;
    const char *reason;
    char *json;

    assert_true(asprintf(&json, "{\"keys\":[%s]}", keys) > 0);
    if (ph_jwk_set_read(ph_str_of(json), &set, &reason) != PH_OK)
        set = NULL;
    free(json);
    return set;
}

/* A set of one key, with this at the end of its JSON. */
static struct ph_jwk_set *set_of(EVP_PKEY *pkey, const char *more)
{
    char *jwk = signer_jwk(pkey, more);
    struct ph_jwk_set *set = read_set(jwk);

    free(jwk);
    return set;
}

static enum ph_err verify(const struct ph_jwk_set *set, const char *token)
{
    json_t *claims = NULL;
    enum ph_err err = ph_jwk_verify(set, ph_str_of(token), &claims);

    assert_true((err == PH_OK) == (claims != NULL));
    json_decref(claims);
    return err;
}

static enum ph_err signed_by(EVP_PKEY *pkey, const char *header, const struct ph_jwk_set *set)
{
    char *token = signer_token(pkey, header, CLAIMS);
    enum ph_err err = verify(set, token);

    free(token);
    return err;
}

static void vectors_of_the_rfc(void **state)
{
    struct ph_jwk_set *set = read_set(RFC_RSA "," RFC_EC);
    json_t *claims;

    (void)state;
    assert_non_null(set);
    assert_int_equal(ph_jwk_verify(set, PH_STR(RFC_RS256), &claims), PH_OK);
    assert_string_equal(json_string_value(json_object_get(claims, "iss")), "joe");
    json_decref(claims);
    assert_int_equal(verify(set, RFC_ES256), PH_OK);
    ph_jwk_set_free(set);
}

static void each_key_has_its_algorithms(void **state)
{
    static const char *const algs[] = {"RS256", "PS256", "ES256", "EdDSA"};
    EVP_PKEY *const keys[] = {rsa, rsa, p256, ed25519};
    char header[64];

    (void)state;
    for (int k = 0; k < 4; k++) {
        struct ph_jwk_set *set = set_of(keys[k], "");
        assert_non_null(set);
        for (int a = 0; a < 4; a++) {
            bool fits = keys[a] == keys[k];
            /* what the key really signs; PS256 and RS256 are made by what the header says */
            snprintf(header, sizeof header, "{\"alg\":\"%s\",\"typ\":\"JWT\"}", algs[a]);
            assert_int_equal(signed_by(keys[k], header, set), fits ? PH_OK : PH_ERR_NOT_FOUND);
        }
        ph_jwk_set_free(set);
    }
}

static void an_rsa_signature_is_of_one_kind(void **state)
{
    struct ph_jwk_set *set = set_of(rsa, "");
    char *pss = signer_token(rsa, "{\"alg\":\"PS256\"}", CLAIMS);
    char *plain = signer_token(rsa, "{\"alg\":\"RS256\"}", CLAIMS);
    char *mixed;

    (void)state;
    assert_int_equal(verify(set, pss), PH_OK);
    assert_true(
        asprintf(&mixed, "%.*s%s", (int)(strchr(plain, '.') - plain), plain, strchr(pss, '.')) > 0);
    assert_int_equal(verify(set, mixed), PH_ERR_AUTH);
    free(pss);
    free(plain);
    free(mixed);
    ph_jwk_set_free(set);
}

static void a_key_may_name_its_only_algorithm(void **state)
{
    struct ph_jwk_set *set = set_of(rsa, ",\"alg\":\"PS256\",\"use\":\"sig\"");

    (void)state;
    assert_int_equal(signed_by(rsa, "{\"alg\":\"PS256\"}", set), PH_OK);
    assert_int_equal(signed_by(rsa, "{\"alg\":\"RS256\"}", set), PH_ERR_NOT_FOUND);
    ph_jwk_set_free(set);
}

static void the_key_is_found_by_its_name(void **state)
{
    char *a = signer_jwk(rsa, ",\"kid\":\"a\""), *b = signer_jwk(p256, ",\"kid\":\"b\"");
    EVP_PKEY *other = signer_p256();
    char *b2 = signer_jwk(other, ",\"kid\":\"b2\"");
    struct ph_jwk_set *set;
    char *keys;

    (void)state;
    assert_true(asprintf(&keys, "%s,%s,%s", a, b, b2) > 0);
    set = read_set(keys);
    assert_int_equal(signed_by(rsa, "{\"alg\":\"RS256\",\"kid\":\"a\"}", set), PH_OK);
    assert_int_equal(signed_by(p256, "{\"alg\":\"ES256\",\"kid\":\"b\"}", set), PH_OK);
    assert_int_equal(signed_by(p256, "{\"alg\":\"ES256\",\"kid\":\"b2\"}", set), PH_ERR_AUTH);
    assert_int_equal(signed_by(p256, "{\"alg\":\"ES256\",\"kid\":\"a\"}", set), PH_ERR_NOT_FOUND);
    assert_int_equal(signed_by(p256, "{\"alg\":\"ES256\",\"kid\":\"c\"}", set), PH_ERR_NOT_FOUND);
    assert_int_equal(signed_by(p256, "{\"alg\":\"ES256\",\"kid\":7}", set), PH_ERR_AUTH);
    /* without a name every one that fits is tried */
    assert_int_equal(signed_by(p256, "{\"alg\":\"ES256\"}", set), PH_OK);
    assert_int_equal(signed_by(other, "{\"alg\":\"ES256\"}", set), PH_OK);
    ph_jwk_set_free(set);
    EVP_PKEY_free(other);
    free(a);
    free(b);
    free(b2);
    free(keys);
}

/* Signed with HMAC by the public key as everybody can read it. */
static void a_public_key_is_no_secret(void **state)
{
    struct ph_jwk_set *set = set_of(rsa, "");
    char *jwk = signer_jwk(rsa, ""), *head = signer_b64("{\"alg\":\"HS256\"}", 15);
    char *claims = signer_b64(CLAIMS, strlen(CLAIMS)), *text, *mac_text, *token;
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state hmac;

    (void)state;
    assert_true(asprintf(&text, "%s.%s", head, claims) > 0);
    crypto_auth_hmacsha256_init(&hmac, (const uint8_t *)jwk, strlen(jwk));
    crypto_auth_hmacsha256_update(&hmac, (const uint8_t *)text, strlen(text));
    crypto_auth_hmacsha256_final(&hmac, mac);
    mac_text = signer_b64(mac, sizeof mac);
    assert_true(asprintf(&token, "%s.%s", text, mac_text) > 0);
    assert_int_equal(verify(set, token), PH_ERR_AUTH);
    /* and a secret key in the set is none of ours */
    assert_null(read_set("{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}"));
    ph_jwk_set_free(set);
    free(jwk);
    free(head);
    free(claims);
    free(text);
    free(mac_text);
    free(token);
}

static void headers_that_are_refused(void **state)
{
    static const char *const headers[] = {
        "{\"alg\":\"none\"}",
        "{\"alg\":\"rs256\"}",
        "{\"alg\":\"RS384\"}",
        "{\"alg\":null}",
        "{\"alg\":[\"RS256\"]}",
        "{}",
        "[]",
        "",
        "{\"alg\":\"RS256\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"RS256\",\"crit\":[],\"b64\":false}",
        "{\"alg\":\"RS256\",\"alg\":\"RS256\"}",
        "{\"alg\":\"RS256\",\"typ\":\"at+jwt\"}",
        "{\"alg\":\"RS256\",\"typ\":7}",
    };
    struct ph_jwk_set *set = set_of(rsa, "");

    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        if (signed_by(rsa, headers[i], set) != PH_ERR_AUTH)
            fail_msg("accepted: %s", headers[i]);
    /* what it says of keys elsewhere does not matter */
    assert_int_equal(
        signed_by(rsa, "{\"alg\":\"RS256\",\"jku\":\"https://evil.test\",\"jwk\":{}}", set), PH_OK);
    ph_jwk_set_free(set);
}

static void unsigned_is_refused(void **state)
{
    struct ph_jwk_set *set = set_of(rsa, "");
    char *token = signer_token(rsa, "{\"alg\":\"none\"}", CLAIMS);

    (void)state;
    strrchr(token, '.')[1] = '\0';
    assert_int_equal(verify(set, token), PH_ERR_AUTH);
    *strrchr(token, '.') = '\0';
    assert_int_equal(verify(set, token), PH_ERR_AUTH);
    free(token);
    token = signer_token(rsa, "{\"alg\":\"RS256\"}", CLAIMS);
    strrchr(token, '.')[1] = '\0';
    assert_int_equal(verify(set, token), PH_ERR_AUTH);
    free(token);
    assert_int_equal(verify(set, ""), PH_ERR_AUTH);
    assert_int_equal(verify(set, ".."), PH_ERR_AUTH);
    ph_jwk_set_free(set);
}

static void any_change_is_seen(void **state)
{
    EVP_PKEY *const keys[] = {rsa, p256, ed25519};
    static const char *const headers[] = {"{\"alg\":\"RS256\"}", "{\"alg\":\"ES256\"}",
                                          "{\"alg\":\"EdDSA\"}"};

    (void)state;
    for (int k = 0; k < 3; k++) {
        struct ph_jwk_set *set = set_of(keys[k], "");
        char *token = signer_token(keys[k], headers[k], CLAIMS);
        for (size_t i = 0; i < strlen(token); i++) {
            char was = token[i];
            token[i] = was == 'A' ? 'B' : 'A';
            assert_int_not_equal(verify(set, token), PH_OK);
            token[i] = was;
        }
        assert_int_equal(verify(set, token), PH_OK);
        free(token);
        ph_jwk_set_free(set);
    }
}

/* Nothing of 64 bytes that is no pair of numbers. */
static void degenerate_signatures_are_refused(void **state)
{
    struct ph_jwk_set *set = set_of(p256, "");
    char *token = signer_token(p256, "{\"alg\":\"ES256\"}", CLAIMS);
    char *signature = strrchr(token, '.') + 1;
    uint8_t raw[65];
    char *text;

    (void)state;
    memset(raw, 0, sizeof raw);
    for (int i = 0; i < 2; i++) {
        text = signer_b64(raw, 64);
        memcpy(signature, text, strlen(text));
        free(text);
        assert_int_equal(verify(set, token), PH_ERR_AUTH);
        memset(raw, 0xff, sizeof raw);
    }
    free(token);
    ph_jwk_set_free(set);
}

static void claims_are_an_object_with_no_member_twice(void **state)
{
    static const char *const claims[] = {"[]", "", "{", "7", "{\"a\":1,\"a\":1}", "{} x"};
    struct ph_jwk_set *set = set_of(ed25519, "");

    (void)state;
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        char *token = signer_token(ed25519, "{\"alg\":\"EdDSA\"}", claims[i]);
        assert_int_equal(verify(set, token), PH_ERR_AUTH);
        free(token);
    }
    ph_jwk_set_free(set);
}

static void giant_tokens_are_refused(void **state)
{
    struct ph_jwk_set *set = set_of(ed25519, "");
    size_t sizes[] = {PH_JWK_TOKEN_MAX / 2, PH_JWK_TOKEN_MAX, 1 << 20};

    (void)state;
    for (int i = 0; i < 3; i++) {
        char *claims = malloc(sizes[i] + 16), *token;
        memset(claims, 'x', sizes[i]);
        memcpy(claims, "{\"a\":\"", 6);
        memcpy(claims + sizes[i] - 2, "\"}", 3);
        token = signer_token(ed25519, "{\"alg\":\"EdDSA\"}", claims);
        assert_int_equal(verify(set, token), i == 0 ? PH_OK : PH_ERR_AUTH);
        free(claims);
        free(token);
    }
    ph_jwk_set_free(set);
}

static void keys_that_are_left_out(void **state)
{
    static const char *const jwks[] = {
        "{}",
        "7",
        "{\"kty\":\"RSA\"}",
        "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"AA\",\"y\":\"AA\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}",
        /* no point of the curve */
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
        "\"y\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
        "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
        "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"11qYAYKxCrfVS_"
        "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"
        "7TyWQHOg7hcvPapiMlrwIaaPcHUR\"}",
        "{\"kty\":\"XXX\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"
        "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
    };
    static const char *const more[] = {
        ",\"use\":\"enc\"",      ",\"use\":7",         ",\"key_ops\":[\"sign\"]",
        ",\"alg\":\"RSA-OAEP\"", ",\"alg\":\"ES256\"", ",\"kid\":7",
    };

    (void)state;
    for (size_t i = 0; i < sizeof jwks / sizeof *jwks; i++)
        if (read_set(jwks[i]))
            fail_msg("taken: %s", jwks[i]);
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        if (set_of(rsa, more[i]))
            fail_msg("taken with %s", more[i]);
    assert_null(set_of(weak, ""));
}

static void what_is_no_set_is_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "[]",
                                        "{}",
                                        "{\"keys\":{}}",
                                        "{\"keys\":[]}",
                                        "nonsense",
                                        "{\"keys\":[" RFC_EC "],\"keys\":[" RFC_EC "]}"};
    struct ph_jwk_set *set;
    const char *reason;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(ph_jwk_set_read(ph_str_of(texts[i]), &set, &reason), PH_ERR_VALIDATION);
    assert_int_equal(ph_jwk_set_read(PH_STR_NONE, &set, &reason), PH_ERR_VALIDATION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_the_rfc),
        cmocka_unit_test(each_key_has_its_algorithms),
        cmocka_unit_test(an_rsa_signature_is_of_one_kind),
        cmocka_unit_test(a_key_may_name_its_only_algorithm),
        cmocka_unit_test(the_key_is_found_by_its_name),
        cmocka_unit_test(a_public_key_is_no_secret),
        cmocka_unit_test(headers_that_are_refused),
        cmocka_unit_test(unsigned_is_refused),
        cmocka_unit_test(any_change_is_seen),
        cmocka_unit_test(degenerate_signatures_are_refused),
        cmocka_unit_test(claims_are_an_object_with_no_member_twice),
        cmocka_unit_test(giant_tokens_are_refused),
        cmocka_unit_test(keys_that_are_left_out),
        cmocka_unit_test(what_is_no_set_is_refused),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
