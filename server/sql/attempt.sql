-- Reading attempts, and messages by what became of them at one endpoint.
--
-- $1 is the tenant, $2 the application's id or $3 its uid (the other one is NULL). Content that is not asked for is left
-- out here, so that it is not read from disk.

-- Attempts at endpoint $4 (or uid $5), newest first, ids strictly between $6 and $7. No row: no such endpoint. One row
-- without an id: no attempt. No more than $15 are walked: when there are more and the page is not full, `walked_to` is the
-- last one.
-- both: attempt_list_endpoint
WITH target AS MATERIALIZED (
    SELECT e.application_id, e.id
    FROM applications a
    CROSS JOIN LATERAL (
        SELECT coalesce($4::uuid, (SELECT u.id FROM endpoints u WHERE u.application_id = a.id AND u.uid = $5::text)) AS id OFFSET 0
    ) w
    JOIN endpoints e ON e.id = w.id AND e.application_id = a.id
    WHERE a.tenant_id = $1::uuid AND e.tenant_id = $1
      AND a.id = CASE WHEN $2::uuid IS NULL
                      THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
), edge AS (
    SELECT w.id FROM target CROSS JOIN LATERAL (
        SELECT c.id FROM attempts c
        WHERE c.endpoint_id = target.id AND c.tenant_id = $1 AND c.id > $6::uuid AND c.id < $7::uuid
        ORDER BY c.id {DESC|ASC} OFFSET $15::integer - 1 LIMIT 1
    ) w
)
SELECT t.id, t.message_id, t.endpoint_id, t.status, t.trigger_type, t.status_code, t.duration_ms, t.url,
       CASE WHEN $9::boolean THEN t.response ELSE ''::bytea END AS response,
       CASE WHEN coalesce(t.found, 0) < $8 THEN (SELECT id FROM edge) END AS walked_to
FROM target LEFT JOIN LATERAL (
    SELECT p.*, count(*) OVER () AS found
    FROM (
        SELECT c.* FROM (
            SELECT * FROM attempts
            WHERE endpoint_id = target.id AND tenant_id = $1 AND id > $6 AND id < $7
            ORDER BY id {DESC|ASC} LIMIT $15
        ) c
        WHERE ($10::smallint IS NULL OR c.status = $10)
          AND ($11::smallint IS NULL OR c.status_code / 100 * 100 = $11)
          AND (($12::text IS NULL AND $13::text[] IS NULL AND $14::text IS NULL) OR EXISTS (
                  SELECT FROM messages m
                  WHERE m.application_id = target.application_id AND m.id = c.message_id AND m.tenant_id = $1
                    AND ($12 IS NULL OR $12 = ANY (m.channels)) AND ($13 IS NULL OR m.event_type = ANY ($13))
                    AND ($14 IS NULL OR $14 = ANY (m.tags))))
        ORDER BY c.id {DESC|ASC} LIMIT $8::integer
    ) p
) t ON true
ORDER BY t.id {DESC|ASC}

-- Attempts for message $4 (or event id $5), newest first, ids strictly between $6 and $7; $12 or uid $13: at that endpoint
-- only. $14, $15 and $16 are about the message, so they keep all or none. No row: no such message. One row without an id: no
-- attempt.
-- both: attempt_list_message
WITH named AS MATERIALIZED (
    SELECT a.id AS application_id,
           coalesce($4::uuid, (SELECT u.message_id FROM message_uids u
                               WHERE u.application_id = a.id AND u.tenant_id = $1 AND u.event_id = $5::text)) AS message_id
    FROM applications a
    WHERE a.tenant_id = $1::uuid
      AND a.id = CASE WHEN $2::uuid IS NULL
                      THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
), target AS MATERIALIZED (
    SELECT m.id, CASE WHEN $13::text IS NULL THEN $12::uuid
                      ELSE (SELECT u.id FROM endpoints u WHERE u.application_id = m.application_id AND u.uid = $13) END AS endpoint_id,
           ($14::text IS NULL OR $14 = ANY (m.channels)) IS TRUE
               AND ($15::text[] IS NULL OR m.event_type = ANY ($15))
               AND ($16::text IS NULL OR $16 = ANY (m.tags)) IS TRUE AS wanted
    FROM named w JOIN messages m ON m.application_id = w.application_id AND m.id = w.message_id
    WHERE m.tenant_id = $1
)
SELECT t.id, t.message_id, t.endpoint_id, t.status, t.trigger_type, t.status_code, t.duration_ms, t.url,
       CASE WHEN $9::boolean THEN t.response ELSE ''::bytea END AS response,
       NULL::uuid AS walked_to
