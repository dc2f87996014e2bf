/*
 * JSON Web Keys (RFC 7517) of somebody who signs tokens for us, and the check of these tokens (RFC 7515).
 *
 * What a token says of itself never decides how it is checked: the key's type says which algorithms there are, RS256 and
 * PS256 for RSA, ES256 for P-256, EdDSA for Ed25519. There are no secret keys here, so HS256 is none of them.
 *
 * A set is immutable. Everything here is a pure function.
 */
#ifndef POSTHORN_JWK_H
#define POSTHORN_JWK_H

#include "posthorn/str.h"

#include <jansson.h>

#define PH_JWK_TOKEN_MAX 16384
#define PH_JWK_KEYS_MAX  50

struct ph_jwk_set;

/* Keys of other types, for other uses, or too weak are left out, as RFC 7517 wants it. VALIDATION: it is no set, or none of
 * its keys is left; *reason is a static text. */
PH_MUST_CHECK enum ph_err ph_jwk_set_read(struct ph_str json, struct ph_jwk_set **out,
                                          const char **reason);
/* NULL is allowed. */
void ph_jwk_set_free(struct ph_jwk_set *set);

/*
 * The claims of a token that one of the keys has signed, the caller's; what they say is not judged. NOT_FOUND: the set has no
 * such key. AUTH: anything else that is wrong, such as a critical header, a member that is there twice, a token that is too long.
 */
PH_MUST_CHECK enum ph_err ph_jwk_verify(const struct ph_jwk_set *set, struct ph_str token,
                                        json_t **claims);

#endif
