/*
 * What the live tail asks of the database. db: role posthorn_engine. Every callback comes once; the arena lives until then.
 */
#ifndef POSTHORN_TAIL_NEWS_H
#define POSTHORN_TAIL_NEWS_H

#include "posthorn/db.h"

/* The connection hears of events from now on (on_notify of its options). */
void ph_tail_hear(struct ph_db *db, struct ph_arena *arena,
                  void (*on_done)(enum ph_err err, void *ctx), void *ctx);
/* Tells all nodes that somebody listens to these tenants. The ids are copied. */
void ph_tail_announce_interest(struct ph_db *db, struct ph_arena *arena,
                               const struct ph_id *tenants, size_t n,
                               void (*on_done)(enum ph_err err, void *ctx), void *ctx);
/* Tells the nodes that listen. The texts are copied. */
void ph_tail_announce(struct ph_db *db, struct ph_arena *arena, const struct ph_str *events,
                      size_t n, void (*on_done)(enum ph_err err, void *ctx), void *ctx);

#endif
