-- Client certificates and OAuth client credentials of endpoints. endpoint.sql says what $1 to $5 are and how changes lock.
-- name: endpoint_outbound
SELECT e.id, e.mtls_sealed, e.oauth_sealed
FROM applications a
CROSS JOIN LATERAL (
    SELECT coalesce($4::uuid, (SELECT u.id FROM endpoints u WHERE u.application_id = a.id AND u.uid = $5::text)) AS id OFFSET 0
) w
JOIN endpoints e ON e.id = w.id AND e.application_id = a.id
WHERE a.tenant_id = $1::uuid AND e.tenant_id = $1
  AND a.id = CASE WHEN $2::uuid IS NULL
                  THEN (SELECT u.id FROM applications u WHERE u.tenant_id = $1 AND u.uid = $3::text) ELSE $2 END

-- Of endpoint $2: the OAuth credentials if $3, else the client certificate.
-- name: endpoint_outbound_write
WITH target AS MATERIALIZED (
    SELECT e.id, e.application_id FROM endpoints e WHERE e.tenant_id = $1::uuid AND e.id = $2::uuid
), app AS (
    UPDATE applications a SET config_version = config_version + 1
    FROM target WHERE a.id = target.application_id AND a.tenant_id = $1
    RETURNING a.id, target.id AS endpoint_id
), e AS (
    UPDATE endpoints e
    SET mtls_sealed = CASE WHEN $3::boolean THEN e.mtls_sealed ELSE $4::bytea END,
        oauth_sealed = CASE WHEN $3 THEN $4 ELSE e.oauth_sealed END,
        version = e.version + 1, updated_at = now()
    FROM app WHERE e.id = app.endpoint_id AND e.tenant_id = $1
    RETURNING e.id, e.application_id
)
SELECT id, announce('ep:' || id::text), announce('app:' || application_id::text)
FROM e
