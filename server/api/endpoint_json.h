/*
 * The JSON form of an endpoint (EndpointOut).
 */
#ifndef POSTHORN_API_ENDPOINT_JSON_H
#define POSTHORN_API_ENDPOINT_JSON_H

#include "posthorn/api.h"
#include "posthorn/endpoint.h"
#include "posthorn/json.h"

/* Writes the members without the object's braces, for forms that add their own. */
void ph_api_write_endpoint_members(struct ph_json_writer *w, const struct ph_endpoint *endpoint);

/* The members that an operational endpoint has (OperationalWebhookEndpointOut). */
void ph_api_write_operational_members(struct ph_json_writer *w, const struct ph_endpoint *endpoint);
/* The connections to ask about the endpoints of this call: role posthorn_engine for operational ones. */
struct ph_db *ph_api_endpoint_db(const struct ph_call *call);

#endif
