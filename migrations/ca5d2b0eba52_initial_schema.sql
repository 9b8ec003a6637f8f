-- initial schema
--
-- Revision ID: ca5d2b0eba52
-- Revises:
-- Branch Labels:
-- Depends On:
-- Create Date: 2025-01-16 00:00:00

-- migrate:up

-- The platform database, modular_saas_core: nine tables, parents before children.
--
-- Safe where some or all of the tables exist already. A table that exists is passed over as it is,
-- whatever its columns: nothing below alters, indexes or comments on it. A table that is missing is
-- created whole. The revision is one transaction, so a database has all of it or none of it.

-- The tables that this revision is about to create, remembered until its transaction ends. What
-- CREATE TABLE does not say below (foreign keys, partial and expression indexes, comments) is added
-- to these tables only. Asks the schema in which CREATE TABLE creates, not the whole search_path.
SELECT set_config(
    'modular_saas_core.missing_tables',
    (SELECT coalesce(string_agg(name, ','), '')
     FROM unnest(ARRAY['modules_registry', 'tenants', 'users', 'subscriptions', 'platform_content',
                       'tenant_domains', 'deleted_accounts_history', 'audit_logs',
                       'module_settings']) AS name
     WHERE to_regclass(format('%I.%I', current_schema(), name)) IS NULL),
    true);

CREATE TABLE IF NOT EXISTS modules_registry (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    code text NOT NULL,
    name text NOT NULL,
    description text NOT NULL DEFAULT '',
    version text NOT NULL,
    status text NOT NULL DEFAULT 'draft',
    is_core boolean NOT NULL DEFAULT false,
    default_settings jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT modules_registry_code_key UNIQUE (code),
    CONSTRAINT modules_registry_code_format CHECK (code ~ '^[a-z][a-z0-9_]{1,62}$'),
    CONSTRAINT modules_registry_name_not_blank CHECK (name ~ '\S'),
    CONSTRAINT modules_registry_status_known
        CHECK (status IN ('draft', 'active', 'deprecated', 'disabled')),
    CONSTRAINT modules_registry_default_settings_object
        CHECK (jsonb_typeof(default_settings) = 'object')
);

CREATE TABLE IF NOT EXISTS tenants (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    slug text NOT NULL,
    name text NOT NULL,
    status text NOT NULL DEFAULT 'trial',
    locale text NOT NULL DEFAULT 'en',
    time_zone text NOT NULL DEFAULT 'UTC',
    settings jsonb NOT NULL DEFAULT '{}',
    -- Null for a trial without an end.
    trial_ends_at timestamptz,
    closed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT tenants_slug_key UNIQUE (slug),
    -- A slug is also the tenant's subdomain, hence the rules of a DNS label.
    CONSTRAINT tenants_slug_format CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    CONSTRAINT tenants_name_not_blank CHECK (name ~ '\S'),
    CONSTRAINT tenants_status_known CHECK (status IN ('trial', 'active', 'suspended', 'closed')),
    CONSTRAINT tenants_closed_has_time CHECK ((status = 'closed') = (closed_at IS NOT NULL)),
    CONSTRAINT tenants_settings_object CHECK (jsonb_typeof(settings) = 'object')
);

CREATE TABLE IF NOT EXISTS users (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL,
    email text NOT NULL,
    -- Null for an account that signs in through an identity provider only.
    password_hash text,
    full_name text NOT NULL DEFAULT '',
    role text NOT NULL DEFAULT 'member',
    status text NOT NULL DEFAULT 'invited',
    locale text,
    preferences jsonb NOT NULL DEFAULT '{}',
    email_verified_at timestamptz,
    last_login_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT users_email_format CHECK (email ~ '^[^@\s]+@[^@\s]+$' AND length(email) <= 254),
    CONSTRAINT users_role_known CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
    CONSTRAINT users_status_known CHECK (status IN ('invited', 'active', 'locked', 'disabled')),
    CONSTRAINT users_preferences_object CHECK (jsonb_typeof(preferences) = 'object')
);

