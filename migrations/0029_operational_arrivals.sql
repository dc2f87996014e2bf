-- An event changes no row of the schedule: statements that send some in different orders do not wait for each other.
CREATE OR REPLACE FUNCTION emit_operational(tenant uuid, event text, data json) RETURNS boolean LANGUAGE plpgsql
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
    INSERT INTO schedule_arrivals (endpoint_id, tenant_id) SELECT id, tenant FROM unnest(listening) AS l (id);
    RETURN true;
END $$;
