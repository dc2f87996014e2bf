-- Like those of endpoint.sql these lock the application's row first and the endpoint's second. The last parameter: mail is sent.

-- name: endpoint_disable
WITH changed AS (
    UPDATE applications SET config_version = config_version + 1
    WHERE id = (SELECT application_id FROM endpoints WHERE id = $1::uuid AND NOT disabled)
    RETURNING id
), disabled AS (
    UPDATE endpoints e SET disabled = true, disabled_reason = $2::text, version = e.version + 1, updated_at = now()
    FROM changed WHERE e.id = $1::uuid AND e.application_id = changed.id AND NOT e.disabled
    RETURNING e.id, e.application_id, e.tenant_id, e.uid, e.url
)
SELECT count(*)::int4, count(announce('ep:' || d.id::text)),
       count(announce('app:' || d.application_id::text)),
       count(emit_endpoint_event(d.tenant_id, d.application_id, d.id, d.uid, 'endpoint.disabled')),
       count(CASE WHEN $3::boolean THEN mail_endpoint_disabled(d.tenant_id, d.url) END)
FROM disabled d

-- name: endpoints_disable_failing
WITH failing AS MATERIALIZED (
    SELECT id, application_id FROM endpoints
    WHERE failing_since < now() - make_interval(secs => $1::bigint) AND NOT disabled
), locked AS MATERIALIZED (
    SELECT id FROM applications WHERE id IN (SELECT application_id FROM failing) ORDER BY id FOR NO KEY UPDATE
), changed AS (
    UPDATE applications a SET config_version = a.config_version + 1 FROM locked WHERE a.id = locked.id
    RETURNING a.id
), still AS MATERIALIZED (
    SELECT id FROM endpoints
    WHERE id IN (SELECT f.id FROM failing f JOIN changed c ON c.id = f.application_id)
      AND failing_since < now() - make_interval(secs => $1::bigint) AND NOT disabled
    ORDER BY id FOR NO KEY UPDATE
), disabled AS (
    UPDATE endpoints e
    SET disabled = true, version = e.version + 1, updated_at = now(),
        disabled_reason = 'every attempt has failed since '
                          || to_char(e.failing_since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC'
    FROM still WHERE e.id = still.id
    RETURNING e.id, e.application_id, e.tenant_id, e.uid, e.url
)
SELECT count(*)::int4, count(announce('ep:' || d.id::text)),
       count(announce('app:' || d.application_id::text)),
       count(emit_endpoint_event(d.tenant_id, d.application_id, d.id, d.uid, 'endpoint.disabled')),
       count(CASE WHEN $2::boolean THEN mail_endpoint_disabled(d.tenant_id, d.url) END)
FROM disabled d
