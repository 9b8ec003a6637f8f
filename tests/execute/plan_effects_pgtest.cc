// What is told of statements before they run, against what PostgreSQL does when they do.

#include <map>
#include <memory>
#include <pqxx/pqxx>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/execute/plan_effects.h"
#include "service/execute/plan_report.h"
#include "service/postgres/postgres_database.h"
#include "tests/support/test_cluster.h"

namespace migd {
namespace {

using migration::v1::LockMode;
using migration::v1::PlannedStatement;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using ::testing::UnorderedElementsAreArray;

// Something of everything that can be locked, written anew or lost.
constexpr char kSchema[] = R"(
DO $$ BEGIN
  EXECUTE format('ALTER DATABASE %I SET timezone = UTC', current_database());
END $$;
CREATE SCHEMA app;
CREATE COLLATION plain FROM "C";
CREATE TABLE collated (id int, name text COLLATE plain);
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE pair AS (a int, b int);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN label AS text;
CREATE FUNCTION stable_one() RETURNS int STABLE LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION volatile_one() RETURNS int VOLATILE LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TABLE users (id serial PRIMARY KEY, name varchar(40), email text NOT NULL, age int,
    feeling mood, shape pair, code char(3), price numeric(8, 2), seen timestamp(3), at timestamptz,
    address inet, network cidr, lucky positive, nick label, checked text, tags text[],
    CONSTRAINT age_check CHECK (age < 200) NOT VALID,
    CONSTRAINT has_checked CHECK (checked IS NOT NULL));
CREATE UNIQUE INDEX users_email ON users (email);
CREATE INDEX users_age ON users (age);
CREATE INDEX users_at ON users (at);
CREATE UNIQUE INDEX users_name ON users (name);
CREATE TABLE orders (id bigserial PRIMARY KEY, user_id int NOT NULL REFERENCES users, total int,
    note text, doubled int GENERATED ALWAYS AS (total * 2) STORED,
    CONSTRAINT total_check CHECK (total > 0) NOT VALID);
CREATE TABLE items (order_id bigint REFERENCES orders ON DELETE CASCADE, sku text);
ALTER TABLE items ADD CONSTRAINT items_order FOREIGN KEY (order_id) REFERENCES orders NOT VALID;
CREATE TABLE lonely (id int, value text);
CREATE TABLE app.settings (key text PRIMARY KEY, value jsonb);
CREATE UNLOGGED TABLE cache (id int, body text);
CREATE TABLE measures (day date NOT NULL, value int) PARTITION BY RANGE (day);
CREATE TABLE measures_1 PARTITION OF measures FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE measures_2 PARTITION OF measures FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE TABLE measures_rest PARTITION OF measures DEFAULT;
CREATE INDEX measures_value ON measures (value);
CREATE TABLE measures_3 (day date NOT NULL, value int);
CREATE TABLE animals (name text);
CREATE TABLE dogs (breed text) INHERITS (animals);
CREATE VIEW adults AS SELECT id, name FROM users WHERE age >= 18;
CREATE MATERIALIZED VIEW totals AS SELECT user_id, sum(total) AS total FROM orders GROUP BY user_id;
CREATE UNIQUE INDEX totals_user ON totals (user_id);
CREATE MATERIALIZED VIEW app.adult_names AS SELECT name FROM adults;
CREATE VIEW app.recent AS SELECT o.id, u.name FROM orders o JOIN users u ON u.id = o.user_id;
CREATE TABLE app.visits (user_id int CONSTRAINT of_user REFERENCES users, value text);
CREATE SEQUENCE numbers;
CREATE TRIGGER users_touch BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch();
CREATE RULE no_delete AS ON DELETE TO lonely DO INSTEAD NOTHING;
CREATE POLICY mine ON orders USING (user_id = 1);
CREATE STATISTICS users_stats ON name, age FROM users;
CREATE TABLE of_pair OF pair;
CREATE PUBLICATION news FOR TABLE lonely;
INSERT INTO users (name, email, age, lucky, checked) SELECT 'n' || i, 'e' || i, i, i, 'c'
    FROM generate_series(1, 50) i;
INSERT INTO orders (user_id, total) SELECT i, i FROM generate_series(1, 50) i;
INSERT INTO items SELECT i, 's' FROM generate_series(1, 50) i;
INSERT INTO lonely SELECT i, 'v' FROM generate_series(1, 50) i;
INSERT INTO app.settings SELECT 'k' || i, '{}' FROM generate_series(1, 5) i;
INSERT INTO cache SELECT i, 'b' FROM generate_series(1, 5) i;
INSERT INTO measures SELECT '2026-01-10'::date + i, i FROM generate_series(1, 40) i;
INSERT INTO animals VALUES ('cat');
INSERT INTO dogs VALUES ('rex', 'terrier');
INSERT INTO of_pair VALUES (1, 2);
REFRESH MATERIALIZED VIEW totals;
ANALYZE;
)";

// Statements that PostgreSQL runs on that schema, one at a time.
const std::vector<std::string>& Statements() {
  static const std::vector<std::string>& statements = *new std::vector<std::string>{
      // Columns.
      "ALTER TABLE users ADD COLUMN a int",
      "ALTER TABLE users ADD COLUMN a int DEFAULT 7",
      "ALTER TABLE users ADD COLUMN a int NOT NULL DEFAULT 7",
      "ALTER TABLE users ADD COLUMN a timestamptz DEFAULT now()",
      "ALTER TABLE users ADD COLUMN a timestamptz NOT NULL DEFAULT clock_timestamp()",
      "ALTER TABLE users ADD COLUMN a uuid DEFAULT gen_random_uuid()",
      "ALTER TABLE users ADD COLUMN a int DEFAULT stable_one()",
      "ALTER TABLE users ADD COLUMN a int DEFAULT volatile_one()",
      "ALTER TABLE users ADD COLUMN a serial",
      "ALTER TABLE users ADD COLUMN a bigint GENERATED ALWAYS AS IDENTITY",
      "ALTER TABLE users ADD COLUMN a int GENERATED ALWAYS AS (age + 1) STORED",
      "ALTER TABLE users ADD COLUMN a positive",
      "ALTER TABLE users ADD COLUMN a label",
      "ALTER TABLE users ADD COLUMN a mood DEFAULT 'ok'",
      "ALTER TABLE users ADD COLUMN a int CHECK (a > 0)",
      "ALTER TABLE users ADD COLUMN a int UNIQUE",
      "ALTER TABLE users ADD COLUMN a int REFERENCES orders",
      "ALTER TABLE orders ADD COLUMN a int DEFAULT 1 REFERENCES users",
      "ALTER TABLE users ADD COLUMN a int, ADD COLUMN b int DEFAULT 1, DROP COLUMN code",
      "ALTER TABLE users ADD COLUMN IF NOT EXISTS age int",
      "ALTER TABLE IF EXISTS missing ADD COLUMN a int",
      "ALTER TABLE users DROP COLUMN note_that_is_missing",
      "ALTER TABLE users DROP COLUMN code",
      "ALTER TABLE users DROP COLUMN IF EXISTS code",
      "ALTER TABLE users DROP COLUMN age CASCADE",
      "ALTER TABLE orders DROP COLUMN total CASCADE",
      "ALTER TABLE orders DROP COLUMN user_id CASCADE",
      "ALTER TABLE users DROP COLUMN id CASCADE",
      "ALTER TABLE measures DROP COLUMN value",
      "ALTER TABLE animals DROP COLUMN name",
      "ALTER TABLE ONLY animals ADD CONSTRAINT c CHECK (name <> '') NO INHERIT",
      "ALTER TABLE animals ADD COLUMN legs int",
      "ALTER TABLE measures ADD COLUMN note text",
      "ALTER TABLE users ALTER COLUMN age SET DEFAULT 1",
      "ALTER TABLE users ALTER COLUMN age DROP DEFAULT",
      "ALTER TABLE users ALTER COLUMN age SET NOT NULL",
      "ALTER TABLE users ALTER COLUMN checked SET NOT NULL",
      "ALTER TABLE users ALTER COLUMN email SET NOT NULL",
      "ALTER TABLE users ALTER COLUMN email DROP NOT NULL",
      "ALTER TABLE users ALTER COLUMN age SET STATISTICS 100",
      "ALTER TABLE users ALTER COLUMN age SET (n_distinct = 5)",
      "ALTER TABLE users ALTER COLUMN email SET STORAGE EXTERNAL",
      "ALTER TABLE lonely ALTER COLUMN id SET NOT NULL, ALTER COLUMN id ADD GENERATED ALWAYS AS "
      "IDENTITY",
      "ALTER TABLE orders ALTER COLUMN doubled DROP EXPRESSION",
      "ALTER TABLE measures ALTER COLUMN value SET NOT NULL",
      // Types.
      "ALTER TABLE users ALTER COLUMN age TYPE bigint",
      "ALTER TABLE users ALTER COLUMN age TYPE int",
      "ALTER TABLE users ALTER COLUMN price TYPE numeric(10, 2)",
      "ALTER TABLE users ALTER COLUMN price TYPE numeric(10, 3)",
      "ALTER TABLE users ALTER COLUMN price TYPE numeric(6, 2)",
      "ALTER TABLE users ALTER COLUMN price TYPE numeric",
      "ALTER TABLE users ALTER COLUMN seen TYPE timestamp(6)",
      "ALTER TABLE users ALTER COLUMN seen TYPE timestamp",
      "ALTER TABLE users ALTER COLUMN seen TYPE timestamp(0)",
      "ALTER TABLE users ALTER COLUMN seen TYPE timestamptz",
      "ALTER TABLE users ALTER COLUMN at TYPE timestamptz(3)",
      "ALTER TABLE users ALTER COLUMN at TYPE timestamp",
      "ALTER TABLE users ALTER COLUMN at TYPE timestamp(3)",
      "ALTER TABLE users ALTER COLUMN network TYPE inet",
      "ALTER TABLE users ALTER COLUMN address TYPE text",
      "ALTER TABLE users ALTER COLUMN code TYPE text",
      "ALTER TABLE users ALTER COLUMN code TYPE varchar(3)",
      "ALTER TABLE users ALTER COLUMN email TYPE varchar",
      "ALTER TABLE users ALTER COLUMN email TYPE varchar(100)",
      "ALTER TABLE users ALTER COLUMN lucky TYPE int",
      "ALTER TABLE users ALTER COLUMN nick TYPE text",
      "ALTER TABLE users ALTER COLUMN checked TYPE label",
      "ALTER TABLE users ALTER COLUMN feeling TYPE text",
      "ALTER TABLE users ALTER COLUMN tags TYPE varchar[]",
      "ALTER TABLE users ALTER COLUMN email TYPE text USING lower(email)",
      "ALTER TABLE users ALTER COLUMN nick TYPE text USING nick::text",
      "ALTER TABLE lonely ALTER COLUMN value TYPE varchar(20)",
      "ALTER TABLE orders ALTER COLUMN note TYPE varchar",
      "ALTER TABLE orders ALTER COLUMN user_id TYPE bigint",
      "ALTER TABLE items ALTER COLUMN order_id TYPE int",
      "ALTER TABLE measures ALTER COLUMN value TYPE bigint",
      "ALTER TABLE animals ALTER COLUMN name TYPE varchar(20)",
      "ALTER TABLE animals ALTER COLUMN name TYPE varchar",
      // Constraints.
      "ALTER TABLE users ADD CONSTRAINT c CHECK (age > 0)",
      "ALTER TABLE users ADD CONSTRAINT c CHECK (age > 0) NOT VALID",
      "ALTER TABLE users VALIDATE CONSTRAINT age_check",
      "ALTER TABLE items VALIDATE CONSTRAINT items_order",
      "ALTER TABLE lonely ADD PRIMARY KEY (id)",
      "ALTER TABLE lonely ADD CONSTRAINT u UNIQUE (id, value)",
      "ALTER TABLE users ADD CONSTRAINT u UNIQUE USING INDEX users_email",
      "ALTER TABLE lonely ADD CONSTRAINT e EXCLUDE USING btree (id WITH =)",
      "ALTER TABLE lonely ADD FOREIGN KEY (id) REFERENCES users",
      "ALTER TABLE lonely ADD FOREIGN KEY (id) REFERENCES users NOT VALID",
      "ALTER TABLE measures ADD FOREIGN KEY (value) REFERENCES users",
      "ALTER TABLE orders DROP CONSTRAINT total_check",
      "ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey",
      "ALTER TABLE users DROP CONSTRAINT users_pkey CASCADE",
      "ALTER TABLE orders DROP CONSTRAINT orders_pkey CASCADE",
      "ALTER TABLE orders DROP CONSTRAINT IF EXISTS nothing",
      "ALTER TABLE orders ALTER CONSTRAINT orders_user_id_fkey DEFERRABLE",
      "ALTER TABLE orders RENAME CONSTRAINT total_check TO renamed_check",
      // The table itself.
      "ALTER TABLE users SET (fillfactor = 80)",
      "ALTER TABLE users SET (autovacuum_enabled = off, parallel_workers = 2)",
      "ALTER TABLE users SET (user_catalog_table = true)",
      "ALTER TABLE users RESET (fillfactor)",
      "ALTER TABLE lonely SET UNLOGGED",
      "ALTER TABLE cache SET LOGGED",
      "ALTER TABLE users OWNER TO CURRENT_USER",
      "ALTER TABLE users CLUSTER ON users_email",
      "ALTER TABLE users SET WITHOUT CLUSTER",
      "ALTER TABLE users ENABLE ROW LEVEL SECURITY",
      "ALTER TABLE users REPLICA IDENTITY FULL",
      "ALTER TABLE users DISABLE TRIGGER users_touch",
      "ALTER TABLE users DISABLE TRIGGER ALL",
      "ALTER TABLE users ENABLE ALWAYS TRIGGER users_touch",
      "ALTER TABLE lonely DISABLE RULE no_delete",
      "ALTER TABLE users RENAME TO people",
      "ALTER TABLE users RENAME COLUMN age TO years",
      "ALTER TABLE animals RENAME COLUMN name TO called",
      "ALTER TABLE users SET SCHEMA app",
      "ALTER TABLE dogs NO INHERIT animals",
      "ALTER TABLE dogs INHERIT lonely_missing",
      "ALTER TABLE of_pair NOT OF",
      // Partitions.
      "CREATE TABLE measures_4 PARTITION OF measures FOR VALUES FROM ('2026-04-01') TO "
      "('2026-05-01')",
      "ALTER TABLE measures ATTACH PARTITION measures_3 FOR VALUES FROM ('2026-03-01') TO "
      "('2026-04-01')",
      "ALTER TABLE measures DETACH PARTITION measures_1",
      "ALTER TABLE measures DETACH PARTITION measures_1 CONCURRENTLY",
      // Indexes.
      "CREATE INDEX ON users (age)",
      "CREATE INDEX i ON users (lower(email)) WHERE age > 3",
      "CREATE UNIQUE INDEX IF NOT EXISTS users_email ON users (email)",
      "CREATE INDEX i ON measures (value)",
      "CREATE INDEX i ON ONLY measures (day)",
      "CREATE INDEX CONCURRENTLY i ON users (age)",
      "DROP INDEX users_age",
      "DROP INDEX IF EXISTS users_age, nothing",
      "DROP INDEX CONCURRENTLY users_age",
      "DROP INDEX measures_value",
      "ALTER INDEX users_age RENAME TO users_years",
      "ALTER INDEX users_age SET (fillfactor = 80)",
      "REINDEX INDEX users_age",
      "REINDEX TABLE users",
      "REINDEX TABLE CONCURRENTLY users",
      "REINDEX SCHEMA app",
      // Drops.
      "DROP TABLE lonely",
      "DROP TABLE IF EXISTS nothing",
      "DROP TABLE IF EXISTS lonely, nothing, app.settings",
      "DROP TABLE items",
      "DROP TABLE users CASCADE",
      "DROP TABLE orders, items CASCADE",
      "DROP TABLE measures",
      "DROP TABLE measures_1",
      "DROP TABLE animals CASCADE",
      "DROP VIEW adults CASCADE",
      "DROP MATERIALIZED VIEW totals",
      "DROP SEQUENCE numbers",
      "DROP SEQUENCE users_id_seq CASCADE",
      "DROP SCHEMA app CASCADE",
      "DROP SCHEMA IF EXISTS nothing",
      "DROP TYPE mood CASCADE",
      "DROP TYPE pair CASCADE",
      "DROP DOMAIN positive CASCADE",
      "DROP FUNCTION touch() CASCADE",
      "DROP COLLATION plain CASCADE",
      "DROP TABLE users, app.visits CASCADE",
      "DROP TABLE orders CASCADE",
      "DROP TRIGGER users_touch ON users",
      "DROP RULE no_delete ON lonely",
      "DROP POLICY mine ON orders",
      "DROP STATISTICS users_stats",
      "DROP OWNED BY nobody_in_particular",
      "DROP PUBLICATION news",
      // Rows.
      "TRUNCATE lonely",
      "TRUNCATE users CASCADE",
      "TRUNCATE items RESTART IDENTITY",
      "TRUNCATE orders, items RESTART IDENTITY",
      "TRUNCATE measures",
      "TRUNCATE ONLY animals",
      "DELETE FROM items",
      "DELETE FROM items WHERE sku = 's'",
      "DELETE FROM orders",
      "WITH gone AS (DELETE FROM items RETURNING *) INSERT INTO lonely (id) SELECT order_id FROM "
      "gone",
      "UPDATE lonely SET value = 'w'",
      "UPDATE lonely SET value = 'w' FROM users WHERE users.id = lonely.id",
      "UPDATE measures SET value = 1",
      "INSERT INTO lonely VALUES (1, 'x'), (2, 'y')",
      "INSERT INTO lonely (id) SELECT id FROM users",
      "INSERT INTO orders (user_id, total) VALUES (1, 2)",
      "SELECT * FROM users JOIN orders ON user_id = users.id",
      "SELECT * FROM users WHERE id IN (SELECT user_id FROM orders) FOR UPDATE",
      "WITH u AS (SELECT * FROM users) SELECT * FROM u",
      "LOCK TABLE users IN SHARE MODE",
      "LOCK TABLE lonely, ONLY animals",
      "LOCK TABLE measures IN SHARE ROW EXCLUSIVE MODE",
      "EXPLAIN ANALYZE DELETE FROM items WHERE false",
      "COPY lonely TO '/dev/null'",
      // What is made.
      "CREATE TABLE fresh (id int PRIMARY KEY, user_id int REFERENCES users, LIKE lonely)",
      "CREATE TABLE fresh (id int) INHERITS (animals)",
      "CREATE TABLE IF NOT EXISTS users (id int REFERENCES orders)",
      "CREATE TABLE fresh AS SELECT * FROM users",
      "SELECT * INTO fresh FROM users",
      "CREATE TEMP TABLE scratch (id int)",
      "CREATE VIEW fresh AS SELECT * FROM users",
      "CREATE OR REPLACE VIEW adults AS SELECT id, name FROM users WHERE age >= 21",
      "ALTER VIEW adults RENAME TO grown",
      "ALTER VIEW adults SET (security_barrier = true)",
      "CREATE MATERIALIZED VIEW fresh AS SELECT * FROM users",
      "REFRESH MATERIALIZED VIEW totals",
      "REFRESH MATERIALIZED VIEW CONCURRENTLY totals",
      "CREATE SEQUENCE fresh OWNED BY users.age",
      "ALTER SEQUENCE numbers RESTART WITH 5",
      "ALTER SEQUENCE numbers OWNED BY users.age",
      "CREATE TRIGGER t AFTER INSERT ON lonely FOR EACH ROW EXECUTE FUNCTION touch()",
      "CREATE TRIGGER t AFTER INSERT ON measures FOR EACH ROW EXECUTE FUNCTION touch()",
      "CREATE RULE r AS ON INSERT TO lonely DO INSTEAD NOTHING",
      "CREATE POLICY p ON users USING (true)",
      "ALTER POLICY mine ON orders USING (true)",
      "CREATE STATISTICS s ON id, value FROM lonely",
      "ALTER STATISTICS users_stats SET STATISTICS 10",
      "CREATE PUBLICATION p FOR TABLE users, ONLY animals",
      "ALTER PUBLICATION news ADD TABLE users",
      "CREATE SCHEMA fresh CREATE TABLE t (id int REFERENCES users)",
      "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
      "CREATE TYPE fresh AS ENUM ('a')",
      "ALTER TYPE mood ADD VALUE 'great'",
      "ALTER TYPE pair ADD ATTRIBUTE c int CASCADE",
      "ALTER TYPE pair RENAME ATTRIBUTE a TO x CASCADE",
      "ALTER DOMAIN positive ADD CONSTRAINT small CHECK (VALUE < 1000)",
      "ALTER DOMAIN positive ADD CONSTRAINT small CHECK (VALUE < 1000) NOT VALID",
      "ALTER DOMAIN label SET DEFAULT 'x'",
      "COMMENT ON TABLE users IS 'x'",
      "COMMENT ON COLUMN users.age IS 'x'",
      "COMMENT ON CONSTRAINT age_check ON users IS 'x'",
      "COMMENT ON INDEX users_age IS 'x'",
      "COMMENT ON SCHEMA app IS 'x'",
      "GRANT SELECT ON users TO PUBLIC",
      "REVOKE ALL ON ALL TABLES IN SCHEMA app FROM PUBLIC",
      // Upkeep.
      "ANALYZE users",
      "ANALYZE measures",
      "VACUUM users",
      "VACUUM FULL users",
      "CLUSTER users USING users_email",
      "CLUSTER",
      "ALTER SYSTEM RESET work_mem",
      "CREATE DATABASE fresh",
      "DROP DATABASE nothing",
      "SET search_path = app, public",
      "SAVEPOINT s",
      "NOTIFY channel",
      "CHECKPOINT",
  };
  return statements;
}

// The locks of one session by relation, the strongest each.
using Locks = std::map<std::string, LockMode>;

LockMode ModeOf(const std::string& name) {
  static const std::map<std::string, LockMode>& modes = *new std::map<std::string, LockMode>{
      {"AccessShareLock", migration::v1::LOCK_MODE_ACCESS_SHARE},
      {"RowShareLock", migration::v1::LOCK_MODE_ROW_SHARE},
      {"RowExclusiveLock", migration::v1::LOCK_MODE_ROW_EXCLUSIVE},
      {"ShareUpdateExclusiveLock", migration::v1::LOCK_MODE_SHARE_UPDATE_EXCLUSIVE},
      {"ShareLock", migration::v1::LOCK_MODE_SHARE},
      {"ShareRowExclusiveLock", migration::v1::LOCK_MODE_SHARE_ROW_EXCLUSIVE},
      {"ExclusiveLock", migration::v1::LOCK_MODE_EXCLUSIVE},
      {"AccessExclusiveLock", migration::v1::LOCK_MODE_ACCESS_EXCLUSIVE}};
  return modes.at(name);
}

// What PostgreSQL did.
struct Reality {
  // Why it refused.
  std::string refusal;
  // What CASCADE has taken along, as PostgreSQL says it: "view adults".
  std::vector<std::string> cascaded;
  Locks locks;
  // Relations whose files were replaced, or that were read from beginning to end.
  std::set<std::string> rewritten;
  std::set<std::string> scanned;
  // Tables, materialized views and `table.column` that are not there any more.
  std::set<std::string> gone;
  std::set<std::string> gone_sequences;
  std::set<std::string> indexes;
};

// What was said before.
struct Prediction {
  PlannedStatement statement;
  Locks locks;
  std::set<std::string> rewritten;
  std::set<std::string> works;
  std::set<std::string> dropped;
  std::set<std::string> emptied;
  // What has no rows of its own and goes with CASCADE.
  std::set<std::string> dependents;
};

// Hears what CASCADE takes along.
class CascadeNotices : public pqxx::errorhandler {
 public:
  explicit CascadeNotices(pqxx::connection& connection) : pqxx::errorhandler(connection) {}
  bool operator()(char const message[]) noexcept override {
    constexpr absl::string_view kWords = "drop cascades to ";
    for (const absl::string_view line : absl::StrSplit(message, '\n')) {
      const size_t at = line.find(kWords);
      if (at == absl::string_view::npos || absl::StrContains(line, "other objects")) continue;
      heard.emplace_back(line.substr(at + kWords.size()));
    }
    return true;
  }

