/* The handlers that routes.def names; a file that has handlers includes this. */
#ifndef POSTHORN_API_ROUTES_H
#define POSTHORN_API_ROUTES_H

#include "posthorn/api.h"

#define PH_ROUTE(method, path, handler, scope, rate_class, summary)                                \
    void handler(struct ph_call *call);
#include "api/routes.def"
#undef PH_ROUTE

#endif
