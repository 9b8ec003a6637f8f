#include "service/execute/run_options.h"

#include "gtest/gtest.h"
#include "service/base/errors.h"

namespace migd {
namespace {

using migration::v1::RunOptions;

RunOptions Decided(bool resume, int skip_statement) {
  RunOptions options;
  options.set_resume(resume);
  options.set_skip_statement(skip_statement);
  return options;
}

absl::StatusOr<ExecuteRequest> Read(const RunOptions& options, migration::v1::Action action,
                                    const Workspace& workspace = Workspace()) {
  ExecuteRequest request;
  request.action = action;
  const absl::Status status = ReadRunOptions(options, workspace, request);
  if (!status.ok()) return status;
  return request;
}

bool IsRefused(const RunOptions& options, migration::v1::Action action) {
  return errors::ReasonOf(Read(options, action).status()) ==
         migration::v1::ERROR_REASON_INVALID_REQUEST;
}

TEST(ReadRunOptions, WhatTheCallerDoesNotSayIsTheWorkspaces) {
  Workspace workspace;
  Policy policy;
  policy.timeouts = {absl::Seconds(2), absl::Minutes(5)};
  policy.lock_retries = 7;
  workspace.SetPolicy(policy);
  RunOptions options;
  options.mutable_statement_timeout()->set_seconds(1);
  const auto request = Read(options, migration::v1::ACTION_UPGRADE, workspace);
  EXPECT_EQ(request->timeouts.lock_timeout, absl::Seconds(2));
  EXPECT_EQ(request->timeouts.statement_timeout, absl::Seconds(1));
  EXPECT_EQ(request->lock_retries, 7);
  EXPECT_EQ(request->mutex_deadline, absl::InfiniteFuture());
}

TEST(ReadRunOptions, AnUpgradeOrADowngradeMayDecide) {
  EXPECT_TRUE(Read(Decided(true, 0), migration::v1::ACTION_UPGRADE)->decisions.resume);
  EXPECT_EQ(Read(Decided(false, 3), migration::v1::ACTION_DOWNGRADE)->decisions.skip_statement, 3);
}

TEST(ReadRunOptions, NothingIsDecidedInAStamp) {
  EXPECT_TRUE(IsRefused(Decided(true, 0), migration::v1::ACTION_STAMP));
  EXPECT_TRUE(IsRefused(Decided(false, 3), migration::v1::ACTION_STAMP));
  EXPECT_FALSE(IsRefused(RunOptions(), migration::v1::ACTION_STAMP));
}

TEST(ReadRunOptions, AStatementIsRunOrSkippedNotBoth) {
  EXPECT_TRUE(IsRefused(Decided(true, 3), migration::v1::ACTION_UPGRADE));
}

TEST(ReadRunOptions, StatementsAreCountedFromOne) {
  EXPECT_TRUE(IsRefused(Decided(false, -1), migration::v1::ACTION_UPGRADE));
}

TEST(ReadRunOptions, AStampCanBeToldToVerifyAnUpgradeCannot) {
  RunOptions options;
  options.set_schema_check(migration::v1::SCHEMA_CHECK_REQUIRE);
  EXPECT_EQ(Read(options, migration::v1::ACTION_STAMP)->schema_check,
            migration::v1::SCHEMA_CHECK_REQUIRE);
  EXPECT_TRUE(IsRefused(options, migration::v1::ACTION_UPGRADE));
  options.set_schema_check(migration::v1::SCHEMA_CHECK_OFF);
  EXPECT_FALSE(IsRefused(options, migration::v1::ACTION_UPGRADE));
  EXPECT_TRUE(IsRefused(options, migration::v1::ACTION_DOWNGRADE));
}

TEST(ReadRunOptions, OnlyAnUpgradeMeetsExistingObjects) {
  RunOptions options;
  options.set_existing_objects(migration::v1::EXISTING_OBJECTS_SKIP);
  EXPECT_EQ(Read(options, migration::v1::ACTION_UPGRADE)->existing_objects,
            migration::v1::EXISTING_OBJECTS_SKIP);
  EXPECT_TRUE(IsRefused(options, migration::v1::ACTION_STAMP));
}

}  // namespace
}  // namespace migd
