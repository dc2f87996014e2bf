-- Operational webhooks: messages about the endpoints and deliveries of a tenant. Its endpoints for them belong to an
-- application of its own, which the REST interface never shows as one.
ALTER TABLE applications ADD COLUMN internal boolean NOT NULL DEFAULT false;
CREATE UNIQUE INDEX applications_internal ON applications (tenant_id) WHERE internal;
ALTER POLICY tenant ON applications USING (tenant_id = current_tenant() AND NOT internal);

-- An id as it is on the wire: prefix and 22 digits of base 62.
CREATE FUNCTION wire_id(prefix text, id uuid) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    digits constant text := '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
    hex constant text := replace(id::text, '-', '');
    value numeric := 0;
    result text := '';
BEGIN
    FOR i IN 0..3 LOOP
        value := value * 4294967296 + ('x' || substr(hex, 1 + 8 * i, 8))::bit(32)::bigint;
    END LOOP;
    FOR i IN 1..22 LOOP
        result := substr(digits, mod(value, 62)::integer + 1, 1) || result;
        value := div(value, 62);
    END LOOP;
    RETURN prefix || result;
END $$;

-- A new UUIDv7 of now.
CREATE FUNCTION uuid_now() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE
    RETURN (lpad(to_hex(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7'
            || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid;

-- Sends a message to the tenant's operational endpoints that want events of this name. Nothing happens when there is none.
CREATE FUNCTION emit_operational(tenant uuid, event text, data json) RETURNS boolean LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = posthorn, pg_temp AS $$
DECLARE
    target uuid;
    listening uuid[];
    message uuid;
BEGIN
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
    INSERT INTO endpoint_schedule AS s (endpoint_id, tenant_id, next_due_at)
    SELECT id, tenant, now() FROM unnest(listening) AS l (id)
    ON CONFLICT (endpoint_id) DO UPDATE
    SET changes = s.changes + 1, next_due_at = least(s.next_due_at, excluded.next_due_at);
    RETURN true;
END $$;

-- About an endpoint of an application; about operational endpoints nothing is sent.
CREATE FUNCTION emit_endpoint_event(tenant uuid, application uuid, endpoint uuid, endpoint_uid text, event text)
    RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = posthorn, pg_temp AS $$
DECLARE
    app_uid text;
BEGIN
    IF NOT EXISTS (SELECT FROM applications a WHERE a.tenant_id = tenant AND a.internal AND a.id <> application) THEN
        RETURN false;
    END IF;
    SELECT a.uid INTO app_uid FROM applications a WHERE a.id = application;
    RETURN emit_operational(tenant, event, json_build_object(
        'appId', wire_id('app_', application), 'appUid', app_uid,
        'endpointId', wire_id('ep_', endpoint), 'endpointUid', endpoint_uid));
END $$;

-- About a delivery, by its attempt. An endpoint that is gone has no events any more.
CREATE FUNCTION emit_attempt_event(tenant uuid, endpoint uuid, message uuid, attempt uuid, status_code integer, event text)
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
    WHERE e.id = endpoint;
    RETURN about IS NOT NULL AND emit_operational(tenant, event, about);
END $$;

-- About a background task that has come to its end, whichever.
CREATE FUNCTION emit_task_event() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = posthorn, pg_temp AS $$
BEGIN
    PERFORM emit_operational(NEW.tenant_id, 'background_task.finished', json_build_object(
        'taskId', wire_id('qtask_', NEW.id), 'task', NEW.type, 'status', NEW.status, 'data', NEW.params));
    RETURN NULL;
END $$;
CREATE TRIGGER background_task_finished AFTER UPDATE OF status ON background_tasks
    FOR EACH ROW WHEN (OLD.status = 'running' AND NEW.status <> 'running') EXECUTE FUNCTION emit_task_event();

-- They read and write what only the engine may, whoever calls them.
GRANT CREATE ON SCHEMA posthorn TO posthorn_engine;
ALTER FUNCTION emit_operational(uuid, text, json) OWNER TO posthorn_engine;
ALTER FUNCTION emit_endpoint_event(uuid, uuid, uuid, text, text) OWNER TO posthorn_engine;
ALTER FUNCTION emit_attempt_event(uuid, uuid, uuid, uuid, integer, text) OWNER TO posthorn_engine;
ALTER FUNCTION emit_task_event() OWNER TO posthorn_engine;
REVOKE CREATE ON SCHEMA posthorn FROM posthorn_engine;
REVOKE ALL ON FUNCTION emit_operational(uuid, text, json), emit_endpoint_event(uuid, uuid, uuid, text, text),
    emit_attempt_event(uuid, uuid, uuid, uuid, integer, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION emit_operational(uuid, text, json), emit_endpoint_event(uuid, uuid, uuid, text, text),
    emit_attempt_event(uuid, uuid, uuid, uuid, integer, text) TO posthorn_api, posthorn_engine;
