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
                depends_on: "55de" dependencies: "55de" }
    revisions { revision: "0f3a" message: "create users" is_base: true is_branch_point: true
                branch_labels: "core" is_applied: true })");
}

TEST(HistoryText, IsAGraphWithColumnsOnATerminal) {
  EXPECT_EQ("\n" + HistoryText(SmallHistory(), {}, OnTerminal()), R"(
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
  const std::string text = HistoryText(SmallHistory(), {}, OnTerminal(60));
  EXPECT_NE(text.find("a91f  merge orders, ema…  pending  (head) (merge point)\n"),
            std::string::npos)
      << text;
}

TEST(HistoryText, IsWhatAlembicPrintsWhenPiped) {
  EXPECT_EQ("\n" + HistoryText(SmallHistory(), {}, Piped()), R"(
7c20, 4b11 -> a91f (head) (mergepoint), merge orders, email index
55de -> 7c20, order_items: add discount
0f3a -> 55de, create order_items
0f3a (55de) -> 4b11, users: index email
<base> -> 0f3a (core) (branchpoint), create users
)");
}

TEST(HistoryText, MarksTheRowsInAlembicsLinesIfAsked) {
  const std::string text = HistoryText(SmallHistory(), {false, true}, Piped());
  EXPECT_NE(text.find("0f3a -> 55de (current), create order_items\n"), std::string::npos) << text;
}

TEST(HistoryText, TellsWhatARevisionInheritsFromItsOwnLabels) {
  const auto history = Parse<migration::v1::HistoryResponse>(R"(
    database: "core" total_count: 3 head_count: 1
    revisions { revision: "c" down_revisions: "b" message: "c" branch_labels: "tip"
                branch_labels: "core" inherited_branch_labels: "core" is_head: true
                dependents: "x" }
    revisions { revision: "b" down_revisions: "a" message: "b" branch_labels: "core"
                inherited_branch_labels: "core" }
    revisions { revision: "a" message: "a" branch_labels: "core" is_base: true })");
  EXPECT_EQ("\n" + HistoryText(history, {}, OnTerminal()), R"(
core: 0 of 3 applied, 1 head

◇  c  [tip on core] c  pending  (effective head)
◇  b  [on core] b      pending
◇  a  [core] a         pending
)");
  EXPECT_EQ("\n" + HistoryText(history, {}, Piped()), R"(
b -> c (tip, core) (effective head), c
a -> b (core), b
<base> -> a (core), a
)");
}

TEST(HistoryText, ShortensTheMessageRatherThanWhatTheRevisionNeeds) {
  const std::string text = HistoryText(SmallHistory(), {}, OnTerminal(67));
  EXPECT_NE(text.find("4b11  users: inde… (needs 55de)  2h ago   (current)\n"), std::string::npos)
      << text;
}

TEST(HistoryText, TellsEverythingIfVerbose) {
  const auto history = Parse<migration::v1::HistoryResponse>(R"(
    database: "core" total_count: 2 applied_count: 1 head_count: 1
    revisions { revision: "b" down_revisions: "a" message: "second" is_head: true path: "b.sql" }
    revisions { revision: "a" message: "first" is_base: true is_current: true is_applied: true
                path: "a.sql" })");
  const std::string entries = R"(Rev: b (head)
Parent: a
Path: b.sql

    second

Rev: a
Parent: <base>
Path: a.sql

    first

)";
  EXPECT_EQ(HistoryText(history, {true, false}, Piped()), entries);
  EXPECT_NE(HistoryText(history, {true, true}, Piped()).find("Rev: a (current)\n"),
            std::string::npos);
  EXPECT_EQ(
      HistoryText(history, {true, false}, OnTerminal()).find("core: 1 of 2 applied, 1 head\n\n"),
      0U);
}