  std::vector<std::string> heard;
};

class PlanEffectsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    options_ = new PostgresOptions(TestCluster::NewDatabaseOptions());
    TestCluster::Query(options_->connection, kSchema);
  }

  static std::set<std::string> Names(pqxx::transaction_base& work, const std::string& query) {
    std::set<std::string> names;
    for (const pqxx::row row : work.exec(query)) names.insert(row[0].c_str());
    return names;
  }

  static std::map<std::string, std::string> Files(pqxx::transaction_base& work) {
    std::map<std::string, std::string> files;
    for (const pqxx::row row :
         work.exec("SELECT oid::text || ' ' || relnamespace::regnamespace || '.' || relname, "
                   "relfilenode FROM pg_class "
                   "WHERE relkind IN ('r', 'm') AND oid >= 16384 AND relnamespace <> 99")) {
      files[row[0].c_str()] = row[1].c_str();
    }
    return files;
  }

  static constexpr char kSequences[] =
      "SELECT relnamespace::regnamespace || '.' || relname FROM pg_class WHERE relkind = 'S'";
  static constexpr char kIndexes[] =
      "SELECT relnamespace::regnamespace || '.' || relname FROM pg_class "
      "WHERE relkind IN ('i', 'I')";
  static constexpr char kStored[] =
      "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n "
      "ON n.oid = c.relnamespace WHERE relkind IN ('r', 'p', 'm') AND c.oid >= 16384 "
      "AND nspname IN ('public', 'app') "
      "UNION SELECT n.nspname || '.' || c.relname || '.' || attname FROM pg_class c "
      "JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute ON attrelid = c.oid "
      "WHERE relkind IN ('r', 'p', 'm') AND c.oid >= 16384 AND attnum > 0 AND NOT attisdropped "
      "AND nspname IN ('public', 'app')";

  // Runs the statement in a transaction that is rolled back.
  static Reality Run(const std::string& sql) {
    Reality reality;
    pqxx::connection connection(FormatConninfo(options_->connection));
    CascadeNotices notices(connection);
    pqxx::work work(connection);
    const auto before = Files(work);
    const std::set<std::string> stored = Names(work, kStored);
    std::map<std::string, std::string> relations;
    for (const pqxx::row row : work.exec(
             "SELECT c.oid, n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n "
             "ON n.oid = c.relnamespace WHERE nspname IN ('public', 'app') "
             "AND relkind NOT IN ('t', 'c')")) {
      relations[row[0].c_str()] = row[1].c_str();
    }
    const std::set<std::string> sequences = Names(work, kSequences);
    reality.indexes = Names(work, kIndexes);
    try {
      work.exec("SAVEPOINT before_it");
      work.exec(sql);
    } catch (const pqxx::sql_error& error) {
      reality.refusal = error.sqlstate();
      return reality;
    }
    reality.cascaded = notices.heard;
    for (const pqxx::row row :
         work.exec("SELECT relation, mode FROM pg_locks WHERE pid = pg_backend_pid() "
                   "AND locktype = 'relation'")) {
      const auto relation = relations.find(row[0].c_str());
      if (relation == relations.end()) continue;
      LockMode& mode = reality.locks[relation->second];
      mode = std::max(mode, ModeOf(row[1].c_str()));
    }
    for (const auto& [oid, name] : relations) {
      if (work.exec_params("SELECT pg_stat_get_xact_numscans($1::oid)", oid)[0][0].as<int>(0) > 0) {
        reality.scanned.insert(name);
      }
    }
    const auto after = Files(work);
    for (const auto& [key, file] : before) {
      const auto now = after.find(key);
      if (now != after.end() && now->second != file) {
        reality.rewritten.insert(key.substr(key.find(' ') + 1));
      }
    }
    const std::set<std::string> left_sequences = Names(work, kSequences);
    for (const std::string& name : sequences) {
      if (left_sequences.count(name) == 0) reality.gone_sequences.insert(name);
    }
    const std::set<std::string> left = Names(work, kStored);
    for (const std::string& name : stored) {
      if (left.count(name) == 0) reality.gone.insert(name);
    }
    return reality;
  }

  static std::vector<PlannedStatement> Describe(const std::vector<std::string>& statements) {
    std::string text = "-- s\n--\n-- Revision ID: aa\n-- Revises:\n\n-- migrate:up\n";
    for (const std::string& sql : statements) absl::StrAppend(&text, sql, ";\n");
    const auto parsed = MigrationFile::Parse("aa_s.sql", text);
    EXPECT_THAT(parsed.problems, IsEmpty()) << text;
    if (parsed.file == nullptr) return {};
    auto graph = RevisionGraph::Create({parsed.file->revision()});
    const ScriptSet scripts(*std::move(graph), {parsed.file});
    Plan plan;
    plan.steps.push_back({Step::Direction::kUpgrade, "aa", {}});
    migration::v1::Plan described = DescribePlan(scripts, plan);
    PostgresDatabase database(*options_);
    const PlanEffects effects = DescribeEffects(scripts, plan, &database, described);
    EXPECT_EQ(effects.database_error, absl::OkStatus());
    return {described.steps(0).statements().begin(), described.steps(0).statements().end()};
  }

  static Prediction Predict(const std::string& sql) {
    Prediction prediction;
    const auto described = Describe({sql});
    if (described.size() != 1) return prediction;
    prediction.statement = described[0];
    for (const auto& lock : described[0].locks()) {
      if (!lock.is_new()) prediction.locks[lock.relation()] = lock.mode();
    }
    for (const auto& work : described[0].works()) {
      prediction.works.insert(work.relation());
      if (work.kind() == migration::v1::RELATION_WORK_KIND_REWRITE) {
        prediction.rewritten.insert(work.relation());
      }
    }
    for (const auto& loss : described[0].losses()) {
      static const std::set<std::string>& with_rows =
          *new std::set<std::string>{"table", "column", "materialized view", "sequence", "schema",
                                     "rows",  "values", "precision"};
      if (with_rows.count(loss.object_kind()) == 0) {
        EXPECT_NE(loss.because_of(), "") << loss.DebugString();
        prediction.dependents.insert(loss.object_name());
        continue;
      }
      const bool stays = loss.object_kind() == "rows" || loss.object_kind() == "values" ||
                         loss.object_kind() == "precision";
      (stays ? prediction.emptied : prediction.dropped).insert(loss.object_name());
    }
    return prediction;
  }

  static PostgresOptions* options_;
};

