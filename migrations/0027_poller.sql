-- Pollers: endpoints whose messages are fetched instead of being sent. Read as a column, e.polled.
CREATE FUNCTION polled(e endpoints) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN e.url = 'poller:';

-- What a poller has. The order is that of the transactions which stored it: a reader takes rows of transactions that are older
-- than every one that still runs, so no row can come later and in front of one that was read.
CREATE TABLE poller_messages (
    endpoint_id uuid NOT NULL,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    message_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    application_id uuid NOT NULL,
    PRIMARY KEY (endpoint_id, xid, message_id)
) WITH (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000);
CREATE INDEX poller_messages_time ON poller_messages (endpoint_id, message_id);
CREATE INDEX poller_messages_age ON poller_messages USING brin (message_id);

-- How far the consumers of a poller have come.
CREATE TABLE poller_consumers (
    endpoint_id uuid NOT NULL REFERENCES endpoints ON DELETE CASCADE,
    name text NOT NULL COLLATE "C",
    tenant_id uuid NOT NULL,
    xid xid8 NOT NULL,
    message_id uuid NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (endpoint_id, name)
);

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['poller_messages', 'poller_consumers'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant ON %I TO posthorn_api USING (tenant_id = current_tenant())', t);
        EXECUTE format('CREATE POLICY engine ON %I TO posthorn_engine USING (true)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO posthorn_engine', t);
    END LOOP;
END $$;
GRANT SELECT ON poller_messages TO posthorn_api;
GRANT SELECT, INSERT, UPDATE ON poller_consumers TO posthorn_api;
