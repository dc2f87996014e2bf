#include "posthorn/router.h"
#include "api/openapi.h"
#include "api/routes.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

const struct ph_route ph_routes[] = {
#define PH_ROUTE(method, path, handler, scope, rate_class, summary)                                \
    {#method, path, handler, PH_SCOPE_##scope, rate_class, summary},
#include "api/routes.def"
#undef PH_ROUTE
    {NULL, NULL, NULL, PH_SCOPE_PUBLIC, NULL, NULL},
};

#define ROUTES (sizeof ph_routes / sizeof *ph_routes)

#define METHODS_MAX 8

/* One segment of the paths that share everything in front of it. Lives as long as the process. */
struct segment {
    struct ph_str name; /* absent: a parameter */
    struct segment *next;
    struct segment *children; /* literals first */
    const struct ph_route *routes[METHODS_MAX];
    int n_routes;
};

static struct segment root;
static enum ph_route_class classes[ROUTES];
static const char *operations[ROUTES];
static pthread_once_t root_once = PTHREAD_ONCE_INIT;

static struct segment *child_of(struct segment *parent, struct ph_str name)
{
    struct segment **at = &parent->children;

    for (; *at; at = &(*at)->next) {
        if ((*at)->name.ptr ? name.ptr && ph_str_eq((*at)->name, name) : !name.ptr)
            return *at;
        if (!(*at)->name.ptr && name.ptr)
            break; /* a new literal goes in front of the parameter */
    }
    struct segment *child = ph_calloc(1, sizeof(*child));
    child->name = name;
    child->next = *at;
    *at = child;
    return child;
}

static enum ph_route_class class_of(const char *text)
{
    static const char *const texts[] = {[PH_CLASS_PUBLIC] = "public",
                                        [PH_CLASS_READ] = "read",
                                        [PH_CLASS_WRITE] = "write",
                                        [PH_CLASS_SLOW] = "slow",
                                        [PH_CLASS_SEND] = "send"};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(text, texts[i]) == 0)
            return (enum ph_route_class)i;
    assert(!"a row of routes.def has a rate class that is none");
    return PH_CLASS_PUBLIC;
}

enum ph_route_class ph_route_class(const struct ph_route *route)
{
    return classes[route - ph_routes];
}

bool ph_route_changes(const struct ph_route *route)
{
    enum ph_route_class class = ph_route_class(route);

    return class == PH_CLASS_WRITE || class == PH_CLASS_SLOW;
}

const char *ph_route_operation(const struct ph_route *route)
{
    return operations[route - ph_routes];
}

static const char *operation_of(const struct ph_route *route)
{
    static const char version[] = "v1.";

    for (const struct ph_operation *o = ph_operations; o->method; o++)
        if (strcmp(o->method, route->method) == 0 && strcmp(o->path, route->path) == 0)
            return o->name + (strncmp(o->name, version, strlen(version)) ? 0 : strlen(version));
    return "";
}

static void build(void)
{
    for (const struct ph_route *r = ph_routes; r->method; r++) {
        struct ph_str rest = ph_str_of(r->path + 1), part;
        struct segment *at = &root;
        int n_params = 0;

        classes[r - ph_routes] = class_of(r->rate_class);
        operations[r - ph_routes] = operation_of(r);
        while (rest.len > 0 && ph_str_split(&rest, '/', &part)) {
            bool is_param = part.ptr[0] == '{';
            n_params += is_param;
            at = child_of(at, is_param ? PH_STR_NONE : part);
        }
        assert(n_params <= PH_PATH_PARAMS_MAX);
        assert(at->n_routes < METHODS_MAX);
        at->routes[at->n_routes++] = r;
    }
}

/* NULL: none of this method. */
static const struct ph_route *route_of(const struct segment *end, struct ph_str method)
{
    for (int i = 0; i < end->n_routes; i++)
        if (ph_str_eq_c(method, end->routes[i]->method))
            return end->routes[i];
    return NULL;
}

/* The end of a way down the tree that fits all of `rest` and has the method (absent: any): names go before parameters, so
 * that an object may have the name of an action. Parameters in `params`. */
static const struct segment *descend(const struct segment *at, struct ph_str method,
                                     struct ph_str rest, struct ph_str *params, size_t *n_params)
{
    struct ph_str part;

    if (!ph_str_split(&rest, '/', &part))
        return (method.ptr ? route_of(at, method) != NULL : at->n_routes > 0) ? at : NULL;
    for (const struct segment *child = at->children; child; child = child->next) {
        size_t n = *n_params;
        const struct segment *end;

        if (child->name.ptr ? !ph_str_eq(child->name, part) : part.len == 0)
            continue;
        if (!child->name.ptr)
            params[(*n_params)++] = part;
        end = descend(child, method, rest, params, n_params);
        if (end)
            return end;
        *n_params = n;
    }
    return NULL;
}

static const char *allow_of(struct ph_arena *arena, const struct segment *end)
{
    const char *allow = end->routes[0]->method;

    for (int i = 1; i < end->n_routes; i++)
        allow = ph_arena_printf(arena, "%s, %s", allow, end->routes[i]->method);
    return allow;
}

enum ph_err ph_router_find(struct ph_arena *arena, struct ph_str method, struct ph_str path,
                           struct ph_route_match *out)
{
    const struct segment *end = &root;
    struct ph_str raw[PH_PATH_PARAMS_MAX];
    size_t n = 0;

    pthread_once(&root_once, build);
    if (path.len == 0 || path.ptr[0] != '/')
        return PH_ERR_NOT_FOUND;
    path.ptr++;
    path.len--;
    if (path.len > 1 && path.ptr[path.len - 1] == '/')
        path.len--;
    path.ptr = ph_arena_copy(arena, path.ptr, path.len);
    if (path.len > 0)
        end = descend(&root, method, path, raw, &n);
    if (!end)
        end = descend(&root, PH_STR_NONE, path, raw, &n);
    if (!end || end->n_routes == 0)
        return PH_ERR_NOT_FOUND;
    for (size_t i = 0; i < n; i++)
        if (!ph_percent_decode(arena, raw[i], false, &out->params[i]))
            return PH_ERR_NOT_FOUND;
    out->n_params = n;
    out->route = route_of(end, method);
    if (out->route)
        return PH_OK;
    out->allow = allow_of(arena, end);
    return PH_ERR_METHOD;
}
