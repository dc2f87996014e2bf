-- The version of an endpoint's configuration grows with the endpoint's and with the tenant's.
-- name: subscriptions_load
SELECT a.id, a.uid, a.config_version, e.id, e.version + t.version, e.disabled, e.url, e.event_types, e.channels, e.headers_sealed,
       e.paused OR t.suspended_at IS NOT NULL, (e.ordering = 'fifo' OR e.throttle_rate > 0 OR a.throttle_rate > 0) IS TRUE, e.retry_schedule,
       coalesce(e.signature_profile, t.signature_profile), t.header_prefix, coalesce(e.signature_header, t.signature_header),
       e.mtls_sealed, e.oauth_sealed, e.filter,
       s.id, s.sealed, s.expires_at, s.kind
FROM (
    SELECT id, uid, config_version, tenant_id, throttle_rate FROM applications
    WHERE tenant_id = $1::uuid AND (id = $2::uuid OR uid = $3::text) AND NOT internal
    ORDER BY (id = $2::uuid) IS TRUE DESC LIMIT 1
) a
JOIN tenants t ON t.id = a.tenant_id
LEFT JOIN endpoints e ON e.application_id = a.id
LEFT JOIN endpoint_secrets s ON s.endpoint_id = e.id AND (s.expires_at IS NULL OR s.expires_at > now())
ORDER BY e.id, s.expires_at DESC NULLS FIRST, s.id DESC

-- name: endpoint_configs_load
SELECT e.application_id, e.tenant_id, NULL::bigint, e.id, e.version + t.version, e.disabled, e.url, e.event_types, e.channels,
       e.headers_sealed, e.paused OR t.suspended_at IS NOT NULL,
       (e.ordering = 'fifo' OR e.throttle_rate > 0 OR a.throttle_rate > 0) IS TRUE, e.retry_schedule,
       coalesce(e.signature_profile, t.signature_profile), t.header_prefix, coalesce(e.signature_header, t.signature_header),
       e.mtls_sealed, e.oauth_sealed, e.filter,
       s.id, s.sealed, s.expires_at, s.kind
FROM unnest($1::uuid[]) AS wanted (id)
JOIN endpoints e ON e.id = wanted.id
JOIN applications a ON a.id = e.application_id
JOIN tenants t ON t.id = e.tenant_id
LEFT JOIN endpoint_secrets s ON s.endpoint_id = e.id AND (s.expires_at IS NULL OR s.expires_at > now())
ORDER BY e.id, s.expires_at DESC NULLS FIRST, s.id DESC

-- What holds for messages of some event types: a retry schedule, a schema to be checked against. The tenant's own schedule has
-- no name and comes last.
-- name: event_type_rules_load
SELECT name COLLATE "C", retry_schedule, CASE WHEN NOT archived THEN schema_validation ELSE 'off' END, id, rules_version
FROM event_types
WHERE tenant_id = $1::uuid AND (retry_schedule IS NOT NULL OR schema_validation <> 'off')
UNION ALL
SELECT NULL, retry_schedule, 'off', NULL, NULL FROM tenants WHERE id = $1::uuid AND retry_schedule IS NOT NULL
ORDER BY 1

-- The schemas of event type $2, and their version.
-- name: event_type_schemas_load
SELECT schemas, rules_version FROM event_types WHERE tenant_id = $1::uuid AND id = $2::uuid

-- name: application_version
SELECT config_version FROM applications WHERE tenant_id = $1::uuid AND id = $2::uuid
