/*
 * Signatures of deliveries by Standard Webhooks 1.0: HMAC-SHA256 over "{webhook-id}.{webhook-timestamp}.{body}", base64,
 * written "v1,…"; several signatures are separated by a space.
 *
 * Pure but for random numbers. A signer is a keyed context that is reused, for one thread at a time.
 */
#ifndef POSTHORN_SIGN_H
#define POSTHORN_SIGN_H

#include "posthorn/str.h"

#define PH_SECRET_BYTES_MIN 24
#define PH_SECRET_BYTES_MAX 75
#define PH_SECRET_BYTES_NEW 32
/* "whsec_" + base64 of the longest secret + NUL */
#define PH_SECRET_TEXT_MAX (6 + PH_BASE64_LEN(PH_SECRET_BYTES_MAX) + 1)
/* "v1," + base64 of 32 bytes */
#define PH_SIGNATURE_LEN (3 + PH_BASE64_LEN(32))

struct ph_secret {
    uint8_t bytes[PH_SECRET_BYTES_MAX];
    size_t len;
};

/* PH_SECRET_BYTES_NEW random bytes. */
void ph_secret_new(struct ph_secret *out);
/* "whsec_" + base64 of 24 to 75 bytes. VALIDATION: anything else. */
PH_MUST_CHECK enum ph_err ph_secret_parse(struct ph_str text, struct ph_secret *out);
size_t ph_secret_format(const struct ph_secret *secret, char out[PH_SECRET_TEXT_MAX]);
void ph_secret_wipe(struct ph_secret *secret);

struct ph_signer;
struct ph_signer *ph_signer_new(const struct ph_secret *secret);
void ph_signer_free(struct ph_signer *signer); /* NULL is allowed */
/* Writes PH_SIGNATURE_LEN characters and a NUL. timestamp_s: seconds since 1970, of the attempt. */
void ph_signer_sign(struct ph_signer *signer, struct ph_str webhook_id, int64_t timestamp_s,
                    struct ph_str body, char out[PH_SIGNATURE_LEN + 1]);

/* For receivers: whether one of the signatures in a webhook-signature header is right (compared in constant time). */
bool ph_signer_verify(struct ph_signer *signer, struct ph_str webhook_id, int64_t timestamp_s,
                      struct ph_str body, struct ph_str header);

#endif
