-- Whoever may connect to the database may listen on any channel and notify on it. So the nodes' channel has a name that only
-- the engine's role can read: nobody else hears of changes, or makes them up.
CREATE TABLE channel (name text NOT NULL);
INSERT INTO channel SELECT 'posthorn_' || replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
GRANT SELECT ON channel TO posthorn_engine;

-- Tells all nodes, when the transaction commits.
CREATE FUNCTION announce(news text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = posthorn, pg_temp AS $$
BEGIN
    PERFORM pg_notify(left(c.name, 63), news) FROM channel c;
    RETURN news;
END $$;

-- The session hears of what is announced from now on.
CREATE FUNCTION hear_news() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE (SELECT format('LISTEN %I', left(c.name, 63)) FROM channel c);
    RETURN true;
END $$;

CREATE OR REPLACE FUNCTION announce_unmatched() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM announce('unmatched:' || floor(extract(epoch FROM NEW.due_at))::bigint * 1000);
    RETURN NULL;
END $$;

GRANT CREATE ON SCHEMA posthorn TO posthorn_engine;
ALTER FUNCTION announce(text) OWNER TO posthorn_engine;
REVOKE CREATE ON SCHEMA posthorn FROM posthorn_engine;
REVOKE ALL ON FUNCTION announce(text), hear_news() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION announce(text) TO posthorn_api;
GRANT EXECUTE ON FUNCTION hear_news() TO posthorn_engine;
