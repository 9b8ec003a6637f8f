// Lint from outside: migctl lint, the gate, and the proposals on a real PostgreSQL.
#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LintTest : public ServiceTest {
 protected:
  // A table that is too large for what grows with it.
  void MakeLargeTable() const {
    Query("CREATE TABLE orders (id bigint PRIMARY KEY, day date, note text)");
    Query(
        "INSERT INTO orders SELECT n, '2026-01-01', repeat('x', 100) "
        "FROM generate_series(1, 20000) AS n");
  }
  void AddIndex() const {
    Add({.id = "aa10", .up = "CREATE INDEX by_day ON orders (day);", .down = "DROP INDEX by_day;"});
  }
  // All that is in the database but the rows of the version table.
  std::string Schema() const {
    std::string schema = Dump();
    for (const std::string& row : std::vector<std::string>(absl::StrSplit(VersionRows(), ','))) {
      absl::StrReplaceAll({{row, "(revision)"}}, &schema);
    }
    return schema;
  }
  // migctl lint with the migrations of the test, and what it leaves.
  Finished Lint(Arguments arguments) {
    arguments.insert(arguments.begin(), "lint");
    arguments.insert(arguments.end(), {"--migrations", migrations()});
    return Migctl(arguments);
  }
};

TEST_F(LintTest, AnUpgradeThatWouldBlockIsStoppedBeforeItsFirstStep) {
  MakeLargeTable();
  AddIndex();
  const std::string before = Dump();
  const Failure failure = FailureOf({"upgrade", "head"});
  EXPECT_EQ(failure.exit_code, 1);
  EXPECT_EQ(failure.reason(), "LINT_FAILED");
  EXPECT_EQ(failure.json["metadata"]["rule"].text(), "index-not-concurrent");
  EXPECT_THAT(failure.text, HasSubstr("aa10_test.sql:9:1"));
  EXPECT_EQ(VersionRows(), "no table");
  EXPECT_EQ(Dump(), before);
  EXPECT_THAT(Object({"plan", "upgrade", "head", "--output", "json"})["refusal"]["reason"].text(),
              "LINT_FAILED");

  const auto events = Events({"upgrade", "head", "--lint=warn", "--output", "json"});
  const auto findings = OfKind(events, "lint_finding");
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0]["severity"].text(), "SEVERITY_ERROR");
  EXPECT_EQ(VersionRows(), "aa10");
}

TEST_F(LintTest, WhatIsSmallOrNewIsNotStopped) {
  Query("CREATE TABLE orders (day date)");
  AddIndex();
  Add({.id = "bb20", .revises = "aa10", .up = "CREATE TABLE t (a text);", .down = "DROP TABLE t;"});
  Add({.id = "cc30", .revises = "bb20", .up = "CREATE INDEX i ON t (a);", .down = "DROP INDEX i;"});
  const auto findings = OfKind(Events({"upgrade", "head", "--output", "json"}), "lint_finding");
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_THAT(findings[0]["message"].text(), HasSubstr("orders is empty here"));
  EXPECT_THAT(findings[1]["message"].text(), HasSubstr("t does not exist here yet"));
  EXPECT_EQ(VersionRows(), "cc30");
}

TEST_F(LintTest, ATypeThatOnlyBecomesWiderIsNotStopped) {
  MakeLargeTable();
  Query("ALTER TABLE orders ADD code varchar(50), ADD amount int");
  Add({.id = "aa10",
       .up = "ALTER TABLE orders ALTER code TYPE varchar(100);",
       .down = "SELECT 1;"});
  EXPECT_EQ(Object({"lint", "--output", "json"})["findings"].size(), 0);
  EXPECT_EQ(OfKind(Events({"upgrade", "head", "--output", "json"}), "lint_finding").size(), 0U);
  Add({.id = "bb20",
       .revises = "aa10",
       .up = "ALTER TABLE orders ALTER amount TYPE numeric;",
       .down = "SELECT 1;"});
  const Json findings = Json::Parse(Lint({"--output", "json"}).out)["findings"];
  ASSERT_EQ(findings.size(), 1);
  EXPECT_EQ(findings[0]["severity"].text(), "SEVERITY_ERROR");
  EXPECT_THAT(findings[0]["message"].text(), HasSubstr("from integer to numeric"));
  EXPECT_EQ(FailureOf({"upgrade", "head"}).reason(), "LINT_FAILED");
  // Of what is applied the type that the column had is not known any more.
  EXPECT_THAT(Object({"lint", "aa10", "--output", "json"})["findings"].texts("rule"),
              ElementsAre("narrowing-type", "type-change-may-rewrite"));
  // Nor is it without a database.
  StartMigdOffline();
  EXPECT_EQ(Object({"lint", "--output", "json"})["findings"].size(), 3);
}

