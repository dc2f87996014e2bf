-- The data of a deleted tenant go partition by partition: each is read from its beginning, which may take seconds, so that a
-- step looks at few of them and notes how far it came. When a minute has passed, in which late outcomes may have come, all of
-- them are looked at once more.
ALTER TABLE tenants
    ADD COLUMN purged_to text NOT NULL DEFAULT '',          -- the last partition in which nothing is left
    ADD COLUMN purge_again boolean NOT NULL DEFAULT false;  -- they are looked at for the last time

-- Deletes up to `most` rows of a tenant from the next partition behind the one that is named. Only their owner may touch them.
CREATE FUNCTION purge_partition(tenant uuid, behind text, most integer, OUT name text, OUT gone integer) LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = posthorn, pg_temp SET lock_timeout = '2s' AS $$
BEGIN
    SELECT c.relname INTO name
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'posthorn'::regnamespace AND c.relkind = 'r' AND c.relispartition AND a.attname = 'tenant_id'
      AND c.relname > behind
    ORDER BY c.relname LIMIT 1;
    IF name IS NOT NULL THEN
        EXECUTE format('DELETE FROM %I WHERE ctid = ANY (ARRAY(SELECT ctid FROM %I WHERE tenant_id = $1 LIMIT $2))', name, name)
            USING tenant, most;
        GET DIAGNOSTICS gone = ROW_COUNT;
    END IF;
END $$;
REVOKE ALL ON FUNCTION purge_partition(uuid, text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION purge_partition(uuid, text, integer) TO posthorn_engine;

CREATE OR REPLACE FUNCTION purge_tenant(most integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = posthorn, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    doomed tenants;
    child record;
    n integer := 0;
    gone integer;
BEGIN
    SELECT * INTO doomed FROM tenants WHERE deleted_at IS NOT NULL ORDER BY deleted_at LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    FOR child IN -- those that others point at come last
        SELECT c.oid::regclass::text AS name
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relnamespace = 'posthorn'::regnamespace AND c.relkind = 'r' AND NOT c.relispartition AND a.attname = 'tenant_id'
        ORDER BY c.relname = 'applications', c.relname = 'endpoints', c.relname
    LOOP
        EXIT WHEN n >= most;
        EXECUTE format('DELETE FROM %s WHERE ctid = ANY (ARRAY(SELECT ctid FROM %s WHERE tenant_id = $1 LIMIT $2))',
                       child.name, child.name) USING doomed.id, most - n;
        GET DIAGNOSTICS gone = ROW_COUNT;
        n := n + gone;
    END LOOP;
    WHILE n < most LOOP
        SELECT p.name, p.gone INTO child FROM purge_partition(doomed.id, doomed.purged_to, most - n) p;
        EXIT WHEN child.name IS NULL;
        n := n + child.gone;
        EXIT WHEN n >= most;
        doomed.purged_to := child.name;
        IF clock_timestamp() > statement_timestamp() + interval '2 seconds' THEN
            n := n + 1; -- there is more to look at
            EXIT;
        END IF;
    END LOOP;
    UPDATE tenants SET purged_to = doomed.purged_to WHERE id = doomed.id AND purged_to <> doomed.purged_to;
    IF n > 0 OR doomed.deleted_at > now() - interval '1 minute' THEN
        RETURN n;
    END IF;
    IF doomed.purge_again THEN
        DELETE FROM tenants WHERE id = doomed.id;
    ELSE
        UPDATE tenants SET purged_to = '', purge_again = true WHERE id = doomed.id;
    END IF;
    RETURN 1;
END $$;
DROP FUNCTION purge_partitions(uuid, integer);
