/*
 * Quotas: what a tenant may use, as a JSON object of its own or of its plan. quota.def lists them.
 */
#ifndef POSTHORN_QUOTA_H
#define POSTHORN_QUOTA_H

#include "posthorn/err.h"
#include "posthorn/rate.h"

#include <jansson.h>

#define PH_QUOTA_MAX INT64_C(1000000000000)

enum ph_rate_class { PH_RATE_READ, PH_RATE_WRITE, PH_RATE_SEND };

/* -1: as much as it wants, or for requests: as the instance says. */
struct ph_quotas {
    int64_t per_second[PH_RATE_CLASSES]; /* requests of a class of enum ph_rate_class */
    int64_t messages_per_day, applications, endpoints, environments, retention_days, payload_bytes;
};

/* The name of a member that is no quota, or not a number from 0 to PH_QUOTA_MAX; NULL: there is none. quotas: an object. */
const char *ph_quotas_fault(json_t *quotas);
/* BAD_REQUEST: it is no object, or has a fault. */
PH_MUST_CHECK enum ph_err ph_quotas_read(json_t *quotas, struct ph_quotas *out);

#endif
