/*
 * Who we are to an endpoint, and whom we trust there: a client certificate with its key, and certificate authorities of the
 * endpoint's own. Immutable and counted by reference: any thread.
 */
#ifndef POSTHORN_IDENTITY_H
#define POSTHORN_IDENTITY_H

#include "posthorn/arena.h"
#include "posthorn/str.h"

struct ssl_st;

/* Bytes of either text. */
#define PH_IDENTITY_PEM_MAX 65536

struct ph_identity;

/* pem: a certificate, perhaps followed by those that signed it, and its private key without a password, in any order. ca: one
 * or more certificates that are trusted instead of the instance's; absent: the instance's. VALIDATION: *reason is a static
 * text that goes behind the name of the member `*member`. */
PH_MUST_CHECK enum ph_err ph_identity_new(struct ph_str pem, struct ph_str ca,
                                          struct ph_identity **out, const char **member,
                                          const char **reason);
struct ph_identity *ph_identity_ref(struct ph_identity *identity); /* NULL gives NULL */
void ph_identity_unref(struct ph_identity *identity);              /* NULL is allowed */
/* Made from the same texts; both may be NULL. */
bool ph_identity_eq(const struct ph_identity *a, const struct ph_identity *b);

/* Distinguished name of the certificate, printable ASCII (RFC 2253). */
struct ph_str ph_identity_subject(const struct ph_identity *identity, struct ph_arena *arena);
/* Until when the certificate is valid, wall time. */
int64_t ph_identity_not_after_ms(const struct ph_identity *identity);

/* For the outbound client: this TLS connection shows the certificate and trusts the authorities. */
PH_MUST_CHECK bool ph_identity_use(const struct ph_identity *identity, struct ssl_st *ssl);

#endif
