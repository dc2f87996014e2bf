-- The version of an endpoint's configuration grows with the endpoint's and with the tenant's.
-- name: subscriptions_load
SELECT a.id, a.uid, a.config_version, e.id, e.version + t.version, e.disabled, e.url, e.event_types, e.channels, e.headers_sealed,
       e.paused, e.ordering = 'fifo', e.throttle_rate, e.retry_schedule,
       coalesce(e.signature_profile, t.signature_profile), t.header_prefix, coalesce(e.signature_header, t.signature_header),
       e.mtls_sealed, e.oauth_sealed, e.filter,
       s.id, s.sealed, s.expires_at, s.kind
FROM (
    SELECT id, uid, config_version, tenant_id FROM applications
    WHERE tenant_id = $1::uuid AND (id = $2::uuid OR uid = $3::text) AND NOT internal
    ORDER BY (id = $2::uuid) IS TRUE DESC LIMIT 1
) a
JOIN tenants t ON t.id = a.tenant_id
LEFT JOIN endpoints e ON e.application_id = a.id
LEFT JOIN endpoint_secrets s ON s.endpoint_id = e.id AND (s.expires_at IS NULL OR s.expires_at > now())
ORDER BY e.id, s.expires_at DESC NULLS FIRST, s.id DESC

-- name: endpoint_configs_load
SELECT e.application_id, e.tenant_id, NULL::bigint, e.id, e.version + t.version, e.disabled, e.url, e.event_types, e.channels,
       e.headers_sealed, e.paused, e.ordering = 'fifo', e.throttle_rate, e.retry_schedule,
       coalesce(e.signature_profile, t.signature_profile), t.header_prefix, coalesce(e.signature_header, t.signature_header),
       e.mtls_sealed, e.oauth_sealed, e.filter,
       s.id, s.sealed, s.expires_at, s.kind
FROM unnest($1::uuid[]) AS wanted (id)
JOIN endpoints e ON e.id = wanted.id
JOIN tenants t ON t.id = e.tenant_id
LEFT JOIN endpoint_secrets s ON s.endpoint_id = e.id AND (s.expires_at IS NULL OR s.expires_at > now())
ORDER BY e.id, s.expires_at DESC NULLS FIRST, s.id DESC

-- Retry schedules that differ from the instance's: of event types, and of the tenant (no name).
-- name: retry_schedules_load
SELECT name, retry_schedule FROM event_types WHERE tenant_id = $1::uuid AND retry_schedule IS NOT NULL
UNION ALL
SELECT NULL, retry_schedule FROM tenants WHERE id = $1::uuid AND retry_schedule IS NOT NULL
