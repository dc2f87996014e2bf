-- Stores many messages and their deliveries. Row by row decided: rejected are those whose application changed since the
-- snapshot (0), whose idempotency key is used (1), with the message that it made where that is known, whose event id is used
-- (2).
--
-- A message may take its key and its event id only together. So what is committed and what the batch itself repeats is
-- looked at before anything is inserted: the first of the batch with a key or event id takes it. A message behind one that
-- does not stay itself is sent again (0), for only then it is known what is left. What another transaction takes meanwhile
-- shows at the insert: a message that has got one of the two then asks for the whole statement again. A message that finds
-- itself or its own rows was stored by this very batch before; its insert says so by a unique violation.
-- A delivery's node is NULL when it waits, 0 when its endpoint is disabled (it is skipped), and -1 when it is a poller.
-- name: messages_store
WITH stale AS (
    SELECT v.ix FROM unnest($1::int4[], $2::uuid[], $3::int8[]) AS v (ix, id, version)
    LEFT JOIN applications a ON a.id = v.id
    WHERE a.config_version IS DISTINCT FROM v.version
), input AS MATERIALIZED (
    SELECT i.*, CASE WHEN key IS NOT NULL THEN
                    (SELECT k.message_id FROM idempotency_keys k WHERE k.tenant_id = i.tenant_id AND k.key = i.key)
                END AS key_message,
                CASE WHEN event_id IS NOT NULL THEN
                    (SELECT u.message_id FROM message_uids u
                     WHERE u.application_id = i.application_id AND u.event_id = i.event_id)
                END AS uid_message,
                CASE WHEN ix = ANY (ARRAY(SELECT ix FROM stale)) THEN
                    (SELECT m.id FROM messages m WHERE m.application_id = i.application_id AND m.id = i.id) IS NULL
                ELSE false END AS stale
    FROM unnest($4::int4[], $5::int4[], $6::uuid[], $7::uuid[], $8::uuid[], $9::text[], $10::text[],
                $11::text[], $12::text[], $13::timestamptz[], $14::uuid[], $15::bytea[], $16::bytea[], $17::text[],
                $24::timestamptz[])
        AS i (n, ix, id, tenant_id, application_id, event_type, event_id, channels, tags, expires_at, key, payload, raw_body,
              content_type, deliver_at)
), ranked AS (
    SELECT n, id, tenant_id, application_id, key, event_id,
           CASE WHEN key IS NOT NULL THEN first_value(id) OVER (PARTITION BY tenant_id, key ORDER BY n) END AS key_first,
           CASE WHEN event_id IS NOT NULL THEN first_value(id) OVER (PARTITION BY application_id, event_id ORDER BY n)
           END AS uid_first
    FROM input
    WHERE (key IS NOT NULL OR event_id IS NOT NULL) AND NOT stale AND key_message IS NULL AND uid_message IS NULL
), taking AS MATERIALIZED (
    SELECT *, coalesce(key_first = id, true) AND coalesce(uid_first = id, true) AS takes FROM ranked
), keys AS (
    INSERT INTO idempotency_keys AS k (tenant_id, key, message_id)
    SELECT tenant_id, key, id FROM taking WHERE takes AND key IS NOT NULL
    ON CONFLICT (tenant_id, key) DO UPDATE SET message_id = k.message_id WHERE k.message_id = excluded.message_id
    RETURNING message_id
), uids AS (
    INSERT INTO message_uids AS u (application_id, event_id, tenant_id, message_id)
    SELECT application_id, event_id, tenant_id, id FROM taking WHERE takes AND event_id IS NOT NULL
    ON CONFLICT (application_id, event_id) DO UPDATE SET message_id = u.message_id WHERE u.message_id = excluded.message_id
    RETURNING message_id
), lost AS (
    SELECT n, key, event_id, key IS NOT NULL AND id NOT IN (SELECT message_id FROM keys) AS no_key,
           event_id IS NOT NULL AND id NOT IN (SELECT message_id FROM uids) AS no_uid
    FROM taking WHERE takes
), rejected AS MATERIALIZED (
    SELECT n, CASE WHEN stale THEN 0 WHEN key_message IS NOT NULL THEN 1 ELSE 2 END AS why, key_message
    FROM input
    WHERE stale OR (key_message IS NOT NULL OR uid_message IS NOT NULL) AND coalesce(key_message, uid_message) <> id
    UNION ALL
    SELECT n, CASE WHEN key_first <> id AND key_first IN (SELECT id FROM taking WHERE takes) THEN 1
                   WHEN uid_first <> id AND uid_first IN (SELECT id FROM taking WHERE takes) THEN 2 ELSE 0 END, NULL
    FROM taking WHERE NOT takes
    UNION ALL
    SELECT n, CASE WHEN key IS NOT NULL AND event_id IS NOT NULL AND no_key <> no_uid AND ask_again() THEN 0
                   WHEN no_key THEN 1 ELSE 2 END, NULL
    FROM lost WHERE no_key OR no_uid
), stored AS (
    INSERT INTO messages (application_id, id, tenant_id, event_type, event_id, channels, tags, expires_at, payload,
                          raw_body, content_type, deliver_at)
    SELECT application_id, id, tenant_id, event_type, event_id, string_to_array(channels, ','),
           string_to_array(tags, ','), expires_at, payload, raw_body, content_type, deliver_at
    FROM input WHERE n <> ALL (ARRAY(SELECT n FROM rejected))
), planned AS (
    INSERT INTO unmatched_messages (message_id, tenant_id, application_id, due_at)
    SELECT id, tenant_id, application_id, deliver_at
    FROM input WHERE deliver_at IS NOT NULL AND n <> ALL (ARRAY(SELECT n FROM rejected))
), owed AS (
    INSERT INTO deliveries (endpoint_id, message_id, tenant_id, application_id, next_at, node_id)
    SELECT endpoint_id, message_id, tenant_id, application_id, CASE WHEN node_id IS NULL THEN now() END, node_id
    FROM unnest($18::int4[], $19::uuid[], $20::uuid[], $21::uuid[], $22::uuid[], $23::int4[])
        AS d (n, endpoint_id, message_id, tenant_id, application_id, node_id)
    WHERE coalesce(node_id, 1) > 0 AND n <> ALL (ARRAY(SELECT n FROM rejected))
), arrived AS (
    INSERT INTO schedule_arrivals (endpoint_id, tenant_id)
    SELECT DISTINCT endpoint_id, tenant_id FROM unnest($18, $19, $21, $23) AS d (n, endpoint_id, tenant_id, node_id)
    WHERE node_id IS NULL AND n <> ALL (ARRAY(SELECT n FROM rejected))
), skipped AS (
    INSERT INTO closed_deliveries (message_id, endpoint_id, tenant_id, state)
    SELECT message_id, endpoint_id, tenant_id, 5
    FROM unnest($18, $19, $20, $21, $23) AS d (n, endpoint_id, message_id, tenant_id, node_id)
    WHERE node_id = 0 AND n <> ALL (ARRAY(SELECT n FROM rejected))
), polled AS (
    INSERT INTO poller_messages (endpoint_id, message_id, tenant_id, application_id)
    SELECT endpoint_id, message_id, tenant_id, application_id
    FROM unnest($18, $19, $20, $21, $22, $23) AS d (n, endpoint_id, message_id, tenant_id, application_id, node_id)
    WHERE node_id = -1 AND n <> ALL (ARRAY(SELECT n FROM rejected))
)
SELECT n, why, key_message FROM rejected ORDER BY n

