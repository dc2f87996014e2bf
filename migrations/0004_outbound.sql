-- Sealed: the client certificate and own authorities of an endpoint, and its OAuth 2.0 client credentials.
ALTER TABLE endpoints
    ADD COLUMN mtls_sealed bytea,
    ADD COLUMN oauth_sealed bytea;
