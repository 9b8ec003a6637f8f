// Migration files that are wrong, large, or change while migd runs.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class FilesTest : public ServiceTest {
 protected:
  // That the files are refused, whatever is asked, with `words` in the message; and that the
  // database stays as it is.
  void ExpectRefused(const std::vector<std::string>& words) {
    const std::string before = Dump();
    for (const Arguments& arguments : {Arguments{"upgrade", "head"}, {"history"}, {"current"}}) {
      const Failure failure = FailureOf(arguments);
      EXPECT_EQ(failure.exit_code, 1);
      EXPECT_EQ(failure.reason(), "INVALID_MIGRATIONS");
      EXPECT_THAT(failure.text, HasSubstr("[INVALID_MIGRATIONS]"));
      for (const std::string& word : words) EXPECT_THAT(failure.text, HasSubstr(word));
    }
    EXPECT_EQ(Dump(), before);
  }
};

TEST_F(FilesTest, ACycleIsNamedWithItsFiles) {
  Add({.id = "aa10", .revises = "cc30"});
  Add({.id = "bb20", .revises = "aa10"});
  Add({.id = "cc30", .revises = "bb20"});
  ExpectRefused({"cycle", "aa10", "bb20", "cc30"});
}

TEST_F(FilesTest, AMissingDownRevisionIsNamedWithTheFileThatRevisesIt) {
  Add({.id = "bb20", .revises = "aa10"});
  ExpectRefused({"bb20_test.sql", "aa10"});
}

TEST_F(FilesTest, ADuplicateIdIsNamedWithBothFiles) {
  AddFile("aa10_one.sql", "-- one\n-- Revision ID: aa10\n-- migrate:up\n");
  AddFile("aa10_two.sql", "-- two\n-- Revision ID: aa10\n-- migrate:up\n");
  ExpectRefused({"aa10_one.sql", "aa10_two.sql"});
}

TEST_F(FilesTest, AMalformedHeaderIsNamedWithItsLine) {
  AddFile("aa10_test.sql",
          "-- message\n"
          "-- Revision ID: aa10\n"
          "-- Revises: x y\n"
          "-- Create Date: yesterday\n"
          "-- migrate:up\n");
  ExpectRefused({"aa10_test.sql:3: ", "aa10_test.sql:4: \"yesterday\" is not a date"});
}

TEST_F(FilesTest, AnIdThatTheVersionTableCannotHoldIsRefused) {
  Add({.id = "a23456789012345678901234567890123"});
  ExpectRefused({"a23456789012345678901234567890123", "32"});
}

TEST_F(FilesTest, BytesThatAreNoUtf8AreNamedWithTheirLine) {
  Add({.id = "aa10", .up = "SELECT 'caf\xE9';"});
  ExpectRefused({absl::StrCat("aa10_test.sql:", kFirstLineOfUp, ": "), "UTF-8"});
}

TEST_F(FilesTest, EveryProblemIsNamedAtOnce) {
  AddFile("aa10_test.sql",
          "-- message\n-- Revision ID: aa10\n-- Create Date: never\n"
          "-- migrate:up\n");
  AddFile("bb20_test.sql", "-- message\n-- Revision ID: bb20\n-- migrate:sideways\n");
  Add({.id = "cc30", .up = "SELECT 'open;"});
  ExpectRefused({"3 problems", "aa10_test.sql:3: ", "bb20_test.sql:3: ", "cc30_test.sql:"});
}

TEST_F(FilesTest, AMissingDirectoryIsNamed) {
  const Migd server({"--database", TestCluster::Uri(database()), "--migrations",
                     directory().path() + "/nowhere"});
  const Finished refused =
      RunCommand({{TestVariable("MIGCTL"), "--server", server.address(), "upgrade", "head"}});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("[INVALID_MIGRATIONS]"), HasSubstr("nowhere"),
                                 HasSubstr("--migrations")));
}

TEST_F(FilesTest, AnAddedFileIsSeenByTheNextCall) {
  Add({.id = "aa10"});
  EXPECT_EQ(Text({"heads"}), "aa10 (head)\n");
  Add({.id = "bb20", .revises = "aa10"});
  EXPECT_EQ(Text({"heads"}), "bb20 (head)\n");
}

TEST_F(FilesTest, AnEditedFileIsSeenByTheNextCall) {
  Add({.id = "aa10", .up = "CREATE TABLE wrong ();"});
  EXPECT_EQ(Text({"heads"}), "aa10 (head)\n");
  Add({.id = "aa10", .up = "CREATE TABLE right1 ();"});
  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 0);
  EXPECT_EQ(Query("SELECT to_regclass('right1')"), "right1");
  EXPECT_EQ(Query("SELECT to_regclass('wrong')"), "");
}

TEST_F(FilesTest, ACorrectedFileIsGoodAgain) {
  AddFile("aa10_test.sql", "-- message\n-- Revision ID: aa10\n-- migrate:upp\n");
  EXPECT_EQ(FailureOf({"heads"}).reason(), "INVALID_MIGRATIONS");
  AddFile("aa10_test.sql", "-- message\n-- Revision ID: aa10\n-- migrate:up\n");
  EXPECT_EQ(Text({"heads"}), "aa10 (head)\n");
}

TEST_F(FilesTest, WhatPgDumpWritesIsRun) {
  Add({.id = "aa10", .up = R"(CREATE TABLE pets (id int, name text);
COPY pets (id, name) FROM stdin;
1	otter; -- no comment
2	\N
\.
CREATE FUNCTION twice(x int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT x; SELECT x * 2; END;
CREATE FUNCTION thrice(x int) RETURNS int LANGUAGE plpgsql AS $body$
BEGIN
  RETURN x * 3; /* a comment /* in a comment */ */
END
$body$;)"});
  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 0);
  EXPECT_EQ(Query("SELECT string_agg(coalesce(name, 'null'), ',' ORDER BY id) FROM pets"),
            "otter; -- no comment,null");
  EXPECT_EQ(Query("SELECT twice(2) + thrice(3)"), "13");
}

TEST_F(FilesTest, FiftyMegabytesOfDataAreLoaded) {
  constexpr int kRows = 400'000;
  constexpr int kInserts = 5'000;
  const std::string filler(100, 'x');
  std::string up = "CREATE TABLE bulk (id int, filler text);\nCOPY bulk FROM stdin;\n";
  for (int i = 0; i < kRows; ++i) absl::StrAppend(&up, i, "\t", filler, "\n");
  absl::StrAppend(&up, "\\.\n");
  const std::string more(2000, 'y');
  for (int i = 0; i < kInserts; ++i) {
    absl::StrAppend(&up, "INSERT INTO bulk VALUES (", kRows + i, ", '", more, "');\n");
  }
  ASSERT_GT(up.size(), 50'000'000);
  Add({.id = "aa10", .up = up});
  const Finished upgrade = Migctl({"upgrade", "head"});
  EXPECT_EQ(upgrade.exit_code, 0) << upgrade.err;
  EXPECT_EQ(Query("SELECT count(*) FROM bulk"), absl::StrCat(kRows + kInserts));
  EXPECT_EQ(VersionRows(), "aa10");
}

}  // namespace
}  // namespace migd
