-- What the operator wants to see: what a node holds, as it says itself every two seconds, for there is no index by node; and
-- who has a plan.
ALTER TABLE nodes
    ADD COLUMN deliveries integer,       -- in memory
    ADD COLUMN payload_bytes bigint,     -- of them
    ADD COLUMN reported_at timestamptz;
CREATE INDEX tenants_plan ON tenants (plan) WHERE plan IS NOT NULL;
CREATE INDEX tenants_deleted ON tenants (deleted_at) WHERE deleted_at IS NOT NULL;