FROM target LEFT JOIN LATERAL (
    SELECT * FROM attempts c
    WHERE c.message_id = target.id AND target.wanted AND c.tenant_id = $1 AND c.id > $6::uuid AND c.id < $7::uuid
      AND ($10::smallint IS NULL OR c.status = $10)
      AND ($11::smallint IS NULL OR c.status_code / 100 * 100 = $11)
      AND (($12 IS NULL AND $13 IS NULL) OR c.endpoint_id = target.endpoint_id)
    ORDER BY c.id {DESC|ASC} LIMIT $8::integer
) t ON true
ORDER BY t.id {DESC|ASC}

-- name: attempt_get
WITH named AS MATERIALIZED (
    SELECT a.id AS application_id,
           coalesce($4::uuid, (SELECT u.message_id FROM message_uids u
                               WHERE u.application_id = a.id AND u.tenant_id = $1 AND u.event_id = $5::text)) AS message_id
    FROM applications a
    WHERE a.tenant_id = $1::uuid
      AND a.id = CASE WHEN $2::uuid IS NULL
                      THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
), target AS MATERIALIZED (
    SELECT m.id
    FROM named w JOIN messages m ON m.application_id = w.application_id AND m.id = w.message_id
    WHERE m.tenant_id = $1
)
SELECT t.id, t.message_id, t.endpoint_id, t.status, t.trigger_type, t.status_code, t.duration_ms, t.url, t.response
FROM target JOIN attempts t ON t.message_id = target.id
WHERE t.id = $6::uuid AND t.tenant_id = $1

-- What is known of the headers of attempt $6, and what others are made from: message and endpoint, which may be gone.
-- name: attempt_headers
WITH named AS MATERIALIZED (
    SELECT a.id AS application_id,
           coalesce($4::uuid, (SELECT u.message_id FROM message_uids u
                               WHERE u.application_id = a.id AND u.tenant_id = $1 AND u.event_id = $5::text)) AS message_id
    FROM applications a
    WHERE a.tenant_id = $1::uuid
      AND a.id = CASE WHEN $2::uuid IS NULL
                      THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
), target AS MATERIALIZED (
    SELECT m.id, m.event_type, m.content_type, octet_length(coalesce(m.raw_body, m.payload)) AS body_bytes
    FROM named w JOIN messages m ON m.application_id = w.application_id AND m.id = w.message_id
    WHERE m.tenant_id = $1
)
SELECT t.url, t.signature, t.headers, target.id, target.event_type, target.content_type, target.body_bytes,
       e.id, e.headers_sealed, e.headers_sensitive, e.oauth_sealed IS NOT NULL
FROM target JOIN attempts t ON t.message_id = target.id
LEFT JOIN endpoints e ON e.id = t.endpoint_id AND e.tenant_id = $1
WHERE t.id = $6::uuid AND t.tenant_id = $1

