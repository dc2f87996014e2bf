-- name: tenant_create
INSERT INTO tenants (id, name) VALUES ($1::uuid, $2::text)

-- name: tenant_list
SELECT id, name, created_at FROM tenants ORDER BY id
