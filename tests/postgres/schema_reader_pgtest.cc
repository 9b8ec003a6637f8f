// Each difference that two schemas can have is made by hand, and named; nothing else is.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "service/postgres/connection.h"
#include "service/postgres/schema_reader.h"
#include "tests/support/test_cluster.h"

namespace migd {
namespace {

using migration::v1::SchemaDifference;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

// "missing table public.t", "different column public.t.a: default, type".
std::string Line(const SchemaDifference& difference) {
  std::string line = difference.kind() == SchemaDifference::KIND_MISSING      ? "missing "
                     : difference.kind() == SchemaDifference::KIND_UNEXPECTED ? "unexpected "
                                                                              : "different ";
  absl::StrAppend(&line, difference.object_kind(), " ", difference.object_name());
  std::vector<std::string> attributes;
  for (const auto& attribute : difference.attributes()) attributes.push_back(attribute.attribute());
  if (!attributes.empty()) absl::StrAppend(&line, ": ", absl::StrJoin(attributes, ", "));
  return line;
}

std::vector<std::string> Lines(const Schema& expected, const Schema& actual) {
  std::vector<std::string> lines;
  for (const SchemaDifference& difference : CompareSchemas(expected, actual)) {
    lines.push_back(Line(difference));
  }
  return lines;
}

const VersionTable kVersionTable = {"public", "alembic_version"};

// A database that all tests use, each in a transaction that is rolled back.
const ConnectionOptions& SharedDatabase() {
  static const ConnectionOptions database = TestCluster::CreateDatabase();
  return database;
}

class Sandbox {
 public:
  Sandbox() : connection_(FormatConninfo(SharedDatabase())), work_(connection_) {}

  // As a migration would find it, whatever the reader has set.
  void Run(const std::string& sql) {
    work_.exec(absl::StrCat(
        "SET LOCAL search_path = public; SET LOCAL client_min_messages = warning;", sql));
  }
  Schema Read() { return ReadSchema(work_, kVersionTable); }