TEST(HistoryText, SaysNothingAboutWhatIsAppliedWhenTheDatabaseCouldNotBeAsked) {
  migration::v1::HistoryResponse history = SmallHistory();
  history.mutable_database_error()->set_message("no answer");
  const std::string text = HistoryText(history, {}, OnTerminal());
  EXPECT_NE(text.find("core: 5 revisions, 1 head\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("pending"), std::string::npos) << text;
  EXPECT_EQ(text.find("●"), std::string::npos) << text;
}

TEST(HistoryText, KeepsMessagesFromDrivingTheTerminal) {
  migration::v1::HistoryResponse history;
  migration::v1::Revision& revision = *history.add_revisions();
  revision.set_revision("a");
  revision.set_message("x\x1b[2J\ny");
  EXPECT_EQ(HistoryText(history, {}, Piped()), "<base> -> a, x\\x1b[2J\\ny\n");
  EXPECT_EQ(HistoryText(history, {}, OnTerminal()).find('\x1b'), std::string::npos);
}

migration::v1::CurrentResponse SmallCurrent() {
  return Parse<migration::v1::CurrentResponse>(R"(
    database: "core"
    revisions { revision: "a91f" message: "merge" is_head: true is_merge_point: true
                is_current: true branch_labels: "core" }
    revisions { revision: "f00" is_missing: true is_current: true }
    implied_revisions { revision: "d1" message: "d one" is_head: true dependents: "a91f"
                        path: "d1.sql" })");
}

TEST(CurrentText, IsWhatAlembicPrintsWhenPiped) {
  EXPECT_EQ(CurrentText(SmallCurrent(), {}, Piped()),
            "a91f (head) (mergepoint)\n"
            "f00 (no file has this revision)\n"
            "d1 (effective head)\n");
}

TEST(CurrentText, SaysOnATerminalWhatIsImplied) {
  EXPECT_EQ(CurrentText(SmallCurrent(), {}, OnTerminal()),
            "a91f  [core] merge  (head) (merge point)\n"
            "f00   (no file has this revision)\n"
            "d1    d one  (implied) (effective head)\n");
}

TEST(CurrentText, NamesTheDatabaseIfVerbose) {
  migration::v1::CurrentResponse response = SmallCurrent();
  response.mutable_revisions()->DeleteSubrange(0, 1);
  EXPECT_EQ("\n" + CurrentText(response, {true, false}, Piped()), R"(
Current revision(s) for core:
Rev: f00 (no file has this revision)

Rev: d1 (head)
Parent: <base>
Path: d1.sql

    d one

)");
}

TEST(HeadsText, IsWhatAlembicPrints) {
  const auto response = Parse<migration::v1::HeadsResponse>(
      R"(revisions { revision: "a91f" branch_labels: "core" branch_labels: "x"
                     inherited_branch_labels: "x" is_head: true is_current: true
                     is_merge_point: true message: "merge" }
         revisions { revision: "d1" is_head: true dependents: "a91f" message: "d one" })");
  EXPECT_EQ(HeadsText(response, {}, Piped()), "a91f (core, x) (head)\nd1 (effective head)\n");
  EXPECT_EQ(HeadsText(response, {}, OnTerminal()),
            "a91f  [core on x] merge  (head) (current) (merge point)\n"
            "d1    d one  (effective head)\n");
}

TEST(HeadsText, TellsEverythingIfVerbose) {
  const auto response = Parse<migration::v1::HeadsResponse>(
      R"(revisions { revision: "d1" is_head: true dependents: "a91f" message: "d one"
                     path: "d1.sql" })");
  EXPECT_EQ(HeadsText(response, {true, false}, Piped()),
            "Rev: d1 (head)\nParent: <base>\nPath: d1.sql\n\n    d one\n\n");
}

migration::v1::BranchesResponse SmallBranches() {
  return Parse<migration::v1::BranchesResponse>(R"(
    revisions { revision: "0f3a" is_branch_point: true next_revisions: "55de"
                next_revisions: "4b11" message: "users" path: "0f3a.sql" }
    next_revisions { revision: "55de" branch_labels: "orders" message: "order items" }
    next_revisions { revision: "4b11" is_head: true message: "index email" })");
}

TEST(BranchesText, ListsWhatRevisesEachBranchPoint) {
  EXPECT_EQ("\n" + BranchesText(SmallBranches(), {}, Piped()), R"(
0f3a (branchpoint)
     -> 55de (orders)
     -> 4b11 (head)

)");
  EXPECT_EQ("\n" + BranchesText(SmallBranches(), {}, OnTerminal()), R"(
0f3a  users  (branch point)
     -> 55de  [orders] order items
     -> 4b11  index email  (head)

)");
}

TEST(BranchesText, TellsEverythingIfVerbose) {
  EXPECT_EQ("\n" + BranchesText(SmallBranches(), {true, false}, Piped()), R"(
Rev: 0f3a (branchpoint)
Parent: <base>
Branches into: 55de, 4b11
Path: 0f3a.sql

    users

     -> 55de (orders), order items
     -> 4b11 (head), index email

)");
}

migration::v1::ShowResponse SmallShow() {
  return Parse<migration::v1::ShowResponse>(R"(
    revisions { revision: "0f3a" down_revisions: "9" depends_on: "d" dependencies: "d7"
                branch_labels: "core" branch_labels: "base" inherited_branch_labels: "base"
                message: "create users" path: "0f3a_create_users.sql" is_branch_point: true
                next_revisions: "55de" next_revisions: "4b11" dependents: "e1" is_current: true
                create_time { seconds: 1787393051 } })");
}