CREATE TABLE IF NOT EXISTS subscriptions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL,
    module_id uuid NOT NULL,
    status text NOT NULL DEFAULT 'trialing',
    billing_period text NOT NULL DEFAULT 'month',
    seats integer NOT NULL DEFAULT 1,
    unit_price numeric(12, 2) NOT NULL DEFAULT 0,
    currency text NOT NULL DEFAULT 'USD',
    current_period_start timestamptz NOT NULL DEFAULT now(),
    current_period_end timestamptz NOT NULL,
    cancel_at_period_end boolean NOT NULL DEFAULT false,
    cancelled_at timestamptz,
    -- The subscription's id at the payment provider.
    external_reference text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT subscriptions_external_reference_key UNIQUE (external_reference),
    CONSTRAINT subscriptions_status_known
        CHECK (status IN ('trialing', 'active', 'past_due', 'cancelled', 'expired')),
    CONSTRAINT subscriptions_billing_period_known CHECK (billing_period IN ('month', 'year')),
    CONSTRAINT subscriptions_seats_positive CHECK (seats > 0),
    CONSTRAINT subscriptions_unit_price_not_negative CHECK (unit_price >= 0),
    CONSTRAINT subscriptions_currency_format CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT subscriptions_period_forward CHECK (current_period_end > current_period_start),
    CONSTRAINT subscriptions_cancelled_has_time
        CHECK (status <> 'cancelled' OR cancelled_at IS NOT NULL)
);

CREATE TABLE IF NOT EXISTS platform_content (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    -- Null for content of the platform itself, which every tenant sees.
    tenant_id uuid,
    author_id uuid,
    kind text NOT NULL,
    slug text NOT NULL,
    locale text NOT NULL DEFAULT 'en',
    title text NOT NULL,
    body text NOT NULL DEFAULT '',
    status text NOT NULL DEFAULT 'draft',
    metadata jsonb NOT NULL DEFAULT '{}',
    published_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT platform_content_kind_known
        CHECK (kind IN ('page', 'announcement', 'email_template', 'legal')),
    CONSTRAINT platform_content_slug_format CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    CONSTRAINT platform_content_title_not_blank CHECK (title ~ '\S'),
    CONSTRAINT platform_content_status_known CHECK (status IN ('draft', 'published', 'archived')),
    CONSTRAINT platform_content_published_has_time
        CHECK (status <> 'published' OR published_at IS NOT NULL),
    CONSTRAINT platform_content_metadata_object CHECK (jsonb_typeof(metadata) = 'object')
);

CREATE TABLE IF NOT EXISTS tenant_domains (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL,
    domain text NOT NULL,
    is_primary boolean NOT NULL DEFAULT false,
    verification_token uuid NOT NULL DEFAULT gen_random_uuid(),
    verified_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    -- A request is routed by its host name alone, so a domain has one tenant in the whole platform.
    CONSTRAINT tenant_domains_domain_key UNIQUE (domain),
    CONSTRAINT tenant_domains_domain_format
        CHECK (domain ~ '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$'
               AND length(domain) <= 253),
    CONSTRAINT tenant_domains_primary_is_verified CHECK (NOT is_primary OR verified_at IS NOT NULL)
);

CREATE TABLE IF NOT EXISTS deleted_accounts_history (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    -- The id of a row of users that is gone, hence no foreign key.
    account_id uuid NOT NULL,
    tenant_id uuid,
    deleted_by uuid,
    -- A digest recognises an address that comes back without keeping the address.
    email_sha256 bytea NOT NULL,
    reason text NOT NULL,
    details jsonb NOT NULL DEFAULT '{}',
    account_created_at timestamptz,
    deleted_at timestamptz NOT NULL DEFAULT now(),
    -- When this row itself must be erased; null to keep it.
    purge_after timestamptz,
    CONSTRAINT deleted_accounts_history_account_id_key UNIQUE (account_id),
    CONSTRAINT deleted_accounts_history_email_sha256_length
        CHECK (octet_length(email_sha256) = 32),
    CONSTRAINT deleted_accounts_history_reason_known
        CHECK (reason IN ('user_request', 'tenant_closed', 'policy_violation', 'inactivity',
                          'other')),
    CONSTRAINT deleted_accounts_history_details_object CHECK (jsonb_typeof(details) = 'object'),
    CONSTRAINT deleted_accounts_history_purge_later
        CHECK (purge_after IS NULL OR purge_after >= deleted_at)
);

CREATE TABLE IF NOT EXISTS audit_logs (
    -- A number, not a uuid: a log is read in the order in which it was written.
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    occurred_at timestamptz NOT NULL DEFAULT now(),
    tenant_id uuid,
    actor_id uuid,
    actor_kind text NOT NULL,
    action text NOT NULL,
    object_type text,
    object_id text,
    request_id uuid,
    ip_address inet,
    user_agent text,
    details jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT audit_logs_actor_kind_known CHECK (actor_kind IN ('user', 'service', 'system')),
    CONSTRAINT audit_logs_action_format CHECK (action ~ '^[a-z_]+(\.[a-z_]+)+$'),
    CONSTRAINT audit_logs_object_whole CHECK ((object_type IS NULL) = (object_id IS NULL)),
    CONSTRAINT audit_logs_details_object CHECK (jsonb_typeof(details) = 'object')
);

