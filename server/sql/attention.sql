-- At most $2 endpoints of the tenant $1 that somebody should look at. Looked at are those that were disabled for their failures
-- and those that have not succeeded for a minute, $2 of each, and the first $3 that have something waiting.
-- name: stats_attention
WITH looked_at AS MATERIALIZED (
    (SELECT e.id FROM endpoints e
     WHERE e.tenant_id = $1::uuid AND e.disabled AND e.disabled_reason IS NOT NULL ORDER BY e.id DESC LIMIT $2::integer)
    UNION
    (SELECT e.id FROM endpoints e
     WHERE e.tenant_id = $1 AND e.failing_since IS NOT NULL AND e.failing_since < now() - interval '1 minute' AND NOT e.disabled
     ORDER BY e.failing_since LIMIT $2)
    UNION
    (SELECT s.endpoint_id FROM endpoint_schedule s
     WHERE s.tenant_id = $1 AND s.next_due_at < 'infinity' ORDER BY s.serve_at LIMIT $3::integer)
)
SELECT e.id, e.application_id, a.name, e.url, e.description, e.disabled_reason, e.failing_since, s.serve_at, d.due_at, c.success, c.failure,
       r.disabled, r.failing, r.overdue, r.unreliable
FROM looked_at l
CROSS JOIN LATERAL (SELECT * FROM endpoints WHERE id = l.id AND tenant_id = $1 LIMIT 1) e
CROSS JOIN LATERAL (SELECT name FROM applications WHERE id = e.application_id AND tenant_id = $1 LIMIT 1) a
LEFT JOIN LATERAL (
    SELECT CASE WHEN serve_at < 'infinity' THEN serve_at END AS serve_at FROM endpoint_schedule
    WHERE endpoint_id = e.id AND tenant_id = $1 LIMIT 1
) s ON true
LEFT JOIN LATERAL (
    SELECT next_at AS due_at FROM deliveries
    WHERE endpoint_id = e.id AND tenant_id = $1 AND node_id IS NULL AND next_at <= now() ORDER BY next_at LIMIT 1
) d ON true
CROSS JOIN LATERAL (
    SELECT coalesce(sum(h.success), 0)::bigint AS success, coalesce(sum(h.failure), 0)::bigint AS failure FROM delivery_stats h
    WHERE h.endpoint_id = e.id AND h.tenant_id = $1 AND h.bucket > now() - interval '1 day'
) c
CROSS JOIN LATERAL (
    SELECT e.disabled AND e.disabled_reason IS NOT NULL AS disabled,
           NOT e.disabled AND e.failing_since IS NOT NULL AND e.failing_since < now() - interval '1 minute' AS failing,
           NOT e.disabled AND NOT e.paused AND d.due_at IS NOT NULL AND d.due_at < now() - interval '5 minutes' AS overdue,
           NOT e.disabled AND c.failure >= 10 AND c.failure > c.success AS unreliable
) r
WHERE r.disabled OR r.failing OR r.overdue OR r.unreliable
ORDER BY r.disabled, e.failing_since, e.id
LIMIT $2

-- Of each of the applications $2: what it has got and what came of it in the last 24 hours, and the state of its first $3 endpoints.
-- name: applications_stats
SELECT a.id, c.messages, c.success, c.failure, e.n, e.failing, e.disabled
FROM unnest($2::uuid[]) AS wanted (id)
CROSS JOIN LATERAL (SELECT id FROM applications WHERE id = wanted.id AND tenant_id = $1::uuid LIMIT 1) a
CROSS JOIN LATERAL (
    SELECT coalesce(sum(h.messages), 0)::bigint AS messages, coalesce(sum(h.success), 0)::bigint AS success,
           coalesce(sum(h.failure), 0)::bigint AS failure
    FROM hourly_stats h WHERE h.owner_id = a.id AND h.tenant_id = $1 AND h.bucket > now() - interval '24 hours'
) c
CROSS JOIN LATERAL (
    SELECT count(*) AS n, count(*) FILTER (WHERE NOT f.disabled AND f.failing_since < now() - interval '1 minute') AS failing,
           count(*) FILTER (WHERE f.disabled AND f.disabled_reason IS NOT NULL) AS disabled
    FROM (SELECT disabled, failing_since, disabled_reason FROM endpoints
          WHERE application_id = a.id AND tenant_id = $1 ORDER BY id LIMIT $3::integer) f
) e
