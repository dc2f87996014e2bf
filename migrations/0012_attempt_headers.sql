-- Of the headers of an attempt what cannot be derived again: the signature that was sent, and lines of the answer.
DO $$
BEGIN
    ALTER TABLE attempts
        ADD COLUMN signature text NOT NULL DEFAULT '', -- its record (sign_profile.h); empty: nothing was sent
        ADD COLUMN headers bytea COMPRESSION lz4 NOT NULL DEFAULT '';
EXCEPTION WHEN feature_not_supported THEN
    ALTER TABLE attempts
        ADD COLUMN signature text NOT NULL DEFAULT '',
        ADD COLUMN headers bytea NOT NULL DEFAULT '';
END $$;
