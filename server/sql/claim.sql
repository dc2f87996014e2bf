-- What has arrived since to wait joins the schedule. Before each claim, which sees it then.
-- name: schedule_join
WITH arrived AS (
    DELETE FROM schedule_arrivals
    WHERE ctid = ANY (ARRAY(SELECT ctid FROM schedule_arrivals LIMIT 10000 FOR UPDATE SKIP LOCKED))
    RETURNING endpoint_id, tenant_id
), scheduled AS (
    INSERT INTO endpoint_schedule AS s (endpoint_id, tenant_id, next_due_at)
    SELECT DISTINCT ON (endpoint_id) endpoint_id, tenant_id, now() FROM arrived ORDER BY endpoint_id
    ON CONFLICT (endpoint_id) DO UPDATE
    SET changes = s.changes + 1, next_due_at = least(s.next_due_at, excluded.next_due_at)
    RETURNING 1
)
SELECT count(*)::int4 FROM scheduled

-- Takes due deliveries: from tenant to tenant behind the cursor $5, at most $6 endpoints of each, those that have waited
-- longest first, and at most $3 deliveries of each endpoint, or as many more as make $8 of all together: one that has PostgreSQL
-- for itself is served in larger pieces; none of the endpoints $4 and of the tenants $7. An endpoint
-- with more to do goes to the end of its tenant's order. What is left of a due endpoint says when it is due next; one whose
-- row has changed since this statement's snapshot (deliveries joined that it cannot see) stays due, so that none is
-- forgotten. One whose row is locked, by outcomes or by another node, is looked at again in a moment.
--
-- A paused or disabled endpoint is held, and so is one of a suspended tenant; its change ends that, and so does time, should the news of it be lost. A throttled
-- one gives no more than its bucket holds: a second's worth at most. Those of a throttled application share a bucket too: a
-- claim serves one of them, the one that has waited longest, and none while another node has the bucket. An ordered one gives
-- its oldest messages and is held for this node until they are done; its jobs come one behind the other.
-- name: claim_due
WITH RECURSIVE held AS (
    UPDATE endpoint_schedule s SET held_until = greatest(s.held_until, now() + interval '1 second')
    FROM (
        SELECT endpoint_id FROM endpoint_schedule WHERE endpoint_id = ANY ($4::uuid[])
        ORDER BY endpoint_id FOR UPDATE SKIP LOCKED
    ) full_ones
    WHERE s.endpoint_id = full_ones.endpoint_id
    RETURNING s.serve_at
), first AS MATERIALIZED (
    SELECT tenant_id FROM endpoint_schedule WHERE serve_at <= now() ORDER BY serve_at LIMIT 100
), few AS MATERIALIZED ( -- all tenants of these, when they are all that is due: however many tenants wait for later
    SELECT DISTINCT tenant_id FROM first
    WHERE tenant_id > $5::uuid AND (SELECT count(*) FROM first) < 100 ORDER BY tenant_id
), turns (tenant_id) AS (
    (SELECT tenant_id FROM endpoint_schedule
     WHERE tenant_id > $5::uuid AND serve_at <= now() AND (SELECT count(*) FROM first) = 100
     ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT s.tenant_id FROM endpoint_schedule s WHERE s.tenant_id > t.tenant_id AND s.serve_at <= now()
            ORDER BY s.tenant_id LIMIT 1)
    FROM turns t WHERE t.tenant_id IS NOT NULL
), seen AS MATERIALIZED (
    SELECT s.* FROM (SELECT tenant_id FROM few UNION ALL SELECT tenant_id FROM turns) t CROSS JOIN LATERAL (
        SELECT tenant_id, endpoint_id, changes FROM endpoint_schedule
        WHERE tenant_id = t.tenant_id AND tenant_id <> ALL ($7::uuid[])
          AND serve_at <= now() AND endpoint_id <> ALL ($4::uuid[])
        ORDER BY serve_at LIMIT $6::int4
    ) s
    LIMIT $2::int4
), locked AS MATERIALIZED (
    SELECT s.endpoint_id, s.changes <> seen.changes AS changed, coalesce(e.paused OR e.disabled OR e.polled OR
                    (SELECT t.suspended_at IS NOT NULL FROM tenants t WHERE t.id = e.tenant_id), false) AS stopped,
           coalesce(e.ordering = 'fifo', false) AS ordered, nullif(e.throttle_rate, 0) AS rate,
           least(nullif(e.throttle_rate, 0),
                 coalesce(s.tokens + nullif(e.throttle_rate, 0)
                                     * greatest(0, extract(epoch FROM now() - s.refilled_at)::float8),
                          nullif(e.throttle_rate, 0))) AS own_tokens,
           s.serve_at, s.next_due_at, e.application_id
    FROM seen
    JOIN endpoint_schedule s ON s.endpoint_id = seen.endpoint_id
    LEFT JOIN endpoints e ON e.id = s.endpoint_id
    WHERE s.serve_at <= now() -- still: another node may have served it since the snapshot
    FOR UPDATE OF s SKIP LOCKED
), shared AS MATERIALIZED ( -- by the endpoints of a throttled application
    SELECT b.application_id, a.throttle_rate AS rate,
           least(a.throttle_rate, coalesce(b.tokens + a.throttle_rate * greatest(0, extract(epoch FROM now() - b.refilled_at)::float8),
                                           a.throttle_rate)) AS tokens
    FROM application_throttles b JOIN applications a ON a.id = b.application_id
    WHERE b.application_id IN (SELECT application_id FROM locked WHERE NOT stopped) AND a.throttle_rate > 0
    FOR UPDATE OF b SKIP LOCKED
), turn AS MATERIALIZED ( -- whose it is to take from them
    SELECT DISTINCT ON (application_id) endpoint_id, shared.tokens FROM locked JOIN shared USING (application_id)
    WHERE NOT stopped ORDER BY application_id, serve_at, next_due_at, endpoint_id
), due AS MATERIALIZED (
    SELECT l.*, a.throttle_rate > 0 AND turn.endpoint_id IS NULL AS waits,
           CASE WHEN a.throttle_rate > 0 THEN least(l.own_tokens, coalesce(turn.tokens, 0)) ELSE l.own_tokens END AS tokens
    FROM locked l LEFT JOIN applications a ON a.id = l.application_id LEFT JOIN turn USING (endpoint_id)
), freely AS MATERIALIZED (
    SELECT w.* FROM due CROSS JOIN LATERAL (
        SELECT endpoint_id, message_id, next_at FROM deliveries
        WHERE endpoint_id = due.endpoint_id AND node_id IS NULL AND next_at <= now()
        ORDER BY next_at
        LIMIT least(greatest($3::int4, $8::int4 / (SELECT count(*)::int4 FROM seen)), floor(due.tokens)::int4) FOR UPDATE SKIP LOCKED
    ) w
    WHERE NOT due.ordered AND NOT due.stopped
), in_order AS MATERIALIZED (
    SELECT w.* FROM due CROSS JOIN LATERAL (
        SELECT endpoint_id, message_id, next_at FROM deliveries
        WHERE endpoint_id = due.endpoint_id AND node_id IS NULL
        ORDER BY message_id LIMIT least($3::int4, coalesce(floor(due.tokens)::int4, $3::int4)) FOR UPDATE
    ) w
    WHERE due.ordered AND NOT due.stopped
), picked AS MATERIALIZED (
    SELECT false AS ordered, * FROM freely UNION ALL SELECT true, * FROM in_order
), claimed AS (
    UPDATE deliveries d SET node_id = $1::int4, next_at = NULL FROM picked p
    WHERE d.endpoint_id = p.endpoint_id AND d.message_id = p.message_id
    RETURNING d.endpoint_id, d.message_id, d.tenant_id, d.application_id, d.attempts, d.trigger_type, p.ordered, p.next_at
), sums AS MATERIALIZED (
    SELECT endpoint_id, count(*) AS n FROM picked GROUP BY endpoint_id
), taken AS MATERIALIZED (
    SELECT due.*, coalesce((SELECT n FROM sums WHERE sums.endpoint_id = due.endpoint_id), 0) AS n FROM due
), rest AS MATERIALIZED (
    SELECT taken.*, (
        SELECT next_at FROM deliveries
        WHERE endpoint_id = taken.endpoint_id AND node_id IS NULL ORDER BY next_at OFFSET taken.n LIMIT 1
    ) AS next_at, taken.ordered AND taken.n > 0 AS busy FROM taken
), spent AS MATERIALIZED (
    UPDATE application_throttles b SET tokens = s.tokens - u.n, refilled_at = greatest(b.refilled_at, now())
    FROM shared s JOIN (SELECT application_id, sum(n) AS n FROM taken GROUP BY application_id) u USING (application_id)
    WHERE b.application_id = s.application_id
    RETURNING b.application_id, now() + greatest(0, (1 - b.tokens) / s.rate) * interval '1 second' AS next_at
), moved AS (
    UPDATE endpoint_schedule s
    SET next_due_at = CASE WHEN r.changed THEN least(s.next_due_at, now())
                           WHEN r.next_at IS NULL THEN 'infinity'
                           WHEN r.waits THEN r.next_at
                           ELSE greatest(r.next_at, now()) END,
        held_until = CASE WHEN r.busy THEN 'infinity'
                          WHEN r.stopped THEN now() + interval '10 minutes'
                          ELSE greatest(s.held_until, (SELECT next_at FROM spent WHERE application_id = r.application_id),
                                        CASE WHEN r.waits AND r.application_id NOT IN (SELECT application_id FROM shared)
                                             THEN now() + interval '10 milliseconds' END,
                                        CASE WHEN r.own_tokens - r.n < 1
                                             THEN now() + (1 - (r.own_tokens - r.n)) / r.rate * interval '1 second' END) END,
        busy_node = CASE WHEN r.busy THEN $1::int4 END,
        tokens = r.own_tokens - r.n, refilled_at = CASE WHEN r.rate IS NOT NULL THEN greatest(s.refilled_at, now()) END
    FROM rest r
    WHERE s.endpoint_id = r.endpoint_id
      AND (r.changed OR r.next_at IS NOT NULL OR r.busy OR r.rate IS NOT NULL)
    RETURNING s.serve_at
), emptied AS (
    DELETE FROM endpoint_schedule s USING rest r
    WHERE s.endpoint_id = r.endpoint_id
      AND NOT (r.changed OR r.next_at IS NOT NULL OR r.busy OR r.rate IS NOT NULL)
)
SELECT 0::int2, NULL::uuid, NULL::uuid,
       CASE WHEN (SELECT count(*) FROM seen) = $2::int4
            THEN (SELECT tenant_id FROM seen ORDER BY tenant_id DESC LIMIT 1) END,
       NULL::uuid, NULL::int2, NULL::int2, NULL::boolean, NULL::bytea, NULL::int4[], now(),
       least((SELECT min(serve_at) FROM endpoint_schedule WHERE serve_at > now()), (SELECT min(serve_at) FROM held),
             (SELECT min(serve_at) FROM moved WHERE serve_at > now()),
             CASE WHEN (SELECT count(*) FROM due) < (SELECT count(*) FROM seen) THEN now() + interval '10 milliseconds' END),
       EXISTS (SELECT FROM moved WHERE serve_at <= now())
           OR EXISTS (SELECT FROM seen GROUP BY tenant_id HAVING count(*) = $6::int4),
       NULL::text, NULL::text
