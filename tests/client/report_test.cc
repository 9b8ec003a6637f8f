#include <gtest/gtest.h>

#include <string>

#include "absl/time/time.h"
#include "client/json.h"
#include "client/operation_report.h"
#include "client/plan_report.h"
#include "client/revision_report.h"
#include "google/protobuf/text_format.h"
#include "tests/client/events.h"

namespace migctl {
namespace {

constexpr int64_t kNow = 1787393051;  // 2026-08-22T10:04:11Z

TextSettings Piped() { return {false, Style(false), 0, absl::FromUnixSeconds(kNow)}; }
TextSettings OnTerminal(int width = 100) {
  return {true, Style(false), width, absl::FromUnixSeconds(kNow)};
}

template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message));
  return message;
}

migration::v1::HistoryResponse SmallHistory() {
  return Parse<migration::v1::HistoryResponse>(R"(
    database: "core" total_count: 5 applied_count: 3 head_count: 1
    revisions { revision: "a91f" down_revisions: "7c20" down_revisions: "4b11"
                message: "merge orders, email index" is_head: true is_merge_point: true }
    revisions { revision: "7c20" down_revisions: "55de" message: "order_items: add discount" }
    revisions { revision: "55de" down_revisions: "0f3a" message: "create order_items"
                is_applied: true is_current: true apply_time { seconds: 1787385851 } }
    revisions { revision: "4b11" down_revisions: "0f3a" message: "users: index email"
                is_applied: true is_current: true apply_time { seconds: 1787385851 }
                depends_on: "55de" }
    revisions { revision: "0f3a" message: "create users" is_base: true is_branch_point: true
                branch_labels: "core" is_applied: true })");
}

TEST(HistoryText, IsAGraphWithColumnsOnATerminal) {
  EXPECT_EQ("\n" + HistoryText(SmallHistory(), OnTerminal()), R"(
core: 3 of 5 applied, 1 head

◇    a91f  merge orders, email index        pending  (head) (merge point)
├─╮
◇ │  7c20  order_items: add discount        pending
● │  55de  create order_items               2h ago   (current)
│ ●  4b11  users: index email (needs 55de)  2h ago   (current)
├─╯
●    0f3a  [core] create users              applied  (branch point)
)");
}

TEST(HistoryText, ShortensMessagesToTheWidthOfTheTerminal) {
  const std::string text = HistoryText(SmallHistory(), OnTerminal(60));
  EXPECT_NE(text.find("a91f  merge orders, ema…  pending  (head) (merge point)\n"),
            std::string::npos)
      << text;
}

TEST(HistoryText, IsWhatAlembicPrintsWhenPiped) {
  EXPECT_EQ("\n" + HistoryText(SmallHistory(), Piped()), R"(
7c20, 4b11 -> a91f (head) (mergepoint), merge orders, email index
55de -> 7c20, order_items: add discount
0f3a -> 55de (current), create order_items
0f3a (55de) -> 4b11 (current), users: index email
<base> -> 0f3a (core) (branchpoint), create users
)");
}

TEST(HistoryText, SaysNothingAboutWhatIsAppliedWhenTheDatabaseCouldNotBeAsked) {
  migration::v1::HistoryResponse history = SmallHistory();
  history.mutable_database_error()->set_message("no answer");
  const std::string text = HistoryText(history, OnTerminal());
  EXPECT_NE(text.find("core: 5 revisions, 1 head\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("pending"), std::string::npos) << text;
  EXPECT_EQ(text.find("●"), std::string::npos) << text;
}

TEST(HistoryText, KeepsMessagesFromDrivingTheTerminal) {
  migration::v1::HistoryResponse history;
  migration::v1::Revision& revision = *history.add_revisions();
  revision.set_revision("a");
  revision.set_message("x\x1b[2J\ny");
  EXPECT_EQ(HistoryText(history, Piped()), "<base> -> a, x\\x1b[2J\\ny\n");
  EXPECT_EQ(HistoryText(history, OnTerminal()).find('\x1b'), std::string::npos);
}

TEST(CurrentText, IsARowPerLine) {
  const auto response = Parse<migration::v1::CurrentResponse>(R"(
    revisions { revision: "a91f" message: "merge" is_head: true is_merge_point: true }
    revisions { revision: "f00" is_missing: true })");
  EXPECT_EQ(CurrentText(response, Piped()),
            "a91f (head) (mergepoint)\n"
            "f00 (no file has this revision)\n");
  EXPECT_EQ(CurrentText(response, OnTerminal()),
            "a91f  merge  (head) (mergepoint)\n"
            "f00   (no file has this revision)\n");
}

TEST(HeadsText, IsWhatAlembicPrints) {
  const auto response = Parse<migration::v1::HeadsResponse>(
      R"(revisions { revision: "a91f" branch_labels: "core" branch_labels: "x" is_head: true
                     message: "merge" })");
  EXPECT_EQ(HeadsText(response, Piped()), "a91f (core, x) (head)\n");
  EXPECT_EQ(HeadsText(response, OnTerminal()), "a91f (core, x) (head)  merge\n");
}

TEST(BranchesText, ListsTheChildrenOfEachBranchPoint) {
  const auto response = Parse<migration::v1::BranchesResponse>(
      R"(revisions { revision: "0f3a" is_branch_point: true next_revisions: "55de"
                     next_revisions: "4b11" })");
  EXPECT_EQ(BranchesText(response, Piped()), "0f3a (branchpoint)\n     -> 55de\n     -> 4b11\n\n");
}

