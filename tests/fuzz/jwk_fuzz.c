/*
 * JSON Web Keys and tokens: the input as a set; as a token, which no key has signed and none may pass; and as header and
 * claims (the first byte says where the claims begin), signed rightly by Ed25519, so that what is behind the signature is
 * reached.
 */
#include "posthorn/jwk.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ph_jwk_set *set;
static uint8_t secret_key[crypto_sign_SECRETKEYBYTES];

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "broken: %s\n", what);
    abort();
}

static void add(char *text, size_t max, const uint8_t *bytes, size_t n)
{
    size_t len = strlen(text);

    sodium_bin2base64(text + len, max - len, bytes, n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static void make_signer(void)
{
    uint8_t seed[crypto_sign_SEEDBYTES] = {1}, public_key[crypto_sign_PUBLICKEYBYTES];
    char json[256] = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"";
    const char *reason;

    crypto_sign_seed_keypair(public_key, secret_key, seed);
    add(json, sizeof json, public_key, sizeof public_key);
    memcpy(json + strlen(json), "\"}]}", 5);
    must(ph_jwk_set_read(ph_str_of(json), &set, &reason) == PH_OK, "the signer's key");
}

static void try_as_set(struct ph_str text)
{
    struct ph_jwk_set *other;
    const char *reason;

    if (ph_jwk_set_read(text, &other, &reason) == PH_OK)
        ph_jwk_set_free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ph_str input = {(const char *)data, size};
    char token[3 * INPUT_MAX] = "";
    uint8_t signature[crypto_sign_BYTES];
    json_t *claims = NULL;
    size_t cut;

    if (!set)
        make_signer();
    try_as_set(input);
    must(ph_jwk_verify(set, input, &claims) != PH_OK, "unsigned");
    if (size < 2 || size > INPUT_MAX)
        return 0;
    cut = data[0] % size;
    add(token, sizeof token, data + 1, cut);
    memcpy(token + strlen(token), ".", 2);
    add(token, sizeof token, data + 1 + cut, size - 1 - cut);
    crypto_sign_detached(signature, NULL, (const uint8_t *)token, strlen(token), secret_key);
    memcpy(token + strlen(token), ".", 2);
    add(token, sizeof token, signature, sizeof signature);
    if (ph_jwk_verify(set, ph_str_of(token), &claims) == PH_OK) {
        must(json_is_object(claims), "claims are an object");
        must(memmem(data, size, "EdDSA", 5) || memmem(data, size, "\\u", 2),
             "a header that says so");
    }
    json_decref(claims);
    return 0;
}
