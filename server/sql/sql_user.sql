-- PostgreSQL roles that may call posthorn.send, each for one tenant.

-- Also grants it. What there is: the role, the tenant; and whether the row was made.
-- name: sql_user_create
WITH known AS MATERIALIZED (
    SELECT (SELECT rolname::text FROM pg_roles WHERE rolname = $1::text AND rolname !~ '^(posthorn|pg)_') AS role_name,
           (SELECT id FROM tenants WHERE id = $2::uuid) AS tenant_id
), made AS (
    INSERT INTO sql_users (role_name, tenant_id)
    SELECT role_name, tenant_id FROM known WHERE role_name IS NOT NULL AND tenant_id IS NOT NULL
    ON CONFLICT DO NOTHING
    RETURNING role_name
)
SELECT k.role_name IS NOT NULL, k.tenant_id IS NOT NULL, (SELECT grant_sender(role_name) FROM made) FROM known k

-- name: sql_user_list
SELECT role_name, tenant_id, created_at FROM sql_users ORDER BY role_name

-- name: sql_user_delete
WITH gone AS (
    DELETE FROM sql_users WHERE role_name = $1::text RETURNING role_name
)
SELECT revoke_sender(role_name) FROM gone
