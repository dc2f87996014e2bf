/*
 * Reading what requests say of signing.
 */
#ifndef POSTHORN_API_SIGNING_IN_H
#define POSTHORN_API_SIGNING_IN_H

#include "posthorn/api.h"
#include "posthorn/sign_profile.h"

/* A member that names a signature profile; absent without it, and with null unless `required`. */
struct ph_str ph_api_field_profile(struct ph_call *call, struct ph_faults *faults, json_t *body,
                                   bool required, bool *present);
/* The member signatureHeader: the name of a header; null is absent. */
struct ph_str ph_api_field_signature_header(struct ph_call *call, struct ph_faults *faults,
                                            json_t *body, bool *present);

/*
 * A secret that a request gives, or asks to be made: the member with this name, and "signatureAlgorithm", "hmac-sha256" or
 * "ed25519", which says of what kind a new one is. False: neither is there (or there is a fault) and *out is not written.
 * Any text is a secret here: ph_api_check_secret tells whether it may be used.
 */
bool ph_api_field_secret(struct ph_call *call, struct ph_faults *faults, json_t *body,
                         const char *name, struct ph_secret *out);

/*
 * Calls go_on, now or later, when a text secret may be used with this profile (absent: the tenant's); else answers 422 for
 * `member`, or the error. Secrets of the other kinds may be used with any.
 */
void ph_api_check_secret(struct ph_call *call, const struct ph_secret *secret,
                         struct ph_str profile, const char *member,
                         void (*go_on)(struct ph_call *call));

#endif
