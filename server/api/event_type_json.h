/*
 * What answers about event types share.
 */
#ifndef POSTHORN_API_EVENT_TYPE_JSON_H
#define POSTHORN_API_EVENT_TYPE_JSON_H

#include "posthorn/api.h"

/* featureFlag, and featureFlags, the same as the list that client libraries know. flag absent: none. */
void ph_api_write_feature_flag(struct ph_json_writer *w, struct ph_str flag);
/* schemas: JSON text; absent: null. */
void ph_api_write_schemas(struct ph_json_writer *w, struct ph_str schemas);

#endif