UNION ALL
(SELECT 1::int2, c.endpoint_id, c.message_id, c.tenant_id, c.application_id, c.attempts, c.trigger_type, c.ordered,
        coalesce(m.raw_body, m.payload), coalesce(v.retry_schedule, t.retry_schedule), c.next_at, NULL, NULL, m.event_type,
        m.content_type
 FROM claimed c
 LEFT JOIN messages m ON m.application_id = c.application_id AND m.id = c.message_id
 LEFT JOIN tenants t ON t.id = c.tenant_id
 LEFT JOIN event_types v ON v.tenant_id = c.tenant_id AND v.name = m.event_type
 ORDER BY c.ordered, CASE WHEN c.ordered THEN c.endpoint_id END, CASE WHEN c.ordered THEN c.message_id END, c.next_at,
          c.message_id)
UNION ALL
SELECT CASE WHEN next_at IS NULL AND NOT changed THEN 2 ELSE 3 END::int2, endpoint_id, NULL, NULL, NULL, NULL, NULL, NULL,
       NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM rest WHERE (changed OR next_at IS NULL OR next_at <= now()) AND NOT busy AND NOT stopped

-- The endpoint has changed: whatever held it, it may be served again, unless it is stopped. One that is gone too, for its
-- deliveries are to be cancelled.
-- name: schedule_release
WITH released AS (
    UPDATE endpoint_schedule s SET held_until = '-infinity', changes = s.changes + 1
    WHERE s.endpoint_id = $1::uuid AND s.held_until > now() AND s.busy_node IS NULL
      AND (SELECT e.disabled OR e.paused OR t.suspended_at IS NOT NULL
           FROM endpoints e JOIN tenants t ON t.id = e.tenant_id WHERE e.id = s.endpoint_id) IS NOT TRUE
    RETURNING 1
)
SELECT count(*)::int4 FROM released

