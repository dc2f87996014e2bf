-- Background tasks, and those of an endpoint.
--
-- $1 is the tenant, $2 the application's id or $3 its uid, $4 the endpoint's id or $5 its uid (the other one is NULL).

-- Makes task $6. No row: no such endpoint. A row without an id: the endpoint is disabled.
-- name: task_create
WITH target AS MATERIALIZED (
    SELECT e.id, e.application_id, e.disabled OR e.polled AS disabled
    FROM applications a
    CROSS JOIN LATERAL (
        SELECT coalesce($4::uuid, (SELECT u.id FROM endpoints u WHERE u.application_id = a.id AND u.uid = $5::text)) AS id OFFSET 0
    ) w
    JOIN endpoints e ON e.id = w.id AND e.application_id = a.id
    WHERE a.tenant_id = $1::uuid AND e.tenant_id = $1
      AND a.id = CASE WHEN $2::uuid IS NULL
                      THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
), made AS (
    INSERT INTO background_tasks (id, tenant_id, application_id, endpoint_id, type, params, since, until, cursor, stop)
    SELECT $6::uuid, $1, target.application_id, target.id, $7::text, $8::json, $9::uuid, $10::uuid, $11::uuid, $12::uuid
    FROM target WHERE NOT target.disabled
    RETURNING *
)
SELECT made.id, made.type, made.status, made.params, made.done, made.total, made.queued, made.error, made.application_id,
       made.endpoint_id, made.created_at, made.updated_at, made.result::json
FROM target LEFT JOIN made ON true

-- name: task_get
SELECT id, type, status, params, done, total, queued, error, application_id, endpoint_id, created_at, updated_at,
       result::json
FROM background_tasks WHERE tenant_id = $1::uuid AND id = $2::uuid

-- both: task_list
SELECT id, type, status, params, done, total, queued, error, application_id, endpoint_id, created_at, updated_at,
       NULL::json
FROM background_tasks
WHERE tenant_id = $1::uuid AND id {<|>} $2::uuid
  AND ($4::text IS NULL OR status = $4) AND ($5::text IS NULL OR type = $5)
ORDER BY id {DESC|ASC} LIMIT $3::integer

-- A step under way ends first. One that is over stays as it is.
-- name: task_cancel
WITH unsent AS (
    DELETE FROM broadcasts WHERE tenant_id = $1::uuid AND task_id = $2::uuid
)
UPDATE background_tasks
SET status = CASE WHEN status = 'running' THEN 'failed' ELSE status END,
    error = CASE WHEN status = 'running' THEN 'cancelled' ELSE error END,
    updated_at = CASE WHEN status = 'running' THEN now() ELSE updated_at END
WHERE tenant_id = $1::uuid AND id = $2::uuid
RETURNING id, type, status, params, done, total, queued, error, application_id, endpoint_id, created_at, updated_at,
          result::json

