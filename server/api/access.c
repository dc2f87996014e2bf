#include "api/access.h"

#include "posthorn/node.h"

#include <sodium.h>
#include <string.h>

#define APPLICATION "{app_id}"
#define POLLER      "/api/v1/app/{app_id}/poller/{sink_id}"

static bool tenant_scope_allows(enum ph_access access, enum ph_route_scope scope)
{
    switch (access) {
    case PH_ACCESS_ALL:
        return scope != PH_SCOPE_OPERATOR;
    case PH_ACCESS_READ:
        return scope == PH_SCOPE_READ || scope == PH_SCOPE_APP_READ || scope == PH_SCOPE_SELF;
    case PH_ACCESS_SEND:
        return scope == PH_SCOPE_SEND || scope == PH_SCOPE_SELF;
    }
    return false;
}

static bool application_scope_allows(enum ph_access access, enum ph_route_scope scope)
{
    return scope == PH_SCOPE_SELF || scope == PH_SCOPE_APP_READ ||
           (scope == PH_SCOPE_APP_WRITE && access == PH_ACCESS_ALL);
}

/* The application is a path's first parameter. */
static bool names_application(const struct ph_route *route)
{
    const char *first = strchr(route->path, '{');

    return first && strncmp(first, APPLICATION, strlen(APPLICATION)) == 0;
}

struct ph_id ph_call_viewer(const struct ph_call *call)
{
    return ph_id_is_zero(call->identity.application) ? (struct ph_id){{0}}
                                                     : call->identity.credential;
}

/* The id instead of a uid, which may have moved meanwhile. */
static struct ph_str as_wire(struct ph_call *call, enum ph_id_kind kind, struct ph_id id)
{
    char *wire = ph_arena_alloc(call->req->arena, PH_ID_WIRE_MAX);

    return (struct ph_str){wire, ph_id_format(kind, id, wire)};
}

/* One for a poller: what is under its path. */
static bool poller_allows(struct ph_call *call, const struct ph_identity *identity)
{
    if (strncmp(call->route->path, POLLER, strlen(POLLER)) != 0 ||
        !ph_identity_names(identity, call->params[0]) ||
        !ph_identity_names_poller(identity, call->params[1]))
        return false;
    call->params[0] = as_wire(call, PH_ID_APPLICATION, identity->application);
    call->params[1] = as_wire(call, PH_ID_ENDPOINT, identity->poller);
    return true;
}

bool ph_access_is_operator(const struct ph_call *call, struct ph_str token)
{
    struct ph_str right = ph_str_of(call->api->node->config->operator_token);
    uint8_t hashes[2][crypto_hash_sha256_BYTES];

    if (right.len == 0 || token.len == 0)
        return false;
    crypto_hash_sha256(hashes[0], (const unsigned char *)right.ptr, right.len);
    crypto_hash_sha256(hashes[1], (const unsigned char *)token.ptr, token.len);
    return sodium_memcmp(hashes[0], hashes[1], sizeof(hashes[0])) == 0;
}

/* The sections of the portal that a route belongs to; 0: none. */
static unsigned sections_of(const char *path)
{
    static const struct {
        const char *path;
        unsigned sections;
    } places[] = {
        {"/api/v1/app/{app_id}/endpoint/{endpoint_id}/msg",
         PH_SECTION_MESSAGES | PH_SECTION_ENDPOINTS},
        {"/api/v1/app/{app_id}/endpoint", PH_SECTION_ENDPOINTS},
        {"/api/v1/app/{app_id}/poller", PH_SECTION_ENDPOINTS | PH_SECTION_MESSAGES},
        {"/api/v1/auth/app/{app_id}/poller", PH_SECTION_ENDPOINTS},
        {"/api/v1/app/{app_id}", PH_SECTION_MESSAGES}, /* what is below it */
        {"/api/v1/event-type", PH_SECTION_EVENT_TYPES},
    };

    if (strcmp(path, "/api/v1/app/{app_id}") == 0)
        return 0;
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
        if (strncmp(path, places[i].path, strlen(places[i].path)) == 0)
            return places[i].sections;
    return 0;
}

bool ph_access_allows(struct ph_call *call, const struct ph_identity *identity)
{
    if (ph_id_is_zero(identity->application))
        return tenant_scope_allows(identity->access, call->route->scope);
    if (!ph_id_is_zero(identity->poller))
        return poller_allows(call, identity);
    if (!application_scope_allows(identity->access, call->route->scope))
        return false;
    if (identity->kind == PH_CREDENTIAL_PORTAL &&
        (sections_of(call->route->path) & ~identity->sections) != 0)
        return false;
    if (!names_application(call->route))
        return true;
    if (!ph_identity_names(identity, call->params[0]))
        return false;
    call->params[0] = as_wire(call, PH_ID_APPLICATION, identity->application);
    return true;
}
