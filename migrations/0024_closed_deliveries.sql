-- Deliveries that ended without success and without their last attempt.
CREATE TABLE closed_deliveries (
    message_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    state smallint NOT NULL CHECK (state IN (4, 5)), -- 4 canceled, 5 skipped: the endpoint was disabled
    PRIMARY KEY (message_id, endpoint_id)
) PARTITION BY RANGE (message_id);
CREATE INDEX closed_deliveries_endpoint ON closed_deliveries (endpoint_id, message_id);

ALTER TABLE closed_deliveries ENABLE ROW LEVEL SECURITY;
ALTER TABLE closed_deliveries FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON closed_deliveries TO posthorn_api USING (tenant_id = current_tenant());
CREATE POLICY engine ON closed_deliveries TO posthorn_engine USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON closed_deliveries TO posthorn_engine;
GRANT SELECT ON closed_deliveries TO posthorn_api;

-- Those that have a partition a day.
CREATE FUNCTION partitioned_tables() RETURNS text[] LANGUAGE sql IMMUTABLE
    RETURN ARRAY['messages', 'attempts', 'closed_deliveries'];

CREATE OR REPLACE FUNCTION make_partitions(ahead integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = posthorn, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    parent text;
    day date;
    child text;
    made integer := 0;
    today date := (now() AT TIME ZONE 'UTC')::date;
BEGIN
    PERFORM pg_advisory_xact_lock(1886152041);
    FOREACH parent IN ARRAY partitioned_tables() LOOP
        FOR day IN SELECT generate_series(today - 1, today + ahead, interval '1 day')::date LOOP
            child := parent || '_' || to_char(day, 'YYYYMMDD');
            IF to_regclass('posthorn.' || child) IS NULL THEN
                EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', child, parent,
                    uuid_floor(day::timestamp AT TIME ZONE 'UTC'), uuid_floor((day + 1)::timestamp AT TIME ZONE 'UTC'));
                made := made + 1;
            END IF;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;

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
        WHERE i.inhparent IN (SELECT to_regclass('posthorn.' || t) FROM unnest(partitioned_tables()) t)
          AND right(c.relname, 8) < to_char(oldest, 'YYYYMMDD')
    LOOP
        EXECUTE format('DROP TABLE %I', child.relname);
        dropped := dropped + 1;
    END LOOP;
    DELETE FROM message_uids WHERE message_id < uuid_floor(oldest::timestamp AT TIME ZONE 'UTC');
    DELETE FROM delivery_stats WHERE bucket < oldest;
    DELETE FROM hourly_stats WHERE bucket < oldest;
    RETURN dropped;
END $$;

-- As far back as there are messages.
DO $$
DECLARE
    day text;
BEGIN
    FOR day IN
        SELECT right(c.relname, 8) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'messages'::regclass
    LOOP
        EXECUTE format('CREATE TABLE %I PARTITION OF closed_deliveries FOR VALUES FROM (%L) TO (%L)', 'closed_deliveries_' || day,
            uuid_floor(day::timestamp AT TIME ZONE 'UTC'), uuid_floor((day::date + 1)::timestamp AT TIME ZONE 'UTC'));
    END LOOP;
END $$;
SELECT make_partitions(7);
