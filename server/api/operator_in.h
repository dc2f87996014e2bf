/* What the operator's requests have in common. */
#ifndef POSTHORN_API_OPERATOR_IN_H
#define POSTHORN_API_OPERATOR_IN_H

#include "posthorn/api.h"

/* The member quotas of the body, as JSON text. */
struct ph_str ph_api_field_quotas(struct ph_call *call, struct ph_faults *faults, json_t *body);

#endif
