/*
 * The webhooks that an OpenAPI document describes: `webhooks` of 3.1, or `x-webhooks` of 3.0. Each becomes an event type of the
 * webhook's name, with the JSON Schema of its body.
 *
 * References inside of the document are followed. The schemas that a body refers to come along in its $defs and are not
 * written out in place, so that a document stays about as large as it is. A reference to elsewhere is refused.
 */
#ifndef POSTHORN_WEBHOOK_SPEC_H
#define POSTHORN_WEBHOOK_SPEC_H

#include "posthorn/arena.h"
#include "posthorn/str.h"

#define PH_WEBHOOKS_MAX 1000
/* Of all schemas together. */
#define PH_WEBHOOKS_BYTES_MAX (8 << 20)

struct ph_webhook {
    struct ph_str name;
    struct ph_str description; /* of its operation, or its summary; else empty */
    bool deprecated;
    struct ph_str group;        /* x-group-name, or the first tag; absent: none */
    struct ph_str feature_flag; /* x-feature-flag; absent: none */
    struct ph_str schema;       /* absent: its body is not described, or no JSON */
};

struct ph_webhook_fault {
    const char *where; /* JSON pointer into the document */
    const char *text;
};

/* spec: a JSON object, found valid by a scan; it has to outlive the result. VALIDATION: *fault. */
PH_MUST_CHECK enum ph_err ph_webhook_spec_read(struct ph_arena *arena, struct ph_str spec,
                                               struct ph_webhook **webhooks, size_t *n,
                                               struct ph_webhook_fault *fault);

#endif
