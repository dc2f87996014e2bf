/*
 * JSON Web Tokens: the input as it is, which nobody has signed and nobody may pass; and as header and claims (the first
 * byte says where the claims begin), signed rightly, so that what is behind the signature is reached.
 */
#include "posthorn/jwt.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET PH_STR("a secret of 16 bytes and more")
#define NOW_MS INT64_C(1764000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "broken: %s\n", what);
    abort();
}

static void add(char *token, const uint8_t *bytes, size_t n)
{
    size_t len = strlen(token);

    sodium_bin2base64(token + len, 3 * PH_JWT_LEN_MAX - len, bytes, n,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static void add_dot(char *token)
{
    size_t len = strlen(token);

    token[len] = '.';
    token[len + 1] = '\0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char token[3 * PH_JWT_LEN_MAX] = "";
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;
    struct ph_jwt_claims claims;
    size_t cut;

    must(ph_jwt_verify(SECRET, (struct ph_str){(const char *)data, size}, NOW_MS, &claims) != PH_OK,
         "unsigned");
    if (size < 2 || size > PH_JWT_LEN_MAX)
        return 0;
    cut = data[0] % size;
    add(token, data + 1, cut);
    add_dot(token);
    add(token, data + 1 + cut, size - 1 - cut);
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)SECRET.ptr, SECRET.len);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)token, strlen(token));
    crypto_auth_hmacsha256_final(&state, mac);
    add_dot(token);
    add(token, mac, sizeof(mac));
    if (ph_jwt_verify(SECRET, ph_str_of(token), NOW_MS, &claims) == PH_OK) {
        must(claims.expires_ms > NOW_MS, "it goes on");
        must(ph_id_is_zero(claims.tenant) == (claims.foreign[0] != '\0'), "one tenant is named");
    }
    return 0;
}