TEST_F(LintTest, ATableThatSomebodyHasLockedHoldsNothingUp) {
  MakeLargeTable();
  AddIndex();
  pqxx::connection holder(FormatConninfo(database()));
  pqxx::work lock(holder);
  lock.exec("LOCK TABLE orders");
  // The gate waits for no lock: it does not take the table for a small one.
  EXPECT_EQ(FailureOf({"upgrade", "head"}).reason(), "LINT_FAILED");
}

TEST_F(LintTest, TellsWhatItFindsWithoutADatabase) {
  AddIndex();
  StartMigdOffline();
  const Finished lint = Lint({});
  EXPECT_EQ(lint.exit_code, 3);
  EXPECT_THAT(lint.out,
              AllOf(HasSubstr("error: building index by_day keeps every write to orders waiting"),
                    HasSubstr("[index-not-concurrent]"), HasSubstr("aa10_test.sql:9:1\n"),
                    HasSubstr(" 9 | CREATE INDEX by_day ON orders (day);\n   | ^^^^^^\n"),
                    HasSubstr("instead: CREATE INDEX CONCURRENTLY"),
                    HasSubstr("1 error, 1 warning in 1 revision\n")));
  EXPECT_THAT(lint.err, HasSubstr("all revisions"));
}

TEST_F(LintTest, LooksAtWhatIsPendingUnlessToldOtherwise) {
  Add({.id = "aa10", .up = "CREATE TABLE t (a money);", .down = "DROP TABLE t;"});
  Text({"upgrade", "head"});
  Add({.id = "bb20", .revises = "aa10", .up = "DROP TABLE t;", .down = "SELECT 1;"});
  EXPECT_THAT(Object({"lint", "--output", "json"})["findings"].texts("rule"),
              ElementsAre("drop-table"));
  EXPECT_THAT(Object({"lint", "--all", "--output", "json"})["findings"].texts("rule"),
              ElementsAre("money-type", "drop-table"));
  EXPECT_THAT(Object({"lint", "aa10", "--output", "json"})["findings"].texts("rule"),
              ElementsAre("money-type"));
  EXPECT_THAT(Object({"lint", "aa10:", "--format", "json"})["findings"].size(), 2);
  EXPECT_EQ(FailureOf({"lint", "nowhere"}).reason(), "UNKNOWN_REVISION");
}

TEST_F(LintTest, WritesForOtherPrograms) {
  AddIndex();
  StartMigdOffline();
  const Json sarif = Json::Parse(Lint({"--format", "sarif"}).out);
  EXPECT_EQ(sarif["version"].text(), "2.1.0");
  EXPECT_EQ(sarif["runs"][0]["results"].size(), 2);
  EXPECT_THAT(Lint({"--format", "github"}).out,
              AllOf(HasSubstr("::error file="), HasSubstr("aa10_test.sql,line=9,col=1,"
                                                          "title=index-not-concurrent::")));
  const Finished rules = Lint({"--rules"});
  EXPECT_EQ(rules.exit_code, 0);
  EXPECT_THAT(rules.out, HasSubstr("index-not-concurrent  error\n"));
}

TEST_F(LintTest, TheSettingsOfADatabaseCount) {
  AddIndex();
  directory().Write("migd.yaml",
                    absl::StrCat("databases:\n  app:\n    url: ", TestCluster::Uri(database()),
                                 "\n    migrations: ", migrations(),
                                 "\n    lint: warn\n    lint_rules:\n"
                                 "      index-not-concurrent: warning\n"
                                 "      drop-index-not-concurrent: off\n"));
  const Migd configured({"--config", directory().path() + "/migd.yaml"});
  const Finished lint = RunCommand(
      {{TestVariable("MIGCTL"), "lint", "--server", configured.address(), "--output", "json"}});
  EXPECT_EQ(lint.exit_code, 0);
  const Json findings = Json::Parse(lint.out)["findings"];
  EXPECT_THAT(findings.texts("rule"), ElementsAre("index-not-concurrent"));
  EXPECT_THAT(findings.texts("severity"), ElementsAre("SEVERITY_WARNING"));
}

TEST_F(LintTest, AProposalIsADiffUntilItIsToBeWritten) {
  Query("CREATE TABLE t (a int, b int)");
  Add({.id = "aa10",
       .up = "ALTER TABLE t ADD c int;\nCREATE INDEX i ON t (a);",
       .down = "DROP INDEX i;\nALTER TABLE t DROP c;"});
  const std::string shown = Lint({"--fix"}).out;
  EXPECT_THAT(shown, AllOf(HasSubstr("--- a/aa10_test.sql\n+++ b/aa10_test.sql\n"),
                           HasSubstr("\n-CREATE INDEX i ON t (a);\n"),
                           HasSubstr("\n+CREATE INDEX CONCURRENTLY i ON t (a);\n")));
  EXPECT_EQ(Lint({}).exit_code, 3);
  const Finished written = Lint({"--fix", "--write"});
  EXPECT_THAT(written.err, HasSubstr("changed "));
  const Finished after = Lint({});
  EXPECT_EQ(after.exit_code, 0);
  EXPECT_THAT(after.out, HasSubstr("0 errors, 0 warnings in 2 revisions"));
  Text({"upgrade", "head", "--lint=error"});
  EXPECT_EQ(Query("SELECT count(*) FROM pg_index WHERE indexrelid = 'i'::regclass AND indisvalid"),
            "1");
  Text({"downgrade", "base", "--lint=error", "--yes"});
  EXPECT_EQ(Query("SELECT to_regclass('i') IS NULL"), "t");
}

