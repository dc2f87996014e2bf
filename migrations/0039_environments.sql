-- Environments of a tenant share the plan and the quotas of its root, and its suspension and its end.
ALTER TABLE tenants
    ADD COLUMN spent_on date,                            -- of a root: the last day on which an environment was deleted
    ADD COLUMN spent_messages bigint NOT NULL DEFAULT 0, -- that such environments had sent on that day
    ADD COLUMN emptied boolean NOT NULL DEFAULT false;   -- a deleted one of which nothing was left
DROP INDEX tenants_root;
CREATE INDEX tenants_root ON tenants (root_id, id);

CREATE OR REPLACE FUNCTION quotas_of(tenant tenants) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN tenant.root_id = tenant.id
                THEN coalesce((SELECT p.quotas FROM posthorn.plans p WHERE p.name = tenant.plan), '{}') || tenant.quotas
                ELSE (SELECT coalesce(p.quotas, '{}') || r.quotas
                      FROM posthorn.tenants r LEFT JOIN posthorn.plans p ON p.name = r.plan WHERE r.id = tenant.root_id) END
$$;

-- What all environments of a root have sent since midnight, those included that are deleted.
CREATE FUNCTION messages_today(root uuid) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT (SELECT coalesce(sum(h.messages), 0)
            FROM posthorn.tenants e
            JOIN posthorn.hourly_stats h ON h.owner_id = e.id AND h.bucket >= date_trunc('day', now())
            WHERE e.root_id = root AND (e.deleted_at IS NULL OR e.id = root))::bigint
         + coalesce((SELECT r.spent_messages FROM posthorn.tenants r
                     WHERE r.id = root AND r.spent_on = (now() AT TIME ZONE 'UTC')::date), 0)
$$;

