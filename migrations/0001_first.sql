-- The two roles. They are shared by all databases of a cluster, so they may be there already.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'posthorn_api') THEN
        CREATE ROLE posthorn_api NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'posthorn_engine') THEN
        CREATE ROLE posthorn_engine NOLOGIN;
    END IF;
    EXECUTE format('GRANT posthorn_api, posthorn_engine TO %I', current_user);
END $$;

GRANT USAGE ON SCHEMA posthorn TO posthorn_api, posthorn_engine;

-- The tenant of this transaction; none: no rows.
CREATE FUNCTION current_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('posthorn.tenant_id', true), '')::uuid;

-- Smallest UUIDv7 of a time.
CREATE FUNCTION uuid_floor(t timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (lpad(to_hex(floor(extract(epoch FROM t) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;

-- Time in a UUIDv7.
CREATE FUNCTION uuid_time(id uuid) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN to_timestamp((('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint) / 1000.0);

CREATE TABLE tenants (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    name text NOT NULL,
    key_hash bytea NOT NULL UNIQUE, -- SHA-256 of the key
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz
);
CREATE INDEX api_keys_tenant ON api_keys (tenant_id, id);

CREATE TABLE applications (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    uid text,
    name text NOT NULL,
    metadata json NOT NULL DEFAULT '{}',
    throttle_rate integer,
    config_version bigint NOT NULL DEFAULT 1, -- grows with every change of the application's endpoints
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT applications_uid UNIQUE (tenant_id, uid)
);
CREATE INDEX applications_tenant ON applications (tenant_id, id);

CREATE TABLE event_types (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    name text NOT NULL COLLATE "C",
    description text NOT NULL,
    schemas json,
    archived boolean NOT NULL DEFAULT false,
    deprecated boolean NOT NULL DEFAULT false,
    feature_flag text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT event_types_name UNIQUE (tenant_id, name)
);

CREATE TABLE endpoints (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    application_id uuid NOT NULL REFERENCES applications ON DELETE CASCADE,
    uid text,
    url text NOT NULL,
    description text NOT NULL DEFAULT '',
    disabled boolean NOT NULL DEFAULT false,
    event_types text[],
    channels text[],
    metadata json NOT NULL DEFAULT '{}',
    throttle_rate integer,
    headers_sealed bytea, -- JSON object of custom headers, sealed
    headers_sensitive text[] NOT NULL DEFAULT '{}',
    version bigint NOT NULL DEFAULT 1, -- grows with every change of this row or of its secrets
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT endpoints_uid UNIQUE (application_id, uid)
);
CREATE INDEX endpoints_application ON endpoints (application_id, id);

CREATE TABLE endpoint_secrets (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    endpoint_id uuid NOT NULL REFERENCES endpoints ON DELETE CASCADE,
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz -- NULL: the current one; else it signs along until then
);
CREATE INDEX endpoint_secrets_endpoint ON endpoint_secrets (endpoint_id, id);

-- Keys that seal, wrapped by the master key (design: security).
CREATE TABLE data_keys (
    id integer PRIMARY KEY,
    wrapped bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Hot tables: no foreign keys; partitions by the time in the key.
CREATE TABLE messages (
    application_id uuid NOT NULL,
    id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    event_type text NOT NULL,
    event_id text,
    channels text[],
    tags text[],
    expires_at timestamptz, -- payload not shown from then on; NULL: the instance's retention
    payload bytea NOT NULL,
    PRIMARY KEY (application_id, id)
) PARTITION BY RANGE (id);

CREATE TABLE attempts (
    message_id uuid NOT NULL,
    id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    number smallint NOT NULL,      -- 1 for the first
    status smallint NOT NULL,      -- 0 success, 2 failure
    trigger_type smallint NOT NULL, -- 0 scheduled, 1 manual
    status_code smallint NOT NULL, -- 0 when there was no answer
    duration_ms integer NOT NULL,
    url text NOT NULL,
    response bytea NOT NULL,       -- first bytes of the body, or the reason of a failure
    PRIMARY KEY (message_id, id)
) PARTITION BY RANGE (id);
CREATE INDEX attempts_endpoint ON attempts (endpoint_id, id);

CREATE TABLE message_uids (
    application_id uuid NOT NULL,
    event_id text NOT NULL COLLATE "C",
    tenant_id uuid NOT NULL,
    message_id uuid NOT NULL,
    PRIMARY KEY (application_id, event_id)
);
CREATE INDEX message_uids_age ON message_uids USING brin (message_id);

-- An answered POST with an Idempotency-Key; key: hash of key, credential and path. A message's answer is made again from
-- the message, so that its payload is not stored twice.
CREATE TABLE idempotency_keys (
    tenant_id uuid NOT NULL,
    key uuid NOT NULL,
    message_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys USING brin (message_id);

-- Raised inside a batch statement that has to be rolled back and sent again.
CREATE FUNCTION ask_again() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'concurrent requests with the same keys; send the batch again' USING ERRCODE = '40001';
END $$;

-- What is still owed. node_id says which node has it in memory; NULL: it waits here until next_at.
CREATE TABLE deliveries (
    endpoint_id uuid NOT NULL,
    message_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    application_id uuid NOT NULL,
    next_at timestamptz, -- set when node_id is NULL
    node_id integer,
    attempts smallint NOT NULL DEFAULT 0, -- attempts made so far
    PRIMARY KEY (endpoint_id, message_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000,
        autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000);
CREATE INDEX deliveries_waiting ON deliveries (endpoint_id, next_at) WHERE node_id IS NULL;

-- One row per endpoint with waiting deliveries: when it may next be served.
CREATE TABLE endpoint_schedule (
    endpoint_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    next_due_at timestamptz NOT NULL,
    held_until timestamptz NOT NULL DEFAULT '-infinity',
    changes bigint NOT NULL DEFAULT 0, -- grows whenever deliveries join, so that a claim sees that some came meanwhile
    serve_at timestamptz NOT NULL GENERATED ALWAYS AS (greatest(next_due_at, held_until)) STORED
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX endpoint_schedule_serve ON endpoint_schedule (serve_at);

-- Attempts per endpoint and five minutes: counts, and how many took up to so many milliseconds.
CREATE TABLE delivery_stats (
    endpoint_id uuid NOT NULL,
    bucket timestamptz NOT NULL,
    tenant_id uuid NOT NULL,
    success bigint NOT NULL,
    failure bigint NOT NULL,
    exhausted bigint NOT NULL,
    duration_counts bigint[] NOT NULL, -- up to 10, 30, 100, 300, 1000, 3000, 10000 ms, and longer
    PRIMARY KEY (endpoint_id, bucket)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE FUNCTION add_counts(a bigint[], b bigint[]) RETURNS bigint[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ARRAY[a[1]+b[1], a[2]+b[2], a[3]+b[3], a[4]+b[4], a[5]+b[5], a[6]+b[6], a[7]+b[7], a[8]+b[8]];

-- Running server processes; a session advisory lock (class 1886152040) on the id is the sign of life.
CREATE TABLE nodes (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    dead_at timestamptz,   -- when its lock was first found free
    scanned_at timestamptz -- when its deliveries were last freed: again for a while, for a statement of it may commit late
);

-- lz4 where this PostgreSQL has it: a third of pglz's CPU for big payloads.
DO $$
BEGIN
    ALTER TABLE messages ALTER COLUMN payload SET COMPRESSION lz4;
    ALTER TABLE attempts ALTER COLUMN response SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL;
END $$;

-- Makes the daily partitions from yesterday to `ahead` days from now. Returns how many were new.
CREATE FUNCTION make_partitions(ahead integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = posthorn, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    parent text;
    day date;
    child text;
    made integer := 0;
    today date := (now() AT TIME ZONE 'UTC')::date;
BEGIN
    PERFORM pg_advisory_xact_lock(1886152041);
    FOREACH parent IN ARRAY ARRAY['messages', 'attempts'] LOOP
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

-- Drops the partitions whose whole day is more than `days` days ago, and what only pointed at their messages.
CREATE FUNCTION drop_partitions(days integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
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
    RETURN dropped;
END $$;
REVOKE ALL ON FUNCTION make_partitions(integer), drop_partitions(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION make_partitions(integer), drop_partitions(integer) TO posthorn_engine;

SELECT make_partitions(7);

-- Row-level security: posthorn_api sees the tenant of its transaction, posthorn_engine works across tenants, and nobody
-- else sees anything, the owner of the tables included.
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['api_keys', 'applications', 'event_types', 'endpoints', 'endpoint_secrets', 'messages',
                             'attempts', 'message_uids', 'idempotency_keys', 'deliveries', 'endpoint_schedule',
                             'delivery_stats'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant ON %I TO posthorn_api USING (tenant_id = current_tenant())', t);
        EXECUTE format('CREATE POLICY engine ON %I TO posthorn_engine USING (true)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO posthorn_engine', t);
    END LOOP;
    ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
    ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
    CREATE POLICY tenant ON tenants TO posthorn_api USING (id = current_tenant());
    CREATE POLICY engine ON tenants TO posthorn_engine USING (true);
END $$;
GRANT SELECT ON tenants TO posthorn_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON tenants, data_keys, nodes TO posthorn_engine;
GRANT SELECT, INSERT, UPDATE, DELETE ON applications, event_types, endpoints, endpoint_secrets TO posthorn_api;
GRANT SELECT ON api_keys, messages, attempts, message_uids, deliveries, delivery_stats TO posthorn_api;
