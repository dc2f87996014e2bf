/*
 * Lists ordered by id that are also bounded by time.
 */
#ifndef POSTHORN_STORE_RANGE_H
#define POSTHORN_STORE_RANGE_H

#include "posthorn/store.h"

/* Adds two parameters: the ids between which, exclusively, the page lies. after and before: bounds of the list's own, zero:
 * none. */
void ph_range_add(struct ph_db_req *req, const struct ph_list *list, struct ph_id after,
                  struct ph_id before);

#endif