TEST(ShowText, TellsEverythingAboutARevision) {
  const auto response = Parse<migration::v1::ShowResponse>(R"(
    revisions { revision: "0f3a" down_revisions: "9" depends_on: "d" branch_labels: "core"
                message: "create users" path: "0f3a_create_users.sql" is_branch_point: true
                next_revisions: "55de" next_revisions: "4b11" is_current: true
                create_time { seconds: 1787393051 } })");
  EXPECT_EQ("\n" + ShowText(response, Piped()), R"(
Rev: 0f3a (current) (branchpoint)
Parent: 9
Also depends on: d
Branches into: 55de, 4b11
Branch names: core
Path: 0f3a_create_users.sql
Created: 2026-08-22T10:04:11Z

    create users
)");
}

TEST(PlanText, NumbersTheSteps) {
  const auto response = Parse<migration::v1::PlanResponse>(R"(
    database: "core" starting_revisions: "55de" resulting_revisions: "a91f" plan_hash: "5e1f"
    steps { revision: "7c20" direction: DIRECTION_UPGRADE message: "add discount"
            statement_count: 2 resulting_revisions: "4b11" resulting_revisions: "7c20" }
    steps { revision: "a91f" direction: DIRECTION_UPGRADE message: "merge" transactional: true
            resulting_revisions: "a91f" })");
  EXPECT_EQ("\n" + PlanText(response, Piped()), R"(
core: 2 steps from 55de to a91f

1  upgrade  7c20  add discount  2 statements, no transaction  -> 4b11, 7c20
2  upgrade  a91f  merge         0 statements, transaction     -> a91f

plan hash: 5e1f
)");
}

TEST(PlanText, SaysThatThereIsNothingToDo) {
  const auto response = Parse<migration::v1::PlanResponse>(
      R"(database: "core" starting_revisions: "a91f" resulting_revisions: "a91f" plan_hash: "5e")");
  EXPECT_EQ(PlanText(response, Piped()), "nothing to do: core is at a91f already\nplan hash: 5e\n");
}

TEST(OutcomeText, SaysWhatWasDoneInOneLine) {
  OperationOutcome outcome;
  outcome.Add(Accepted(1));
  outcome.Add(Succeeded(2, 2, {"a91f"}));
  EXPECT_EQ(OutcomeText(outcome), "Upgraded core to a91f: 2 revisions in 20.1s\n");
}

TEST(OutcomeText, CountsNoRevisionsForAStamp) {
  migration::v1::OperationEvent accepted = Accepted(1);
  accepted.mutable_operation_accepted()->set_action(migration::v1::ACTION_STAMP);
  OperationOutcome outcome;
  outcome.Add(accepted);
  outcome.Add(Succeeded(2, 2, {"a91f"}));
  EXPECT_EQ(OutcomeText(outcome), "Stamped core to a91f in 20.1s\n");
}

TEST(OutcomeText, SaysThatThereWasNothingToDo) {
  OperationOutcome outcome;
  outcome.Add(Accepted(1));
  outcome.Add(Succeeded(2, 0, {"a91f"}));
  EXPECT_EQ(OutcomeText(outcome), "core is at a91f already: nothing to do\n");
}

TEST(OperationListText, IsALinePerOperation) {
  const auto response = Parse<migration::v1::ListOperationsResponse>(R"(
    operations { operation: "7k2m" database: "core" action: ACTION_UPGRADE targets: "head"
                 state: STATE_RUNNING step_count: 2 finished_step_count: 1
                 create_time { seconds: 1787392751 } })");
  EXPECT_EQ(OperationListText(response, Piped()),
            "7k2m  core  upgrade head  running  1/2  5m ago\n");
}

TEST(CancelText, TellsWhetherItCameTooLate) {
  migration::v1::Operation operation;
  operation.set_operation("7k2m");
  operation.set_state(migration::v1::Operation::STATE_RUNNING);
  EXPECT_EQ(CancelText(operation), "asked operation 7k2m to stop; it was running\n");
  operation.set_state(migration::v1::Operation::STATE_SUCCEEDED);
  EXPECT_EQ(CancelText(operation), "operation 7k2m is over already: succeeded\n");
}

TEST(Json, UsesTheNamesOfTheProtoAndPrintsZeros) {
  const auto response =
      Parse<migration::v1::HeadsResponse>(R"(revisions { revision: "a91f" is_head: true })");
  const std::string json = ToJson(response);
  EXPECT_NE(json.find(R"("is_head":true)"), std::string::npos) << json;
  EXPECT_NE(json.find(R"("down_revisions":[])"), std::string::npos) << json;
  EXPECT_NE(json.find(R"("is_current":false)"), std::string::npos) << json;
  EXPECT_EQ(json.find('\n'), std::string::npos);
}

TEST(Json, PrintsAnErrorWithAllItsFields) {
  migration::v1::Error error;
  error.set_code("NOT_FOUND");
  EXPECT_EQ(ErrorJson(error),
            R"({"error":{"code":"NOT_FOUND","reason":"","message":"","hint":"","metadata":{}}})");
}

}  // namespace
}  // namespace migctl
