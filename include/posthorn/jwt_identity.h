/*
 * Whom the claims of a JSON Web Token name. Role engine. store.h says how callbacks and memory work.
 */
#ifndef POSTHORN_JWT_IDENTITY_H
#define POSTHORN_JWT_IDENTITY_H

#include "posthorn/credential.h"
#include "posthorn/jwt.h"
#include "posthorn/store.h"

/* A tenant that another server has named is made when it comes first. NOT_FOUND: there is no such tenant or application.
 * claims: copied. */
void ph_jwt_identity_find(struct ph_db *db, struct ph_arena *arena,
                          const struct ph_jwt_claims *claims, ph_identity_done done, void *ctx);

#endif
