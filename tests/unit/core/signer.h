/*
 * Who signs tokens in tests: a key pair, its public half as a JSON Web Key, and tokens.
 */
#ifndef POSTHORN_TESTS_SIGNER_H
#define POSTHORN_TESTS_SIGNER_H

#include "posthorn/str.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static inline char *signer_b64(const void *bytes, size_t n)
{
    size_t max = sodium_base64_encoded_len(n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    char *text = malloc(max);

    return sodium_bin2base64(text, max, bytes, n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static inline EVP_PKEY *signer_rsa(unsigned int bits)
{
    return EVP_RSA_gen(bits);
}

static inline EVP_PKEY *signer_p256(void)
{
    return EVP_EC_gen("P-256");
}

static inline EVP_PKEY *signer_ed25519(void)
{
    return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

/* {"kty":…}, with `more`, such as ",\"kid\":\"a\"", at its end. Free it. */
static inline char *signer_jwk(EVP_PKEY *pkey, const char *more)
{
    uint8_t bytes[1100];
    size_t len;
    char *a, *b, *jwk;
    int n;

    if (EVP_PKEY_is_a(pkey, "RSA")) {
        BIGNUM *number = NULL;
        EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &number);
        len = (size_t)BN_bn2bin(number, bytes);
        BN_free(number);
        a = signer_b64(bytes, len);
        b = strdup("AQAB");
        n = asprintf(&jwk, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s}", a, b, more);
    } else if (EVP_PKEY_is_a(pkey, "EC")) {
        EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, bytes, sizeof bytes, &len);
        a = signer_b64(bytes + 1, 32);
        b = signer_b64(bytes + 33, 32);
        n = asprintf(&jwk, "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"%s}", a, b,
                     more);
    } else {
        len = 32;
        EVP_PKEY_get_raw_public_key(pkey, bytes, &len);
        a = signer_b64(bytes, len);
        b = strdup("");
        n = asprintf(&jwk, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"%s}", a, more);
    }
    free(a);
    free(b);
    return n > 0 ? jwk : NULL;
}

/* The bytes of a signature as tokens have it; out has room for 1024. */
static inline size_t signer_raw(EVP_PKEY *pkey, bool pss, const char *text, uint8_t *out)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx;
    size_t len = 1024;

    EVP_DigestSignInit(ctx, &pctx, EVP_PKEY_is_a(pkey, "ED25519") ? NULL : EVP_sha256(), NULL,
                       pkey);
    if (pss) {
        EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST);
    }
    EVP_DigestSign(ctx, out, &len, (const uint8_t *)text, strlen(text));
    EVP_MD_CTX_free(ctx);
    if (EVP_PKEY_is_a(pkey, "EC")) {
        const uint8_t *der = out;
        ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
        uint8_t pair[64];
        BN_bn2binpad(ECDSA_SIG_get0_r(sig), pair, 32);
        BN_bn2binpad(ECDSA_SIG_get0_s(sig), pair + 32, 32);
        ECDSA_SIG_free(sig);
        memcpy(out, pair, sizeof pair);
        len = sizeof pair;
    }
    return len;
}

/* header and claims are JSON. Free it. */
static inline char *signer_token(EVP_PKEY *pkey, const char *header, const char *claims)
{
    char *a = signer_b64(header, strlen(header)), *b = signer_b64(claims, strlen(claims));
    uint8_t signature[1024];
    char *text, *c, *token;

    if (asprintf(&text, "%s.%s", a, b) < 0)
        abort();
    c = signer_b64(signature, signer_raw(pkey, strstr(header, "PS256"), text, signature));
    if (asprintf(&token, "%s.%s", text, c) < 0)
        abort();
    free(a);
    free(b);
    free(c);
    free(text);
    return token;
}

#endif
