-- a message
-- Revision ID: 1a2b

-- nothing here
