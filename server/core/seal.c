#include "posthorn/seal.h"

#include "posthorn/arena.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT       1
#define NONCE_BYTES  crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_BYTES    crypto_aead_xchacha20poly1305_ietf_ABYTES
#define KEY_ID_BYTES 4

static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == PH_KEY_BYTES, "key length");
static_assert(1 + KEY_ID_BYTES + NONCE_BYTES + TAG_BYTES == PH_SEAL_OVERHEAD, "sealed value");
static_assert(NONCE_BYTES + PH_KEY_BYTES + TAG_BYTES == PH_WRAPPED_BYTES, "wrapped key");

struct data_key {
    uint32_t id;
    uint8_t bytes[PH_KEY_BYTES];
};

struct ph_keyring {
    uint8_t master[PH_KEY_BYTES];
    struct data_key *keys; /* by ascending id: the last one seals */
    size_t n_keys;
};

struct binding {
    uint8_t bytes[sizeof(struct ph_id) * 2];
};

enum ph_err ph_keyring_new(struct ph_str master_key_text, struct ph_keyring **out)
{
    struct ph_keyring *keyring = NULL;
    uint8_t master[PH_KEY_BYTES];
    size_t len = 0;
    enum ph_err err = PH_ERR_CONFIG;

    if (sodium_init() < 0)
        abort();
    if (ph_base64_decode(master_key_text, master, sizeof(master), &len) != PH_OK ||
        len != sizeof(master))
        goto out;
    keyring = ph_calloc(1, sizeof(*keyring));
    memcpy(keyring->master, master, sizeof(master));
    *out = keyring;
    err = PH_OK;
out:
    sodium_memzero(master, sizeof(master));
    return err;
}

static void drop_keys(struct data_key *keys, size_t n)
{
    if (!keys)
        return;
    sodium_memzero(keys, n * sizeof(*keys));
    free(keys);
}

void ph_keyring_free(struct ph_keyring *keyring)
{
    if (!keyring)
        return;
    drop_keys(keyring->keys, keyring->n_keys);
    sodium_memzero(keyring->master, sizeof(keyring->master));
    free(keyring);
}

static void put_key_id(uint32_t id, uint8_t out[KEY_ID_BYTES])
{
    for (int i = 0; i < KEY_ID_BYTES; i++)
        out[i] = (uint8_t)(id >> (24 - 8 * i));
}

static uint32_t get_key_id(const uint8_t in[KEY_ID_BYTES])
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

/* Writes nonce, cipher text and tag. */
static void encrypt(const uint8_t *key, const void *plain, size_t bytes, const uint8_t *bound,
                    size_t bound_bytes, uint8_t *out)
{
    randombytes_buf(out, NONCE_BYTES);
    crypto_aead_xchacha20poly1305_ietf_encrypt(out + NONCE_BYTES, NULL, plain, bytes, bound,
                                               bound_bytes, NULL, out, key);
}

/* in holds nonce, cipher text and tag of `plain_bytes` bytes of plain text. */
static bool decrypt(const uint8_t *key, const uint8_t *in, size_t plain_bytes, const uint8_t *bound,
                    size_t bound_bytes, uint8_t *out)
{
    return crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, in + NONCE_BYTES,
                                                      plain_bytes + TAG_BYTES, bound, bound_bytes,
                                                      in, key) == 0;
}

/* The id is bound to a wrapped key, so that two rows of the database cannot be swapped. */
void ph_keyring_make_key(const struct ph_keyring *keyring, uint32_t key_id,
                         uint8_t wrapped[PH_WRAPPED_BYTES])
{
    uint8_t key[PH_KEY_BYTES], bound[KEY_ID_BYTES];

    randombytes_buf(key, sizeof(key));
    put_key_id(key_id, bound);
    encrypt(keyring->master, key, sizeof(key), bound, sizeof(bound), wrapped);
    sodium_memzero(key, sizeof(key));
}

/* Where the key with this id is, or would be. */
static size_t position_of(const struct ph_keyring *keyring, uint32_t key_id)
{
    size_t i = 0;
    while (i < keyring->n_keys && keyring->keys[i].id < key_id)
        i++;
    return i;
}

static const struct data_key *find_key(const struct ph_keyring *keyring, uint32_t key_id)
{
    size_t i = position_of(keyring, key_id);
    return i < keyring->n_keys && keyring->keys[i].id == key_id ? &keyring->keys[i] : NULL;
}

/* Into new memory: realloc would leave a copy of the keys behind. */
static void insert_key(struct ph_keyring *keyring, const struct data_key *key)
{
    size_t n = keyring->n_keys, at = position_of(keyring, key->id);
    struct data_key *keys = ph_malloc((n + 1) * sizeof(*keys));

    if (n > 0) {
        memcpy(keys, keyring->keys, at * sizeof(*keys));
        memcpy(keys + at + 1, keyring->keys + at, (n - at) * sizeof(*keys));
    }
    keys[at] = *key;
    drop_keys(keyring->keys, n);
    keyring->keys = keys;
    keyring->n_keys = n + 1;
}

enum ph_err ph_keyring_add_key(struct ph_keyring *keyring, uint32_t key_id, struct ph_str wrapped)
{
    struct data_key key = {.id = key_id};
    uint8_t bound[KEY_ID_BYTES];

    assert(!find_key(keyring, key_id));
    put_key_id(key_id, bound);
    if (wrapped.len != PH_WRAPPED_BYTES || !decrypt(keyring->master, (const uint8_t *)wrapped.ptr,
                                                    PH_KEY_BYTES, bound, sizeof(bound), key.bytes))
        return PH_ERR_CRYPTO;
    insert_key(keyring, &key);
    sodium_memzero(&key, sizeof(key));
    return PH_OK;
}

static struct binding bind(struct ph_id tenant, struct ph_id row)
{
    struct binding bound;
    memcpy(bound.bytes, tenant.b, sizeof(tenant.b));
    memcpy(bound.bytes + sizeof(tenant.b), row.b, sizeof(row.b));
    return bound;
}

void ph_seal(const struct ph_keyring *keyring, struct ph_id tenant, struct ph_id row,
             struct ph_str plain, uint8_t *out)
{
    struct binding bound = bind(tenant, row);

    assert(keyring->n_keys > 0);
    const struct data_key *key = &keyring->keys[keyring->n_keys - 1];
    out[0] = FORMAT;
    put_key_id(key->id, out + 1);
    encrypt(key->bytes, plain.ptr, plain.len, bound.bytes, sizeof(bound.bytes),
            out + 1 + KEY_ID_BYTES);
}

enum ph_err ph_unseal(const struct ph_keyring *keyring, struct ph_id tenant, struct ph_id row,
                      struct ph_str sealed, uint8_t *out, size_t *out_len)
{
    const uint8_t *in = (const uint8_t *)sealed.ptr;
    struct binding bound = bind(tenant, row);

    if (sealed.len < PH_SEAL_OVERHEAD || in[0] != FORMAT)
        return PH_ERR_CRYPTO;
    const struct data_key *key = find_key(keyring, get_key_id(in + 1));
    size_t plain_bytes = sealed.len - PH_SEAL_OVERHEAD;
    if (!key || !decrypt(key->bytes, in + 1 + KEY_ID_BYTES, plain_bytes, bound.bytes,
                         sizeof(bound.bytes), out))
        return PH_ERR_CRYPTO;
    *out_len = plain_bytes;
    return PH_OK;
}
