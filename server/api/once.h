/*
 * Requests that change something. Each leaves an entry in the audit log, unless it fails. One with an Idempotency-Key is done
 * once, and answered the same again for 12 hours, by credential, path and key; any answer but a 2xx frees the key. A twin that
 * comes meanwhile waits in memory on the same thread, and for the row of its key elsewhere.
 *
 * How it is done depends on the class of the route:
 *   write   key, handler, entry and answer are one transaction: the handler is given it in place of its databases. It is
 *           committed if the answer is a 2xx
 *   slow    takes longer than a transaction should: entry and answer are kept when it is done
 *   send    the ingest statement keeps the key of a message, whose entry it is in the message log
 *   read    changes nothing, so that nothing is kept
 */
#ifndef POSTHORN_API_ONCE_H
#define POSTHORN_API_ONCE_H

#include "posthorn/api.h"

/* One thread's requests that are under way. */
struct ph_once_table;
struct ph_once_table *ph_once_table_new(void);
void ph_once_table_free(struct ph_once_table *table);

/* Calls the handler, at once or when it is its turn, or answers in its place. */
void ph_once_handle(struct ph_call *call);
/* What the handler of a call with call->once answers; body: in the arena. */
void ph_once_answer(struct ph_call *call, int status, const char *content_type, struct ph_str body);

#endif
