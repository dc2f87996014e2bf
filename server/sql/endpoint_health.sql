-- name: endpoint_set_failing
WITH changed AS (
    UPDATE endpoints SET failing_since = CASE WHEN $2::boolean THEN now() END
    WHERE id = $1::uuid AND (failing_since IS NOT NULL) <> $2::boolean
    RETURNING 1
)
SELECT count(*)::int4 FROM changed

-- name: endpoint_disable
WITH disabled AS (
    UPDATE endpoints SET disabled = true, disabled_reason = $2::text, version = version + 1, updated_at = now()
    WHERE id = $1::uuid AND NOT disabled
    RETURNING id, application_id, tenant_id, uid
), changed AS (
    UPDATE applications a SET config_version = a.config_version + 1 FROM disabled dWHERE a.id = d.application_id
    RETURNING a.id
)
SELECT count(*)::int4, count(pg_notify('posthorn', 'ep:' || d.id::text)::text),
       count(pg_notify('posthorn', 'app:' || d.application_id::text)::text),
       count(emit_endpoint_event(d.tenant_id, d.application_id, d.id, d.uid, 'endpoint.disabled'))
FROM disabled d

-- name: endpoints_disable_failing
WITH disabled AS (
    UPDATE endpoints SET disabled = true, version = version + 1, updated_at = now(),
           disabled_reason = 'every attempt has failed since ' || to_char(failing_since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC'
    WHERE failing_since < now() - make_interval(secs => $1::bigint) AND NOT disabled
    RETURNING id, application_id, tenant_id, uid
), changed AS (
    UPDATE applications a SET config_version = a.config_version + 1
    WHERE a.id IN (SELECT application_id FROM disabled)
    RETURNING a.id
)
SELECT count(*)::int4, count(pg_notify('posthorn', 'ep:' || d.id::text)::text),
       count(pg_notify('posthorn', 'app:' || d.application_id::text)::text),
       count(emit_endpoint_event(d.tenant_id, d.application_id, d.id, d.uid, 'endpoint.disabled'))
FROM disabled d 
