// What migd's log tells of an operation, and what it keeps to itself.

#include <grpcpp/grpcpp.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "migration/v1/migration_service.grpc.pb.h"
#include "tests/e2e/monitored_service.h"
#include "tests/support/test_ca.h"

namespace migd {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kTrace[] = "4bf92f3577b34da6a3ce929d0e0e4736";

class LogTest : public MonitoredServiceTest {
 protected:
  // The entries with this message.
  std::vector<Json> Entries(const std::string& message) {
    std::vector<Json> entries;
    for (const absl::string_view line : absl::StrSplit(migd().log(), '\n', absl::SkipEmpty())) {
      Json entry = Json::Parse(std::string(line));
      if (entry["message"].text() == message) entries.push_back(entry);
    }
    return entries;
  }

  // Upgrades to head in a trace.
  grpc::Status Upgrade() {
    const auto stub = migration::v1::MigrationService::NewStub(
        grpc::CreateChannel(migd().address(), grpc::InsecureChannelCredentials()));
    grpc::ClientContext context;
    context.AddMetadata("traceparent", absl::StrCat("00-", kTrace, "-00f067aa0ba902b7-01"));
    migration::v1::UpgradeRequest request;
    request.set_target("head");
    const auto reader = stub->Upgrade(&context, request);
    migration::v1::OperationEvent event;
    while (reader->Read(&event)) {
    }
    return reader->Finish();
  }
};

TEST_F(LogTest, HasALineOfJsonForEachThingThatHappens) {
  Add({.id = "aa10", .up = "CREATE TABLE a ();"});
  Add({.id = "bb20", .revises = "aa10", .up = "CREATE TABLE b ();"});
  StartMigdWith({"--log-format", "json"});
  ASSERT_TRUE(Upgrade().ok());
  ASSERT_TRUE(Eventually([this] { return !Entries("call").empty(); }));
  const Json accepted = Entries("operation accepted").at(0);
  EXPECT_EQ(accepted["action"].text(), "upgrade");
  EXPECT_EQ(accepted["database"].text(), database().at("dbname"));
  EXPECT_THAT(accepted["principal"].text(), StartsWith("unix:"));
  const std::vector<Json> revisions = Entries("revision finished");
  ASSERT_EQ(revisions.size(), 2U);
  EXPECT_EQ(revisions[1]["revision"].text(), "bb20");
  EXPECT_EQ(revisions[1]["step"].text(), "2/2");
  const Json finished = Entries("operation finished").at(0);
  EXPECT_EQ(finished["state"].text(), "succeeded");
  const Json call = Entries("call").back();
  EXPECT_EQ(call["rpc"].text(), "Upgrade");
  EXPECT_EQ(call["code"].text(), "OK");
  for (const Json& entry : {accepted, revisions[0], finished}) {
    EXPECT_EQ(entry["operation"].text(), accepted["operation"].text());
    EXPECT_EQ(entry["trace_id"].text(), kTrace);
  }
  EXPECT_EQ(call["trace_id"].text(), kTrace);
}

TEST_F(LogTest, TellsWhatIsTakenUpAgain) {
  Add({.id = "aa10", .up = "CREATE TABLE a ();"});
  Add({.id = "bb20", .revises = "aa10", .up = "ALTER TABLE a ADD COLUMN x int;"});
  StartMonitoredMigd({"--log-format", "json", "--lock-timeout", "0"});
  Migctl({"upgrade", "aa10"});
  Hold("a");
  Process upgrade(MigctlCommand({"upgrade", "bb20"}));
  ASSERT_TRUE(SomebodyWaitsForALock());
  migd().KillAndRestart();
  ASSERT_TRUE(Eventually([this] { return !Entries("operation taken up again").empty(); }));
  Release();
  EXPECT_EQ(upgrade.Wait().exit_code, 0);
  const Json resumed = Entries("operation taken up again").at(0);
  EXPECT_EQ(resumed["operation"].text(), Entries("operation finished").at(0)["operation"].text());
  EXPECT_EQ(resumed["targets"].text(), "bb20");
  EXPECT_EQ(resumed["attempt"].text(), "2");
}

// What gRPC says is text of its own, in an entry of ours.
TEST_F(LogTest, WhatGrpcSaysIsInAnEntryWithOneMessage) {
  const TestCa ca;
  const Issued issued = ca.Issue({"localhost", "DNS:localhost"});
  StartMigdWith({"--log-format", "json", "--listen", authority(), "--tls-cert",
                 directory().Write("cert.pem", issued.certificate), "--tls-key",
                 directory().Write("key.pem", issued.key)});
  migd();
  httplib::Client plain_text("127.0.0.1", port());
  plain_text.Get("/");
  ASSERT_TRUE(Eventually([this] { return !Entries("grpc").empty(); })) << migd().log();
  EXPECT_THAT(Entries("grpc").at(0)["problem"].text(), HasSubstr("Handshake"));
}

TEST_F(LogTest, ATraceIsInTheNameOfTheSessionThatMigrates) {
  Add({.id = "aa10",
       .up = "CREATE TABLE a AS SELECT current_setting('application_name') AS name;"});
  StartMigdWith({"--log-format", "json"});
  ASSERT_TRUE(Upgrade().ok());
  const std::string operation = Entries("operation accepted").at(0)["operation"].text();
  EXPECT_EQ(Query("SELECT name FROM a"), absl::StrCat("migd ", operation, " trace=", kTrace));
}

TEST_F(LogTest, KeepsSecretsAndValuesToItself) {
  Add({.id = "aa10",
       .up = "CREATE TABLE a (card text PRIMARY KEY);\nINSERT INTO a VALUES ('4111-1111');\n"
             "ALTER ROLE CURRENT_USER PASSWORD 'hunter2';"});
  Add({.id = "bb20", .revises = "aa10", .up = "SELECT 'hunter3'::int;"});
  StartMonitoredMigd({"--log-format", "json"});
  Migctl({"upgrade", "aa10"});
  EXPECT_EQ(Upgrade().error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  ASSERT_TRUE(Eventually([this] { return !Entries("operation failed").empty(); }));
  const Json failed = Entries("operation failed").at(0);
  EXPECT_EQ(failed["revision"].text(), "bb20");
  EXPECT_EQ(failed["sqlstate"].text(), "22P02");
  EXPECT_THAT(failed["error"].text(), HasSubstr("invalid input syntax for type integer: \"?\""));
  for (const std::string secret : {"hunter2", "hunter3", "4111"}) {
    EXPECT_THAT(migd().log(), Not(HasSubstr(secret)));
    EXPECT_THAT(Page("/metrics"), Not(HasSubstr(secret)));
  }
}

}  // namespace
}  // namespace migd
