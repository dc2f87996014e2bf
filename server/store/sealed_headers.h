/* Custom headers of an endpoint, for all statements that return them. */
#ifndef POSTHORN_STORE_SEALED_HEADERS_H
#define POSTHORN_STORE_SEALED_HEADERS_H

#include "posthorn/endpoint.h"

/* An object of strings that the arena owns; sealed absent: an empty one. NULL: it does not open (logged). */
json_t *ph_store_unseal_headers(struct ph_arena *arena, const struct ph_keyring *keyring,
                                struct ph_id tenant, struct ph_id endpoint, struct ph_str sealed);

#endif
