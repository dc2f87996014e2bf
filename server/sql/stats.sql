-- Counts, all from roll-ups, and what waits, as far as it can be counted quickly.
--
-- $1 is the tenant, $2 the application's id or $3 its uid (the other one is NULL). Both NULL: of the whole tenant.

-- Buckets of $6 from $4 to before $5, those with something in them. No row: no such application. One row without a time: nothing.
-- name: stats_series
WITH owner AS MATERIALIZED (
    SELECT $1::uuid AS id WHERE $2::uuid IS NULL AND $3::text IS NULL
    UNION ALL
    SELECT a.id FROM applications a
    WHERE a.tenant_id = $1
      AND a.id = CASE WHEN $2 IS NULL
                      THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3) ELSE $2 END
)
SELECT s.at, s.messages, s.success, s.failure, s.exhausted, s.h1, s.h2, s.h3, s.h4, s.h5, s.h6, s.h7, s.h8
FROM owner LEFT JOIN LATERAL (
    SELECT date_bin($6::integer * interval '1 second', h.bucket, 'epoch') AS at, sum(h.messages)::bigint AS messages,
           sum(h.success)::bigint AS success, sum(h.failure)::bigint AS failure, sum(h.exhausted)::bigint AS exhausted,
           sum(h.duration_counts[1])::bigint AS h1, sum(h.duration_counts[2])::bigint AS h2,
           sum(h.duration_counts[3])::bigint AS h3, sum(h.duration_counts[4])::bigint AS h4,
           sum(h.duration_counts[5])::bigint AS h5, sum(h.duration_counts[6])::bigint AS h6,
           sum(h.duration_counts[7])::bigint AS h7, sum(h.duration_counts[8])::bigint AS h8
    FROM hourly_stats h
    WHERE h.owner_id = owner.id AND h.tenant_id = $1 AND h.bucket >= $4::timestamptz AND h.bucket < $5::timestamptz
    GROUP BY 1
) s ON true
ORDER BY s.at

-- The same of endpoint $7 or uid $8 (the other one is NULL), without messages.
-- name: stats_endpoint_series
SELECT s.at, 0::bigint, s.success, s.failure, s.exhausted, s.h1, s.h2, s.h3, s.h4, s.h5, s.h6, s.h7, s.h8
FROM applications a
CROSS JOIN LATERAL (
    SELECT coalesce($7::uuid, (SELECT u.id FROM endpoints u WHERE u.application_id = a.id AND u.uid = $8::text)) AS id OFFSET 0
) w
JOIN endpoints e ON e.id = w.id AND e.application_id = a.id
LEFT JOIN LATERAL (
    SELECT date_bin($6::integer * interval '1 second', h.bucket, 'epoch') AS at,
           sum(h.success)::bigint AS success, sum(h.failure)::bigint AS failure, sum(h.exhausted)::bigint AS exhausted,
           sum(h.duration_counts[1])::bigint AS h1, sum(h.duration_counts[2])::bigint AS h2,
           sum(h.duration_counts[3])::bigint AS h3, sum(h.duration_counts[4])::bigint AS h4,
           sum(h.duration_counts[5])::bigint AS h5, sum(h.duration_counts[6])::bigint AS h6,
           sum(h.duration_counts[7])::bigint AS h7, sum(h.duration_counts[8])::bigint AS h8
    FROM delivery_stats h
    WHERE h.endpoint_id = e.id AND h.tenant_id = $1 AND h.bucket >= $4::timestamptz AND h.bucket < $5::timestamptz
    GROUP BY 1
) s ON true
WHERE a.tenant_id = $1::uuid AND e.tenant_id = $1
  AND a.id = CASE WHEN $2::uuid IS NULL
                  THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
ORDER BY s.at

-- Attempts by event type, of those $6 when it is not NULL, in hours from $4 to before $5. No row: no such application. One row
-- without an event type: none.
-- name: stats_by_event_type
WITH owner AS MATERIALIZED (
    SELECT $1::uuid AS id WHERE $2::uuid IS NULL AND $3::text IS NULL
    UNION ALL
    SELECT a.id FROM applications a
    WHERE a.tenant_id = $1
      AND a.id = CASE WHEN $2 IS NULL
                      THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3) ELSE $2 END
)
SELECT s.event_type, s.success, s.failure
FROM owner LEFT JOIN LATERAL (
    SELECT h.event_type, sum(h.success)::bigint AS success, sum(h.failure)::bigint AS failure
    FROM hourly_stats h
    WHERE h.owner_id = owner.id AND h.tenant_id = $1 AND h.bucket >= $4::timestamptz AND h.bucket < $5::timestamptz
      AND ($6::text[] IS NULL OR h.event_type = ANY ($6))
    GROUP BY h.event_type HAVING sum(h.success) + sum(h.failure) > 0
) s ON true
ORDER BY s.event_type

