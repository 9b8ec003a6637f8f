// What lint says of a change of a column's type on a database, against what PostgreSQL does.

#include <memory>
#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/execute/lint_gate.h"
#include "service/postgres/postgres_database.h"
#include "tests/support/test_cluster.h"

namespace migd {
namespace {

using migration::v1::Finding;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class LintTypesTest : public ::testing::Test {
 protected:
  LintTypesTest() : options_(TestCluster::NewDatabaseOptions()), database_(options_) {
    Query(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = UTC', current_database()); "
        "END $$");
  }

  std::string Query(const std::string& sql) const {
    return TestCluster::Query(options_.connection, sql);
  }

  // What lint finds in the up sections of files that run one after the other.
  std::vector<Finding> Lint(const std::vector<std::string>& sections) {
    std::vector<std::shared_ptr<const MigrationFile>> files;
    std::vector<LintedSection> linted;
    for (const std::string& sql : sections) {
      auto parsed = MigrationFile::Parse(
          "a_step.sql", absl::StrCat("-- a step\n-- Revision ID: a\n-- migrate:up\n", sql,
                                     "\n-- migrate:down\nSELECT 1;\n"));
      EXPECT_THAT(parsed.problems, IsEmpty());
      files.push_back(parsed.file);
      linted.push_back({files.back().get()});
    }
    LintOutcome outcome = LintSections(linted, {}, &database_);
    EXPECT_EQ(outcome.database_error, absl::OkStatus());
    return outcome.findings;
  }

  // Whether PostgreSQL writes the table anew.
  bool Rewrites(const std::string& alter) const {
    const std::string file = "SELECT pg_relation_filenode('t')";
    const std::string before = Query(file);
    Query(alter);
    return Query(file) != before;
  }

  const PostgresOptions options_;
  PostgresDatabase database_;
};

struct Change {
  const char* from;
  const char* to;
  // Values may not fit, or lose something.
  bool narrows;
};

TEST_F(LintTypesTest, SaysOfEachChangeWhatPostgresDoes) {
  constexpr Change kChanges[] = {
      {"varchar(50)", "varchar(100)", false},
      {"varchar(100)", "varchar(50)", true},
      {"varchar(50)", "varchar", false},
      {"varchar(50)", "text", false},
      {"varchar", "text", false},
      {"text", "varchar", false},
      {"text", "varchar(50)", true},
      {"char(10)", "text", false},
      {"text", "char(10)", true},
      {"integer", "integer", false},
      {"smallint", "integer", false},
      {"integer", "bigint", false},
      {"bigint", "integer", true},
      {"integer", "smallint", true},
      {"integer", "numeric", false},
      {"integer", "numeric(9)", true},
      {"numeric(9)", "integer", false},
      {"numeric(10, 2)", "integer", true},
      {"numeric(10, 2)", "numeric(12, 2)", false},
      {"numeric(12, 2)", "numeric(10, 2)", true},
      {"numeric(10, 2)", "numeric(12, 4)", false},
      {"numeric(10, 2)", "numeric(10, 4)", true},
      {"numeric(10, 2)", "numeric", false},
      {"numeric", "numeric(10, 2)", true},
      {"real", "double precision", false},
      {"double precision", "real", true},
      {"bigint", "double precision", true},
      {"integer", "double precision", false},
      {"timestamp", "timestamptz", false},
      {"timestamptz", "timestamp", true},
      {"timestamp", "timestamptz(3)", true},
      {"timestamp(3)", "timestamp", false},
      {"timestamp", "timestamp(3)", true},
      {"timestamp", "date", true},
      {"date", "timestamp", false},
      {"cidr", "inet", false},
      {"bit varying(8)", "bit varying(16)", false},
  };
  int free_changes = 0;
  for (const Change& change : kChanges) {
    SCOPED_TRACE(absl::StrCat(change.from, " to ", change.to));
    Query(absl::StrCat("DROP TABLE IF EXISTS t; CREATE TABLE t (a ", change.from, ")"));
    const std::string alter = absl::StrCat("ALTER TABLE t ALTER COLUMN a TYPE ", change.to, ";");
    bool says_rewrite = false;
    bool says_narrows = false;
    for (const Finding& finding : Lint({alter})) {
      says_rewrite = says_rewrite || absl::StrContains(finding.message(), "writes the table");
      says_narrows = says_narrows || absl::StrContains(finding.message(), "do not fit");
    }
    const bool rewrites = Rewrites(alter);
    EXPECT_EQ(says_rewrite, rewrites);
    // Where nothing is written anew, no value changes.
    if (rewrites) {
      EXPECT_EQ(says_narrows, change.narrows);
    }
    free_changes += rewrites ? 0 : 1;
  }
  EXPECT_EQ(free_changes, 13);
}

TEST_F(LintTypesTest, NamesTheTypeThatTheColumnHas) {
  Query("CREATE TABLE t (a bigint)");
  const std::vector<Finding> findings = Lint({"ALTER TABLE t ALTER a TYPE int;"});
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_THAT(findings[0].message(),
              HasSubstr("changing column a of t from bigint to integer writes the table and its "
                        "indexes anew while nobody can use it; and it fails at values that do not "
                        "fit"));
}

TEST_F(LintTypesTest, WhatIsKnownToRewriteIsAnError) {
  Query("CREATE TABLE t (a int)");
  Query("INSERT INTO t SELECT generate_series(1, 50000)");
  const std::vector<Finding> findings = Lint({"ALTER TABLE t ALTER a TYPE text;"});
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].rule(), "type-change-may-rewrite");
  EXPECT_EQ(findings[0].severity(), migration::v1::SEVERITY_ERROR);
  EXPECT_THAT(findings[0].message(), HasSubstr("from integer to text writes the table"));
}

