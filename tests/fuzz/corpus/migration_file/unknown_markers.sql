-- a message
-- Revision ID: 1a2b

-- migrate:upp
SELECT 1;
-- Migrate: up
-- migrate:up transaction:maybe
-- migrate :down x
