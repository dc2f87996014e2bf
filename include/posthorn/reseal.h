/*
 * Sealing anew what older data keys have sealed, while nodes run: in small batches, each a transaction of its own. Whoever
 * changes a value meanwhile wins.
 */
#ifndef POSTHORN_RESEAL_H
#define POSTHORN_RESEAL_H

#include "posthorn/db.h"
#include "posthorn/seal.h"

struct ph_reseal_counts {
    int64_t sealed;  /* sealed anew */
    int64_t changed; /* by somebody else meanwhile */
    int64_t broken;  /* do not open; left as they are */
};

/* Every value that is not sealed by the keyring's sealing key. db: role posthorn_engine. Steps the loop until done. */
PH_MUST_CHECK enum ph_err ph_reseal(struct ph_loop *loop, struct ph_db *db,
                                    const struct ph_keyring *keyring,
                                    struct ph_reseal_counts *counts);

#endif
