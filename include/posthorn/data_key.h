/*
 * Data keys: the keyring of this instance, as the database holds it. db: role posthorn_engine.
 *
 * A further data key seals only PH_DATA_KEY_WAIT_MS after it was made: by then every node knows it.
 */
#ifndef POSTHORN_DATA_KEY_H
#define POSTHORN_DATA_KEY_H

#include "posthorn/db.h"
#include "posthorn/seal.h"

#define PH_DATA_KEY_WAIT_MS 60000

/*
 * Adds the data keys of the database that the keyring does not have yet; makes the first one if there is none. Steps the
 * loop until done. CRYPTO: the master key is not the one that wrapped them; else as ph_db_run.
 */
PH_MUST_CHECK enum ph_err ph_data_keys_load(struct ph_loop *loop, struct ph_db *db,
                                            struct ph_keyring *keyring);

/* Adds those that are new, while running. CRYPTO: one does not open (the others are added). on_done: the number added. */
void ph_data_keys_refresh(struct ph_db *db, struct ph_arena *arena, struct ph_keyring *keyring,
                          void (*on_done)(enum ph_err err, int32_t n, void *ctx), void *ctx);

/* Makes a further data key and tells all nodes. The keyring has been loaded. CONFLICT: somebody else changed them
 * meanwhile. */
PH_MUST_CHECK enum ph_err ph_data_key_add_next(struct ph_loop *loop, struct ph_db *db,
                                               const struct ph_keyring *keyring, uint32_t *id);

/* Wraps every data key by the master key that was added to the keyring last, in one statement; n: how many were not. CRYPTO:
 * one does not open, and nothing has changed. */
PH_MUST_CHECK enum ph_err ph_data_keys_rewrap(struct ph_loop *loop, struct ph_db *db,
                                              const struct ph_keyring *keyring, int *n);

#endif