PostgresOptions* PlanEffectsTest::options_ = nullptr;

// Statements that change rows are scans of their own.
bool IsAboutRows(const std::string& command) {
  static const std::set<std::string>& commands =
      *new std::set<std::string>{"SELECT",
                                 "INSERT",
                                 "UPDATE",
                                 "DELETE",
                                 "COPY",
                                 "MERGE",
                                 "EXPLAIN",
                                 "SELECT INTO",
                                 "CREATE TABLE AS",
                                 "CREATE MATERIALIZED VIEW",
                                 "ANALYZE",
                                 "REFRESH MATERIALIZED VIEW"};
  return commands.count(command) > 0;
}

TEST_F(PlanEffectsTest, IsNeverWeakerThanWhatPostgresDoes) {
  constexpr char kActiveTransaction[] = "25001";
  int compared = 0;
  for (const std::string& sql : Statements()) {
    SCOPED_TRACE(sql);
    const Reality reality = Run(sql);
    const Prediction prediction = Predict(sql);
    EXPECT_FALSE(prediction.statement.is_unknown() && sql != "CLUSTER" &&
                 !absl::StartsWith(sql, "REINDEX SCHEMA"));
    EXPECT_EQ(reality.refusal == kActiveTransaction,
              prediction.statement.transaction_need() == migration::v1::TRANSACTION_NEED_OUTSIDE)
        << reality.refusal;
    if (!reality.refusal.empty()) continue;
    ++compared;
    for (const auto& [relation, mode] : reality.locks) {
      // Of indexes, and of sequences that a table owns, its own lock is told.
      if (reality.indexes.count(relation) > 0 || absl::EndsWith(relation, "_seq")) continue;
      const auto predicted = prediction.locks.find(relation);
      // Who only reads or writes rows is told of what the statement names.
      const std::string name = relation.substr(relation.find('.') + 1);
      if (mode <= migration::v1::LOCK_MODE_ROW_EXCLUSIVE && predicted == prediction.locks.end() &&
          (!absl::StrContains(sql, name) || !IsAboutRows(prediction.statement.command()))) {
        continue;
      }
      EXPECT_TRUE(predicted != prediction.locks.end() && predicted->second >= mode)
          << relation << " is locked in " << LockMode_Name(mode) << "\n"
          << prediction.statement.DebugString();
    }
    const bool empties = !prediction.emptied.empty();
    for (const std::string& relation : reality.rewritten) {
      if (empties) continue;
      EXPECT_THAT(prediction.rewritten, Contains(relation));
    }
    if (!IsAboutRows(prediction.statement.command()) && !empties) {
      for (const std::string& relation : reality.scanned) {
        if (reality.indexes.count(relation) > 0) continue;
        EXPECT_THAT(prediction.works, Contains(relation));
      }
    }
    std::set<std::string> gone = reality.gone;
    // What is renamed or moved is not lost.
    if (absl::StrContains(sql, "RENAME") || absl::StrContains(sql, "SET SCHEMA")) gone.clear();
    for (auto one = gone.begin(); one != gone.end();) {
      const std::string table = one->substr(0, one->rfind('.'));
      one = reality.gone.count(table) > 0 ? gone.erase(one) : std::next(one);
    }
    for (const std::string& object : gone) {
      // That of a partition goes with the column of what it is part of.
      const std::string column = object.substr(object.rfind('.'));
      EXPECT_THAT(prediction.dropped, Contains(EndsWith(column))) << object;
    }
  }
  EXPECT_GT(compared, 150);
}

