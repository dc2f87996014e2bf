-- $1 is the tenant, $2 the application's id or $3 its uid, $4 the poller's id or $5 its uid.

-- Makes token $6, which ends in $9 seconds (NULL: never); the others end in $10 seconds at the latest, and those that have ended
-- go. No row: no such poller.
-- name: poller_token_rotate
WITH target AS MATERIALIZED (
    SELECT e.id
    FROM applications a
    CROSS JOIN LATERAL (
        SELECT coalesce($4::uuid, (SELECT u.id FROM endpoints u WHERE u.application_id = a.id AND u.uid = $5::text)) AS id OFFSET 0
    ) w
    JOIN endpoints e ON e.id = w.id AND e.application_id = a.id
    WHERE a.tenant_id = $1::uuid AND e.tenant_id = $1 AND e.polled
      AND a.id = coalesce($2::uuid, (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text))
), gone AS (
    DELETE FROM poller_tokens t USING target
    WHERE t.endpoint_id = target.id AND (t.expires_at <= now() OR $10::bigint = 0)
), ending AS (
    UPDATE poller_tokens t SET expires_at = least(t.expires_at, now() + $10 * interval '1 second')
    FROM target WHERE t.endpoint_id = target.id AND (t.expires_at IS NULL OR t.expires_at > now()) AND $10 > 0
), made AS (
    INSERT INTO poller_tokens (id, tenant_id, endpoint_id, token_hash, token_end, expires_at)
    SELECT $6::uuid, $1, id, $7::bytea, $8::text, now() + $9::bigint * interval '1 second' FROM target
    RETURNING id, created_at, expires_at, token_end
)
SELECT id, created_at, expires_at, token_end, announce('auth:' || $1::text) FROM made

-- The newest that has not ended. No row: there is none.
-- name: poller_token_get
SELECT t.id, t.created_at, t.expires_at, t.token_end
FROM applications a
CROSS JOIN LATERAL (
    SELECT coalesce($4::uuid, (SELECT u.id FROM endpoints u WHERE u.application_id = a.id AND u.uid = $5::text)) AS id OFFSET 0
) w
JOIN endpoints e ON e.id = w.id AND e.application_id = a.id JOIN poller_tokens t ON t.endpoint_id = e.id
WHERE a.tenant_id = $1::uuid AND e.tenant_id = $1 AND e.polled AND t.tenant_id = $1
  AND a.id = coalesce($2::uuid, (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text))
  AND (t.expires_at IS NULL OR t.expires_at > now())
ORDER BY t.id DESC LIMIT 1

-- Whose token it is. Role engine.
-- name: poller_token_find
SELECT t.id, t.tenant_id, e.application_id, a.uid, e.id, e.uid, t.expires_at, standing(t.tenant_id)
FROM poller_tokens t JOIN endpoints e ON e.id = t.endpoint_id JOIN applications a ON a.id = e.application_id
WHERE t.token_hash = $1::bytea AND (t.expires_at IS NULL OR t.expires_at > now()) AND e.polled
