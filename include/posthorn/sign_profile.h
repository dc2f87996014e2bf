/*
 * Signature profiles: the schemes that receivers may already verify, so that a sender can move here without asking its
 * customers to change anything. sign_profile.def is the table of them.
 *
 * Text secrets are meant for the other profiles. Under STANDARD, to which an endpoint that has one may be switched, its bytes
 * are the HMAC key. An Ed25519 key under another profile is but its text.
 *
 * Whatever the profile, "{prefix}-id" and "{prefix}-timestamp" are sent. Profiles whose receivers read one signature only
 * sign with the current secret, which matters while an old one still is valid.
 *
 * Pure. Functions that take signers are for the thread that owns these.
 */
#ifndef POSTHORN_SIGN_PROFILE_H
#define POSTHORN_SIGN_PROFILE_H

#include "posthorn/sign.h"

#define PH_HEADER_PREFIX_MAX    64
#define PH_SIGNATURE_HEADER_MAX 64
#define PH_HEADER_PREFIX        PH_STR("webhook")
#define PH_SIGNATURE_HEADER     PH_STR("X-Signature")

enum ph_sign_profile {
#define PH_SIGN_PROFILE(name, wire, key, signed_text, header, begin, each, format, which, topic,   \
                        id, time)                                                                  \
    PH_SIGN_##name,
#include "posthorn/sign_profile.def"
#undef PH_SIGN_PROFILE
    PH_SIGN_PROFILES
};

/* VALIDATION: no profile has this name. */
PH_MUST_CHECK enum ph_err ph_sign_profile_parse(struct ph_str name, enum ph_sign_profile *out);
struct ph_str ph_sign_profile_name(enum ph_sign_profile profile);
/* "standard, stripe, …", for messages. */
const char *ph_sign_profile_names(void);

/* Letters, digits and inner '-', at most max characters: a header prefix, or the name of a signature header. */
bool ph_header_token_ok(struct ph_str token, size_t max);
/* "type/subtype" with parameters, of printable ASCII, at most 255 characters. */
bool ph_content_type_ok(struct ph_str value);

/* How the messages of an endpoint are signed. */
struct ph_sign_style {
    enum ph_sign_profile profile;
    struct ph_str prefix; /* of the headers of Standard Webhooks */
    struct ph_str header; /* of the profiles whose header can be chosen */
};

/* The signer that the profile wants of this secret. */
struct ph_signer *ph_sign_profile_signer(enum ph_sign_profile profile,
                                         const struct ph_secret *secret);

struct ph_sign_message {
    struct ph_str id, event_type, body;
    int64_t now_ms; /* wall time of the attempt */
};

/*
 * Appends the signature header's value. signers: the current one first; one whose expires_ms has come (0: never) is left
 * out. False: there is no valid one, or the buffer is full.
 */
bool ph_sign_write_value(const struct ph_sign_style *style, struct ph_signer *const *signers,
                         const int64_t *expires_ms, int n_signers,
                         const struct ph_sign_message *message, struct ph_buf *value);
/* Appends the name of that header. */
void ph_sign_write_header_name(const struct ph_sign_style *style, struct ph_buf *name);
/* Appends the header lines that identify and sign the message, each with CR LF. The body is not looked at. */
void ph_sign_write_headers(const struct ph_sign_style *style, const struct ph_sign_message *message,
                           struct ph_str value, struct ph_buf *head);
/* Whether those lines may have a header of this name. */
bool ph_sign_style_sends(const struct ph_sign_style *style, struct ph_str header);

/*
 * Record of a signature: with it, and what is known of message and attempt, those lines can be written again, whatever has
 * become of endpoint, secrets and payload. It is short when all is as usual: the value alone.
 */
struct ph_sign_record {
    struct ph_str value;
    int64_t now_ms; /* full seconds, unless it is the attempt's */
    struct ph_sign_style style;
};
/* The buffer has the value: appends the rest. attempt_ms: the time in the attempt's id. */
void ph_sign_record_end(struct ph_buf *record, const struct ph_sign_style *style, int64_t now_ms,
                        int64_t attempt_ms);
/* The slices are of the record, which only ph_sign_record_end has written. */
void ph_sign_record_read(struct ph_str record, int64_t attempt_ms, struct ph_sign_record *out);

#endif
