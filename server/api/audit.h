/*
 * What the audit log says of a request: its action is the name of its operation in the OpenAPI document, its object what its
 * path names below the application, or what it has made.
 */
#ifndef POSTHORN_API_AUDIT_H
#define POSTHORN_API_AUDIT_H

#include "posthorn/api.h"
#include "posthorn/audit.h"

/* Reads what is known of the request before it is handled, for the handler may change it; uids are looked up. done: once,
 * perhaps before this returns. entry lives in the request's arena. */
void ph_api_audit_begin(struct ph_call *call, struct ph_audit_entry *entry,
                        void (*done)(void *ctx, enum ph_err err), void *ctx);
/* Adds the entry of a request that has been handled; body: of its answer. */
void ph_api_audit_end(struct ph_call *call, struct ph_audit_entry *entry, int status,
                      struct ph_str body, void (*done)(void *ctx, enum ph_err err), void *ctx);

#endif
