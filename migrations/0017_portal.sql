-- Tokens that show a consumer his own application.
CREATE TABLE portal_tokens (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    application_id uuid NOT NULL REFERENCES applications ON DELETE CASCADE,
    token_hash bytea NOT NULL UNIQUE, -- SHA-256 of the token
    read_only boolean NOT NULL,
    session_id text,
    feature_flags text[] NOT NULL,    -- event types with others are not shown
    created_by uuid NOT NULL,         -- the credential that made it
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX portal_tokens_application ON portal_tokens (application_id, id);
CREATE INDEX portal_tokens_age ON portal_tokens (expires_at);

ALTER TABLE portal_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE portal_tokens FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON portal_tokens TO posthorn_api USING (tenant_id = current_tenant());
CREATE POLICY engine ON portal_tokens TO posthorn_engine USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON portal_tokens TO posthorn_engine, posthorn_api;
