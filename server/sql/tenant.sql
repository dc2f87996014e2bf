-- name: tenant_create
INSERT INTO tenants (id, name) VALUES ($1::uuid, $2::text)

-- name: tenant_list
SELECT id, name, created_at FROM tenants ORDER BY id

-- name: tenant_get
SELECT id, name, header_prefix, signature_profile, signature_header, retry_schedule, created_at, updated_at
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
        version = version + 1, updated_at = now()
    WHERE id = $1::uuid
    RETURNING id, name, header_prefix, signature_profile, signature_header, retry_schedule, created_at, updated_at
)
SELECT *, announce('tenant:' || id::text) FROM t
