#include "posthorn/sign.h"

#include "posthorn/arena.h"

#include <assert.h>
#include <inttypes.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_PREFIX      PH_STR("whsec_")
#define SIGNING_KEY_PREFIX PH_STR("whsk_")
#define PUBLIC_KEY_PREFIX  PH_STR("whpk_")
#define HMAC_VERSION       PH_STR("v1,")
#define ED25519_VERSION    PH_STR("v1a,")

static_assert(crypto_sign_ed25519_SECRETKEYBYTES == 64 && crypto_sign_ed25519_PUBLICKEYBYTES == 32,
              "Ed25519 keys");

struct ph_signer {
    EVP_MAC_CTX *mac;                                      /* NULL: Ed25519 */
    unsigned char key[crypto_sign_ed25519_SECRETKEYBYTES]; /* of Ed25519: seed and public key */
};

/* libcrypto and libsodium fail here only when they are misused or out of memory. */
static void must(bool ok)
{
    if (!ok)
        abort();
}

/* ---- secrets ---- */

void ph_secret_new(struct ph_secret *out)
{
    must(sodium_init() >= 0);
    memset(out, 0, sizeof(*out));
    randombytes_buf(out->bytes, PH_SECRET_BYTES_NEW);
    out->len = PH_SECRET_BYTES_NEW;
}

void ph_secret_new_ed25519(struct ph_secret *out)
{
    unsigned char public_key[crypto_sign_ed25519_PUBLICKEYBYTES];

    must(sodium_init() >= 0);
    memset(out, 0, sizeof(*out));
    out->kind = PH_SECRET_ED25519;
    out->len = crypto_sign_ed25519_SECRETKEYBYTES;
    must(crypto_sign_ed25519_keypair(public_key, out->bytes) == 0);
}

/* Seed and public key of an ED25519 secret. */
static void expand(const struct ph_secret *secret, unsigned char key[64])
{
    unsigned char public_key[crypto_sign_ed25519_PUBLICKEYBYTES];

    must(sodium_init() >= 0);
    must(crypto_sign_ed25519_seed_keypair(public_key, key, secret->bytes) == 0);
}

static bool is_ed25519_key(const struct ph_secret *secret)
{
    unsigned char key[crypto_sign_ed25519_SECRETKEYBYTES];

    if (secret->len != crypto_sign_ed25519_SEEDBYTES && secret->len != sizeof(key))
        return false;
    expand(secret, key);
    bool same = CRYPTO_memcmp(key, secret->bytes, secret->len) == 0;
    sodium_memzero(key, sizeof(key));
    return same;
}

static bool cut_prefix(struct ph_str *text, struct ph_str prefix)
{
    if (!ph_str_starts(*text, prefix))
        return false;
    text->ptr += prefix.len;
    text->len -= prefix.len;
    return true;
}

enum ph_err ph_secret_parse(struct ph_str text, struct ph_secret *out)
{
    struct ph_secret secret = {.kind = PH_SECRET_HMAC};
    enum ph_err err = PH_ERR_VALIDATION;

    if (cut_prefix(&text, SIGNING_KEY_PREFIX))
        secret.kind = PH_SECRET_ED25519;
    else if (!cut_prefix(&text, SECRET_PREFIX))
        return PH_ERR_VALIDATION;
    if (ph_base64_decode(text, secret.bytes, PH_SECRET_BYTES_MAX, &secret.len) == PH_OK &&
        (secret.kind == PH_SECRET_HMAC ? secret.len >= PH_SECRET_BYTES_MIN
                                       : is_ed25519_key(&secret))) {
        *out = secret;
        err = PH_OK;
    }
    ph_secret_wipe(&secret);
    return err;
}

enum ph_err ph_secret_parse_any(struct ph_str text, struct ph_secret *out)
{
    if (ph_secret_parse(text, out) == PH_OK)
        return PH_OK;
    if (text.len < PH_SECRET_TEXT_CHARS_MIN || text.len > PH_SECRET_TEXT_CHARS_MAX)
        return PH_ERR_VALIDATION;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < ' ' || text.ptr[i] > '~')
            return PH_ERR_VALIDATION;
    memset(out, 0, sizeof(*out));
    out->kind = PH_SECRET_TEXT;
    memcpy(out->bytes, text.ptr, text.len);
    out->len = text.len;
    return PH_OK;
}

static size_t format(struct ph_str prefix, const uint8_t *bytes, size_t len, char *out)
{
    memcpy(out, prefix.ptr, prefix.len);
    return prefix.len + ph_base64_encode(bytes, len, out + prefix.len);
}

size_t ph_secret_format(const struct ph_secret *secret, char out[PH_SECRET_TEXT_MAX])
{
    switch (secret->kind) {
    case PH_SECRET_HMAC:
        return format(SECRET_PREFIX, secret->bytes, secret->len, out);
    case PH_SECRET_ED25519:
        return format(SIGNING_KEY_PREFIX, secret->bytes, secret->len, out);
    case PH_SECRET_TEXT:
        break;
    }
    memcpy(out, secret->bytes, secret->len);
    out[secret->len] = '\0';
    return secret->len;
}

