// The gate before the first step, on a database in memory.
#include "service/execute/lint_gate.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "service/execute/run_options.h"
#include "tests/support/event_text.h"
#include "tests/support/fake_workspace.h"

namespace migd {
namespace {

using migration::v1::Finding;
using migration::v1::OperationEvent;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr TableSize kLarge = {int64_t{5} << 20};

class LintGateTest : public ::testing::Test {
 protected:
  ExecuteResult Upgrade(migration::v1::LintGate gate = migration::v1::LINT_GATE_UNSPECIFIED) {
    return Run(migration::v1::ACTION_UPGRADE, "head", gate);
  }

  ExecuteResult Run(migration::v1::Action action, const std::string& target,
                    migration::v1::LintGate gate) {
    ExecuteRequest request;
    request.action = action;
    request.targets = {target};
    migration::v1::RunOptions options;
    options.set_lint(gate);
    EXPECT_TRUE(ReadRunOptions(options, workspace_.workspace(), request).ok());
    Cancellation cancellation;
    return Execute(workspace_.workspace(), request, cancellation, [this](OperationEvent event) {
      if (event.has_lint_finding()) findings_.push_back(event.lint_finding());
      if (event.has_step_started()) ++started_steps_;
    });
  }

  // "rule severity" of the findings that were told.
  std::vector<std::string> Told() const {
    std::vector<std::string> told;
    for (const Finding& finding : findings_) {
      told.push_back(finding.rule() +
                     (finding.severity() == migration::v1::SEVERITY_ERROR ? " error" : " warning"));
    }
    return told;
  }

  void AddTable(const std::string& name, TableSize size) {
    workspace_.database().AddTable(name);
    workspace_.database().SetTableSize(name, size);
  }