// The objects that PostgreSQL names as it drops them, and no others.
TEST_F(PlanEffectsTest, NamesWhatCascadeTakesAlong) {
  int compared = 0;
  for (const std::string& sql : Statements()) {
    if (!absl::StrContains(sql, "CASCADE")) continue;
    SCOPED_TRACE(sql);
    const Reality reality = Run(sql);
    const Prediction prediction = Predict(sql);
    std::vector<std::string> without_rows;
    for (const std::string& one : reality.cascaded) {
      const bool has_rows = absl::StartsWith(one, "table ") || absl::StartsWith(one, "column ") ||
                            absl::StartsWith(one, "materialized view ");
      if (!has_rows) without_rows.push_back(one);
    }
    compared += static_cast<int>(without_rows.size());
    EXPECT_EQ(prediction.dependents.size(), without_rows.size())
        << absl::StrJoin(without_rows, ", ") << "\n"
        << absl::StrJoin(prediction.dependents, ", ");
    for (const std::string& dependent : prediction.dependents) {
      // "name on schema.table", "for schema.table.column", "schema.name".
      const size_t on = dependent.find(" on ");
      const std::string name = on != std::string::npos ? dependent.substr(0, on)
                                                       : dependent.substr(dependent.rfind('.') + 1);
      EXPECT_THAT(without_rows, Contains(HasSubstr(name))) << dependent;
    }
  }
  EXPECT_GT(compared, 15);
}

