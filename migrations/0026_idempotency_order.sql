-- The key in front: it decides a comparison at once.
ALTER TABLE idempotency_keys
    DROP CONSTRAINT idempotency_keys_pkey,
    ADD PRIMARY KEY (key, tenant_id);
