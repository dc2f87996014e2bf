/*
 * The member `filter` of endpoints.
 */
#ifndef API_PAYLOAD_FILTER_H
#define API_PAYLOAD_FILTER_H

#include "posthorn/api.h"

/* The bytes of a valid filter, in the arena; absent: none. A fault names the place in it that is wrong. */
struct ph_str ph_api_field_filter(struct ph_call *call, struct ph_faults *faults, json_t *body,
                                  bool *present);

#endif
