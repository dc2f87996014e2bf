/*
 * JSON Web Tokens (RFC 7519) of a server that is replaced, signed by HMAC-SHA256 with a secret that both know.
 *
 * A pure function of its arguments.
 */
#ifndef POSTHORN_JWT_H
#define POSTHORN_JWT_H

#include "posthorn/err.h"
#include "posthorn/id.h"

#define PH_JWT_LEN_MAX     4096
#define PH_JWT_FOREIGN_LEN 31 /* "org_" and 27 characters of base 62 */

struct ph_jwt_claims {
    struct ph_id tenant;                  /* zero: the tenant is named by `foreign` */
    char foreign[PH_JWT_FOREIGN_LEN + 1]; /* the other server's id of the tenant; empty: none */
    struct ph_id application; /* all that the token is good for; zero: every one of the tenant */
    int64_t expires_ms;
};

/* Three parts, not too long: worth a look. */
bool ph_jwt_well_formed(struct ph_str token);
/*
 * AUTH: anything else than header {"alg":"HS256"}, a signature by this secret, `exp` to come, `nbf` and `iat` gone by (a
 * minute of difference between clocks is allowed), and either `sub` = org_..., or `org` = org_... and `sub` = app_....
 */
PH_MUST_CHECK enum ph_err ph_jwt_verify(struct ph_str secret, struct ph_str token, int64_t now_ms,
                                        struct ph_jwt_claims *out);

#endif
