-- Owners, admins and developers of a tenant learn by mail that the engine has disabled an endpoint. A mail waits for five
-- minutes, and the endpoints that follow meanwhile join it: whoever has a thousand of them gets no thousand mails.
CREATE UNIQUE INDEX mails_gathering ON mails (tenant_id, recipient) WHERE kind = 'endpoint.disabled' AND tries = 0;

-- Part of the statement that disables it.
CREATE FUNCTION mail_endpoint_disabled(tenant uuid, url text) RETURNS boolean LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = posthorn, pg_temp AS $$
DECLARE
    most constant integer := 50;
BEGIN
    INSERT INTO mails AS m (id, tenant_id, recipient, kind, about, due_at, expires_at)
    SELECT uuid_now(), t.id, lower(u.email), 'endpoint.disabled',
           json_build_object('tenant', CASE WHEN r.id = t.id THEN t.name ELSE r.name || ', ' || t.name END,
                             'endpoints', json_build_array(url)),
           now() + interval '5 minutes', now() + interval '2 days'
    FROM tenants t
    JOIN tenants r ON r.id = t.root_id
    JOIN members b ON b.tenant_id = r.id AND b.role <> 'viewer'
    JOIN users u ON u.id = b.user_id
    WHERE t.id = tenant
    ORDER BY u.id
    ON CONFLICT (tenant_id, recipient) WHERE kind = 'endpoint.disabled' AND tries = 0 DO UPDATE
    SET about = jsonb_set(m.about::jsonb, '{endpoints}', (m.about::jsonb -> 'endpoints')
                          || to_jsonb(CASE WHEN json_array_length(m.about -> 'endpoints') < most THEN mail_endpoint_disabled.url
                                           ELSE 'and others' END))::json
    WHERE json_array_length(m.about -> 'endpoints') <= most;
    RETURN true;
END $$;

GRANT CREATE ON SCHEMA posthorn TO posthorn_engine;
ALTER FUNCTION mail_endpoint_disabled(uuid, text) OWNER TO posthorn_engine;
REVOKE CREATE ON SCHEMA posthorn FROM posthorn_engine;
REVOKE ALL ON FUNCTION mail_endpoint_disabled(uuid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mail_endpoint_disabled(uuid, text) TO posthorn_engine;
