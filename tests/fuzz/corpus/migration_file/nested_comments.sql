-- a message
-- Revision ID: 1a2b

-- migrate:up
/* ; /* ; */
-- migrate:down
*/ SELECT 1 /* ; */ ; -- ;
;;