-- Messages that were attempted at endpoint $4 (or uid $5), the one first attempted last in front: an endpoint sees but few
-- of an application's messages, so its own attempts lead, each message standing where its first one is. $15: the message
-- behind which the page begins; message ids strictly between $6 and $7, attempt ids above $16; $10: its newest attempt has
-- this status and nothing is owed. No row: no such endpoint. One row without an id: no message. The page ends early behind
-- the row that brings the payloads over $13 bytes; `found` counts the rows without that. First attempts are looked for from an
-- hour before the message on, for nodes' clocks differ. No more than $17 attempts are walked: when there are more and the page
-- is not full, `walked_to` is the message of the last one that is a first one. LIMIT 1 keeps the planner from beginning with
-- the messages, and IS TRUE from looking for a message's attempts among all of the endpoint's.
-- both: endpoint_messages_attempted
WITH target AS MATERIALIZED (
    SELECT e.application_id, e.id,
           coalesce((SELECT i.id FROM attempts i
                     WHERE i.message_id = $15::uuid AND (i.endpoint_id = e.id) IS TRUE AND i.tenant_id = $1
                       AND i.id >= uuid_floor(uuid_time($15) - interval '1 hour')
                     ORDER BY i.id LIMIT 1),
                    $15, {'ffffffff-ffff-ffff-ffff-ffffffffffff'|'00000000-0000-0000-0000-000000000000'}) AS place
    FROM applications a
    CROSS JOIN LATERAL (
        SELECT coalesce($4::uuid, (SELECT u.id FROM endpoints u WHERE u.application_id = a.id AND u.uid = $5::text)) AS id OFFSET 0
    ) w
    JOIN endpoints e ON e.id = w.id AND e.application_id = a.id
    WHERE a.tenant_id = $1::uuid AND e.tenant_id = $1
      AND a.id = CASE WHEN $2::uuid IS NULL
                      THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
), edge AS (
    SELECT w.id, w.message_id, target.id AS endpoint_id, target.place FROM target CROSS JOIN LATERAL (
        SELECT o.id, o.message_id FROM attempts o
        WHERE o.endpoint_id = target.id AND o.tenant_id = $1 AND o.id {<|>} target.place AND o.id > $16::uuid
        ORDER BY o.id {DESC|ASC} OFFSET $17::integer - 1 LIMIT 1
    ) w
), last_place AS (
    SELECT coalesce((
        SELECT o.message_id FROM attempts o
        WHERE o.endpoint_id = edge.endpoint_id AND o.tenant_id = $1 AND o.number = 1
          AND o.id {>=|<=} edge.id AND o.id {<|>} edge.place
          AND (SELECT b.id = o.id FROM attempts b
               WHERE b.message_id = o.message_id AND (b.endpoint_id = o.endpoint_id) IS TRUE AND b.tenant_id = $1
                 AND b.id >= uuid_floor(uuid_time(o.message_id) - interval '1 hour')
               ORDER BY b.id LIMIT 1)
        ORDER BY o.id {ASC|DESC} LIMIT 1), edge.message_id) AS id
    FROM edge
)
SELECT m.id, m.event_type, m.event_id, m.channels, m.tags, m.payload, m.last_status, m.owed, m.attempts, m.next_at,
       m.state, m.found,
       CASE WHEN coalesce(m.found, 0) < $8 THEN (SELECT id FROM last_place) END AS walked_to
