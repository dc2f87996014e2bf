/*
 * Sealing of secrets at rest: XChaCha20-Poly1305 under data keys, which the database holds wrapped by a master key that
 * lives outside it. Every sealed value names its data key; moving to a new master key re-wraps the data keys only.
 *
 *   sealed value: 1 byte format (1), 4 bytes data key id (big endian), 24 bytes nonce, cipher text and tag
 *
 * Every thread may read a keyring. One thread at a time may add data keys, also while others read; master keys are added
 * before it is shared.
 */
#ifndef POSTHORN_SEAL_H
#define POSTHORN_SEAL_H

#include "posthorn/id.h"
#include "posthorn/str.h"

#define PH_KEY_BYTES     32
#define PH_SEAL_OVERHEAD (1 + 4 + 24 + 16)
#define PH_WRAPPED_BYTES (24 + PH_KEY_BYTES + 16)

struct ph_keyring;

/* master_key_text: base64 of exactly 32 bytes. CONFIG: it is not. */
PH_MUST_CHECK enum ph_err ph_keyring_new(struct ph_str master_key_text, struct ph_keyring **out);
void ph_keyring_free(struct ph_keyring *keyring);
/* One further master key that data keys may be wrapped with, while moving to it. CONFIG, as above. */
PH_MUST_CHECK enum ph_err ph_keyring_add_master(struct ph_keyring *keyring,
                                                struct ph_str master_key_text);

/* A new random data key with this id, wrapped for the database by the master key that wraps the newest one; not added to
 * the keyring. */
void ph_keyring_make_key(const struct ph_keyring *keyring, uint32_t key_id,
                         uint8_t wrapped[PH_WRAPPED_BYTES]);
/* Unwraps and adds a data key; the one with the highest id seals. CRYPTO: the master key is not the one that wrapped it. */
PH_MUST_CHECK enum ph_err ph_keyring_add_key(struct ph_keyring *keyring, uint32_t key_id,
                                             struct ph_str wrapped);
/* The same, but it seals only from this wall time on, when every node knows it: until then an older one does. */
PH_MUST_CHECK enum ph_err ph_keyring_add_key_from(struct ph_keyring *keyring, uint32_t key_id,
                                                  struct ph_str wrapped, int64_t seals_from_ms);
bool ph_keyring_has_key(const struct ph_keyring *keyring, uint32_t key_id);
/* The data key that seals now. */
uint32_t ph_keyring_sealing_id(const struct ph_keyring *keyring);
/* The data key wrapped by the master key that was added last. changed false: it is already, and out is not written.
 * CRYPTO: no master key opens it. */
PH_MUST_CHECK enum ph_err ph_keyring_rewrap(const struct ph_keyring *keyring, uint32_t key_id,
                                            struct ph_str wrapped, uint8_t out[PH_WRAPPED_BYTES],
                                            bool *changed);

/* out holds plain.len + PH_SEAL_OVERHEAD bytes. tenant and row are bound to the value: it opens nowhere else. */
void ph_seal(const struct ph_keyring *keyring, struct ph_id tenant, struct ph_id row,
             struct ph_str plain, uint8_t *out);
/* out holds sealed.len - PH_SEAL_OVERHEAD bytes. CRYPTO: unknown key, altered, or of another row. */
PH_MUST_CHECK enum ph_err ph_unseal(const struct ph_keyring *keyring, struct ph_id tenant,
                                    struct ph_id row, struct ph_str sealed, uint8_t *out,
                                    size_t *out_len);

#endif
