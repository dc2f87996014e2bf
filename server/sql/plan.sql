-- Plans. Role engine. Columns of every statement that returns plans, in order: name, quotas, tenants that have it (up to
-- 10,000), whether it is new.

-- name: plan_list
SELECT name, quotas::text,
       (SELECT count(*) FROM (SELECT FROM tenants t WHERE t.plan = p.name AND t.deleted_at IS NULL LIMIT 10000) t), false
FROM plans p ORDER BY name

-- name: plan_get
SELECT name, quotas::text,
       (SELECT count(*) FROM (SELECT FROM tenants t WHERE t.plan = p.name AND t.deleted_at IS NULL LIMIT 10000) t), false
FROM plans p WHERE name = $1::text

-- name: plan_put
WITH made AS (
    INSERT INTO plans (name, quotas) VALUES ($1::text, $2::text::jsonb)
    ON CONFLICT (name) DO UPDATE SET quotas = excluded.quotas
    RETURNING name, quotas, xmax = 0 AS is_new
)
SELECT name, quotas::text,
       (SELECT count(*) FROM (SELECT FROM tenants t WHERE t.plan = m.name AND t.deleted_at IS NULL LIMIT 10000) t), is_new,
       announce('plans')
FROM made m

-- Fails as long as a tenant has it.
-- name: plan_delete
DELETE FROM plans WHERE name = $1::text RETURNING name
