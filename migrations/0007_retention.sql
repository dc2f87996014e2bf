-- Payloads that expire before their messages do.
ALTER TABLE messages
    ALTER COLUMN payload DROP NOT NULL, -- NULL: cleared; raw_body is, too, then
    ADD COLUMN kept_until timestamptz;  -- of an expired payload that was still owed: not looked at again before

-- Those that are to be cleared.
CREATE INDEX messages_expiry ON messages (coalesce(kept_until, expires_at))
    WHERE expires_at IS NOT NULL AND payload IS NOT NULL;

-- Whether nobody may see or send the payload any more.
CREATE FUNCTION payload_is_gone(payload bytea, expires_at timestamptz) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
    RETURN payload IS NULL OR coalesce(expires_at <= now(), false);

-- The payload as the interface shows it. What is not wanted or gone is not read from disk.
CREATE FUNCTION payload_shown(payload bytea, expires_at timestamptz, wanted boolean) RETURNS bytea LANGUAGE sql STABLE
    PARALLEL SAFE
    RETURN CASE WHEN payload_is_gone(payload, expires_at) THEN '{"expired":true}'::bytea
                WHEN wanted THEN payload ELSE '{}'::bytea END;