FROM target LEFT JOIN LATERAL (
    SELECT p.*, count(*) OVER () AS found,
           sum(octet_length(p.payload)) OVER (ORDER BY p.place {DESC|ASC} ROWS UNBOUNDED PRECEDING) - octet_length(p.payload) AS before
    FROM (
        SELECT f.id AS place, m.id, m.event_type, m.event_id, m.channels, m.tags,
               payload_shown(m.payload, m.expires_at, $9::boolean) AS payload,
               l.status AS last_status, d.endpoint_id IS NOT NULL AS owed, d.attempts, d.next_at, k.state
        FROM (
            SELECT o.id, o.message_id, o.endpoint_id, o.number FROM attempts o
            WHERE o.endpoint_id = target.id AND o.tenant_id = $1 AND o.id {<|>} target.place AND o.id > $16::uuid
            ORDER BY o.id {DESC|ASC} LIMIT $17
        ) f
        CROSS JOIN LATERAL (
            SELECT * FROM messages c
            WHERE c.application_id = target.application_id AND c.id = f.message_id AND c.tenant_id = $1
              AND c.id > $6::uuid AND c.id < $7::uuid
              AND ($11::text IS NULL OR $11 = ANY (c.channels))
              AND ($12::text[] IS NULL OR c.event_type = ANY ($12))
              AND ($14::text IS NULL OR $14 = ANY (c.tags))
            LIMIT 1
        ) m
        CROSS JOIN LATERAL (
            SELECT s.status FROM attempts s
            WHERE s.message_id = f.message_id AND s.id >= f.id AND (s.endpoint_id = f.endpoint_id) IS TRUE AND s.tenant_id = $1
            ORDER BY s.id DESC LIMIT 1
        ) l
        LEFT JOIN deliveries d ON d.endpoint_id = f.endpoint_id AND d.message_id = f.message_id AND d.tenant_id = $1
        LEFT JOIN closed_deliveries k ON k.message_id = f.message_id AND k.endpoint_id = f.endpoint_id AND k.tenant_id = $1
        WHERE f.number = 1 AND ($10::smallint IS NULL OR (l.status = $10 AND d.endpoint_id IS NULL))
          AND (SELECT b.id = f.id FROM attempts b
               WHERE b.message_id = f.message_id AND (b.endpoint_id = f.endpoint_id) IS TRUE AND b.tenant_id = $1
                 AND b.id >= uuid_floor(uuid_time(f.message_id) - interval '1 hour')
               ORDER BY b.id LIMIT 1)
        ORDER BY f.id {DESC|ASC} LIMIT $8::integer
    ) p
) m ON m.before < $13::bigint
ORDER BY m.place {DESC|ASC}

-- Messages that are still owed to endpoint $4 (or uid $5), newest first: $10 is 1 for those never attempted, 3 for the others.
-- No more than $15 deliveries are walked, as above.
-- both: endpoint_messages_owed
WITH target AS MATERIALIZED (
    SELECT e.application_id, e.id
    FROM applications a
    CROSS JOIN LATERAL (
        SELECT coalesce($4::uuid, (SELECT u.id FROM endpoints u WHERE u.application_id = a.id AND u.uid = $5::text)) AS id OFFSET 0
    ) w
    JOIN endpoints e ON e.id = w.id AND e.application_id = a.id
    WHERE a.tenant_id = $1::uuid AND e.tenant_id = $1
      AND a.id = CASE WHEN $2::uuid IS NULL
                      THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
), edge AS (
    SELECT w.message_id FROM target CROSS JOIN LATERAL (
        SELECT d.message_id FROM deliveries d
        WHERE d.endpoint_id = target.id AND d.tenant_id = $1 AND d.message_id > $6::uuid AND d.message_id < $7::uuid
        ORDER BY d.message_id {DESC|ASC} OFFSET $15::integer - 1 LIMIT 1
    ) w
)
SELECT m.id, m.event_type, m.event_id, m.channels, m.tags, m.payload, m.last_status, m.owed, m.attempts, m.next_at,
       m.state, m.found,
       CASE WHEN coalesce(m.found, 0) < $8 THEN (SELECT message_id FROM edge) END AS walked_to
FROM target LEFT JOIN LATERAL (
    SELECT p.*, count(*) OVER () AS found,
           sum(octet_length(p.payload)) OVER (ORDER BY p.id {DESC|ASC} ROWS UNBOUNDED PRECEDING) - octet_length(p.payload) AS before
    FROM (
        SELECT m.id, m.event_type, m.event_id, m.channels, m.tags,
               payload_shown(m.payload, m.expires_at, $9::boolean) AS payload,
               NULL::smallint AS last_status, true AS owed, d.attempts, d.next_at, NULL::smallint AS state
        FROM (
            SELECT * FROM deliveries
            WHERE endpoint_id = target.id AND tenant_id = $1 AND message_id > $6 AND message_id < $7
            ORDER BY message_id {DESC|ASC} LIMIT $15
        ) d
        CROSS JOIN LATERAL (
            SELECT * FROM messages c
            WHERE c.application_id = target.application_id AND c.id = d.message_id AND c.tenant_id = $1
              AND ($11::text IS NULL OR $11 = ANY (c.channels))
              AND ($12::text[] IS NULL OR c.event_type = ANY ($12))
              AND ($14::text IS NULL OR $14 = ANY (c.tags))
            LIMIT 1
        ) m
        WHERE (d.attempts > 0) = ($10::smallint = 3)
        ORDER BY d.message_id {DESC|ASC} LIMIT $8::integer
    ) p
) m ON m.before < $13::bigint
ORDER BY m.id {DESC|ASC}

