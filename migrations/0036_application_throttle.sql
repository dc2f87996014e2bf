-- The bucket that the endpoints of a throttled application share: tokens at refilled_at; NULL: it is full.
CREATE TABLE application_throttles (
    application_id uuid PRIMARY KEY REFERENCES applications ON DELETE CASCADE,
    tenant_id uuid NOT NULL,
    tokens double precision,
    refilled_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE application_throttles ENABLE ROW LEVEL SECURITY;
ALTER TABLE application_throttles FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON application_throttles TO posthorn_api USING (tenant_id = current_tenant());
CREATE POLICY engine ON application_throttles TO posthorn_engine USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON application_throttles TO posthorn_engine;
GRANT SELECT, INSERT ON application_throttles TO posthorn_api;

CREATE FUNCTION make_application_throttle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO posthorn.application_throttles (application_id, tenant_id) VALUES (NEW.id, NEW.tenant_id)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER throttle AFTER INSERT OR UPDATE OF throttle_rate ON applications FOR EACH ROW WHEN (NEW.throttle_rate > 0)
    EXECUTE FUNCTION make_application_throttle();
INSERT INTO application_throttles (application_id, tenant_id)
SELECT id, tenant_id FROM applications WHERE throttle_rate > 0;
