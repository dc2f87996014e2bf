-- Records what became of many deliveries. Rolled up counts come ready-made, one row an endpoint and five minutes. When the
-- attempts are there already the batch was stored before: then nothing is counted, and no delivery waits or endpoint is held
-- that went on since. Rows that several nodes write are written in the order of their keys, so that no two nodes wait for
-- each other. A hold for ever is that of a disabled or paused endpoint: one that was enabled meanwhile is not held, and one
-- that is about to be waits for this statement, so that its release finds the hold; ten minutes end it too, should the news
-- be lost. An ordered endpoint is released only by the node that it is busy at.
-- The schedule is written first, which is what the end of the statement asks for: it locks rows of endpoints, and none can be
-- locked that this statement has written.
-- name: outcomes_store
WITH o AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int4[], $5::bool[], $6::timestamptz[],
                         $7::timestamptz[], $8::int2[], $36::bool[])
        AS o (endpoint_id, message_id, tenant_id, node_id, done, next_at, held_until, attempts, release)
), tried AS (
    INSERT INTO attempts (message_id, id, endpoint_id, tenant_id, number, status, trigger_type, status_code,
                          duration_ms, url, response, signature, headers)
    SELECT * FROM unnest($9::uuid[], $10::uuid[], $11::uuid[], $12::uuid[], $13::int2[], $14::int2[], $15::int2[],
                         $16::int2[], $17::int4[], $18::text[], $19::bytea[], $20::text[], $21::bytea[])
    ON CONFLICT DO NOTHING
    RETURNING 1
), gone AS (
    DELETE FROM deliveries d USING o
    WHERE o.done AND d.endpoint_id = o.endpoint_id AND d.message_id = o.message_id
), waiting AS (
    UPDATE deliveries d SET node_id = NULL, next_at = o.next_at, attempts = o.attempts FROM o
    WHERE NOT o.done AND d.endpoint_id = o.endpoint_id AND d.message_id = o.message_id AND d.node_id = o.node_id
      AND (SELECT cardinality($10) = 0 OR EXISTS (SELECT FROM tried))
), stopped AS MATERIALIZED (
    SELECT id FROM endpoints e
    WHERE id IN (SELECT endpoint_id FROM o WHERE held_until = 'infinity') AND (e.disabled OR e.paused)
    ORDER BY id FOR SHARE
), held AS MATERIALIZED (
    SELECT endpoint_id, min(tenant_id::text)::uuid AS tenant_id, min(next_at) AS next_at, min(node_id) AS node_id,
           bool_or(release) AS release,
           coalesce(max(CASE WHEN held_until < 'infinity' THEN held_until
                             WHEN endpoint_id IN (SELECT id FROM stopped) THEN now() + interval '10 minutes' END),
                    '-infinity') AS held_until
    FROM o WHERE (release OR NOT done) AND (SELECT cardinality($10) = 0 OR EXISTS (SELECT FROM tried))
    GROUP BY endpoint_id ORDER BY endpoint_id
), released AS (
    UPDATE endpoint_schedule s
    SET changes = s.changes + 1, busy_node = NULL, held_until = h.held_until,
        next_due_at = least(s.next_due_at, now())
    FROM held h WHERE h.release AND s.endpoint_id = h.endpoint_id AND s.busy_node = h.node_id
    RETURNING s.endpoint_id
), scheduled AS (
    INSERT INTO endpoint_schedule AS s (endpoint_id, tenant_id, next_due_at, held_until)
    SELECT endpoint_id, tenant_id, next_at, held_until FROM held
    WHERE next_at IS NOT NULL AND endpoint_id NOT IN (SELECT endpoint_id FROM released)
    ON CONFLICT (endpoint_id) DO UPDATE
    SET changes = s.changes + 1, next_due_at = least(s.next_due_at, excluded.next_due_at),
        held_until = greatest(s.held_until, excluded.held_until)
    RETURNING 1
), health AS (
    UPDATE endpoints e SET failing_since = CASE WHEN NOT h.succeeded THEN now() END
    FROM (
        SELECT id, succeeded
        FROM (SELECT endpoint_id, sum(success) > 0 AS succeeded
              FROM unnest($22::uuid[], $25::int8[]) AS c (endpoint_id, success) GROUP BY endpoint_id) c
        JOIN endpoints ON id = endpoint_id AND (failing_since IS NULL) <> succeeded
        WHERE EXISTS (SELECT FROM tried)
        ORDER BY id FOR NO KEY UPDATE OF endpoints
    ) h
    WHERE e.id = h.id
), counted AS (
    INSERT INTO delivery_stats AS s (endpoint_id, bucket, tenant_id, success, failure, exhausted, duration_counts)
    SELECT endpoint_id, bucket, tenant_id, success, failure, exhausted, ARRAY[h1, h2, h3, h4, h5, h6, h7, h8]
    FROM unnest($22::uuid[], $23::timestamptz[], $24::uuid[], $25::int8[], $26::int8[], $27::int8[],
                $28::int4[], $29::int4[], $30::int4[], $31::int4[], $32::int4[], $33::int4[], $34::int4[], $35::int4[])
        AS c (endpoint_id, bucket, tenant_id, success, failure, exhausted, h1, h2, h3, h4, h5, h6, h7, h8)
    WHERE EXISTS (SELECT FROM tried)
    ORDER BY endpoint_id, bucket
    ON CONFLICT (endpoint_id, bucket) DO UPDATE
    SET success = s.success + excluded.success, failure = s.failure + excluded.failure,
        exhausted = s.exhausted + excluded.exhausted,
        duration_counts = add_counts(s.duration_counts, excluded.duration_counts)
), events AS MATERIALIZED (
    SELECT tenant_id, endpoint_id, message_id, id, status_code,
           (ARRAY['message.attempt.failing', 'message.attempt.exhausted', 'message.attempt.recovered'])[event] AS event
    FROM unnest($9::uuid[], $10::uuid[], $11::uuid[], $12::uuid[], $16::int2[], $37::int2[])
        AS t (message_id, id, endpoint_id, tenant_id, status_code, event)
    WHERE event > 0 AND EXISTS (SELECT FROM tried)
)
SELECT count(emit_attempt_event(tenant_id, endpoint_id, message_id, id, status_code, event)) FROM events
WHERE (SELECT count(*) FROM released) >= 0 AND (SELECT count(*) FROM scheduled) >= 0

