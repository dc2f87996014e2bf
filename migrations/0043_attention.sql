-- Endpoints of a tenant that somebody should look at are found without looking at the others.
CREATE INDEX endpoints_given_up ON endpoints (tenant_id, id) WHERE disabled AND disabled_reason IS NOT NULL;
CREATE INDEX endpoints_failing_of_tenant ON endpoints (tenant_id, failing_since) WHERE failing_since IS NOT NULL AND NOT disabled;
