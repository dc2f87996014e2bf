-- $1 is the tenant; an application is named by its id $2 or its uid $3.

-- No row: no such application.
-- name: portal_token_create
INSERT INTO portal_tokens (id, tenant_id, application_id, token_hash, read_only, session_id, feature_flags, created_by, expires_at, sections)
SELECT $4::uuid, a.tenant_id, a.id, $5::bytea, $6::boolean, $7::text, $8::text[], $9::uuid, now() + $10::bigint * interval '1 second',
       $11::smallint
FROM applications a
WHERE a.tenant_id = $1::uuid
  AND a.id = CASE WHEN $2::uuid IS NULL
                  THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
RETURNING id

-- Whose token it is. Role engine.
-- name: portal_token_find
SELECT t.id, t.tenant_id, t.application_id, a.uid, t.read_only, t.expires_at, standing(t.tenant_id), t.sections
FROM portal_tokens t JOIN applications a ON a.id = t.application_id
WHERE t.token_hash = $1::bytea AND t.expires_at > now()

-- name: portal_token_session
SELECT session_id FROM portal_tokens WHERE tenant_id = $1::uuid AND id = $2::uuid

-- name: portal_token_delete
WITH gone AS (
    DELETE FROM portal_tokens WHERE tenant_id = $1::uuid AND id = $2::uuid RETURNING tenant_id
)
SELECT announce('auth:' || tenant_id::text) FROM gone

-- Lets the tokens of an application end in $4 seconds at the latest: those of the sessions $5, or all when it is NULL. No
-- row: no such application.
-- name: portal_tokens_expire
WITH target AS MATERIALIZED (
    SELECT a.id FROM applications a
    WHERE a.tenant_id = $1::uuid
      AND a.id = CASE WHEN $2::uuid IS NULL
                      THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END
), ended AS (
    UPDATE portal_tokens t SET expires_at = now() + $4::bigint * interval '1 second'
    FROM target
    WHERE t.application_id = target.id AND t.expires_at > now() + $4::bigint * interval '1 second'
      AND ($5::text[] IS NULL OR t.session_id = ANY ($5))
    RETURNING t.id
)
SELECT (SELECT count(*) FROM ended), announce('auth:' || $1::text) FROM target

-- What a portal shows of the tenant, and of application $2 when there is one.
-- name: portal_show
SELECT t.portal_branding, a.id, a.uid, a.name
FROM tenants t LEFT JOIN applications a ON a.tenant_id = t.id AND a.id = $2::uuid
WHERE t.id = $1::uuid