TEST_F(LintTypesTest, ConstraintsAndIndexesAreReadAndBuiltAnew) {
  Query("CREATE TABLE t (a varchar(9) CHECK (a <> ''), b timestamp)");
  Query("CREATE INDEX i ON t (b)");
  const std::vector<Finding> findings =
      Lint({"ALTER TABLE t ALTER a TYPE text, ALTER b TYPE timestamptz;"});
  ASSERT_THAT(findings, SizeIs(2));
  EXPECT_THAT(findings[0].message(), HasSubstr("but reads all of t to check its constraints"));
  EXPECT_THAT(findings[1].message(), HasSubstr("but builds the indexes of the column anew"));
}

TEST_F(LintTypesTest, WhatEarlierSectionsHaveChangedCounts) {
  Query("CREATE TABLE t (a varchar(10), b text)");
  // The table, the column and the type are others by then.
  EXPECT_THAT(
      Lint({"-- lint:allow rename-table because it is a test\nALTER TABLE t RENAME TO u;",
            "-- lint:allow rename-column because it is a test\nALTER TABLE u RENAME a TO c;",
            "ALTER TABLE u ALTER c TYPE varchar(20);", "ALTER TABLE u ALTER c TYPE varchar(30);"}),
      IsEmpty());
  const std::vector<Finding> findings =
      Lint({"ALTER TABLE t ALTER a TYPE varchar(20);", "ALTER TABLE t ALTER a TYPE varchar(15);"});
  ASSERT_THAT(findings, SizeIs(2));
  EXPECT_THAT(findings[0].message(), HasSubstr("from character varying(20) to"));
}

TEST_F(LintTypesTest, AColumnThatIsNotThereYetIsNotKnown) {
  Query("CREATE TABLE t (b text)");
  const std::vector<Finding> findings =
      Lint({"ALTER TABLE t ADD a int;", "ALTER TABLE t ALTER a TYPE text;"});
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_THAT(findings[0].message(), HasSubstr("unless the type that it has is compatible"));
}

}  // namespace
}  // namespace migd