TEST(ShowText, TellsEverythingAsAlembicDoes) {
  EXPECT_EQ("\n" + ShowText(SmallShow(), Piped()), R"(
Rev: 0f3a (branchpoint)
Parent: 9
Also depends on: d
Branches into: 55de, 4b11
Branch names: core, base
Path: 0f3a_create_users.sql
Created: 2026-08-22T10:04:11Z

    create users

)");
}

TEST(ShowText, TellsMoreOnATerminal) {
  EXPECT_EQ("\n" + ShowText(SmallShow(), OnTerminal()), R"(
Rev: 0f3a (branchpoint) (current)
Parent: 9
Also depends on: d, that is d7
Needed by: e1
Branches into: 55de, 4b11
Branch names: core
Inherits: base
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

TEST(PlanText, SaysWhatStatementsDoAndFoldsThoseInNobodysWay) {
  const auto response = Parse<migration::v1::PlanResponse>(R"(
    database: "core" resulting_revisions: "a91f" plan_hash: "5e1f5e1f5e1f5e1f"
    steps { revision: "a91f" direction: DIRECTION_UPGRADE message: "m" transactional: true
            statement_count: 8 resulting_revisions: "a91f" omitted_statement_count: 2
            statements { line: 3 summary: "ALTER TABLE a ..." locks { relation: "public.a" mode: LOCK_MODE_ACCESS_EXCLUSIVE }
                         works { kind: RELATION_WORK_KIND_REWRITE relation: "public.a" reason: "why"
                                 estimated_rows: 4000000 size_bytes: 1200000000 } }
            statements { line: 4 summary: "INSERT INTO b ..." }
            statements { line: 5 summary: "DELETE FROM b WHERE a = ?" command: "DELETE" }
            statements { line: 6 summary: "CREATE INDEX" locks { relation: "b" mode: LOCK_MODE_SHARE is_new: true } }
            statements { line: 7 summary: "DROP TABLE c" losses { object_kind: "table" object_name: "public.c" }
                         transaction_need: TRANSACTION_NEED_OUTSIDE }
            statements { line: 9 summary: "DO ?" is_unknown: true } }
    losses { object_kind: "table" object_name: "public.c" revision: "a91f" statement_index: 5 }
    losses { object_kind: "column" object_name: "public.d.e" estimated_rows: 5 size_bytes: -1
             revision: "a91f" statement_index: 5 because_of: "table public.c" }
    findings { severity: SEVERITY_ERROR } findings { severity: SEVERITY_WARNING is_waived: true })");
  EXPECT_EQ("\n" + PlanText(response, Piped(), "migctl upgrade head"), R"(
core: 1 step from base to a91f

1  upgrade  a91f  m  8 statements, transaction  -> a91f
     3  ALTER TABLE a ...
        REWRITES public.a (1.2 GB, ~4,000,000 rows): why
        blocks reads and writes of public.a (1.2 GB, ~4,000,000 rows)
     4  3 statements to line 6 that stand in nobody's way; 1 of them changes or deletes rows
     7  DROP TABLE c
        DESTROYS table public.c, empty
        cannot run in a transaction, as this section does
     9  DO ?
        what it does shows only when it runs: see --rehearse
        and 2 statements more

this destroys data:
  table public.c, empty (a91f, statement 5)
  column public.d.e, ~5 values, with table public.c (a91f, statement 5)
lint: 1 error, 0 warnings; see them with: migctl lint

plan hash: 5e1f5e1f5e1f5e1f
to run it, and nothing else: migctl upgrade head --plan 5e1f5e1f5e1f
)");
}

TEST(PlanText, SaysHowLargeAreTheTablesThatALockKeepsOthersFrom) {
  const auto response = Parse<migration::v1::PlanResponse>(R"(
    database: "core" resulting_revisions: "a91f" plan_hash: "5e1f"
    steps { revision: "a91f" direction: DIRECTION_UPGRADE message: "m" transactional: true
            statement_count: 2 resulting_revisions: "a91f"
            statements { line: 3 summary: "ALTER TABLE a ..."
                         locks { relation: "public.a" mode: LOCK_MODE_ACCESS_EXCLUSIVE
                                 estimated_rows: 4000000 size_bytes: 1200000000 } }
            statements { line: 4 summary: "ALTER TABLE b ..."
                         locks { relation: "public.b" mode: LOCK_MODE_ACCESS_EXCLUSIVE
                                 estimated_rows: -1 size_bytes: 8192 } } })");
  const std::string text = PlanText(response, Piped());
  EXPECT_NE(text.find("blocks reads and writes of public.a (1.2 GB, ~4,000,000 rows)\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("blocks reads and writes of public.b (8.2 kB, rows unknown)\n"),
            std::string::npos)
      << text;
}

TEST(PlanText, SaysWhatToPassToARunThatDestroys) {
  const auto response = Parse<migration::v1::PlanResponse>(R"(
    database: "core" resulting_revisions: "a91f" plan_hash: "5e1f5e1f5e1f5e1f" confirmation: "c0de"
    steps { revision: "a91f" direction: DIRECTION_UPGRADE message: "m" }
    losses { object_kind: "table" object_name: "public.c" estimated_rows: -1 size_bytes: 8192
             revision: "a91f" statement_index: 1 })");
  const std::string text = PlanText(response, Piped(), "migctl upgrade head");
  EXPECT_NE(text.find("migctl upgrade head --plan 5e1f5e1f5e1f --confirmation c0de\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("table public.c, rows unknown, 8.2 kB"), std::string::npos) << text;
}

TEST(PlanText, ShowsWhatChangesWhereTheRowsAreTooMany) {
  const auto response = Parse<migration::v1::PlanResponse>(R"(
    database: "core" resulting_revisions: "d" plan_hash: "5e1f" rows_omitted: true
    steps { revision: "d" direction: DIRECTION_UPGRADE message: "m" transactional: true
            deleted_revisions: "b" deleted_revisions: "c" inserted_revisions: "d" })");
  EXPECT_EQ("\n" + PlanText(response, Piped()), R"(
core: 1 step from base to d

1  upgrade  d  m  0 statements, transaction  -b -c +d

plan hash: 5e1f
)");
}

TEST(PlanText, SaysThatThereIsNothingToDo) {
  const auto response = Parse<migration::v1::PlanResponse>(
      R"(database: "core" starting_revisions: "a91f" resulting_revisions: "a91f" plan_hash: "5e")");
  EXPECT_EQ(PlanText(response, Piped()), "nothing to do: core is at a91f already\n");
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

TEST(OutcomeText, SaysThatThereAreNoFilesToUpgradeTo) {
  OperationOutcome outcome;
  outcome.Add(Accepted(1));
  outcome.Add(Succeeded(2, 0, {}));
  EXPECT_EQ(OutcomeText(outcome), "nothing was done: migd has no migration files for core\n");
}

TEST(OperationListText, IsALinePerOperation) {
  const auto response = Parse<migration::v1::ListOperationsResponse>(R"(
    operations { operation: "7k2m" database: "core" action: ACTION_UPGRADE targets: "head"
                 state: STATE_RUNNING step_count: 2 finished_step_count: 1
                 create_time { seconds: 1787392751 } })");
  EXPECT_EQ(OperationListText(response, Piped()),
            "7k2m  core  upgrade head  running  1/2  5m ago\n");
}

TEST(OperationListText, NamesTheReasonOfAFailure) {
  const auto response = Parse<migration::v1::ListOperationsResponse>(R"(
    operations { operation: "7k2m" database: "core" action: ACTION_UPGRADE targets: "head"
                 state: STATE_FAILED step_count: 2 finished_step_count: 1
                 create_time { seconds: 1787392751 }
                 error { code: "FAILED_PRECONDITION" reason: "CHECKSUM_MISMATCH" } })");
  EXPECT_EQ(OperationListText(response, Piped()),
            "7k2m  core  upgrade head  failed  1/2  5m ago  CHECKSUM_MISMATCH\n");
}

TEST(OperationText, TellsWhoIsInTheWay) {
  const auto blocked = Parse<migration::v1::Operation>(R"(
    operation: "7k2m" state: STATE_RUNNING step_count: 3
    position { step_index: 2 revision: "7c20"
               lock_wait { relation: "users" lock_mode: "AccessExclusiveLock"
                           blockers { pid: 4711 holds_lock: true }
                           blockers { pid: 4712 holds_lock: true } } })");
  const std::string text = OperationText(blocked, Piped());
  EXPECT_NE(text.find("waits:      for AccessExclusiveLock on users, 1 more and behind pid 4711\n"
                      "            and pid 4712\n"),
            std::string::npos)
      << text;
  const auto pending = Parse<migration::v1::Operation>(R"(
    operation: "7k2m" state: STATE_PENDING waiting_for_mutex { holder_operation: "9x" })");
  EXPECT_NE(OperationText(pending, Piped()).find("waits:      for operation 9x\n"),
            std::string::npos);
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
