-- Live tail. Its events have a channel of their own, which only nodes with listeners hear.

-- name: tail_hear
SELECT count(hear_tail())::int4

-- This node has listeners of these tenants.
-- name: tail_interest
SELECT count(announce('tail:' || id::text))::int4 FROM unnest($1::uuid[]) AS t (id)

-- name: tail_tell
SELECT count(announce_tail(event))::int4 FROM unnest($1::text[]) AS e (event)
