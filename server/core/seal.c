#include "posthorn/seal.h"

#include "posthorn/arena.h"
#include "posthorn/clock.h"

#include <assert.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT       1
#define NONCE_BYTES  crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_BYTES    crypto_aead_xchacha20poly1305_ietf_ABYTES
#define KEY_ID_BYTES 4
#define MASTERS_MAX  2

static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == PH_KEY_BYTES, "key length");
static_assert(1 + KEY_ID_BYTES + NONCE_BYTES + TAG_BYTES == PH_SEAL_OVERHEAD, "sealed value");
static_assert(NONCE_BYTES + PH_KEY_BYTES + TAG_BYTES == PH_WRAPPED_BYTES, "wrapped key");

struct data_key {
    uint32_t id;
    int64_t seals_from_ms; /* wall time */
    uint8_t bytes[PH_KEY_BYTES];
};

/* Immutable. A longer list replaces it, but readers may still be in it: it goes with the keyring. */
struct key_list {
    struct key_list *before;
    size_t n;
    struct data_key keys[]; /* by ascending id */
};

struct ph_keyring {
    uint8_t masters[MASTERS_MAX][PH_KEY_BYTES];
    int n_masters;
    int wraps; /* the one that opened the newest data key */
    _Atomic(struct key_list *) keys;
};

struct binding {
    uint8_t bytes[sizeof(struct ph_id) * 2];
};

enum ph_err ph_keyring_add_master(struct ph_keyring *keyring, struct ph_str master_key_text)
{
    uint8_t *master = keyring->masters[keyring->n_masters];
    size_t len = 0;

    assert(keyring->n_masters < MASTERS_MAX);
    if (ph_base64_decode(master_key_text, master, PH_KEY_BYTES, &len) != PH_OK ||
        len != PH_KEY_BYTES) {
        sodium_memzero(master, PH_KEY_BYTES);
        return PH_ERR_CONFIG;
    }
    keyring->n_masters++;
    return PH_OK;
}

enum ph_err ph_keyring_new(struct ph_str master_key_text, struct ph_keyring **out)
{
    struct ph_keyring *keyring;
    enum ph_err err;

    if (sodium_init() < 0)
        abort();
    keyring = ph_calloc(1, sizeof(*keyring));
    err = ph_keyring_add_master(keyring, master_key_text);
    if (err == PH_OK)
        *out = keyring;
    else
        ph_keyring_free(keyring);
    return err;
}

static size_t list_bytes(size_t n)
{
    return sizeof(struct key_list) + n * sizeof(struct data_key);
}

void ph_keyring_free(struct ph_keyring *keyring)
{
    if (!keyring)
        return;
    struct key_list *list = atomic_load(&keyring->keys);
    while (list) {
        struct key_list *before = list->before;
        sodium_memzero(list, list_bytes(list->n));
        free(list);
        list = before;
    }
    sodium_memzero(keyring->masters, sizeof(keyring->masters));
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
    encrypt(keyring->masters[keyring->wraps], key, sizeof(key), bound, sizeof(bound), wrapped);
    sodium_memzero(key, sizeof(key));
}

/* Where the key with this id is, or would be. */
static size_t position_of(const struct key_list *list, uint32_t key_id)
{
    size_t i = 0;
    while (list && i < list->n && list->keys[i].id < key_id)
        i++;
    return i;
}

static const struct data_key *find_key(const struct ph_keyring *keyring, uint32_t key_id)
{
    const struct key_list *list = atomic_load(&keyring->keys);
    size_t i = position_of(list, key_id);
    return list && i < list->n && list->keys[i].id == key_id ? &list->keys[i] : NULL;
}

bool ph_keyring_has_key(const struct ph_keyring *keyring, uint32_t key_id)
{
    return find_key(keyring, key_id) != NULL;
}

/* The newest key whose time has come; else the oldest. */
static const struct data_key *sealing_key(const struct ph_keyring *keyring)
{
    const struct key_list *list = atomic_load(&keyring->keys);
    size_t i = list ? list->n : 0;
    int64_t now_ms = ph_clock_wall_ms();

    assert(i > 0);
    while (--i > 0 && list->keys[i].seals_from_ms > now_ms)
        ;
    return &list->keys[i];
}

uint32_t ph_keyring_sealing_id(const struct ph_keyring *keyring)
{
    return sealing_key(keyring)->id;
}

static void insert_key(struct ph_keyring *keyring, const struct data_key *key)
{
    struct key_list *before = atomic_load(&keyring->keys), *list;
    size_t n = before ? before->n : 0, at = position_of(before, key->id);

    list = ph_malloc(list_bytes(n + 1));
    list->before = before;
    list->n = n + 1;
    if (before) {
        memcpy(list->keys, before->keys, at * sizeof(*key));
        memcpy(list->keys + at + 1, before->keys + at, (n - at) * sizeof(*key));
    }
    list->keys[at] = *key;
    atomic_store(&keyring->keys, list);
}

/* The master key that opens it; -1: none. */
static int unwrap(const struct ph_keyring *keyring, uint32_t key_id, struct ph_str wrapped,
                  uint8_t out[PH_KEY_BYTES])
{
    uint8_t bound[KEY_ID_BYTES];

    put_key_id(key_id, bound);
    if (wrapped.len != PH_WRAPPED_BYTES)
        return -1;
    for (int i = keyring->n_masters - 1; i >= 0; i--)
        if (decrypt(keyring->masters[i], (const uint8_t *)wrapped.ptr, PH_KEY_BYTES, bound,
                    sizeof(bound), out))
            return i;
    return -1;
}

enum ph_err ph_keyring_add_key_from(struct ph_keyring *keyring, uint32_t key_id,
                                    struct ph_str wrapped, int64_t seals_from_ms)
{
    struct data_key key = {.id = key_id, .seals_from_ms = seals_from_ms};
    const struct key_list *list = atomic_load(&keyring->keys);
    int master;

    assert(!find_key(keyring, key_id));
    master = unwrap(keyring, key_id, wrapped, key.bytes);
    if (master < 0)
        return PH_ERR_CRYPTO;
    if (!list || list->keys[list->n - 1].id < key_id)
        keyring->wraps = master;
    insert_key(keyring, &key);
    sodium_memzero(&key, sizeof(key));
    return PH_OK;
}

enum ph_err ph_keyring_add_key(struct ph_keyring *keyring, uint32_t key_id, struct ph_str wrapped)
{
    return ph_keyring_add_key_from(keyring, key_id, wrapped, 0);
}

enum ph_err ph_keyring_rewrap(const struct ph_keyring *keyring, uint32_t key_id,
                              struct ph_str wrapped, uint8_t out[PH_WRAPPED_BYTES], bool *changed)
{
    uint8_t key[PH_KEY_BYTES], bound[KEY_ID_BYTES];
    int last = keyring->n_masters - 1, master = unwrap(keyring, key_id, wrapped, key);

    if (master < 0)
        return PH_ERR_CRYPTO;
    *changed = master != last;
    if (*changed) {
        put_key_id(key_id, bound);
        encrypt(keyring->masters[last], key, sizeof(key), bound, sizeof(bound), out);
    }
    sodium_memzero(key, sizeof(key));
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

    const struct data_key *key = sealing_key(keyring);
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
