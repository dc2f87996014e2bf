-- name: data_keys_load
SELECT id, wrapped FROM data_keys ORDER BY id

-- The first data key; somebody else may be faster.
-- name: data_key_add
INSERT INTO data_keys (id, wrapped) VALUES ($1::int4, $2::bytea) ON CONFLICT DO NOTHING
