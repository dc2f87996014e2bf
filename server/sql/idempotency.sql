-- name: idempotency_find
SELECT message_id FROM idempotency_keys WHERE tenant_id = $1::uuid AND key = $2::uuid

-- Takes the key for the transaction, or gives the answer that is kept for it. Status 0: it is taken.
-- name: idempotency_take
INSERT INTO kept_answers AS k (tenant_id, key) VALUES ($1::uuid, $2::uuid)
ON CONFLICT (tenant_id, key) DO UPDATE
SET status = CASE WHEN k.created_at > now() - interval '12 hours' THEN k.status ELSE 0 END,
    created_at = CASE WHEN k.created_at > now() - interval '12 hours' THEN k.created_at ELSE now() END
RETURNING status, sealed

-- name: idempotency_find_answer
SELECT status, sealed FROM kept_answers
WHERE tenant_id = $1::uuid AND key = $2::uuid AND created_at > now() - interval '12 hours'

-- name: idempotency_keep
INSERT INTO kept_answers AS k (tenant_id, key, status, sealed) VALUES ($1::uuid, $2::uuid, $3::smallint, $4::bytea)
ON CONFLICT (tenant_id, key) DO UPDATE SET status = excluded.status, sealed = excluded.sealed, created_at = now()
WHERE k.status = 0 OR k.created_at <= now() - interval '12 hours'
