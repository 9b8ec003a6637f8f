// plan --rehearse: what statements do in a copy of the schema, and that nothing of it remains.

#include <signal.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr int kCheckFailed = 3;

class RehearsalTest : public ServiceTest {
 protected:
  void SetUp() override {
    if (!TestCluster::HasPgDump()) GTEST_SKIP() << "pg_dump is older than the server";
    Add({"a1", "",
         "CREATE TABLE items (id bigint PRIMARY KEY, amount integer, name text);\n"
         "INSERT INTO items SELECT g, g FROM generate_series(1, 1000) g;\n"
         "CREATE PROCEDURE work_on_items() LANGUAGE plpgsql AS $$ BEGIN COMMIT; "
         "LOCK TABLE items IN SHARE MODE; PERFORM pg_sleep(0.5); END $$;",
         "DROP TABLE items;\nDROP PROCEDURE work_on_items;"});
    Text({"upgrade", "a1"});
  }

  // What a rehearsal tells, as JSON; it ends with `exit_code`.
  std::vector<Json> Rehearse(const Arguments& plan, int exit_code) {
    Arguments arguments = {"--output", "json", "plan"};
    arguments.insert(arguments.end(), plan.begin(), plan.end());
    arguments.emplace_back("--rehearse");
    const Finished finished = Migctl(arguments);
    EXPECT_EQ(finished.exit_code, exit_code) << finished.out << finished.err;
    return Json::ParseLines(finished.out);
  }

  static Json Last(const std::vector<Json>& messages) {
    EXPECT_FALSE(messages.empty());
    return messages.back()["finished"];
  }

  std::string Scratches() const {
    return Query("SELECT count(*) FROM pg_database WHERE datname LIKE 'migd_scratch%'");
  }
};

TEST_F(RehearsalTest, TellsTheLocksAndTheRewritesOfEachStatement) {
  Add({"b2", "a1",
       "ALTER TABLE items ALTER COLUMN amount TYPE bigint;\n"
       "CREATE TABLE extra (id bigint PRIMARY KEY);",
       "DROP TABLE extra; ALTER TABLE items ALTER COLUMN amount TYPE integer;"});
  Add({"c3", "b2", "CREATE INDEX extra_id ON extra (id);", "DROP INDEX extra_id;"});
  // A procedure that commits runs outside a transaction, and keeps its lock for a while.
  Add({"d4", "c3", "CALL work_on_items();", "", "transaction:false"});
  Query("ANALYZE items");
  const std::string before = Dump();
  const std::vector<Json> messages = Rehearse({"upgrade", "head"}, 0);

  const std::vector<Json> statements = OfKind(messages, "statement");
  ASSERT_GE(statements.size(), 4U);
  const Json alter = statements[0];
  EXPECT_EQ(alter["locks"][0]["relation"].text(), "public.items");
  EXPECT_EQ(alter["locks"][0]["mode"].text(), "LOCK_MODE_ACCESS_EXCLUSIVE");
  EXPECT_THAT(alter["duration"].text(), EndsWith("s"));
  EXPECT_EQ(alter["rewrites"][0]["relation"].text(), "public.items");
  EXPECT_EQ(alter["rewrites"][0]["estimated_rows"].text(), "1000");
  const Json index = statements[2];
  EXPECT_EQ(index["locks"][0]["relation"].text(), "public.extra");
  EXPECT_EQ(index["locks"][0]["is_new"].text(), "true");
  const Json outside = statements[3];
  EXPECT_EQ(outside["locks"][0]["relation"].text(), "public.items");
  EXPECT_EQ(outside["locks"][0]["mode"].text(), "LOCK_MODE_SHARE");

  EXPECT_EQ(Last(messages)["succeeded"].text(), "true");
  EXPECT_EQ(Last(messages)["went_back"].text(), "true");
  EXPECT_EQ(Dump(), before);
  EXPECT_EQ(Scratches(), "0");
}

