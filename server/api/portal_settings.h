/*
 * How a tenant's portal looks, and on whose pages: members of the tenant's settings.
 */
#ifndef POSTHORN_API_PORTAL_SETTINGS_H
#define POSTHORN_API_PORTAL_SETTINGS_H

#include "posthorn/api.h"

#define PH_PORTAL_ORIGINS_MAX  20
#define PH_PORTAL_LOGO_MAX     32768 /* bytes of a data URL */
#define PH_PORTAL_BRANDING_MAX (PH_PORTAL_LOGO_MAX + 2048)

/* portalOrigins: "https://example.com", "http://localhost:3000"; null: none. Returns how many. */
size_t ph_api_field_portal_origins(struct ph_call *call, struct ph_faults *faults, json_t *body,
                                   struct ph_str **out, bool *present);
/* portalBranding as JSON text in the arena; absent: null, or wrong. */
struct ph_str ph_api_field_portal_branding(struct ph_call *call, struct ph_faults *faults,
                                           json_t *body, bool *present);

/* Scheme, host and port of an https URL; absent: it is none. */
struct ph_str ph_api_origin_of(struct ph_str url);

#endif
