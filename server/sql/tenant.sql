-- name: tenant_get
SELECT id, name, header_prefix, signature_profile, signature_header, retry_schedule, created_at, updated_at, public_catalog,
       catalog_slug, portal_origins, portal_branding
FROM tenants WHERE id = $1::uuid

-- $2: bits of the members that change (enum ph_tenant_set).
-- name: tenant_update
WITH t AS (
    UPDATE tenants
    SET name = CASE WHEN $2::integer & 1 <> 0 THEN $3::text ELSE name END,
        header_prefix = CASE WHEN $2 & 2 <> 0 THEN $4::text ELSE header_prefix END,
        signature_profile = CASE WHEN $2 & 4 <> 0 THEN $5::text ELSE signature_profile END,
        signature_header = CASE WHEN $2 & 8 <> 0 THEN $6::text ELSE signature_header END,
        retry_schedule = CASE WHEN $2 & 16 <> 0 THEN $7::integer[] ELSE retry_schedule END,
        public_catalog = CASE WHEN $2 & 32 <> 0 THEN $8::boolean ELSE public_catalog END,
        catalog_slug = CASE WHEN $2 & 64 <> 0 THEN $9::text ELSE catalog_slug END,
        portal_origins = CASE WHEN $2 & 128 <> 0 THEN $10::text[] ELSE portal_origins END,
        portal_branding = CASE WHEN $2 & 256 <> 0 THEN $11::json ELSE portal_branding END,
        version = version + 1, updated_at = now()
    WHERE id = $1::uuid
    RETURNING id, name, header_prefix, signature_profile, signature_header, retry_schedule, created_at, updated_at, public_catalog,
              catalog_slug, portal_origins, portal_branding
)
SELECT *, announce('tenant:' || id::text) FROM t

-- Who publishes event types under slug $1, or as tenant $2.
-- name: tenant_find_catalog
SELECT id FROM tenants WHERE catalog_slug = $1::text AND public_catalog
UNION ALL
SELECT id FROM tenants WHERE id = $2::uuid AND public_catalog

-- What a page of the portal needs to know. Role engine: whoever fetches it has shown no token yet.
-- name: tenant_portal
SELECT portal_origins, portal_branding FROM tenants WHERE id = $1::uuid AND deleted_at IS NULL
