-- What the operator sees of the instance. Role engine. Whatever there is, these read a bounded part of it, by an index.

-- name: instance_nodes
SELECT n.id, n.name, n.started_at,
       EXISTS (SELECT FROM pg_locks l
               WHERE l.locktype = 'advisory' AND l.classid = 1886152040 AND l.objid = n.id::text::oid AND l.objsubid = 2 AND l.granted
                 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())),
       n.deliveries, n.payload_bytes, n.reported_at
FROM nodes n ORDER BY n.id LIMIT 1000

-- At most $1 of everything are counted. An endpoint that could be served now, but has not been yet, is due; one that must not
-- be served yet although deliveries of it are due is held: paused, disabled, of a suspended tenant, failing, or throttled.
-- name: instance_queue
WITH due AS MATERIALIZED (
    SELECT endpoint_id FROM endpoint_schedule WHERE serve_at <= now() ORDER BY serve_at LIMIT $1::integer
), later AS MATERIALIZED (
    SELECT endpoint_id, next_due_at, held_until FROM endpoint_schedule
    WHERE serve_at > now() AND serve_at < 'infinity' ORDER BY serve_at LIMIT $1
), held AS MATERIALIZED (
    SELECT coalesce(e.paused, false) AS paused, e.failing_since IS NOT NULL AND NOT e.paused AS failing
    FROM later l LEFT JOIN endpoints e ON e.id = l.endpoint_id
    WHERE l.next_due_at <= now() AND l.held_until > now()
), waiting AS MATERIALIZED (
    SELECT d.next_at
    FROM (SELECT endpoint_id FROM due UNION ALL SELECT endpoint_id FROM later) s CROSS JOIN LATERAL (
        SELECT next_at FROM deliveries WHERE endpoint_id = s.endpoint_id AND node_id IS NULL ORDER BY next_at LIMIT $1
    ) d
    LIMIT $1
), sendable AS MATERIALIZED (
    SELECT d.next_at FROM due CROSS JOIN LATERAL (
        SELECT next_at FROM deliveries
        WHERE endpoint_id = due.endpoint_id AND node_id IS NULL AND next_at <= now() ORDER BY next_at LIMIT $1
    ) d
    LIMIT $1
), oldest AS MATERIALIZED (
    SELECT d.next_at FROM due CROSS JOIN LATERAL (
        SELECT next_at FROM deliveries WHERE endpoint_id = due.endpoint_id AND node_id IS NULL ORDER BY next_at LIMIT 1
    ) d
)
SELECT (SELECT count(*) FROM waiting), (SELECT count(*) FROM sendable),
       (SELECT min(next_at) FROM oldest WHERE next_at <= now()),
       (SELECT nullif(reltuples, -1)::bigint FROM pg_class WHERE oid = 'deliveries'::regclass),
       (SELECT count(*) FROM due), (SELECT count(*) FROM held), (SELECT count(*) FROM held WHERE paused),
       (SELECT count(*) FROM held WHERE failing),
       (SELECT count(*) FROM (SELECT FROM endpoints WHERE failing_since IS NOT NULL AND NOT disabled LIMIT $1) f),
       (SELECT count(*) FROM (SELECT FROM background_tasks WHERE status = 'running' LIMIT $1) t),
       (SELECT count(*) FROM (SELECT FROM unmatched_messages WHERE due_at <= now() LIMIT $1) u),
       (SELECT count(*) FROM (SELECT FROM unmatched_messages WHERE due_at > now() LIMIT $1) u),
       (SELECT count(*) FROM (SELECT FROM tenants WHERE deleted_at IS NOT NULL LIMIT $1) t)
