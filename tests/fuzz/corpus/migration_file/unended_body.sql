-- a message
-- Revision ID: 1a2b

-- migrate:up
CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1;