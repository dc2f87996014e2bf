-- How a tenant's portal looks, on whose pages it may be shown in a frame, and what of it a token shows.
ALTER TABLE tenants
    ADD COLUMN portal_origins text[] NOT NULL DEFAULT '{}', -- of pages that may have it in a frame
    ADD COLUMN portal_branding json;                        -- accentDark, accentLight, logo, name; NULL: as it comes
GRANT UPDATE (portal_origins, portal_branding) ON tenants TO posthorn_api;
ALTER TABLE portal_tokens ADD COLUMN sections smallint NOT NULL DEFAULT 7; -- bits of enum ph_section
