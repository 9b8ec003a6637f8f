-- a message
-- Revision ID: 1a2b

-- migrate:up
SELECT 'it''s;', E'\';' '\'', U&"d\0061;" UESCAPE '!', B'01', "a;""b", $1, a$b;
SELECT E'a'
  -- between
  '\';' ;