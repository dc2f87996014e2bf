/* An attempt as the interface writes it. */
#ifndef POSTHORN_API_ATTEMPT_JSON_H
#define POSTHORN_API_ATTEMPT_JSON_H

#include "posthorn/attempt.h"
#include "posthorn/json.h"

void ph_api_write_attempt(struct ph_json_writer *w, const struct ph_attempt_view *attempt);
/* Room for one. */
size_t ph_api_attempt_bytes(const struct ph_attempt_view *attempt);

#endif
