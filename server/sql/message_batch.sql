-- Stores many messages and their deliveries. Row by row decided: rejected are those whose application changed since the
-- snapshot (0), whose idempotency key is used (1), whose event id is used (2). The checks of keys that a message has both
-- of look at what is committed first, so that neither is kept for a message that the other rejects; where two
-- transactions race for them, the statement asks to be sent again.
-- name: messages_store
WITH stale AS (
    SELECT v.ix FROM unnest($1::int4[], $2::uuid[], $3::int8[]) AS v (ix, id, version)
    LEFT JOIN applications a ON a.id = v.id
    WHERE a.config_version IS DISTINCT FROM v.version
), input AS MATERIALIZED (
    SELECT * FROM unnest($4::int4[], $5::int4[], $6::uuid[], $7::uuid[], $8::uuid[], $9::text[], $10::text[],
                         $11::text[], $12::text[], $13::timestamptz[], $14::uuid[], $15::bytea[])
        AS i (n, ix, id, tenant_id, application_id, event_type, event_id, channels, tags, expires_at, key, payload)
), keys AS (
    INSERT INTO idempotency_keys (tenant_id, key, message_id)
    SELECT tenant_id, key, id FROM input i
    WHERE key IS NOT NULL AND ix <> ALL (ARRAY(SELECT ix FROM stale))
      AND (event_id IS NULL OR NOT EXISTS (SELECT FROM message_uids u
                                           WHERE u.application_id = i.application_id AND u.event_id = i.event_id))
    ON CONFLICT DO NOTHING
    RETURNING message_id
), uids AS (
    INSERT INTO message_uids (application_id, event_id, tenant_id, message_id)
    SELECT application_id, event_id, tenant_id, id FROM input i
    WHERE event_id IS NOT NULL AND ix <> ALL (ARRAY(SELECT ix FROM stale))
      AND (key IS NULL OR NOT EXISTS (SELECT FROM idempotency_keys k
                                      WHERE k.tenant_id = i.tenant_id AND k.key = i.key))
    ON CONFLICT DO NOTHING
    RETURNING message_id
), judged AS (
    SELECT n, ix = ANY (ARRAY(SELECT ix FROM stale)) AS stale,
           key IS NOT NULL AND id NOT IN (SELECT message_id FROM keys) AS no_key,
           event_id IS NOT NULL AND id NOT IN (SELECT message_id FROM uids) AS no_uid,
           key IS NOT NULL AND event_id IS NOT NULL AS has_both
    FROM input
), rejected AS MATERIALIZED (
    SELECT n, CASE WHEN stale THEN 0
                   WHEN has_both AND no_key <> no_uid AND ask_again() THEN 0
                   WHEN no_key THEN 1 ELSE 2 END AS why
    FROM judged WHERE stale OR no_key OR no_uid
), stored AS (
    INSERT INTO messages (application_id, id, tenant_id, event_type, event_id, channels, tags, expires_at, payload)
    SELECT application_id, id, tenant_id, event_type, event_id, string_to_array(channels, ','),
           string_to_array(tags, ','), expires_at, payload
    FROM input WHERE n <> ALL (ARRAY(SELECT n FROM rejected))
), owed AS (
    INSERT INTO deliveries (endpoint_id, message_id, tenant_id, application_id, next_at, node_id)
    SELECT endpoint_id, message_id, tenant_id, application_id, CASE WHEN node_id IS NULL THEN now() END, node_id
    FROM unnest($16::int4[], $17::uuid[], $18::uuid[], $19::uuid[], $20::uuid[], $21::int4[])
        AS d (n, endpoint_id, message_id, tenant_id, application_id, node_id)
    WHERE n <> ALL (ARRAY(SELECT n FROM rejected))
), scheduled AS (
    INSERT INTO endpoint_schedule (endpoint_id, tenant_id, next_due_at)
    SELECT endpoint_id, min(tenant_id::text)::uuid, now() FROM unnest($22::int4[], $23::uuid[], $24::uuid[]) AS w (n, endpoint_id, tenant_id)
    WHERE n <> ALL (ARRAY(SELECT n FROM rejected))
    GROUP BY endpoint_id ORDER BY endpoint_id
    ON CONFLICT (endpoint_id) DO UPDATE SET changes = endpoint_schedule.changes + 1,
        next_due_at = least(endpoint_schedule.next_due_at, excluded.next_due_at)
)
SELECT n, why FROM rejected ORDER BY n

-- name: messages_find
SELECT v.n FROM unnest($1::int4[], $2::uuid[], $3::uuid[]) AS v (n, id, application_id)
JOIN messages m ON m.application_id = v.application_id AND m.id = v.id