-- What waits in the database: of the first $4 endpoints that have something waiting, so many deliveries at most. No row: no
-- such application.
-- name: stats_backlog
WITH owner AS MATERIALIZED (
    SELECT NULL::uuid AS id WHERE $2::uuid IS NULL AND $3::text IS NULL
    UNION ALL
    SELECT a.id FROM applications a
    WHERE a.tenant_id = $1::uuid
      AND a.id = CASE WHEN $2 IS NULL
                      THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3) ELSE $2 END
), scheduled AS MATERIALIZED (
    SELECT s.endpoint_id FROM owner CROSS JOIN LATERAL (
        SELECT endpoint_id FROM endpoint_schedule
        WHERE tenant_id = $1 AND next_due_at < 'infinity' ORDER BY serve_at LIMIT $4::integer
    ) s
    WHERE owner.id IS NULL
    UNION ALL
    (SELECT s.endpoint_id
     FROM owner JOIN endpoints e ON e.application_id = owner.id AND e.tenant_id = $1
     JOIN endpoint_schedule s ON s.endpoint_id = e.id
     LIMIT $4)
), waiting AS MATERIALIZED (
    SELECT d.next_at FROM scheduled CROSS JOIN LATERAL (
        SELECT next_at FROM deliveries
        WHERE endpoint_id = scheduled.endpoint_id AND tenant_id = $1 AND node_id IS NULL ORDER BY next_at LIMIT $4
    ) d
    LIMIT $4
), first AS MATERIALIZED (
    SELECT d.next_at FROM scheduled CROSS JOIN LATERAL (
        SELECT next_at FROM deliveries
        WHERE endpoint_id = scheduled.endpoint_id AND tenant_id = $1 AND node_id IS NULL ORDER BY next_at LIMIT 1
    ) d
)
SELECT (SELECT count(*) FROM waiting), (SELECT count(*) FROM waiting WHERE next_at <= now()),
       (SELECT min(next_at) FROM first WHERE next_at <= now()), (SELECT count(*) FROM scheduled)
FROM owner

-- The same of endpoint $5 or uid $6 (the other one is NULL).
-- name: stats_endpoint_backlog
WITH target AS MATERIALIZED (
    SELECT e.id
    FROM applications a
    CROSS JOIN LATERAL (
        SELECT coalesce($5::uuid, (SELECT u.id FROM endpoints u WHERE u.application_id = a.id AND u.uid = $6::text)) AS id OFFSET 0
    ) w
    JOIN endpoints e ON e.id = w.id AND e.application_id = a.id
    WHERE a.tenant_id = $1::uuid AND e.tenant_id = $1
      AND a.id = CASE WHEN $2::uuid IS NULL
                      THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
), waiting AS MATERIALIZED (
    SELECT d.next_at FROM target CROSS JOIN LATERAL (
        SELECT next_at FROM deliveries
        WHERE endpoint_id = target.id AND tenant_id = $1 AND node_id IS NULL ORDER BY next_at LIMIT $4::integer
    ) d
)
SELECT (SELECT count(*) FROM waiting), (SELECT count(*) FROM waiting WHERE next_at <= now()),
       (SELECT min(next_at) FROM waiting WHERE next_at <= now()), 1::bigint
FROM target

-- Since when a due delivery of endpoint $4 or uid $5 has to wait for the throttle: the first one that its bucket, or that of its
-- application, does not hold a token for; NULL: none. No row: no such endpoint.
-- name: endpoint_throttled_since
WITH target AS MATERIALIZED (
    SELECT e.id, e.application_id, nullif(e.throttle_rate, 0) AS rate, nullif(a.throttle_rate, 0) AS shared_rate
    FROM applications a
    CROSS JOIN LATERAL (
        SELECT coalesce($4::uuid, (SELECT u.id FROM endpoints u WHERE u.application_id = a.id AND u.uid = $5::text)) AS id OFFSET 0
    ) w
    JOIN endpoints e ON e.id = w.id AND e.application_id = a.id
    WHERE a.tenant_id = $1::uuid AND e.tenant_id = $1
      AND a.id = CASE WHEN $2::uuid IS NULL
                      THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
), bucket AS MATERIALIZED (
    SELECT target.id,
           least(rate, s.tokens + rate * greatest(0, extract(epoch FROM now() - s.refilled_at)::float8),
                 shared_rate, b.tokens + shared_rate * greatest(0, extract(epoch FROM now() - b.refilled_at)::float8)) AS tokens
    FROM target
    LEFT JOIN endpoint_schedule s ON s.endpoint_id = target.id AND s.tenant_id = $1
    LEFT JOIN application_throttles b ON b.application_id = target.application_id AND b.tenant_id = $1
    WHERE rate IS NOT NULL AND s.tokens IS NOT NULL OR shared_rate IS NOT NULL AND b.tokens IS NOT NULL
)
SELECT (SELECT d.next_at FROM bucket CROSS JOIN LATERAL (
            SELECT next_at FROM deliveries
            WHERE endpoint_id = bucket.id AND tenant_id = $1 AND node_id IS NULL AND next_at <= now()
            ORDER BY next_at OFFSET greatest(0, floor(bucket.tokens))::bigint LIMIT 1
        ) d)
FROM target
