-- Columns of every statement that returns keys, in order: id, tenant_id, name, scope, created_by, created_at, expires_at,
-- last_used_at. $1 is the tenant.

-- name: api_key_create
INSERT INTO api_keys (id, tenant_id, name, key_hash, scope, expires_at, created_by)
SELECT $2::uuid, id, $3::text, $4::bytea, $5::text, $6::timestamptz, $7::uuid FROM tenants WHERE id = $1::uuid
RETURNING id, tenant_id, name, scope, created_by, created_at, expires_at, last_used_at

-- both: api_key_list
SELECT id, tenant_id, name, scope, created_by, created_at, expires_at, last_used_at
FROM api_keys WHERE tenant_id = $1::uuid AND id {<|>} $2::uuid
ORDER BY id {DESC|ASC} LIMIT $3::bigint

-- name: api_key_get
SELECT id, tenant_id, name, scope, created_by, created_at, expires_at, last_used_at
FROM api_keys WHERE tenant_id = $1::uuid AND id = $2::uuid

-- Whose key it is. Role engine.
-- name: api_key_owner
SELECT tenant_id FROM api_keys WHERE id = $1::uuid

-- name: api_key_delete
WITH gone AS (
    DELETE FROM api_keys WHERE id = $2::uuid AND tenant_id = $1::uuid RETURNING tenant_id
)
SELECT announce('auth:' || tenant_id::text) FROM gone

-- name: api_key_find
SELECT id, tenant_id, scope, expires_at, standing(tenant_id)
FROM api_keys
WHERE key_hash = $1::bytea AND (expires_at IS NULL OR expires_at > now())

-- name: api_keys_used
UPDATE api_keys SET last_used_at = now()
WHERE id IN (SELECT id FROM api_keys
             WHERE id = ANY ($1::uuid[]) AND (last_used_at IS NULL OR last_used_at < now() - interval '50 seconds')
             FOR UPDATE SKIP LOCKED)
