-- Messages that are committed and whose endpoints are not decided yet: sent from SQL, or planned for later. A node takes
-- those that are due, for a while by moving due_at, and who deletes the row makes the deliveries.
CREATE TABLE unmatched_messages (
    message_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    application_id uuid NOT NULL,
    due_at timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000);
CREATE INDEX unmatched_messages_due ON unmatched_messages (due_at, message_id);
CREATE INDEX unmatched_messages_tenant ON unmatched_messages (tenant_id, due_at, message_id);

ALTER TABLE unmatched_messages ENABLE ROW LEVEL SECURITY;
ALTER TABLE unmatched_messages FORCE ROW LEVEL SECURITY;
CREATE POLICY engine ON unmatched_messages TO posthorn_engine USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON unmatched_messages TO posthorn_engine;

-- Tells the nodes when to look, in milliseconds but by the second, so that many rows of a transaction are told of once.
CREATE FUNCTION announce_unmatched() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('posthorn', 'unmatched:' || floor(extract(epoch FROM NEW.due_at))::bigint * 1000);
    RETURN NULL;
END $$;
CREATE TRIGGER unmatched_message_added AFTER INSERT ON unmatched_messages
    FOR EACH ROW EXECUTE FUNCTION announce_unmatched();

ALTER TABLE messages ADD COLUMN deliver_at timestamptz; -- NULL: at once

-- A new UUIDv7 of now: those that one session makes ascend, for the 12 bits behind the milliseconds are a part of one.
CREATE OR REPLACE FUNCTION uuid_now() RETURNS uuid LANGUAGE plpgsql VOLATILE PARALLEL SAFE AS $$
DECLARE
    us constant bigint := floor(extract(epoch FROM clock_timestamp()) * 1000000);
BEGIN
    RETURN lpad(to_hex(us / 1000), 12, '0') || '7' || lpad(to_hex(us % 1000 * 4096 / 1000), 3, '0')
           || substr(gen_random_uuid()::text, 20);
END $$;

-- The id that is on the wire in this form; NULL: it is none.
CREATE FUNCTION id_of_wire(prefix text, wire text) RETURNS uuid LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    digits constant text := '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
    value numeric := 0;
    hex text := '';
BEGIN
    IF length(wire) <> length(prefix) + 22 OR NOT starts_with(wire, prefix) THEN
        RETURN NULL;
    END IF;
    FOR i IN 1..22 LOOP
        value := value * 62 + strpos(digits, substr(wire, length(prefix) + i, 1)) - 1;
        IF strpos(digits, substr(wire, length(prefix) + i, 1)) = 0 THEN
            RETURN NULL;
        END IF;
    END LOOP;
    FOR i IN 1..4 LOOP
        hex := lpad(to_hex(mod(value, 4294967296)::bigint), 8, '0') || hex;
        value := div(value, 4294967296);
    END LOOP;
    RETURN CASE WHEN value = 0 THEN hex::uuid END;
END $$;

-- PostgreSQL roles that may send from SQL, each for one tenant. Only the command line writes here.
CREATE TABLE sql_users (
    role_name text PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX sql_users_tenant ON sql_users (tenant_id, role_name);
ALTER TABLE sql_users ENABLE ROW LEVEL SECURITY;
ALTER TABLE sql_users FORCE ROW LEVEL SECURITY;
CREATE POLICY engine ON sql_users TO posthorn_engine USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON sql_users TO posthorn_engine;

-- What they may: call posthorn.send, and nothing else.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'posthorn_sender') THEN
        CREATE ROLE posthorn_sender NOLOGIN;
    END IF;
END $$;
GRANT USAGE ON SCHEMA posthorn TO posthorn_sender;

CREATE FUNCTION grant_sender(role_name text) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = posthorn, pg_temp AS $$
BEGIN
    EXECUTE format('GRANT posthorn_sender TO %I', role_name);
    RETURN true;
