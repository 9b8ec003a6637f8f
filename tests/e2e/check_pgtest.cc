// Files that changed after they were applied, and `migctl check`.
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class ChecksumTest : public ServiceTest {
 protected:
  ChecksumTest() {
    Add({.id = "aa10", .up = "CREATE TABLE a (x int);", .down = "DROP TABLE a;"});
    Text({"upgrade", "head"});
  }

  // Rewrites the file of aa10.
  void Change() { Add({.id = "aa10", .up = "CREATE TABLE a (y int);", .down = "DROP TABLE a;"}); }
  void AddNext() { Add({.id = "bb20", .revises = "aa10", .up = "CREATE TABLE b ();"}); }
  std::string AppliedChecksum() const {
    return Query(
        "SELECT checksum FROM migration_service.revision_log WHERE revision = 'aa10' "
        "AND decision IS NULL");
  }
};

TEST_F(ChecksumTest, AChangedFileStopsAnUpgradeAndBothHashesAreTold) {
  Change();
  AddNext();
  const std::string before = Dump();
  const Failure failure = FailureOf({"upgrade", "head"});
  EXPECT_EQ(failure.exit_code, 1);
  EXPECT_EQ(failure.reason(), "CHECKSUM_MISMATCH");
  const Json metadata = failure.json["metadata"];
  EXPECT_EQ(metadata["revision"].text(), "aa10");
  EXPECT_EQ(metadata["file"].text(), "aa10_test.sql");
  EXPECT_EQ(metadata["applied_checksum"].text(), AppliedChecksum());
  EXPECT_THAT(metadata["file_checksum"].text(), AllOf(SizeIs(64), Not(AppliedChecksum())));
  EXPECT_THAT(failure.text, HasSubstr("--accept-checksum aa10"));
  EXPECT_EQ(Dump(), before);
  // The plan says so beforehand.
  EXPECT_EQ(Object({"plan", "upgrade", "head"})["refusal"]["reason"].text(), "CHECKSUM_MISMATCH");
}

TEST_F(ChecksumTest, CommentsAndLineEndsAreNoChange) {
  Add({.id = "aa10",
       .up = "-- said once more\r\nCREATE TABLE a (x int);\r\n",
       .down = "DROP TABLE a; -- gone"});
  AddNext();
  Text({"upgrade", "head"});
  EXPECT_EQ(VersionRows(), "bb20");
}

TEST_F(ChecksumTest, OneThatIsAcceptedByNameIsAcceptedForGood) {
  Change();
  AddNext();
  const std::vector<Json> events = Events({"upgrade", "head", "--accept-checksum", "aa1"});
  const std::vector<Json> accepted = OfKind(events, "checksum_accepted");
  ASSERT_THAT(accepted, SizeIs(1));
  EXPECT_EQ(accepted[0]["applied_checksum"].text(), AppliedChecksum());
  EXPECT_EQ(VersionRows(), "bb20");
  EXPECT_EQ(
      Query("SELECT concat_ws(' ', accepted.revision, accepted.checksum <> applied.checksum, "
            "accepted.applied_by, accepted.operation) FROM migration_service.revision_log AS "
            "accepted JOIN migration_service.revision_log AS applied USING (revision) "
            "WHERE accepted.decision = 'accept' AND applied.decision IS NULL"),
      absl::StrCat("aa10 t ", Query("SELECT session_user"), " ", events[0]["operation"].text()));
  Add({.id = "cc30", .revises = "bb20", .up = "CREATE TABLE c ();"});
  Text({"upgrade", "head"});
  EXPECT_EQ(VersionRows(), "cc30");
}

TEST_F(ChecksumTest, OneCanBeAcceptedWhereThereIsNothingToDo) {
  Change();
  // Nothing runs, so nothing is in the way.
  Text({"upgrade", "head"});
  Text({"upgrade", "head", "--accept-checksum", "aa10"});
  AddNext();
  Text({"upgrade", "head"});
  EXPECT_EQ(VersionRows(), "bb20");
}

TEST_F(ChecksumTest, AFileThatChangesOnceMoreIsRefusedAgain) {
  Change();
  Text({"upgrade", "head", "--accept-checksum", "aa10"});
  Add({.id = "aa10", .up = "CREATE TABLE a (z int);"});
  AddNext();
  EXPECT_EQ(FailureOf({"upgrade", "head"}).reason(), "CHECKSUM_MISMATCH");
}

TEST_F(ChecksumTest, ThereIsNothingToAcceptInAFileThatIsAsItWas) {
  AddNext();
  const Failure failure = FailureOf({"upgrade", "head", "--accept-checksum", "aa10"});
  EXPECT_EQ(failure.reason(), "INVALID_REQUEST");
  EXPECT_THAT(failure.text, HasSubstr("there is nothing to accept"));
  EXPECT_EQ(VersionRows(), "aa10");
}

