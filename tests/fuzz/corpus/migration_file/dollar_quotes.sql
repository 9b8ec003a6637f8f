-- a message
-- Revision ID: 1a2b

-- migrate:up
DO $do$ BEGIN PERFORM $$;$$; END $do$;
SELECT $a$;$$;$b$;$a$