TEST_F(RehearsalTest, FindsADownSectionThatDoesNotUndoItsUp) {
  Add({"b2", "a1", "CREATE TABLE kept (id int); CREATE TABLE gone (id int);", "DROP TABLE gone;"});
  const std::vector<Json> messages = Rehearse({"upgrade", "head"}, kCheckFailed);
  const Json found = Last(messages)["irreversibilities"][0];
  EXPECT_EQ(found["revision"].text(), "b2");
  EXPECT_EQ(found["differences"][0]["kind"].text(), "KIND_UNEXPECTED");
  EXPECT_EQ(found["differences"][0]["object_name"].text(), "public.kept");
  EXPECT_THAT(found["error"]["message"].text(), HasSubstr("already exists"));

  const Finished text = Migctl({"plan", "upgrade", "head", "--rehearse"});
  EXPECT_THAT(text.out, HasSubstr("not reversible: revision b2\n  unexpected table public.kept"));
}

TEST_F(RehearsalTest, ARevisionWithoutADownSectionIsToldAsSuch) {
  AddFile("b2_one_way.sql",
          "-- b2\n--\n-- Revision ID: b2\n-- Revises: a1\n\n-- migrate:up\n"
          "CREATE TABLE t (id int);\n");
  Add({"c3", "b2", "CREATE TABLE u (id int);", "DROP TABLE u;"});
  const std::vector<Json> messages = Rehearse({"upgrade", "head"}, kCheckFailed);
  EXPECT_EQ(Last(messages)["irreversibilities"][0]["revision"].text(), "b2");
  EXPECT_EQ(Last(messages)["irreversibilities"][0]["error"]["reason"].text(), "IRREVERSIBLE");
  EXPECT_EQ(Last(Rehearse({"upgrade", "head", "--one-way"}, 0))["succeeded"].text(), "true");
}

TEST_F(RehearsalTest, AFailureIsFoundBeforeTheLiveDatabaseFindsIt) {
  Add({"b2", "a1", "CREATE TABLE t (id int);\nALTER TABLE nowhere ADD COLUMN x int;"});
  const std::vector<Json> messages = Rehearse({"upgrade", "head"}, kCheckFailed);
  EXPECT_THAT(Last(messages)["error"]["message"].text(), HasSubstr("nowhere"));
  EXPECT_EQ(VersionRows(), "a1");
  EXPECT_EQ(Scratches(), "0");
}

// What all databases of the server share is not tried on them.
TEST_F(RehearsalTest, WhatChangesTheWholeServerRunsInAClusterOfItsOwn) {
  const std::string role = absl::StrCat("role_of_", database().at("dbname"));
  const std::string count =
      absl::StrCat("SELECT count(*) FROM pg_roles WHERE rolname = '", role, "'");
  Add({"b2", "a1",
       absl::StrCat("CREATE ROLE ", role, ";\nGRANT SELECT ON items TO ", role,
                    ";\nALTER DATABASE ", database().at("dbname"), " SET work_mem = '7MB';"),
       absl::StrCat("REVOKE ALL ON items FROM ", role, ";\nDROP ROLE ", role, ";")});
  const std::vector<Json> messages = Rehearse({"upgrade", "b2"}, 0);
  EXPECT_THAT(messages.front()["started"]["scratch"].text(),
              HasSubstr("a private cluster, as revision b2 says CREATE ROLE, which changes the "
                        "whole server"));
  EXPECT_EQ(Query(count), "0");
  EXPECT_EQ(Query("SELECT count(*) FROM pg_db_role_setting s JOIN pg_database d "
                  "ON d.oid = s.setdatabase WHERE datname = current_database() "
                  "AND setconfig::text LIKE '%7MB%'"),
            "0");

  Text({"upgrade", "b2"});
  EXPECT_EQ(Query(count), "1");
  // The files make a role that the server has by now.
  EXPECT_THAT(Text({"verify"}), HasSubstr("all as the files make them"));
  Text({"downgrade", "a1", "--yes"});
  EXPECT_EQ(Query(count), "0");
}

