-- a message
-- Revision ID: 1a2b

-- migrate:up
\connect db
