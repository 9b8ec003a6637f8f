// plan_action and plan_report: the plan that is shown and run.

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "service/execute/plan_action.h"
#include "service/execute/plan_report.h"
#include "tests/support/fake_workspace.h"

namespace migd {
namespace {

using migration::v1::ErrorReason;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr auto kUpgrade = migration::v1::ACTION_UPGRADE;
constexpr auto kDowngrade = migration::v1::ACTION_DOWNGRADE;
constexpr auto kStamp = migration::v1::ACTION_STAMP;

// --- CheckTargets ---

std::string ProblemOf(migration::v1::Action action, const std::vector<std::string>& targets,
                      bool purge = false) {
  const absl::Status status = CheckTargets(action, targets, purge);
  if (status.ok()) return "";
  EXPECT_EQ(errors::ReasonOf(status), ErrorReason::ERROR_REASON_INVALID_REQUEST);
  return std::string(status.message());
}

TEST(CheckTargets, TakesOneTargetAndManyForAStamp) {
  EXPECT_EQ(ProblemOf(kUpgrade, {"head"}), "");
  EXPECT_EQ(ProblemOf(kDowngrade, {"-1"}), "");
  EXPECT_EQ(ProblemOf(kStamp, {"a", "b"}), "");
  EXPECT_EQ(ProblemOf(kStamp, {"a"}, true), "");
}

TEST(CheckTargets, RefusesNoTargetTooManyAndEmptyOnes) {
  EXPECT_THAT(ProblemOf(kUpgrade, {}), HasSubstr("name a revision"));
  EXPECT_THAT(ProblemOf(kUpgrade, {"a", "b"}), HasSubstr("one is allowed here, 2 were given"));
  EXPECT_THAT(ProblemOf(kStamp, {"a", ""}), HasSubstr("is empty"));
}

TEST(CheckTargets, RefusesAnUnknownActionAndAPurgeThatIsNoStamp) {
  EXPECT_THAT(ProblemOf(migration::v1::ACTION_UNSPECIFIED, {"a"}), HasSubstr("action"));
  EXPECT_THAT(ProblemOf(static_cast<migration::v1::Action>(42), {"a"}), HasSubstr("action"));
  EXPECT_THAT(ProblemOf(kUpgrade, {"a"}, true), HasSubstr("purge"));
}

// --- DescribePlan ---

class PlanTest : public ::testing::Test {
 protected:
  migration::v1::Plan PlanOf(const VersionRows& rows, migration::v1::Action action,
                             const std::string& target) {
    const auto scripts = fake_.workspace().scripts->Load();
    EXPECT_TRUE(scripts.ok()) << scripts.status();
    const auto plan = PlanAction(**scripts, rows, action, {target}, false);
    EXPECT_TRUE(plan.ok()) << plan.status();
    return DescribePlan(**scripts, *plan);
  }

  // The hash of the upgrade from nothing to `a`, whose file has these contents.
  std::string HashWith(const std::string& up, const std::string& before_marker = "") {
    FakeWorkspace fake;
    fake.WriteFile("a_step.sql",
                   absl::StrCat("-- step a\n--\n-- Revision ID: a\n-- Revises:\n", before_marker,
                                "\n-- migrate:up", up, "\n-- migrate:down\n"));
    const auto scripts = fake.workspace().scripts->Load();
    EXPECT_TRUE(scripts.ok()) << scripts.status();
    return DescribePlan(**scripts, *PlanAction(**scripts, {}, kUpgrade, {"head"}, false))
        .plan_hash();
  }

