-- a message
-- Revision ID: 1a2b

-- migrate:up transaction:false
CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a);
-- migrate:down transaction:false
DROP INDEX CONCURRENTLY i
