-- What applications have used, counted by a background task.

-- Makes task $2 of tenant $1: hours from that of id $4 to before that of $5. The applications are those with ids $7 or uids $8,
-- numbered by $6; NULL: all. No row: there is none of them. The last column: the numbers of those that there are not.
-- name: usage_create
WITH wanted AS MATERIALIZED (
    SELECT w.n, (SELECT a.id FROM applications a
                 WHERE a.tenant_id = $1::uuid
                   AND a.id = coalesce(w.id, (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = w.uid))) AS id
    FROM unnest($6::int4[], $7::uuid[], $8::text[]) AS w (n, id, uid)
), made AS (
    INSERT INTO background_tasks (id, tenant_id, type, params, since, until, cursor, stop, applications)
    SELECT $2::uuid, $1, 'application.stats', $3::json, $4::uuid, $5::uuid, '00000000-0000-0000-0000-000000000000',
           'ffffffff-ffff-ffff-ffff-ffffffffffff',
           CASE WHEN $6 IS NOT NULL THEN ARRAY(SELECT DISTINCT id FROM wanted WHERE id IS NOT NULL ORDER BY id) END
    WHERE $6 IS NULL OR EXISTS (SELECT FROM wanted WHERE id IS NOT NULL)
    RETURNING *
)
SELECT id, type, status, params, done, total, queued, error, application_id, endpoint_id, created_at, updated_at, result::json,
       ARRAY(SELECT n FROM wanted WHERE id IS NULL ORDER BY n)
FROM made

-- One step of the one that has waited longest: the next $1 applications. No row: no task is due.
-- name: usage_step
WITH task AS MATERIALIZED (
    SELECT id, tenant_id, cursor, stop, done, total, applications, uuid_time(since) AS since, uuid_time(until) AS until
    FROM background_tasks
    WHERE status = 'running' AND type = 'application.stats' AND next_step_at <= now()
    ORDER BY next_step_at LIMIT 1 FOR UPDATE SKIP LOCKED
), walked AS MATERIALIZED (
    SELECT a.id, a.uid FROM task CROSS JOIN LATERAL (
        SELECT id, uid FROM applications
        WHERE tenant_id = task.tenant_id AND NOT internal AND id > task.cursor AND id < task.stop
        ORDER BY id LIMIT $1::integer
    ) a
    WHERE task.applications IS NULL
    UNION ALL
    (SELECT a.id, a.uid FROM task CROSS JOIN LATERAL unnest(task.applications) AS w (id)
     JOIN applications a ON a.id = w.id AND a.tenant_id = task.tenant_id
     WHERE w.id > task.cursor ORDER BY w.id LIMIT $1)
), counted AS MATERIALIZED (
    SELECT w.id, w.uid, h.messages, h.success, h.failure, h.exhausted
    FROM task CROSS JOIN walked w CROSS JOIN LATERAL (
        SELECT coalesce(sum(messages), 0) AS messages, coalesce(sum(success), 0) AS success,
               coalesce(sum(failure), 0) AS failure, coalesce(sum(exhausted), 0) AS exhausted
        FROM hourly_stats
        WHERE owner_id = w.id AND tenant_id = task.tenant_id AND bucket >= task.since AND bucket < task.until
    ) h
), ending AS MATERIALIZED (
    SELECT t.id, t.done + (SELECT count(*) FROM walked) AS done, (SELECT count(*) FROM walked) < $1 AS is_over,
           CASE WHEN t.done = 0 AND t.total IS NULL
                THEN (SELECT nullif(count(*), 100001) FROM (SELECT FROM applications
                                                            WHERE tenant_id = t.tenant_id AND NOT internal LIMIT 100001) a)
                ELSE t.total END AS total
    FROM task t
), moved AS (
    UPDATE background_tasks b
    SET cursor = coalesce((SELECT id FROM walked ORDER BY id DESC LIMIT 1), b.cursor), done = e.done, error = NULL,
        result = coalesce(b.result, '[]') || coalesce((
            SELECT jsonb_agg(jsonb_build_object(
                'appId', wire_id('app_', id), 'appUid', uid, 'messages', messages,
                'messageDestinations', success + exhausted, 'attempts', success + failure) ORDER BY id)
            FROM counted), '[]'),
        status = CASE WHEN e.is_over THEN 'finished' ELSE 'running' END,
        total = CASE WHEN e.is_over THEN e.done ELSE e.total END, next_step_at = now(), updated_at = now()
    FROM ending e WHERE b.id = e.id
)
SELECT CASE WHEN is_over THEN 'finished' ELSE 'running' END, 0 FROM ending
