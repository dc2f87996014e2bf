-- Values that another data key than $2 (its four bytes in the value) has sealed, behind the id $1.
-- name: sealed_secrets
SELECT id, tenant_id, sealed FROM endpoint_secrets
WHERE id > $1::uuid AND substr(sealed, 2, 4) <> $2::bytea
ORDER BY id LIMIT $3::int4

-- Those of endpoints: $4 is 1 for headers, 2 for client certificates, 3 for OAuth credentials.
-- name: sealed_of_endpoints
SELECT id, tenant_id, sealed
FROM (
    SELECT id, tenant_id, CASE $4::int4 WHEN 1 THEN headers_sealed WHEN 2 THEN mtls_sealed ELSE oauth_sealed END AS sealed
    FROM endpoints WHERE id > $1::uuid
) e
WHERE substr(sealed, 2, 4) <> $2::bytea
ORDER BY id LIMIT $3::int4

-- Replaces those that are still as they were read: ids, values before and after. What they say stays the same, and so do
-- the versions.
-- name: reseal_secrets
WITH changed AS (
    UPDATE endpoint_secrets s SET sealed = v.after
    FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) AS v (id, before, after)
    WHERE s.id = v.id AND s.sealed = v.before
    RETURNING 1
)
SELECT count(*)::int4 FROM changed

-- name: reseal_of_endpoints
WITH changed AS (
    UPDATE endpoints e
    SET headers_sealed = CASE WHEN $4::int4 = 1 THEN v.after ELSE e.headers_sealed END,
        mtls_sealed = CASE WHEN $4 = 2 THEN v.after ELSE e.mtls_sealed END,
        oauth_sealed = CASE WHEN $4 = 3 THEN v.after ELSE e.oauth_sealed END
    FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) AS v (id, before, after)
    WHERE e.id = v.id
      AND v.before = CASE $4::int4 WHEN 1 THEN e.headers_sealed WHEN 2 THEN e.mtls_sealed ELSE e.oauth_sealed END
    RETURNING 1
)
SELECT count(*)::int4 FROM changed
