// Each rule of lint by example: what it finds, and what it lets be.
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/lint/lint_support.h"
#include "tests/support/process.h"

namespace migd {
namespace {

using ::testing::Contains;
using ::testing::Not;

struct Example {
  const char* rule;
  // The up section; "outside:" before it for `transaction:false`.
  const char* sql;
};

constexpr Example kBad[] = {
    {"index-not-concurrent", "CREATE INDEX i ON t (a);"},
    {"index-not-concurrent", "CREATE TABLE u (a int); CREATE UNIQUE INDEX i ON s.t (a);"},
    {"index-not-concurrent", "outside:CREATE INDEX IF NOT EXISTS i ON t (a);"},
    {"drop-index-not-concurrent", "DROP INDEX i;"},
    {"reindex-not-concurrent", "REINDEX TABLE t;"},
    {"reindex-not-concurrent", "outside:REINDEX SCHEMA s;"},
    {"refresh-not-concurrent", "REFRESH MATERIALIZED VIEW m;"},
    {"unnamed-concurrent-index", "outside:CREATE INDEX CONCURRENTLY ON t (a);"},
    {"wide-index", "CREATE INDEX i ON t (a, b, c, d);"},
    {"unique-on-existing-table", "outside:CREATE UNIQUE INDEX CONCURRENTLY i ON t (a);"},

    {"foreign-key-not-valid", "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u (id);"},
    {"foreign-key-not-valid", "ALTER TABLE t ADD a int DEFAULT 1 REFERENCES u (id);"},
    {"check-not-valid", "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0);"},
    {"check-not-valid", "ALTER TABLE t ADD a int CHECK (a > 0);"},
    {"unique-not-using-index", "ALTER TABLE t ADD CONSTRAINT c UNIQUE (a);"},
    {"unique-not-using-index", "ALTER TABLE t ADD a int UNIQUE;"},
    {"primary-key-not-using-index", "ALTER TABLE t ADD PRIMARY KEY (a);"},
    {"exclusion-constraint", "ALTER TABLE t ADD EXCLUDE USING gist (a WITH &&);"},
    {"validate-in-same-transaction",
     "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID;"
     "ALTER TABLE t VALIDATE CONSTRAINT c;"},
    {"validate-in-same-transaction",
     "outside:BEGIN; ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID;"
     "ALTER TABLE t VALIDATE CONSTRAINT c; COMMIT;"},
    {"set-not-null", "ALTER TABLE t ALTER a SET NOT NULL;"},
    {"set-not-null",
     "ALTER TABLE t ADD CONSTRAINT c CHECK (b IS NOT NULL); ALTER TABLE t ALTER a SET NOT NULL;"},
    {"drop-not-null", "ALTER TABLE t ALTER a DROP NOT NULL;"},
    {"domain-constraint", "ALTER DOMAIN d ADD CHECK (value > 0);"},
    {"domain-constraint", "ALTER DOMAIN d SET NOT NULL;"},
    {"domain-with-constraint", "CREATE DOMAIN d AS int CHECK (value > 0);"},

    {"volatile-default", "ALTER TABLE t ADD a uuid DEFAULT gen_random_uuid();"},
    {"volatile-default", "ALTER TABLE t ADD a int DEFAULT 1 + (random() * 9)::int;"},
    {"unknown-default", "ALTER TABLE t ADD a int DEFAULT next_number();"},
    {"generated-stored", "ALTER TABLE t ADD b int GENERATED ALWAYS AS (a * 2) STORED;"},
    {"identity-on-existing-table", "ALTER TABLE t ADD id bigint GENERATED ALWAYS AS IDENTITY;"},
    {"identity-on-existing-table", "ALTER TABLE t ADD id bigserial;"},
    {"required-column", "ALTER TABLE t ADD a int NOT NULL;"},
    {"type-change", "ALTER TABLE t ALTER a TYPE bigint;"},
    {"type-change", "ALTER TABLE t ALTER a TYPE text USING a::text;"},
    {"type-change-may-rewrite", "ALTER TABLE t ALTER a TYPE text;"},
    {"narrowing-type", "ALTER TABLE t ALTER a TYPE smallint;"},
    {"narrowing-type", "ALTER TABLE t ALTER a TYPE varchar(10);"},

    {"char-type", "CREATE TABLE t (a char(3));"},
    {"char-type", "ALTER TABLE t ADD a character;"},
    {"varchar-length", "CREATE TABLE t (a varchar(30));"},
    {"timestamp-without-zone", "CREATE TABLE t (a timestamp);"},
    {"timestamp-without-zone", "CREATE TABLE t (a time with time zone);"},
    {"money-type", "CREATE TABLE t (a money);"},
    {"json-type", "ALTER TABLE t ADD a json;"},
    {"serial-type", "CREATE TABLE t (a bigserial);"},
    {"small-key", "CREATE TABLE t (id int PRIMARY KEY);"},
    {"small-key", "CREATE TABLE t (id smallint, PRIMARY KEY (id));"},
    {"small-key", "CREATE TABLE t (id serial PRIMARY KEY);"},
    {"identifier-too-long",
     "CREATE TABLE a123456789b123456789c123456789d123456789e123456789f123456789g123 (a int);"},

    {"small-integer", "CREATE TABLE t (a int);"},
    {"small-integer", "ALTER TABLE t ADD a smallint;"},
    {"unqualified-table", "CREATE TABLE t (a bigint);"},
    {"enum-value-order", "ALTER TYPE e ADD VALUE 'x';"},

    {"rename-table", "ALTER TABLE t RENAME TO u;"},
    {"rename-table", "ALTER VIEW v RENAME TO w;"},
    {"rename-column", "ALTER TABLE t RENAME a TO b;"},
    {"rename-schema", "ALTER SCHEMA s RENAME TO r;"},
    {"rename-enum-value", "ALTER TYPE e RENAME VALUE 'a' TO 'b';"},
    {"rename-object", "ALTER FUNCTION f(int) RENAME TO g;"},
    {"rename-object", "ALTER TYPE e RENAME TO d;"},
    {"set-schema", "ALTER TABLE t SET SCHEMA s;"},

    {"drop-table", "DROP TABLE t;"},
    {"drop-column", "ALTER TABLE t DROP a;"},
    {"drop-schema", "DROP SCHEMA s;"},
    {"drop-database", "outside:DROP DATABASE d;"},
    {"drop-view", "DROP VIEW v;"},
    {"drop-view", "DROP MATERIALIZED VIEW m;"},
    {"drop-object", "DROP FUNCTION f(int);"},
    {"drop-object", "DROP EXTENSION e;"},
    {"drop-constraint", "ALTER TABLE t DROP CONSTRAINT c;"},
    {"cascade", "DROP TABLE t CASCADE;"},
    {"cascade", "ALTER TABLE t DROP a CASCADE;"},
    {"cascade", "TRUNCATE t CASCADE;"},
    {"truncate", "TRUNCATE t;"},

    {"cluster", "CLUSTER t USING i;"},
    {"vacuum-full", "outside:VACUUM (FULL) t;"},
    {"vacuum-full", "outside:VACUUM FULL;"},
    {"set-logged", "ALTER TABLE t SET UNLOGGED;"},
    {"set-tablespace", "ALTER TABLE t SET TABLESPACE s;"},
    {"set-access-method", "ALTER TABLE t SET ACCESS METHOD heap;"},
    {"disable-trigger", "ALTER TABLE t DISABLE TRIGGER ALL;"},
    {"disable-row-security", "ALTER TABLE t DISABLE ROW LEVEL SECURITY;"},
    {"row-security-without-policy", "ALTER TABLE t ENABLE ROW LEVEL SECURITY;"},
    {"attach-partition-not-checked", "ALTER TABLE t ATTACH PARTITION p FOR VALUES IN (1);"},
    {"detach-partition-not-concurrent", "ALTER TABLE t DETACH PARTITION p;"},
    {"create-table-as", "CREATE TABLE t AS SELECT * FROM u;"},
    {"lock-table", "LOCK TABLE t;"},

    {"concurrent-in-transaction", "CREATE INDEX CONCURRENTLY i ON t (a);"},
    {"concurrent-in-transaction", "DROP INDEX CONCURRENTLY i;"},
    {"concurrent-in-transaction", "outside:BEGIN; REINDEX TABLE CONCURRENTLY t; COMMIT;"},
    {"concurrent-in-transaction", "ALTER TABLE t DETACH PARTITION p CONCURRENTLY;"},
    {"not-in-transaction", "VACUUM t;"},
    {"not-in-transaction", "ALTER SYSTEM SET work_mem = '1GB';"},
    {"enum-value-in-transaction", "ALTER TYPE e ADD VALUE 'x'; UPDATE t SET a = 'x' WHERE id = 1;"},
    {"several-tables-locked", "ALTER TABLE t ADD a int; ALTER TABLE u ADD a int;"},
    {"lock-timeout-disabled", "SET lock_timeout = 0; ALTER TABLE t ADD a int;"},
    {"lock-timeout-disabled", "RESET lock_timeout; DROP TABLE t;"},
    {"unfinished-transaction", "outside:BEGIN; ALTER TABLE t ADD a int;"},

    {"duplicate-column", "UPDATE t SET a = 1, b = 2, a = 3 WHERE c;"},
    {"duplicate-column", "CREATE TABLE t (a int, b int, a text);"},
    {"duplicate-column", "CREATE VIEW v (a, a) AS SELECT 1, 2;"},
    {"update-without-where", "UPDATE t SET a = 1;"},
    {"delete-without-where", "DELETE FROM t;"},
    {"delete-without-where", "DELETE FROM t WHERE true;"},
    {"update-without-where", "UPDATE t SET a = 1 WHERE 1 = 1;"},
    {"backfill-with-ddl", "ALTER TABLE t ADD a int; UPDATE t SET a = b;"},
    {"backfill-with-ddl", "ALTER TABLE t ADD a int; DELETE FROM u WHERE a > 7;"},

    {"invalid-waiver", "-- lint:allow drop-table\nDROP TABLE t;"},
    {"unused-waiver", "-- lint:allow drop-table because it is empty\nDROP VIEW v;"},
};

constexpr Example kGood[] = {
    {"index-not-concurrent", "outside:CREATE INDEX CONCURRENTLY i ON t (a);"},
    {"index-not-concurrent", "CREATE TABLE t (a int); CREATE INDEX i ON t (a);"},
    {"index-not-concurrent", "CREATE TABLE IF NOT EXISTS s.t (a int); CREATE INDEX i ON t (a);"},
    {"index-not-concurrent", "CREATE TABLE t AS SELECT 1 AS a; CREATE INDEX i ON t (a);"},
    {"index-not-concurrent", "CREATE INDEX i ON ONLY t (a);"},
    {"drop-index-not-concurrent", "outside:DROP INDEX CONCURRENTLY i;"},
    {"drop-index-not-concurrent", "CREATE TABLE t (a int); CREATE INDEX i ON t (a); DROP INDEX i;"},
    {"reindex-not-concurrent", "outside:REINDEX TABLE CONCURRENTLY t;"},
    {"refresh-not-concurrent", "REFRESH MATERIALIZED VIEW CONCURRENTLY m;"},
    {"refresh-not-concurrent",
     "CREATE MATERIALIZED VIEW m AS SELECT 1 WITH NO DATA; REFRESH MATERIALIZED VIEW m;"},
    {"unnamed-concurrent-index", "outside:CREATE INDEX CONCURRENTLY i ON t (a);"},
    {"wide-index", "CREATE INDEX i ON t (a, b, c) INCLUDE (d);"},
    {"wide-index", "CREATE UNIQUE INDEX i ON t (a, b, c, d);"},
    {"unique-on-existing-table", "CREATE TABLE t (a int); CREATE UNIQUE INDEX i ON t (a);"},

    {"foreign-key-not-valid",
     "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u (id) NOT VALID;"},
    {"foreign-key-not-valid",
     "CREATE TABLE t (a int); ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u (id);"},
    // Null in every row: PostgreSQL checks nothing.
    {"foreign-key-not-valid", "ALTER TABLE t ADD a int REFERENCES u (id);"},
    {"check-not-valid", "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID;"},
    {"check-not-valid", "CREATE TABLE t (a int); ALTER TABLE t ADD CHECK (a > 0);"},
    {"unique-not-using-index", "ALTER TABLE t ADD CONSTRAINT c UNIQUE USING INDEX i;"},
    {"unique-not-using-index", "CREATE TABLE t (a int UNIQUE);"},
    {"primary-key-not-using-index", "ALTER TABLE t ADD CONSTRAINT c PRIMARY KEY USING INDEX i;"},
    {"primary-key-not-using-index",
     "CREATE TABLE t (a bigint); ALTER TABLE t ADD PRIMARY KEY (a);"},
    {"exclusion-constraint", "CREATE TABLE t (a box, EXCLUDE USING gist (a WITH &&));"},
    {"validate-in-same-transaction", "ALTER TABLE t VALIDATE CONSTRAINT c;"},
    {"validate-in-same-transaction",
     "outside:ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID;"
     "ALTER TABLE t VALIDATE CONSTRAINT c;"},
    {"set-not-null",
     "outside:ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL AND a > 0) NOT VALID;"
     "ALTER TABLE t VALIDATE CONSTRAINT c; ALTER TABLE t ALTER a SET NOT NULL;"},
    // The constraint is one of an earlier revision.
    {"set-not-null", "ALTER TABLE t VALIDATE CONSTRAINT c; ALTER TABLE t ALTER a SET NOT NULL;"},
    {"set-not-null", "CREATE TABLE t (a int); ALTER TABLE t ALTER a SET NOT NULL;"},
    {"drop-not-null", "CREATE TABLE t (a int NOT NULL); ALTER TABLE t ALTER a DROP NOT NULL;"},
    {"domain-constraint", "ALTER DOMAIN d ADD CONSTRAINT c CHECK (value > 0) NOT VALID;"},
    {"domain-constraint", "ALTER DOMAIN d DROP NOT NULL;"},
    {"domain-with-constraint", "CREATE DOMAIN d AS int DEFAULT 0;"},

    {"volatile-default", "ALTER TABLE t ADD a timestamptz DEFAULT now();"},
    {"volatile-default", "ALTER TABLE t ADD a int DEFAULT 7;"},
    {"volatile-default", "ALTER TABLE t ALTER a SET DEFAULT gen_random_uuid();"},
    {"volatile-default", "CREATE TABLE t (a uuid DEFAULT gen_random_uuid());"},
    {"unknown-default", "ALTER TABLE t ADD a text DEFAULT lower('X');"},
    {"generated-stored", "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a * 2) STORED);"},
    {"identity-on-existing-table", "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY);"},
    {"required-column", "ALTER TABLE t ADD a int NOT NULL DEFAULT 0;"},
    {"required-column", "ALTER TABLE t ADD a int;"},
    {"required-column", "CREATE TABLE t (a int NOT NULL); ALTER TABLE t ADD b int NOT NULL;"},
    {"type-change", "ALTER TABLE t ALTER a TYPE text;"},
    {"type-change", "CREATE TABLE t (a int); ALTER TABLE t ALTER a TYPE bigint;"},
    {"type-change-may-rewrite", "ALTER TABLE t ALTER a TYPE bigint;"},
    {"narrowing-type", "ALTER TABLE t ALTER a TYPE bigint;"},
    {"narrowing-type", "ALTER TABLE t ALTER a TYPE varchar;"},

    {"char-type", "CREATE TABLE t (a text, b \"char\");"},
    {"varchar-length", "CREATE TABLE t (a varchar);"},
    {"timestamp-without-zone", "CREATE TABLE t (a timestamptz, b time);"},
    {"money-type", "CREATE TABLE t (a numeric);"},
    {"json-type", "CREATE TABLE t (a jsonb);"},
    {"serial-type", "CREATE TABLE t (a bigint GENERATED ALWAYS AS IDENTITY);"},
    {"small-key", "CREATE TABLE t (id bigint PRIMARY KEY, a int);"},
    {"small-key", "CREATE TABLE t (a int, b int, PRIMARY KEY (a, b));"},
    {"identifier-too-long",
     "CREATE TABLE a123456789b123456789c123456789d123456789e123456789f123456789g12 (a int);"},

    {"small-integer", "CREATE TABLE t (a bigint, b text);"},
    {"unqualified-table", "CREATE TABLE app.t (a bigint);"},
    {"unqualified-table", "CREATE TEMP TABLE t (a bigint);"},
    {"enum-value-order", "ALTER TYPE e ADD VALUE 'x' AFTER 'y';"},
    {"enum-value-order", "ALTER TYPE e RENAME VALUE 'x' TO 'y';"},

    {"rename-table", "CREATE TABLE t (a int); ALTER TABLE t RENAME TO u;"},
    {"rename-table", "ALTER INDEX i RENAME TO j;"},
    {"rename-column", "ALTER TABLE t ADD a int; ALTER TABLE t RENAME a TO b;"},
    {"rename-column", "ALTER TABLE t RENAME CONSTRAINT a TO b;"},
    {"rename-schema", "CREATE SCHEMA s; ALTER SCHEMA s RENAME TO r;"},
    {"rename-enum-value", "ALTER TYPE e ADD VALUE 'a';"},
    {"rename-enum-value", "CREATE TYPE e AS ENUM ('a'); ALTER TYPE e RENAME VALUE 'a' TO 'b';"},
    {"rename-object", "CREATE TYPE e AS ENUM ('a'); ALTER TYPE e RENAME TO f;"},
    {"set-schema", "CREATE TABLE t (a int); ALTER TABLE t SET SCHEMA s;"},

    {"drop-table", "CREATE TABLE t (a int); DROP TABLE t;"},
    {"drop-column", "ALTER TABLE t ADD a int; ALTER TABLE t DROP a;"},
    {"drop-schema", "CREATE SCHEMA s; DROP SCHEMA s;"},
    {"drop-database", "outside:CREATE DATABASE d;"},
    {"drop-view", "CREATE VIEW v AS SELECT 1; DROP VIEW v;"},
    {"drop-object", "CREATE TYPE e AS ENUM ('a'); DROP TYPE e;"},
    {"drop-object", "DROP TRIGGER g ON t;"},
    {"drop-constraint", "ALTER TABLE t DROP CONSTRAINT c, ADD CONSTRAINT c CHECK (a > 0);"},
    {"drop-constraint", "CREATE TABLE t (a int); ALTER TABLE t DROP CONSTRAINT c;"},
    {"drop-constraint",
     "outside:ALTER TABLE t VALIDATE CONSTRAINT c; ALTER TABLE t ALTER a SET NOT NULL;"
     "ALTER TABLE t DROP CONSTRAINT c;"},
    {"cascade", "DROP TABLE t;"},
    {"cascade", "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u ON DELETE CASCADE NOT VALID;"},
    {"truncate", "CREATE TABLE t (a int); TRUNCATE t;"},

    {"cluster", "ALTER TABLE t CLUSTER ON i;"},
    {"vacuum-full", "outside:VACUUM (ANALYZE) t;"},
    {"vacuum-full", "outside:VACUUM (FULL false) t;"},
    {"set-logged", "CREATE UNLOGGED TABLE t (a int); ALTER TABLE t SET LOGGED;"},
    {"set-tablespace", "CREATE TABLE t (a int) TABLESPACE s;"},
    {"set-access-method", "CREATE TABLE t (a int) USING heap;"},
    {"disable-trigger", "ALTER TABLE t ENABLE TRIGGER g;"},
    {"disable-row-security", "ALTER TABLE t ENABLE ROW LEVEL SECURITY;"},
    {"row-security-without-policy",
     "CREATE POLICY p ON t USING (true); ALTER TABLE t ENABLE ROW LEVEL SECURITY;"},
    {"attach-partition-not-checked",
     "CREATE TABLE p (a int); ALTER TABLE t ATTACH PARTITION p FOR VALUES IN (1);"},
    {"attach-partition-not-checked",
     "ALTER TABLE p VALIDATE CONSTRAINT c; ALTER TABLE t ATTACH PARTITION p FOR VALUES IN (1);"},
    {"detach-partition-not-concurrent", "outside:ALTER TABLE t DETACH PARTITION p CONCURRENTLY;"},
    {"create-table-as", "CREATE TEMP TABLE t AS SELECT 1;"},
    {"create-table-as", "CREATE TABLE t (a int);"},
    {"lock-table", "LOCK TABLE t IN ROW EXCLUSIVE MODE;"},

    {"concurrent-in-transaction", "outside:CREATE INDEX CONCURRENTLY i ON t (a);"},
    {"concurrent-in-transaction", "REFRESH MATERIALIZED VIEW CONCURRENTLY m;"},
    {"not-in-transaction", "outside:VACUUM t;"},
    {"not-in-transaction", "ANALYZE t;"},
    {"enum-value-in-transaction",
     "outside:ALTER TYPE e ADD VALUE 'x'; UPDATE t SET a = 'x' WHERE id = 1;"},
    {"enum-value-in-transaction",
     "CREATE TYPE e AS ENUM (); ALTER TYPE e ADD VALUE 'x'; UPDATE t SET a = 'x' WHERE id = 1;"},
    {"enum-value-in-transaction",
     "ALTER TYPE e ADD VALUE 'x'; ALTER TYPE e ADD VALUE 'y' AFTER 'x';"},
    {"several-tables-locked", "ALTER TABLE t ADD a int; ALTER TABLE t ADD b int;"},
    {"several-tables-locked", "CREATE TABLE t (a int); ALTER TABLE t ADD b int; DROP TABLE u;"},
    {"several-tables-locked", "outside:ALTER TABLE t ADD a int; ALTER TABLE u ADD a int;"},
    {"lock-timeout-disabled", "SET lock_timeout = '5s'; ALTER TABLE t ADD a int;"},
    // As pg_dump writes it.
    {"lock-timeout-disabled", "SET lock_timeout = 0; CREATE TABLE t (a int); DROP TABLE t;"},
    {"unfinished-transaction", "outside:BEGIN; ALTER TABLE t ADD a int; COMMIT;"},

    {"duplicate-column", "UPDATE t SET a[1] = 1, a[2] = 2 WHERE c;"},
    {"duplicate-column", "CREATE TABLE t (a int, b int, CHECK (a > b), CHECK (b > 0));"},
    {"update-without-where", "UPDATE t SET a = 1 WHERE a IS NULL;"},
    {"delete-without-where", "DELETE FROM t USING u WHERE t.id = u.id;"},
    {"backfill-with-ddl", "UPDATE t SET a = b WHERE c > 0;"},
    {"backfill-with-ddl", "ALTER TABLE t ADD a int; UPDATE t SET a = 1 WHERE id IN (1, 2);"},
    {"backfill-with-ddl", "CREATE TABLE t (a int); UPDATE t SET a = 1;"},

    {"invalid-waiver", "-- lint:allow drop-table because it is empty\nDROP TABLE t;"},
    {"invalid-waiver", "-- a comment about lint\nDROP TABLE t;"},
    {"unused-waiver", "-- lint:allow drop-table because it is empty\nDROP TABLE t;"},
};

// What stands between backquotes.
std::vector<std::string> Quoted(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '`');
  std::vector<std::string> quoted;
  for (size_t i = 1; i < parts.size(); i += 2) quoted.push_back(parts[i]);
  return quoted;
}

std::vector<std::string> RulesFound(const char* sql) {
  return RulesOf(LintFile(*UpFile(sql), AllRulesOn()));
}

TEST(LintRules, FindWhatTheyAreFor) {
  for (const Example& example : kBad) {
    EXPECT_THAT(RulesFound(example.sql), Contains(example.rule)) << example.sql;
  }
}

TEST(LintRules, LetBeWhatIsSafe) {
  for (const Example& example : kGood) {
    EXPECT_THAT(RulesFound(example.sql), Not(Contains(example.rule))) << example.sql;
  }
}

TEST(LintRules, EveryStatementOfTheExamplesIsRead) {
  for (const auto* examples : {&kGood[0], &kBad[0]}) {
    const size_t count = examples == kGood ? std::size(kGood) : std::size(kBad);
    for (size_t i = 0; i < count; ++i) {
      const auto file = UpFile(examples[i].sql);
      EXPECT_EQ(LintFiles({file.get()}, {}).front().unknown_statement_count, 0) << examples[i].sql;
    }
  }
}

TEST(LintRules, EachHasABadAndAGoodExample) {
  std::set<std::string> bad = {"missing-down", "empty-down"};  // of files, in lint_test.cc
  std::set<std::string> good = bad;
  for (const Example& example : kBad) bad.insert(example.rule);
  for (const Example& example : kGood) good.insert(example.rule);
  std::set<std::string> rules;
  for (const auto& rule : LintRules({})) rules.insert(rule.rule());
  EXPECT_EQ(bad, rules);
  EXPECT_EQ(good, rules);
}

// The page that compares them with those of other tools names no rule that there is not, and says
// of every check what it is here.
TEST(LintRules, AreThoseOfThePageAboutThem) {
  std::ifstream page(TestVariable("PROJECT_SOURCE") + "/service/lint/RULES.md");
  ASSERT_TRUE(page.is_open());
  int compared = 0;
  for (std::string line; std::getline(page, line);) {
    if (!absl::StartsWith(line, "| ") || absl::StrContains(line, "| here |")) continue;
    // "| theirs | ours |", or at the end of the page "| ours | why |".
    const std::vector<std::string> cells = absl::StrSplit(line, " | ");
    ASSERT_EQ(cells.size(), 2U) << line;
    const std::vector<std::string> ours = Quoted(cells[1]);
    EXPECT_TRUE(!ours.empty() || absl::StrContains(line, "not applicable") ||
                absl::StrContains(line, "refused when") || !Quoted(cells[0]).empty() ||
                absl::StrContains(line, "| rule |"))
        << line;
    for (const std::string& rule : ours.empty() ? Quoted(cells[0]) : ours) {
      const bool is_rule =
          rule.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == std::string::npos &&
          !absl::StartsWith(rule, "--") && !absl::StrContains(line, "not applicable");
      EXPECT_TRUE(!is_rule || IsLintRule(rule)) << rule << " in " << line;
    }
    ++compared;
  }
  EXPECT_GT(compared, 70);
}

TEST(LintRules, SayWhatIsWrongAndWhatToWriteInstead) {
  for (const Example& example : kBad) {
    for (const auto& finding : LintFile(*UpFile(example.sql), AllRulesOn())) {
      EXPECT_NE(finding.message(), "") << example.sql;
      EXPECT_NE(finding.suggestion(), "") << example.sql;
    }
  }
}

}  // namespace
}  // namespace migd