-- The same for a batch without keys, event ids, planned messages, pollers, and deliveries that wait or are skipped: less
-- to set up for PostgreSQL, which is a sixth of a message's whole cost in batches of thirty. Only its first 23 parameters.
-- name: messages_store_plain
WITH stale AS (
    SELECT v.ix FROM unnest($1::int4[], $2::uuid[], $3::int8[]) AS v (ix, id, version)
    LEFT JOIN applications a ON a.id = v.id
    WHERE a.config_version IS DISTINCT FROM v.version
), rejected AS MATERIALIZED (
    SELECT n FROM unnest($4::int4[], $5::int4[], $6::uuid[], $8::uuid[]) AS i (n, ix, id, application_id)
    WHERE CASE WHEN ix = ANY (ARRAY(SELECT ix FROM stale)) THEN
              (SELECT m.id FROM messages m WHERE m.application_id = i.application_id AND m.id = i.id) IS NULL
          END
), stored AS (
    INSERT INTO messages (application_id, id, tenant_id, event_type, event_id, channels, tags, expires_at, payload,
                          raw_body, content_type)
    SELECT application_id, id, tenant_id, event_type, event_id, string_to_array(channels, ','),
           string_to_array(tags, ','), expires_at, payload, raw_body, content_type
    FROM unnest($4::int4[], $6::uuid[], $7::uuid[], $8::uuid[], $9::text[], $10::text[], $11::text[], $12::text[],
                $13::timestamptz[], $14::uuid[], $15::bytea[], $16::bytea[], $17::text[])
        AS i (n, id, tenant_id, application_id, event_type, event_id, channels, tags, expires_at, key, payload, raw_body,
              content_type)
    WHERE n <> ALL (ARRAY(SELECT n FROM rejected))
), owed AS (
    INSERT INTO deliveries (endpoint_id, message_id, tenant_id, application_id, node_id)
    SELECT endpoint_id, message_id, tenant_id, application_id, node_id
    FROM unnest($18::int4[], $19::uuid[], $20::uuid[], $21::uuid[], $22::uuid[], $23::int4[])
        AS d (n, endpoint_id, message_id, tenant_id, application_id, node_id)
    WHERE n <> ALL (ARRAY(SELECT n FROM rejected))
)
SELECT n, 0 FROM rejected ORDER BY n

