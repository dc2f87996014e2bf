-- People. Whoever signs in belongs to the instance; in a tenant he is a member. Tables of the instance are for the engine's
-- role only, as is whatever finds out who somebody is.

-- The tenant that a further environment belongs to; of a first one it is the tenant itself. Members and invitations are the
-- root's.
ALTER TABLE tenants ADD COLUMN root_id uuid;
ALTER TABLE tenants NO FORCE ROW LEVEL SECURITY;
UPDATE tenants SET root_id = id;
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
ALTER TABLE tenants ALTER COLUMN root_id SET NOT NULL;
CREATE INDEX tenants_root ON tenants (root_id);
CREATE FUNCTION is_own_root() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.root_id := NEW.id;
    RETURN NEW;
END $$;
CREATE TRIGGER own_root BEFORE INSERT ON tenants FOR EACH ROW WHEN (NEW.root_id IS NULL) EXECUTE FUNCTION is_own_root();

CREATE TABLE users (
    id uuid PRIMARY KEY,
    email text NOT NULL CHECK (length(email) <= 254),
    name text NOT NULL DEFAULT '',
    password_hash text,              -- Argon2id; NULL: cannot sign in by password
    email_confirmed_at timestamptz,  -- NULL: nobody has shown that the address is his
    totp_sealed bytea,               -- secret of the second factor; NULL: none
    totp_confirmed_at timestamptz,   -- NULL: not asked for at sign-in
    totp_counter bigint,             -- of the last code that was taken: none is taken twice
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_email ON users (lower(email));

CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    token_hash bytea NOT NULL UNIQUE,     -- SHA-256 of the token
    pending boolean NOT NULL,             -- the second factor is owed
    address text,
    user_agent text,
    created_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL       -- however much it is used
);
CREATE INDEX sessions_user ON sessions (user_id, id);
CREATE INDEX sessions_age ON sessions (expires_at);

-- Tokens in links that are mailed to somebody.
CREATE TABLE user_tokens (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    purpose text NOT NULL CHECK (purpose IN ('password-reset', 'email-confirm')),
    token_hash bytea NOT NULL UNIQUE,     -- SHA-256 of the token
    email text NOT NULL,                  -- that it was sent to
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX user_tokens_user ON user_tokens (user_id);
CREATE INDEX user_tokens_age ON user_tokens (expires_at);

-- Who somebody is at a provider of OpenID Connect.
CREATE TABLE user_identities (
    issuer text NOT NULL,
    subject text NOT NULL,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX user_identities_user ON user_identities (user_id);

CREATE TABLE recovery_codes (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    code_hash bytea NOT NULL,
    used_at timestamptz,                  -- NULL: still good
    PRIMARY KEY (user_id, code_hash)
);

CREATE TABLE members (
    tenant_id uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    role text NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'viewer')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, user_id)
);
CREATE INDEX members_user ON members (user_id, tenant_id);

CREATE TABLE invitations (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    email text NOT NULL CHECK (length(email) <= 254),
    role text NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'viewer')),
    token_hash bytea NOT NULL UNIQUE,     -- SHA-256 of the token
    invited_by uuid,                      -- the user; NULL: the command line
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX invitations_tenant ON invitations (tenant_id, id);
CREATE UNIQUE INDEX invitations_email ON invitations (tenant_id, lower(email));
CREATE INDEX invitations_age ON invitations (expires_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON users, sessions, user_tokens, user_identities, recovery_codes TO posthorn_engine;
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['members', 'invitations'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant ON %I TO posthorn_api USING (tenant_id = current_tenant())', t);
        EXECUTE format('CREATE POLICY engine ON %I TO posthorn_engine USING (true)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO posthorn_engine', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO posthorn_api', t);
    END LOOP;
END $$;

-- Keys are made by keys, by people, and by the command line.
ALTER TABLE api_keys ADD COLUMN created_by_user uuid;
