/* What a credential may ask for. */
#ifndef POSTHORN_API_ACCESS_H
#define POSTHORN_API_ACCESS_H

#include "posthorn/api.h"

/*
 * Whether the identity may make this call. Whoever may not is told nothing of what the path names. When the identity is good
 * for one application, the path's parameter becomes its id: a uid may have moved to another one meanwhile.
 */
bool ph_access_allows(struct ph_call *call, const struct ph_identity *identity);

/* Whether it is the operator's token, compared in equal time. */
bool ph_access_is_operator(const struct ph_call *call, struct ph_str token);

#endif
