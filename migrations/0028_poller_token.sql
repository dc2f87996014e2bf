-- Tokens that are good for fetching from one poller, and nothing else.
CREATE TABLE poller_tokens (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    endpoint_id uuid NOT NULL REFERENCES endpoints ON DELETE CASCADE,
    token_hash bytea NOT NULL UNIQUE, -- SHA-256 of the token
    token_end text NOT NULL,          -- its last four characters, to tell it from others
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz            -- NULL: never
);
CREATE INDEX poller_tokens_endpoint ON poller_tokens (endpoint_id, id);

ALTER TABLE poller_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE poller_tokens FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON poller_tokens TO posthorn_api USING (tenant_id = current_tenant());
CREATE POLICY engine ON poller_tokens TO posthorn_engine USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON poller_tokens TO posthorn_engine, posthorn_api;
