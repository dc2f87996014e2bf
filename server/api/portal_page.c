#include "api/portal_page.h"

#include "api/portal_settings.h"
#include "posthorn/tenant.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS    256
#define KNOWN_MS 2000
#define NOBODY   "'none'"

struct slot {
    struct ph_id tenant; /* zero: empty */
    uint64_t until_ms;
    char *ancestors, *images;
};

struct ph_portal_pages {
    struct slot slots[SLOTS];
};

struct lookup {
    struct ph_call *call;
    struct ph_id tenant;
    void (*done)(struct ph_call *call, const char *ancestors, const char *images);
};

struct ph_portal_pages *ph_portal_pages_new(void)
{
    return ph_calloc(1, sizeof(struct ph_portal_pages));
}

static void clear(struct slot *slot)
{
    free(slot->ancestors);
    free(slot->images);
    *slot = (struct slot){0};
}

void ph_portal_pages_free(struct ph_portal_pages *pages)
{
    for (size_t i = 0; i < SLOTS; i++)
        clear(&pages->slots[i]);
    free(pages);
}

static struct slot *slot_of(struct ph_portal_pages *pages, struct ph_id tenant)
{
    return &pages->slots[ph_id_hash(tenant) % SLOTS];
}

static const char *join(struct ph_arena *arena, const struct ph_str *origins, size_t n)
{
    const char *all = n ? "" : NOBODY;

    for (size_t i = 0; i < n; i++)
        all = ph_arena_printf(arena, "%s%s%.*s", all, i ? " " : "", (int)origins[i].len,
                              origins[i].ptr);
    return all;
}

static void decref(void *json)
{
    json_decref(json);
}

/* Where the logo comes from, unless it is in the branding itself. */
static const char *logo_origin(struct ph_arena *arena, struct ph_str branding)
{
    json_t *root = branding.ptr ? json_loadb(branding.ptr, branding.len, 0, NULL) : NULL, *logo;
    struct ph_str origin;

    if (!root)
        return "";
    ph_arena_defer(arena, decref, root);
    logo = json_object_get(root, "logo");
    if (!json_is_string(logo))
        return "";
    origin = ph_api_origin_of((struct ph_str){json_string_value(logo), json_string_length(logo)});
    return origin.ptr ? ph_arena_printf(arena, "%.*s", (int)origin.len, origin.ptr) : "";
}

static void on_portal(void *ctx, enum ph_err err, const struct ph_str *origins, size_t n,
                      struct ph_str branding)
{
    struct lookup *lookup = ctx;
    struct ph_call *call = lookup->call;
    const char *ancestors = join(call->req->arena, origins, n);
    const char *images = logo_origin(call->req->arena, branding);
    struct slot *slot = slot_of(call->api->portal_pages, lookup->tenant);

    if (err == PH_OK || err == PH_ERR_NOT_FOUND) {
        clear(slot);
        slot->tenant = lookup->tenant;
        slot->until_ms = ph_loop_now_ms(call->api->loop) + KNOWN_MS;
        slot->ancestors = ph_strdup(ancestors);
        slot->images = ph_strdup(images);
    }
    lookup->done(call, ancestors, images);
}

void ph_portal_pages_find(struct ph_call *call,
                          void (*done)(struct ph_call *call, const char *ancestors,
                                       const char *images))
{
    struct lookup *lookup;
    struct ph_id tenant;
    struct slot *slot;

    if (ph_id_parse(PH_ID_TENANT, ph_query(call, "tenant"), &tenant) != PH_OK) {
        done(call, NOBODY, "");
        return;
    }
    slot = slot_of(call->api->portal_pages, tenant);
    if (ph_id_eq(slot->tenant, tenant) && ph_loop_now_ms(call->api->loop) < slot->until_ms) {
        done(call, slot->ancestors, slot->images);
        return;
    }
    ph_request_keep(call->req);
    lookup = ph_arena_new_of(call->req->arena, struct lookup);
    *lookup = (struct lookup){call, tenant, done};
    ph_tenant_get_portal(call->api->engine_db, call->req->arena, tenant, on_portal, lookup);
}
