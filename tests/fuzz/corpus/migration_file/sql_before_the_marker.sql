-- a message
-- Revision ID: 1a2b

SELECT 1;
-- migrate:up
