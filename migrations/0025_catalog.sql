-- A tenant may publish its event types, under a name of its choice beside its id.
ALTER TABLE tenants
    ADD COLUMN public_catalog boolean NOT NULL DEFAULT false,
    ADD COLUMN catalog_slug text CONSTRAINT tenants_catalog_slug UNIQUE;
GRANT UPDATE (public_catalog, catalog_slug) ON tenants TO posthorn_api;