END $$;
CREATE FUNCTION revoke_sender(role_name text) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = posthorn, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles r WHERE r.rolname = role_name) THEN
        EXECUTE format('REVOKE posthorn_sender FROM %I', role_name);
    END IF;
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION grant_sender(text), revoke_sender(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION grant_sender(text), revoke_sender(text) TO posthorn_engine;

CREATE FUNCTION name_ok(name text, max_chars integer) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN length(name) <= max_chars AND name ~ '^[a-zA-Z0-9_.-]+$';
-- Whether each is a name of a channel or tag. No list is fine.
CREATE FUNCTION names_ok(names text[]) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN NOT EXISTS (SELECT FROM unnest(names) AS n (name) WHERE name_ok(name, 128) IS NOT TRUE);

-- Sends a message in the caller's transaction: committed, it is delivered; rolled back, it never was. The tenant is that of
-- the role that has logged in, whatever else the session sets. Returns the message's id as it is on the wire.
CREATE FUNCTION send(application text, event_type text, payload text, channels text[] DEFAULT NULL,
                     event_id text DEFAULT NULL, tags text[] DEFAULT NULL, deliver_at timestamptz DEFAULT NULL)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = posthorn, pg_temp AS $$
DECLARE
    tenant uuid;
    target uuid;
    message constant uuid := uuid_now();
    later constant timestamptz := CASE WHEN send.deliver_at > now() THEN send.deliver_at END;
BEGIN
    SELECT u.tenant_id INTO tenant FROM sql_users u WHERE u.role_name = session_user;
    IF tenant IS NULL THEN
        RAISE insufficient_privilege USING
            MESSAGE = format('role "%s" sends for no tenant', session_user),
            HINT = 'The operator maps it to one: posthorn sql-user create.';
    END IF;
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
    ELSIF payload IS NULL THEN
        RAISE null_value_not_allowed USING MESSAGE = 'payload is null';
    ELSIF octet_length(convert_to(payload, 'UTF8')) > 1048576 THEN
        RAISE program_limit_exceeded USING MESSAGE = 'payload has more than 1048576 bytes';
    ELSIF json_typeof(payload::json) <> 'object' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'payload has to be a JSON object';
    END IF;
    SELECT a.id INTO target FROM applications a
    WHERE a.tenant_id = tenant AND NOT a.internal
      AND a.id = coalesce(id_of_wire('app_', application),
                          (SELECT u.id FROM applications u WHERE u.tenant_id = tenant AND u.uid = application));
    IF target IS NULL THEN
        RAISE no_data_found USING MESSAGE = format('there is no application "%s"', application);
    END IF;
    IF event_id IS NOT NULL THEN
        INSERT INTO message_uids AS u (application_id, event_id, tenant_id, message_id)
        VALUES (target, send.event_id, tenant, message)
        ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            RAISE unique_violation USING
                MESSAGE = format('the application has a message with event_id "%s" already', event_id);
        END IF;
    END IF;
    INSERT INTO messages (application_id, id, tenant_id, event_type, event_id, channels, tags, payload, deliver_at)
    VALUES (target, message, tenant, send.event_type, send.event_id, nullif(send.channels, '{}'), nullif(send.tags, '{}'),
            convert_to(send.payload, 'UTF8'), later);
    INSERT INTO unmatched_messages (message_id, tenant_id, application_id, due_at)
    VALUES (message, tenant, target, coalesce(later, now()));
    RETURN wire_id('msg_', message);
END $$;

-- The same for a json, whose bytes are kept, and for a jsonb, as PostgreSQL writes it.
CREATE FUNCTION send(application text, event_type text, payload json, channels text[] DEFAULT NULL,
                     event_id text DEFAULT NULL, tags text[] DEFAULT NULL, deliver_at timestamptz DEFAULT NULL)
    RETURNS text LANGUAGE sql VOLATILE
    RETURN send(application, event_type, payload::text, channels, event_id, tags, deliver_at);
CREATE FUNCTION send(application text, event_type text, payload jsonb, channels text[] DEFAULT NULL,
                     event_id text DEFAULT NULL, tags text[] DEFAULT NULL, deliver_at timestamptz DEFAULT NULL)
    RETURNS text LANGUAGE sql VOLATILE
    RETURN send(application, event_type, payload::text, channels, event_id, tags, deliver_at);

GRANT CREATE ON SCHEMA posthorn TO posthorn_engine;
ALTER FUNCTION send(text, text, text, text[], text, text[], timestamptz) OWNER TO posthorn_engine;
REVOKE CREATE ON SCHEMA posthorn FROM posthorn_engine;
REVOKE ALL ON FUNCTION emit_task_event() FROM PUBLIC; -- else anybody's trigger could call it
DO $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'posthorn'::regnamespace AND p.proname = 'send' LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO posthorn_sender', f);
    END LOOP;
END $$;