-- The endpoint has room in memory again: ends the second for which claims left it alone, and no longer hold.
-- name: schedule_room
WITH released AS (
    UPDATE endpoint_schedule SET held_until = '-infinity', changes = changes + 1
    WHERE endpoint_id = $1::uuid AND held_until > now() AND held_until <= now() + interval '1 second'
      AND busy_node IS NULL
    RETURNING 1
)
SELECT count(*)::int4 FROM released

-- A row for this node and the lock that is its sign of life.
-- name: node_register
WITH made AS (INSERT INTO nodes (name) VALUES ($1::text) RETURNING id)
SELECT id, pg_try_advisory_lock(1886152040, id) FROM made

-- What node $1 holds.
-- name: node_report
WITH told AS (
    UPDATE nodes SET deliveries = $2::int4, payload_bytes = $3::int8, reported_at = now() WHERE id = $1::int4 RETURNING 1
)
SELECT count(*)::int4 FROM told

-- name: node_unregister
WITH freed AS (
    UPDATE deliveries SET node_id = NULL, next_at = now() WHERE node_id = $1::int4
    RETURNING endpoint_id, tenant_id
), scheduled AS (
    INSERT INTO endpoint_schedule AS s (endpoint_id, tenant_id, next_due_at)
    SELECT endpoint_id, tenant_id, now()
    FROM (SELECT endpoint_id, tenant_id FROM freed
          UNION SELECT endpoint_id, tenant_id FROM endpoint_schedule WHERE busy_node = $1::int4) f
    ORDER BY endpoint_id
    ON CONFLICT (endpoint_id) DO UPDATE
    SET changes = s.changes + 1, next_due_at = least(s.next_due_at, excluded.next_due_at),
        busy_node = CASE WHEN s.busy_node = $1::int4 THEN NULL ELSE s.busy_node END,
        held_until = CASE WHEN s.busy_node = $1::int4 THEN '-infinity' ELSE s.held_until END
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
    INSERT INTO endpoint_schedule AS s (endpoint_id, tenant_id, next_due_at)
    SELECT endpoint_id, tenant_id, now()
    FROM (SELECT endpoint_id, tenant_id FROM freed
          UNION SELECT endpoint_id, tenant_id FROM endpoint_schedule WHERE busy_node = ANY (ARRAY(SELECT id FROM dead))) f
    ORDER BY endpoint_id
    ON CONFLICT (endpoint_id) DO UPDATE
    SET changes = s.changes + 1, next_due_at = least(s.next_due_at, excluded.next_due_at),
        busy_node = CASE WHEN s.busy_node = ANY (ARRAY(SELECT id FROM dead)) THEN NULL ELSE s.busy_node END,
        held_until = CASE WHEN s.busy_node = ANY (ARRAY(SELECT id FROM dead)) THEN '-infinity' ELSE s.held_until END
), marked AS (
    UPDATE nodes n SET dead_at = coalesce(n.dead_at, now()), scanned_at = now() FROM dead
    WHERE n.id = dead.id AND (dead.dead_at IS NULL OR dead.dead_at >= now() - interval '1 minute')
), gone AS (
    DELETE FROM nodes n USING dead WHERE n.id = dead.id AND dead.dead_at < now() - interval '1 minute'
)
SELECT (SELECT count(*)::int4 FROM dead WHERE dead_at IS NULL), (SELECT count(*)::int4 FROM freed)

