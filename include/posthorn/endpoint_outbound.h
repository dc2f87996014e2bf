/*
 * How an endpoint's requests are authenticated beyond their signature: a client certificate with own authorities, and OAuth
 * client credentials. Both are sealed JSON objects of the endpoint's row. store.h says how callbacks and memory work.
 */
#ifndef POSTHORN_ENDPOINT_OUTBOUND_H
#define POSTHORN_ENDPOINT_OUTBOUND_H

#include "posthorn/endpoint.h"

enum ph_outbound_kind { PH_OUTBOUND_MTLS, PH_OUTBOUND_OAUTH };

/* The object, owned by the arena; NULL with err OK: there is none. NOT_FOUND; INTERNAL: it does not open (logged). */
typedef void (*ph_endpoint_outbound_done)(void *ctx, enum ph_err err, json_t *value);
void ph_endpoint_get_outbound(struct ph_db *db, struct ph_arena *arena,
                              const struct ph_keyring *keyring, const struct ph_endpoint_path *path,
                              enum ph_outbound_kind kind, ph_endpoint_outbound_done done,
                              void *ctx);

/* Replaces it; NULL: removes it. NOT_FOUND. The value lives until done. */
void ph_endpoint_set_outbound(struct ph_db *db, struct ph_arena *arena,
                              const struct ph_keyring *keyring, const struct ph_endpoint_path *path,
                              enum ph_outbound_kind kind, const json_t *value,
                              ph_endpoint_plain_done done, void *ctx);

/* For stores: what such a value is bound to instead of the endpoint itself, so that values of different kinds open nowhere
 * but in their own column. */
struct ph_id ph_outbound_bound_row(struct ph_id endpoint, enum ph_outbound_kind kind);
/* For stores: opens a sealed one. A new reference; NULL: it does not open. */
json_t *ph_outbound_unseal(const struct ph_keyring *keyring, struct ph_id tenant,
                           struct ph_id endpoint, enum ph_outbound_kind kind, struct ph_str sealed);

#endif