-- The same with deliveries that wait or are skipped: one endpoint that is slow or refuses makes the others' messages hardly dearer.
-- name: messages_store_waiting
WITH stale AS (
    SELECT v.ix FROM unnest($1::int4[], $2::uuid[], $3::int8[]) AS v (ix, id, version)
    LEFT JOIN applications a ON a.id = v.id
    WHERE a.config_version IS DISTINCT FROM v.version
), rejected AS MATERIALIZED (
    SELECT n FROM unnest($4::int4[], $5::int4[], $6::uuid[], $8::uuid[]) AS i (n, ix, id, application_id)
    WHERE CASE WHEN ix = ANY (ARRAY(SELECT ix FROM stale)) THEN
              (SELECT m.id FROM messages m WHERE m.application_id = i.application_id AND m.id = i.id) IS NULL
          END
), stored AS (
    INSERT INTO messages (application_id, id, tenant_id, event_type, event_id, channels, tags, expires_at, payload,
                          raw_body, content_type)
    SELECT application_id, id, tenant_id, event_type, event_id, string_to_array(channels, ','),
           string_to_array(tags, ','), expires_at, payload, raw_body, content_type
    FROM unnest($4::int4[], $6::uuid[], $7::uuid[], $8::uuid[], $9::text[], $10::text[], $11::text[], $12::text[],
                $13::timestamptz[], $14::uuid[], $15::bytea[], $16::bytea[], $17::text[])
        AS i (n, id, tenant_id, application_id, event_type, event_id, channels, tags, expires_at, key, payload, raw_body,
              content_type)
    WHERE n <> ALL (ARRAY(SELECT n FROM rejected))
), owed AS (
    INSERT INTO deliveries (endpoint_id, message_id, tenant_id, application_id, next_at, node_id)
    SELECT endpoint_id, message_id, tenant_id, application_id, CASE WHEN node_id IS NULL THEN now() END, node_id
    FROM unnest($18::int4[], $19::uuid[], $20::uuid[], $21::uuid[], $22::uuid[], $23::int4[])
        AS d (n, endpoint_id, message_id, tenant_id, application_id, node_id)
    WHERE node_id IS DISTINCT FROM 0 AND n <> ALL (ARRAY(SELECT n FROM rejected))
), arrived AS (
    INSERT INTO schedule_arrivals (endpoint_id, tenant_id)
    SELECT DISTINCT endpoint_id, tenant_id FROM unnest($18, $19, $21, $23) AS d (n, endpoint_id, tenant_id, node_id)
    WHERE node_id IS NULL AND n <> ALL (ARRAY(SELECT n FROM rejected))
), skipped AS (
    INSERT INTO closed_deliveries (message_id, endpoint_id, tenant_id, state)
    SELECT message_id, endpoint_id, tenant_id, 5
    FROM unnest($18, $19, $20, $21, $23) AS d (n, endpoint_id, message_id, tenant_id, node_id)
    WHERE node_id = 0 AND n <> ALL (ARRAY(SELECT n FROM rejected))
)
SELECT n, 0 FROM rejected ORDER BY n

