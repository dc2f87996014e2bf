-- $1 is the tenant; an application is named by its id $2 or its uid $3. Columns of an inbox: token, status, delay_ms, created_at.

-- name: inbox_get
SELECT i.token, i.status, i.delay_ms, i.created_at
FROM inboxes i
WHERE i.tenant_id = $1::uuid
  AND i.application_id = CASE WHEN $2::uuid IS NULL
                              THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END

-- One that is there keeps its token. No row: no such application.
-- name: inbox_put
INSERT INTO inboxes AS i (application_id, tenant_id, token, status, delay_ms)
SELECT a.id, a.tenant_id, $4::text, $5::integer, $6::integer
FROM applications a
WHERE a.tenant_id = $1::uuid AND NOT a.internal
  AND a.id = CASE WHEN $2::uuid IS NULL
                  THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
ON CONFLICT (application_id) DO UPDATE SET status = excluded.status, delay_ms = excluded.delay_ms
RETURNING i.token, i.status, i.delay_ms, i.created_at

-- name: inbox_delete
DELETE FROM inboxes
WHERE tenant_id = $1::uuid
  AND application_id = CASE WHEN $2::uuid IS NULL
                            THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
RETURNING application_id

-- Whose inbox $1 is, and the first endpoints that deliver there: those whose URL ends with $2, one row each. Role engine.
-- name: inbox_find
SELECT i.tenant_id, i.application_id, i.status, i.delay_ms, e.id
FROM inboxes i
JOIN tenants t ON t.id = i.tenant_id AND t.suspended_at IS NULL AND t.deleted_at IS NULL
LEFT JOIN LATERAL (
    SELECT c.id FROM endpoints c
    WHERE c.application_id = i.application_id AND c.url LIKE '%/inbox/%' AND right(c.url, length($2::text)) = $2
    ORDER BY c.id LIMIT $3::integer
) e ON true
WHERE i.token = $1::text
ORDER BY e.id

-- Keeps a request of the application $1's inbox, and of those that were there the last $11. Role engine.
-- name: inbox_request_store
WITH stored AS (
    INSERT INTO inbox_requests (application_id, id, tenant_id, method, headers, body, body_bytes, signature, endpoint_id, status)
    VALUES ($1::uuid, $2::uuid, $3::uuid, $4::text, $5::text::json, $6::bytea, $7::integer, $8::text, $9::uuid, $10::integer)
)
DELETE FROM inbox_requests
WHERE application_id = $1
  AND id <= (SELECT r.id FROM inbox_requests r WHERE r.application_id = $1 ORDER BY r.id DESC OFFSET $11::integer LIMIT 1)

-- Requests of the last day. One row without an id: none. No row: no such application.
-- both: inbox_request_list
WITH app AS (
    SELECT id FROM applications
    WHERE tenant_id = $1::uuid
      AND id = CASE WHEN $2::uuid IS NULL
                    THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
)
SELECT r.id, r.method, r.body_bytes, r.signature, r.endpoint_id, r.status, NULL::json, NULL::bytea
FROM app LEFT JOIN LATERAL (
    SELECT * FROM inbox_requests q
    WHERE q.tenant_id = $1 AND q.application_id = app.id AND q.id {<|>} $4::uuid AND q.id > uuid_floor(now() - interval '1 day')
    ORDER BY q.id {DESC|ASC} LIMIT $5::integer
) r ON true
ORDER BY r.id {DESC|ASC}

-- name: inbox_request_get
SELECT r.id, r.method, r.body_bytes, r.signature, r.endpoint_id, r.status, r.headers, r.body
FROM inbox_requests r
WHERE r.tenant_id = $1::uuid AND r.id = $4::uuid
  AND r.application_id = CASE WHEN $2::uuid IS NULL
                              THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
