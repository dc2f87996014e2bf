-- How an endpoint wants to be served, and what the engine has found out about it.
ALTER TABLE endpoints
    ADD COLUMN paused boolean NOT NULL DEFAULT false,
    ADD COLUMN ordering text CHECK (ordering = 'fifo'), -- NULL: none
    ADD COLUMN retry_schedule integer[],                -- seconds; NULL: the event type's, the tenant's or the instance's
    ADD COLUMN failing_since timestamptz,               -- first failure since the last success
    ADD COLUMN disabled_reason text;                    -- set when the engine disabled it
CREATE INDEX endpoints_failing ON endpoints (failing_since) WHERE failing_since IS NOT NULL AND NOT disabled;

ALTER TABLE event_types ADD COLUMN retry_schedule integer[];
ALTER TABLE tenants ADD COLUMN retry_schedule integer[];

ALTER TABLE deliveries ADD COLUMN trigger_type smallint NOT NULL DEFAULT 0; -- 0 scheduled, 1 manual

-- busy_node: an ordered endpoint's deliveries are in that node's memory, and nobody else takes more. tokens: of the
-- bucket of a throttled endpoint at refilled_at; its row stays when nothing waits (next_due_at infinity), so that the bucket
-- is not forgotten.
ALTER TABLE endpoint_schedule
    ADD COLUMN busy_node integer,
    ADD COLUMN tokens double precision,
    ADD COLUMN refilled_at timestamptz;
CREATE INDEX endpoint_schedule_tenant ON endpoint_schedule (tenant_id, serve_at);
CREATE INDEX endpoint_schedule_busy ON endpoint_schedule (busy_node) WHERE busy_node IS NOT NULL;
