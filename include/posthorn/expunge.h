/*
 * Removing the content of messages and attempts; what is known of them besides stays. db: role posthorn_engine; every
 * statement is bound to its tenant. store.h says how callbacks and memory work; strings given as arguments have to live until
 * the callback.
 */
#ifndef POSTHORN_EXPUNGE_H
#define POSTHORN_EXPUNGE_H

#include "posthorn/message.h"

#define PH_EXPUNGE_MESSAGES_MAX 1000

/* found[i]: there was a message with that id or event id. NULL unless err is OK. */
typedef void (*ph_messages_expunged)(void *ctx, enum ph_err err, const bool *found);
/* Payloads, and what is still owed of them; n is at most PH_EXPUNGE_MESSAGES_MAX. NOT_FOUND: no such application. */
void ph_messages_expunge(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                         struct ph_str application, const struct ph_str *messages, size_t n,
                         ph_messages_expunged done, void *ctx);

/* NOT_FOUND: no such message, or it has no such attempt. The response reads EXPUNGED. */
void ph_attempt_expunge(struct ph_db *db, struct ph_arena *arena,
                        const struct ph_message_path *path, struct ph_id attempt,
                        void (*done)(void *ctx, enum ph_err err), void *ctx);

#endif
