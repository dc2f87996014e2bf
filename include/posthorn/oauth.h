/*
 * OAuth 2.0 client credentials (RFC 6749, 4.4): the request for a token, and its answer. Pure.
 */
#ifndef POSTHORN_OAUTH_H
#define POSTHORN_OAUTH_H

#include "posthorn/guard.h"

#include <jansson.h>

#define PH_OAUTH_TOKEN_BYTES_MAX 8192

/* A token request, ready to be sent. */
struct ph_oauth {
    struct ph_url url;
    struct ph_str head, body;
};

/* Reads a configuration as the API takes it and the database keeps it. Everything lives in the arena. VALIDATION: *reason is
 * a static text that goes behind the name of the member `*member`. */
PH_MUST_CHECK enum ph_err ph_oauth_read(struct ph_arena *arena, const json_t *config,
                                        struct ph_oauth *out, const char **member,
                                        const char **reason);

struct ph_oauth_token {
    struct ph_str value; /* visible ASCII */
    int64_t lifetime_ms; /* how long it is to be used, a margin taken off */
};

/* Reads the answer of a token URL. VALIDATION: *reason is a plain text, in the arena or static. */
PH_MUST_CHECK enum ph_err ph_oauth_token_read(struct ph_arena *arena, int status,
                                              struct ph_str body, struct ph_oauth_token *out,
                                              const char **reason);

#endif
