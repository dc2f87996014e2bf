-- Endpoints with their secrets and headers.
--
-- $1 is the tenant, $2 the application's id or $3 its uid (the other one is NULL); where an endpoint is named, $4 is its id
-- or $5 its uid. OFFSET 0 keeps that a value of its own, which row-level security lets an index look for.
--
-- A statement that changes something locks the application's row first and the endpoint's second, so that two of them
-- never wait for each other, and grows both versions: a message whose subscriptions are older is matched again.

-- No row: no such application. One row without an id: it has no endpoint behind $4 in this direction.
-- both: endpoint_list
WITH app AS (
    SELECT id FROM applications
    WHERE tenant_id = $1::uuid
      AND id = CASE WHEN $2::uuid IS NULL
                    THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
)
SELECT e.id, e.uid, e.url, e.description, e.disabled, e.event_types, e.channels, e.metadata, e.throttle_rate,
       e.created_at, e.updated_at, e.signature_profile, e.signature_header,
       e.paused, e.ordering, e.retry_schedule, e.failing_since, e.disabled_reason, e.filter
FROM app LEFT JOIN LATERAL (
    SELECT * FROM endpoints c
    WHERE c.tenant_id = $1 AND c.application_id = app.id AND c.id {<|>} $4::uuid
    ORDER BY c.id {DESC|ASC} LIMIT $5::integer
) e ON true
ORDER BY e.id {DESC|ASC}

-- name: endpoint_get
WITH app AS (
    SELECT id FROM applications
    WHERE tenant_id = $1::uuid
      AND id = CASE WHEN $2::uuid IS NULL
                    THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
)
SELECT e.id, e.uid, e.url, e.description, e.disabled, e.event_types, e.channels, e.metadata, e.throttle_rate,
       e.created_at, e.updated_at, e.signature_profile, e.signature_header,
       e.paused, e.ordering, e.retry_schedule, e.failing_since, e.disabled_reason, e.filter
FROM app
CROSS JOIN LATERAL (
    SELECT coalesce($4::uuid, (SELECT u.id FROM endpoints u WHERE u.application_id = app.id AND u.uid = $5::text)) AS id OFFSET 0
) w
JOIN endpoints e ON e.id = w.id AND e.application_id = app.id
WHERE e.tenant_id = $1

-- Makes the endpoint $4 and its first secret $5, of kind $17. No row: no such application.
-- name: endpoint_create
WITH app AS (
    UPDATE applications SET config_version = config_version + 1
    WHERE tenant_id = $1::uuid
      AND id = CASE WHEN $2::uuid IS NULL
                    THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
    RETURNING id
), e AS (
    INSERT INTO endpoints (id, tenant_id, application_id, uid, url, description, disabled, event_types, channels,
                           metadata, throttle_rate, signature_profile, signature_header, paused, ordering, retry_schedule,
                           filter)
    SELECT $4::uuid, $1, app.id, $7::text, $8::text, $9::text, $10::boolean, $11::text[], $12::text[], $13::json,
           $14::integer, $15::text, $16::text, $18::boolean, $19::text, string_to_array($20::text, ',')::integer[],
           $21::json
    FROM app
    RETURNING *
), secret AS (
    INSERT INTO endpoint_secrets (id, tenant_id, endpoint_id, sealed, kind)
    SELECT $5::uuid, $1, e.id, $6::bytea, $17::smallint FROM e
)
SELECT id, uid, url, description, disabled, event_types, channels, metadata, throttle_rate, created_at, updated_at,
       signature_profile, signature_header, paused, ordering, retry_schedule, failing_since, disabled_reason, filter,
       announce('ep:' || id::text), announce('app:' || application_id::text),
       emit_endpoint_event($1, application_id, id, uid, 'endpoint.created')
FROM e

