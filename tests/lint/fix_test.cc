// The safe forms that lint proposes.
#include "service/lint/fix.h"

#include <random>
#include <string>
#include <vector>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/lint/unified_diff.h"
#include "tests/lint/lint_support.h"

namespace migd {
namespace {

using migration::v1::ProposedFile;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// Files `a`, `b` ..., each above the one before, with these sections below their markers.
struct Sections {
  std::string up;
  std::string down = "\nSELECT 1;\n";
};

ScriptSet Scripts(const std::vector<Sections>& files) {
  std::vector<std::shared_ptr<const MigrationFile>> parsed;
  std::vector<Revision> revisions;
  std::string parent;
  for (const Sections& file : files) {
    const std::string id(1, static_cast<char>('a' + parsed.size()));
    MigrationFile::ParseResult result = MigrationFile::Parse(
        absl::StrCat(id, "_step.sql"),
        absl::StrCat("-- step ", id, "\n-- Revision ID: ", id, "\n-- Revises: ", parent,
                     "\n\n-- migrate:up", file.up, "-- migrate:down", file.down));
    for (const std::string& problem : result.problems) ADD_FAILURE() << problem;
    parsed.push_back(result.file);
    revisions.push_back(result.file->revision());
    parent = id;
  }
  return ScriptSet(*RevisionGraph::Create(std::move(revisions)), std::move(parsed));
}

std::vector<ProposedFile> Fix(const std::vector<Sections>& files) {
  const ScriptSet scripts = Scripts(files);
  std::vector<RevisionIndex> all;
  for (RevisionIndex i = 0; i < scripts.graph().size(); ++i) all.push_back(i);
  absl::BitGen random;
  return ProposeFixes(scripts, all, {}, absl::UnixEpoch(), random);
}

std::vector<std::string> RulesIn(const ProposedFile& proposal) {
  const auto parsed = MigrationFile::Parse(proposal.path(), proposal.content());
  for (const std::string& problem : parsed.problems) ADD_FAILURE() << problem;
  return parsed.file == nullptr ? std::vector<std::string>{"unreadable"}
                                : RulesOf(LintFile(*parsed.file, {}));
}

// What follows the header of a file.
std::string SectionsOf(const ProposedFile& proposal) {
  return proposal.content().substr(proposal.content().find("-- migrate:up"));
}

TEST(ProposeFixes, ProposesNothingForWhatIsWell) {
  EXPECT_THAT(Fix({{"\nCREATE TABLE t (a bigint);\n"}}), IsEmpty());
}

TEST(ProposeFixes, ASectionOfIndexesIsTakenOutOfItsTransaction) {
  const auto proposals =
      Fix({{"\nCREATE INDEX i ON t (a);\nCREATE UNIQUE INDEX IF NOT EXISTS j ON "
            "t (b);\n\n",
            "\nDROP INDEX j;\nDROP INDEX i;\n"}});
  ASSERT_EQ(proposals.size(), 1U);
  EXPECT_FALSE(proposals[0].is_new());
  EXPECT_EQ(proposals[0].path(), "a_step.sql");
  EXPECT_THAT(proposals[0].rules(), ElementsAre("index-not-concurrent"));
  EXPECT_EQ(SectionsOf(proposals[0]),
            "-- migrate:up transaction:false\n"
            "CREATE INDEX CONCURRENTLY i ON t (a);\n"
            "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS j ON t (b);\n\n"
            "-- migrate:down transaction:false\n"
            "DROP INDEX CONCURRENTLY j;\nDROP INDEX CONCURRENTLY i;\n");
  EXPECT_THAT(RulesIn(proposals[0]), IsEmpty());
}

TEST(ProposeFixes, AnIndexAmongOthersMovesToARevisionThatFollows) {
  const auto proposals =
      Fix({{"\nALTER TABLE t ADD a int;\n\n-- for the report\nCREATE INDEX i ON s.t (a);\n\n",
            "\nDROP INDEX s.i;\nALTER TABLE t DROP a;\n"}});
  ASSERT_EQ(proposals.size(), 2U);
  EXPECT_EQ(SectionsOf(proposals[0]),
            "-- migrate:up\nALTER TABLE t ADD a int;\n\n\n"
            "-- migrate:down\nALTER TABLE t DROP a;\n");
  EXPECT_TRUE(proposals[1].is_new());
  EXPECT_THAT(proposals[1].content(), HasSubstr("-- finish step a\n"));
  EXPECT_THAT(proposals[1].content(), HasSubstr("-- Revises: a\n"));
  EXPECT_EQ(SectionsOf(proposals[1]),
            "-- migrate:up transaction:false\n\n"
            "-- for the report\nCREATE INDEX CONCURRENTLY i ON s.t (a);\n\n"
            "-- migrate:down transaction:false\n\n"
            "DROP INDEX CONCURRENTLY IF EXISTS s.i;\n");
  EXPECT_THAT(RulesIn(proposals[0]), IsEmpty());
  EXPECT_THAT(RulesIn(proposals[1]), IsEmpty());
}

TEST(ProposeFixes, ConcurrentlyInATransactionMovesToo) {
  const auto proposals =
      Fix({{"\nALTER TABLE t ADD a int;\nCREATE INDEX CONCURRENTLY i ON t (a);\n"}});
  ASSERT_EQ(proposals.size(), 2U);
  EXPECT_THAT(SectionsOf(proposals[1]), HasSubstr("CREATE INDEX CONCURRENTLY i ON t (a);"));
  EXPECT_THAT(RulesIn(proposals[0]), IsEmpty());
}

TEST(ProposeFixes, AnIndexThatSomethingRefersToStays) {
  EXPECT_THAT(Fix({{"\nALTER TABLE t ADD b int;\nCREATE UNIQUE INDEX i ON t (a);\n"
                    "ALTER TABLE t ADD CONSTRAINT c UNIQUE USING INDEX i;\n"}}),
              IsEmpty());
  EXPECT_THAT(
      Fix({{"\nALTER TABLE t ADD b int;\nCREATE INDEX i ON t (a);\n"}, {"\nDROP INDEX i;\n"}})
          .size(),
      1U);  // that of the DROP
}

TEST(ProposeFixes, AUniqueIndexThatAForeignKeyReliesOnStays) {
  EXPECT_THAT(Fix({{"\nALTER TABLE t ADD b int;\nCREATE UNIQUE INDEX i ON t (a);\n"
                    "CREATE TABLE u (a int REFERENCES t (a));\n"}}),
              IsEmpty());
}

TEST(ProposeFixes, ConstraintsAreValidatedLater) {
  const auto proposals =
      Fix({{"\nALTER TABLE ONLY t\n  ADD CONSTRAINT c CHECK (a > 0), -- a, b\n"
            "  ADD FOREIGN KEY (\"B\") REFERENCES u (id) ON DELETE CASCADE;\n"}});
  ASSERT_EQ(proposals.size(), 2U);
  EXPECT_THAT(proposals[0].content(),
              HasSubstr("ALTER TABLE ONLY t\n  ADD CONSTRAINT c CHECK (a > 0) NOT VALID, -- a, b\n"
                        "  ADD CONSTRAINT \"t_B_fkey\" FOREIGN KEY (\"B\") REFERENCES u (id) ON "
                        "DELETE CASCADE NOT VALID;\n"));
  EXPECT_THAT(proposals[1].content(),
              HasSubstr("ALTER TABLE t VALIDATE CONSTRAINT c;\n"
                        "ALTER TABLE t VALIDATE CONSTRAINT \"t_B_fkey\";\n"));
  EXPECT_THAT(RulesIn(proposals[0]), IsEmpty());
  EXPECT_THAT(RulesIn(proposals[1]), IsEmpty());
}

TEST(ProposeFixes, NotNullIsProvenFirst) {
  const auto proposals = Fix({{"\nALTER TABLE t ALTER COLUMN a SET NOT NULL;\n",
                               "\nALTER TABLE t ALTER COLUMN a DROP NOT NULL;\n"}});
  ASSERT_EQ(proposals.size(), 2U);
  EXPECT_EQ(SectionsOf(proposals[0]),
            "-- migrate:up\n"
            "ALTER TABLE t ADD CONSTRAINT t_a_is_not_null CHECK (a IS NOT NULL) NOT VALID;\n"
            "-- migrate:down\n"
            "ALTER TABLE t DROP CONSTRAINT t_a_is_not_null;\n"
            "ALTER TABLE t ALTER COLUMN a DROP NOT NULL;\n");
  EXPECT_EQ(SectionsOf(proposals[1]),
            "-- migrate:up transaction:false\n\n"
            "ALTER TABLE t VALIDATE CONSTRAINT t_a_is_not_null;\n"
            "ALTER TABLE t ALTER COLUMN a SET NOT NULL;\n"
            "ALTER TABLE t DROP CONSTRAINT t_a_is_not_null;\n\n"
            "-- migrate:down transaction:false\n\n"
            "ALTER TABLE t ADD CONSTRAINT t_a_is_not_null CHECK (a IS NOT NULL) NOT VALID;\n"
            "ALTER TABLE t ALTER COLUMN a DROP NOT NULL;\n");
  EXPECT_THAT(RulesIn(proposals[0]), IsEmpty());
  EXPECT_THAT(RulesIn(proposals[1]), IsEmpty());
}

TEST(ProposeFixes, AValidationMovesOutOfItsTransaction) {
  const auto proposals =
      Fix({{"\nALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID;\n"
            "ALTER TABLE t VALIDATE CONSTRAINT c;\n"}});
  ASSERT_EQ(proposals.size(), 2U);
  EXPECT_THAT(SectionsOf(proposals[0]), Not(HasSubstr("VALIDATE")));
  EXPECT_THAT(RulesIn(proposals[0]), IsEmpty());
  EXPECT_THAT(RulesIn(proposals[1]), IsEmpty());
}

TEST(ProposeFixes, AKeyGetsItsIndexFirst) {
  const auto proposals =
      Fix({{"\nALTER TABLE s.t ADD b int, ADD CONSTRAINT c UNIQUE NULLS NOT DISTINCT (a, \"B\") "
            "INCLUDE (d) DEFERRABLE, ADD e int;\n",
            "\nALTER TABLE s.t DROP CONSTRAINT c;\nALTER TABLE s.t DROP b;\n"}});
  ASSERT_EQ(proposals.size(), 2U);
  EXPECT_THAT(proposals[0].rules(), ElementsAre("unique-not-using-index"));
  EXPECT_EQ(SectionsOf(proposals[0]),
            "-- migrate:up\nALTER TABLE s.t ADD b int, ADD e int;\n"
            "-- migrate:down\nALTER TABLE s.t DROP b;\n");
  EXPECT_EQ(SectionsOf(proposals[1]),
            "-- migrate:up transaction:false\n\n"
            "CREATE UNIQUE INDEX CONCURRENTLY c ON s.t (a, \"B\") INCLUDE (d) NULLS NOT DISTINCT;\n"
            "ALTER TABLE s.t ADD CONSTRAINT c UNIQUE USING INDEX c DEFERRABLE;\n\n"
            "-- migrate:down transaction:false\n\n"
            "ALTER TABLE s.t DROP CONSTRAINT c;\n");
  EXPECT_THAT(RulesIn(proposals[0]), IsEmpty());
  EXPECT_THAT(RulesIn(proposals[1]), IsEmpty());
}

TEST(ProposeFixes, APrimaryKeyIsProvenToBeNotNull) {
  const auto proposals = Fix({{"\n-- at last\nALTER TABLE t ADD PRIMARY KEY (id);\n"}});
  ASSERT_EQ(proposals.size(), 2U);
  EXPECT_THAT(SectionsOf(proposals[0]), HasSubstr("-- migrate:up\n-- migrate:down\n"));
  EXPECT_EQ(SectionsOf(proposals[1]),
            "-- migrate:up transaction:false\n\n"
            "-- at last\n"
            "ALTER TABLE t ADD CONSTRAINT t_id_is_not_null CHECK (id IS NOT NULL) NOT VALID;\n"
            "ALTER TABLE t VALIDATE CONSTRAINT t_id_is_not_null;\n"
            "ALTER TABLE t ALTER COLUMN id SET NOT NULL;\n"
            "ALTER TABLE t DROP CONSTRAINT t_id_is_not_null;\n"
            "CREATE UNIQUE INDEX CONCURRENTLY t_pkey ON t (id);\n"
            "ALTER TABLE t ADD CONSTRAINT t_pkey PRIMARY KEY USING INDEX t_pkey;\n\n"
            "-- migrate:down transaction:false\n\n"
            "ALTER TABLE t DROP CONSTRAINT t_pkey;\n");
  EXPECT_THAT(RulesIn(proposals[1]), IsEmpty());
}

TEST(ProposeFixes, AKeyOutsideATransactionStaysInItsPlace) {
  const auto proposals =
      Fix({{" transaction:false\nALTER TABLE t ADD CONSTRAINT c UNIQUE (a);\nSELECT 1;\n"}});
  ASSERT_EQ(proposals.size(), 1U);
  EXPECT_THAT(SectionsOf(proposals[0]),
              HasSubstr("CREATE UNIQUE INDEX CONCURRENTLY c ON t (a);\n"
                        "ALTER TABLE t ADD CONSTRAINT c UNIQUE USING INDEX c;\nSELECT 1;\n"));
  EXPECT_THAT(RulesIn(proposals[0]), IsEmpty());
}

TEST(ProposeFixes, AKeyThatComesWithItsColumnIsTakenFromIt) {
  const auto proposals = Fix({{"\nALTER TABLE t ADD a bigint UNIQUE, ADD b text;\n"}});
  ASSERT_EQ(proposals.size(), 2U);
  EXPECT_THAT(SectionsOf(proposals[0]), HasSubstr("ALTER TABLE t ADD a bigint, ADD b text;\n"));
  EXPECT_THAT(SectionsOf(proposals[1]),
              HasSubstr("CREATE UNIQUE INDEX CONCURRENTLY t_a_key ON t (a);\n"
                        "ALTER TABLE t ADD CONSTRAINT t_a_key UNIQUE USING INDEX t_a_key;\n"));
  EXPECT_THAT(RulesIn(proposals[0]), IsEmpty());
}

TEST(ProposeFixes, AKeyThatSomethingReliesOnStays) {
  EXPECT_THAT(Fix({{"\nALTER TABLE t ADD CONSTRAINT c UNIQUE (a);\n"
                    "CREATE TABLE u (a bigint REFERENCES t (a));\n"}}),
              IsEmpty());
  EXPECT_THAT(Fix({{"\nALTER TABLE t ADD CONSTRAINT c UNIQUE (a);\n"},
                   {"\nINSERT INTO t VALUES (1) ON CONFLICT (a) DO NOTHING;\n"}}),
              IsEmpty());
  // The way down does more with it than to drop it.
  EXPECT_THAT(Fix({{"\nALTER TABLE t ADD CONSTRAINT c UNIQUE (a);\n",
                    "\nALTER TABLE t DROP CONSTRAINT c, DROP b;\n"}}),
              IsEmpty());
}

TEST(ProposeFixes, AnIndexIsDroppedConcurrentlyWhereItCanBeMadeAgain) {
  const auto proposals = Fix({{"\nALTER TABLE t ADD a bigint;\nDROP INDEX i;\n",
                               "\nCREATE INDEX i ON t (b);\nALTER TABLE t DROP a;\n"}});
  ASSERT_EQ(proposals.size(), 2U);
  EXPECT_EQ(SectionsOf(proposals[0]),
            "-- migrate:up\nALTER TABLE t ADD a bigint;\n-- migrate:down\nALTER TABLE t DROP a;\n");
  EXPECT_EQ(SectionsOf(proposals[1]),
            "-- migrate:up transaction:false\n\nDROP INDEX CONCURRENTLY i;\n\n"
            "-- migrate:down transaction:false\n\nCREATE INDEX CONCURRENTLY i ON t (b);\n");
  EXPECT_THAT(Fix({{"\nALTER TABLE t ADD a bigint;\nDROP INDEX i;\n"}}), IsEmpty());
}

TEST(ProposeFixes, AnIndexIsBuiltAnewConcurrently) {
  const auto proposals = Fix({{"\nREINDEX (VERBOSE) TABLE t;\nREINDEX INDEX i;\n"}});
  ASSERT_EQ(proposals.size(), 1U);
  EXPECT_THAT(
      SectionsOf(proposals[0]),
      HasSubstr("-- migrate:up transaction:false\n"
                "REINDEX (VERBOSE) TABLE CONCURRENTLY t;\nREINDEX INDEX CONCURRENTLY i;\n"));
  EXPECT_THAT(RulesIn(proposals[0]), IsEmpty());
}

TEST(ProposeFixes, AConstraintOfADomainIsValidatedLater) {
  const auto proposals = Fix({{"\nALTER DOMAIN s.d ADD CHECK (value > 0);\n"}});
  ASSERT_EQ(proposals.size(), 2U);
  EXPECT_THAT(SectionsOf(proposals[0]),
              HasSubstr("ALTER DOMAIN s.d ADD CONSTRAINT d_check CHECK (value > 0) NOT VALID;\n"));
  EXPECT_THAT(SectionsOf(proposals[1]), HasSubstr("ALTER DOMAIN s.d VALIDATE CONSTRAINT d_check;"));
}

TEST(ProposeFixes, ColumnsGetBetterTypes) {
  const auto proposals = Fix(
      {{"\nCREATE TABLE t (id int PRIMARY KEY, a char(3), b character, c timestamp(3) without time "
        "zone,\n  d json DEFAULT '{}', e int, f time with time zone, g timestamp[]);\n"}});
  ASSERT_EQ(proposals.size(), 1U);
  EXPECT_THAT(proposals[0].rules(),
              ElementsAre("char-type", "json-type", "small-key", "timestamp-without-zone"));
  EXPECT_THAT(SectionsOf(proposals[0]),
              HasSubstr("CREATE TABLE t (id bigint PRIMARY KEY, a varchar(3), b text, c "
                        "timestamptz(3),\n  d jsonb DEFAULT '{}', e int, f time with time zone, g "
                        "timestamptz[]);\n"));
}

TEST(ProposeFixes, NamesAreCutOffWherePostgresCutsThem) {
  const std::string name = "a123456789b123456789c123456789d123456789e123456789f123456789g1";
  const auto proposals =
      Fix({{"\nCREATE TABLE " + name + "23 (a bigint, \"" + name + "é\" text);\n"}});
  ASSERT_EQ(proposals.size(), 1U);
  // No character is cut through.
  EXPECT_THAT(SectionsOf(proposals[0]),
              HasSubstr("CREATE TABLE " + name + "2 (a bigint, \"" + name + "\" text);\n"));
}

TEST(ProposeFixes, WhatIsBegunIsCommitted) {
  const auto proposals = Fix({{" transaction:false\nBEGIN;\nALTER TABLE t ADD a bigint;\n"}});
  ASSERT_EQ(proposals.size(), 1U);
  EXPECT_THAT(SectionsOf(proposals[0]), HasSubstr("ALTER TABLE t ADD a bigint;\nCOMMIT;\n"));
  EXPECT_THAT(RulesIn(proposals[0]), IsEmpty());
}

TEST(ProposeFixes, WhatFollowsRevisesTheHead) {
  const auto proposals =
      Fix({{"\nALTER TABLE t ADD CHECK (a > 0);\n"}, {"\nALTER TABLE u ADD CHECK (a > 0);\n"}});
  ASSERT_EQ(proposals.size(), 4U);
  EXPECT_THAT(proposals[1].content(), HasSubstr("-- Revises: b\n"));
  EXPECT_THAT(proposals[3].content(),
              HasSubstr(absl::StrCat("-- Revises: ", proposals[1].revision(), "\n")));
}

TEST(ProposeFixes, WhatAWaiverAllowsStays) {
  EXPECT_THAT(Fix({{"\n-- lint:allow index-not-concurrent because it is small\n"
                    "CREATE INDEX i ON t (a);\n"}}),
              IsEmpty());
}

TEST(ProposeFixes, AStatementWithoutASemicolonIsTakenWhole) {
  const auto proposals =
      Fix({{"\nALTER TABLE t ADD a int;\nCREATE INDEX i ON t (a)\n", "\nDROP TABLE x;\n"}});
  ASSERT_EQ(proposals.size(), 2U);
  EXPECT_EQ(SectionsOf(proposals[0]),
            "-- migrate:up\nALTER TABLE t ADD a int;\n-- migrate:down\nDROP TABLE x;\n");
}

TEST(UnifiedDiff, ShowsWhatChanges) {
  EXPECT_EQ(UnifiedDiff("f", "a\nb\nc\nd\ne\nf\ng\n", "a\nb\nc\nd\nE\nf\ng\n", false),
            "--- a/f\n+++ b/f\n@@ -2,6 +2,6 @@\n b\n c\n d\n-e\n+E\n f\n g\n");
  EXPECT_EQ(UnifiedDiff("f", "", "a\nb\n", true),
            "--- /dev/null\n+++ b/f\n@@ -0,0 +1,2 @@\n+a\n+b\n");
  EXPECT_EQ(UnifiedDiff("f", "a\n", "a", false),
            "--- a/f\n+++ b/f\n@@ -1,1 +1,1 @@\n-a\n+a\n\\ No newline at end of file\n");
  EXPECT_EQ(UnifiedDiff("f", "a\n", "a\n", false), "");
}

TEST(UnifiedDiff, HasAHunkForEachPlace) {
  std::string before;
  for (int i = 1; i <= 20; ++i) absl::StrAppend(&before, i, "\n");
  std::string after = before;
  after.replace(after.find("2\n"), 2, "two\n");
  after.replace(after.find("19\n"), 3, "");
  EXPECT_EQ(UnifiedDiff("f", before, after, false),
            "--- a/f\n+++ b/f\n@@ -1,5 +1,5 @@\n 1\n-2\n+two\n 3\n 4\n 5\n"
            "@@ -16,5 +16,4 @@\n 16\n 17\n 18\n-19\n 20\n");
}

}  // namespace
}  // namespace migd
