-- name: api_key_create
INSERT INTO api_keys (id, tenant_id, name, key_hash, expires_at)
SELECT $1::uuid, id, $3::text, $4::bytea, $5::timestamptz FROM tenants WHERE id = $2::uuid
RETURNING id

-- name: api_key_list
SELECT id, tenant_id, name, created_at, expires_at FROM api_keys WHERE tenant_id = $1::uuid ORDER BY id

-- name: api_key_delete
DELETE FROM api_keys WHERE id = $1::uuid RETURNING id

-- name: api_key_find
SELECT id, tenant_id, created_at, expires_at
FROM api_keys
WHERE key_hash = $1::bytea AND (expires_at IS NULL OR expires_at > now())
