-- Reading messages.
--
-- $1 is the tenant, $2 the application's id or $3 its uid (the other one is NULL). Content that is not asked for or gone is
-- replaced here (payload_shown), so that it is not read from disk.

-- Newest first, ids strictly between $4 and $5. No row: no such application. One row without an id: no message. The page
-- ends early behind the row that brings the payloads over $11 bytes; `found` counts the rows without that. No more than $12
-- rows are walked: when there are more and the page is not full, `walked_to` is the last one.
-- both: message_list
WITH app AS (
    SELECT id FROM applications
    WHERE tenant_id = $1::uuid
      AND id = CASE WHEN $2::uuid IS NULL
                    THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
), edge AS (
    SELECT w.id FROM app CROSS JOIN LATERAL (
        SELECT c.id FROM messages c
        WHERE c.application_id = app.id AND c.tenant_id = $1 AND c.id > $4::uuid AND c.id < $5::uuid
        ORDER BY c.id {DESC|ASC} OFFSET $12::integer - 1 LIMIT 1
    ) w
)
SELECT m.id, m.event_type, m.event_id, m.channels, m.tags, m.payload, m.deliver_at, m.found,
       CASE WHEN coalesce(m.found, 0) < $6 THEN (SELECT id FROM edge) END AS walked_to
FROM app LEFT JOIN LATERAL (
    SELECT p.*, count(*) OVER () AS found,
           sum(octet_length(p.payload)) OVER (ORDER BY p.id {DESC|ASC} ROWS UNBOUNDED PRECEDING) - octet_length(p.payload) AS before
    FROM (
        SELECT c.id, c.event_type, c.event_id, c.channels, c.tags, c.deliver_at,
               payload_shown(c.payload, c.expires_at, $10::boolean) AS payload
        FROM (
            SELECT * FROM messages
            WHERE application_id = app.id AND tenant_id = $1 AND id > $4 AND id < $5
            ORDER BY id {DESC|ASC} LIMIT $12
        ) c
        WHERE ($7::text IS NULL OR $7 = ANY (c.channels))
          AND ($8::text[] IS NULL OR c.event_type = ANY ($8))
          AND ($9::text IS NULL OR $9 = ANY (c.tags))
        ORDER BY c.id {DESC|ASC} LIMIT $6::integer
    ) p
) m ON m.before < $11::bigint
ORDER BY m.id {DESC|ASC}

-- Message $4, or the one with event id $5.
-- name: message_get
WITH target AS MATERIALIZED (
    SELECT a.id AS application_id,
           coalesce($4::uuid, (SELECT u.message_id FROM message_uids u
                               WHERE u.application_id = a.id AND u.tenant_id = $1 AND u.event_id = $5::text)) AS message_id
    FROM applications a
    WHERE a.tenant_id = $1::uuid
      AND a.id = CASE WHEN $2::uuid IS NULL
                      THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
)
SELECT m.id, m.event_type, m.event_id, m.channels, m.tags,
       payload_shown(m.payload, m.expires_at, $6::boolean) AS payload, m.deliver_at
FROM target t JOIN messages m ON m.application_id = t.application_id AND m.id = t.message_id
WHERE m.tenant_id = $1

-- Message $4, or the one with event id $5, with the body that is delivered in place of the payload.
-- name: message_get_raw
WITH target AS MATERIALIZED (
    SELECT a.id AS application_id,
           coalesce($4::uuid, (SELECT u.message_id FROM message_uids u
                               WHERE u.application_id = a.id AND u.tenant_id = $1 AND u.event_id = $5::text)) AS message_id
    FROM applications a
    WHERE a.tenant_id = $1::uuid
      AND a.id = CASE WHEN $2::uuid IS NULL
                      THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
)
SELECT m.id, m.event_type, m.event_id, m.channels, m.tags,
       payload_shown(coalesce(m.raw_body, m.payload), m.expires_at, true) AS payload, m.deliver_at
FROM target t JOIN messages m ON m.application_id = t.application_id AND m.id = t.message_id
WHERE m.tenant_id = $1

-- Messages with the ids $4, without their payloads, in no order. No row: no such application. One row without an id: no message.
-- name: message_get_many
WITH app AS (
    SELECT id FROM applications
    WHERE tenant_id = $1::uuid
      AND id = CASE WHEN $2::uuid IS NULL
                    THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
)
SELECT m.id, m.event_type, m.event_id, m.channels, m.tags, NULL::bytea AS payload, m.deliver_at
FROM app LEFT JOIN messages m ON m.application_id = app.id AND m.id = ANY ($4::uuid[]) AND m.tenant_id = $1

-- Endpoints that message $4 (or event id $5) was or is to be sent to, ids strictly between $6 and $7, newest first. `owed`:
-- there still is a delivery, made so many `attempts` of. No row: no such message. One row without an id: no endpoint.
-- Attempts are looked for from an hour before the message on, for nodes' clocks differ.
-- both: message_endpoints
WITH named AS MATERIALIZED (
    SELECT a.id AS application_id,
           coalesce($4::uuid, (SELECT u.message_id FROM message_uids u
                               WHERE u.application_id = a.id AND u.tenant_id = $1 AND u.event_id = $5::text)) AS message_id
    FROM applications a
    WHERE a.tenant_id = $1::uuid
      AND a.id = CASE WHEN $2::uuid IS NULL
                      THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
), target AS MATERIALIZED (
    SELECT m.application_id, m.id, uuid_floor(uuid_time(m.id) - interval '1 hour') AS since
    FROM named w JOIN messages m ON m.application_id = w.application_id AND m.id = w.message_id
    WHERE m.tenant_id = $1
), newest AS MATERIALIZED (
    SELECT DISTINCT ON (t.endpoint_id) t.endpoint_id, t.status
    FROM target JOIN attempts t ON t.message_id = target.id AND t.id >= target.since
    WHERE t.tenant_id = $1
    ORDER BY t.endpoint_id, t.id DESC
), closed AS MATERIALIZED (
    SELECT k.endpoint_id, k.state FROM target JOIN closed_deliveries k ON k.message_id = target.id WHERE k.tenant_id = $1
)
SELECT e.id, e.uid, e.url, e.description, e.disabled, e.event_types, e.channels, e.metadata, e.throttle_rate,
       e.created_at, e.updated_at, e.signature_profile, e.signature_header,
       e.paused, e.ordering, e.retry_schedule, e.failing_since, e.disabled_reason, e.filter,
       e.last_status, e.owed, e.attempts, e.next_at, e.state
FROM target LEFT JOIN LATERAL (
    SELECT c.*, n.status AS last_status, d.endpoint_id IS NOT NULL AS owed, d.attempts, d.next_at, k.state
    FROM endpoints c
    LEFT JOIN newest n ON n.endpoint_id = c.id
    LEFT JOIN closed k ON k.endpoint_id = c.id
    LEFT JOIN deliveries d ON d.endpoint_id = c.id AND d.message_id = target.id AND d.tenant_id = $1
    WHERE c.application_id = target.application_id AND c.tenant_id = $1 AND c.id > $6::uuid AND c.id < $7::uuid
      AND (n.endpoint_id IS NOT NULL OR d.endpoint_id IS NOT NULL OR k.endpoint_id IS NOT NULL)
    ORDER BY c.id {DESC|ASC} LIMIT $8::integer
) e ON true
ORDER BY e.id {DESC|ASC}
