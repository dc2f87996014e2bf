-- A message to every application of a tenant: a background task of no application and no endpoint.
ALTER TABLE background_tasks
    ALTER COLUMN application_id DROP NOT NULL,
    ALTER COLUMN endpoint_id DROP NOT NULL,
    DROP CONSTRAINT background_tasks_type_check,
    ADD CONSTRAINT background_tasks_type_check
        CHECK (type IN ('endpoint.recover', 'endpoint.replay', 'endpoint.replay-missing', 'message.broadcast'));

-- What it sends, until it is over.
CREATE TABLE broadcasts (
    task_id uuid PRIMARY KEY REFERENCES background_tasks ON DELETE CASCADE,
    tenant_id uuid NOT NULL,
    event_type text NOT NULL,
    event_id text,
    channels text[],
    tags text[],
    expires_at timestamptz,
    payload bytea NOT NULL,
    raw_body bytea,
    content_type text,
    deliver_at timestamptz
);
ALTER TABLE broadcasts ENABLE ROW LEVEL SECURITY;
ALTER TABLE broadcasts FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON broadcasts TO posthorn_api USING (tenant_id = current_tenant());
CREATE POLICY engine ON broadcasts TO posthorn_engine USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON broadcasts TO posthorn_engine;
GRANT SELECT, INSERT, DELETE ON broadcasts TO posthorn_api;