CREATE TABLE IF NOT EXISTS module_settings (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL,
    module_id uuid NOT NULL,
    updated_by uuid,
    key text NOT NULL,
    value jsonb NOT NULL,
    is_secret boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT module_settings_tenant_id_module_id_key_key UNIQUE (tenant_id, module_id, key),
    CONSTRAINT module_settings_key_format CHECK (key ~ '^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$')
);

-- The foreign keys of the tables that were created above. What a tenant owns goes with it; what was
-- sold must be settled before either side can be deleted; what is a record of the past stays.
--
-- A parent that existed before may have no uuid key `id` to refer to. The child is needed all the
-- same, so its foreign key is then left out with a warning that says how to add it later.
DO $$
DECLARE
    missing text[] := string_to_array(current_setting('modular_saas_core.missing_tables'), ',');
    child text;
    constraint_name text;
    definition text;
    statement text;
    reason text;
BEGIN
    FOR child, constraint_name, definition IN VALUES
        ('users', 'users_tenant_id_fkey',
         'FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE'),
        ('subscriptions', 'subscriptions_tenant_id_fkey',
         'FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE RESTRICT'),
        ('subscriptions', 'subscriptions_module_id_fkey',
         'FOREIGN KEY (module_id) REFERENCES modules_registry (id) ON DELETE RESTRICT'),
        ('platform_content', 'platform_content_tenant_id_fkey',
         'FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE'),
        ('platform_content', 'platform_content_author_id_fkey',
         'FOREIGN KEY (author_id) REFERENCES users (id) ON DELETE SET NULL'),
        ('tenant_domains', 'tenant_domains_tenant_id_fkey',
         'FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE'),
        ('deleted_accounts_history', 'deleted_accounts_history_tenant_id_fkey',
         'FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE SET NULL'),
        ('deleted_accounts_history', 'deleted_accounts_history_deleted_by_fkey',
         'FOREIGN KEY (deleted_by) REFERENCES users (id) ON DELETE SET NULL'),
        ('audit_logs', 'audit_logs_tenant_id_fkey',
         'FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE SET NULL'),
        ('audit_logs', 'audit_logs_actor_id_fkey',
         'FOREIGN KEY (actor_id) REFERENCES users (id) ON DELETE SET NULL'),
        ('module_settings', 'module_settings_tenant_id_fkey',
         'FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE'),
        ('module_settings', 'module_settings_module_id_fkey',
         'FOREIGN KEY (module_id) REFERENCES modules_registry (id) ON DELETE CASCADE'),
        ('module_settings', 'module_settings_updated_by_fkey',
         'FOREIGN KEY (updated_by) REFERENCES users (id) ON DELETE SET NULL')
    LOOP
        CONTINUE WHEN child <> ALL (missing);
        statement := format('ALTER TABLE %I ADD CONSTRAINT %I %s', child, constraint_name,
                            definition);
        BEGIN
            EXECUTE statement;
        EXCEPTION
            WHEN undefined_column OR datatype_mismatch OR invalid_foreign_key
                OR wrong_object_type THEN
                GET STACKED DIAGNOSTICS reason = PG_EXCEPTION_DETAIL;
                RAISE WARNING 'foreign key "%" is left out: %; correct the parent, then run: %',
                    constraint_name, coalesce(nullif(rtrim(reason, '.'), ''), SQLERRM), statement;
        END;
    END LOOP;
END
$$;

-- Every foreign key gets an index that begins with it, so that a delete of the parent does not read
-- the whole child. The tables are new and empty here: plain index builds block nobody.
DO $$
DECLARE
    missing text[] := string_to_array(current_setting('modular_saas_core.missing_tables'), ',');