size_t ph_secret_format_public(const struct ph_secret *secret, char out[PH_PUBLIC_KEY_TEXT_MAX])
{
    unsigned char key[crypto_sign_ed25519_SECRETKEYBYTES];

    assert(secret->kind == PH_SECRET_ED25519);
    expand(secret, key);
    size_t len = format(PUBLIC_KEY_PREFIX, key + crypto_sign_ed25519_SEEDBYTES,
                        crypto_sign_ed25519_PUBLICKEYBYTES, out);
    sodium_memzero(key, sizeof(key));
    return len;
}

void ph_secret_wipe(struct ph_secret *secret)
{
    sodium_memzero(secret, sizeof(*secret));
}

/* ---- signers ---- */

static struct ph_signer *hmac_signer(const void *key, size_t key_bytes)
{
    struct ph_signer *signer = ph_calloc(1, sizeof(*signer));
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);

    must(mac);
    signer->mac = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac); /* the context holds a reference of its own */
    must(signer->mac);
    must(EVP_MAC_init(signer->mac, key, key_bytes, params));
    return signer;
}

struct ph_signer *ph_signer_new(const struct ph_secret *secret)
{
    struct ph_signer *signer;

    if (secret->kind != PH_SECRET_ED25519)
        return hmac_signer(secret->bytes, secret->len);
    signer = ph_calloc(1, sizeof(*signer));
    expand(secret, signer->key);
    return signer;
}

struct ph_signer *ph_signer_new_text(const struct ph_secret *secret)
{
    char text[PH_SECRET_TEXT_MAX];
    size_t len = ph_secret_format(secret, text);
    struct ph_signer *signer = hmac_signer(text, len);

    sodium_memzero(text, sizeof(text));
    return signer;
}

void ph_signer_free(struct ph_signer *signer)
{
    if (!signer)
        return;
    EVP_MAC_CTX_free(signer->mac);
    sodium_memzero(signer->key, sizeof(signer->key));
    free(signer);
}

static void update(EVP_MAC_CTX *ctx, const void *ptr, size_t bytes)
{
    must(bytes == 0 || EVP_MAC_update(ctx, ptr, bytes));
}

/* Without a key and parameters the context starts over with those it has: naming the digest again would double the time of
 * a message. */
static void restart(struct ph_signer *signer)
{
    must(EVP_MAC_init(signer->mac, NULL, 0, NULL));
}

static void finish(struct ph_signer *signer, uint8_t out[PH_MAC_BYTES])
{
    size_t len = 0;

    must(EVP_MAC_final(signer->mac, out, &len, PH_MAC_BYTES) && len == PH_MAC_BYTES);
}

void ph_signer_mac(struct ph_signer *signer, struct ph_str head, struct ph_str body,
                   uint8_t out[PH_MAC_BYTES])
{
    restart(signer);
    update(signer->mac, head.ptr, head.len);
    update(signer->mac, body.ptr, body.len);
    finish(signer, out);
}

/* Pure Ed25519 wants the whole text in one piece. */
static size_t sign_ed25519(const struct ph_signer *signer, struct ph_str webhook_id,
                           struct ph_str stamp, struct ph_str body, char *out)
{
    unsigned char signature[crypto_sign_ed25519_BYTES];
    struct ph_buf text;

    ph_buf_init(&text, webhook_id.len + stamp.len + body.len);
    ph_buf_add_str(&text, webhook_id);
    ph_buf_add_str(&text, stamp);
    ph_buf_add_str(&text, body);
    must(!text.overflow && crypto_sign_ed25519_detached(signature, NULL, (unsigned char *)text.ptr,
                                                        text.len, signer->key) == 0);
    ph_buf_free(&text);
    return format(ED25519_VERSION, signature, sizeof(signature), out);
}

size_t ph_signer_sign(struct ph_signer *signer, struct ph_str webhook_id, int64_t timestamp_s,
                      struct ph_str body, char out[PH_SIGNATURE_LEN_MAX + 1])
{
    char stamp[32];
    size_t stamp_len = (size_t)snprintf(stamp, sizeof(stamp), ".%" PRId64 ".", timestamp_s);
    uint8_t mac[PH_MAC_BYTES];

    if (!signer->mac)
        return sign_ed25519(signer, webhook_id, (struct ph_str){stamp, stamp_len}, body, out);
    restart(signer);
    update(signer->mac, webhook_id.ptr, webhook_id.len);
    update(signer->mac, stamp, stamp_len);
    update(signer->mac, body.ptr, body.len);
    finish(signer, mac);
    return format(HMAC_VERSION, mac, sizeof(mac), out);
}

bool ph_signer_verify(struct ph_signer *signer, struct ph_str webhook_id, int64_t timestamp_s,
                      struct ph_str body, struct ph_str header)
{
    char expected[PH_SIGNATURE_LEN_MAX + 1];
    size_t len = ph_signer_sign(signer, webhook_id, timestamp_s, body, expected);
    struct ph_str one;
    bool found = false;

    /* The version is part of the compared text, so signatures of other versions are passed over. Ed25519 signs the same
     * text always the same. */
    while (ph_str_split(&header, ' ', &one))
        if (one.len == len && CRYPTO_memcmp(one.ptr, expected, len) == 0)
            found = true;
    return found;
}
