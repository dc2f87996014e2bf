-- Deliveries that somebody asked for, or wants no more. Run by the engine's role, for one tenant each.
--
-- $1 is the tenant, $2 the application's id or $3 its uid, $4 the endpoint's id or $5 its uid (the other one is NULL).

-- One delivery of message $6 (or event id $7) to the endpoint; one that waits already is due at once. No row: no such
-- endpoint or message. Refused: the endpoint is disabled, or the message's endpoints are not decided yet.
-- name: delivery_resend
WITH named AS MATERIALIZED (
    SELECT e.application_id, e.id AS endpoint_id, e.disabled OR e.polled AS disabled,
           coalesce($6::uuid, (SELECT u.message_id FROM message_uids u
                               WHERE u.application_id = a.id AND u.tenant_id = $1 AND u.event_id = $7::text)) AS message_id
    FROM applications a
    CROSS JOIN LATERAL (
        SELECT coalesce($4::uuid, (SELECT u.id FROM endpoints u WHERE u.application_id = a.id AND u.uid = $5::text)) AS id OFFSET 0
    ) w
    JOIN endpoints e ON e.id = w.id AND e.application_id = a.id
    WHERE a.tenant_id = $1::uuid AND e.tenant_id = $1 AND NOT a.internal
      AND a.id = CASE WHEN $2::uuid IS NULL
                      THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
), target AS MATERIALIZED (
    SELECT n.application_id, n.endpoint_id, m.id AS message_id, payload_is_gone(m.payload, m.expires_at) AS expired,
           n.disabled OR EXISTS (SELECT FROM unmatched_messages u WHERE u.message_id = m.id) AS refused
    FROM named n JOIN messages m ON m.application_id = n.application_id AND m.id = n.message_id
    WHERE m.tenant_id = $1
), owed AS (
    INSERT INTO deliveries AS d (endpoint_id, message_id, tenant_id, application_id, next_at, trigger_type)
    SELECT endpoint_id, message_id, $1, application_id, now(), 1 FROM target WHERE NOT refused AND NOT expired
    ON CONFLICT (endpoint_id, message_id) DO UPDATE SET next_at = now(), trigger_type = 1 WHERE d.node_id IS NULL
    RETURNING endpoint_id, message_id
), open_again AS (
    DELETE FROM closed_deliveries c USING owed WHERE c.message_id = owed.message_id AND c.endpoint_id = owed.endpoint_id
), arrived AS (
    INSERT INTO schedule_arrivals (endpoint_id, tenant_id) SELECT endpoint_id, $1 FROM owed
)
SELECT refused, expired FROM target

-- Deletes up to $7 deliveries of messages before id $6, those that nodes have claimed too: what has no row is owed by nobody,
-- whatever comes of an attempt that is under way, for an outcome changes rows and makes none. The nodes hear of it so that
-- they do not try what they have in memory; $8: the time in the id. No row: no such endpoint.
-- name: deliveries_cancel
WITH target AS MATERIALIZED (
    SELECT e.id
    FROM applications a
    CROSS JOIN LATERAL (
        SELECT coalesce($4::uuid, (SELECT u.id FROM endpoints u WHERE u.application_id = a.id AND u.uid = $5::text)) AS id OFFSET 0
    ) w
    JOIN endpoints e ON e.id = w.id AND e.application_id = a.id
    WHERE a.tenant_id = $1::uuid AND e.tenant_id = $1 AND NOT a.internal
      AND a.id = CASE WHEN $2::uuid IS NULL
                      THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
), gone AS (
    DELETE FROM deliveries d USING (
        SELECT w.* FROM target CROSS JOIN LATERAL (
            SELECT endpoint_id, message_id FROM deliveries
            WHERE endpoint_id = target.id AND message_id < $6::uuid
            ORDER BY message_id LIMIT $7::integer FOR UPDATE
        ) w
    ) c
    WHERE d.endpoint_id = c.endpoint_id AND d.message_id = c.message_id
    RETURNING d.endpoint_id, d.message_id, d.tenant_id, d.application_id
), closed AS (
    INSERT INTO closed_deliveries (message_id, endpoint_id, tenant_id, state)
    SELECT g.message_id, g.endpoint_id, g.tenant_id, 4
    FROM gone g JOIN messages m ON m.application_id = g.application_id AND m.id = g.message_id
    ON CONFLICT (message_id, endpoint_id) DO UPDATE SET state = excluded.state
)
SELECT (SELECT count(*)::int4 FROM gone), announce('cancel:' || target.id::text || ':' || $8::bigint)
FROM target

-- Stores message $6 for this endpoint alone, with its delivery. No row: no such endpoint.
-- name: message_send_to
WITH target AS MATERIALIZED (
    SELECT e.application_id, e.id, e.disabled OR e.polled AS disabled
    FROM applications a
    CROSS JOIN LATERAL (
        SELECT coalesce($4::uuid, (SELECT u.id FROM endpoints u WHERE u.application_id = a.id AND u.uid = $5::text)) AS id OFFSET 0
    ) w
    JOIN endpoints e ON e.id = w.id AND e.application_id = a.id
    WHERE a.tenant_id = $1::uuid AND e.tenant_id = $1 AND NOT a.internal
      AND a.id = CASE WHEN $2::uuid IS NULL
                      THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
), stored AS (
    INSERT INTO messages (application_id, id, tenant_id, event_type, payload, endpoint_id)
    SELECT application_id, $6::uuid, $1, $7::text, $8::bytea, id FROM target WHERE NOT disabled
    RETURNING application_id, endpoint_id, id
), owed AS (
    INSERT INTO deliveries (endpoint_id, message_id, tenant_id, application_id, next_at)
    SELECT endpoint_id, id, $1, application_id, now() FROM stored
    RETURNING endpoint_id
), arrived AS (
    INSERT INTO schedule_arrivals (endpoint_id, tenant_id) SELECT endpoint_id, $1 FROM owed
)
SELECT disabled, false FROM target
