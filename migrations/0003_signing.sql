-- How messages are signed, and bodies other than the JSON payload.
ALTER TABLE tenants
    ADD COLUMN version bigint NOT NULL DEFAULT 1, -- grows with every change that deliveries have to know
    ADD COLUMN header_prefix text NOT NULL DEFAULT 'webhook',
    ADD COLUMN signature_profile text NOT NULL DEFAULT 'standard',
    ADD COLUMN signature_header text; -- of the profiles whose header can be chosen; NULL: X-Signature
GRANT UPDATE (name, version, header_prefix, signature_profile, signature_header, retry_schedule, updated_at) ON tenants
    TO posthorn_api;

ALTER TABLE endpoints
    ADD COLUMN signature_profile text, -- NULL: the tenant's
    ADD COLUMN signature_header text;  -- NULL: the tenant's

-- What is sealed: 0 bytes of an HMAC key (whsec_), 1 an Ed25519 key (whsk_), 2 text (a key of another product)
ALTER TABLE endpoint_secrets ADD COLUMN kind smallint NOT NULL DEFAULT 0 CHECK (kind BETWEEN 0 AND 2);

-- raw_body: sent instead of the payload, as content_type (NULL: application/json).
DO $$
BEGIN
    ALTER TABLE messages ADD COLUMN raw_body bytea COMPRESSION lz4, ADD COLUMN content_type text;
EXCEPTION WHEN feature_not_supported THEN
    ALTER TABLE messages ADD COLUMN raw_body bytea, ADD COLUMN content_type text;
END $$;
