-- The name of a key or token of the tenant, $5, is looked up unless $6 says it.
-- name: audit_add
INSERT INTO audit_log (tenant_id, id, actor_kind, actor_id, actor_name, action, object_kind, object_id, application_id, fields,
                       address, user_agent)
VALUES ($1::uuid, $2::uuid, $3::text, $4::text,
        coalesce($6::text, CASE $3 WHEN 'api-key' THEN (SELECT k.name FROM api_keys k WHERE k.tenant_id = $1 AND k.id = $5::uuid)
                                   WHEN 'portal' THEN (SELECT p.session_id FROM portal_tokens p WHERE p.tenant_id = $1 AND p.id = $5)
                           END),
        $7::text, $8::text, $9::text, $10::text, $11::text[], $12::text, $13::text)

-- The application $2 and the endpoint of it $3, which the path names by their uids; NULL: not by a uid.
-- name: audit_objects
SELECT a.id, (SELECT e.id FROM endpoints e
              WHERE e.tenant_id = $1 AND e.application_id = coalesce(a.id, $4::uuid) AND e.uid = $3::text)
FROM (SELECT) one
LEFT JOIN applications a ON a.tenant_id = $1::uuid AND a.uid = $2::text

-- Entries between the ids $2 and $3 whose object is $5, application $6, actor $7 and action $8; NULL: any. The index of the one
-- that $4 names is walked, for at most $9 entries; $10 of them are given, at least one row. When the walk ended first,
-- `walked_to` is where.
-- both: audit_list
WITH walked AS MATERIALIZED (
    (SELECT * FROM audit_log WHERE $4::integer = 0 AND tenant_id = $1::uuid AND id > $2::uuid AND id < $3::uuid
     ORDER BY id {DESC|ASC} LIMIT $9::integer)
    UNION ALL
    (SELECT * FROM audit_log WHERE $4 = 1 AND tenant_id = $1 AND object_id = $5::text AND id > $2 AND id < $3
     ORDER BY id {DESC|ASC} LIMIT $9)
    UNION ALL
    (SELECT * FROM audit_log WHERE $4 = 2 AND tenant_id = $1 AND application_id = $6::text AND id > $2 AND id < $3
     ORDER BY id {DESC|ASC} LIMIT $9)
    UNION ALL
    (SELECT * FROM audit_log WHERE $4 = 3 AND tenant_id = $1 AND actor_id = $7::text AND id > $2 AND id < $3
     ORDER BY id {DESC|ASC} LIMIT $9)
    UNION ALL
    (SELECT * FROM audit_log WHERE $4 = 4 AND tenant_id = $1 AND action = $8::text AND id > $2 AND id < $3
     ORDER BY id {DESC|ASC} LIMIT $9)
), page AS MATERIALIZED (
    SELECT * FROM walked
    WHERE ($5 IS NULL OR object_id = $5) AND ($6 IS NULL OR application_id = $6)
      AND ($7 IS NULL OR actor_id = $7) AND ($8 IS NULL OR action = $8)
    ORDER BY id {DESC|ASC} LIMIT $10::integer
)
SELECT p.id, p.actor_kind, p.actor_id, p.actor_name, p.action, p.object_kind, p.object_id, p.application_id, p.fields, p.address,
       p.user_agent, n.found,
       CASE WHEN n.found < $10 THEN (SELECT w.id FROM walked w ORDER BY w.id {DESC|ASC} OFFSET $9 - 1 LIMIT 1) END AS walked_to
FROM (SELECT count(*) AS found FROM page) n LEFT JOIN page p ON true
ORDER BY p.id {DESC|ASC}
