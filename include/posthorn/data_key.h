/*
 * Data keys: the keyring of this instance, as the database holds it.
 */
#ifndef POSTHORN_DATA_KEY_H
#define POSTHORN_DATA_KEY_H

#include "posthorn/db.h"
#include "posthorn/seal.h"

/*
 * Adds all data keys of the database to the keyring; makes the first one if there is none. Steps the loop until done. db:
 * role posthorn_engine. CRYPTO: the master key is not the one that wrapped them; else as ph_db_run.
 */
PH_MUST_CHECK enum ph_err ph_data_keys_load(struct ph_loop *loop, struct ph_db *db,
                                            struct ph_keyring *keyring);

#endif