-- One step of the endpoint's task that has waited longest: looks at the next $1 attempts or messages, and makes the deliveries. While
-- more than $2 deliveries of the endpoint wait, the task waits too. A task goes through the endpoint's attempts that were
-- made before it, each message standing at its newest one, or through the application's messages, for those that never
-- came there. What was canceled is sent again by a replay only, for which somebody chose it. Attempts are looked for from an
-- hour before the message on, for nodes' clocks differ. More than 100,000 are not counted. No row: no task is due.
-- name: task_step
WITH task AS MATERIALIZED (
    SELECT id, tenant_id, application_id, endpoint_id, cursor, stop, since, until, done, total,
           type = 'endpoint.replay' AS by_message, type <> 'endpoint.bulk-replay' AS spares_canceled,
           params->>'channel' AS channel, params->>'tag' AS tag, (params->>'status')::int2 AS status,
           (params->>'statusCodeClass')::int2 AS status_class,
           CASE WHEN json_typeof(params->'eventTypes') = 'array'
                THEN ARRAY(SELECT json_array_elements_text(params->'eventTypes')) END AS event_types
    FROM background_tasks
    WHERE status = 'running' AND endpoint_id IS NOT NULL AND next_step_at <= now()
    ORDER BY next_step_at LIMIT 1 FOR UPDATE SKIP LOCKED
), target AS MATERIALIZED (
    SELECT task.*, e.id IS NULL AS gone, coalesce(e.disabled OR e.polled, false) AS disabled, e.event_types AS takes,
           e.channels AS takes_channels, e.filter AS takes_payload,
           (SELECT count(*) FROM (SELECT FROM deliveries d
                                  WHERE d.endpoint_id = task.endpoint_id AND d.node_id IS NULL LIMIT $2::integer + 1) w) > $2 AS is_full
    FROM task LEFT JOIN endpoints e ON e.id = task.endpoint_id
), going AS MATERIALIZED (
    SELECT * FROM target WHERE NOT gone AND NOT disabled AND NOT target.is_full
), walked AS MATERIALIZED (
    SELECT a.id AS place, a.message_id, a.status, a.status_code
    FROM going g CROSS JOIN LATERAL (
        SELECT id, message_id, status, status_code FROM attempts
        WHERE endpoint_id = g.endpoint_id AND tenant_id = g.tenant_id AND id > g.cursor AND id < g.stop
        ORDER BY id LIMIT $1::integer
    ) a
    WHERE NOT g.by_message
    UNION ALL
    SELECT m.id, m.id, NULL, NULL
    FROM going g CROSS JOIN LATERAL (
        SELECT id FROM messages
        WHERE application_id = g.application_id AND tenant_id = g.tenant_id AND id > g.cursor AND id < g.stop
        ORDER BY id LIMIT $1
    ) m
    WHERE g.by_message
), wanted AS MATERIALIZED (
    SELECT m.id
    FROM going g CROSS JOIN walked w CROSS JOIN LATERAL (
        SELECT c.id, c.event_type, c.channels, c.payload FROM messages c
        WHERE c.application_id = g.application_id AND c.id = w.message_id AND c.tenant_id = g.tenant_id
          AND c.id >= g.since AND c.id < g.until AND NOT payload_is_gone(c.payload, c.expires_at)
          AND (c.endpoint_id IS NULL OR c.endpoint_id = g.endpoint_id)
          AND (g.event_types IS NULL OR c.event_type = ANY (g.event_types))
          AND (g.channel IS NULL OR g.channel = ANY (c.channels))
          AND (g.tag IS NULL OR g.tag = ANY (c.tags))
        LIMIT 1
    ) m
    WHERE NOT (g.spares_canceled AND EXISTS (SELECT FROM closed_deliveries k
                                             WHERE k.message_id = m.id AND k.endpoint_id = g.endpoint_id AND k.state = 4))
    AND CASE WHEN g.by_message THEN
        (g.takes IS NULL OR m.event_type = ANY (g.takes)) AND (g.takes_channels IS NULL OR g.takes_channels && m.channels)
        AND NOT EXISTS (SELECT FROM unmatched_messages u WHERE u.message_id = m.id)
        AND (g.takes_payload IS NULL OR filter_takes(g.takes_payload, m.payload))
        AND NOT EXISTS (SELECT FROM attempts a
                        WHERE a.message_id = m.id AND a.endpoint_id = g.endpoint_id AND a.tenant_id = g.tenant_id
                          AND a.id >= uuid_floor(uuid_time(m.id) - interval '1 hour'))
    ELSE
        (g.status IS NULL OR w.status = g.status) AND (g.status_class IS NULL OR w.status_code / 100 * 100 = g.status_class)
        AND NOT EXISTS (SELECT FROM attempts a
                        WHERE a.message_id = w.message_id AND a.endpoint_id = g.endpoint_id AND a.tenant_id = g.tenant_id
                          AND a.id > w.place)
    END
), made AS (
    INSERT INTO deliveries (endpoint_id, message_id, tenant_id, application_id, next_at, trigger_type)
    SELECT g.endpoint_id, w.id, g.tenant_id, g.application_id, now(), 1 FROM going g CROSS JOIN wanted w ORDER BY w.id
    ON CONFLICT DO NOTHING
    RETURNING endpoint_id, tenant_id, message_id
), open_again AS (
    DELETE FROM closed_deliveries c USING made WHERE c.message_id = made.message_id AND c.endpoint_id = made.endpoint_id
), arrived AS (
    INSERT INTO schedule_arrivals (endpoint_id, tenant_id) SELECT DISTINCT endpoint_id, tenant_id FROM made
), counted AS MATERIALIZED (
    SELECT CASE WHEN g.by_message THEN
               (SELECT count(*) FROM (SELECT FROM messages
                                      WHERE application_id = g.application_id AND tenant_id = g.tenant_id
                                        AND id > g.cursor AND id < g.stop LIMIT 100001) m)
           ELSE
               (SELECT count(*) FROM (SELECT FROM attempts
                                      WHERE endpoint_id = g.endpoint_id AND tenant_id = g.tenant_id
                                        AND id > g.cursor AND id < g.stop LIMIT 100001) a)
           END AS n
    FROM going g WHERE g.done = 0 AND g.total IS NULL
), ending AS MATERIALIZED (
    SELECT t.id, t.is_full, t.done + (SELECT count(*) FROM walked) AS done, (SELECT count(*) FROM made) AS queued,
           CASE WHEN t.gone OR t.disabled THEN 'failed'
                WHEN NOT t.is_full AND (SELECT count(*) FROM walked) < $1 THEN 'finished'
                ELSE 'running' END AS status,
           CASE WHEN t.gone THEN 'the endpoint is gone' WHEN t.disabled THEN 'the endpoint is disabled' END AS error
    FROM target t
), moved AS (
    UPDATE background_tasks b
    SET cursor = coalesce((SELECT place FROM walked ORDER BY place DESC LIMIT 1), b.cursor),
        done = e.done, queued = b.queued + e.queued, status = e.status, error = e.error,
        total = CASE WHEN e.status = 'finished' THEN e.done
                     ELSE coalesce(b.total, (SELECT n FROM counted WHERE n <= 100000)) END,
        next_step_at = now() + CASE WHEN e.is_full THEN interval '500 milliseconds' ELSE interval '0' END,
        updated_at = CASE WHEN e.is_full THEN b.updated_at ELSE now() END
    FROM ending e WHERE b.id = e.id
)
SELECT status, queued::int4 FROM ending

-- A step of the task that has waited longest, of those whose type begins with $1, has failed: others first.
-- name: task_postpone
UPDATE background_tasks
SET next_step_at = now() + interval '1 minute', error = 'a step failed and will be tried again', updated_at = now()
WHERE id = (SELECT id FROM background_tasks
            WHERE status = 'running' AND starts_with(type, $1::text) AND next_step_at <= now()
            ORDER BY next_step_at LIMIT 1 FOR UPDATE SKIP LOCKED)
