-- Sending from SQL keeps to what holds for the tenant: whether it is suspended, and its quotas. The messages of the day are
-- those that are counted by now, as for requests.
CREATE OR REPLACE FUNCTION send(application text, event_type text, payload text, channels text[] DEFAULT NULL,
                     event_id text DEFAULT NULL, tags text[] DEFAULT NULL, deliver_at timestamptz DEFAULT NULL)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = posthorn, pg_temp AS $$
DECLARE
    tenant tenants;
    limits jsonb;
    bytes integer;
    kept_until timestamptz;
    target uuid;
    message constant uuid := uuid_now();
    later constant timestamptz := CASE WHEN send.deliver_at > now() THEN send.deliver_at END;
BEGIN
    SELECT t.* INTO tenant FROM sql_users u JOIN tenants t ON t.id = u.tenant_id
    WHERE u.role_name = session_user AND t.deleted_at IS NULL;
    IF tenant.id IS NULL THEN
        RAISE insufficient_privilege USING
            MESSAGE = format('role "%s" sends for no tenant', session_user),
            HINT = 'The operator maps it to one: posthorn sql-user create.';
    ELSIF tenant.suspended_at IS NOT NULL THEN
        RAISE insufficient_privilege USING MESSAGE = 'the tenant is suspended';
    END IF;
    limits := quotas_of(tenant);
    bytes := octet_length(convert_to(payload, 'UTF8'));
    kept_until := now() + (limits ->> 'retentionDays')::integer * interval '1 day';
    IF name_ok(event_type, 256) IS NOT TRUE THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'event_type has to be 1 to 256 of a-z, A-Z, 0-9, "-", "_", "."';
    ELSIF NOT name_ok(event_id, 256) THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'event_id has to be 1 to 256 of a-z, A-Z, 0-9, "-", "_", "."';
    ELSIF cardinality(channels) > 5 OR NOT names_ok(channels) THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'channels has to be up to 5 names of 1 to 128 of a-z, A-Z, 0-9, "-", "_", "."';
    ELSIF cardinality(tags) > 8 OR NOT names_ok(tags) THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'tags has to be up to 8 names of 1 to 128 of a-z, A-Z, 0-9, "-", "_", "."';
    ELSIF later > now() + interval '30 days' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'deliver_at is more than 30 days ahead';
    ELSIF later >= kept_until THEN
        RAISE invalid_parameter_value USING MESSAGE = 'deliver_at is later than the quota lets the payload be kept';
    ELSIF payload IS NULL THEN
        RAISE null_value_not_allowed USING MESSAGE = 'payload is null';
    ELSIF bytes > least(1048576, (limits ->> 'payloadBytes')::bigint) THEN
        RAISE program_limit_exceeded USING
            MESSAGE = format('payload has more than %s bytes', least(1048576, (limits ->> 'payloadBytes')::bigint));
    ELSIF (limits ->> 'messagesPerDay')::bigint <= (SELECT coalesce(sum(h.messages), 0) FROM hourly_stats h
                                                    WHERE h.owner_id = tenant.id AND h.bucket >= date_trunc('day', now())) THEN
        RAISE configuration_limit_exceeded USING MESSAGE = 'the tenant has sent its messages of the day';
    ELSIF json_typeof(payload::json) <> 'object' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'payload has to be a JSON object';
    END IF;
    SELECT a.id INTO target FROM applications a
    WHERE a.tenant_id = tenant.id AND NOT a.internal
      AND a.id = coalesce(id_of_wire('app_', application),
                          (SELECT u.id FROM applications u WHERE u.tenant_id = tenant.id AND u.uid = application));
    IF target IS NULL THEN
        RAISE no_data_found USING MESSAGE = format('there is no application "%s"', application);
    END IF;
    IF event_id IS NOT NULL THEN
        INSERT INTO message_uids AS u (application_id, event_id, tenant_id, message_id)
        VALUES (target, send.event_id, tenant.id, message)
        ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            RAISE unique_violation USING
                MESSAGE = format('the application has a message with event_id "%s" already', event_id);
        END IF;
    END IF;
    INSERT INTO messages (application_id, id, tenant_id, event_type, event_id, channels, tags, payload, deliver_at,
                          expires_at)
    VALUES (target, message, tenant.id, send.event_type, send.event_id, nullif(send.channels, '{}'), nullif(send.tags, '{}'),
            convert_to(send.payload, 'UTF8'), later, kept_until);
    INSERT INTO unmatched_messages (message_id, tenant_id, application_id, due_at)
    VALUES (message, tenant.id, target, coalesce(later, now()));
    RETURN wire_id('msg_', message);
END $$;

REVOKE ALL ON FUNCTION check_quota() FROM PUBLIC; -- else anybody's trigger could call it