BEGIN
    IF 'modules_registry' = ANY (missing) THEN
        COMMENT ON TABLE modules_registry IS
            'The modules that the platform offers; a tenant gets one by a subscription.';
        COMMENT ON COLUMN modules_registry.is_core IS
            'Part of every tenant; never subscribed to.';
    END IF;

    IF 'tenants' = ANY (missing) THEN
        COMMENT ON TABLE tenants IS
            'The customers of the platform. Closed first; deleted only to erase.';
    END IF;

    IF 'users' = ANY (missing) THEN
        CREATE UNIQUE INDEX users_tenant_id_lower_email_key ON users (tenant_id, lower(email));
        CREATE INDEX users_lower_email_idx ON users (lower(email));
        COMMENT ON TABLE users IS
            'Accounts. A person who works for two tenants has two. A deleted account leaves a row '
            'in deleted_accounts_history.';
    END IF;

    IF 'subscriptions' = ANY (missing) THEN
        CREATE UNIQUE INDEX subscriptions_one_live_per_module_key
            ON subscriptions (tenant_id, module_id)
            WHERE status IN ('trialing', 'active', 'past_due');
        CREATE INDEX subscriptions_tenant_id_idx ON subscriptions (tenant_id);
        CREATE INDEX subscriptions_module_id_idx ON subscriptions (module_id);
        CREATE INDEX subscriptions_renewal_idx ON subscriptions (current_period_end)
            WHERE status IN ('trialing', 'active', 'past_due');
        COMMENT ON TABLE subscriptions IS
            'Which tenant has which module, and on what terms. Past ones are kept.';
    END IF;

    IF 'platform_content' = ANY (missing) THEN
        CREATE UNIQUE INDEX platform_content_of_tenant_key
            ON platform_content (tenant_id, kind, slug, locale) WHERE tenant_id IS NOT NULL;
        CREATE UNIQUE INDEX platform_content_of_platform_key
            ON platform_content (kind, slug, locale) WHERE tenant_id IS NULL;
        CREATE INDEX platform_content_author_id_idx ON platform_content (author_id);
        COMMENT ON TABLE platform_content IS
            'Pages, announcements, e-mail templates and legal texts, of the platform or a tenant.';
    END IF;

    IF 'tenant_domains' = ANY (missing) THEN
        CREATE UNIQUE INDEX tenant_domains_one_primary_key ON tenant_domains (tenant_id)
            WHERE is_primary;
        CREATE INDEX tenant_domains_tenant_id_idx ON tenant_domains (tenant_id);
        COMMENT ON TABLE tenant_domains IS
            'The host names under which a tenant is reached; one of them is primary.';
    END IF;

    IF 'deleted_accounts_history' = ANY (missing) THEN
        CREATE INDEX deleted_accounts_history_tenant_id_idx
            ON deleted_accounts_history (tenant_id, deleted_at);
        CREATE INDEX deleted_accounts_history_deleted_by_idx
            ON deleted_accounts_history (deleted_by);
        CREATE INDEX deleted_accounts_history_email_sha256_idx
            ON deleted_accounts_history (email_sha256);
        CREATE INDEX deleted_accounts_history_purge_after_idx
            ON deleted_accounts_history (purge_after) WHERE purge_after IS NOT NULL;
        COMMENT ON TABLE deleted_accounts_history IS
            'That an account was deleted, when, why and by whom, without its personal data.';
    END IF;

    IF 'audit_logs' = ANY (missing) THEN
        CREATE INDEX audit_logs_tenant_id_occurred_at_idx ON audit_logs (tenant_id, occurred_at);
        CREATE INDEX audit_logs_actor_id_occurred_at_idx ON audit_logs (actor_id, occurred_at);
        CREATE INDEX audit_logs_object_idx ON audit_logs (object_type, object_id)
            WHERE object_id IS NOT NULL;
        -- Rows arrive in the order of time, which is what BRIN needs to be small and quick.
        CREATE INDEX audit_logs_occurred_at_idx ON audit_logs USING brin (occurred_at);
        COMMENT ON TABLE audit_logs IS
            'Who did what to which object. Rows are added, never changed.';
    END IF;

    IF 'module_settings' = ANY (missing) THEN
        CREATE INDEX module_settings_module_id_idx ON module_settings (module_id);
        CREATE INDEX module_settings_updated_by_idx ON module_settings (updated_by);
        COMMENT ON TABLE module_settings IS
            'What a tenant set differently from modules_registry.default_settings.';
        COMMENT ON COLUMN module_settings.is_secret IS
            'The value is encrypted by the application and never shown.';
    END IF;
END
$$;

-- migrate:down

-- Children before parents, without CASCADE: what others have built on these tables stops the
-- downgrade instead of vanishing with it.
DROP TABLE IF EXISTS module_settings;
DROP TABLE IF EXISTS audit_logs;
DROP TABLE IF EXISTS deleted_accounts_history;
DROP TABLE IF EXISTS tenant_domains;
DROP TABLE IF EXISTS platform_content;
DROP TABLE IF EXISTS subscriptions;
DROP TABLE IF EXISTS users;
DROP TABLE IF EXISTS tenants;
DROP TABLE IF EXISTS modules_registry;