-- The plain one for keys and event ids that the batch does not repeat, as nearly all are. What is committed is looked at; what
-- another transaction takes meanwhile fails the whole statement, whose messages are then to be sent by the first one. That
-- asks at every insert, so that a key costs twice as much there.
-- name: messages_store_keyed
WITH stale AS (
    SELECT v.ix FROM unnest($1::int4[], $2::uuid[], $3::int8[]) AS v (ix, id, version)
    LEFT JOIN applications a ON a.id = v.id
    WHERE a.config_version IS DISTINCT FROM v.version
), rejected AS MATERIALIZED (
    SELECT n, CASE WHEN stale THEN 0 WHEN key_message <> id THEN 1 ELSE 2 END AS why, key_message
    FROM (
        SELECT n, id, CASE WHEN key IS NOT NULL THEN
                          (SELECT k.message_id FROM idempotency_keys k WHERE k.tenant_id = i.tenant_id AND k.key = i.key)
                      END AS key_message,
                      CASE WHEN event_id IS NOT NULL THEN
                          (SELECT u.message_id FROM message_uids u
                           WHERE u.application_id = i.application_id AND u.event_id = i.event_id)
                      END AS uid_message,
                      CASE WHEN ix = ANY (ARRAY(SELECT ix FROM stale)) THEN
                          (SELECT m.id FROM messages m WHERE m.application_id = i.application_id AND m.id = i.id) IS NULL
                      ELSE false END AS stale
        FROM unnest($4::int4[], $5::int4[], $6::uuid[], $7::uuid[], $8::uuid[], $10::text[], $14::uuid[])
            AS i (n, ix, id, tenant_id, application_id, event_id, key)
        OFFSET 0 -- each is looked up once
    ) seen
    WHERE stale OR coalesce(key_message, uid_message) <> id
), keys AS (
    INSERT INTO idempotency_keys (tenant_id, key, message_id)
    SELECT tenant_id, key, id FROM unnest($4::int4[], $6::uuid[], $7::uuid[], $14::uuid[]) AS i (n, id, tenant_id, key)
    WHERE key IS NOT NULL AND n <> ALL (ARRAY(SELECT n FROM rejected))
), uids AS (
    INSERT INTO message_uids (application_id, event_id, tenant_id, message_id)
    SELECT application_id, event_id, tenant_id, id
    FROM unnest($4::int4[], $6::uuid[], $7::uuid[], $8::uuid[], $10::text[]) AS i (n, id, tenant_id, application_id, event_id)
    WHERE event_id IS NOT NULL AND n <> ALL (ARRAY(SELECT n FROM rejected))
), stored AS (
    INSERT INTO messages (application_id, id, tenant_id, event_type, event_id, channels, tags, expires_at, payload,
                          raw_body, content_type)
    SELECT application_id, id, tenant_id, event_type, event_id, string_to_array(channels, ','),
           string_to_array(tags, ','), expires_at, payload, raw_body, content_type
    FROM unnest($4::int4[], $6::uuid[], $7::uuid[], $8::uuid[], $9::text[], $10::text[], $11::text[], $12::text[],
                $13::timestamptz[], $14::uuid[], $15::bytea[], $16::bytea[], $17::text[])
        AS i (n, id, tenant_id, application_id, event_type, event_id, channels, tags, expires_at, key, payload, raw_body,
              content_type)
    WHERE n <> ALL (ARRAY(SELECT n FROM rejected))
), owed AS (
    INSERT INTO deliveries (endpoint_id, message_id, tenant_id, application_id, node_id)
    SELECT endpoint_id, message_id, tenant_id, application_id, node_id
    FROM unnest($18::int4[], $19::uuid[], $20::uuid[], $21::uuid[], $22::uuid[], $23::int4[])
        AS d (n, endpoint_id, message_id, tenant_id, application_id, node_id)
    WHERE n <> ALL (ARRAY(SELECT n FROM rejected))
)
SELECT n, why, key_message FROM rejected ORDER BY n

