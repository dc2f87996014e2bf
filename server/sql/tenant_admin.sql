-- What the operator sees and does. Role engine. Columns of every statement that returns tenants, in order: id, name,
-- foreign_id, plan, quotas, quotas in force, suspended_at, created_at, updated_at, root_id, deleted_at, messages of today of all
-- its environments, further environments.

-- name: tenant_create
INSERT INTO tenants AS t (id, name, plan, quotas)
VALUES ($1::uuid, $2::text, $3::text, coalesce($4::text, '{}')::jsonb)
RETURNING id, name, foreign_id, plan, quotas::text, quotas_of(t)::text, suspended_at, created_at, updated_at, root_id, deleted_at,
          messages_today(root_id), environments_of(id)

-- Of the roots, those in state $3 with $4 in their name; NULL: all that are not leaving. $5: $4, when it is an id.

-- both: tenant_list
SELECT id, name, foreign_id, plan, quotas::text, quotas_of(t)::text, suspended_at, created_at, updated_at, root_id, deleted_at,
       messages_today(root_id), environments_of(id)
FROM tenants t
WHERE id {<|>} $1::uuid AND id = root_id
  AND CASE $3::text WHEN 'leaving' THEN deleted_at IS NOT NULL
                    WHEN 'suspended' THEN deleted_at IS NULL AND suspended_at IS NOT NULL
                    WHEN 'active' THEN deleted_at IS NULL AND suspended_at IS NULL
                    ELSE deleted_at IS NULL END
  AND ($4::text IS NULL OR strpos(lower(name), lower($4)) > 0 OR id = (SELECT e.root_id FROM tenants e WHERE e.id = $5::uuid))
ORDER BY id {DESC|ASC} LIMIT $2::bigint

-- name: tenant_find
SELECT id, name, foreign_id, plan, quotas::text, quotas_of(t)::text, suspended_at, created_at, updated_at, root_id, deleted_at,
       messages_today(root_id), environments_of(id)
FROM tenants t WHERE id = $1::uuid AND deleted_at IS NULL

-- $2: bits of what changes (enum ph_tenant_admin_set). A suspension is that of all environments, by a trigger. An environment that
-- is no root has a name only.
-- name: tenant_change
WITH t AS (
    UPDATE tenants t
    SET name = CASE WHEN $2::integer & 1 <> 0 THEN $3::text ELSE name END,
        plan = CASE WHEN $2 & 2 <> 0 THEN $4::text ELSE plan END,
        quotas = CASE WHEN $2 & 4 <> 0 THEN $5::text::jsonb ELSE quotas END,
        suspended_at = CASE WHEN $2 & 8 = 0 THEN suspended_at WHEN $6::boolean THEN coalesce(suspended_at, now()) END,
        version = version + 1, updated_at = now()
    WHERE id = $1::uuid AND deleted_at IS NULL AND (id = root_id OR $2 & 14 = 0)
    RETURNING id, name, foreign_id, plan, quotas::text, quotas_of(t)::text AS in_force, suspended_at, created_at, updated_at, root_id, deleted_at,
              messages_today(root_id), environments_of(id)
)
SELECT t.*, (SELECT count(announce('auth:' || e.id::text)) FROM tenants e WHERE e.root_id = t.root_id) FROM t

-- Its credentials end now, by a trigger, and so do its environments; what else there is of it, purge_tenant() removes bit by bit.
-- name: tenant_delete
UPDATE tenants SET deleted_at = now(), suspended_at = coalesce(suspended_at, now()), foreign_id = NULL, plan = NULL,
                   version = version + 1, updated_at = now()
WHERE id = $1::uuid AND id = root_id AND deleted_at IS NULL
RETURNING id

-- A step of the removal of tenant data: how many rows have gone; NULL: there is no tenant to be removed.
-- name: tenant_purge
SELECT purge_tenant($1::integer)

-- Messages and attempts of the days of an environment, or of all of a root together, the newest first.
-- name: tenant_usage
SELECT d.day::date::text, coalesce(sum(h.messages), 0)::bigint, coalesce(sum(h.success), 0)::bigint,
       coalesce(sum(h.failure), 0)::bigint
FROM generate_series(date_trunc('day', now()) - ($2::integer - 1) * interval '1 day', date_trunc('day', now()), interval '1 day')
     AS d (day)
LEFT JOIN hourly_stats h ON h.owner_id = ANY (ARRAY(SELECT e.id FROM tenants e WHERE e.id = $1::uuid OR e.root_id = $1))
                        AND h.bucket >= d.day AND h.bucket < d.day + interval '1 day'
GROUP BY d.day ORDER BY d.day DESC