TEST_F(PlanEffectsTest, KnowsWhatIsGoneAlready) {
  const auto dependents = [](const std::vector<std::string>& statements) {
    std::vector<std::string> names;
    const std::vector<PlannedStatement> described = Describe(statements);
    for (const auto& loss : described.back().losses()) {
      if (!loss.because_of().empty()) names.push_back(loss.object_name());
    }
    return names;
  };
  EXPECT_THAT(
      dependents({"DROP TABLE orders CASCADE"}),
      UnorderedElementsAre("items_order on public.items", "items_order_id_fkey on public.items",
                           "app.recent", "public.totals"));
  EXPECT_THAT(
      dependents({"DROP VIEW app.recent", "DROP MATERIALIZED VIEW totals",
                  "ALTER TABLE items DROP CONSTRAINT items_order", "DROP TABLE orders CASCADE"}),
      UnorderedElementsAre("items_order_id_fkey on public.items"));
  EXPECT_THAT(dependents({"DROP TABLE items", "DROP VIEW app.recent",
                          "DROP MATERIALIZED VIEW totals", "DROP TABLE orders CASCADE"}),
              IsEmpty());
  // Without CASCADE they would be in the way, and nothing goes.
  EXPECT_THAT(dependents({"DROP TABLE orders"}), IsEmpty());
}

