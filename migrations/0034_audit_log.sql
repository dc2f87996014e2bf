-- Who did what to which object, from where, when. Whoever changes something writes here in the same transaction, so that what
-- stands here is committed, and what is committed stands here. The interface's role can add entries and read them, no more.
CREATE TABLE audit_log (
    tenant_id uuid NOT NULL,  -- the environment acted in; all zero: none, the instance
    id uuid NOT NULL,         -- has the time
    actor_kind text NOT NULL,
    actor_id text,            -- as the interface shows it; NULL: has none
    actor_name text,          -- as it was then; NULL: has none
    action text NOT NULL,     -- name of an operation, such as endpoint.create
    object_kind text NOT NULL,
    object_id text,           -- as the interface shows it, or the name in its path
    application_id text,      -- that the object belongs to or is; NULL: none
    fields text[],            -- members of the request, without their values
    address text,
    user_agent text,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX audit_log_object ON audit_log (tenant_id, object_id, id) WHERE object_id IS NOT NULL;
CREATE INDEX audit_log_application ON audit_log (tenant_id, application_id, id) WHERE application_id IS NOT NULL;
CREATE INDEX audit_log_actor ON audit_log (tenant_id, actor_id, id) WHERE actor_id IS NOT NULL;
CREATE INDEX audit_log_action ON audit_log (tenant_id, action, id);
CREATE INDEX audit_log_age ON audit_log USING brin (id);

ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_log FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON audit_log TO posthorn_api USING (tenant_id = current_tenant());
CREATE POLICY engine ON audit_log TO posthorn_engine USING (true);
GRANT SELECT, INSERT ON audit_log TO posthorn_api;
GRANT SELECT, INSERT, DELETE ON audit_log TO posthorn_engine;