  FakeWorkspace workspace_;
  std::vector<Finding> findings_;
  int started_steps_ = 0;
};

TEST_F(LintGateTest, StopsBeforeTheFirstStep) {
  AddTable("t", kLarge);
  workspace_.Write({"a", "", "\nSELECT 1;\n", "\nSELECT 1;\n"});
  workspace_.Write({"b", "a", "\nCREATE INDEX i ON t (x);\n", "\nSELECT 1;\n"});
  const ExecuteResult result = Upgrade();
  EXPECT_EQ(errors::ReasonOf(result.status), migration::v1::ERROR_REASON_LINT_FAILED);
  EXPECT_THAT(std::string(result.status.message()), HasSubstr("b_step.sql:7:1"));
  EXPECT_THAT(Told(), ElementsAre("index-not-concurrent error"));
  EXPECT_EQ(started_steps_, 0);
  EXPECT_THAT(workspace_.database().log(), IsEmpty());
}

TEST_F(LintGateTest, AWarningIsToldAndStopsNothing) {
  workspace_.Write({"a", "", "\nDROP TABLE IF EXISTS t;\n", "\nSELECT 1;\n"});
  EXPECT_TRUE(Upgrade().status.ok());
  EXPECT_THAT(Told(), ElementsAre("drop-table warning"));
}

TEST_F(LintGateTest, TheCallDecidesOverTheSettings) {
  AddTable("t", kLarge);
  workspace_.Write({"a", "", "\nCREATE INDEX i ON t (x);\n", "\nSELECT 1;\n"});
  workspace_.ChangePolicy([](Policy& policy) { policy.lint_gate = migration::v1::LINT_GATE_OFF; });
  EXPECT_FALSE(Upgrade(migration::v1::LINT_GATE_ERROR).status.ok());
  findings_.clear();
  EXPECT_TRUE(Upgrade(migration::v1::LINT_GATE_WARN).status.ok());
  EXPECT_THAT(Told(), ElementsAre("index-not-concurrent error"));
}

TEST_F(LintGateTest, OffLooksAtNothing) {
  AddTable("t", kLarge);
  workspace_.Write({"a", "", "\nCREATE INDEX i ON t (x);\n", "\nSELECT 1;\n"});
  EXPECT_TRUE(Upgrade(migration::v1::LINT_GATE_OFF).status.ok());
  EXPECT_THAT(Told(), IsEmpty());
}

TEST_F(LintGateTest, TheSettingsOfTheDatabaseCount) {
  workspace_.Write({"a", "", "\nDROP TABLE IF EXISTS t;\n", "\nSELECT 1;\n"});
  workspace_.ChangePolicy([](Policy& policy) {
    policy.lint_severities = {{"drop-table", migration::v1::SEVERITY_ERROR}};
  });
  EXPECT_FALSE(Upgrade().status.ok());
  workspace_.ChangePolicy([](Policy& policy) { policy.lint_gate = migration::v1::LINT_GATE_WARN; });
  EXPECT_TRUE(Upgrade().status.ok());
}

TEST_F(LintGateTest, ASmallTableHurtsNobody) {
  AddTable("t", {3 << 10});
  workspace_.Write({"a", "", "\nCREATE INDEX i ON t (x);\n", "\nSELECT 1;\n"});
  EXPECT_TRUE(Upgrade().status.ok());
  ASSERT_THAT(Told(), ElementsAre("index-not-concurrent warning"));
  EXPECT_THAT(findings_[0].message(), HasSubstr("t has 3 kB here"));
}

TEST_F(LintGateTest, NorDoesOneThatIsMadeOnTheWay) {
  workspace_.Write({"a", "", "\nCREATE TABLE t (a text);\n", "\nSELECT 1;\n"});
  workspace_.Write({"b", "a", "\nCREATE INDEX i ON t (x);\n", "\nSELECT 1;\n"});
  EXPECT_TRUE(Upgrade().status.ok());
  ASSERT_THAT(Told(), ElementsAre("index-not-concurrent warning"));
  EXPECT_THAT(findings_[0].message(), HasSubstr("t does not exist here yet"));
}

// It is there, and large, under the name that it has before the plan.
TEST_F(LintGateTest, ATableThatIsCalledOtherwiseOnTheWayIsNotTakenForNew) {
  AddTable("t", kLarge);
  workspace_.Write({"a", "", "\nALTER TABLE t RENAME TO u;\n", "\nSELECT 1;\n"});
  workspace_.Write({"b", "a", "\nCREATE INDEX i ON u (x);\n", "\nSELECT 1;\n"});
  EXPECT_FALSE(Upgrade().status.ok());
  EXPECT_THAT(Told(), ElementsAre("rename-table error", "index-not-concurrent error"));
}

TEST_F(LintGateTest, OneThatTheSearchPathFindsIsNotTakenForNew) {
  AddTable("app.t", kLarge);
  workspace_.Write(
      {"a", "", "\nSET search_path = app;\nCREATE INDEX i ON t (x);\n", "\nSELECT 1;\n"});
  workspace_.Write({"b", "a", "\nCREATE INDEX j ON t (x);\n", "\nSELECT 1;\n"});
  EXPECT_FALSE(Upgrade().status.ok());
  EXPECT_THAT(Told(), ElementsAre("index-not-concurrent error", "index-not-concurrent warning"));
  EXPECT_THAT(findings_[1].message(), HasSubstr("t does not exist here yet"));
}

TEST_F(LintGateTest, ATableWhoseSizeCannotBeToldIsNotTakenForSmall) {
  AddTable("t", {absl::nullopt});
  workspace_.Write({"a", "", "\nCREATE INDEX i ON t (x);\n", "\nSELECT 1;\n"});
  EXPECT_FALSE(Upgrade().status.ok());
}

TEST_F(LintGateTest, WhatFailsAtRowsFailsAtFew) {
  AddTable("t", {8 << 10});
  workspace_.Write({"a", "", "\nALTER TABLE t ADD a int NOT NULL;\n", "\nSELECT 1;\n"});
  EXPECT_FALSE(Upgrade().status.ok());
  findings_.clear();
  workspace_.database().SetTableSize("t", {0});
  // The database in memory does not know the statement; the gate lets it pass.
  EXPECT_EQ(errors::ReasonOf(Upgrade().status), migration::v1::ERROR_REASON_STATEMENT_FAILED);
  ASSERT_THAT(Told(), ElementsAre("required-column warning"));
  EXPECT_THAT(findings_[0].message(), HasSubstr("t is empty here"));
}

// What is an error by itself may be none on this database: who cannot be asked says neither.
TEST_F(LintGateTest, ADatabaseThatIsGoneIsNoFindingOfLint) {
  AddTable("t", kLarge);
  workspace_.Write({"a", "", "\nCREATE INDEX i ON t (x);\n", "\nSELECT 1;\n"});
  const auto scripts = workspace_.workspace().scripts->Load();
  ASSERT_TRUE(scripts.ok());
  Plan plan;
  plan.steps.push_back({Step::Direction::kUpgrade, "a", {}});
  ExecuteRequest request;
  request.lint_gate = migration::v1::LINT_GATE_ERROR;
  const auto pass = [&] {
    return PassLintGate(**scripts, plan, request, workspace_.database(), [](OperationEvent) {});
  };
  EXPECT_EQ(errors::ReasonOf(pass()), migration::v1::ERROR_REASON_LINT_FAILED);
  workspace_.database().RefuseConnections(errors::DatabaseUnavailable("app", "it restarts"));
  EXPECT_EQ(errors::ReasonOf(pass()), migration::v1::ERROR_REASON_DATABASE_UNAVAILABLE);
}

TEST_F(LintGateTest, OnlyTheSectionsThatRunCount) {
  AddTable("t", kLarge);
  workspace_.Write({"a", "", "\nSELECT 1;\n", "\nDROP INDEX CONCURRENTLY i;\n"});
  EXPECT_TRUE(Upgrade().status.ok());
  EXPECT_THAT(Told(), IsEmpty());
  EXPECT_EQ(errors::ReasonOf(
                Run(migration::v1::ACTION_DOWNGRADE, "base", migration::v1::LINT_GATE_UNSPECIFIED)
                    .status),
            migration::v1::ERROR_REASON_LINT_FAILED);
  EXPECT_THAT(Told(), ElementsAre("concurrent-in-transaction error"));
}

TEST_F(LintGateTest, WhatIsWaivedIsNotTold) {
  AddTable("t", kLarge);
  workspace_.Write({"a", "",
                    "\n-- lint:allow index-not-concurrent because nobody writes at night\n"
                    "CREATE INDEX i ON t (x);\n",
                    "\nSELECT 1;\n"});
  EXPECT_TRUE(Upgrade().status.ok());
  EXPECT_THAT(Told(), IsEmpty());
}

}  // namespace
}  // namespace migd
