-- A channel beside the nodes' own, for what happens while somebody watches.
CREATE FUNCTION tail_channel() RETURNS text LANGUAGE sql STABLE
    RETURN (SELECT left('tail_' || substr(c.name, 10), 63) FROM channel c);

CREATE FUNCTION hear_tail() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('LISTEN %I', tail_channel());
    RETURN true;
END $$;

CREATE FUNCTION announce_tail(event text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify(tail_channel(), event);
    RETURN true;
END $$;

REVOKE ALL ON FUNCTION tail_channel(), hear_tail(), announce_tail(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tail_channel(), hear_tail(), announce_tail(text) TO posthorn_engine;
