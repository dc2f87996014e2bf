-- Answers to requests with an Idempotency-Key; but those to messages are made again from the message.
CREATE TABLE kept_answers (
    tenant_id uuid NOT NULL,
    key uuid NOT NULL,                  -- hash of the key, the credential and the path
    created_at timestamptz NOT NULL DEFAULT now(),
    status smallint NOT NULL DEFAULT 0, -- 0: taken by a transaction that has not committed yet
    sealed bytea NOT NULL DEFAULT '',   -- the body
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX kept_answers_age ON kept_answers (created_at);

ALTER TABLE kept_answers ENABLE ROW LEVEL SECURITY;
ALTER TABLE kept_answers FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON kept_answers TO posthorn_api USING (tenant_id = current_tenant());
CREATE POLICY engine ON kept_answers TO posthorn_engine USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON kept_answers TO posthorn_engine;
GRANT SELECT, INSERT, UPDATE ON kept_answers TO posthorn_api;
