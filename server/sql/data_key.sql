-- name: data_keys_load
SELECT id, wrapped, created_at FROM data_keys ORDER BY id

-- The first data key; somebody else may be faster.
-- name: data_key_add
INSERT INTO data_keys (id, wrapped) VALUES ($1::int4, $2::bytea) ON CONFLICT DO NOTHING

-- A further data key $1, unless the newest one is not $3 as it was read ($4) any more: it may be wrapped by another master
-- key by now. Every node is told.
-- name: data_key_add_next
WITH newest AS MATERIALIZED (
    SELECT id, wrapped FROM data_keys ORDER BY id DESC LIMIT 1 FOR UPDATE
), made AS (
    INSERT INTO data_keys (id, wrapped)
    SELECT $1::int4, $2::bytea FROM newest WHERE id = $3::int4 AND wrapped = $4::bytea
    ON CONFLICT DO NOTHING
    RETURNING id
)
SELECT id, announce('keys') FROM made

-- Replaces what is still as it was read: ids, old and new wrapping.
-- name: data_keys_rewrap
UPDATE data_keys k SET wrapped = v.after
FROM unnest($1::int4[], $2::bytea[], $3::bytea[]) AS v (id, before, after)
WHERE k.id = v.id AND k.wrapped = v.before
