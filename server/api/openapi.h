/* The OpenAPI document, which the build joins from the parts in server/api/openapi, and the names of its operations. */
#ifndef POSTHORN_API_OPENAPI_H
#define POSTHORN_API_OPENAPI_H

#include <stddef.h>

extern const char ph_openapi_json[];
extern const size_t ph_openapi_json_bytes;

/* "POST" of "/api/v1/app" is "v1.application.create". Ends with a row whose method is NULL. */
struct ph_operation {
    const char *method, *path, *name;
};
extern const struct ph_operation ph_operations[];

#endif