-- The same with deliveries that wait or are skipped.
-- name: messages_store_keyed_waiting
WITH stale AS (
    SELECT v.ix FROM unnest($1::int4[], $2::uuid[], $3::int8[]) AS v (ix, id, version)
    LEFT JOIN applications a ON a.id = v.id
    WHERE a.config_version IS DISTINCT FROM v.version
), rejected AS MATERIALIZED (
    SELECT n, CASE WHEN stale THEN 0 WHEN key_message <> id THEN 1 ELSE 2 END AS why, key_message
    FROM (
        SELECT n, id, CASE WHEN key IS NOT NULL THEN
                          (SELECT k.message_id FROM idempotency_keys k WHERE k.tenant_id = i.tenant_id AND k.key = i.key)
                      END AS key_message,
                      CASE WHEN event_id IS NOT NULL THEN
                          (SELECT u.message_id FROM message_uids u
                           WHERE u.application_id = i.application_id AND u.event_id = i.event_id)
                      END AS uid_message,
                      CASE WHEN ix = ANY (ARRAY(SELECT ix FROM stale)) THEN
                          (SELECT m.id FROM messages m WHERE m.application_id = i.application_id AND m.id = i.id) IS NULL
                      ELSE false END AS stale
        FROM unnest($4::int4[], $5::int4[], $6::uuid[], $7::uuid[], $8::uuid[], $10::text[], $14::uuid[])
            AS i (n, ix, id, tenant_id, application_id, event_id, key)
        OFFSET 0 -- each is looked up once
    ) seen
    WHERE stale OR coalesce(key_message, uid_message) <> id
), keys AS (
    INSERT INTO idempotency_keys (tenant_id, key, message_id)
    SELECT tenant_id, key, id FROM unnest($4::int4[], $6::uuid[], $7::uuid[], $14::uuid[]) AS i (n, id, tenant_id, key)
    WHERE key IS NOT NULL AND n <> ALL (ARRAY(SELECT n FROM rejected))
), uids AS (
    INSERT INTO message_uids (application_id, event_id, tenant_id, message_id)
    SELECT application_id, event_id, tenant_id, id
    FROM unnest($4::int4[], $6::uuid[], $7::uuid[], $8::uuid[], $10::text[]) AS i (n, id, tenant_id, application_id, event_id)
    WHERE event_id IS NOT NULL AND n <> ALL (ARRAY(SELECT n FROM rejected))
), stored AS (
    INSERT INTO messages (application_id, id, tenant_id, event_type, event_id, channels, tags, expires_at, payload,
                          raw_body, content_type)
    SELECT application_id, id, tenant_id, event_type, event_id, string_to_array(channels, ','),
           string_to_array(tags, ','), expires_at, payload, raw_body, content_type
    FROM unnest($4::int4[], $6::uuid[], $7::uuid[], $8::uuid[], $9::text[], $10::text[], $11::text[], $12::text[],
                $13::timestamptz[], $14::uuid[], $15::bytea[], $16::bytea[], $17::text[])
        AS i (n, id, tenant_id, application_id, event_type, event_id, channels, tags, expires_at, key, payload, raw_body,
              content_type)
    WHERE n <> ALL (ARRAY(SELECT n FROM rejected))
), owed AS (
    INSERT INTO deliveries (endpoint_id, message_id, tenant_id, application_id, next_at, node_id)
    SELECT endpoint_id, message_id, tenant_id, application_id, CASE WHEN node_id IS NULL THEN now() END, node_id
    FROM unnest($18::int4[], $19::uuid[], $20::uuid[], $21::uuid[], $22::uuid[], $23::int4[])
        AS d (n, endpoint_id, message_id, tenant_id, application_id, node_id)
    WHERE node_id IS DISTINCT FROM 0 AND n <> ALL (ARRAY(SELECT n FROM rejected))
), arrived AS (
    INSERT INTO schedule_arrivals (endpoint_id, tenant_id)
    SELECT DISTINCT endpoint_id, tenant_id FROM unnest($18, $19, $21, $23) AS d (n, endpoint_id, tenant_id, node_id)
    WHERE node_id IS NULL AND n <> ALL (ARRAY(SELECT n FROM rejected))
), skipped AS (
    INSERT INTO closed_deliveries (message_id, endpoint_id, tenant_id, state)
    SELECT message_id, endpoint_id, tenant_id, 5
    FROM unnest($18, $19, $20, $21, $23) AS d (n, endpoint_id, message_id, tenant_id, node_id)
    WHERE node_id = 0 AND n <> ALL (ARRAY(SELECT n FROM rejected))
)
SELECT n, why, key_message FROM rejected ORDER BY n

