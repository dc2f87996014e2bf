-- A receiver for trying things out: one of an application, and the last requests that came there.
CREATE TABLE inboxes (
    application_id uuid PRIMARY KEY REFERENCES applications ON DELETE CASCADE,
    tenant_id uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    token text NOT NULL UNIQUE, -- in its URL, as the endpoints have it
    status integer NOT NULL,    -- what it answers
    delay_ms integer NOT NULL,  -- after how long
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE inbox_requests (
    application_id uuid NOT NULL REFERENCES inboxes ON DELETE CASCADE,
    id uuid NOT NULL,
    tenant_id uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    method text NOT NULL,
    headers json NOT NULL,        -- names and values
    body bytea NOT NULL,          -- the beginning
    body_bytes integer NOT NULL,  -- all of it
    signature text NOT NULL CHECK (signature IN ('valid', 'invalid', 'none')),
    endpoint_id uuid,             -- whose signature it has; NULL: nobody's
    status integer NOT NULL,      -- what it was answered
    PRIMARY KEY (application_id, id)
);
-- Old ones are found without reading the others: they lie in the order of their time.
CREATE INDEX inbox_requests_age ON inbox_requests USING brin (id);

ALTER TABLE inboxes ENABLE ROW LEVEL SECURITY;
ALTER TABLE inboxes FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON inboxes TO posthorn_api USING (tenant_id = current_tenant());
CREATE POLICY engine ON inboxes TO posthorn_engine USING (true);
ALTER TABLE inbox_requests ENABLE ROW LEVEL SECURITY;
ALTER TABLE inbox_requests FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON inbox_requests TO posthorn_api USING (tenant_id = current_tenant());
CREATE POLICY engine ON inbox_requests TO posthorn_engine USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON inboxes, inbox_requests TO posthorn_engine;
GRANT SELECT, INSERT, UPDATE, DELETE ON inboxes TO posthorn_api;
GRANT SELECT ON inbox_requests TO posthorn_api;
