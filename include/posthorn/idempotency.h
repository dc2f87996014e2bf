/*
 * Answers that are kept for 12 hours, so that a repeated request with the same Idempotency-Key gets the first one's answer.
 * They are sealed: some hold a secret that nothing else shows again.
 *
 * key: a hash of the key, the credential and the path. store.h says how callbacks and memory work. The answers to messages
 * are not kept here: message_batch.h.
 */
#ifndef POSTHORN_IDEMPOTENCY_H
#define POSTHORN_IDEMPOTENCY_H

#include "posthorn/seal.h"
#include "posthorn/store.h"

struct ph_kept_answer {
    int status;
    struct ph_str body; /* JSON; empty: none */
};

/* kept is NULL unless err is OK, and with OK when there is no answer yet. INTERNAL: it cannot be unsealed. */
typedef void (*ph_kept_answer_done)(void *ctx, enum ph_err err, const struct ph_kept_answer *kept);

/* In a transaction: takes the key, or finds the answer. Waits for whoever has it in a transaction of his own; DB_RETRY: for
 * too long. */
void ph_idempotency_take(struct ph_db *db, struct ph_arena *arena, const struct ph_keyring *keyring,
                         struct ph_id tenant, struct ph_id key, ph_kept_answer_done done,
                         void *ctx);
/* The answer, if there is one. */
void ph_idempotency_find_answer(struct ph_db *db, struct ph_arena *arena,
                                const struct ph_keyring *keyring, struct ph_id tenant,
                                struct ph_id key, ph_kept_answer_done done, void *ctx);
/* Keeps the answer, unless there is one. */
void ph_idempotency_keep(struct ph_db *db, struct ph_arena *arena, const struct ph_keyring *keyring,
                         struct ph_id tenant, struct ph_id key, const struct ph_kept_answer *answer,
                         void (*done)(void *ctx, enum ph_err err), void *ctx);

#endif
