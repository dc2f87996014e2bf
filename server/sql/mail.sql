-- Role engine. Moving the due time is what keeps others from sending it meanwhile.
-- name: mail_claim
UPDATE mails SET tries = tries + 1, due_at = now() + $1::bigint * interval '1 millisecond'
WHERE id = (SELECT id FROM mails WHERE due_at <= now() ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, tenant_id, recipient, kind, about, sealed, tries, expires_at <= now()

-- name: mail_remove
DELETE FROM mails WHERE id = $1::uuid

-- name: mail_postpone
UPDATE mails SET due_at = now() + $3::bigint * interval '1 millisecond' WHERE id = $1::uuid AND tries = $2::int4
