#include "posthorn/sign.h"

#include "posthorn/arena.h"

#include <inttypes.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_PREFIX  PH_STR("whsec_")
#define VERSION_PREFIX PH_STR("v1,")
#define MAC_BYTES      32

struct ph_signer {
    EVP_MAC_CTX *ctx;
};

/* libcrypto fails here only when it is misused or out of memory. */
static void must(bool ok)
{
    if (!ok)
        abort();
}

void ph_secret_new(struct ph_secret *out)
{
    must(sodium_init() >= 0);
    memset(out, 0, sizeof(*out));
    randombytes_buf(out->bytes, PH_SECRET_BYTES_NEW);
    out->len = PH_SECRET_BYTES_NEW;
}

enum ph_err ph_secret_parse(struct ph_str text, struct ph_secret *out)
{
    struct ph_secret secret = {.len = 0};
    enum ph_err err = PH_ERR_VALIDATION;

    if (!ph_str_starts(text, SECRET_PREFIX))
        return PH_ERR_VALIDATION;
    text.ptr += SECRET_PREFIX.len;
    text.len -= SECRET_PREFIX.len;
    if (ph_base64_decode(text, secret.bytes, sizeof(secret.bytes), &secret.len) == PH_OK &&
        secret.len >= PH_SECRET_BYTES_MIN) {
        *out = secret;
        err = PH_OK;
    }
    ph_secret_wipe(&secret);
    return err;
}

size_t ph_secret_format(const struct ph_secret *secret, char out[PH_SECRET_TEXT_MAX])
{
    memcpy(out, SECRET_PREFIX.ptr, SECRET_PREFIX.len);
    return SECRET_PREFIX.len +
           ph_base64_encode(secret->bytes, secret->len, out + SECRET_PREFIX.len);
}

void ph_secret_wipe(struct ph_secret *secret)
{
    sodium_memzero(secret, sizeof(*secret));
}

struct ph_signer *ph_signer_new(const struct ph_secret *secret)
{
    struct ph_signer *signer = ph_malloc(sizeof(*signer));
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);

    must(mac);
    signer->ctx = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac); /* the context holds a reference of its own */
    must(signer->ctx);
    must(EVP_MAC_init(signer->ctx, secret->bytes, secret->len, params));
    return signer;
}

void ph_signer_free(struct ph_signer *signer)
{
    if (!signer)
        return;
    EVP_MAC_CTX_free(signer->ctx);
    free(signer);
}

static void update(EVP_MAC_CTX *ctx, const void *ptr, size_t bytes)
{
    must(bytes == 0 || EVP_MAC_update(ctx, ptr, bytes));
}

void ph_signer_sign(struct ph_signer *signer, struct ph_str webhook_id, int64_t timestamp_s,
                    struct ph_str body, char out[PH_SIGNATURE_LEN + 1])
{
    char stamp[32];
    int stamp_len = snprintf(stamp, sizeof(stamp), ".%" PRId64 ".", timestamp_s);
    unsigned char mac[MAC_BYTES];
    size_t mac_len = 0;

    /* Without a key and parameters the context starts over with those it has: naming the digest again would double the
     * time of a message. */
    must(EVP_MAC_init(signer->ctx, NULL, 0, NULL));
    update(signer->ctx, webhook_id.ptr, webhook_id.len);
    update(signer->ctx, stamp, (size_t)stamp_len);
    update(signer->ctx, body.ptr, body.len);
    must(EVP_MAC_final(signer->ctx, mac, &mac_len, sizeof(mac)) && mac_len == sizeof(mac));

    memcpy(out, VERSION_PREFIX.ptr, VERSION_PREFIX.len);
    ph_base64_encode(mac, sizeof(mac), out + VERSION_PREFIX.len);
}

bool ph_signer_verify(struct ph_signer *signer, struct ph_str webhook_id, int64_t timestamp_s,
                      struct ph_str body, struct ph_str header)
{
    char expected[PH_SIGNATURE_LEN + 1];
    struct ph_str one;
    bool found = false;

    ph_signer_sign(signer, webhook_id, timestamp_s, body, expected);
    /* The version is part of the compared text, so signatures of other versions are passed over. */
    while (ph_str_split(&header, ' ', &one))
        if (one.len == PH_SIGNATURE_LEN && CRYPTO_memcmp(one.ptr, expected, PH_SIGNATURE_LEN) == 0)
            found = true;
    return found;
}