-- Messages whose delivery to endpoint $4 (or uid $5) was closed without a success, newest first: $10 is 4 for those that were
-- canceled, 5 for those that were skipped.
-- both: endpoint_messages_closed
WITH target AS MATERIALIZED (
    SELECT e.application_id, e.id
    FROM applications a
    CROSS JOIN LATERAL (
        SELECT coalesce($4::uuid, (SELECT u.id FROM endpoints u WHERE u.application_id = a.id AND u.uid = $5::text)) AS id OFFSET 0
    ) w
    JOIN endpoints e ON e.id = w.id AND e.application_id = a.id
    WHERE a.tenant_id = $1::uuid AND e.tenant_id = $1
      AND a.id = CASE WHEN $2::uuid IS NULL
                      THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
), edge AS (
    SELECT w.message_id FROM target CROSS JOIN LATERAL (
        SELECT d.message_id FROM closed_deliveries d
        WHERE d.endpoint_id = target.id AND d.tenant_id = $1 AND d.message_id > $6::uuid AND d.message_id < $7::uuid
        ORDER BY d.message_id {DESC|ASC} OFFSET $15::integer - 1 LIMIT 1
    ) w
)
SELECT m.id, m.event_type, m.event_id, m.channels, m.tags, m.payload, m.last_status, m.owed, m.attempts, m.next_at,
       m.state, m.found,
       CASE WHEN coalesce(m.found, 0) < $8 THEN (SELECT message_id FROM edge) END AS walked_to
FROM target LEFT JOIN LATERAL (
    SELECT p.*, count(*) OVER () AS found,
           sum(octet_length(p.payload)) OVER (ORDER BY p.id {DESC|ASC} ROWS UNBOUNDED PRECEDING) - octet_length(p.payload) AS before
    FROM (
        SELECT m.id, m.event_type, m.event_id, m.channels, m.tags,
               payload_shown(m.payload, m.expires_at, $9::boolean) AS payload,
               NULL::smallint AS last_status, false AS owed, NULL::smallint AS attempts, NULL::timestamptz AS next_at, d.state
        FROM (
            SELECT * FROM closed_deliveries
            WHERE endpoint_id = target.id AND tenant_id = $1 AND message_id > $6 AND message_id < $7
            ORDER BY message_id {DESC|ASC} LIMIT $15
        ) d
        CROSS JOIN LATERAL (
            SELECT * FROM messages c
            WHERE c.application_id = target.application_id AND c.id = d.message_id AND c.tenant_id = $1
              AND ($11::text IS NULL OR $11 = ANY (c.channels))
              AND ($12::text[] IS NULL OR c.event_type = ANY ($12))
              AND ($14::text IS NULL OR $14 = ANY (c.tags))
            LIMIT 1
        ) m
        WHERE d.state = $10::smallint
          AND NOT EXISTS (SELECT FROM attempts s
                          WHERE s.message_id = d.message_id AND (s.endpoint_id = d.endpoint_id) IS TRUE AND s.tenant_id = $1 AND s.status = 0
                            AND s.id >= uuid_floor(uuid_time(d.message_id) - interval '1 hour'))
        ORDER BY d.message_id {DESC|ASC} LIMIT $8::integer
    ) p
) m ON m.before < $13::bigint
ORDER BY m.id {DESC|ASC}
