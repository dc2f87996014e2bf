-- Endpoints at which deliveries have arrived that wait. Messages add rows here instead of changing endpoint_schedule, so that they
-- wait for nobody who has the row of a slow endpoint locked; a claim moves them there first.
CREATE TABLE schedule_arrivals (
    endpoint_id uuid NOT NULL,
    tenant_id uuid NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

ALTER TABLE schedule_arrivals ENABLE ROW LEVEL SECURITY;
ALTER TABLE schedule_arrivals FORCE ROW LEVEL SECURITY;
CREATE POLICY engine ON schedule_arrivals TO posthorn_engine USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON schedule_arrivals TO posthorn_engine;