// What the statements destroy, as "kind name".
std::vector<std::string> LossesIn(const std::vector<PlannedStatement>& described) {
  std::vector<std::string> losses;
  for (const PlannedStatement& statement : described) {
    for (const auto& loss : statement.losses()) {
      losses.push_back(absl::StrCat(loss.object_kind(), " ", loss.object_name()));
    }
  }
  return losses;
}

// Nothing is lost unseen because it goes by another name meanwhile.
TEST_F(PlanEffectsTest, FollowsWhatHasAnotherNameNow) {
  const std::vector<std::pair<std::vector<std::string>, std::vector<std::string>>> cases = {
      {{"ALTER TABLE lonely RENAME TO a", "DROP TABLE a"}, {"table public.lonely"}},
      {{"ALTER TABLE lonely RENAME TO a", "ALTER TABLE a RENAME TO b", "DROP TABLE b"},
       {"table public.lonely"}},
      {{"ALTER TABLE public.lonely RENAME TO a", "DROP TABLE a"}, {"table public.lonely"}},
      {{"ALTER TABLE lonely RENAME TO a", "DROP TABLE public.a"}, {"table public.lonely"}},
      {{"SET search_path = app", "ALTER TABLE settings RENAME TO a", "DROP TABLE a"},
       {"table app.settings"}},
      {{"SET search_path = app, public", "ALTER TABLE settings RENAME TO a", "DROP TABLE a"},
       {"table app.settings"}},
      {{"SET search_path = app", "ALTER TABLE settings RENAME TO a", "RESET search_path",
        "DROP TABLE app.a"},
       {"table app.settings"}},
      {{"ALTER TABLE app.settings SET SCHEMA public", "DROP TABLE settings"},
       {"table app.settings"}},
      // What is called so already is what is meant, not what was moved elsewhere.
      {{"ALTER TABLE lonely SET SCHEMA app", "ALTER TABLE app.settings RENAME TO items",
        "DROP TABLE items"},
       {"table public.items"}},
      {{"ALTER TABLE lonely RENAME COLUMN value TO a", "ALTER TABLE lonely DROP COLUMN a"},
       {"column public.lonely.value"}},
      {{"ALTER TABLE lonely RENAME value TO a", "ALTER TABLE public.lonely RENAME a TO b",
        "ALTER TABLE lonely RENAME TO c", "ALTER TABLE c DROP b"},
       {"column public.lonely.value"}},
      {{"ALTER TABLE app.settings RENAME value TO a", "UPDATE app.settings SET a = '{}'"},
       {"values app.settings.a"}},
      {{"ALTER TABLE users DROP COLUMN shape", "ALTER TYPE pair RENAME ATTRIBUTE a TO x CASCADE",
        "ALTER TYPE pair DROP ATTRIBUTE x CASCADE"},
       {"column public.users.shape", "column public.of_pair.a"}},
      {{"ALTER SCHEMA app RENAME TO old", "DROP TABLE old.settings"}, {"table app.settings"}},
      {{"ALTER SCHEMA app RENAME TO old", "ALTER TABLE old.settings RENAME TO a",
        "ALTER SCHEMA old RENAME TO older", "DROP TABLE older.a"},
       {"table app.settings"}},
      {{"CREATE SCHEMA archive", "ALTER TABLE lonely SET SCHEMA archive",
        "DROP SCHEMA archive CASCADE"},
       {"table public.lonely"}},
      {{"ALTER TYPE mood RENAME TO feelings", "DROP TYPE feelings CASCADE"},
       {"column public.users.feeling"}},
      {{"ALTER DOMAIN label SET SCHEMA app", "DROP DOMAIN app.label CASCADE"},
       {"column public.users.nick"}},
      // A function has a name of its own.
      {{"ALTER TABLE users RENAME TO touch", "ALTER TABLE lonely RENAME TO users",
        "DROP TABLE users"},
       {"table public.lonely"}},
  };
  for (const auto& [statements, losses] : cases) {
    SCOPED_TRACE(absl::StrJoin(statements, "; "));
    const Reality reality = Run(absl::StrJoin(statements, "; "));
    EXPECT_EQ(reality.refusal, "");
    EXPECT_THAT(LossesIn(Describe(statements)), UnorderedElementsAreArray(losses));
  }
  const std::vector<std::string> with_schema =
      LossesIn(Describe({"ALTER SCHEMA app RENAME TO old", "DROP SCHEMA old CASCADE"}));
  EXPECT_THAT(with_schema, Contains("schema old"));
  EXPECT_THAT(with_schema, Contains("table app.settings"));
  EXPECT_THAT(with_schema, Contains("table app.visits"));
  EXPECT_THAT(
      LossesIn(Describe({"ALTER TABLE users RENAME TO touch", "DROP FUNCTION touch CASCADE"})),
      Contains(HasSubstr("users_touch")));
}

