-- Fetching what pollers have. $1 is the tenant, $2 the application's id or $3 its uid, $4 the poller's id or $5 its uid.
--
-- Transaction ids go as text: rows of those that are older than every one that still runs are shown, for no row can come in
-- front of them any more.

-- What is behind place ($6, $7), or behind where consumer $8 stands: $9 rows are looked at, up to $13 messages come from them,
-- of event type $10, channel $11 and not before id $12. With a place, the consumer has got everything up to it. A page ends
-- early behind the message that brings the payloads over $14 bytes. The first row has the last place that was looked at and how
-- many rows were; none: no such poller. Refused: a consumer more than $15.
-- name: poller_read
WITH target AS MATERIALIZED (
    SELECT e.id, e.application_id
    FROM applications a
    CROSS JOIN LATERAL (
        SELECT coalesce($4::uuid, (SELECT u.id FROM endpoints u WHERE u.application_id = a.id AND u.uid = $5::text)) AS id OFFSET 0
    ) w
    JOIN endpoints e ON e.id = w.id AND e.application_id = a.id
    WHERE a.tenant_id = $1::uuid AND e.tenant_id = $1 AND e.polled
      AND a.id = coalesce($2::uuid, (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text))
), place AS MATERIALIZED (
    SELECT t.id,
           coalesce($6::text::xid8, c.xid, CASE WHEN $12::uuid IS NOT NULL THEN
               (SELECT min(f.xid) FROM (SELECT p.xid FROM poller_messages p
                                        WHERE p.endpoint_id = t.id AND p.tenant_id = $1 AND p.message_id >= $12
                                        ORDER BY p.message_id LIMIT 1000) f) END, '0'::xid8) AS xid,
           coalesce($7::uuid, CASE WHEN $6 IS NULL THEN c.message_id END, '00000000-0000-0000-0000-000000000000') AS message_id,
           c.name IS NULL AND $8::text IS NOT NULL AND $6 IS NOT NULL
               AND (SELECT count(*) FROM poller_consumers o WHERE o.endpoint_id = t.id) >= $15::int4 AS refused
    FROM target t LEFT JOIN poller_consumers c ON c.endpoint_id = t.id AND c.name = $8
), acknowledged AS (
    INSERT INTO poller_consumers AS c (endpoint_id, name, tenant_id, xid, message_id)
    SELECT id, $8, $1, xid, message_id FROM place WHERE $8 IS NOT NULL AND $6 IS NOT NULL AND NOT refused
    ON CONFLICT (endpoint_id, name) DO UPDATE
    SET xid = excluded.xid, message_id = excluded.message_id, updated_at = now()
    WHERE (c.xid, c.message_id) <> (excluded.xid, excluded.message_id)
), scanned AS MATERIALIZED (
    SELECT s.* FROM place l CROSS JOIN LATERAL (
        SELECT p.xid, p.message_id, p.application_id FROM poller_messages p
        WHERE p.endpoint_id = l.id AND p.tenant_id = $1 AND (p.xid, p.message_id) > (l.xid, l.message_id)
          AND p.xid < pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY p.xid, p.message_id LIMIT $9::int4
    ) s
), wanted AS (
    SELECT w.*, sum(octet_length(w.payload)) OVER (ORDER BY w.xid, w.message_id ROWS UNBOUNDED PRECEDING)
                - octet_length(w.payload) AS before
    FROM (
        SELECT s.xid, s.message_id, m.event_type, m.event_id, m.channels, m.tags, m.deliver_at,
               payload_shown(m.payload, m.expires_at, true) AS payload
        FROM scanned s JOIN messages m ON m.application_id = s.application_id AND m.id = s.message_id
        WHERE m.tenant_id = $1 AND ($10::text IS NULL OR m.event_type = $10) AND ($11::text IS NULL OR $11 = ANY (m.channels))
          AND ($12 IS NULL OR m.id >= $12)
        ORDER BY s.xid, s.message_id LIMIT $13::int4
    ) w
)
SELECT coalesce((SELECT s.message_id FROM scanned s ORDER BY s.xid DESC, s.message_id DESC LIMIT 1), l.message_id),
       NULL::text, NULL::text, NULL::text[], NULL::text[], NULL::bytea, NULL::timestamptz,
       coalesce((SELECT s.xid FROM scanned s ORDER BY s.xid DESC LIMIT 1), l.xid)::text,
       (SELECT count(*) FROM scanned), l.refused, (SELECT count(*) FROM wanted)
FROM place l
UNION ALL
(SELECT message_id, event_type, event_id, channels, tags, payload, deliver_at, xid::text, NULL, NULL, NULL
 FROM wanted w WHERE before < $14::int8 ORDER BY w.xid, w.message_id)

-- Puts consumer $6 where messages from id $7 on begin, or a little before. Refused: a consumer more than $8.
-- name: poller_seek
WITH target AS MATERIALIZED (
    SELECT e.id
    FROM applications a
    CROSS JOIN LATERAL (
        SELECT coalesce($4::uuid, (SELECT u.id FROM endpoints u WHERE u.application_id = a.id AND u.uid = $5::text)) AS id OFFSET 0
    ) w
    JOIN endpoints e ON e.id = w.id AND e.application_id = a.id
    WHERE a.tenant_id = $1::uuid AND e.tenant_id = $1 AND e.polled
      AND a.id = coalesce($2::uuid, (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text))
), place AS MATERIALIZED (
    SELECT t.id,
           coalesce((SELECT min(f.xid) FROM (SELECT p.xid FROM poller_messages p
                                             WHERE p.endpoint_id = t.id AND p.tenant_id = $1 AND p.message_id >= $7::uuid
                                             ORDER BY p.message_id LIMIT 1000) f),
                    pg_snapshot_xmin(pg_current_snapshot())) AS xid,
           NOT EXISTS (SELECT FROM poller_consumers c WHERE c.endpoint_id = t.id AND c.name = $6::text)
               AND (SELECT count(*) FROM poller_consumers o WHERE o.endpoint_id = t.id) >= $8::int4 AS refused
    FROM target t
), moved AS (
    INSERT INTO poller_consumers AS c (endpoint_id, name, tenant_id, xid, message_id)
    SELECT id, $6, $1, xid, '00000000-0000-0000-0000-000000000000' FROM place WHERE NOT refused
    ON CONFLICT (endpoint_id, name) DO UPDATE
    SET xid = excluded.xid, message_id = excluded.message_id, updated_at = now()
)
SELECT xid::text, refused FROM place
