-- Event types may have the payloads of their messages checked against their newest schema.
ALTER TABLE event_types ADD COLUMN schema_validation text NOT NULL DEFAULT 'off'
    CONSTRAINT event_types_schema_validation CHECK (schema_validation IN ('off', 'warn', 'enforce'));
-- Grows with every change of what messages are checked against.
ALTER TABLE event_types ADD COLUMN rules_version bigint NOT NULL DEFAULT 1;

CREATE FUNCTION event_type_count_rules() RETURNS trigger LANGUAGE plpgsql SET search_path = posthorn, pg_temp AS $$
BEGIN
    IF (NEW.schemas::text, NEW.schema_validation, NEW.archived) IS DISTINCT FROM
       (OLD.schemas::text, OLD.schema_validation, OLD.archived) THEN
        NEW.rules_version := OLD.rules_version + 1;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER event_types_count_rules BEFORE UPDATE ON event_types
    FOR EACH ROW EXECUTE FUNCTION event_type_count_rules();

-- Messages whose subscriptions were loaded before are matched again, by all nodes: the ingest statement compares this version.
CREATE FUNCTION applications_outdate(tenant uuid) RETURNS void LANGUAGE plpgsql SET search_path = posthorn, pg_temp AS $$
BEGIN
    PERFORM FROM applications WHERE tenant_id = tenant ORDER BY id FOR NO KEY UPDATE;
    UPDATE applications SET config_version = config_version + 1 WHERE tenant_id = tenant;
    PERFORM announce('tenant:' || tenant::text);
END $$;

-- Once for each statement, however many types it changes.
CREATE FUNCTION event_type_rules_made() RETURNS trigger LANGUAGE plpgsql SET search_path = posthorn, pg_temp AS $$
BEGIN
    PERFORM applications_outdate(t.tenant_id)
    FROM (SELECT DISTINCT tenant_id FROM changed WHERE schema_validation <> 'off') t;
    RETURN NULL;
END $$;
CREATE FUNCTION event_type_rules_changed() RETURNS trigger LANGUAGE plpgsql SET search_path = posthorn, pg_temp AS $$
BEGIN
    PERFORM applications_outdate(t.tenant_id)
    FROM (SELECT DISTINCT a.tenant_id FROM changed a JOIN before b USING (id)
          WHERE a.rules_version <> b.rules_version AND (a.schema_validation <> 'off' OR b.schema_validation <> 'off')) t;
    RETURN NULL;
END $$;
CREATE TRIGGER event_types_rules_insert AFTER INSERT ON event_types
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION event_type_rules_made();
CREATE TRIGGER event_types_rules_update AFTER UPDATE ON event_types
    REFERENCING OLD TABLE AS before NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION event_type_rules_changed();
CREATE TRIGGER event_types_rules_delete AFTER DELETE ON event_types
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION event_type_rules_made();
