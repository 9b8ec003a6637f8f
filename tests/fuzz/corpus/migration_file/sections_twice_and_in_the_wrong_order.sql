-- a message
-- Revision ID: 1a2b

-- migrate:down
-- migrate:up
-- migrate:down
-- migrate:up
