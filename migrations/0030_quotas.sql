-- What a tenant may use. Members of quotas; without one there is no limit (requests: the instance's):
-- readsPerSecond, writesPerSecond, sendsPerSecond (of each node), messagesPerDay, applications, endpoints, retentionDays,
-- payloadBytes.
CREATE TABLE plans (
    name text PRIMARY KEY,
    quotas jsonb NOT NULL
);
INSERT INTO plans (name, quotas) VALUES
    ('free', '{"readsPerSecond": 20, "writesPerSecond": 10, "sendsPerSecond": 50, "messagesPerDay": 10000, "applications": 100, "endpoints": 500, "retentionDays": 7, "payloadBytes": 65536}'),
    ('standard', '{"readsPerSecond": 200, "writesPerSecond": 100, "sendsPerSecond": 1000, "messagesPerDay": 5000000, "applications": 100000, "endpoints": 500000, "retentionDays": 30, "payloadBytes": 262144}');
GRANT SELECT, INSERT, UPDATE, DELETE ON plans TO posthorn_engine;

ALTER TABLE tenants
    ADD COLUMN suspended_at timestamptz,
    ADD COLUMN deleted_at timestamptz, -- its data are being removed
    ADD COLUMN plan text REFERENCES plans,
    ADD COLUMN quotas jsonb NOT NULL DEFAULT '{}'; -- go before those of the plan

CREATE FUNCTION quotas_of(tenant tenants) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT p.quotas FROM posthorn.plans p WHERE p.name = tenant.plan), '{}') || tenant.quotas
$$;

-- What requests of a tenant have to be held against.
CREATE FUNCTION standing(tenant uuid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT json_build_object(
        'suspended', t.suspended_at IS NOT NULL,
        'quotas', q.quotas,
        'messagesToday', CASE WHEN q.quotas ? 'messagesPerDay' THEN
            (SELECT coalesce(sum(h.messages), 0) FROM posthorn.hourly_stats h
             WHERE h.owner_id = t.id AND h.bucket >= date_trunc('day', now())) END)::text
    FROM posthorn.tenants t CROSS JOIN LATERAL (SELECT posthorn.quotas_of(t) AS quotas) q
    WHERE t.id = tenant
$$;

-- After an insert: no more rows of the tenant than the quota that is named.
CREATE FUNCTION check_quota() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = posthorn, pg_temp AS $$
DECLARE
    most bigint;
    there bigint;
BEGIN
    SELECT (quotas_of(t) ->> TG_ARGV[0])::bigint INTO most FROM tenants t WHERE t.id = NEW.tenant_id;
    IF most IS NULL THEN
        RETURN NULL;
    END IF;
    -- One after the other: two that cannot see each other must not both be the last one.
    PERFORM pg_advisory_xact_lock(1886152042, hashtext(NEW.tenant_id::text));
    IF TG_ARGV[0] = 'applications' THEN
        SELECT count(*) INTO there FROM applications a WHERE a.tenant_id = NEW.tenant_id AND NOT a.internal;
    ELSE
        SELECT count(*) INTO there FROM endpoints e WHERE e.tenant_id = NEW.tenant_id;
    END IF;
    IF there > most THEN
        RAISE EXCEPTION 'quota of % reached', TG_ARGV[0] USING ERRCODE = 'PH001';
    END IF;
    RETURN NULL;
END $$;
GRANT CREATE ON SCHEMA posthorn TO posthorn_engine;
ALTER FUNCTION check_quota() OWNER TO posthorn_engine;
REVOKE CREATE ON SCHEMA posthorn FROM posthorn_engine;
CREATE INDEX endpoints_tenant ON endpoints (tenant_id);
CREATE TRIGGER quota AFTER INSERT ON applications FOR EACH ROW WHEN (NOT NEW.internal)
    EXECUTE FUNCTION check_quota('applications');
CREATE TRIGGER quota AFTER INSERT ON endpoints FOR EACH ROW EXECUTE FUNCTION check_quota('endpoints');

-- Deletes up to `most` rows of a tenant from the partitions, which only their owner may touch.
CREATE FUNCTION purge_partitions(tenant uuid, most integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = posthorn, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    child record;
    n integer := 0;
    gone integer;
BEGIN
    FOR child IN
        SELECT c.oid::regclass::text AS name
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relnamespace = 'posthorn'::regnamespace AND c.relkind = 'r' AND c.relispartition AND a.attname = 'tenant_id'
        ORDER BY c.relname
    LOOP
        EXIT WHEN n >= most;
        EXECUTE format('DELETE FROM %s WHERE ctid = ANY (ARRAY(SELECT ctid FROM %s WHERE tenant_id = $1 LIMIT $2))',
                       child.name, child.name) USING tenant, most - n;
        GET DIAGNOSTICS gone = ROW_COUNT;
        n := n + gone;
    END LOOP;
    RETURN n;
END $$;

-- Deletes up to `most` rows of a tenant that was deleted, from whichever table has a column tenant_id. Returns how many; NULL
-- when no tenant is to be removed. A tenant's own row goes when nothing was left of it for a while: what was under way at its
-- end may still store its outcome.
CREATE FUNCTION purge_tenant(most integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = posthorn, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    doomed tenants;
    child record;
    n integer;
    gone integer;
BEGIN
    SELECT * INTO doomed FROM tenants WHERE deleted_at IS NOT NULL ORDER BY deleted_at LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    n := purge_partitions(doomed.id, most);
    FOR child IN -- those that others point at come last
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
    IF n = 0 AND doomed.deleted_at < now() - interval '1 minute' THEN
        DELETE FROM tenants WHERE id = doomed.id;
        n := 1;
    END IF;
    RETURN n;
END $$;
REVOKE ALL ON FUNCTION purge_partitions(uuid, integer), purge_tenant(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION purge_partitions(uuid, integer), purge_tenant(integer) TO posthorn_engine;
GRANT CREATE ON SCHEMA posthorn TO posthorn_engine;
ALTER FUNCTION purge_tenant(integer) OWNER TO posthorn_engine;
REVOKE CREATE ON SCHEMA posthorn FROM posthorn_engine;
