-- a message
-- Revision ID: 1a2b

-- migrate:up
SELECT 'žluť', $kůň$;$kůň$; SELECT "🐎"; SELECT 2;
