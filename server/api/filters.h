/*
 * Query parameters that lists of messages and attempts share. Each adds a fault when it is wrong.
 */
#ifndef POSTHORN_API_FILTERS_H
#define POSTHORN_API_FILTERS_H

#include "posthorn/api.h"
#include "posthorn/attempt.h"
#include "posthorn/event_type.h"

/* A date-time, as wall ms; `def` without. */
int64_t ph_query_time(struct ph_call *call, struct ph_faults *faults, const char *name,
                      int64_t def);

/* The same as a bound of ids; zero without. */
struct ph_id ph_query_bound(struct ph_call *call, struct ph_faults *faults, const char *name);

/* Names of event_types; returns how many, *out NULL without. */
size_t ph_query_event_types(struct ph_call *call, struct ph_faults *faults,
                            const struct ph_str **out);
/* before, after, channel, tag, event_types. with_content is read by ph_query_bool: it answers itself. */
void ph_query_message_filter(struct ph_call *call, struct ph_faults *faults,
                             struct ph_message_filter *filter);
/* The same and with_content, from members of a body. */
void ph_body_message_filter(struct ph_call *call, struct ph_faults *faults, json_t *body,
                            struct ph_message_filter *filter);
/* before, after, channel, tag, event_types, status, status_code_class and endpoint_id. */
void ph_query_attempt_filter(struct ph_call *call, struct ph_faults *faults,
                             struct ph_attempt_filter *filter);
/* What became of a delivery, or PH_ATTEMPT_ANY without. */
int ph_query_delivery_status(struct ph_call *call, struct ph_faults *faults);
/* The same of one that has been attempted. */
int ph_query_status(struct ph_call *call, struct ph_faults *faults);

#endif