TEST_F(PlanEffectsTest, KnowsThatItDoesNotKnowWhatFunctionsDo) {
  const auto is_unknown = [](const std::vector<std::string>& statements) {
    return Describe(statements).back().is_unknown();
  };
  for (const char* sql :
       {"SELECT volatile_one()", "SELECT public.volatile_one() FROM users",
        "UPDATE lonely SET id = volatile_one() WHERE id = 1",
        "CREATE TABLE fresh AS SELECT volatile_one()",
        "WITH a AS (SELECT volatile_one() AS b) INSERT INTO lonely SELECT b FROM a"}) {
    EXPECT_TRUE(is_unknown({sql})) << sql;
  }
  EXPECT_TRUE(is_unknown(
      {"CREATE FUNCTION wipe() RETURNS void LANGUAGE sql AS 'DROP TABLE users'", "SELECT wipe()"}));
  for (const char* sql :
       {"SELECT stable_one()", "SELECT setval('numbers', 7)", "SELECT random(), clock_timestamp()",
        "INSERT INTO lonely SELECT length(name), md5(random()::text) FROM users",
        "SELECT count(*), array_agg(name) FROM users",
        "CREATE VIEW fresh AS SELECT volatile_one()"}) {
    EXPECT_FALSE(is_unknown({sql})) << sql;
  }
}

