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
      AND id = CASE WHEN $2::uuid IS NULL
                    THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
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
), unplanned AS (
    DELETE FROM unmatched_messages u USING found WHERE u.message_id = found.id RETURNING u.message_id
), emptied AS (
    UPDATE messages m
    SET payload = NULL, raw_body = NULL, expires_at = '-infinity',
        deliver_at = CASE WHEN m.id NOT IN (SELECT message_id FROM unplanned) THEN m.deliver_at END
    FROM found WHERE m.application_id = found.application_id AND m.id = found.id
), cancelled AS (
    DELETE FROM deliveries d USING (
        SELECT o.endpoint_id, o.message_id
        FROM found JOIN endpoints e ON e.application_id = found.application_id AND e.tenant_id = $1
        JOIN deliveries o ON o.endpoint_id = e.id AND o.message_id = found.id
        FOR UPDATE OF o SKIP LOCKED
    ) c
    WHERE d.endpoint_id = c.endpoint_id AND d.message_id = c.message_id
    RETURNING d.message_id, d.endpoint_id
), closed AS (
    INSERT INTO closed_deliveries (message_id, endpoint_id, tenant_id, state)
    SELECT message_id, endpoint_id, $1, 4 FROM cancelled
    ON CONFLICT (message_id, endpoint_id) DO UPDATE SET state = excluded.state
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
      AND a.id = CASE WHEN $2::uuid IS NULL
                      THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
), target AS MATERIALIZED (
    SELECT m.id
    FROM named w JOIN messages m ON m.application_id = w.application_id AND m.id = w.message_id
    WHERE m.tenant_id = $1
)
UPDATE attempts t SET response = 'EXPUNGED', headers = ''
FROM target WHERE t.message_id = target.id AND t.id = $6::uuid AND t.tenant_id = $1
RETURNING t.id

-- Makes the task $4 that expunges all messages of the application before id $5. No row: no such application.
-- name: purge_create
INSERT INTO background_tasks (id, tenant_id, application_id, type, params, since, until, cursor, stop)
SELECT $4::uuid, $1, a.id, 'application.purge_content', '{}', '00000000-0000-0000-0000-000000000000', $5::uuid,
       '00000000-0000-0000-0000-000000000000', $5
FROM applications a
WHERE a.tenant_id = $1::uuid
  AND a.id = CASE WHEN $2::uuid IS NULL
                  THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
RETURNING id, type, status, params, done, total, queued, error, application_id, endpoint_id, created_at, updated_at, result::json

-- One step of the one that has waited longest: the next $1 messages, and what is owed of them. No row: no task is due.
-- name: purge_step
WITH task AS MATERIALIZED (
    SELECT id, tenant_id, application_id, cursor, stop, done, total FROM background_tasks
    WHERE status = 'running' AND type = 'application.purge_content' AND next_step_at <= now()
    ORDER BY next_step_at LIMIT 1 FOR UPDATE SKIP LOCKED
), walked AS MATERIALIZED (
    SELECT m.id, m.has_content FROM task CROSS JOIN LATERAL (
        SELECT id, payload IS NOT NULL AS has_content FROM messages
        WHERE application_id = task.application_id AND tenant_id = task.tenant_id AND id > task.cursor AND id < task.stop
        ORDER BY id LIMIT $1::integer
    ) m
), last AS MATERIALIZED (
    SELECT id FROM walked ORDER BY id DESC LIMIT 1
), unplanned AS (
    DELETE FROM unmatched_messages u USING walked w WHERE u.message_id = w.id RETURNING u.message_id
), emptied AS (
    UPDATE messages m
    SET payload = NULL, raw_body = NULL, expires_at = '-infinity',
        deliver_at = CASE WHEN m.id NOT IN (SELECT message_id FROM unplanned) THEN m.deliver_at END
    FROM task, walked w
    WHERE w.has_content AND m.application_id = task.application_id AND m.id = w.id AND m.tenant_id = task.tenant_id
    RETURNING 1
), cancelled AS (
    DELETE FROM deliveries d USING (
        SELECT o.endpoint_id, o.message_id
        FROM task CROSS JOIN last
        JOIN endpoints e ON e.application_id = task.application_id AND e.tenant_id = task.tenant_id
        JOIN deliveries o ON o.endpoint_id = e.id AND o.message_id > task.cursor AND o.message_id <= last.id
        FOR UPDATE OF o SKIP LOCKED
    ) c
    WHERE d.endpoint_id = c.endpoint_id AND d.message_id = c.message_id
    RETURNING d.message_id, d.endpoint_id, d.tenant_id
), closed AS (
    INSERT INTO closed_deliveries (message_id, endpoint_id, tenant_id, state)
    SELECT cancelled.message_id, cancelled.endpoint_id, cancelled.tenant_id, 4
    FROM cancelled JOIN walked ON walked.id = cancelled.message_id -- none of a message that retention has taken
    ON CONFLICT (message_id, endpoint_id) DO UPDATE SET state = excluded.state
), ending AS MATERIALIZED (
    SELECT t.id, t.done + (SELECT count(*) FROM walked) AS done, (SELECT count(*) FROM emptied) AS emptied,
           (SELECT count(*) FROM walked) < $1 AS is_over,
           CASE WHEN t.done = 0 AND t.total IS NULL
                THEN (SELECT nullif(count(*), 100001)
                      FROM (SELECT FROM messages
                            WHERE application_id = t.application_id AND tenant_id = t.tenant_id AND id < t.stop
                            LIMIT 100001) m)
                ELSE t.total END AS total
    FROM task t
), moved AS (
    UPDATE background_tasks b
    SET cursor = coalesce((SELECT id FROM last), b.cursor), done = e.done, queued = b.queued + e.emptied, error = NULL,
        status = CASE WHEN e.is_over THEN 'finished' ELSE 'running' END,
        total = CASE WHEN e.is_over THEN e.done ELSE e.total END, next_step_at = now(), updated_at = now()
    FROM ending e WHERE b.id = e.id
)
SELECT CASE WHEN is_over THEN 'finished' ELSE 'running' END, 0 FROM ending
