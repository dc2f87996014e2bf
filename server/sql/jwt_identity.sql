-- The tenant with id $1 or another server's id $2, and its application $3.
-- name: jwt_identity_find
SELECT t.id, a.id, a.uid, standing(t.id)
FROM tenants t LEFT JOIN applications a ON a.tenant_id = t.id AND a.id = $3::uuid AND NOT a.internal
WHERE t.id = coalesce($1::uuid, (SELECT f.id FROM tenants f WHERE f.foreign_id = $2::text))

-- Makes the tenant with another server's id $2, unless somebody else was faster.
-- name: jwt_tenant_create
INSERT INTO tenants (id, name, foreign_id) VALUES ($1::uuid, $2::text, $2) ON CONFLICT DO NOTHING