-- The same for a batch in which every delivery is done without a failure and no ordered endpoint is released, as most are.
-- Without the parameters of the others.
-- name: outcomes_store_plain
WITH gone AS (
    DELETE FROM deliveries d USING unnest($1::uuid[], $2::uuid[]) AS o (endpoint_id, message_id)
    WHERE d.endpoint_id = o.endpoint_id AND d.message_id = o.message_id
), tried AS (
    INSERT INTO attempts (message_id, id, endpoint_id, tenant_id, number, status, trigger_type, status_code,
                          duration_ms, url, response, signature, headers)
    SELECT * FROM unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::int2[], $8::int2[], $9::int2[],
                         $10::int2[], $11::int4[], $12::text[], $13::bytea[], $14::text[], $15::bytea[])
    ON CONFLICT DO NOTHING
    RETURNING 1
), healthy AS (
    UPDATE endpoints SET failing_since = NULL
    WHERE id = ANY ($16::uuid[]) AND failing_since IS NOT NULL AND EXISTS (SELECT FROM tried)
), counted AS (
    INSERT INTO delivery_stats AS s (endpoint_id, bucket, tenant_id, success, failure, exhausted, duration_counts)
    SELECT endpoint_id, bucket, tenant_id, success, failure, exhausted, ARRAY[h1, h2, h3, h4, h5, h6, h7, h8]
    FROM unnest($16::uuid[], $17::timestamptz[], $18::uuid[], $19::int8[], $20::int8[], $21::int8[],
                $22::int4[], $23::int4[], $24::int4[], $25::int4[], $26::int4[], $27::int4[], $28::int4[], $29::int4[])
        AS c (endpoint_id, bucket, tenant_id, success, failure, exhausted, h1, h2, h3, h4, h5, h6, h7, h8)
    WHERE EXISTS (SELECT FROM tried)
    ORDER BY endpoint_id, bucket
    ON CONFLICT (endpoint_id, bucket) DO UPDATE
    SET success = s.success + excluded.success, failure = s.failure + excluded.failure,
        exhausted = s.exhausted + excluded.exhausted,
        duration_counts = add_counts(s.duration_counts, excluded.duration_counts)
)
SELECT 1
