-- a message
-- Revision ID: 1a2b

-- migrate:up
\restrict abc
SELECT 1
\unrestrict abc
 + 2;