-- $6: bits of the members that change (enum ph_endpoint_set).
-- name: endpoint_update
WITH target AS MATERIALIZED (
    SELECT e.id, e.application_id, e.disabled
    FROM applications a
    CROSS JOIN LATERAL (
        SELECT coalesce($4::uuid, (SELECT u.id FROM endpoints u WHERE u.application_id = a.id AND u.uid = $5::text)) AS id OFFSET 0
    ) w
    JOIN endpoints e ON e.id = w.id AND e.application_id = a.id
    WHERE a.tenant_id = $1::uuid AND e.tenant_id = $1
      AND a.id = CASE WHEN $2::uuid IS NULL
                      THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
), app AS (
    UPDATE applications a SET config_version = config_version + 1
    FROM target WHERE a.id = target.application_id
    RETURNING a.id, target.id AS endpoint_id
), e AS (
    UPDATE endpoints e
    SET uid = CASE WHEN $6::integer & 1 <> 0 THEN $7::text ELSE e.uid END,
        url = CASE WHEN $6 & 2 <> 0 THEN $8::text ELSE e.url END,
        description = CASE WHEN $6 & 4 <> 0 THEN $9::text ELSE e.description END,
        disabled = CASE WHEN $6 & 8 <> 0 THEN $10::boolean ELSE e.disabled END,
        event_types = CASE WHEN $6 & 16 <> 0 THEN $11::text[] ELSE e.event_types END,
        channels = CASE WHEN $6 & 32 <> 0 THEN $12::text[] ELSE e.channels END,
        metadata = CASE WHEN $6 & 64 <> 0 THEN $13::json ELSE e.metadata END,
        throttle_rate = CASE WHEN $6 & 128 <> 0 THEN $14::integer ELSE e.throttle_rate END,
        signature_profile = CASE WHEN $6 & 65536 <> 0 THEN $15::text ELSE e.signature_profile END,
        signature_header = CASE WHEN $6 & 131072 <> 0 THEN $16::text ELSE e.signature_header END,
        paused = CASE WHEN $6 & 256 <> 0 THEN $17::boolean ELSE e.paused END,
        ordering = CASE WHEN $6 & 512 <> 0 THEN $18::text ELSE e.ordering END,
        retry_schedule = CASE WHEN $6 & 1024 <> 0 THEN string_to_array($19::text, ',')::integer[] ELSE e.retry_schedule END,
        filter = CASE WHEN $6 & 2048 <> 0 THEN $20::json ELSE e.filter END,
        failing_since = CASE WHEN e.disabled AND $6 & 8 <> 0 AND NOT $10 THEN NULL ELSE e.failing_since END,
        disabled_reason = CASE WHEN e.disabled AND $6 & 8 <> 0 AND NOT $10 THEN NULL ELSE e.disabled_reason END,
        version = e.version + 1, updated_at = now()
    FROM app WHERE e.id = app.endpoint_id AND e.tenant_id = $1
    RETURNING e.*
)
SELECT id, uid, url, description, disabled, event_types, channels, metadata, throttle_rate, created_at, updated_at,
       signature_profile, signature_header, paused, ordering, retry_schedule, failing_since, disabled_reason, filter,
       announce('ep:' || id::text), announce('app:' || application_id::text),
       emit_endpoint_event($1, application_id, id, uid, 'endpoint.updated'),
       CASE WHEN disabled <> (SELECT target.disabled FROM target)
            THEN emit_endpoint_event($1, application_id, id, uid,
                                     CASE WHEN disabled THEN 'endpoint.disabled' ELSE 'endpoint.enabled' END) END
FROM e

-- name: endpoint_delete
WITH target AS MATERIALIZED (
    SELECT e.id, e.application_id
    FROM applications a
    CROSS JOIN LATERAL (
        SELECT coalesce($4::uuid, (SELECT u.id FROM endpoints u WHERE u.application_id = a.id AND u.uid = $5::text)) AS id OFFSET 0
    ) w
    JOIN endpoints e ON e.id = w.id AND e.application_id = a.id
    WHERE a.tenant_id = $1::uuid AND e.tenant_id = $1
      AND a.id = CASE WHEN $2::uuid IS NULL
                      THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
), app AS (
    UPDATE applications a SET config_version = config_version + 1
    FROM target WHERE a.id = target.application_id
    RETURNING a.id, target.id AS endpoint_id
), e AS (
    DELETE FROM endpoints e USING app
    WHERE e.id = app.endpoint_id AND e.tenant_id = $1
    RETURNING e.id, e.application_id, e.uid
)
SELECT id, announce('ep:' || id::text), announce('app:' || application_id::text),
       emit_endpoint_event($1, application_id, id, uid, 'endpoint.deleted')
FROM e

-- The current secret.
-- name: endpoint_secret
SELECT s.id, s.sealed, s.kind
FROM applications a
CROSS JOIN LATERAL (
    SELECT coalesce($4::uuid, (SELECT u.id FROM endpoints u WHERE u.application_id = a.id AND u.uid = $5::text)) AS id OFFSET 0
) w
JOIN endpoints e ON e.id = w.id AND e.application_id = a.id
JOIN endpoint_secrets s ON s.endpoint_id = e.id
WHERE a.tenant_id = $1::uuid AND e.tenant_id = $1 AND s.tenant_id = $1 AND s.expires_at IS NULL
  AND a.id = CASE WHEN $2::uuid IS NULL
                  THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
ORDER BY s.id DESC LIMIT 1