-- Also forgets full buckets and old tasks, and disables endpoints that have failed for $2 seconds.
-- name: housekeeping
WITH fetched AS (
    DELETE FROM poller_messages WHERE message_id < uuid_floor(now() - $1::int4 * interval '1 day')
), expired AS (
    DELETE FROM idempotency_keys WHERE message_id < uuid_floor(now() - interval '12 hours')
), ended_tokens AS (
    DELETE FROM portal_tokens WHERE expires_at < now()
), old_answers AS (
    DELETE FROM kept_answers WHERE created_at < now() - interval '12 hours'
), old_inbox_requests AS (
    DELETE FROM inbox_requests WHERE id < uuid_floor(now() - interval '1 day')
), full_buckets AS (
    DELETE FROM endpoint_schedule WHERE next_due_at = 'infinity' AND busy_node IS NULL
                                    AND refilled_at < now() - interval '10 minutes'
), old_tasks AS (
    DELETE FROM background_tasks
    WHERE status <> 'running' AND id < uuid_floor(now() - $1::int4 * interval '1 day')
), old_entries AS (
    DELETE FROM audit_log WHERE id < uuid_floor(now() - $2::int4 * interval '1 day')
)
SELECT make_partitions(7) + drop_partitions($1::int4)

-- Clears payloads that have expired, at most $1; those that are still owed to somebody later, at first soon and then
-- ever more rarely. A minute passes before: a statement that did not see the payload expired may just have made a delivery of
-- it. How many were looked at.
-- name: payloads_clear
WITH due AS MATERIALIZED (
    SELECT application_id, id, expires_at FROM messages
    WHERE expires_at IS NOT NULL AND payload IS NOT NULL
      AND coalesce(kept_until, expires_at) < now() - interval '1 minute'
    ORDER BY coalesce(kept_until, expires_at) LIMIT $1::integer FOR UPDATE SKIP LOCKED
), judged AS MATERIALIZED (
    SELECT due.*, EXISTS (SELECT FROM endpoints e JOIN deliveries d ON d.endpoint_id = e.id AND d.message_id = due.id
                          WHERE e.application_id = due.application_id)
               OR EXISTS (SELECT FROM unmatched_messages u WHERE u.message_id = due.id) AS owed
    FROM due
), cleared AS (
    UPDATE messages m
    SET payload = CASE WHEN j.owed THEN m.payload END, raw_body = CASE WHEN j.owed THEN m.raw_body END,
        kept_until = CASE WHEN j.owed THEN now() + greatest(interval '5 minutes', now() - j.expires_at) END
    FROM judged j WHERE m.application_id = j.application_id AND m.id = j.id
)
SELECT count(*)::int4 FROM due

-- name: listen
SELECT count(hear_news())::int4
