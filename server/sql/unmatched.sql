-- Messages whose endpoints are not decided yet.

-- Takes due ones, at most $1 of them and about $4 bytes of payload, the oldest first; when more than that are due, round the
-- tenants behind the cursor $2, at most $3 of each. Who takes them has ten seconds to match them. The first row is a summary:
-- where the round ended, the time, when the next is due, and whether others are due already.
-- name: unmatched_take
WITH RECURSIVE first AS MATERIALIZED (
    SELECT * FROM unmatched_messages WHERE due_at <= now() ORDER BY due_at, message_id LIMIT $1::int4
), tenants (tenant_id) AS (
    (SELECT tenant_id FROM unmatched_messages
     WHERE tenant_id > $2::uuid AND (SELECT count(*) FROM first) = $1
     ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT u.tenant_id FROM unmatched_messages u WHERE u.tenant_id > t.tenant_id ORDER BY u.tenant_id LIMIT 1)
    FROM tenants t WHERE t.tenant_id IS NOT NULL
), round AS MATERIALIZED (
    SELECT s.* FROM tenants t CROSS JOIN LATERAL (
        SELECT * FROM unmatched_messages WHERE tenant_id = t.tenant_id AND due_at <= now()
        ORDER BY due_at, message_id LIMIT $3::int4
    ) s
    LIMIT $1
), chosen AS MATERIALIZED (
    SELECT * FROM first WHERE (SELECT count(*) FROM first) < $1
    UNION ALL
    SELECT * FROM round
), sized AS (
    SELECT c.*, coalesce(sum(octet_length(m.payload) + coalesce(octet_length(m.raw_body), 0)) OVER (
                             ORDER BY c.due_at, c.message_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
    FROM chosen c LEFT JOIN messages m ON m.application_id = c.application_id AND m.id = c.message_id
), fitting AS MATERIALIZED (
    SELECT * FROM sized WHERE before < $4::int8
), locked AS MATERIALIZED (
    SELECT u.message_id, f.due_at FROM fitting f JOIN unmatched_messages u ON u.message_id = f.message_id
    WHERE u.due_at <= now() -- still: another node may have taken it since the snapshot
    FOR UPDATE OF u SKIP LOCKED
), taken AS (
    UPDATE unmatched_messages u SET due_at = now() + interval '10 seconds' FROM locked l
    WHERE u.message_id = l.message_id
    RETURNING u.message_id, u.tenant_id, u.application_id, l.due_at
)
SELECT true, CASE WHEN (SELECT count(*) FROM round) = $1 THEN (SELECT tenant_id FROM round ORDER BY tenant_id DESC LIMIT 1) END,
       NULL::uuid, NULL::uuid, NULL::text, NULL::text[], NULL::bytea, NULL::bytea, NULL::text, NULL::text, NULL::text, now(),
       (SELECT min(due_at) FROM unmatched_messages WHERE due_at > now()),
       (SELECT count(*) FROM first) = $1 OR (SELECT count(*) FROM locked) < (SELECT count(*) FROM chosen)
UNION ALL
(SELECT false, t.tenant_id, t.message_id, t.application_id, m.event_type, m.channels, m.payload, m.raw_body, m.content_type,
        m.event_id, array_to_string(m.tags, ','), t.due_at, NULL, NULL
 FROM taken t LEFT JOIN messages m ON m.application_id = t.application_id AND m.id = t.message_id
 ORDER BY t.due_at, t.message_id)

-- Those of which the payload, the message or the application is gone.
-- name: unmatched_drop
DELETE FROM unmatched_messages WHERE message_id = ANY ($1::uuid[])

-- The message of the tenant $1 and its application ($2 or $3), by id or event id ($4, $5), is not delivered. It stays, as one
-- that nobody got. No row: no such message; false: its endpoints are decided already.
-- name: message_unplan
WITH target AS MATERIALIZED (
    SELECT m.application_id, m.id
    FROM applications a
    JOIN messages m ON m.application_id = a.id
        AND m.id = coalesce($4::uuid, (SELECT u.message_id FROM message_uids u
                                       WHERE u.application_id = a.id AND u.tenant_id = $1 AND u.event_id = $5::text))
    WHERE a.tenant_id = $1::uuid AND NOT a.internal
      AND a.id = CASE WHEN $2::uuid IS NULL
                      THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
), gone AS (
    DELETE FROM unmatched_messages u USING target t WHERE u.message_id = t.id RETURNING u.message_id
), unplanned AS (
    UPDATE messages m SET deliver_at = NULL FROM target t
    WHERE m.application_id = t.application_id AND m.id = t.id AND m.id IN (SELECT message_id FROM gone)
)
SELECT EXISTS (SELECT FROM gone) FROM target
