/*
 * What a credential, of whatever kind, allows whom.
 */
#ifndef POSTHORN_CREDENTIAL_H
#define POSTHORN_CREDENTIAL_H

#include "posthorn/err.h"
#include "posthorn/id.h"

enum ph_access { PH_ACCESS_ALL, PH_ACCESS_READ, PH_ACCESS_SEND };

struct ph_identity {
    struct ph_id credential;
    struct ph_id tenant;
    enum ph_access access;
    int64_t expires_ms; /* 0: never */
};

/* The name in the interface and in the database: "all", "read", "send". */
const char *ph_access_text(enum ph_access access);
/* BAD_REQUEST: it is none. */
PH_MUST_CHECK enum ph_err ph_access_parse(struct ph_str text, enum ph_access *out);

/* identity is NULL unless err is OK. NOT_FOUND: there is no such credential, or it has expired. */
typedef void (*ph_identity_done)(void *ctx, enum ph_err err, const struct ph_identity *identity);

#endif
