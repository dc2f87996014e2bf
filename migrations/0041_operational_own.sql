-- These run with the engine's rights. The interface's role, which may call them, sends events of its own tenant only, about what
-- is its own.
CREATE OR REPLACE FUNCTION emit_operational(tenant uuid, event text, data json) RETURNS boolean LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = posthorn, pg_temp AS $$
DECLARE
    target uuid;
    listening uuid[];
    message uuid;
BEGIN
    -- The role is that of the caller: this function's own rights are the engine's.
    IF current_setting('role') = 'posthorn_api' AND tenant IS DISTINCT FROM current_tenant() THEN
        RAISE insufficient_privilege USING MESSAGE = 'this is another tenant';
    END IF;
    SELECT a.id INTO target FROM applications a WHERE a.tenant_id = tenant AND a.internal;
    IF target IS NULL THEN
        RETURN false;
    END IF;
    listening := ARRAY(SELECT e.id FROM endpoints e
                       WHERE e.application_id = target AND NOT e.disabled
                         AND (e.event_types IS NULL OR event = ANY (e.event_types))
                       ORDER BY e.id);
    IF cardinality(listening) = 0 THEN
        RETURN false;
    END IF;
    message := uuid_now();
    INSERT INTO messages (application_id, id, tenant_id, event_type, payload)
    VALUES (target, message, tenant, event,
            convert_to(json_build_object('type', event, 'data', data)::text, 'UTF8'));
    INSERT INTO deliveries (endpoint_id, message_id, tenant_id, application_id, next_at)
    SELECT id, message, tenant, target, now() FROM unnest(listening) AS l (id);
    INSERT INTO schedule_arrivals (endpoint_id, tenant_id) SELECT id, tenant FROM unnest(listening) AS l (id);
    RETURN true;
END $$;

CREATE OR REPLACE FUNCTION emit_endpoint_event(tenant uuid, application uuid, endpoint uuid, endpoint_uid text, event text)
    RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = posthorn, pg_temp AS $$
DECLARE
    app_uid text;
BEGIN
    IF NOT EXISTS (SELECT FROM applications a WHERE a.tenant_id = tenant AND a.internal AND a.id <> application) THEN
        RETURN false;
    END IF;
    SELECT a.uid INTO app_uid FROM applications a WHERE a.id = application AND a.tenant_id = tenant;
    RETURN emit_operational(tenant, event, json_build_object(
        'appId', wire_id('app_', application), 'appUid', app_uid,
        'endpointId', wire_id('ep_', endpoint), 'endpointUid', endpoint_uid));
END $$;

CREATE OR REPLACE FUNCTION emit_attempt_event(tenant uuid, endpoint uuid, message uuid, attempt uuid, status_code integer, event text)
    RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = posthorn, pg_temp AS $$
DECLARE
    about json;
BEGIN
    IF NOT EXISTS (SELECT FROM applications a WHERE a.tenant_id = tenant AND a.internal) THEN
        RETURN false;
    END IF;
    SELECT json_build_object(
        'appId', wire_id('app_', a.id), 'appUid', a.uid,
        'endpointId', wire_id('ep_', e.id), 'endpointUid', e.uid,
        'msgId', wire_id('msg_', message), 'msgEventId', m.event_id,
        'lastAttempt', json_build_object(
            'id', wire_id('atmpt_', attempt), 'responseStatusCode', status_code,
            'timestamp', to_char(uuid_time(attempt) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')))
    INTO about
    FROM endpoints e
    JOIN applications a ON a.id = e.application_id AND NOT a.internal
    LEFT JOIN messages m ON m.application_id = a.id AND m.id = message
    WHERE e.id = endpoint AND e.tenant_id = tenant;
    RETURN about IS NOT NULL AND emit_operational(tenant, event, about);
END $$;
