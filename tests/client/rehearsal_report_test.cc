// What a rehearsal has seen, as people read it.
#include "client/rehearsal_report.h"

#include <gtest/gtest.h>

#include <string>

namespace migctl {
namespace {

using migration::v1::RehearseResponse;

// A step up to a91f that is one transaction, or is not.
migration::v1::Plan PlanOf(bool transactional) {
  migration::v1::Plan plan;
  migration::v1::Step& step = *plan.add_steps();
  step.set_revision("a91f");
  step.set_direction(migration::v1::DIRECTION_UPGRADE);
  step.set_transactional(transactional);
  return plan;
}

RehearseResponse Statement(const std::string& summary) {
  RehearseResponse response;
  migration::v1::RehearsedStatement& statement = *response.mutable_statement();
  statement.set_pass(migration::v1::REHEARSAL_PASS_FIRST);
  statement.set_revision("a91f");
  statement.set_direction(migration::v1::DIRECTION_UPGRADE);
  statement.set_statement_index(1);
  statement.set_statement_count(2);
  statement.set_line(7);
  statement.set_summary(summary);
  statement.mutable_duration()->set_nanos(3'000'000);
  return response;
}

TEST(RehearsalText, TellsTheLocksAndTheSizeOfWhatIsRewritten) {
  RehearseResponse response = Statement("ALTER TABLE t ALTER a TYPE bigint");
  migration::v1::RelationLock& lock = *response.mutable_statement()->add_locks();
  lock.set_relation("public.t");
  lock.set_mode(migration::v1::LOCK_MODE_ACCESS_EXCLUSIVE);
  migration::v1::RelationWork& work = *response.mutable_statement()->add_rewrites();
  work.set_kind(migration::v1::RELATION_WORK_KIND_REWRITE);
  work.set_relation("public.t");
  work.set_size_bytes(14'000'000);
  work.set_estimated_rows(100'000);
  const std::string line =
      "  1/2 line 7: ALTER TABLE t ALTER a TYPE bigint  3ms  ACCESS EXCLUSIVE on public.t; "
      "rewrites "
      "public.t ";
  EXPECT_EQ(RehearsalText(response, PlanOf(true), {}), line + "(14 MB, ~100,000 rows)\n");
  // Nobody has analyzed it yet.
  work.set_estimated_rows(-1);
  EXPECT_EQ(RehearsalText(response, PlanOf(true), {}), line + "(14 MB, rows unknown)\n");
}

TEST(RehearsalText, DoesNotTakeALockThatNobodySawForNone) {
  const RehearseResponse response = Statement("VACUUM t");
  EXPECT_EQ(RehearsalText(response, PlanOf(true), {}),
            "  1/2 line 7: VACUUM t  3ms  no further lock\n");
  EXPECT_EQ(RehearsalText(response, PlanOf(false), {}),
            "  1/2 line 7: VACUUM t  3ms  no lock seen while it ran\n");
}

TEST(RehearsalText, SaysThatTheTablesHadNoRows) {
  RehearseResponse response;
  response.mutable_finished()->set_succeeded(true);
  response.mutable_finished()->set_went_back(true);
  response.mutable_finished()->mutable_duration()->set_seconds(2);
  EXPECT_EQ(
      RehearsalText(response, PlanOf(true), {}),
      "\nRehearsed: up, down and up again, in 2.0s on tables without rows; nothing is left of "
      "the copy\n");
}

}  // namespace
}  // namespace migctl
