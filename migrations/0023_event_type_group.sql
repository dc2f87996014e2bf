ALTER TABLE event_types ADD COLUMN group_name text; -- for people, who see types of a group together
