/*
 * Deliveries that somebody asks for, or wants no more. db: role posthorn_engine, which writes deliveries; every statement is
 * bound to the path's tenant. store.h says how callbacks and memory work; strings given as arguments have to live until the
 * callback.
 */
#ifndef POSTHORN_MANUAL_H
#define POSTHORN_MANUAL_H

#include "posthorn/endpoint.h"

typedef void (*ph_manual_done)(void *ctx, enum ph_err err);

/* One delivery of a message (id or event id). NOT_FOUND: no such endpoint or message; CONFLICT: the endpoint is disabled, or
 * the message's endpoints are not decided yet; VALIDATION: the payload has expired. */
void ph_delivery_resend(struct ph_db *db, struct ph_arena *arena,
                        const struct ph_endpoint_path *path, struct ph_str message,
                        ph_manual_done done, void *ctx);

/* Deletes the waiting deliveries of messages made before a wall time, and tells all nodes, which may have others in memory.
 * NOT_FOUND. */
void ph_deliveries_cancel(struct ph_db *db, struct ph_arena *arena,
                          const struct ph_endpoint_path *path, int64_t before_ms,
                          ph_manual_done done, void *ctx);

/* Stores a new message for one endpoint alone, with its delivery. NOT_FOUND; CONFLICT: the endpoint is disabled. */
void ph_message_send_to(struct ph_db *db, struct ph_arena *arena,
                        const struct ph_endpoint_path *path, struct ph_id message,
                        struct ph_str event_type, struct ph_str payload, ph_manual_done done,
                        void *ctx);

#endif
