/*
 * Which custom headers an endpoint may have. Pure.
 */
#ifndef POSTHORN_API_CUSTOM_HEADER_H
#define POSTHORN_API_CUSTOM_HEADER_H

#include "posthorn/str.h"

#define PH_CUSTOM_HEADERS_MAX            100
#define PH_CUSTOM_HEADER_NAME_BYTES_MAX  256
#define PH_CUSTOM_HEADER_VALUE_BYTES_MAX 4096

/*
 * What is wrong with a name, as one static sentence; NULL: nothing. Refused are names that are no RFC 9110 tokens, and those
 * that we or the connection set: framing and hop-by-hop, content-*, user-agent, host, and the signature headers.
 */
const char *ph_custom_header_name_fault(struct ph_str name);
/* The same for a value: no control characters, so that nothing can be added to the request behind it. */
const char *ph_custom_header_value_fault(struct ph_str value);
/* Whether the value of such a header is probably a secret, and so is not shown again. */
bool ph_custom_header_is_sensitive(struct ph_str name);

#endif
