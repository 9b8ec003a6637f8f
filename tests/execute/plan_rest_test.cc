#include "service/execute/plan_rest.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "service/execute/plan_action.h"
#include "service/execute/plan_report.h"
#include "tests/support/fake_workspace.h"

namespace migd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// a <- b <- m, x <- m
class PlanRestTest : public ::testing::Test {
 protected:
  PlanRestTest() {
    fake_.Write({"a", ""});
    fake_.Write({"b", "a"});
    fake_.Write({"x", "a"});
    fake_.Write({"m", "b, x"});
    Load();
  }
  void Load() { scripts_ = fake_.workspace().scripts->Load().value(); }

  // The plan as an earlier attempt has stored it.
  migration::v1::Plan Earlier(const VersionRows& rows, migration::v1::Action action,
                              const std::string& target) {
    return DescribePlan(*scripts_, PlanAction(*scripts_, rows, action, {target}, false).value());
  }

  static std::vector<std::string> StepsOf(const absl::StatusOr<Plan>& plan) {
    EXPECT_TRUE(plan.ok()) << plan.status();
    std::vector<std::string> steps;
    for (const Step& step : plan->steps) steps.push_back(step.revision);
    return steps;
  }

  FakeWorkspace fake_;
  std::shared_ptr<const ScriptSet> scripts_;
};

TEST_F(PlanRestTest, FromEachPointItIsWhatAPlanFromThereWouldBe) {
  for (const auto& [start, action, target] :
       std::vector<std::tuple<VersionRows, migration::v1::Action, std::string>>{
           {{}, migration::v1::ACTION_UPGRADE, "m"},
           {{"m"}, migration::v1::ACTION_DOWNGRADE, "base"}}) {
    const migration::v1::Plan earlier = Earlier(start, action, target);
    ASSERT_EQ(earlier.steps_size(), 4);
    VersionRows rows = start;
    for (int done = 0; done <= earlier.steps_size(); ++done) {
      const auto rest = RestOfPlan(*scripts_, earlier, rows);
      ASSERT_TRUE(rest.ok()) << rest.status();
      ASSERT_EQ(rest->steps.size(), static_cast<size_t>(earlier.steps_size() - done));
      EXPECT_EQ(rest->starting_rows, rows);
      // Its writes lead to the rows that the plan said.
      VersionRows reached = rows;
      for (const Step& step : rest->steps) ApplyWrites(step.writes, reached);
      EXPECT_EQ(reached, rest->resulting_rows);
      if (done == earlier.steps_size()) break;
      EXPECT_EQ(rest->steps[0].revision, earlier.steps(done).revision());
      ApplyWrites(rest->steps[0].writes, rows);
      EXPECT_THAT(std::vector<std::string>(rows.begin(), rows.end()),
                  ::testing::ElementsAreArray(earlier.steps(done).resulting_revisions()));
    }
  }
}

TEST_F(PlanRestTest, ARelativePlanGoesNoFurtherThanItSaid) {
  const migration::v1::Plan earlier = Earlier({"a"}, migration::v1::ACTION_UPGRADE, "b@+1");
  EXPECT_THAT(StepsOf(RestOfPlan(*scripts_, earlier, {"b"})), IsEmpty());
}

TEST_F(PlanRestTest, RowsThatThePlanDoesNotComeByAreSomebodyElses) {
  const migration::v1::Plan earlier = Earlier({"a"}, migration::v1::ACTION_UPGRADE, "b");
  for (const VersionRows& rows : std::vector<VersionRows>{{}, {"x"}, {"b", "x"}}) {
    EXPECT_EQ(errors::ReasonOf(RestOfPlan(*scripts_, earlier, rows).status()),
              migration::v1::ERROR_REASON_VERSION_ROW_MISMATCH);
  }
}

TEST_F(PlanRestTest, AStampWritesItsRows) {
  const migration::v1::Plan earlier = Earlier({}, migration::v1::ACTION_STAMP, "b");
  EXPECT_THAT(StepsOf(RestOfPlan(*scripts_, earlier, {})), ElementsAre("b"));
  EXPECT_THAT(StepsOf(RestOfPlan(*scripts_, earlier, {"b"})), IsEmpty());
}

TEST_F(PlanRestTest, AFileThatIsGoneCannotBeRun) {
  migration::v1::Plan earlier = Earlier({"a"}, migration::v1::ACTION_UPGRADE, "b");
  earlier.mutable_steps(0)->set_revision("gone");
  EXPECT_EQ(errors::ReasonOf(RestOfPlan(*scripts_, earlier, {"a"}).status()),
            migration::v1::ERROR_REASON_UNKNOWN_REVISION);
  EXPECT_TRUE(RestOfPlan(*scripts_, earlier, {"b"}).ok());
}

}  // namespace
}  // namespace migd
