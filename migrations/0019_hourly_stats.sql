-- Messages and attempts per hour and event type, of each application and of the whole tenant. owner_id: the application's or
-- the tenant's id.
CREATE TABLE hourly_stats (
    owner_id uuid NOT NULL,
    bucket timestamptz NOT NULL,
    event_type text NOT NULL COLLATE "C",
    tenant_id uuid NOT NULL,
    messages bigint NOT NULL,  -- accepted
    success bigint NOT NULL,   -- attempts
    failure bigint NOT NULL,   -- attempts
    exhausted bigint NOT NULL, -- deliveries that were given up
    duration_counts bigint[] NOT NULL, -- as in delivery_stats
    PRIMARY KEY (owner_id, bucket, event_type)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

ALTER TABLE hourly_stats ENABLE ROW LEVEL SECURITY;
ALTER TABLE hourly_stats FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON hourly_stats TO posthorn_api USING (tenant_id = current_tenant());
CREATE POLICY engine ON hourly_stats TO posthorn_engine USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON hourly_stats TO posthorn_engine;
GRANT SELECT ON hourly_stats, endpoint_schedule TO posthorn_api;

-- Old rows are found without reading the others: they lie in the order of their time.
CREATE INDEX hourly_stats_age ON hourly_stats USING brin (bucket);
CREATE INDEX delivery_stats_age ON delivery_stats USING brin (bucket);

CREATE OR REPLACE FUNCTION drop_partitions(days integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = posthorn, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    child record;
    dropped integer := 0;
    oldest date := (now() AT TIME ZONE 'UTC')::date - days;
BEGIN
    PERFORM pg_advisory_xact_lock(1886152041);
    FOR child IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent IN ('messages'::regclass, 'attempts'::regclass) AND right(c.relname, 8) < to_char(oldest, 'YYYYMMDD')
    LOOP
        EXECUTE format('DROP TABLE %I', child.relname);
        dropped := dropped + 1;
    END LOOP;
    DELETE FROM message_uids WHERE message_id < uuid_floor(oldest::timestamp AT TIME ZONE 'UTC');
    DELETE FROM delivery_stats WHERE bucket < oldest;
    DELETE FROM hourly_stats WHERE bucket < oldest;
    RETURN dropped;
END $$;
