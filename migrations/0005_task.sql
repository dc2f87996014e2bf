-- Manual work that takes a while: step by step through an endpoint's attempts or an application's messages, each step in one
-- transaction with the deliveries that it makes.
CREATE TABLE background_tasks (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    application_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    type text NOT NULL CHECK (type IN ('endpoint.recover', 'endpoint.replay', 'endpoint.replay-missing')),
    status text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'finished', 'failed', 'cancelled')),
    params json NOT NULL,             -- what was asked for, as the interface shows it
    since uuid NOT NULL,              -- messages from this id
    until uuid NOT NULL,              -- to before this one
    cursor uuid NOT NULL,             -- the last attempt or message that was looked at
    stop uuid NOT NULL,               -- the end of the walk, exclusive
    done bigint NOT NULL DEFAULT 0,   -- attempts or messages looked at
    total bigint,                     -- of so many; NULL: not counted yet, or too many to be counted
    queued bigint NOT NULL DEFAULT 0, -- deliveries made
    error text,
    next_step_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX background_tasks_running ON background_tasks (next_step_at) WHERE status = 'running';
CREATE INDEX background_tasks_tenant ON background_tasks (tenant_id, id);

ALTER TABLE background_tasks ENABLE ROW LEVEL SECURITY;
ALTER TABLE background_tasks FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON background_tasks TO posthorn_api USING (tenant_id = current_tenant());
CREATE POLICY engine ON background_tasks TO posthorn_engine USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON background_tasks TO posthorn_engine;
GRANT SELECT, INSERT, UPDATE ON background_tasks TO posthorn_api;

ALTER TABLE messages ADD COLUMN endpoint_id uuid; -- the only endpoint that it is for; NULL: all that take it
