/* What holds for all endpoints of the tenant that asks. */
#include "posthorn/tenant.h"

#include "api/portal_settings.h"
#include "api/routes.h"
#include "api/signing_in.h"

#define ANSWER_BYTES (32 * 1024 + PH_PORTAL_BRANDING_MAX)

static void on_settings(void *ctx, enum ph_err err, const struct ph_tenant_settings *s)
{
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(ctx, err,
                        err == PH_ERR_CONFLICT ? "Another tenant has this catalogSlug." : NULL);
        return;
    }
    w = ph_answer_writer(ctx, ANSWER_BYTES);
    ph_jw_object_begin(w);
    ph_jw_key(w, "catalogSlug");
    ph_jw_str(w, s->catalog_slug);
    ph_jw_key(w, "createdAt");
    ph_jw_time(w, s->created_ms);
    ph_jw_key(w, "headerPrefix");
    ph_jw_str(w, s->header_prefix);
    ph_jw_key(w, "name");
    ph_jw_str(w, s->name);
    ph_jw_key(w, "portalBranding");
    if (s->portal_branding.ptr)
        ph_jw_raw(w, s->portal_branding);
    else
        ph_jw_null(w);
    ph_jw_key(w, "portalOrigins");
    ph_jw_array_begin(w);
    for (size_t i = 0; i < s->n_portal_origins; i++)
        ph_jw_str(w, s->portal_origins[i]);
    ph_jw_array_end(w);
    ph_jw_key(w, "publicCatalog");
    ph_jw_bool(w, s->public_catalog);
    ph_jw_key(w, "retrySchedule");
    if (s->has_retry) {
        ph_jw_array_begin(w);
        for (size_t i = 0; i < s->n_retry; i++)
            ph_jw_i64(w, s->retry_s[i]);
        ph_jw_array_end(w);
    } else {
        ph_jw_null(w);
    }
    ph_jw_key(w, "signatureHeader");
    ph_jw_str(w, s->signature_header);
    ph_jw_key(w, "signatureProfile");
    ph_jw_str(w, s->signature_profile);
    ph_jw_key(w, "updatedAt");
    ph_jw_time(w, s->updated_ms);
    ph_jw_object_end(w);
    ph_answer_json(ctx, 200, w);
}

void ph_api_tenant_get(struct ph_call *call)
{
    ph_tenant_get_settings(call->api->db, call->req->arena, call->tenant, on_settings, call);
}

static struct ph_str field_prefix(struct ph_call *call, struct ph_faults *faults, json_t *body,
                                  bool required)
{
    struct ph_str prefix = ph_field_str(call, faults, body, "headerPrefix", required, 0, 0, NULL);

    if (prefix.ptr && !ph_header_token_ok(prefix, PH_HEADER_PREFIX_MAX))
        ph_fault(call, faults, "body", "headerPrefix",
                 "has to be 1 to 64 of a-z A-Z 0-9 and, inside, -", "value_error.str.regex");
    return prefix;
}

/* Seconds between one attempt and the next; null: the instance's. */
static void field_retry(struct ph_call *call, struct ph_faults *faults, json_t *body,
                        struct ph_tenant_settings *settings)
{
    json_t *list = json_object_get(body, "retrySchedule"), *item;
    size_t i;

    if (!list || json_is_null(list))
        return;
    settings->has_retry = true;
    if (!json_is_array(list) || json_array_size(list) > PH_RETRY_WAITS_MAX) {
        ph_fault(call, faults, "body", "retrySchedule",
                 ph_arena_printf(call->req->arena, "has to be a list of at most %d numbers",
                                 PH_RETRY_WAITS_MAX),
                 "type_error.list");
        return;
    }
    json_array_foreach(list, i, item)
    {
        if (!json_is_integer(item) || json_integer_value(item) < 0 ||
            json_integer_value(item) > PH_RETRY_WAIT_MAX_S) {
            ph_fault(call, faults, "body", "retrySchedule",
                     ph_arena_printf(call->req->arena,
                                     "item %zu has to be a number of seconds from 0 to %d", i,
                                     PH_RETRY_WAIT_MAX_S),
                     "value_error.number");
            return;
        }
        settings->retry_s[settings->n_retry++] = (int32_t)json_integer_value(item);
    }
}

/* What stands in the URL of the catalogue; null: only the tenant's id does. */
static struct ph_str field_slug(struct ph_call *call, struct ph_faults *faults, json_t *body,
                                bool *present)
{
    struct ph_str slug = ph_field_str(call, faults, body, "catalogSlug", false, 1, 64, present);
    bool ok = slug.len && slug.ptr[0] != '-' && slug.ptr[slug.len - 1] != '-';

    for (size_t i = 0; i < slug.len && ok; i++)
        ok = (slug.ptr[i] >= 'a' && slug.ptr[i] <= 'z') ||
             (slug.ptr[i] >= '0' && slug.ptr[i] <= '9') || slug.ptr[i] == '-';
    if (!slug.ptr || ok)
        return slug;
    ph_fault(call, faults, "body", "catalogSlug", "has to be 1 to 64 of a-z 0-9 and, inside, -",
             "value_error.str.regex");
    return PH_STR_NONE;
}

void ph_api_tenant_patch(struct ph_call *call)
{
    struct ph_tenant_settings settings = {0};
    struct ph_faults faults = {0};
    json_t *body = ph_body_object(call);
    bool name, prefix, profile, header, retry, catalog, slug, origins, branding;

    if (!body)
        return;
    name = json_object_get(body, "name") != NULL;
    prefix = json_object_get(body, "headerPrefix") != NULL;
    profile = json_object_get(body, "signatureProfile") != NULL;
    retry = json_object_get(body, "retrySchedule") != NULL;
    settings.name = ph_field_str(call, &faults, body, "name", name, 1, 0, NULL);
    if (settings.name.len > PH_TENANT_NAME_MAX)
        ph_fault(call, &faults, "body", "name", "has at most 256 bytes",
                 "value_error.any_str.max_length");
    settings.header_prefix = field_prefix(call, &faults, body, prefix);
    settings.signature_profile = ph_api_field_profile(call, &faults, body, profile, NULL);
    settings.signature_header = ph_api_field_signature_header(call, &faults, body, &header);
    field_retry(call, &faults, body, &settings);
    settings.public_catalog = ph_field_bool(call, &faults, body, "publicCatalog", false, &catalog);
    settings.catalog_slug = field_slug(call, &faults, body, &slug);
    settings.n_portal_origins =
        ph_api_field_portal_origins(call, &faults, body, &settings.portal_origins, &origins);
    settings.portal_branding = ph_api_field_portal_branding(call, &faults, body, &branding);
    if (ph_faults_answer(call, &faults))
        return;
    unsigned set =
        (name ? PH_TENANT_SET_NAME : 0u) | (prefix ? PH_TENANT_SET_HEADER_PREFIX : 0u) |
        (profile ? PH_TENANT_SET_SIGNATURE_PROFILE : 0u) |
        (header ? PH_TENANT_SET_SIGNATURE_HEADER : 0u) | (retry ? PH_TENANT_SET_RETRY : 0u) |
        (catalog ? PH_TENANT_SET_PUBLIC_CATALOG : 0u) | (slug ? PH_TENANT_SET_CATALOG_SLUG : 0u) |
        (origins ? PH_TENANT_SET_PORTAL_ORIGINS : 0u) |
        (branding ? PH_TENANT_SET_PORTAL_BRANDING : 0u);
    ph_tenant_update_settings(call->api->db, call->req->arena, call->tenant, set, &settings,
                              on_settings, call);
}
