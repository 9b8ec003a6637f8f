-- a message
-- Revision ID: 1a2b

-- migrate:up
SELECT ((1); SELECT 2;
-- migrate:down
