-- Environments of a tenant. Role engine. $1 is the one that asks. Columns of every statement that returns some, in order: id, name,
-- root_id, created_at, updated_at.

-- both: environment_list
SELECT e.id, e.name, e.root_id, e.created_at, e.updated_at
FROM tenants e
WHERE e.root_id = (SELECT t.root_id FROM tenants t WHERE t.id = $1::uuid) AND e.id {<|>} $2::uuid AND e.deleted_at IS NULL
ORDER BY e.id {DESC|ASC} LIMIT $3::bigint

-- name: environment_get
SELECT e.id, e.name, e.root_id, e.created_at, e.updated_at
FROM tenants e
WHERE e.id = $2::uuid AND e.root_id = (SELECT t.root_id FROM tenants t WHERE t.id = $1::uuid) AND e.deleted_at IS NULL

-- Makes $2 with key $4, and with settings and event types of $7 when that is not NULL. No row: there is no tenant, or no such $7. The
-- root's row is locked, so that its end is seen, or sees this one.
-- name: environment_create
WITH root AS MATERIALIZED (
    SELECT r.id, r.suspended_at FROM tenants r
    WHERE r.id = (SELECT t.root_id FROM tenants t WHERE t.id = $1::uuid) AND r.deleted_at IS NULL
    FOR SHARE
), source AS MATERIALIZED (
    SELECT s.* FROM root JOIN tenants s ON s.root_id = root.id WHERE s.id = $7::uuid AND s.deleted_at IS NULL
), made AS (
    INSERT INTO tenants (id, root_id, name, suspended_at, header_prefix, signature_profile, signature_header, retry_schedule,
                         portal_origins, portal_branding)
    SELECT $2::uuid, root.id, $3::text, root.suspended_at, coalesce(s.header_prefix, 'webhook'),
           coalesce(s.signature_profile, 'standard'), s.signature_header, s.retry_schedule, coalesce(s.portal_origins, '{}'),
           s.portal_branding
    FROM root LEFT JOIN source s ON true
    WHERE $7 IS NULL OR s.id IS NOT NULL
    RETURNING id, name, root_id, created_at, updated_at
), keys AS (
    INSERT INTO api_keys (id, tenant_id, name, key_hash, scope, created_by)
    SELECT $4::uuid, id, 'first', $5::bytea, 'all', $6::uuid FROM made
), types AS (
    INSERT INTO event_types (id, tenant_id, name, description, schemas, archived, deprecated, feature_flag, retry_schedule,
                             schema_validation, group_name)
    SELECT uuid_now(), made.id, t.name, t.description, t.schemas, t.archived, t.deprecated, t.feature_flag, t.retry_schedule,
           t.schema_validation, t.group_name
    FROM made CROSS JOIN source s JOIN event_types t ON t.tenant_id = s.id
)
SELECT id, name, root_id, created_at, updated_at FROM made

-- name: environment_rename
UPDATE tenants e SET name = $3::text, updated_at = now()
WHERE e.id = $2::uuid AND e.root_id = (SELECT t.root_id FROM tenants t WHERE t.id = $1::uuid) AND e.deleted_at IS NULL
RETURNING id, name, root_id, created_at, updated_at

-- What it has sent today stays counted. No row: there is none; else whether it is the root, and whether its name is $3: it goes only
-- when it is not, and that is its name.
-- name: environment_delete
WITH target AS MATERIALIZED (
    SELECT e.id, e.root_id, e.name = $3::text AS named FROM tenants e
    WHERE e.id = $2::uuid AND e.root_id = (SELECT t.root_id FROM tenants t WHERE t.id = $1::uuid) AND e.deleted_at IS NULL
), gone AS (
    UPDATE tenants e SET deleted_at = now(), suspended_at = coalesce(e.suspended_at, now()), foreign_id = NULL,
                         version = e.version + 1, updated_at = now()
    FROM target t WHERE e.id = t.id AND t.id <> t.root_id AND t.named
    RETURNING e.id, e.root_id
), spent AS (
    UPDATE tenants r
    SET spent_on = (now() AT TIME ZONE 'UTC')::date,
        spent_messages = CASE WHEN r.spent_on = (now() AT TIME ZONE 'UTC')::date THEN r.spent_messages ELSE 0 END
                         + (SELECT coalesce(sum(h.messages), 0) FROM hourly_stats h
                            WHERE h.owner_id = gone.id AND h.bucket >= date_trunc('day', now()))
    FROM gone WHERE r.id = gone.root_id
)
SELECT id = root_id, named FROM target
