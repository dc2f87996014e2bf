-- The id that a tenant has at a server which Posthorn replaces; its JSON Web Tokens name it.
ALTER TABLE tenants ADD COLUMN foreign_id text UNIQUE;
