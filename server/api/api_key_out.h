/* Making an API key, for the tenant's own keys and for the operator. */
#ifndef POSTHORN_API_API_KEY_OUT_H
#define POSTHORN_API_API_KEY_OUT_H

#include "posthorn/api.h"

/* Reads ApiKeyIn, makes a key of this tenant and answers. */
void ph_api_key_create_for(struct ph_call *call, struct ph_db *db, struct ph_id tenant);

#endif
