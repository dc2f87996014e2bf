-- Adds to the counts of hours, one row each, in the order of their keys, so that no two nodes wait for each other.
-- name: counts_add
INSERT INTO hourly_stats AS s (owner_id, bucket, event_type, tenant_id, messages, success, failure, exhausted, duration_counts)
SELECT owner_id, bucket, event_type, tenant_id, messages, success, failure, exhausted, ARRAY[h1, h2, h3, h4, h5, h6, h7, h8]
FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::uuid[], $5::int8[], $6::int8[], $7::int8[], $8::int8[],
            $9::int4[], $10::int4[], $11::int4[], $12::int4[], $13::int4[], $14::int4[], $15::int4[], $16::int4[])
    AS c (owner_id, bucket, event_type, tenant_id, messages, success, failure, exhausted, h1, h2, h3, h4, h5, h6, h7, h8)
ORDER BY owner_id, bucket, event_type COLLATE "C"
ON CONFLICT (owner_id, bucket, event_type) DO UPDATE
SET messages = s.messages + excluded.messages, success = s.success + excluded.success,
    failure = s.failure + excluded.failure, exhausted = s.exhausted + excluded.exhausted,
    duration_counts = add_counts(s.duration_counts, excluded.duration_counts)