-- Those beside the root, as the operator sees them.
CREATE FUNCTION environments_of(root uuid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(json_agg(json_build_object('id', posthorn.wire_id('org_', e.id), 'name', e.name) ORDER BY e.id), '[]')::text
    FROM posthorn.tenants e WHERE e.root_id = root AND e.id <> root AND e.deleted_at IS NULL
$$;

CREATE OR REPLACE FUNCTION standing(tenant uuid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT json_build_object(
        'root', t.root_id,
        'suspended', t.suspended_at IS NOT NULL,
        'quotas', q.quotas,
        'messagesToday', CASE WHEN q.quotas ? 'messagesPerDay' THEN posthorn.messages_today(t.root_id) END)::text
    FROM posthorn.tenants t CROSS JOIN LATERAL (SELECT posthorn.quotas_of(t) AS quotas) q
    WHERE t.id = tenant
$$;

-- After an insert: no more rows of all environments than the quota that is named.
CREATE OR REPLACE FUNCTION check_quota() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = posthorn, pg_temp AS $$
DECLARE
    root uuid;
    most bigint;
    there bigint;
BEGIN
    SELECT t.root_id, (quotas_of(t) ->> TG_ARGV[0])::bigint INTO root, most FROM tenants t WHERE t.id = NEW.tenant_id;
    IF most IS NULL THEN
        RETURN NULL;
    END IF;
    -- One after the other: two that cannot see each other must not both be the last one.
    PERFORM pg_advisory_xact_lock(1886152042, hashtext(root::text));
    IF TG_ARGV[0] = 'applications' THEN
        SELECT count(*) INTO there FROM tenants e JOIN applications a ON a.tenant_id = e.id AND NOT a.internal WHERE e.root_id = root;
    ELSE
        SELECT count(*) INTO there FROM tenants e JOIN endpoints p ON p.tenant_id = e.id WHERE e.root_id = root;
    END IF;
    IF there > most THEN
        RAISE EXCEPTION 'quota of % reached', TG_ARGV[0] USING ERRCODE = 'PH001';
    END IF;
    RETURN NULL;
END $$;

-- The same of environments, of which there are never more than 100. One that is being removed counts until it is gone.
CREATE FUNCTION check_environments() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(1886152042, hashtext(NEW.root_id::text));
    IF (SELECT count(*) FROM posthorn.tenants e WHERE e.root_id = NEW.root_id)
       > least(100, (posthorn.quotas_of(NEW) ->> 'environments')::bigint) THEN
        RAISE EXCEPTION 'quota of environments reached' USING ERRCODE = 'PH001';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER quota AFTER INSERT ON tenants FOR EACH ROW WHEN (NEW.root_id <> NEW.id) EXECUTE FUNCTION check_environments();
UPDATE plans SET quotas = quotas || '{"environments": 3}' WHERE name = 'free' AND NOT quotas ? 'environments';
UPDATE plans SET quotas = quotas || '{"environments": 20}' WHERE name = 'standard' AND NOT quotas ? 'environments';

-- What is done to a root is done to all of its environments. A statement of its own, so that it sees one which was made while the
-- root's row was waited for. The credentials of a deleted one end, and so do its members: the accounts of those who belong to no
-- other tenant go with it. What a suspension has held goes on when that ends.
CREATE FUNCTION follow_root() RETURNS trigger LANGUAGE plpgsql SET search_path = posthorn, pg_temp AS $$
BEGIN
    IF NEW.id = NEW.root_id THEN
        UPDATE tenants SET suspended_at = NEW.suspended_at, deleted_at = NEW.deleted_at, version = version + 1, updated_at = now()
        WHERE root_id = NEW.id AND id <> NEW.id AND deleted_at IS NULL;
    END IF;
    IF NEW.deleted_at IS NOT NULL THEN
        DELETE FROM api_keys WHERE tenant_id = NEW.id;
        DELETE FROM portal_tokens WHERE tenant_id = NEW.id;
        DELETE FROM poller_tokens WHERE tenant_id = NEW.id;
        DELETE FROM invitations WHERE tenant_id = NEW.id;
        WITH gone AS (
            DELETE FROM members WHERE tenant_id = NEW.id RETURNING user_id
        )
        DELETE FROM users u USING gone g
        WHERE u.id = g.user_id AND NOT EXISTS (SELECT FROM members m WHERE m.user_id = u.id AND m.tenant_id <> NEW.id);
    ELSIF NEW.suspended_at IS NULL THEN
        UPDATE endpoint_schedule s SET held_until = '-infinity', changes = s.changes + 1
        WHERE s.tenant_id = NEW.id AND s.held_until > now() AND s.busy_node IS NULL;
    END IF;
    PERFORM announce('auth:' || NEW.id::text), announce('tenant:' || NEW.id::text);
    RETURN NULL;
END $$;
CREATE TRIGGER standing AFTER UPDATE OF suspended_at, deleted_at ON tenants FOR EACH ROW
    WHEN (OLD.suspended_at IS DISTINCT FROM NEW.suspended_at OR OLD.deleted_at IS DISTINCT FROM NEW.deleted_at)
    EXECUTE FUNCTION follow_root();

-- As before, but that a tenant of which nothing is left does not keep others waiting until its minute is over, and that a root goes
-- after its environments.
CREATE OR REPLACE FUNCTION purge_tenant(most integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = posthorn, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    doomed tenants;
    child record;
    n integer := 0;
    gone integer;
BEGIN
    SELECT * INTO doomed FROM tenants t
    WHERE deleted_at IS NOT NULL
      AND (NOT emptied OR (deleted_at <= now() - interval '1 minute'
                           AND NOT EXISTS (SELECT FROM tenants e WHERE e.root_id = t.id AND e.id <> t.id)))
    ORDER BY deleted_at LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    FOR child IN
        SELECT c.oid::regclass::text AS name
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relnamespace = 'posthorn'::regnamespace AND c.relkind = 'r' AND NOT c.relispartition AND a.attname = 'tenant_id'
        ORDER BY c.relname = 'applications', c.relname = 'endpoints', c.relname
    LOOP
        EXIT WHEN n >= most;
        EXECUTE format('DELETE FROM %s WHERE ctid = ANY (ARRAY(SELECT ctid FROM %s WHERE tenant_id = $1 LIMIT $2))',
                       child.name, child.name) USING doomed.id, most - n;
        GET DIAGNOSTICS gone = ROW_COUNT;
        n := n + gone;
    END LOOP;
    WHILE n < most LOOP
        SELECT p.name, p.gone INTO child FROM purge_partition(doomed.id, doomed.purged_to, most - n) p;
        EXIT WHEN child.name IS NULL;
        n := n + child.gone;
        EXIT WHEN n >= most;
        doomed.purged_to := child.name;
        IF clock_timestamp() > statement_timestamp() + interval '2 seconds' THEN
            n := n + 1; -- there is more to look at
            EXIT;
        END IF;
    END LOOP;
    UPDATE tenants SET purged_to = doomed.purged_to WHERE id = doomed.id AND purged_to <> doomed.purged_to;
    IF n > 0 THEN
        RETURN n;
    END IF;
    IF NOT doomed.emptied THEN -- its time comes, or that of its environments; until then others have their turn
        UPDATE tenants SET emptied = true WHERE id = doomed.id;
        RETURN 1;
    END IF;
    IF doomed.purge_again THEN
        DELETE FROM tenants WHERE id = doomed.id;
    ELSE
        UPDATE tenants SET purged_to = '', purge_again = true WHERE id = doomed.id;
    END IF;
    RETURN 1;
END $$;

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
    ELSIF (limits ->> 'messagesPerDay')::bigint <= messages_today(tenant.root_id) THEN
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
