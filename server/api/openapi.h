/* The OpenAPI document, which the build joins from the parts in server/api/openapi. */
#ifndef POSTHORN_API_OPENAPI_H
#define POSTHORN_API_OPENAPI_H

#include <stddef.h>

extern const char ph_openapi_json[];
extern const size_t ph_openapi_json_bytes;

#endif
