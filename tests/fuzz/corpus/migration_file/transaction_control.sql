-- a message
-- Revision ID: 1a2b

-- migrate:up
BEGIN;
SELECT 1;
COMMIT;
-- migrate:down transaction:false
START TRANSACTION; END
