-- Event types of a tenant. $1 is the tenant everywhere.

-- $7, and $3 of event_type_get: a portal token, which sees event types without a flag and those whose flag it has; NULL: all
-- are seen.

-- By name, strictly between $2 and $3.
-- both: event_type_list
SELECT id, name, description, CASE WHEN $5::boolean THEN schemas END AS schemas, archived, deprecated, feature_flag,
       created_at, updated_at, retry_schedule, schema_validation, rules_version, group_name
FROM event_types
WHERE tenant_id = $1::uuid AND name > $2::text AND name < $3::text AND ($4::boolean OR NOT archived)
  AND (feature_flag IS NULL OR $7::uuid IS NULL
       OR feature_flag = ANY (SELECT unnest(p.feature_flags) FROM portal_tokens p WHERE p.id = $7))
ORDER BY name {DESC|ASC} LIMIT $6::integer

-- name: event_type_get
SELECT id, name, description, schemas, archived, deprecated, feature_flag, created_at, updated_at, retry_schedule, schema_validation, rules_version, group_name
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
                             schema_validation, group_name)
    VALUES ($1, $2, $3::text, $4::json, $5::boolean, $6::boolean, $7::text, $8::uuid, string_to_array($9::text, ',')::integer[],
            $10::text, $11::text)
    ON CONFLICT (tenant_id, name) DO UPDATE
    SET description = excluded.description, schemas = excluded.schemas, archived = excluded.archived,
        deprecated = excluded.deprecated, feature_flag = excluded.feature_flag, retry_schedule = excluded.retry_schedule,
        schema_validation = excluded.schema_validation, group_name = excluded.group_name,
        updated_at = now()
    WHERE t.archived
    RETURNING *
)
SELECT id, name, description, schemas, archived, deprecated, feature_flag, created_at, updated_at, retry_schedule,
       schema_validation, rules_version, group_name,
       CASE WHEN retry_schedule IS DISTINCT FROM (SELECT retry_schedule FROM before)
            THEN announce('tenant:' || tenant_id::text) END
FROM t

-- Makes or replaces. The row has id $8 when it is new.
-- name: event_type_put
WITH before AS MATERIALIZED (
    SELECT retry_schedule FROM event_types WHERE tenant_id = $1::uuid AND name = $2::text
), t AS (
    INSERT INTO event_types (tenant_id, name, description, schemas, archived, deprecated, feature_flag, id, retry_schedule,
                             schema_validation, group_name)
    VALUES ($1, $2, $3::text, $4::json, $5::boolean, $6::boolean, $7::text, $8::uuid, string_to_array($9::text, ',')::integer[],
            $10::text, $11::text)
    ON CONFLICT (tenant_id, name) DO UPDATE
    SET description = excluded.description, schemas = excluded.schemas, archived = excluded.archived,
        deprecated = excluded.deprecated, feature_flag = excluded.feature_flag, retry_schedule = excluded.retry_schedule,
        schema_validation = excluded.schema_validation, group_name = excluded.group_name,
        updated_at = now()
    RETURNING *
)
SELECT id, name, description, schemas, archived, deprecated, feature_flag, created_at, updated_at, retry_schedule,
       schema_validation, rules_version, group_name,
       CASE WHEN retry_schedule IS DISTINCT FROM (SELECT retry_schedule FROM before)
            THEN announce('tenant:' || tenant_id::text) END
FROM t

-- $3: bits of the members that change (enum ph_event_type_set). $12: the rules_version that was looked at; NULL: none was.
-- name: event_type_patch
UPDATE event_types
SET description = CASE WHEN $3::integer & 1 <> 0 THEN $4::text ELSE description END,
    schemas = CASE WHEN $3 & 2 <> 0 THEN $5::json ELSE schemas END,
    archived = CASE WHEN $3 & 4 <> 0 THEN $6::boolean ELSE archived END,
    deprecated = CASE WHEN $3 & 8 <> 0 THEN $7::boolean ELSE deprecated END,
    feature_flag = CASE WHEN $3 & 16 <> 0 THEN $8::text ELSE feature_flag END,
    retry_schedule = CASE WHEN $3 & 32 <> 0 THEN string_to_array($9::text, ',')::integer[] ELSE retry_schedule END,
    schema_validation = CASE WHEN $3 & 64 <> 0 THEN $10::text ELSE schema_validation END,
    group_name = CASE WHEN $3 & 128 <> 0 THEN $11::text ELSE group_name END,
    updated_at = now()
WHERE tenant_id = $1::uuid AND name = $2::text AND rules_version = coalesce($12::bigint, rules_version)
RETURNING id, name, description, schemas, archived, deprecated, feature_flag, created_at, updated_at, retry_schedule,
       schema_validation, rules_version, group_name,
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

-- Which of the types named $2 are checked against a schema.
-- name: event_types_checked
SELECT name FROM event_types WHERE tenant_id = $1::uuid AND name = ANY ($2::text[]) AND schema_validation <> 'off'

-- Makes many, or gives those that are there what they have here, and says which (from 1 on) differed. $9: nothing is written;
-- $8: all others are archived.
-- name: event_types_import
WITH input AS MATERIALIZED (
    SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::boolean[], $6::text[], $7::text[], $10::uuid[])
        WITH ORDINALITY AS i (name, description, schemas, deprecated, group_name, feature_flag, id, n)
), changed AS MATERIALIZED (
    SELECT i.* FROM input i LEFT JOIN event_types t ON t.tenant_id = $1::uuid AND t.name = i.name
    WHERE t.id IS NULL OR t.archived
       OR (t.description, t.schemas::text, t.deprecated, t.group_name, t.feature_flag)
          IS DISTINCT FROM (i.description, i.schemas, i.deprecated, i.group_name, i.feature_flag)
), written AS (
    INSERT INTO event_types (tenant_id, id, name, description, schemas, deprecated, group_name, feature_flag)
    SELECT $1, id, name, description, schemas::json, deprecated, group_name, feature_flag FROM changed WHERE NOT $9::boolean
    ORDER BY name
    ON CONFLICT (tenant_id, name) DO UPDATE
    SET description = excluded.description, schemas = excluded.schemas, deprecated = excluded.deprecated, archived = false,
        group_name = excluded.group_name, feature_flag = excluded.feature_flag, updated_at = now()
), gone AS (
    UPDATE event_types SET archived = true, updated_at = now()
    WHERE tenant_id = $1 AND NOT archived AND $8::boolean AND NOT $9 AND name <> ALL ($2)
)
SELECT n::int4 FROM changed ORDER BY n