// Whether values of a column come out otherwise when its type has changed and is changed back.
TEST_F(PlanEffectsTest, TellsWhichNewTypesRoundValues) {
  const std::vector<std::tuple<std::string, std::string, std::string>> changes = {
      {"numeric(8,2)", "12.34", "integer"},
      {"numeric(8,2)", "12.34", "numeric(8,1)"},
      {"numeric(8,2)", "12.34", "numeric(10,2)"},
      {"numeric(8,2)", "12.34", "numeric"},
      {"numeric(8,0)", "12", "bigint"},
      {"numeric", "1.23456789012345678", "double precision"},
      {"double precision", "0.123456789012345", "real"},
      {"double precision", "1.5", "integer"},
      {"double precision", "1.5", "numeric"},
      {"bigint", "1234567890123456789", "double precision"},
      {"integer", "123456789", "real"},
      {"integer", "123456789", "double precision"},
      {"integer", "7", "bigint"},
      {"bigint", "7", "integer"},
      {"timestamp", "2026-01-02 03:04:05.678901", "timestamp(3)"},
      {"timestamp(3)", "2026-01-02 03:04:05.678", "timestamp"},
      {"timestamptz", "2026-01-02 03:04:05.678901+00", "timestamptz(0)"},
      {"timestamp", "2026-01-02 03:04:05", "date"},
      {"timestamp", "2026-01-02 03:04:05", "time"},
      {"date", "2026-01-02", "timestamp"},
      {"time", "03:04:05.678901", "time(2)"},
      {"varchar(20)", "a long enough text", "varchar(5) USING value::varchar(5)"},
      {"varchar(20)", "a long enough text", "varchar(40) USING value::varchar(40)"},
      {"text", "a long enough text", "varchar(5) USING value::varchar(5)"},
      {"text", "text", "varchar(5)"},
      {"numeric[]", "{1.25}", "integer[]"},
  };
  for (const auto& [from, value, to] : changes) {
    SCOPED_TRACE(absl::StrCat(from, " to ", to));
    pqxx::connection connection(FormatConninfo(options_->connection));
    {
      pqxx::work work(connection);
      work.exec(absl::StrCat("DROP TABLE IF EXISTS rounded; CREATE TABLE rounded (value ", from,
                             "); INSERT INTO rounded VALUES ('", value, "')"));
      work.commit();
    }
    const std::string change = absl::StrCat("ALTER TABLE rounded ALTER COLUMN value TYPE ", to);
    const std::vector<std::string> losses = LossesIn(Describe({change}));
    pqxx::work work(connection);
    const std::string before = work.exec1("SELECT value FROM rounded")[0].c_str();
    work.exec(change);
    if (from == "timestamp" && to == "time") {
      EXPECT_THAT(losses, ElementsAre("precision public.rounded.value"));
      continue;
    }
    work.exec(absl::StrCat("ALTER TABLE rounded ALTER COLUMN value TYPE ", from));
    const std::string after = work.exec1("SELECT value FROM rounded")[0].c_str();
    if (before == after) {
      EXPECT_THAT(losses, IsEmpty());
    } else {
      EXPECT_THAT(losses, ElementsAre("precision public.rounded.value"));
    }
  }
  TestCluster::Query(options_->connection, "DROP TABLE rounded");
}

// A time with a zone is stored as one without is, read in UTC.
TEST_F(PlanEffectsTest, ATimeZoneIsAddedWithoutWritingOnlyInUtc) {
  const std::string change = "ALTER TABLE users ALTER COLUMN seen TYPE timestamptz";
  const auto set_zone = [](const std::string& zone) {
    TestCluster::Query(options_->connection,
                       absl::StrCat("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = ",
                                    zone, "', current_database()); END $$"));
  };
  EXPECT_THAT(Run(change).rewritten, IsEmpty());
  EXPECT_THAT(Predict(change).rewritten, IsEmpty());
  const auto in_tokyo = Describe({"SET TIME ZONE 'Asia/Tokyo'", change});
  EXPECT_EQ(in_tokyo.back().works_size(), 1);
  set_zone("\"Europe/Berlin\"");
  EXPECT_THAT(Run(change).rewritten, Contains("public.users"));
  EXPECT_THAT(Predict(change).rewritten, Contains("public.users"));
  set_zone("UTC");
}

// A warning that is wrong teaches people not to look.
TEST_F(PlanEffectsTest, SaysNoMoreThanWhatPostgresDoes) {
  const std::set<std::string> said_too_often = {
      // PostgreSQL sees through the function.
      "ALTER TABLE users ADD COLUMN a int DEFAULT volatile_one()",
      // Without the neighbours of a partition that a default partition is not among.
      "ALTER TABLE measures DETACH PARTITION measures_1",
  };
  for (const std::string& sql : Statements()) {
    if (said_too_often.count(sql) > 0) continue;
    SCOPED_TRACE(sql);
    const Reality reality = Run(sql);
    if (!reality.refusal.empty()) continue;
    const Prediction prediction = Predict(sql);
    for (const std::string& relation : prediction.rewritten) {
      EXPECT_THAT(reality.rewritten, Contains(relation));
    }
    for (const auto& [relation, mode] : prediction.locks) {
      const auto real = reality.locks.find(relation);
      if (mode <= migration::v1::LOCK_MODE_ROW_EXCLUSIVE) continue;
      EXPECT_TRUE(real != reality.locks.end() && real->second >= mode)
          << relation << " is said to be locked in " << LockMode_Name(mode);
    }
    for (const std::string& object : prediction.dropped) {
      const bool is_schema = object == "app";
      EXPECT_TRUE(is_schema ||
                  reality.gone.count(object) + reality.gone_sequences.count(object) > 0)
          << object << " is said to be lost";
    }
  }
}

}  // namespace
}  // namespace migd
