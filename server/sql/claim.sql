-- Takes due deliveries. What is left of a due endpoint says when it is due next; an endpoint whose row has changed since
-- this statement's snapshot (deliveries joined that it cannot see) is left due, so that none is forgotten. One whose row is
-- locked, by outcomes or by another node, is looked at again in a moment.
-- name: claim_due
WITH held AS (
    UPDATE endpoint_schedule SET held_until = greatest(held_until, now() + interval '1 second')
    WHERE endpoint_id = ANY ($4::uuid[])
    RETURNING serve_at
), seen AS MATERIALIZED (
    SELECT endpoint_id, changes FROM endpoint_schedule
    WHERE serve_at <= now() AND endpoint_id <> ALL ($4::uuid[])
    ORDER BY serve_at LIMIT $2::int4
), due AS MATERIALIZED (
    SELECT s.endpoint_id, seen.changes FROM seen JOIN endpoint_schedule s ON s.endpoint_id = seen.endpoint_id
    FOR UPDATE OF s SKIP LOCKED
), picked AS MATERIALIZED (
    SELECT w.* FROM due CROSS JOIN LATERAL (
        SELECT endpoint_id, message_id, next_at FROM deliveries
        WHERE endpoint_id = due.endpoint_id AND node_id IS NULL AND next_at <= now()
        ORDER BY next_at LIMIT $3::int4 FOR UPDATE SKIP LOCKED
    ) w
), claimed AS (
    UPDATE deliveries d SET node_id = $1::int4, next_at = NULL FROM picked p
    WHERE d.endpoint_id = p.endpoint_id AND d.message_id = p.message_id
    RETURNING d.endpoint_id, d.message_id, d.tenant_id, d.application_id, d.attempts, p.next_at
), rest AS MATERIALIZED (
    SELECT due.endpoint_id, due.changes, (
        SELECT next_at FROM deliveries
        WHERE endpoint_id = due.endpoint_id AND node_id IS NULL
        ORDER BY next_at OFFSET (SELECT count(*) FROM picked WHERE picked.endpoint_id = due.endpoint_id) LIMIT 1
    ) AS next_at FROM due
), moved AS (
    UPDATE endpoint_schedule s SET next_due_at = r.next_at FROM rest r
    WHERE s.endpoint_id = r.endpoint_id AND s.changes = r.changes AND r.next_at IS NOT NULL
), emptied AS (
    DELETE FROM endpoint_schedule s USING rest r
    WHERE s.endpoint_id = r.endpoint_id AND s.changes = r.changes AND r.next_at IS NULL
)
SELECT NULL::uuid, NULL::uuid, NULL::uuid, NULL::uuid, NULL::int2, NULL::bytea, now(),
       least((SELECT min(serve_at) FROM endpoint_schedule WHERE serve_at > now()), (SELECT min(next_at) FROM rest),
             (SELECT min(serve_at) FROM held),
             CASE WHEN (SELECT count(*) FROM due) < (SELECT count(*) FROM seen) THEN now() + interval '10 milliseconds' END),
       (SELECT count(*) FROM seen) = $2::int4 OR EXISTS (SELECT FROM rest WHERE next_at <= now())
UNION ALL
(SELECT c.endpoint_id, c.message_id, c.tenant_id, c.application_id, c.attempts, m.payload, c.next_at, NULL, NULL
 FROM claimed c LEFT JOIN messages m ON m.application_id = c.application_id AND m.id = c.message_id
 ORDER BY c.next_at, c.message_id)

-- The endpoint may be served again, unless it is disabled. One that is gone too, for its deliveries are to be cancelled.
-- name: schedule_release
WITH released AS (
    UPDATE endpoint_schedule s SET held_until = '-infinity', changes = s.changes + 1
    WHERE s.serve_at = 'infinity' AND ($1::uuid IS NULL OR s.endpoint_id = $1::uuid)
      AND (SELECT e.disabled FROM endpoints e WHERE e.id = s.endpoint_id) IS NOT TRUE
    RETURNING 1
)
SELECT count(*)::int4 FROM released

-- A row for this node and the lock that is its sign of life.
-- name: node_register
WITH made AS (INSERT INTO nodes (name) VALUES ($1::text) RETURNING id)
SELECT id, pg_try_advisory_lock(1886152040, id) FROM made

-- name: node_unregister
WITH freed AS (
    UPDATE deliveries SET node_id = NULL, next_at = now() WHERE node_id = $1::int4
    RETURNING endpoint_id, tenant_id
), scheduled AS (
    INSERT INTO endpoint_schedule (endpoint_id, tenant_id, next_due_at)
    SELECT DISTINCT endpoint_id, tenant_id, now() FROM freed ORDER BY endpoint_id
    ON CONFLICT (endpoint_id) DO UPDATE
    SET changes = endpoint_schedule.changes + 1,
        next_due_at = least(endpoint_schedule.next_due_at, excluded.next_due_at)
), gone AS (
    DELETE FROM nodes WHERE id = $1::int4
)
SELECT count(*)::int4 FROM freed

-- Frees the deliveries of nodes whose lock is free; again until a minute has passed, because a statement that a dead node
-- had sent may commit after its death (no statement lives longer than statement_timeout).
-- name: nodes_take_over
WITH dead AS MATERIALIZED (
    SELECT id, dead_at FROM nodes
    WHERE id <> $1::int4 AND (scanned_at IS NULL OR scanned_at < now() - interval '20 seconds')
      AND pg_try_advisory_xact_lock(1886152040, id)
), freed AS (
    UPDATE deliveries SET node_id = NULL, next_at = now()
    WHERE (SELECT count(*) FROM dead) > 0 AND node_id = ANY (ARRAY(SELECT id FROM dead))
    RETURNING endpoint_id, tenant_id
), scheduled AS (
    INSERT INTO endpoint_schedule (endpoint_id, tenant_id, next_due_at)
    SELECT DISTINCT endpoint_id, tenant_id, now() FROM freed ORDER BY endpoint_id
    ON CONFLICT (endpoint_id) DO UPDATE
    SET changes = endpoint_schedule.changes + 1,
        next_due_at = least(endpoint_schedule.next_due_at, excluded.next_due_at)
), marked AS (
    UPDATE nodes n SET dead_at = coalesce(n.dead_at, now()), scanned_at = now() FROM dead
    WHERE n.id = dead.id AND (dead.dead_at IS NULL OR dead.dead_at >= now() - interval '1 minute')
), gone AS (
    DELETE FROM nodes n USING dead WHERE n.id = dead.id AND dead.dead_at < now() - interval '1 minute'
)
SELECT (SELECT count(*)::int4 FROM dead WHERE dead_at IS NULL), (SELECT count(*)::int4 FROM freed)

-- name: housekeeping
WITH expired AS (
    DELETE FROM idempotency_keys WHERE message_id < uuid_floor(now() - interval '12 hours')
)
SELECT make_partitions(7) + drop_partitions($1::int4)

-- name: listen
LISTEN posthorn