  FakeWorkspace fake_;
};

TEST_F(PlanTest, SaysWhatEachStepRunsAndLeadsTo) {
  fake_.Write({"a", "", "\nSELECT 1;\nSELECT 2;\n"});
  fake_.Write({"b", "a", " transaction:false\nSELECT 1;\n"});
  const migration::v1::Plan plan = PlanOf({}, kUpgrade, "head");
  ASSERT_EQ(plan.steps_size(), 2);
  EXPECT_EQ(plan.steps(0).revision(), "a");
  EXPECT_EQ(plan.steps(0).direction(), migration::v1::DIRECTION_UPGRADE);
  EXPECT_EQ(plan.steps(0).message(), "step a");
  EXPECT_EQ(plan.steps(0).path(), "a_step.sql");
  EXPECT_EQ(plan.steps(0).statement_count(), 2);
  EXPECT_TRUE(plan.steps(0).transactional());
  EXPECT_THAT(plan.steps(0).resulting_revisions(), ElementsAre("a"));
  EXPECT_FALSE(plan.steps(1).transactional());
  EXPECT_THAT(plan.starting_revisions(), IsEmpty());
  EXPECT_THAT(plan.resulting_revisions(), ElementsAre("b"));
}

TEST_F(PlanTest, SaysWhichRowsEachStepChanges) {
  fake_.Write({"a", ""});
  fake_.Write({"b", "a"});
  fake_.Write({"c", "a"});
  fake_.Write({"d", "b,c"});
  const migration::v1::Plan plan = PlanOf({}, kUpgrade, "head");
  std::vector<std::string> changes;
  for (const migration::v1::Step& step : plan.steps()) {
    changes.push_back(absl::StrCat("-", absl::StrJoin(step.deleted_revisions(), ","), " +",
                                   absl::StrJoin(step.inserted_revisions(), ",")));
  }
  // b is inserted beside c; d takes the place of both.
  EXPECT_THAT(changes, ElementsAre("- +a", "-a +c", "- +b", "-b,c +d"));
  EXPECT_FALSE(plan.rows_omitted());
}

TEST_F(PlanTest, RowsWithoutEndAreLeftOut) {
  constexpr int kBases = 700;
  for (int i = 0; i < kBases; ++i) fake_.Write({absl::StrCat("a", i), ""});
  const migration::v1::Plan plan = PlanOf({}, kUpgrade, "heads");
  EXPECT_TRUE(plan.rows_omitted());
  ASSERT_EQ(plan.steps_size(), kBases);
  for (const migration::v1::Step& step : plan.steps()) {
    EXPECT_THAT(step.resulting_revisions(), IsEmpty());
    EXPECT_THAT(step.inserted_revisions(), ElementsAre(step.revision()));
  }
  EXPECT_EQ(plan.resulting_revisions_size(), kBases);
}

TEST_F(PlanTest, AStampRunsNoStatement) {
  fake_.Write({"a", "", " transaction:false\nSELECT 1;\n"});
  const migration::v1::Plan plan = PlanOf({}, kStamp, "a");
  ASSERT_EQ(plan.steps_size(), 1);
  EXPECT_EQ(plan.steps(0).direction(), migration::v1::DIRECTION_STAMP);
  EXPECT_EQ(plan.steps(0).statement_count(), 0);
  EXPECT_TRUE(plan.steps(0).transactional());
}

TEST_F(PlanTest, ADowngradeNeedsADownSectionInEveryFileOnTheWay) {
  fake_.Write({"a", "", "\nSELECT 1;\n", "", true});
  fake_.Write({"b", "a"});
  const auto scripts = fake_.workspace().scripts->Load();
  ASSERT_TRUE(scripts.ok()) << scripts.status();
  EXPECT_TRUE(PlanAction(**scripts, {"b"}, kDowngrade, {"a"}, false).ok());
  const auto refused = PlanAction(**scripts, {"b"}, kDowngrade, {"base"}, false);
  EXPECT_EQ(errors::ReasonOf(refused.status()), ErrorReason::ERROR_REASON_IRREVERSIBLE);
}

TEST_F(PlanTest, TheHashChangesWithASectionButNotWithAComment) {
  const std::string hash = HashWith("\nSELECT 1;\n");
  EXPECT_EQ(hash.size(), 64U);
  EXPECT_EQ(HashWith("\nSELECT 1;\n"), hash);
  EXPECT_EQ(HashWith("\n-- why\nSELECT 1;\n"), hash);
  EXPECT_EQ(HashWith("\nSELECT 1;\n", "-- Create Date: 2025-01-16 00:00:00\n"), hash);
  EXPECT_NE(HashWith("\nSELECT 2;\n"), hash);
  EXPECT_NE(HashWith(" transaction:false\nSELECT 1;\n"), hash);
}

TEST_F(PlanTest, TheHashChangesWithTheRowsAndTheDirection) {
  fake_.Write({"a", ""});
  fake_.Write({"b", "a"});
  const std::string hash = PlanOf({}, kUpgrade, "head").plan_hash();
  EXPECT_NE(PlanOf({"a"}, kUpgrade, "head").plan_hash(), hash);
  EXPECT_NE(PlanOf({}, kUpgrade, "a").plan_hash(), hash);
  EXPECT_NE(PlanOf({"a"}, kStamp, "b").plan_hash(), PlanOf({"a"}, kUpgrade, "b").plan_hash());
}

}  // namespace
}  // namespace migd
