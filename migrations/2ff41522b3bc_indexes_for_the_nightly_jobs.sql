-- indexes for the nightly jobs
--
-- Revision ID: 2ff41522b3bc
-- Revises: ca5d2b0eba52
-- Branch Labels:
-- Depends On:
-- Create Date: 2025-02-11 09:30:00

-- migrate:up transaction:false

-- By now the tables are in use: CONCURRENTLY builds beside the writers instead of locking them out,
-- and for that needs to be outside a transaction. The statements that succeeded stay if a later one
-- fails; IF NOT EXISTS lets the next run pass over them.

-- Accounts that nobody has used for long, tenant by tenant; never used ones first.
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_tenant_id_last_login_at_idx
    ON users (tenant_id, last_login_at NULLS FIRST);

-- Invitations to remind of.
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_unverified_idx
    ON users (created_at) WHERE email_verified_at IS NULL;

-- Trials that end today.
CREATE INDEX CONCURRENTLY IF NOT EXISTS tenants_trial_ends_at_idx
    ON tenants (trial_ends_at) WHERE status = 'trial';

-- Closed tenants whose data is due for erasure.
CREATE INDEX CONCURRENTLY IF NOT EXISTS tenants_closed_at_idx
    ON tenants (closed_at) WHERE status = 'closed';

-- migrate:down transaction:false

DROP INDEX CONCURRENTLY IF EXISTS tenants_closed_at_idx;
DROP INDEX CONCURRENTLY IF EXISTS tenants_trial_ends_at_idx;
DROP INDEX CONCURRENTLY IF EXISTS users_unverified_idx;
DROP INDEX CONCURRENTLY IF EXISTS users_tenant_id_last_login_at_idx;
