-- Removing content. Run by the engine's role, for one tenant each.
--
-- $1 is the tenant, $2 the application's id or $3 its uid (the other one is NULL).
--
-- What is still owed of an expunged message is cancelled: nothing is left that could be sent. A delivery that an outcome has
-- locked in that moment is cancelled by the next claim, which finds no body; one in the memory of a node has its own copy,
-- goes out if it is under way, and is not tried again.

-- Of the messages with ids $5 or event ids $6, numbered by $4. No row: no such application.
-- name: messages_expunge
WITH app AS MATERIALIZED (
    SELECT id FROM applications
    WHERE tenant_id = $1::uuid AND NOT internal
      AND id = coalesce($2::uuid, (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text))
), wanted AS MATERIALIZED (
    SELECT w.n, app.id AS application_id,
           coalesce(w.id, (SELECT u.message_id FROM message_uids u
                           WHERE u.application_id = app.id AND u.tenant_id = $1 AND u.event_id = w.event_id)) AS message_id
    FROM app LEFT JOIN unnest($4::int4[], $5::uuid[], $6::text[]) AS w (n, id, event_id) ON true
), found AS MATERIALIZED (
    SELECT m.application_id, m.id
    FROM (SELECT DISTINCT application_id, message_id FROM wanted) w
    JOIN messages m ON m.application_id = w.application_id AND m.id = w.message_id
    WHERE m.tenant_id = $1
    ORDER BY m.id FOR NO KEY UPDATE OF m
), emptied AS (
    UPDATE messages m SET payload = NULL, raw_body = NULL, expires_at = '-infinity'
    FROM found WHERE m.application_id = found.application_id AND m.id = found.id
), cancelled AS (
    DELETE FROM deliveries d USING (
        SELECT o.endpoint_id, o.message_id
        FROM found JOIN endpoints e ON e.application_id = found.application_id AND e.tenant_id = $1
        JOIN deliveries o ON o.endpoint_id = e.id AND o.message_id = found.id
        FOR UPDATE OF o SKIP LOCKED
    ) c
    WHERE d.endpoint_id = c.endpoint_id AND d.message_id = c.message_id
)
SELECT n, message_id IN (SELECT id FROM found) IS TRUE FROM wanted ORDER BY n

-- Of attempt $6 for message $4 or the one with event id $5. No row: there is none.
-- name: attempt_expunge
WITH named AS MATERIALIZED (
    SELECT a.id AS application_id,
           coalesce($4::uuid, (SELECT u.message_id FROM message_uids u
                               WHERE u.application_id = a.id AND u.tenant_id = $1 AND u.event_id = $5::text)) AS message_id
    FROM applications a
    WHERE a.tenant_id = $1::uuid AND NOT a.internal
      AND a.id = coalesce($2::uuid, (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text))
), target AS MATERIALIZED (
    SELECT m.id
    FROM named w JOIN messages m ON m.application_id = w.application_id AND m.id = w.message_id
    WHERE m.tenant_id = $1
)
UPDATE attempts t SET response = 'EXPUNGED', headers = ''
FROM target WHERE t.message_id = target.id AND t.id = $6::uuid AND t.tenant_id = $1
RETURNING t.id
