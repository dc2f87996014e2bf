-- Event types of a tenant. $1 is the tenant everywhere.

-- $7, and $3 of event_type_get: a portal token, which sees event types without a flag and those whose flag it has; NULL: all
-- are seen.

-- Walks upwards by name, strictly between $2 and $3.
-- name: event_type_list_up
SELECT id, name, description, CASE WHEN $5::boolean THEN schemas END AS schemas, archived, deprecated, feature_flag,
       created_at, updated_at, retry_schedule, schema_validation, rules_version
FROM event_types
WHERE tenant_id = $1::uuid AND name > $2::text AND name < $3::text AND ($4::boolean OR NOT archived)
  AND (feature_flag IS NULL OR $7::uuid IS NULL
       OR feature_flag = ANY (SELECT unnest(p.feature_flags) FROM portal_tokens p WHERE p.id = $7))
ORDER BY name LIMIT $6::integer

-- Walks downwards.
-- name: event_type_list_down
SELECT id, name, description, CASE WHEN $5::boolean THEN schemas END AS schemas, archived, deprecated, feature_flag,
       created_at, updated_at, retry_schedule, schema_validation, rules_version
FROM event_types
WHERE tenant_id = $1::uuid AND name > $2::text AND name < $3::text AND ($4::boolean OR NOT archived)
  AND (feature_flag IS NULL OR $7::uuid IS NULL
       OR feature_flag = ANY (SELECT unnest(p.feature_flags) FROM portal_tokens p WHERE p.id = $7))
ORDER BY name DESC LIMIT $6::integer

-- name: event_type_get
SELECT id, name, description, schemas, archived, deprecated, feature_flag, created_at, updated_at, retry_schedule, schema_validation, rules_version
FROM event_types
WHERE tenant_id = $1::uuid AND name = $2::text
  AND (feature_flag IS NULL OR $3::uuid IS NULL
       OR feature_flag = ANY (SELECT unnest(p.feature_flags) FROM portal_tokens p WHERE p.id = $3))

-- A change of the retry schedule is told to all nodes, which keep the tenant's schedules with their subscriptions.

-- Makes one, or revives an archived one of that name. No row: it is there and not archived.
-- name: event_type_create
WITH before AS MATERIALIZED (
    SELECT retry_schedule FROM event_types WHERE tenant_id = $1::uuid AND name = $2::text
), t AS (
    INSERT INTO event_types AS t (tenant_id, name, description, schemas, archived, deprecated, feature_flag, id, retry_schedule,
                             schema_validation)
    VALUES ($1, $2, $3::text, $4::json, $5::boolean, $6::boolean, $7::text, $8::uuid, string_to_array($9::text, ',')::integer[],
            $10::text)
    ON CONFLICT (tenant_id, name) DO UPDATE
    SET description = excluded.description, schemas = excluded.schemas, archived = excluded.archived,
        deprecated = excluded.deprecated, feature_flag = excluded.feature_flag, retry_schedule = excluded.retry_schedule,
        schema_validation = excluded.schema_validation,
        updated_at = now()
    WHERE t.archived
    RETURNING *
)
SELECT id, name, description, schemas, archived, deprecated, feature_flag, created_at, updated_at, retry_schedule,
       schema_validation, rules_version,
       CASE WHEN retry_schedule IS DISTINCT FROM (SELECT retry_schedule FROM before)
            THEN announce('tenant:' || tenant_id::text) END
FROM t

-- Makes or replaces. The row has id $8 when it is new.
-- name: event_type_put
WITH before AS MATERIALIZED (
    SELECT retry_schedule FROM event_types WHERE tenant_id = $1::uuid AND name = $2::text
), t AS (
    INSERT INTO event_types (tenant_id, name, description, schemas, archived, deprecated, feature_flag, id, retry_schedule,
                             schema_validation)
    VALUES ($1, $2, $3::text, $4::json, $5::boolean, $6::boolean, $7::text, $8::uuid, string_to_array($9::text, ',')::integer[],
            $10::text)
    ON CONFLICT (tenant_id, name) DO UPDATE
    SET description = excluded.description, schemas = excluded.schemas, archived = excluded.archived,
        deprecated = excluded.deprecated, feature_flag = excluded.feature_flag, retry_schedule = excluded.retry_schedule,
        schema_validation = excluded.schema_validation,
        updated_at = now()
    RETURNING *
)
SELECT id, name, description, schemas, archived, deprecated, feature_flag, created_at, updated_at, retry_schedule,
       schema_validation, rules_version,
       CASE WHEN retry_schedule IS DISTINCT FROM (SELECT retry_schedule FROM before)
            THEN announce('tenant:' || tenant_id::text) END
FROM t

-- $3: bits of the members that change (enum ph_event_type_set). $11: the rules_version that was looked at; NULL: none was.
-- name: event_type_patch
UPDATE event_types
SET description = CASE WHEN $3::integer & 1 <> 0 THEN $4::text ELSE description END,
    schemas = CASE WHEN $3 & 2 <> 0 THEN $5::json ELSE schemas END,
    archived = CASE WHEN $3 & 4 <> 0 THEN $6::boolean ELSE archived END,
    deprecated = CASE WHEN $3 & 8 <> 0 THEN $7::boolean ELSE deprecated END,
    feature_flag = CASE WHEN $3 & 16 <> 0 THEN $8::text ELSE feature_flag END,
    retry_schedule = CASE WHEN $3 & 32 <> 0 THEN string_to_array($9::text, ',')::integer[] ELSE retry_schedule END,
    schema_validation = CASE WHEN $3 & 64 <> 0 THEN $10::text ELSE schema_validation END,
    updated_at = now()
WHERE tenant_id = $1::uuid AND name = $2::text AND rules_version = coalesce($11::bigint, rules_version)
RETURNING id, name, description, schemas, archived, deprecated, feature_flag, created_at, updated_at, retry_schedule,
       schema_validation, rules_version,
          CASE WHEN $3 & 32 <> 0 THEN announce('tenant:' || tenant_id::text) END

-- name: event_type_archive
UPDATE event_types SET archived = true, updated_at = now()
WHERE tenant_id = $1::uuid AND name = $2::text
RETURNING id

-- name: event_type_expunge
DELETE FROM event_types
WHERE tenant_id = $1::uuid AND name = $2::text
RETURNING id,
          CASE WHEN retry_schedule IS NOT NULL THEN announce('tenant:' || tenant_id::text) END
