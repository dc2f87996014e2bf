-- What an API key may do, who made it, and when it was used last.
ALTER TABLE api_keys
    ADD COLUMN scope text NOT NULL DEFAULT 'all' CHECK (scope IN ('all', 'read', 'send')),
    ADD COLUMN created_by uuid, -- the key that made it; NULL: the command line
    ADD COLUMN last_used_at timestamptz;
GRANT INSERT, DELETE ON api_keys TO posthorn_api;
