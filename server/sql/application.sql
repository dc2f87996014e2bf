-- Columns of every statement that returns applications, in order: id, uid, name, metadata, throttle_rate, created_at,
-- updated_at.

-- name: application_get
SELECT id, uid, name, metadata, throttle_rate, created_at, updated_at
FROM applications
WHERE id = CASE WHEN $1::uuid IS NULL
                THEN (SELECT id FROM applications WHERE tenant_id = current_tenant() AND uid = $2::text) ELSE $1 END

-- Those whose name or uid has the text $3 in it; NULL: all. One row without an id: none of the first $4 rows; walked_to is where to
-- go on then.
-- both: application_list
WITH edge AS (
    SELECT w.id FROM applications w
    WHERE w.tenant_id = current_tenant() AND w.id {<|>} $1::uuid ORDER BY w.id {DESC|ASC} OFFSET $4::integer - 1 LIMIT 1
)
SELECT p.id, p.uid, p.name, p.metadata, p.throttle_rate, p.created_at, p.updated_at, p.found,
       CASE WHEN coalesce(p.found, 0) < $2 THEN (SELECT id FROM edge) END AS walked_to
FROM (VALUES (true)) one LEFT JOIN LATERAL (
    SELECT m.*, count(*) OVER () AS found
    FROM (
        SELECT c.id, c.uid, c.name, c.metadata, c.throttle_rate, c.created_at, c.updated_at
        FROM (SELECT * FROM applications WHERE tenant_id = current_tenant() AND id {<|>} $1 ORDER BY id {DESC|ASC} LIMIT $4) c
        WHERE $3::text IS NULL OR strpos(lower(c.name), lower($3)) > 0 OR strpos(lower(c.uid), lower($3)) > 0
        ORDER BY c.id {DESC|ASC} LIMIT $2::integer
    ) m
) p ON true
ORDER BY p.id {DESC|ASC}

-- name: application_create
INSERT INTO applications (id, tenant_id, uid, name, metadata, throttle_rate)
VALUES ($1::uuid, current_tenant(), $2::text, $3::text, $4::text::json, $5::integer)
RETURNING id, uid, name, metadata, throttle_rate, created_at, updated_at

-- The application of the tenant $2's operational endpoints. Role engine.
-- name: application_make_internal
INSERT INTO applications (id, tenant_id, uid, name, internal)
VALUES ($1::uuid, $2::uuid, $3::text, 'Operational webhooks', true)
ON CONFLICT DO NOTHING

-- name: application_update
WITH before AS (
    SELECT id, uid, throttle_rate
    FROM applications
    WHERE id = CASE WHEN $1::uuid IS NULL
                    THEN (SELECT id FROM applications WHERE tenant_id = current_tenant() AND uid = $2::text) ELSE $1 END
    FOR UPDATE
), change AS (
    SELECT id,
           $3::boolean AND uid IS DISTINCT FROM $4::text
               OR $9::boolean AND throttle_rate IS DISTINCT FROM $10::integer AS visible_to_nodes
    FROM before
), after AS (
    UPDATE applications a
    SET uid = CASE WHEN $3::boolean THEN $4::text ELSE a.uid END,
        name = CASE WHEN $5::boolean THEN $6::text ELSE a.name END,
        metadata = CASE WHEN $7::boolean THEN $8::text::json ELSE a.metadata END,
        throttle_rate = CASE WHEN $9::boolean THEN $10::integer ELSE a.throttle_rate END,
        config_version = a.config_version + change.visible_to_nodes::integer,
        updated_at = now()
    FROM change
    WHERE a.id = change.id
    RETURNING a.id, a.uid, a.name, a.metadata, a.throttle_rate, a.created_at, a.updated_at, change.visible_to_nodes
)
SELECT id, uid, name, metadata, throttle_rate, created_at, updated_at,
       CASE WHEN visible_to_nodes THEN announce('app:' || id::text) END
FROM after

-- Its endpoints are told of by themselves: what waits for them may be on hold until then.
-- name: application_delete
WITH gone AS (
    DELETE FROM applications
    WHERE id = CASE WHEN $1::uuid IS NULL
                    THEN (SELECT id FROM applications WHERE tenant_id = current_tenant() AND uid = $2::text) ELSE $1 END
    RETURNING id, tenant_id
)
SELECT id, announce('app:' || id::text), announce('auth:' || tenant_id::text),
       (SELECT count(announce('ep:' || e.id::text)) FROM endpoints e
        WHERE e.application_id = gone.id)
FROM gone
