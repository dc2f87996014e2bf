-- A message to every application of a tenant.

-- Makes task $2 of tenant $1.
-- name: broadcast_create
WITH made AS (
    INSERT INTO background_tasks (id, tenant_id, type, params, since, until, cursor, stop)
    VALUES ($2::uuid, $1::uuid, 'message.broadcast', $3::json, '00000000-0000-0000-0000-000000000000',
            'ffffffff-ffff-ffff-ffff-ffffffffffff', '00000000-0000-0000-0000-000000000000',
            'ffffffff-ffff-ffff-ffff-ffffffffffff')
    RETURNING *
), kept AS (
    INSERT INTO broadcasts (task_id, tenant_id, event_type, event_id, channels, tags, expires_at, payload, raw_body, content_type,
                            deliver_at)
    SELECT id, tenant_id, $4::text, $5::text, $6::text[], $7::text[], $8::timestamptz, $9::bytea, $10::bytea, $11::text,
           $12::timestamptz
    FROM made
)
SELECT id, type, status, params, done, total, queued, error, application_id, endpoint_id, created_at, updated_at,
       result::json
FROM made

-- One step of the broadcast that has waited longest: its message to the next $1 applications, or as many as bring about $2
-- bytes. How far it is and the messages are one transaction. Endpoints are decided later, as of all that is unmatched; while
-- more than $3 of the tenant's are, it waits. An application that has a message with its event id gets none. More than
-- 100,000 applications are not counted. No row: no task is due.
-- name: broadcast_step
WITH task AS MATERIALIZED (
    SELECT t.id, t.tenant_id, t.cursor, t.stop, t.done, t.total, b.event_type, b.event_id, b.channels, b.tags, b.expires_at,
           b.payload, b.raw_body, b.content_type, CASE WHEN b.deliver_at > now() THEN b.deliver_at END AS deliver_at,
           greatest(1, least($1::integer, $2::integer / (1 + octet_length(b.payload) + coalesce(octet_length(b.raw_body), 0)))) AS most,
           (SELECT count(*) FROM (SELECT FROM unmatched_messages u
                                  WHERE u.tenant_id = t.tenant_id AND u.due_at <= now() LIMIT $3::integer + 1) w) > $3 AS is_full
    FROM background_tasks t JOIN broadcasts b ON b.task_id = t.id
    WHERE t.status = 'running' AND t.type = 'message.broadcast' AND t.next_step_at <= now()
    ORDER BY t.next_step_at LIMIT 1 FOR UPDATE OF t SKIP LOCKED
), walked AS MATERIALIZED (
    SELECT a.id AS application_id, uuid_now() AS message_id
    FROM task CROSS JOIN LATERAL (
        SELECT id FROM applications
        WHERE tenant_id = task.tenant_id AND NOT internal AND id > task.cursor AND id < task.stop
        ORDER BY id LIMIT task.most
    ) a
    WHERE NOT task.is_full
), uids AS (
    INSERT INTO message_uids (application_id, event_id, tenant_id, message_id)
    SELECT w.application_id, task.event_id, task.tenant_id, w.message_id
    FROM task CROSS JOIN walked w WHERE task.event_id IS NOT NULL ORDER BY w.application_id
    ON CONFLICT DO NOTHING
    RETURNING application_id
), made AS (
    INSERT INTO messages (application_id, id, tenant_id, event_type, event_id, channels, tags, expires_at, payload, raw_body,
                          content_type, deliver_at)
    SELECT w.application_id, w.message_id, task.tenant_id, task.event_type, task.event_id, task.channels, task.tags,
           task.expires_at, task.payload, task.raw_body, task.content_type, task.deliver_at
    FROM task CROSS JOIN walked w
    WHERE task.event_id IS NULL OR w.application_id IN (SELECT application_id FROM uids)
    RETURNING application_id, id, tenant_id, deliver_at
), unmatched AS (
    INSERT INTO unmatched_messages (message_id, tenant_id, application_id, due_at)
    SELECT id, tenant_id, application_id, coalesce(deliver_at, now()) FROM made
), ending AS MATERIALIZED (
    SELECT t.id, t.is_full, t.done + (SELECT count(*) FROM walked) AS done, (SELECT count(*) FROM made) AS queued,
           CASE WHEN t.done = 0 AND t.total IS NULL
                THEN (SELECT nullif(count(*), 100001) FROM (SELECT FROM applications
                                                            WHERE tenant_id = t.tenant_id AND NOT internal LIMIT 100001) a)
                ELSE t.total END AS total,
           NOT t.is_full AND (SELECT count(*) FROM walked) < t.most AS is_over
    FROM task t
), moved AS (
    UPDATE background_tasks b
    SET cursor = coalesce((SELECT application_id FROM walked ORDER BY application_id DESC LIMIT 1), b.cursor),
        done = e.done, queued = b.queued + e.queued, status = CASE WHEN e.is_over THEN 'finished' ELSE 'running' END,
        error = NULL, total = CASE WHEN e.is_over THEN e.done ELSE e.total END,
        next_step_at = now() + CASE WHEN e.is_full THEN interval '500 milliseconds' ELSE interval '0' END,
        updated_at = CASE WHEN e.is_full THEN b.updated_at ELSE now() END
    FROM ending e WHERE b.id = e.id
), over AS (
    DELETE FROM broadcasts WHERE task_id = (SELECT id FROM ending WHERE is_over)
)
SELECT CASE WHEN is_over THEN 'finished' ELSE 'running' END, queued::int4 FROM ending