-- Makes $6 of kind $10 the current secret; the one before signs along for $8 seconds, with 0 it is deleted. Nothing changes and
-- `rotated` is false when there are already $9 old ones, or when another change of the endpoint came between.
-- name: endpoint_secret_rotate
WITH target AS MATERIALIZED (
    SELECT e.id, e.application_id, e.version,
           (SELECT count(*) FROM endpoint_secrets o
            WHERE o.endpoint_id = e.id AND o.tenant_id = $1::uuid AND o.expires_at > now()) AS old_secrets
    FROM applications a
    CROSS JOIN LATERAL (
        SELECT coalesce($4::uuid, (SELECT u.id FROM endpoints u WHERE u.application_id = a.id AND u.uid = $5::text)) AS id OFFSET 0
    ) w
    JOIN endpoints e ON e.id = w.id AND e.application_id = a.id
    WHERE a.tenant_id = $1 AND e.tenant_id = $1
      AND a.id = CASE WHEN $2::uuid IS NULL
                      THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
), app AS (
    UPDATE applications a SET config_version = config_version + 1
    FROM target
    WHERE a.id = target.application_id AND ($8::integer = 0 OR target.old_secrets < $9::integer)
    RETURNING a.id, target.id AS endpoint_id, target.version
), e AS (
    UPDATE endpoints e SET version = e.version + 1
    FROM app WHERE e.id = app.endpoint_id AND e.tenant_id = $1 AND e.version = app.version
    RETURNING e.id, e.application_id
), dropped AS (
    DELETE FROM endpoint_secrets s USING e
    WHERE s.endpoint_id = e.id AND s.tenant_id = $1
      AND (s.expires_at <= now() OR (s.expires_at IS NULL AND $8 = 0))
), aged AS (
    UPDATE endpoint_secrets s SET expires_at = now() + $8 * interval '1 second'
    FROM e WHERE s.endpoint_id = e.id AND s.tenant_id = $1 AND s.expires_at IS NULL AND $8 > 0
), made AS (
    INSERT INTO endpoint_secrets (id, tenant_id, endpoint_id, sealed, kind)
    SELECT $6::uuid, $1, e.id, $7::bytea, $10::smallint FROM e
    RETURNING endpoint_id
)
SELECT target.old_secrets, told.endpoint_id IS NOT NULL AS rotated
FROM target LEFT JOIN LATERAL (
    SELECT made.endpoint_id, announce('ep:' || made.endpoint_id::text),
           announce('app:' || target.application_id::text)
    FROM made
) told ON true

-- name: endpoint_headers
SELECT e.id, e.version, e.headers_sealed, e.headers_sensitive
FROM applications a
CROSS JOIN LATERAL (
    SELECT coalesce($4::uuid, (SELECT u.id FROM endpoints u WHERE u.application_id = a.id AND u.uid = $5::text)) AS id OFFSET 0
) w
JOIN endpoints e ON e.id = w.id AND e.application_id = a.id
WHERE a.tenant_id = $1::uuid AND e.tenant_id = $1
  AND a.id = CASE WHEN $2::uuid IS NULL
                  THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END

-- Replaces the headers of endpoint $2 if it still has version $3. No row: it has not.
-- name: endpoint_headers_write
WITH target AS MATERIALIZED (
    SELECT e.id, e.application_id FROM endpoints e
    WHERE e.tenant_id = $1::uuid AND e.id = $2::uuid AND e.version = $3::bigint
), app AS (
    UPDATE applications a SET config_version = config_version + 1
    FROM target WHERE a.id = target.application_id AND a.tenant_id = $1
    RETURNING a.id, target.id AS endpoint_id
), e AS (
    UPDATE endpoints e
    SET headers_sealed = $4::bytea, headers_sensitive = $5::text[], version = e.version + 1, updated_at = now()
    FROM app WHERE e.id = app.endpoint_id AND e.tenant_id = $1 AND e.version = $3
    RETURNING e.id, e.application_id
)
SELECT id, announce('ep:' || id::text), announce('app:' || application_id::text)
FROM e

-- Counts of deliveries: finished ones from the roll-up, buckets from $6 to before $7; owed and closed ones of messages with ids from
-- $8 to before $9, of which at most $10 are looked at.
-- name: endpoint_stats
SELECT (SELECT coalesce(sum(s.success), 0)::bigint FROM delivery_stats s
        WHERE s.endpoint_id = e.id AND s.tenant_id = $1 AND s.bucket >= $6::timestamptz AND s.bucket < $7::timestamptz) AS success,
       (SELECT coalesce(sum(s.exhausted), 0)::bigint FROM delivery_stats s
        WHERE s.endpoint_id = e.id AND s.tenant_id = $1 AND s.bucket >= $6 AND s.bucket < $7) AS exhausted,
       owed.pending, owed.sending, closed.canceled, closed.skipped
FROM applications a
CROSS JOIN LATERAL (
    SELECT coalesce($4::uuid, (SELECT u.id FROM endpoints u WHERE u.application_id = a.id AND u.uid = $5::text)) AS id OFFSET 0
) w
JOIN endpoints e ON e.id = w.id AND e.application_id = a.id
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE d.attempts = 0) AS pending, count(*) FILTER (WHERE d.attempts > 0) AS sending
    FROM (
        SELECT attempts FROM deliveries
        WHERE endpoint_id = e.id AND tenant_id = $1 AND message_id >= $8::uuid AND message_id < $9::uuid
        LIMIT $10::integer
    ) d
) owed
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE k.state = 4) AS canceled, count(*) FILTER (WHERE k.state = 5) AS skipped
    FROM (
        SELECT state FROM closed_deliveries
        WHERE endpoint_id = e.id AND tenant_id = $1 AND message_id >= $8 AND message_id < $9
        LIMIT $10
    ) k
) closed
WHERE a.tenant_id = $1::uuid AND e.tenant_id = $1
  AND a.id = CASE WHEN $2::uuid IS NULL
                  THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
