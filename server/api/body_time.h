/* Points in time as members of a body. */
#ifndef POSTHORN_API_BODY_TIME_H
#define POSTHORN_API_BODY_TIME_H

#include "posthorn/api.h"

/* An RFC 3339 date-time as wall time in ms; null reads as absent unless required. def: without, and when it is wrong. */
int64_t ph_field_time(struct ph_call *call, struct ph_faults *faults, json_t *body,
                      const char *name, bool required, int64_t def);

#endif
