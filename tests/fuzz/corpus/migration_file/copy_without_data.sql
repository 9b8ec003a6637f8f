-- a message
-- Revision ID: 1a2b

-- migrate:up
COPY t FROM stdin