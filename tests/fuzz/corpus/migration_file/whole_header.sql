-- orders: by customer
--
-- Revision ID: 1a2b
-- Revises: 00aa, 00bb
-- Branch Labels: core,shop-eu
-- Depends On: 00cc
-- Create Date: 2025-01-16 00:00:00

-- migrate:up
CREATE TABLE IF NOT EXISTS t (a int);

-- migrate:down
DROP TABLE IF EXISTS t;
