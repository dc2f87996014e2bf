/*
 * Secrets, and signatures by Standard Webhooks 1.0 over "{webhook-id}.{webhook-timestamp}.{body}": HMAC-SHA256 written
 * "v1,…" and Ed25519 written "v1a,…", base64; several signatures are separated by a space. sign_profile.h has the other
 * schemes.
 *
 * Pure but for random numbers. A signer is a keyed context that is reused, for one thread at a time.
 */
#ifndef POSTHORN_SIGN_H
#define POSTHORN_SIGN_H

#include "posthorn/str.h"

#define PH_SECRET_BYTES_MIN 24
#define PH_SECRET_BYTES_MAX 75
#define PH_SECRET_BYTES_NEW 32
/* Text secrets: keys that came from another product with its customers. */
#define PH_SECRET_TEXT_CHARS_MIN 8
#define PH_SECRET_TEXT_CHARS_MAX 256
/* The longest form of any kind + NUL */
#define PH_SECRET_TEXT_MAX (PH_SECRET_TEXT_CHARS_MAX + 1)
/* "whpk_" + base64 of 32 bytes + NUL */
#define PH_PUBLIC_KEY_TEXT_MAX (5 + PH_BASE64_LEN(32) + 1)
/* "v1," + base64 of 32 bytes */
#define PH_SIGNATURE_LEN (3 + PH_BASE64_LEN(32))
/* "v1a," + base64 of 64 bytes */
#define PH_SIGNATURE_LEN_MAX (4 + PH_BASE64_LEN(64))
#define PH_MAC_BYTES         32

/* Numbers as in the column endpoint_secrets.kind. */
enum ph_secret_kind {
    PH_SECRET_HMAC, /* "whsec_" + base64 of 24 to 75 bytes */
    PH_SECRET_ED25519, /* "whsk_" + base64 of a seed of 32 bytes, or of seed and public key, 64 bytes */
    PH_SECRET_TEXT, /* 8 to 256 printable ASCII characters, space included */
};

struct ph_secret {
    enum ph_secret_kind kind;
    uint8_t bytes[PH_SECRET_TEXT_CHARS_MAX];
    size_t len;
};

/* PH_SECRET_BYTES_NEW random bytes. */
void ph_secret_new(struct ph_secret *out);
/* A random Ed25519 key, 64 bytes. */
void ph_secret_new_ed25519(struct ph_secret *out);
/* "whsec_…" or "whsk_…". VALIDATION: anything else, or a public key that is not the seed's. */
PH_MUST_CHECK enum ph_err ph_secret_parse(struct ph_str text, struct ph_secret *out);
/* The same, and any other text is a text secret. VALIDATION: too short, too long or not printable. */
PH_MUST_CHECK enum ph_err ph_secret_parse_any(struct ph_str text, struct ph_secret *out);
/* The text that was parsed, with a NUL; returns the number of characters. */
size_t ph_secret_format(const struct ph_secret *secret, char out[PH_SECRET_TEXT_MAX]);
/* "whpk_" + base64 of the public key of an ED25519 secret. */
size_t ph_secret_format_public(const struct ph_secret *secret, char out[PH_PUBLIC_KEY_TEXT_MAX]);
void ph_secret_wipe(struct ph_secret *secret);

struct ph_signer;
/* Signs v1a with an ED25519 secret and v1 with the bytes of any other. */
struct ph_signer *ph_signer_new(const struct ph_secret *secret);
/* HMAC-SHA256 with the secret's text as the customer knows it ("whsec_" included) as the key. */
struct ph_signer *ph_signer_new_text(const struct ph_secret *secret);
void ph_signer_free(struct ph_signer *signer); /* NULL is allowed */
/* Writes the signature and a NUL; returns the number of characters, PH_SIGNATURE_LEN for v1. timestamp_s: seconds since
 * 1970, of the attempt. */
size_t ph_signer_sign(struct ph_signer *signer, struct ph_str webhook_id, int64_t timestamp_s,
                      struct ph_str body, char out[PH_SIGNATURE_LEN_MAX + 1]);
/* HMAC-SHA256 over head and body. The signer must be no Ed25519 one. */
void ph_signer_mac(struct ph_signer *signer, struct ph_str head, struct ph_str body,
                   uint8_t out[PH_MAC_BYTES]);

/* For receivers: whether one of the signatures in a webhook-signature header is right (compared in constant time). */
bool ph_signer_verify(struct ph_signer *signer, struct ph_str webhook_id, int64_t timestamp_s,
                      struct ph_str body, struct ph_str header);

#endif
