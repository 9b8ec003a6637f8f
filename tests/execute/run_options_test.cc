#include "service/rpc/run_options.h"

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

bool IsRefused(const RunOptions& options, migration::v1::Action action) {
  return errors::ReasonOf(ReadRunDecisions(options, action).status()) ==
         migration::v1::ERROR_REASON_INVALID_REQUEST;
}

TEST(ReadRunDecisions, AnUpgradeOrADowngradeMayDecide) {
  EXPECT_TRUE(ReadRunDecisions(Decided(true, 0), migration::v1::ACTION_UPGRADE)->resume);
  EXPECT_EQ(ReadRunDecisions(Decided(false, 3), migration::v1::ACTION_DOWNGRADE)->skip_statement,
            3);
}

TEST(ReadRunDecisions, NothingIsDecidedInAStamp) {
  EXPECT_TRUE(IsRefused(Decided(true, 0), migration::v1::ACTION_STAMP));
  EXPECT_TRUE(IsRefused(Decided(false, 3), migration::v1::ACTION_STAMP));
  EXPECT_FALSE(IsRefused(RunOptions(), migration::v1::ACTION_STAMP));
}

TEST(ReadRunDecisions, AStatementIsRunOrSkippedNotBoth) {
  EXPECT_TRUE(IsRefused(Decided(true, 3), migration::v1::ACTION_UPGRADE));
}

TEST(ReadRunDecisions, StatementsAreCountedFromOne) {
  EXPECT_TRUE(IsRefused(Decided(false, -1), migration::v1::ACTION_UPGRADE));
}

}  // namespace
}  // namespace migd
