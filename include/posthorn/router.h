/*
 * From method and path to a row of routes.def. The tree is made once from ph_routes and then only read: any thread.
 */
#ifndef POSTHORN_ROUTER_H
#define POSTHORN_ROUTER_H

#include "posthorn/api.h"

struct ph_route_match {
    const struct ph_route *route;
    struct ph_str params[PH_PATH_PARAMS_MAX]; /* decoded, in the arena */
    size_t n_params;
    const char *allow; /* METHOD: value of the Allow header, in the arena */
};

/*
 * path: as sent, without the query; one trailing slash is ignored. A literal segment wins over a parameter.
 * NOT_FOUND: no such path, or a parameter that is not text; METHOD: the path has other methods, out->allow names them.
 */
PH_MUST_CHECK enum ph_err ph_router_find(struct ph_arena *arena, struct ph_str method,
                                         struct ph_str path, struct ph_route_match *out);

#endif
