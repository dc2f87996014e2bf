-- name: idempotency_find
SELECT message_id FROM idempotency_keys WHERE tenant_id = $1::uuid AND key = $2::uuid
