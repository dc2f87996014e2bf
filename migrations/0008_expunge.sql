-- An expunged message: payload and raw_body are NULL, and expires_at is -infinity.
CREATE OR REPLACE FUNCTION payload_shown(payload bytea, expires_at timestamptz, wanted boolean) RETURNS bytea
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE WHEN expires_at = '-infinity' THEN '{"expired":true,"expunged":true}'::bytea
                WHEN payload_is_gone(payload, expires_at) THEN '{"expired":true}'::bytea
                WHEN wanted THEN payload ELSE '{}'::bytea END;