TEST_F(RehearsalTest, WithoutTheRightToMakeDatabasesItRunsInAClusterOfItsOwn) {
  ConnectionOptions modest = database();
  modest["user"] = absl::StrCat("modest_", database().at("dbname"));
  Query(absl::StrCat("CREATE ROLE ", modest["user"], " LOGIN IN ROLE ", database().at("user")));
  Add({"b2", "a1", "ALTER TABLE items ALTER COLUMN amount TYPE bigint;",
       "ALTER TABLE items ALTER COLUMN amount TYPE integer;"});
  const Migd server({"--database", TestCluster::Uri(modest), "--migrations", migrations()});
  const Finished rehearsal = RunCommand({{TestVariable("MIGCTL"), "--server", server.address(),
                                          "plan", "upgrade", "head", "--rehearse"}});
  EXPECT_EQ(rehearsal.exit_code, 0) << rehearsal.err;
  EXPECT_THAT(rehearsal.out,
              AllOf(HasSubstr("in a private cluster"),
                    HasSubstr("ACCESS EXCLUSIVE on public.items; rewrites public.items"),
                    HasSubstr("Rehearsed: up, down and up again")));
  EXPECT_EQ(Scratches(), "0");
}

TEST_F(RehearsalTest, OfAPrivateClusterWhoseServerWasKilledNothingRemainsEither) {
  const TemporaryDirectory temporary;
  StartMigdWith({}, {{"TMPDIR", temporary.path()}});
  Add({"b2", "a1", "CREATE ROLE role_of_nobody;\nSELECT pg_sleep(600);"});
  Process rehearsal(MigctlCommand({"plan", "upgrade", "head", "--rehearse"}));
  ASSERT_TRUE(rehearsal.WaitForOutput("1/2 line"));
  std::vector<fs::path> clusters;
  for (const auto& entry : fs::directory_iterator(temporary.path())) {
    if (fs::exists(entry.path() / "data")) clusters.push_back(entry.path());
  }
  ASSERT_EQ(clusters.size(), 1U);
  pid_t postgres = 0;
  std::ifstream(clusters[0] / "data" / "postmaster.pid") >> postgres;
  ASSERT_GT(postgres, 1);
  EXPECT_EQ(kill(postgres, 0), 0);

  migd().KillAndRestart();
  EXPECT_TRUE(Eventually([&] { return kill(postgres, 0) != 0 && errno == ESRCH; }));
  EXPECT_TRUE(Eventually([&] { return fs::is_empty(temporary.path()); }));
  rehearsal.Wait();
}

TEST_F(RehearsalTest, ADowngradeGoesOneWay) {
  const std::vector<Json> messages = Rehearse({"downgrade", "base"}, 0);
  const std::vector<Json> statements = OfKind(messages, "statement");
  ASSERT_EQ(statements.size(), 2U);
  EXPECT_EQ(statements[0]["locks"][0]["relation"].text(), "public.items");
  EXPECT_EQ(Query("SELECT count(*) FROM items"), "1000");
}

class LongRehearsalTest : public RehearsalTest {
 protected:
  void SetUp() override {
    RehearsalTest::SetUp();
    if (IsSkipped()) return;
    Add({"b2", "a1", "SELECT pg_sleep(600);"});
    rehearsal_ =
        std::make_unique<Process>(MigctlCommand({"plan", "upgrade", "head", "--rehearse"}));
    ASSERT_TRUE(Eventually([&] { return Sleepers() == "1"; }));
    EXPECT_EQ(Scratches(), "1");
  }

  std::string Sleepers() const {
    return Query(
        "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE 'migd_scratch%' "
        "AND query LIKE '%pg_sleep(600)%' AND state = 'active'");
  }

  std::unique_ptr<Process> rehearsal_;
};

TEST_F(LongRehearsalTest, ItEndsWithItsCaller) {
  rehearsal_->Signal(SIGKILL);
  EXPECT_TRUE(Eventually([&] { return Scratches() == "0"; }));
  EXPECT_EQ(Sleepers(), "0");
}

TEST_F(LongRehearsalTest, NothingRemainsOfOneThatWasKilledWhenAServerHasStartedAgain) {
  migd().KillAndRestart();
  EXPECT_TRUE(Eventually([&] { return Scratches() == "0"; }));
  EXPECT_EQ(Sleepers(), "0");
  rehearsal_->Wait();
}

TEST_F(LongRehearsalTest, ItDoesNotKeepAServerFromStopping) {
  migd().process().Signal(SIGTERM);
  EXPECT_EQ(migd().process().Wait().exit_code, 0);
  EXPECT_EQ(Scratches(), "0");
  EXPECT_NE(rehearsal_->Wait().exit_code, 0);
}

}  // namespace
}  // namespace migd
