/*
 * What the engine finds out about endpoints and writes down. db: role posthorn_engine. Every callback comes once; the
 * arena lives until then.
 */
#ifndef POSTHORN_ENDPOINT_HEALTH_H
#define POSTHORN_ENDPOINT_HEALTH_H

#include "posthorn/db.h"

/* Disables it and notifies the nodes; n: 0 when it is disabled already or gone. reason is kept for people. mails: members of
 * its tenant are told by mail. */
void ph_endpoint_disable(struct ph_db *db, struct ph_arena *arena, struct ph_id endpoint,
                         struct ph_str reason, bool mails,
                         void (*on_done)(enum ph_err err, int32_t n, void *ctx), void *ctx);
/* Disables all that have failed for so long without a success, which the outcome statement keeps in failing_since. */
void ph_endpoints_disable_failing(struct ph_db *db, struct ph_arena *arena, int64_t failing_s,
                                  bool mails,
                                  void (*on_done)(enum ph_err err, int32_t n, void *ctx),
                                  void *ctx);

#endif
