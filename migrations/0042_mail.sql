-- Outbox: mails that are owed. What a mail says is made of its kind and of what it is about when it is sent; the token of its
-- link is sealed, so that nobody finds a working link here.
CREATE TABLE mails (
    id uuid PRIMARY KEY,
    tenant_id uuid,                       -- it goes when this tenant does
    recipient text NOT NULL,
    kind text NOT NULL,
    about json NOT NULL,
    sealed bytea,
    tries integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL       -- it is given up
);
CREATE INDEX mails_due ON mails (due_at);

ALTER TABLE mails ENABLE ROW LEVEL SECURITY;
ALTER TABLE mails FORCE ROW LEVEL SECURITY;
CREATE POLICY engine ON mails TO posthorn_engine USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON mails TO posthorn_engine;

-- Part of the statement that a mail is about. Nothing happens when there is no id.
CREATE FUNCTION queue_mail(tenant uuid, mail uuid, recipient text, kind text, about json, sealed bytea, seconds bigint)
    RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = posthorn, pg_temp AS $$
BEGIN
    IF mail IS NULL THEN
        RETURN false;
    END IF;
    INSERT INTO mails (id, tenant_id, recipient, kind, about, sealed, expires_at)
    VALUES (mail, tenant, recipient, kind, about, sealed, now() + seconds * interval '1 second');
    RETURN true;
END $$;

GRANT CREATE ON SCHEMA posthorn TO posthorn_engine;
ALTER FUNCTION queue_mail(uuid, uuid, text, text, json, bytea, bigint) OWNER TO posthorn_engine;
REVOKE CREATE ON SCHEMA posthorn FROM posthorn_engine;
REVOKE ALL ON FUNCTION queue_mail(uuid, uuid, text, text, json, bytea, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION queue_mail(uuid, uuid, text, text, json, bytea, bigint) TO posthorn_api, posthorn_engine;
