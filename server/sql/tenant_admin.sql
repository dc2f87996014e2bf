-- What the operator sees and does. Role engine. Columns of every statement that returns tenants, in order: id, name,
-- foreign_id, plan, quotas, quotas in force, suspended_at, created_at, updated_at.

-- name: tenant_create
INSERT INTO tenants AS t (id, name, plan, quotas)
VALUES ($1::uuid, $2::text, $3::text, coalesce($4::text, '{}')::jsonb)
RETURNING id, name, foreign_id, plan, quotas::text, quotas_of(t)::text, suspended_at, created_at, updated_at

-- name: tenant_list_ascending
SELECT id, name, foreign_id, plan, quotas::text, quotas_of(t)::text, suspended_at, created_at, updated_at
FROM tenants t WHERE id > $1::uuid AND deleted_at IS NULL
ORDER BY id LIMIT $2::bigint

-- name: tenant_list_descending
SELECT id, name, foreign_id, plan, quotas::text, quotas_of(t)::text, suspended_at, created_at, updated_at
FROM tenants t WHERE id < $1::uuid AND deleted_at IS NULL
ORDER BY id DESC LIMIT $2::bigint

-- name: tenant_find
SELECT id, name, foreign_id, plan, quotas::text, quotas_of(t)::text, suspended_at, created_at, updated_at
FROM tenants t WHERE id = $1::uuid AND deleted_at IS NULL

-- $2: bits of what changes (enum ph_tenant_admin_set). What a suspension has held goes on when it ends.
-- name: tenant_change
WITH t AS (
    UPDATE tenants t
    SET name = CASE WHEN $2::integer & 1 <> 0 THEN $3::text ELSE name END,
        plan = CASE WHEN $2 & 2 <> 0 THEN $4::text ELSE plan END,
        quotas = CASE WHEN $2 & 4 <> 0 THEN $5::text::jsonb ELSE quotas END,
        suspended_at = CASE WHEN $2 & 8 = 0 THEN suspended_at WHEN $6::boolean THEN coalesce(suspended_at, now()) END,
        version = version + 1, updated_at = now()
    WHERE id = $1::uuid AND deleted_at IS NULL
    RETURNING id, name, foreign_id, plan, quotas::text, quotas_of(t)::text AS in_force, suspended_at, created_at, updated_at
), released AS (
    UPDATE endpoint_schedule s SET held_until = '-infinity', changes = s.changes + 1
    FROM t
    WHERE $2 & 8 <> 0 AND NOT $6 AND s.tenant_id = t.id AND s.held_until > now() AND s.busy_node IS NULL
)
SELECT t.*, announce('auth:' || id::text), CASE WHEN $2 & 8 <> 0 THEN announce('tenant:' || id::text) END FROM t

-- Its credentials end now; what else there is of it, purge_tenant() removes bit by bit.
-- name: tenant_delete
WITH t AS (
    UPDATE tenants SET deleted_at = now(), suspended_at = coalesce(suspended_at, now()), foreign_id = NULL, plan = NULL,
                       version = version + 1, updated_at = now()
    WHERE id = $1::uuid AND deleted_at IS NULL
    RETURNING id
), keys AS (
    DELETE FROM api_keys WHERE tenant_id IN (SELECT id FROM t)
), tokens AS (
    DELETE FROM portal_tokens WHERE tenant_id IN (SELECT id FROM t)
), pollers AS (
    DELETE FROM poller_tokens WHERE tenant_id IN (SELECT id FROM t)
)
SELECT id, announce('auth:' || id::text), announce('tenant:' || id::text) FROM t

-- A step of the removal of tenant data: how many rows have gone; NULL: there is no tenant to be removed.
-- name: tenant_purge
SELECT purge_tenant($1::integer)

-- Messages and attempts of a tenant's days, the newest first.
-- name: tenant_usage
SELECT d.day::date::text, coalesce(sum(h.messages), 0)::bigint, coalesce(sum(h.success), 0)::bigint,
       coalesce(sum(h.failure), 0)::bigint
FROM generate_series(date_trunc('day', now()) - ($2::integer - 1) * interval '1 day', date_trunc('day', now()), interval '1 day')
     AS d (day)
LEFT JOIN hourly_stats h ON h.owner_id = $1::uuid AND h.bucket >= d.day AND h.bucket < d.day + interval '1 day'
GROUP BY d.day ORDER BY d.day DESC