 private:
  pqxx::connection connection_;
  pqxx::work work_;
};

struct Case {
  const char* name;
  const char* setup;
  const char* change;
  std::vector<std::string> differences;
  // The oldest version of PostgreSQL that has it.
  int since = 12;
};

std::ostream& operator<<(std::ostream& out, const Case& sample) { return out << sample.name; }

class EachDifference : public testing::TestWithParam<Case> {};

TEST_P(EachDifference, IsNamedAndNothingElse) {
  if (TestCluster::MajorVersion() < GetParam().since) GTEST_SKIP() << "a later PostgreSQL has it";
  Sandbox sandbox;
  sandbox.Run(GetParam().setup);
  const Schema before = sandbox.Read();
  sandbox.Run(GetParam().change);
  EXPECT_THAT(Lines(before, sandbox.Read()), ElementsAreArray(GetParam().differences));
}

std::string NameOf(const testing::TestParamInfo<Case>& info) { return info.param.name; }

constexpr char kT[] = "CREATE TABLE t (id integer, name text);";

const Case kTables[] = {
    {"TableMissing",
     "CREATE TABLE t (id serial PRIMARY KEY, name text DEFAULT 'x' CHECK (name <> ''));"
     "CREATE INDEX ON t (name); COMMENT ON COLUMN t.name IS 'n';",
     "DROP TABLE t",
     {"missing table public.t"}},
    {"TableUnexpected",
     "",
     "CREATE TABLE \"Ta ble\" (\"Id\" integer PRIMARY KEY)",
     {"unexpected table public.\"Ta ble\""}},
    {"TableBecomesAView",
     "CREATE TABLE t (id integer)",
     "DROP TABLE t; CREATE VIEW t AS SELECT 1 AS id",
     {"missing table public.t", "unexpected view public.t"}},
    {"TableRenamed",
     kT,
     "ALTER TABLE t RENAME TO u",
     {"missing table public.t", "unexpected table public.u"}},
    {"TableMoved",
     "CREATE TABLE t (id integer); CREATE SCHEMA other",
     "ALTER TABLE t SET SCHEMA other",
     {"unexpected table other.t", "missing table public.t"}},
    {"TablePersistence",
     kT,
     "ALTER TABLE t SET UNLOGGED",
     {"different table public.t: persistence"}},
    {"TableOptions",
     kT,
     "ALTER TABLE t SET (fillfactor = 70)",
     {"different table public.t: options"}},
    {"TableToastOptions",
     kT,
     "ALTER TABLE t SET (toast.autovacuum_enabled = false)",
     {"different table public.t: toast options"}},
    {"TableRowSecurity",
     kT,
     "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
     {"different table public.t: row security"}},
    {"TableForcedRowSecurity",
     kT,
     "ALTER TABLE t FORCE ROW LEVEL SECURITY",
     {"different table public.t: row security for the owner"}},
    {"TableReplicaIdentity",
     kT,
     "ALTER TABLE t REPLICA IDENTITY FULL",
     {"different table public.t: replica identity"}},
    {"TableReplicaIdentityByIndex",
     "CREATE TABLE t (id integer NOT NULL); CREATE UNIQUE INDEX i ON t (id)",
     "ALTER TABLE t REPLICA IDENTITY USING INDEX i",
     {"different table public.t: replica identity"}},
    {"TableInheritance",
     "CREATE TABLE p (id integer); CREATE TABLE c (id integer)",
     "ALTER TABLE c INHERIT p",
     {"different column public.c.id: inherited", "different table public.c: inherits"}},
    {"TableOfType",
     "CREATE TYPE k AS (id integer); CREATE TABLE t (id integer)",
     "ALTER TABLE t OF k",
     {"different table public.t: of type"}},
    {"TableComment",
     kT,
     "COMMENT ON TABLE t IS 'all of them'",
     {"different table public.t: comment"}},
    {"TablePrivileges",
     "CREATE TABLE t (id integer); CREATE ROLE reader",
     "GRANT SELECT ON t TO reader",
     {"different table public.t: privileges"}},
    {"TableGrantOption",
     "CREATE TABLE t (id integer); CREATE ROLE reader; GRANT SELECT ON t TO reader",
     "GRANT SELECT ON t TO reader WITH GRANT OPTION",
     {"different table public.t: privileges"}},
    {"TableRevokedFromItsOwner",
     kT,
     "REVOKE DELETE ON t FROM current_user",
     {"different table public.t: privileges"}},
    {"PartitionMissing",
     "CREATE TABLE t (id integer PRIMARY KEY) PARTITION BY RANGE (id); CREATE INDEX ON t (id);"
     "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10)",
     "DROP TABLE t1",
     {"missing table public.t1"}},
    {"PartitionBound",
     "CREATE TABLE t (id integer) PARTITION BY RANGE (id);"
     "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10)",
     "ALTER TABLE t DETACH PARTITION t1; ALTER TABLE t ATTACH PARTITION t1 FOR VALUES FROM (0) TO "
     "(20)",
     {"different table public.t1: partition bound"}},
    {"PartitionDetached",
     "CREATE TABLE t (id integer) PARTITION BY RANGE (id);"
     "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10)",
     "ALTER TABLE t DETACH PARTITION t1",
     {"different column public.t1.id: inherited",
      "different table public.t1: partition bound, partition of"}},
    {"PartitionKey",
     "CREATE TABLE t (id integer, at date) PARTITION BY RANGE (id)",
     "DROP TABLE t; CREATE TABLE t (id integer, at date) PARTITION BY RANGE (at)",
     {"different table public.t: partition key"}},
    {"PartitionedTableChanges",
     "CREATE TABLE t (id integer) PARTITION BY RANGE (id);"
     "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10);"
     "CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (20);"
     "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
     "ALTER TABLE t ADD COLUMN name text; CREATE INDEX i ON t (id); ALTER TABLE t ADD CONSTRAINT c "
     "CHECK (id > 0); ALTER TABLE t ADD CONSTRAINT u UNIQUE (id);"
     "CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
     {"unexpected check constraint public.t.c", "unexpected column public.t.name",
      "unexpected index public.i", "unexpected trigger public.t.g",
      "unexpected unique constraint public.t.u"},
     13},
    {"ForeignTable",
     "CREATE EXTENSION file_fdw; CREATE SERVER s FOREIGN DATA WRAPPER file_fdw;"
     "CREATE FOREIGN TABLE f (id integer) SERVER s OPTIONS (filename '/a')",
     "ALTER FOREIGN TABLE f OPTIONS (SET filename '/b')",
     {"different foreign table public.f: server options"}},
    {"ForeignTableColumn",
     "CREATE EXTENSION file_fdw; CREATE SERVER s FOREIGN DATA WRAPPER file_fdw;"
     "CREATE FOREIGN TABLE f (id text) SERVER s OPTIONS (filename '/a')",
     "ALTER FOREIGN TABLE f ALTER id OPTIONS (ADD force_not_null 'true')",
     {"different column public.f.id: server options"}},
};
INSTANTIATE_TEST_SUITE_P(Tables, EachDifference, testing::ValuesIn(kTables), NameOf);

const Case kColumns[] = {
    {"Missing",
     "CREATE TABLE t (id integer, name text); CREATE INDEX i ON t (name)",
     "ALTER TABLE t DROP name",
     {"missing column public.t.name", "missing index public.i"}},
    {"Unexpected",
     kT,
     "ALTER TABLE t ADD \"Of Birth\" date",
     {"unexpected column public.t.\"Of Birth\""}},
    {"OrderIsNone", kT, "DROP TABLE t; CREATE TABLE t (name text, id integer)", {}},
    {"Renamed",
     kT,
     "ALTER TABLE t RENAME name TO label",
     {"unexpected column public.t.label", "missing column public.t.name"}},
    {"Type", kT, "ALTER TABLE t ALTER id TYPE bigint", {"different column public.t.id: type"}},
    {"TypeLength",
     "CREATE TABLE t (name varchar(10))",
     "ALTER TABLE t ALTER name TYPE varchar(20)",
     {"different column public.t.name: type"}},
    {"Default",
     kT,
     "ALTER TABLE t ALTER id SET DEFAULT 1",
     {"different column public.t.id: default"}},
    {"DefaultChanged",
     "CREATE TABLE t (id integer DEFAULT 1)",
     "ALTER TABLE t ALTER id SET DEFAULT 2",
     {"different column public.t.id: default"}},
    {"NotNull",
     kT,
     "ALTER TABLE t ALTER id SET NOT NULL",
     {"different column public.t.id: not null"}},
    {"NotNullNotValid",
     "CREATE TABLE t (id integer NOT NULL)",
     "ALTER TABLE t ALTER id DROP NOT NULL; ALTER TABLE t ADD CONSTRAINT n NOT NULL id NOT VALID",
     {"different column public.t.id: not null"},
     18},
    {"Identity",
     "CREATE TABLE t (id integer GENERATED ALWAYS AS IDENTITY)",
     "ALTER TABLE t ALTER id SET GENERATED BY DEFAULT",
     {"different column public.t.id: identity"}},
    {"IdentityDropped",
     "CREATE TABLE t (id integer GENERATED ALWAYS AS IDENTITY)",
     "ALTER TABLE t ALTER id DROP IDENTITY",
     {"different column public.t.id: identity", "missing sequence public.t_id_seq"}},
    {"Generated",
     "CREATE TABLE t (a integer, b integer GENERATED ALWAYS AS (a + 1) STORED)",
     "ALTER TABLE t DROP b; ALTER TABLE t ADD b integer GENERATED ALWAYS AS (a + 2) STORED",
     {"different column public.t.b: generated"}},
    {"GeneratedNoMore",
     "CREATE TABLE t (a integer, b integer GENERATED ALWAYS AS (a + 1) STORED)",
     "ALTER TABLE t ALTER b DROP EXPRESSION",
     {"different column public.t.b: generated"},
     13},
    {"Collation",
     kT,
     "ALTER TABLE t ALTER name TYPE text COLLATE \"C\"",
     {"different column public.t.name: collation"}},
    {"Storage",
     kT,
     "ALTER TABLE t ALTER name SET STORAGE external",
     {"different column public.t.name: storage"}},
    {"Compression",
     kT,
     "ALTER TABLE t ALTER name SET COMPRESSION pglz",
     {"different column public.t.name: compression"},
     14},
    {"StatisticsTarget",
     kT,
     "ALTER TABLE t ALTER name SET STATISTICS 500",
     {"different column public.t.name: statistics target"}},
    {"Options",
     kT,
     "ALTER TABLE t ALTER name SET (n_distinct = 5)",
     {"different column public.t.name: options"}},
    {"Comment",
     kT,
     "COMMENT ON COLUMN t.name IS 'as it is'",
     {"different column public.t.name: comment"}},
    {"Privileges",
     "CREATE TABLE t (id integer, name text); CREATE ROLE reader",
     "GRANT SELECT (name) ON t TO reader",
     {"different column public.t.name: privileges"}},
    {"InheritedInAChild",
     "CREATE TABLE p (id integer); CREATE TABLE c () INHERITS (p)",
     "ALTER TABLE c ALTER id SET DEFAULT 3",
     {"different column public.c.id: default"}},
};
INSTANTIATE_TEST_SUITE_P(Columns, EachDifference, testing::ValuesIn(kColumns), NameOf);

const Case kConstraints[] = {
    {"CheckMissing",
     "CREATE TABLE t (id integer CONSTRAINT c CHECK (id > 0))",
     "ALTER TABLE t DROP CONSTRAINT c",
     {"missing check constraint public.t.c"}},
    {"CheckDefinition",
     "CREATE TABLE t (id integer CONSTRAINT c CHECK (id > 0))",
     "ALTER TABLE t DROP CONSTRAINT c; ALTER TABLE t ADD CONSTRAINT c CHECK (id > 1)",
     {"different check constraint public.t.c: definition"}},
    {"CheckNotValid",
     "CREATE TABLE t (id integer CONSTRAINT c CHECK (id > 0))",
     "ALTER TABLE t DROP CONSTRAINT c; ALTER TABLE t ADD CONSTRAINT c CHECK (id > 0) NOT VALID",
     {"different check constraint public.t.c: definition"}},
    {"PrimaryKey",
     kT,
     "ALTER TABLE t ADD CONSTRAINT k PRIMARY KEY (id)",
     {"different column public.t.id: not null", "unexpected primary key public.t.k"}},
    {"PrimaryKeyDeferrable",
     "CREATE TABLE t (id integer CONSTRAINT k PRIMARY KEY)",
     "ALTER TABLE t DROP CONSTRAINT k; ALTER TABLE t ADD CONSTRAINT k PRIMARY KEY (id) DEFERRABLE",
     {"different primary key public.t.k: definition"}},
    {"PrimaryKeyFillfactor",
     "CREATE TABLE t (id integer CONSTRAINT k PRIMARY KEY)",
     "ALTER INDEX k SET (fillfactor = 50)",
     {"different primary key public.t.k: index"}},
    {"PrimaryKeyClustered",
     "CREATE TABLE t (id integer CONSTRAINT k PRIMARY KEY)",
     "ALTER TABLE t CLUSTER ON k",
     {"different primary key public.t.k: clustered"}},
    {"Unique",
     "CREATE TABLE t (a integer, b integer, CONSTRAINT u UNIQUE (a))",
     "ALTER TABLE t DROP CONSTRAINT u; ALTER TABLE t ADD CONSTRAINT u UNIQUE (a, b)",
     {"different unique constraint public.t.u: definition, index"}},
    {"UniqueNullsNotDistinct",
     "CREATE TABLE t (a integer, CONSTRAINT u UNIQUE (a))",
     "ALTER TABLE t DROP CONSTRAINT u; ALTER TABLE t ADD CONSTRAINT u UNIQUE NULLS NOT DISTINCT "
     "(a)",
     {"different unique constraint public.t.u: definition, index"},
     15},
    {"ForeignKey",
     "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE t (p integer CONSTRAINT f REFERENCES "
     "p)",
     "ALTER TABLE t DROP CONSTRAINT f; ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (p) REFERENCES p "
     "ON DELETE CASCADE",
     {"different foreign key public.t.f: definition"}},
    {"ForeignKeyInitiallyDeferred",
     "CREATE TABLE p (id integer PRIMARY KEY);"
     "CREATE TABLE t (p integer CONSTRAINT f REFERENCES p DEFERRABLE)",
     "ALTER TABLE t ALTER CONSTRAINT f DEFERRABLE INITIALLY DEFERRED",
     {"different foreign key public.t.f: definition"}},
    {"ForeignKeyMissing",
     "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE t (p integer CONSTRAINT f REFERENCES "
     "p)",
     "ALTER TABLE t DROP CONSTRAINT f",
     {"missing foreign key public.t.f"}},
    {"Exclusion",
     "CREATE TABLE t (r int4range, CONSTRAINT x EXCLUDE USING gist (r WITH &&))",
     "ALTER TABLE t DROP CONSTRAINT x; ALTER TABLE t ADD CONSTRAINT x EXCLUDE USING gist (r WITH "
     "=)",
     {"different exclusion constraint public.t.x: definition"}},
    {"Comment",
     "CREATE TABLE t (id integer CONSTRAINT c CHECK (id > 0))",
     "COMMENT ON CONSTRAINT c ON t IS 'of course'",
     {"different check constraint public.t.c: comment"}},
    {"NoInherit",
     "CREATE TABLE t (id integer CONSTRAINT c CHECK (id > 0))",
     "ALTER TABLE t DROP CONSTRAINT c; ALTER TABLE t ADD CONSTRAINT c CHECK (id > 0) NO INHERIT",
     {"different check constraint public.t.c: definition"}},
    {"OfADomain",
     "CREATE DOMAIN d AS integer CONSTRAINT c CHECK (VALUE > 0)",
     "ALTER DOMAIN d DROP CONSTRAINT c",
     {"missing check constraint public.d.c"}},
};
INSTANTIATE_TEST_SUITE_P(Constraints, EachDifference, testing::ValuesIn(kConstraints), NameOf);

const Case kIndexes[] = {
    {"Missing",
     "CREATE TABLE t (id integer); CREATE INDEX \"I\" ON t (id)",
     "DROP INDEX \"I\"",
     {"missing index public.\"I\""}},
    {"Definition",
     "CREATE TABLE t (id integer); CREATE INDEX i ON t (id)",
     "DROP INDEX i; CREATE INDEX i ON t (id DESC)",
     {"different index public.i: definition"}},
    {"Unique",
     "CREATE TABLE t (id integer); CREATE INDEX i ON t (id)",
     "DROP INDEX i; CREATE UNIQUE INDEX i ON t (id)",
     {"different index public.i: definition"}},
    {"Invalid",
     "CREATE TABLE t (id integer); CREATE INDEX i ON t (id)",
     "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i'::regclass",
     {"different index public.i: valid"}},
    {"NotReady",
     "CREATE TABLE t (id integer); CREATE INDEX i ON t (id)",
     "UPDATE pg_index SET indisready = false WHERE indexrelid = 'i'::regclass",
     {"different index public.i: ready"}},
    {"Clustered",
     "CREATE TABLE t (id integer); CREATE INDEX i ON t (id)",
     "ALTER TABLE t CLUSTER ON i",
     {"different index public.i: clustered"}},
    {"StatisticsTargets",
     "CREATE TABLE t (id integer); CREATE INDEX i ON t ((id + 1))",
     "ALTER INDEX i ALTER 1 SET STATISTICS 400",
     {"different index public.i: statistics targets"}},
    {"Comment",
     "CREATE TABLE t (id integer); CREATE INDEX i ON t (id)",
     "COMMENT ON INDEX i IS 'fast'",
     {"different index public.i: comment"}},
    {"PartitionOf",
     "CREATE TABLE t (id integer) PARTITION BY RANGE (id);"
     "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10);"
     "CREATE INDEX i ON ONLY t (id); CREATE INDEX i1 ON t1 (id)",
     "ALTER INDEX i ATTACH PARTITION i1",
     {"different index public.i: valid", "different index public.i1: partition of"}},
};
INSTANTIATE_TEST_SUITE_P(Indexes, EachDifference, testing::ValuesIn(kIndexes), NameOf);

const Case kTableParts[] = {
    {"SequenceMissing", "CREATE SEQUENCE s", "DROP SEQUENCE s", {"missing sequence public.s"}},
    {"SequenceType",
     "CREATE SEQUENCE s AS integer MAXVALUE 100",
     "ALTER SEQUENCE s AS smallint",
     {"different sequence public.s: type"}},
    {"SequenceStart",
     "CREATE SEQUENCE s",
     "ALTER SEQUENCE s START 5",
     {"different sequence public.s: start"}},
    {"SequenceIncrement",
     "CREATE SEQUENCE s",
     "ALTER SEQUENCE s INCREMENT 2",
     {"different sequence public.s: increment"}},
    {"SequenceMinimum",
     "CREATE SEQUENCE s",
     "ALTER SEQUENCE s MINVALUE -5",
     {"different sequence public.s: minimum"}},
    {"SequenceMaximum",
     "CREATE SEQUENCE s",
     "ALTER SEQUENCE s MAXVALUE 99",
     {"different sequence public.s: maximum"}},
    {"SequenceCache",
     "CREATE SEQUENCE s",
     "ALTER SEQUENCE s CACHE 10",
     {"different sequence public.s: cache"}},
    {"SequenceCycle",
     "CREATE SEQUENCE s",
     "ALTER SEQUENCE s CYCLE",
     {"different sequence public.s: cycle"}},
    {"SequenceOwner",
     "CREATE SEQUENCE s; CREATE TABLE t (id integer)",
     "ALTER SEQUENCE s OWNED BY t.id",
     {"different sequence public.s: owned by"}},
    {"SequencePersistence",
     "CREATE SEQUENCE s",
     "ALTER SEQUENCE s SET UNLOGGED",
     {"different sequence public.s: persistence"},
     15},
    {"SequencePrivileges",
     "CREATE SEQUENCE s; CREATE ROLE reader",
     "GRANT USAGE ON SEQUENCE s TO reader",
     {"different sequence public.s: privileges"}},
    {"SequenceComment",
     "CREATE SEQUENCE s",
     "COMMENT ON SEQUENCE s IS 'counts'",
     {"different sequence public.s: comment"}},
    {"SequenceValueIsNone", "CREATE SEQUENCE s", "SELECT setval('s', 44)", {}},
    {"ViewMissing", "CREATE VIEW v AS SELECT 1 AS one", "DROP VIEW v", {"missing view public.v"}},
    {"ViewDefinition",
     "CREATE VIEW v AS SELECT 1 AS one",
     "CREATE OR REPLACE VIEW v AS SELECT 2 AS one",
     {"different view public.v: definition"}},
    {"ViewOptions",
     "CREATE VIEW v AS SELECT 1 AS one",
     "ALTER VIEW v SET (security_barrier = true)",
     {"different view public.v: options"}},
    {"ViewColumnDefault",
     "CREATE TABLE t (id integer); CREATE VIEW v AS SELECT id FROM t",
     "ALTER VIEW v ALTER id SET DEFAULT 3",
     {"different view public.v: columns"}},
    {"ViewComment",
     "CREATE VIEW v AS SELECT 1 AS one",
     "COMMENT ON VIEW v IS 'one'",
     {"different view public.v: comment"}},
    {"ViewColumnComment",
     "CREATE VIEW v AS SELECT 1 AS one",
     "COMMENT ON COLUMN v.one IS 'one'",
     {"different view public.v: column comments"}},
    {"ViewPrivileges",
     "CREATE VIEW v AS SELECT 1 AS one; CREATE ROLE reader",
     "GRANT SELECT ON v TO reader",
     {"different view public.v: privileges"}},
    {"ViewColumnPrivileges",
     "CREATE VIEW v AS SELECT 1 AS one; CREATE ROLE reader",
     "GRANT SELECT (one) ON v TO reader",
     {"different view public.v: column privileges"}},
    {"MaterializedViewDefinition",
     "CREATE MATERIALIZED VIEW v AS SELECT 1 AS one",
     "DROP MATERIALIZED VIEW v; CREATE MATERIALIZED VIEW v AS SELECT 2 AS one",
     {"different materialized view public.v: definition"}},
    {"MaterializedViewPopulated",
     "CREATE MATERIALIZED VIEW v AS SELECT 1 AS one",
     "REFRESH MATERIALIZED VIEW v WITH NO DATA",
     {"different materialized view public.v: populated"}},
    {"MaterializedViewIndex",
     "CREATE MATERIALIZED VIEW v AS SELECT 1 AS one",
     "CREATE INDEX i ON v (one)",
     {"unexpected index public.i"}},
    {"RuleMissing",
     "CREATE TABLE t (id integer); CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING",
     "DROP RULE r ON t",
     {"missing rule public.t.r"}},
    {"RuleDefinition",
     "CREATE TABLE t (id integer); CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING",
     "CREATE OR REPLACE RULE r AS ON DELETE TO t DO ALSO NOTHING",
     {"different rule public.t.r: definition"}},
    {"RuleDisabled",
     "CREATE TABLE t (id integer); CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING",
     "ALTER TABLE t DISABLE RULE r",
     {"different rule public.t.r: enabled"}},
    {"RuleComment",
     "CREATE TABLE t (id integer); CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING",
     "COMMENT ON RULE r ON t IS 'never'",
     {"different rule public.t.r: comment"}},
    {"TriggerMissing",
     "CREATE TABLE t (id integer);"
     "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
     "CREATE TRIGGER g AFTER INSERT ON t EXECUTE FUNCTION f()",
     "DROP TRIGGER g ON t",
     {"missing trigger public.t.g"}},
    {"TriggerDefinition",
     "CREATE TABLE t (id integer);"
     "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
     "CREATE TRIGGER g AFTER INSERT ON t EXECUTE FUNCTION f()",
     "DROP TRIGGER g ON t; CREATE TRIGGER g AFTER UPDATE ON t EXECUTE FUNCTION f()",
     {"different trigger public.t.g: definition"}},
    {"TriggerDisabled",
     "CREATE TABLE t (id integer);"
     "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
     "CREATE TRIGGER g AFTER INSERT ON t EXECUTE FUNCTION f()",
     "ALTER TABLE t DISABLE TRIGGER g",
     {"different trigger public.t.g: enabled"}},
    {"TriggerComment",
     "CREATE TABLE t (id integer);"
     "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
     "CREATE TRIGGER g AFTER INSERT ON t EXECUTE FUNCTION f()",
     "COMMENT ON TRIGGER g ON t IS 'fires'",
     {"different trigger public.t.g: comment"}},
    {"ConstraintTrigger",
     "CREATE TABLE t (id integer);"
     "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';",
     "CREATE CONSTRAINT TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
     {"unexpected trigger public.t.g"}},
    {"PolicyMissing",
     "CREATE TABLE t (id integer); CREATE POLICY p ON t USING (id > 0)",
     "DROP POLICY p ON t",
     {"missing policy public.t.p"}},
    {"PolicyUsing",
     "CREATE TABLE t (id integer); CREATE POLICY p ON t USING (id > 0)",
     "ALTER POLICY p ON t USING (id > 1)",
     {"different policy public.t.p: using"}},
    {"PolicyWithCheck",
     "CREATE TABLE t (id integer); CREATE POLICY p ON t USING (id > 0)",
     "ALTER POLICY p ON t WITH CHECK (id > 1)",
     {"different policy public.t.p: with check"}},
    {"PolicyRoles",
     "CREATE TABLE t (id integer); CREATE POLICY p ON t USING (id > 0)",
     "ALTER POLICY p ON t TO current_user",
     {"different policy public.t.p: roles"}},
    {"PolicyCommand",
     "CREATE TABLE t (id integer); CREATE POLICY p ON t USING (id > 0)",
     "DROP POLICY p ON t; CREATE POLICY p ON t FOR DELETE USING (id > 0)",
     {"different policy public.t.p: command"}},
    {"PolicyMode",
     "CREATE TABLE t (id integer); CREATE POLICY p ON t USING (id > 0)",
     "DROP POLICY p ON t; CREATE POLICY p ON t AS RESTRICTIVE USING (id > 0)",
     {"different policy public.t.p: mode"}},
    {"PolicyComment",
     "CREATE TABLE t (id integer); CREATE POLICY p ON t USING (id > 0)",
     "COMMENT ON POLICY p ON t IS 'law'",
     {"different policy public.t.p: comment"}},
    {"StatisticsMissing",
     "CREATE TABLE t (a integer, b integer); CREATE STATISTICS s ON a, b FROM t",
     "DROP STATISTICS s",
     {"missing statistics public.s"}},
    {"StatisticsDefinition",
     "CREATE TABLE t (a integer, b integer); CREATE STATISTICS s ON a, b FROM t",
     "DROP STATISTICS s; CREATE STATISTICS s (ndistinct) ON a, b FROM t",
     {"different statistics public.s: definition"}},
    {"StatisticsTarget",
     "CREATE TABLE t (a integer, b integer); CREATE STATISTICS s ON a, b FROM t",
     "ALTER STATISTICS s SET STATISTICS 400",
     {"different statistics public.s: statistics target"},
     13},
    {"StatisticsComment",
     "CREATE TABLE t (a integer, b integer); CREATE STATISTICS s ON a, b FROM t",
     "COMMENT ON STATISTICS s IS 'both'",
     {"different statistics public.s: comment"}},
};
INSTANTIATE_TEST_SUITE_P(TableParts, EachDifference, testing::ValuesIn(kTableParts), NameOf);

constexpr char kF[] =
    "CREATE FUNCTION f(a integer) RETURNS SETOF integer LANGUAGE sql AS 'SELECT 1';";
constexpr char kAggregate[] = "CREATE AGGREGATE g(integer) (SFUNC = int4pl, STYPE = integer);";

const Case kRoutines[] = {
    {"FunctionMissing", kF, "DROP FUNCTION f", {"missing function public.f(integer)"}},
    {"FunctionOverloaded",
     kF,
     "CREATE FUNCTION f(text) RETURNS integer LANGUAGE sql AS 'SELECT 1'",
     {"unexpected function public.f(text)"}},
    {"FunctionBody",
     kF,
     "CREATE OR REPLACE FUNCTION f(a integer) RETURNS SETOF integer LANGUAGE sql AS 'SELECT 2'",
     {"different function public.f(integer): body"}},
    {"FunctionAtomicBody",
     "CREATE FUNCTION f() RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT 1; END",
     "CREATE OR REPLACE FUNCTION f() RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT 2; END",
     {"different function public.f(): body"},
     14},
    {"FunctionArguments",
     kF,
     "DROP FUNCTION f; CREATE FUNCTION f(b integer) RETURNS SETOF integer LANGUAGE sql AS 'SELECT "
     "1'",
     {"different function public.f(integer): arguments"}},
    {"FunctionArgumentDefault",
     kF,
     "CREATE OR REPLACE FUNCTION f(a integer = 3) RETURNS SETOF integer LANGUAGE sql AS 'SELECT 1'",
     {"different function public.f(integer): arguments"}},
    {"FunctionResult",
     kF,
     "DROP FUNCTION f; CREATE FUNCTION f(a integer) RETURNS SETOF bigint LANGUAGE sql AS 'SELECT "
     "1'",
     {"different function public.f(integer): result"}},
    {"FunctionLanguage",
     kF,
     "CREATE OR REPLACE FUNCTION f(a integer) RETURNS SETOF integer LANGUAGE plpgsql AS "
     "'BEGIN END'",
     {"different function public.f(integer): body, language"}},
    {"FunctionVolatility",
     kF,
     "ALTER FUNCTION f STABLE",
     {"different function public.f(integer): volatility"}},
    {"FunctionStrict",
     kF,
     "ALTER FUNCTION f STRICT",
     {"different function public.f(integer): strict"}},
    {"FunctionSecurity",
     kF,
     "ALTER FUNCTION f SECURITY DEFINER",
     {"different function public.f(integer): security"}},
    {"FunctionLeakproof",
     kF,
     "ALTER FUNCTION f LEAKPROOF",
     {"different function public.f(integer): leakproof"}},
    {"FunctionParallel",
     kF,
     "ALTER FUNCTION f PARALLEL SAFE",
     {"different function public.f(integer): parallel"}},
    {"FunctionCost", kF, "ALTER FUNCTION f COST 7", {"different function public.f(integer): cost"}},
    {"FunctionRows", kF, "ALTER FUNCTION f ROWS 7", {"different function public.f(integer): rows"}},
    {"FunctionSettings",
     kF,
     "ALTER FUNCTION f SET search_path = public",
     {"different function public.f(integer): settings"}},
    {"FunctionSupport",
     kF,
     "ALTER FUNCTION f SUPPORT generate_series_int4_support",
     {"different function public.f(integer): support"}},
    {"FunctionPrivileges",
     kF,
     "REVOKE EXECUTE ON FUNCTION f FROM PUBLIC",
     {"different function public.f(integer): privileges"}},
    {"FunctionComment",
     kF,
     "COMMENT ON FUNCTION f IS 'one'",
     {"different function public.f(integer): comment"}},
    {"ProcedureMissing",
     "CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1'",
     "DROP PROCEDURE p",
     {"missing procedure public.p()"}},
    {"ProcedureBody",
     "CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1'",
     "CREATE OR REPLACE PROCEDURE p() LANGUAGE sql AS 'SELECT 2'",
     {"different procedure public.p(): body"}},
    {"AggregateMissing",
     kAggregate,
     "DROP AGGREGATE g(integer)",
     {"missing aggregate public.g(integer)"}},
    {"AggregateInitialValue",
     kAggregate,
     "CREATE OR REPLACE AGGREGATE g(integer) (SFUNC = int4pl, STYPE = integer, INITCOND = '3')",
     {"different aggregate public.g(integer): initial value"}},
    {"AggregateFunctions",
     kAggregate,
     "CREATE OR REPLACE AGGREGATE g(integer) (SFUNC = int4mul, STYPE = integer, COMBINEFUNC = "
     "int4mul,"
     "PARALLEL = SAFE, SORTOP = <)",
     {"different aggregate public.g(integer): combine function, parallel, sort operator, "
      "transition "
      "function"}},
    {"AggregateComment",
     kAggregate,
     "COMMENT ON AGGREGATE g(integer) IS 'sum'",
     {"different aggregate public.g(integer): comment"}},
    {"OperatorMissing",
     "CREATE OPERATOR ## (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4pl)",
     "DROP OPERATOR ## (integer, integer)",
     {"missing operator public.##(integer,integer)"}},
    {"OperatorFunction",
     "CREATE OPERATOR ## (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4pl)",
     "DROP OPERATOR ## (integer, integer);"
     "CREATE OPERATOR ## (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4mi)",
     {"different operator public.##(integer,integer): function"}},
    {"OperatorEstimators",
     "CREATE OPERATOR ## (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4eq)",
     "ALTER OPERATOR ## (integer, integer) SET (RESTRICT = eqsel, JOIN = eqjoinsel)",
     {"different operator public.##(integer,integer): join estimator, restriction estimator"}},
    {"OperatorComment",
     "CREATE OPERATOR ## (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4pl)",
     "COMMENT ON OPERATOR ## (integer, integer) IS 'adds'",
     {"different operator public.##(integer,integer): comment"}},
    {"OperatorFamily",
     "CREATE OPERATOR FAMILY y USING btree",
     "ALTER OPERATOR FAMILY y USING btree ADD OPERATOR 1 < (integer, integer),"
     "FUNCTION 1 (integer, integer) btint4cmp(integer, integer)",
     {"different operator family public.y using btree: functions, operators"}},
    {"OperatorClass",
     "CREATE OPERATOR FAMILY y USING btree",
     "CREATE OPERATOR CLASS k FOR TYPE integer USING btree FAMILY y AS OPERATOR 1 <,"
     "FUNCTION 1 btint4cmp(integer, integer)",
     {"unexpected operator class public.k using btree",
      "different operator family public.y using btree: functions, operators"}},
    {"Cast",
     "CREATE TYPE k AS (a integer); CREATE FUNCTION c(k) RETURNS integer LANGUAGE sql AS 'SELECT "
     "1'",
     "CREATE CAST (k AS integer) WITH FUNCTION c(k)",
     {"unexpected cast public.k as integer"}},
    {"CastContext",
     "CREATE TYPE k AS (a integer); CREATE FUNCTION c(k) RETURNS integer LANGUAGE sql AS 'SELECT "
     "1';"
     "CREATE CAST (k AS integer) WITH FUNCTION c(k)",
     "DROP CAST (k AS integer); CREATE CAST (k AS integer) WITH FUNCTION c(k) AS ASSIGNMENT",
     {"different cast public.k as integer: context"}},
};
INSTANTIATE_TEST_SUITE_P(Routines, EachDifference, testing::ValuesIn(kRoutines), NameOf);

const Case kTypes[] = {
    {"EnumMissing", "CREATE TYPE e AS ENUM ('a', 'b')", "DROP TYPE e", {"missing type public.e"}},
    {"EnumLabels",
     "CREATE TYPE e AS ENUM ('a', 'b')",
     "ALTER TYPE e ADD VALUE 'c' BEFORE 'b'",
     {"different type public.e: labels"}},
    {"EnumOrder",
     "CREATE TYPE e AS ENUM ('a', 'b')",
     "DROP TYPE e; CREATE TYPE e AS ENUM ('b', 'a')",
     {"different type public.e: labels"}},
    {"CompositeAttributes",
     "CREATE TYPE c AS (a integer)",
     "ALTER TYPE c ADD ATTRIBUTE b text",
     {"different type public.c: attributes"}},
    {"CompositeAttributeComment",
     "CREATE TYPE c AS (a integer)",
     "COMMENT ON COLUMN c.a IS 'a'",
     {"different type public.c: attribute comments"}},
    {"RangeSubtype",
     "CREATE TYPE r AS RANGE (SUBTYPE = integer)",
     "DROP TYPE r; CREATE TYPE r AS RANGE (SUBTYPE = bigint)",
     {"different type public.r: operator class, subtype"}},
    {"RangeDifference",
     "CREATE TYPE r AS RANGE (SUBTYPE = float8)",
     "DROP TYPE r; CREATE TYPE r AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = float8mi)",
     {"different type public.r: difference"}},
    {"RangeMissing",
     "CREATE TYPE r AS RANGE (SUBTYPE = integer)",
     "DROP TYPE r",
     {"missing type public.r"}},
    {"TypeVariant",
     "CREATE TYPE e AS ENUM ('a')",
     "DROP TYPE e; CREATE TYPE e AS (a integer)",
     {"different type public.e: attributes, labels, variant"}},
    {"Shell", "", "CREATE TYPE s", {"unexpected type public.s"}},
    {"TypePrivileges",
     "CREATE TYPE e AS ENUM ('a', 'b')",
     "REVOKE USAGE ON TYPE e FROM PUBLIC",
     {"different type public.e: privileges"}},
    {"TypeComment",
     "CREATE TYPE e AS ENUM ('a', 'b')",
     "COMMENT ON TYPE e IS 'letters'",
     {"different type public.e: comment"}},
    {"DomainMissing",
     "CREATE DOMAIN d AS text CHECK (VALUE <> '')",
     "DROP DOMAIN d",
     {"missing domain public.d"}},
    {"DomainType",
     "CREATE DOMAIN d AS varchar(5)",
     "DROP DOMAIN d; CREATE DOMAIN d AS varchar(6)",
     {"different domain public.d: type"}},
    {"DomainDefault",
     "CREATE DOMAIN d AS text",
     "ALTER DOMAIN d SET DEFAULT 'x'",
     {"different domain public.d: default"}},
    {"DomainNotNull",
     "CREATE DOMAIN d AS text",
     "ALTER DOMAIN d SET NOT NULL",
     {"different domain public.d: not null"}},
    {"DomainCollation",
     "CREATE DOMAIN d AS text",
     "DROP DOMAIN d; CREATE DOMAIN d AS text COLLATE \"C\"",
     {"different domain public.d: collation"}},
    {"DomainPrivileges",
     "CREATE DOMAIN d AS text",
     "REVOKE USAGE ON DOMAIN d FROM PUBLIC",
     {"different domain public.d: privileges"}},
    {"DomainComment",
     "CREATE DOMAIN d AS text",
     "COMMENT ON DOMAIN d IS 'd'",
     {"different domain public.d: comment"}},
    {"CollationMissing",
     "CREATE COLLATION c (LOCALE = 'C')",
     "DROP COLLATION c",
     {"missing collation public.c"}},
    {"CollationLocale",
     "CREATE COLLATION c (LOCALE = 'C')",
     "DROP COLLATION c; CREATE COLLATION c (LOCALE = 'POSIX')",
     {"different collation public.c: lc_collate, lc_ctype"}},
    {"Conversion",
     "",
     "CREATE CONVERSION v FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8",
     {"unexpected conversion public.v"}},
    {"ConversionDefault",
     "CREATE CONVERSION v FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8",
     "DROP CONVERSION v; CREATE DEFAULT CONVERSION v FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8",
     {"different conversion public.v: default"}},
};
INSTANTIATE_TEST_SUITE_P(Types, EachDifference, testing::ValuesIn(kTypes), NameOf);

const Case kOthers[] = {
    {"SchemaMissing", "CREATE SCHEMA s", "DROP SCHEMA s", {"missing schema s"}},
    {"SchemaUnexpected", "", "CREATE SCHEMA \"S\"", {"unexpected schema \"S\""}},
    {"SchemaPrivileges",
     "CREATE SCHEMA s",
     "GRANT USAGE ON SCHEMA s TO PUBLIC",
     {"different schema s: privileges"}},
    {"SchemaComment",
     "CREATE SCHEMA s",
     "COMMENT ON SCHEMA s IS 's'",
     {"different schema s: comment"}},
    {"ExtensionMissing",
     "CREATE EXTENSION citext",
     "DROP EXTENSION citext",
     {"missing extension citext"}},
    {"ExtensionVersion",
     "CREATE EXTENSION citext VERSION '1.4'",
     "ALTER EXTENSION citext UPDATE TO '1.5'",
     {"different extension citext: version"}},
    {"ExtensionSchema",
     "CREATE SCHEMA s; CREATE EXTENSION citext",
     "ALTER EXTENSION citext SET SCHEMA s",
     {"different extension citext: schema"}},
    {"ExtensionComment",
     "CREATE EXTENSION citext",
     "COMMENT ON EXTENSION citext IS 'mine'",
     {"different extension citext: comment"}},
    {"DefaultPrivileges",
     "CREATE SCHEMA s",
     "ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO PUBLIC",
     {"unexpected default privileges current user in s on tables"}},
    {"DefaultPrivilegesEverywhere",
     "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
     "ALTER DEFAULT PRIVILEGES GRANT UPDATE ON TABLES TO PUBLIC",
     {"different default privileges current user on tables: privileges"}},
    {"EventTrigger",
     "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
     "CREATE EVENT TRIGGER e ON sql_drop EXECUTE FUNCTION f()",
     "ALTER EVENT TRIGGER e DISABLE",
     {"different event trigger e: enabled"}},
    {"EventTriggerEvent",
     "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
     "CREATE EVENT TRIGGER e ON sql_drop EXECUTE FUNCTION f()",
     "DROP EVENT TRIGGER e; CREATE EVENT TRIGGER e ON ddl_command_end WHEN tag IN ('CREATE TABLE')"
     "EXECUTE FUNCTION f()",
     {"different event trigger e: event, tags"}},
    {"TextSearchConfiguration",
     "CREATE TEXT SEARCH CONFIGURATION c (COPY = simple)",
     "ALTER TEXT SEARCH CONFIGURATION c ALTER MAPPING FOR asciiword WITH english_stem",
     {"different text search configuration public.c: mappings"}},
    {"TextSearchDictionary",
     "CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = simple)",
     "ALTER TEXT SEARCH DICTIONARY d (accept = false)",
     {"different text search dictionary public.d: options"}},
    {"TextSearchMissing",
     "CREATE TEXT SEARCH CONFIGURATION c (COPY = simple)",
     "DROP TEXT SEARCH CONFIGURATION c",
     {"missing text search configuration public.c"}},
    {"ForeignDataWrapper",
     "CREATE FOREIGN DATA WRAPPER w",
     "ALTER FOREIGN DATA WRAPPER w OPTIONS (a 'b')",
     {"different foreign data wrapper w: options"}},
    {"Server",
     "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w",
     "ALTER SERVER s VERSION '2' OPTIONS (host 'h')",
     {"different server s: options, version"}},
    {"UserMapping",
     "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w",
     "CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (password 'p')",
     {"unexpected user mapping public on s"}},
    {"PublicationMissing", "CREATE PUBLICATION p", "DROP PUBLICATION p", {"missing publication p"}},
    {"PublicationTables",
     "CREATE TABLE t (id integer); CREATE PUBLICATION p",
     "ALTER PUBLICATION p ADD TABLE t",
     {"different publication p: tables"}},
    {"PublicationRowsAndColumns",
     "CREATE TABLE t (id integer PRIMARY KEY, a text); CREATE PUBLICATION p FOR TABLE t",
     "ALTER PUBLICATION p SET TABLE t (id) WHERE (id > 4)",
     {"different publication p: tables"},
     15},
    {"PublicationSchemas",
     "CREATE SCHEMA s; CREATE PUBLICATION p",
     "ALTER PUBLICATION p ADD TABLES IN SCHEMA s",
     {"different publication p: schemas"},
     15},
    {"PublicationOperations",
     "CREATE PUBLICATION p",
     "ALTER PUBLICATION p SET (publish = 'insert')",
     {"different publication p: operations"}},
    {"PublicationRoot",
     "CREATE PUBLICATION p",
     "ALTER PUBLICATION p SET (publish_via_partition_root = true)",
     {"different publication p: as the root"},
     13},
    {"AccessMethod",
     "",
     "CREATE ACCESS METHOD m TYPE INDEX HANDLER bthandler",
     {"unexpected access method m"}},
    {"Language", "", "CREATE LANGUAGE l HANDLER plpgsql_call_handler", {"unexpected language l"}},
};
INSTANTIATE_TEST_SUITE_P(Others, EachDifference, testing::ValuesIn(kOthers), NameOf);

TEST(ReadSchema, LeavesOutWhatIsNotTheUsers) {
  Sandbox sandbox;
  const Schema before = sandbox.Read();
  sandbox.Run(
      "CREATE TABLE alembic_version (version_num varchar(32) CONSTRAINT alembic_version_pkc "
      "PRIMARY "
      "KEY); CREATE SCHEMA migration_service; CREATE TABLE migration_service.operation (id "
      "integer);"
      "CREATE TEMP TABLE mine (id integer)");
  EXPECT_THAT(Lines(before, sandbox.Read()), IsEmpty());
  sandbox.Run("CREATE SCHEMA other; CREATE TABLE other.alembic_version (id integer)");
  EXPECT_THAT(Lines(before, sandbox.Read()),
              ElementsAre("unexpected schema other", "unexpected table other.alembic_version"));
}

TEST(ReadSchema, TellsTheDefinitions) {
  Sandbox sandbox;
  sandbox.Run(
      "CREATE TABLE \"Users\" (id bigint GENERATED ALWAYS AS IDENTITY, name varchar(40) NOT NULL "
      "DEFAULT 'x')");
  const Schema schema = sandbox.Read();
  EXPECT_EQ(schema.at({"table", "public.\"Users\""}).definition,
            "CREATE TABLE public.\"Users\" (\n"
            "  id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,\n"
            "  name character varying(40) NOT NULL DEFAULT 'x'::character varying\n)");
  EXPECT_EQ(schema.at({"column", "public.\"Users\".name"}).definition,
            "name character varying(40) NOT NULL DEFAULT 'x'::character varying");
}

}  // namespace
}  // namespace migd