-- name: messages_find
SELECT v.n FROM unnest($1::int4[], $2::uuid[], $3::uuid[]) AS v (n, id, application_id)
JOIN messages m ON m.application_id = v.application_id AND m.id = v.id

-- Stores the deliveries of messages that are stored already and takes them off those that are unmatched. Rejected are those
-- whose application changed since the snapshot (0), and those that are not unmatched any more (3).
-- name: messages_match
WITH stale AS (
    SELECT v.ix FROM unnest($1::int4[], $2::uuid[], $3::int8[]) AS v (ix, id, version)
    LEFT JOIN applications a ON a.id = v.id
    WHERE a.config_version IS DISTINCT FROM v.version
), taken AS (
    DELETE FROM unmatched_messages u USING unnest($4::int4[], $5::int4[], $6::uuid[]) AS i (n, ix, id)
    WHERE u.message_id = i.id AND i.ix <> ALL (ARRAY(SELECT ix FROM stale))
    RETURNING i.n
), rejected AS MATERIALIZED (
    SELECT n, CASE WHEN ix = ANY (ARRAY(SELECT ix FROM stale))
                    AND EXISTS (SELECT FROM unmatched_messages u WHERE u.message_id = i.id) THEN 0 ELSE 3 END AS why
    FROM unnest($4, $5, $6) AS i (n, ix, id)
    WHERE n <> ALL (ARRAY(SELECT n FROM taken))
), owed AS (
    INSERT INTO deliveries (endpoint_id, message_id, tenant_id, application_id, next_at, node_id)
    SELECT endpoint_id, message_id, tenant_id, application_id, CASE WHEN node_id IS NULL THEN now() END, node_id
    FROM unnest($7::int4[], $8::uuid[], $9::uuid[], $10::uuid[], $11::uuid[], $12::int4[])
        AS d (n, endpoint_id, message_id, tenant_id, application_id, node_id)
    WHERE coalesce(node_id, 1) > 0 AND n <> ALL (ARRAY(SELECT n FROM rejected))
), arrived AS (
    INSERT INTO schedule_arrivals (endpoint_id, tenant_id)
    SELECT DISTINCT endpoint_id, tenant_id FROM unnest($7, $8, $10, $12) AS d (n, endpoint_id, tenant_id, node_id)
    WHERE node_id IS NULL AND n <> ALL (ARRAY(SELECT n FROM rejected))
), skipped AS (
    INSERT INTO closed_deliveries (message_id, endpoint_id, tenant_id, state)
    SELECT message_id, endpoint_id, tenant_id, 5
    FROM unnest($7, $8, $9, $10, $12) AS d (n, endpoint_id, message_id, tenant_id, node_id)
    WHERE node_id = 0 AND n <> ALL (ARRAY(SELECT n FROM rejected))
), polled AS (
    INSERT INTO poller_messages (endpoint_id, message_id, tenant_id, application_id)
    SELECT endpoint_id, message_id, tenant_id, application_id
    FROM unnest($7, $8, $9, $10, $11, $12) AS d (n, endpoint_id, message_id, tenant_id, application_id, node_id)
    WHERE node_id = -1 AND n <> ALL (ARRAY(SELECT n FROM rejected))
)
SELECT n, why FROM rejected ORDER BY n

-- Which of these are not unmatched any more, and whether that was by this batch: then the deliveries that it claims are there.
-- name: messages_find_matched
SELECT v.n, EXISTS (
           SELECT FROM unnest($3::int4[], $4::uuid[], $5::uuid[], $6::int4[]) AS c (n, endpoint_id, message_id, node_id)
           JOIN deliveries d ON d.endpoint_id = c.endpoint_id AND d.message_id = c.message_id AND d.node_id = c.node_id
           WHERE c.n = v.n)
FROM unnest($1::int4[], $2::uuid[]) AS v (n, id)
WHERE NOT EXISTS (SELECT FROM unmatched_messages u WHERE u.message_id = v.id)
