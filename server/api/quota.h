/* Requests and quotas: what may come now. */
#ifndef POSTHORN_API_QUOTA_H
#define POSTHORN_API_QUOTA_H

#include "posthorn/api.h"

/* Whether the tenant's standing and rate let the call pass. False: answered. When a rate counts, the answer says how much
 * of it is left. */
bool ph_quota_admit(struct ph_call *call, const struct ph_identity *identity);

#endif