TEST_F(LintTest, AProposalMakesTheSameSchema) {
  Query("CREATE TABLE u (id bigint PRIMARY KEY)");
  Query("CREATE TABLE t (a int, b int, \"C\" bigint)");
  Add({.id = "aa10",
       .up = "ALTER TABLE t ALTER a SET NOT NULL, ADD CHECK (b > 0), ADD CHECK (a < b);\n"
             "ALTER TABLE t ADD FOREIGN KEY (\"C\") REFERENCES u (id);\n"
             "CREATE UNIQUE INDEX i ON t (b);\n"
             "ALTER TABLE t ADD CONSTRAINT c CHECK (a <> 7) NOT VALID;\n"
             "ALTER TABLE t VALIDATE CONSTRAINT c;",
       .down = "ALTER TABLE t DROP CONSTRAINT c, DROP CONSTRAINT t_b_check, "
               "DROP CONSTRAINT t_check;\nDROP INDEX i;\n"
               "ALTER TABLE t DROP CONSTRAINT \"t_C_fkey\", ALTER a DROP NOT NULL;"});
  Text({"upgrade", "head", "--lint=off"});
  const std::string original = Schema();
  Text({"downgrade", "base"});

  EXPECT_EQ(Lint({"--fix", "--write"}).exit_code, 3);  // what it found, and mended
  EXPECT_EQ(Lint({}).exit_code, 0);
  Text({"upgrade", "head", "--lint=error"});
  EXPECT_EQ(Schema(), original);
  EXPECT_EQ(Query("SELECT count(*) FROM pg_constraint WHERE NOT convalidated"), "0");
  Text({"downgrade", "base"});
  Text({"upgrade", "head"});
  EXPECT_EQ(Schema(), original);
}

TEST_F(LintTest, AProposalForKeysMakesTheSameSchema) {
  Query("CREATE TABLE t (a bigint, b bigint, c bigint)");
  Query("INSERT INTO t SELECT n, n, n FROM generate_series(1, 9) AS n");
  Query("CREATE INDEX old ON t (b)");
  Query("CREATE DOMAIN d AS bigint");
  Add({.id = "aa10",
       .up = "ALTER TABLE t ADD PRIMARY KEY (a), ADD x text;\n"
             "ALTER TABLE t ADD CONSTRAINT u UNIQUE (b, c) DEFERRABLE;\n"
             "ALTER TABLE t ADD y bigint UNIQUE;\n"
             "DROP INDEX old;\n"
             "ALTER DOMAIN d ADD CHECK (value > 0);",
       .down = "ALTER DOMAIN d DROP CONSTRAINT d_check;\n"
               "CREATE INDEX old ON t (b);\n"
               "ALTER TABLE t DROP y;\n"
               "ALTER TABLE t DROP CONSTRAINT u;\n"
               "ALTER TABLE t DROP CONSTRAINT t_pkey;\n"
               "ALTER TABLE t DROP x, ALTER a DROP NOT NULL;"});
  const std::string base = Schema();
  Text({"upgrade", "head", "--lint=off"});
  const std::string original = Schema();
  Text({"downgrade", "base", "--yes"});
  ASSERT_NE(base, original);

  Lint({"--fix", "--write"});
  EXPECT_EQ(Lint({}).exit_code, 0);
  Text({"upgrade", "head", "--lint=error"});
  EXPECT_EQ(Schema(), original);
  Text({"downgrade", "base", "--yes"});
  Text({"upgrade", "head"});
  EXPECT_EQ(Schema(), original);
}

TEST_F(LintTest, AProposalIsNotWrittenOverAnotherFile) {
  Query("CREATE TABLE t (a int)");
  Add({.id = "aa10", .up = "CREATE INDEX i ON t (a);", .down = "DROP INDEX i;"});
  directory().Write("elsewhere/aa10_test.sql", "another file\n");
  const Finished written =
      Migctl({"lint", "--fix", "--write", "--migrations", directory().path() + "/elsewhere"});
  EXPECT_EQ(written.exit_code, 1);
  EXPECT_THAT(written.err, HasSubstr("it is not the file that migd has read"));
}

}  // namespace
}  // namespace migd