TEST_F(ChecksumTest, WhatWasStampedHasNoChecksum) {
  Text({"stamp", "base"});
  Text({"stamp", "aa10"});
  Change();
  AddNext();
  Text({"upgrade", "head"});
  EXPECT_EQ(VersionRows(), "bb20");
}

class CheckTest : public ServiceTest {
 protected:
  // The outcome of each question.
  std::map<std::string, std::string> Outcomes(const Arguments& more, int exit_code) {
    Arguments arguments = {"check", "--output", "json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Finished finished = Migctl(arguments);
    EXPECT_EQ(finished.exit_code, exit_code) << finished.out << finished.err;
    response_ = Json::Parse(finished.out);
    std::map<std::string, std::string> outcomes;
    for (int i = 0; i < response_["results"].size(); ++i) {
      outcomes[response_["results"][i]["name"].text()] = response_["results"][i]["outcome"].text();
    }
    return outcomes;
  }
  Json Result(const std::string& name) const {
    for (int i = 0; i < response_["results"].size(); ++i) {
      if (response_["results"][i]["name"].text() == name) return response_["results"][i];
    }
    ADD_FAILURE() << "no result " << name;
    return {};
  }

  Json response_;
};

constexpr char kOk[] = "OUTCOME_OK";
constexpr char kFailed[] = "OUTCOME_FAILED";
constexpr char kSkipped[] = "OUTCOME_SKIPPED";

TEST_F(CheckTest, AllIsWell) {
  Add({.id = "aa10", .up = "CREATE TABLE a ();", .down = "DROP TABLE a;"});
  Text({"upgrade", "head"});
  EXPECT_THAT(Outcomes({}, 0),
              UnorderedElementsAre(Pair("files", kOk), Pair("revisions", kOk), Pair("heads", kOk),
                                   Pair("database", kOk), Pair("checksums", kOk), Pair("lint", kOk),
                                   Pair("pending", kOk)));
  const std::string text = Text({"check"});
  EXPECT_THAT(text, AllOf(HasSubstr("ok        files      1 file, all well-formed\n"),
                          HasSubstr("ok        heads      aa10\n"),
                          HasSubstr("ok        pending    none\n")));
}

TEST_F(CheckTest, WhatIsPendingIsAFailureUnlessItIsAllowed) {
  Add({.id = "aa10"});
  Add({.id = "bb20", .revises = "aa10"});
  EXPECT_EQ(Outcomes({}, 3)["pending"], kFailed);
  EXPECT_EQ(Result("pending")["message"].text(), "2 revisions are pending");
  EXPECT_THAT(Result("pending")["details"].texts(), SizeIs(2));
  EXPECT_EQ(Outcomes({"--allow-pending"}, 0)["pending"], kOk);
}

TEST_F(CheckTest, AFileThatCannotBeReadIsNamedWithItsLine) {
  AddFile("aa10_test.sql", "-- message\n-- Revision ID: aa10\n-- migrate:sideways\n");
  auto outcomes = Outcomes({}, 3);
  EXPECT_EQ(outcomes["files"], kFailed);
  EXPECT_EQ(outcomes["heads"], kSkipped);
  EXPECT_EQ(outcomes["pending"], kSkipped);
  EXPECT_THAT(Result("files")["details"][0].text(), HasSubstr("aa10_test.sql:3: "));
}

TEST_F(CheckTest, ADirectoryWithoutFilesIsNotWell) {
  auto outcomes = Outcomes({}, 3);
  EXPECT_EQ(outcomes["files"], kFailed);
  EXPECT_EQ(Result("files")["message"].text(), "there are none in " + migrations());
  EXPECT_THAT(Result("files")["hint"].text(), HasSubstr("--migrations DIR"));
  EXPECT_EQ(Outcomes({"--allow-pending"}, 3)["files"], kFailed);
  EXPECT_THAT(migd().log(), HasSubstr("there are no migration files"));
  // Nor do the gates let it pass without a word.
  const Finished wait = Migctl({"wait", "--for", "0"});
  EXPECT_THAT(wait.err, HasSubstr("migd has no migration files"));
  EXPECT_THAT(Text({"upgrade", "head"}),
              HasSubstr("nothing was done: migd has no migration files"));
}

TEST_F(CheckTest, ADirectoryThatIsNotThereIsSaidAtOnce) {
  const std::string nowhere = directory().path() + "/nowhere";
  const Migd server({"--database", TestCluster::Uri(database()), "--migrations", nowhere});
  EXPECT_THAT(server.log(), AllOf(HasSubstr("the migration files cannot be read"),
                                  HasSubstr("No such file or directory")));
  const Finished check =
      RunCommand({{TestVariable("MIGCTL"), "--server", server.address(), "check"}});
  EXPECT_EQ(check.exit_code, 3);
  EXPECT_THAT(check.out,
              AllOf(HasSubstr("failed    files      the directory of the migration files cannot be "
                              "read: " +
                              nowhere),
                    HasSubstr("hint: create it, or start migd with another one"),
                    Not(HasSubstr("ok        files"))));
}

TEST_F(CheckTest, IdsThatAreNotUniqueAreNoFaultOfAFile) {
  AddFile("aa10_one.sql", "-- one\n-- Revision ID: aa10\n-- migrate:up\n");
  AddFile("aa10_two.sql", "-- two\n-- Revision ID: aa10\n-- migrate:up\n");
  auto outcomes = Outcomes({}, 3);
  EXPECT_EQ(outcomes["files"], kOk);
  EXPECT_EQ(outcomes["revisions"], kFailed);
  EXPECT_THAT(Result("revisions")["details"][0].text(),
              AllOf(HasSubstr("aa10_one.sql"), HasSubstr("aa10_two.sql")));
}

TEST_F(CheckTest, LabelsThatAreNotUniqueAreNamedWithTheirFiles) {
  Add({.id = "aa10", .labels = "billing"});
  Add({.id = "bb20", .labels = "billing"});
  auto outcomes = Outcomes({"--allow-pending"}, 3);
  EXPECT_EQ(outcomes["files"], kOk);
  EXPECT_EQ(outcomes["revisions"], kFailed);
  EXPECT_THAT(Result("revisions")["details"][0].text(),
              AllOf(HasSubstr("billing"), HasSubstr("aa10_test.sql"), HasSubstr("bb20_test.sql")));
}

TEST_F(CheckTest, WhatTheGateOfLintWouldStopIsAFailure) {
  Add({.id = "aa10", .up = "ALTER TABLE t RENAME TO u;", .down = "ALTER TABLE u RENAME TO t;"});
  EXPECT_EQ(Outcomes({"--allow-pending"}, 3)["lint"], kFailed);
  EXPECT_THAT(Result("lint")["details"][0].text(),
              AllOf(HasSubstr("aa10_test.sql:"), HasSubstr("rename-table")));
  StartMigdOffline();
  EXPECT_EQ(Outcomes({}, 3)["lint"], kFailed);
  StartMigdWith({"--lint", "warn"});
  EXPECT_NE(Outcomes({"--allow-pending"}, 0)["lint"], kFailed);
}

TEST_F(CheckTest, TwoHeadsAreAFailureUnlessTheyAreNamed) {
  Add({.id = "aa10"});
  Add({.id = "bb20", .revises = "aa10"});
  Add({.id = "cc30", .revises = "aa10"});
  EXPECT_EQ(Outcomes({"--allow-pending"}, 3)["heads"], kFailed);
  EXPECT_EQ(Result("heads")["message"].text(), "2 heads: bb20, cc30");
  EXPECT_EQ(Outcomes({"--allow-pending", "--head", "bb20", "--head", "cc30"}, 0)["heads"], kOk);
  EXPECT_EQ(Outcomes({"--allow-pending", "--head", "bb20"}, 3)["heads"], kFailed);
}

TEST_F(CheckTest, AChangedFileIsNamedWithBothChecksums) {
  Add({.id = "aa10", .up = "CREATE TABLE a (x int);"});
  Text({"upgrade", "head"});
  Add({.id = "aa10", .up = "CREATE TABLE a (y int);"});
  EXPECT_EQ(Outcomes({}, 3)["checksums"], kFailed);
  EXPECT_THAT(Result("checksums")["details"][0].text(),
              AllOf(HasSubstr("aa10_test.sql: applied with checksum "),
                    HasSubstr(Query("SELECT checksum FROM migration_service.revision_log"))));
  // The command that the hint names accepts it.
  EXPECT_THAT(Result("checksums")["hint"].text(),
              HasSubstr("migctl upgrade heads --accept-checksum REVISION"));
  Text({"upgrade", "heads", "--accept-checksum", "aa10"});
  EXPECT_EQ(Outcomes({}, 0)["checksums"], kOk);
}

TEST_F(CheckTest, ARowThatNoFileHasIsAFailure) {
  Add({.id = "aa10"});
  Text({"upgrade", "head"});
  Query("UPDATE alembic_version SET version_num = 'ff99'");
  EXPECT_EQ(Outcomes({"--allow-pending"}, 3)["database"], kFailed);
  EXPECT_THAT(Result("database")["message"].text(), HasSubstr("ff99"));
}

TEST_F(CheckTest, WithoutADatabaseTheFilesAreChecked) {
  Add({.id = "aa10", .up = "CREATE TABLE a ();", .down = "DROP TABLE a;"});
  StartMigdOffline();
  auto outcomes = Outcomes({}, 0);
  EXPECT_EQ(outcomes["files"], kOk);
  EXPECT_EQ(outcomes["lint"], kOk);
  EXPECT_EQ(outcomes["database"], kSkipped);
  EXPECT_EQ(outcomes["pending"], kSkipped);
}

}  // namespace
}  // namespace migd
