/* The member retrySchedule of endpoints and event types. */
#ifndef POSTHORN_API_RETRY_JSON_H
#define POSTHORN_API_RETRY_JSON_H

#include "posthorn/api.h"
#include "posthorn/retry_read.h"

/* An array of at most 30 waits in seconds; null: inherited. */
void ph_api_field_retry(struct ph_call *call, struct ph_faults *faults, json_t *body,
                        struct ph_retry_waits *out, bool *present);
void ph_api_write_retry(struct ph_json_writer *w, const struct ph_retry_waits *waits);

#endif
