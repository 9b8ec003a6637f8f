-- a message
-- Revision ID: 1a2b

-- migrate:up
COPY t (a, b) FROM stdin; -- data
1	;
-- migrate:down
\N	'
\.
SELECT 1;
-- migrate:down
COPY t FROM stdin;
\.
