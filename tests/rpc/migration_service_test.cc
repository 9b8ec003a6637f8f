#include "service/rpc/migration_service.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "service/execute/guard.h"
#include "tests/rpc/rpc_fixture.h"

namespace migd {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Operation = migration::v1::Operation;

std::vector<std::string> IdsOf(
    const google::protobuf::RepeatedPtrField<migration::v1::Revision>& revisions) {
  std::vector<std::string> ids;
  for (const auto& revision : revisions) ids.push_back(revision.revision());
  return ids;
}

using MigrationServiceTest = RpcTest;

// --- Reading ---

TEST_F(MigrationServiceTest, CurrentTellsTheRowsAndWhetherTheyAreTheHeads) {
  migration::v1::CurrentResponse response;
  database_.SetRows({"aa02"});
  ASSERT_TRUE(Call(&Stub::Current, migration::v1::CurrentRequest(), response).ok());
  EXPECT_THAT(IdsOf(response.revisions()), ElementsAre("aa02"));
  EXPECT_TRUE(response.revisions(0).is_current());
  EXPECT_FALSE(response.is_at_heads());
  EXPECT_EQ(response.database(), "app");

  response.Clear();
  database_.SetRows({"aa03"});
  ASSERT_TRUE(Call(&Stub::Current, migration::v1::CurrentRequest(), response).ok());
  EXPECT_TRUE(response.is_at_heads());
}

TEST_F(MigrationServiceTest, CurrentShowsARowThatNoFileHas) {
  migration::v1::CurrentResponse response;
  database_.SetRows({"zz99"});
  ASSERT_TRUE(Call(&Stub::Current, migration::v1::CurrentRequest(), response).ok());
  EXPECT_THAT(IdsOf(response.revisions()), ElementsAre("zz99"));
  EXPECT_TRUE(response.revisions(0).is_missing());
}

TEST_F(MigrationServiceTest, HistoryComesNewestFirstPageByPage) {
  migration::v1::HistoryRequest request;
  request.set_page_size(2);
  migration::v1::HistoryResponse first;
  ASSERT_TRUE(Call(&Stub::History, request, first).ok());
  EXPECT_THAT(IdsOf(first.revisions()), ElementsAre("aa03", "aa02"));
  EXPECT_EQ(first.total_count(), 3);

  request.set_page_token(first.next_page_token());
  migration::v1::HistoryResponse second;
  ASSERT_TRUE(Call(&Stub::History, request, second).ok());
  EXPECT_THAT(IdsOf(second.revisions()), ElementsAre("aa01"));
  EXPECT_EQ(second.next_page_token(), "");
}

TEST_F(MigrationServiceTest, HistorySaysWhatWasAppliedAndWhen) {
  ASSERT_TRUE(Upgrade("aa02").status.ok());
  migration::v1::HistoryResponse response;
  ASSERT_TRUE(Call(&Stub::History, migration::v1::HistoryRequest(), response).ok());
  EXPECT_EQ(response.applied_count(), 2);
  EXPECT_FALSE(response.revisions(0).is_applied());
  EXPECT_TRUE(response.revisions(1).is_current());
  EXPECT_TRUE(response.revisions(2).is_applied());
  EXPECT_TRUE(response.revisions(2).has_apply_time());
}

TEST_F(MigrationServiceTest, HistoryDoesWithoutADatabaseAndSaysWhy) {
  database_.RefuseConnections(errors::DatabaseUnavailable("app", "no answer"));
  migration::v1::HistoryResponse response;
  ASSERT_TRUE(Call(&Stub::History, migration::v1::HistoryRequest(), response).ok());
  EXPECT_THAT(response.revisions(), SizeIs(3));
  EXPECT_EQ(response.database_error().reason(), "DATABASE_UNAVAILABLE");

  migration::v1::HistoryRequest about_rows;
  about_rows.set_range("current:");
  EXPECT_EQ(Verdict(Call(&Stub::History, about_rows, response)),
            "UNAVAILABLE DATABASE_UNAVAILABLE");
  about_rows.add_from("aa02");
  response.Clear();
  ASSERT_TRUE(Call(&Stub::History, about_rows, response).ok());
  EXPECT_THAT(IdsOf(response.revisions()), ElementsAre("aa03", "aa02"));
}

TEST_F(MigrationServiceTest, HeadsBranchesAndShowAreAboutTheFiles) {
  fake_.Write({"bb02", "aa01"});
  database_.RefuseConnections(errors::DatabaseUnavailable("app", "no answer"));
  migration::v1::HeadsResponse heads;
  ASSERT_TRUE(Call(&Stub::Heads, migration::v1::HeadsRequest(), heads).ok());
  EXPECT_THAT(IdsOf(heads.revisions()), ::testing::UnorderedElementsAre("aa03", "bb02"));
  migration::v1::BranchesResponse branches;
  ASSERT_TRUE(Call(&Stub::Branches, migration::v1::BranchesRequest(), branches).ok());
  EXPECT_THAT(IdsOf(branches.revisions()), ElementsAre("aa01"));
  migration::v1::ShowRequest request;
  request.set_revision("bb");
  migration::v1::ShowResponse shown;
  ASSERT_TRUE(Call(&Stub::Show, request, shown).ok());
  EXPECT_THAT(IdsOf(shown.revisions()), ElementsAre("bb02"));
  EXPECT_EQ(shown.revisions(0).message(), "step bb02");
}

// What of a header matters to labels and dependencies.
std::string WithHeader(const std::string& id, const std::string& revises, const std::string& labels,
                       const std::string& depends_on) {
  return absl::StrCat("-- step\n-- Revision ID: ", id, "\n-- Revises: ", revises,
                      "\n-- Branch Labels: ", labels, "\n-- Depends On: ", depends_on,
                      "\n-- migrate:up\nSELECT 1;\n");
}

// Beside the line of the fixture, two bases: billing's bb01 <- bb02, which needs aa02, and cc01,
// which needs billing.
class DependenciesTest : public RpcTest {
 protected:
  DependenciesTest() {
    fake_.WriteFile("bb01_x.sql", WithHeader("bb01", "", "billing, money", ""));
    fake_.WriteFile("bb02_x.sql", WithHeader("bb02", "bb01", "tip", "aa02"));
    fake_.WriteFile("cc01_x.sql", WithHeader("cc01", "", "", "billing, aa03"));
  }

  migration::v1::Revision Show(const std::string& id) {
    migration::v1::ShowRequest request;
    request.set_revision(id);
    migration::v1::ShowResponse response;
    EXPECT_TRUE(Call(&Stub::Show, request, response).ok());
    return response.revisions(0);
  }
};

TEST_F(DependenciesTest, RevisionsTellOwnLabelsFromInheritedOnes) {
  EXPECT_THAT(Show("bb01").branch_labels(), ElementsAre("billing", "money"));
  EXPECT_THAT(Show("bb01").inherited_branch_labels(), IsEmpty());
  EXPECT_THAT(Show("bb02").branch_labels(), ElementsAre("tip", "billing", "money"));
  EXPECT_THAT(Show("bb02").inherited_branch_labels(), ElementsAre("billing", "money"));
}

TEST_F(DependenciesTest, RevisionsTellWhatTheyNeedAndWhatNeedsThem) {
  EXPECT_THAT(Show("cc01").depends_on(), ElementsAre("billing", "aa03"));
  EXPECT_THAT(Show("cc01").dependencies(), ElementsAre("aa03", "bb01"));
  EXPECT_THAT(Show("bb01").dependents(), ElementsAre("cc01"));
  EXPECT_THAT(Show("aa02").dependents(), ElementsAre("bb02"));
  EXPECT_THAT(Show("bb02").dependents(), IsEmpty());
}

TEST_F(DependenciesTest, HeadsAreTheEffectiveOnesIfDependenciesAreResolved) {
  migration::v1::HeadsRequest request;
  migration::v1::HeadsResponse heads;
  ASSERT_TRUE(Call(&Stub::Heads, request, heads).ok());
  EXPECT_THAT(IdsOf(heads.revisions()), ElementsAre("aa03", "bb02", "cc01"));
  request.set_resolve_dependencies(true);
  heads.Clear();
  ASSERT_TRUE(Call(&Stub::Heads, request, heads).ok());
  EXPECT_THAT(IdsOf(heads.revisions()), ElementsAre("bb02", "cc01"));
}

TEST_F(DependenciesTest, CurrentTellsWhatTheRowsImply) {
  migration::v1::CurrentResponse response;
  database_.SetRows({"cc01"});
  ASSERT_TRUE(Call(&Stub::Current, migration::v1::CurrentRequest(), response).ok());
  EXPECT_THAT(IdsOf(response.revisions()), ElementsAre("cc01"));
  EXPECT_THAT(IdsOf(response.implied_revisions()), ElementsAre("aa03", "bb01"));
  EXPECT_FALSE(response.implied_revisions(0).is_current());
  EXPECT_TRUE(response.implied_revisions(0).is_applied());

  response.Clear();
  database_.SetRows({"bb02", "cc01"});
  ASSERT_TRUE(Call(&Stub::Current, migration::v1::CurrentRequest(), response).ok());
  EXPECT_THAT(IdsOf(response.implied_revisions()), ElementsAre("aa03"));
}

TEST_F(DependenciesTest, BranchesTellsAboutTheRevisionsAfterABranchPointEachOnce) {
  fake_.Write({"dd01", "bb01"});
  fake_.Write({"dd02", "bb01, aa01"});
  migration::v1::BranchesResponse branches;
  ASSERT_TRUE(Call(&Stub::Branches, migration::v1::BranchesRequest(), branches).ok());
  EXPECT_THAT(IdsOf(branches.revisions()), ::testing::UnorderedElementsAre("aa01", "bb01"));
  EXPECT_THAT(IdsOf(branches.next_revisions()), ElementsAre("aa02", "bb02", "dd01", "dd02"));
  EXPECT_TRUE(branches.next_revisions(2).is_head());
}

TEST_F(MigrationServiceTest, PlanShowsWhatUpgradeDoes) {
  migration::v1::PlanRequest request;
  request.set_action(migration::v1::ACTION_UPGRADE);
  request.add_targets("aa02");
  migration::v1::PlanResponse response;
  ASSERT_TRUE(Call(&Stub::Plan, request, response).ok());
  const Streamed upgrade = Upgrade("aa02");
  ASSERT_GT(upgrade.events.size(), 1U);
  EXPECT_EQ(upgrade.events[1].plan().plan_hash(), response.plan_hash());
  EXPECT_EQ(response.steps_size(), 2);
  EXPECT_THAT(response.resulting_revisions(), ElementsAre("aa02"));
}

TEST_F(MigrationServiceTest, AViewOfThePlanTellsItsStepsAlone) {
  migration::v1::PlanRequest request;
  request.set_action(migration::v1::ACTION_UPGRADE);
  request.add_targets("head");
  migration::v1::PlanResponse full;
  ASSERT_TRUE(Call(&Stub::Plan, request, full).ok());
  ASSERT_GT(full.steps_size(), 0);
  EXPECT_GT(full.steps(0).statements_size(), 0);

  request.set_view(migration::v1::PLAN_VIEW_STEPS);
  migration::v1::PlanResponse steps;
  ASSERT_TRUE(Call(&Stub::Plan, request, steps).ok());
  EXPECT_EQ(steps.steps_size(), full.steps_size());
  EXPECT_EQ(steps.plan_hash(), full.plan_hash());
  EXPECT_EQ(steps.steps(0).statements_size(), 0);
  EXPECT_EQ(steps.confirmation(), PlanConfirmationOf("app", full.plan_hash()));
}

TEST_F(MigrationServiceTest, PlanFromGivenRevisionsAsksNoDatabase) {
  database_.RefuseConnections(errors::DatabaseUnavailable("app", "no answer"));
  migration::v1::PlanRequest request;
  request.set_action(migration::v1::ACTION_DOWNGRADE);
  request.add_targets("-1");
  request.add_from("aa03");
  migration::v1::PlanResponse response;
  ASSERT_TRUE(Call(&Stub::Plan, request, response).ok());
  EXPECT_EQ(response.steps(0).revision(), "aa03");
  EXPECT_EQ(response.database(), "app");
}

// --- Scripts and new revisions ---

TEST_F(MigrationServiceTest, RenderScriptBeginsWhereTheDatabaseIs) {
  database_.SetRows({"aa01"});
  migration::v1::RenderScriptRequest request;
  request.set_action(migration::v1::ACTION_UPGRADE);
  request.add_targets("head");
  grpc::ClientContext context;
  const auto reader = stub_->RenderScript(&context, request);
  std::string script;
  for (migration::v1::RenderScriptResponse piece; reader->Read(&piece);) script += piece.sql();
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_THAT(script, HasSubstr("-- app: from aa01 to aa03, 2 steps."));
}

TEST_F(MigrationServiceTest, ComposeRevisionShowsTheRevisionAsItWillBe) {
  migration::v1::ComposeRevisionRequest request;
  request.set_message("add x");
  request.set_revision("bb01");
  request.add_branch_labels("core");
  migration::v1::ComposeRevisionResponse response;
  ASSERT_TRUE(Call(&Stub::ComposeRevision, request, response).ok());
  EXPECT_EQ(response.revision().revision(), "bb01");
  EXPECT_THAT(response.revision().down_revisions(), ElementsAre("aa03"));
  EXPECT_TRUE(response.revision().is_head());
  EXPECT_EQ(response.revision().path(), "bb01_add_x.sql");
  EXPECT_THAT(response.content(), HasSubstr("-- Branch Labels: core\n"));

  request.set_revision("aa01");
  EXPECT_EQ(Verdict(Call(&Stub::ComposeRevision, request, response)),
            "ALREADY_EXISTS REVISION_EXISTS");
}

TEST_F(MigrationServiceTest, FromNamesRevisionsAndNotRows) {
  migration::v1::PlanRequest request;
  request.set_action(migration::v1::ACTION_UPGRADE);
  request.add_targets("head");
  request.add_from("current");
  migration::v1::PlanResponse response;
  EXPECT_EQ(Verdict(Call(&Stub::Plan, request, response)), "INVALID_ARGUMENT INVALID_SYMBOL");
}

// --- Writing ---

TEST_F(MigrationServiceTest, UpgradeDowngradeAndStampStreamTheirEvents) {
  const Streamed upgrade = Upgrade("aa01");
  EXPECT_EQ(Verdict(upgrade.status), "OK");
  EXPECT_THAT(upgrade.texts(), ElementsAre("accepted aa01", "plan aa01", "start aa01 1/1",
                                           "statement aa01 1/1 CREATE TABLE", "finish aa01 {aa01}",
                                           "end STATE_SUCCEEDED {aa01}"));
  for (size_t i = 0; i < upgrade.events.size(); ++i) {
    EXPECT_EQ(upgrade.events[i].sequence(), static_cast<int64_t>(i) + 1);
    EXPECT_EQ(upgrade.events[i].operation(), upgrade.events[0].operation());
  }
  EXPECT_EQ(Downgrade("base").texts().back(), "end STATE_SUCCEEDED {}");
  EXPECT_EQ(Stamp({"aa03"}).texts().back(), "end STATE_SUCCEEDED {aa03}");
}

TEST_F(MigrationServiceTest, AFailureIsInTheLastEventAndInTheStatus) {
  fake_.Write({"aa04", "aa03", "\nINSERT INTO nowhere VALUES (1);\n"});
  const Streamed upgrade = Upgrade("head");
  EXPECT_EQ(Verdict(upgrade.status), "FAILED_PRECONDITION STATEMENT_FAILED");
  EXPECT_EQ(upgrade.texts().back(), "end STATE_FAILED {aa03}");
  const auto& failure = upgrade.events.back().operation_finished().error().statement_failure();
  EXPECT_EQ(failure.file(), "aa04_step.sql");
  EXPECT_EQ(DetailsOf(upgrade.status).detail.statement_failure().line(), failure.line());
  EXPECT_EQ(Get(upgrade.events[0].operation()).state(), Operation::STATE_FAILED);
}

TEST_F(MigrationServiceTest, ARepeatedRequestAttachesToItsOperation) {
  migration::v1::UpgradeRequest request;
  request.set_target("head");
  request.set_request_id("c0ffee00-0000-4000-8000-000000000001");
  const Streamed first = Upgrade(request);
  const Streamed second = Upgrade(request);
  EXPECT_EQ(second.texts(), first.texts());
  EXPECT_EQ(second.events[0].operation(), first.events[0].operation());
  request.set_target("aa01");
  EXPECT_EQ(Verdict(Upgrade(request).status), "ALREADY_EXISTS REQUEST_ID_REUSED");
}

TEST_F(MigrationServiceTest, TimeoutsAreThoseOfTheRequest) {
  migration::v1::UpgradeRequest request;
  request.set_target("aa01");
  request.mutable_options()->mutable_lock_timeout()->set_seconds(7);
  request.mutable_options()->mutable_statement_timeout()->set_nanos(1);
  ASSERT_TRUE(Upgrade(request).status.ok());
  // The service's own queries have no statement timeout. What is not zero does not become zero,
  // which would set no limit.
  EXPECT_EQ(database_.journal()[0], "timeouts 7s 0");
  EXPECT_EQ(database_.journal()[1], "timeouts 7s 1ms");
}

TEST_F(MigrationServiceTest, OperationsAreListedNewestFirstPageByPage) {
  for (const std::string target : {"aa01", "aa02", "aa03"}) Upgrade(target);
  migration::v1::ListOperationsRequest request;
  request.set_page_size(2);
  migration::v1::ListOperationsResponse first;
  ASSERT_TRUE(Call(&Stub::ListOperations, request, first).ok());
  ASSERT_EQ(first.operations_size(), 2);
  EXPECT_THAT(first.operations(0).targets(), ElementsAre("aa03"));
  request.set_page_token(first.next_page_token());
  migration::v1::ListOperationsResponse second;
  ASSERT_TRUE(Call(&Stub::ListOperations, request, second).ok());
  ASSERT_EQ(second.operations_size(), 1);
  EXPECT_THAT(second.operations(0).targets(), ElementsAre("aa01"));
  request.set_database("other");
  request.clear_page_token();
  ASSERT_TRUE(Call(&Stub::ListOperations, request, second).ok());
}

TEST_F(MigrationServiceTest, HealthIsToldOfTheServerAndOfTheService) {
  const auto health = grpc::health::v1::Health::NewStub(NewChannel());
  for (const std::string service : {"", "migration.v1.MigrationService"}) {
    grpc::health::v1::HealthCheckRequest request;
    request.set_service(service);
    grpc::health::v1::HealthCheckResponse response;
    grpc::ClientContext context;
    EXPECT_TRUE(health->Check(&context, request, &response).ok()) << service;
    EXPECT_EQ(response.status(), grpc::health::v1::HealthCheckResponse::SERVING) << service;
  }
}

TEST_F(MigrationServiceTest, ASecondServerCannotTakeTheSocket) {
  OperationManager operations;
  const auto second = Server::Start({server_->addresses()}, *catalog_, operations);
  EXPECT_EQ(errors::ReasonOf(second.status()), migration::v1::ERROR_REASON_INVALID_REQUEST);
  EXPECT_TRUE(Upgrade("head").status.ok());
}

// --- Refusals ---

TEST_F(MigrationServiceTest, RequestsThatAreNotOfTheirFormAreRefused) {
  const std::string refused = "INVALID_ARGUMENT INVALID_REQUEST";
  EXPECT_EQ(Verdict(Upgrade("").status), refused);
  EXPECT_EQ(Verdict(Downgrade("").status), refused);
  EXPECT_EQ(Verdict(Stamp({}).status), refused);
  migration::v1::UpgradeRequest upgrade;
  upgrade.set_target("head");
  for (const std::string id :
       {"x", "c0ffee00-0000-4000-8000-00000000000g", "c0ffee00x0000-4000-8000-000000000001"}) {
    upgrade.set_request_id(id);
    EXPECT_EQ(Verdict(Upgrade(upgrade).status), refused) << id;
  }
  migration::v1::ShowResponse shown;
  EXPECT_EQ(Verdict(Call(&Stub::Show, migration::v1::ShowRequest(), shown)), refused);
  migration::v1::PlanResponse plan;
  EXPECT_EQ(Verdict(Call(&Stub::Plan, migration::v1::PlanRequest(), plan)), refused);
  migration::v1::HistoryRequest history;
  history.set_page_token("not a token");
  migration::v1::HistoryResponse page;
  EXPECT_EQ(Verdict(Call(&Stub::History, history, page)), refused);
  EXPECT_THAT(operations_->List({}, "", 1)->operations, IsEmpty());
}

TEST_F(MigrationServiceTest, DurationsThatPostgresCannotCountAreRefused) {
  const std::vector<std::function<google::protobuf::Duration*(migration::v1::RunOptions&)>> fields =
      {[](auto& options) { return options.mutable_lock_timeout(); },
       [](auto& options) { return options.mutable_statement_timeout(); },
       [](auto& options) { return options.mutable_mutex_timeout(); }};
  for (const auto& field : fields) {
    for (const int64_t seconds : {int64_t{-1}, int64_t{1} << 40}) {
      migration::v1::UpgradeRequest request;
      request.set_target("head");
      field(*request.mutable_options())->set_seconds(seconds);
      EXPECT_EQ(Verdict(Upgrade(request).status), "INVALID_ARGUMENT INVALID_REQUEST");
    }
  }
}

TEST_F(MigrationServiceTest, UnknownNamesAreRefused) {
  migration::v1::UpgradeRequest request;
  request.set_target("head");
  request.set_database("other");
  const Streamed upgrade = Upgrade(request);
  EXPECT_EQ(Verdict(upgrade.status), "NOT_FOUND UNKNOWN_DATABASE");
  EXPECT_THAT(upgrade.events, IsEmpty());
  EXPECT_THAT(DetailsOf(upgrade.status).detail.hint(), HasSubstr("app"));
  EXPECT_EQ(Verdict(Watch("nothing").status), "NOT_FOUND UNKNOWN_OPERATION");
  EXPECT_EQ(Verdict(Cancel("nothing")), "NOT_FOUND UNKNOWN_OPERATION");
}

TEST_F(MigrationServiceTest, AnOperationMustBeNamed) {
  ASSERT_TRUE(Upgrade("aa01").status.ok());
  migration::v1::GetOperationResponse response;
  EXPECT_EQ(Verdict(Call(&Stub::GetOperation, migration::v1::GetOperationRequest(), response)),
            "INVALID_ARGUMENT INVALID_REQUEST");
  EXPECT_EQ(Verdict(Watch("").status), "INVALID_ARGUMENT INVALID_REQUEST");
  EXPECT_EQ(Verdict(Cancel("")), "INVALID_ARGUMENT INVALID_REQUEST");
}

TEST_F(MigrationServiceTest, ABeginningThatSeveralOperationsHaveIsRefusedWithTheirIds) {
  std::map<char, std::string> id_by_letter;
  while (true) {
    const Streamed upgrade = Upgrade("aa01");
    ASSERT_TRUE(upgrade.status.ok());
    const std::string id = upgrade.events[0].operation();
    const auto [known, added] = id_by_letter.insert({id.front(), id});
    if (added) continue;
    const grpc::Status status = Cancel(id.substr(0, 1));
    EXPECT_EQ(Verdict(status), "INVALID_ARGUMENT INVALID_REQUEST");
    const std::string candidates = DetailsOf(status).info.metadata().at("candidates");
    EXPECT_THAT(candidates, AllOf(HasSubstr(known->second), HasSubstr(id)));
    return;
  }
}

TEST_F(MigrationServiceTest, TargetsThatCannotBeReachedAreRefused) {
  EXPECT_EQ(Verdict(Upgrade("+9").status), "FAILED_PRECONDITION INVALID_TARGET");
  fake_.Write({"bb02", "aa01"});
  fake_.Write({"cc01", "aa03", "\nSELECT 1;\n", "", true});
  EXPECT_EQ(Verdict(Upgrade("nowhere").status), "NOT_FOUND UNKNOWN_REVISION");
  EXPECT_EQ(Verdict(Upgrade("aa").status), "INVALID_ARGUMENT AMBIGUOUS_REVISION");
  EXPECT_EQ(Verdict(Upgrade("head").status), "FAILED_PRECONDITION MULTIPLE_HEADS");
  EXPECT_EQ(Verdict(Upgrade("a:b").status), "INVALID_ARGUMENT INVALID_SYMBOL");
  database_.SetRows({"aa01", "aa02"});
  EXPECT_EQ(Verdict(Upgrade("heads").status), "FAILED_PRECONDITION OVERLAPPING_REVISIONS");
  database_.SetRows({"cc01"});
  EXPECT_EQ(Verdict(Downgrade("base").status), "FAILED_PRECONDITION IRREVERSIBLE");
  database_.SetRows({"zz99"});
  EXPECT_EQ(Verdict(Upgrade("heads").status), "FAILED_PRECONDITION DATABASE_AHEAD");
}

TEST_F(MigrationServiceTest, BrokenFilesAreRefusedByEveryCall) {
  fake_.WriteFile("broken.sql", "SELECT 1;\n");
  const std::string refused = "FAILED_PRECONDITION INVALID_MIGRATIONS";
  EXPECT_EQ(Verdict(Upgrade("head").status), refused);
  migration::v1::CurrentResponse current;
  EXPECT_EQ(Verdict(Call(&Stub::Current, migration::v1::CurrentRequest(), current)), refused);
  migration::v1::HeadsResponse heads;
  const grpc::Status status = Call(&Stub::Heads, migration::v1::HeadsRequest(), heads);
  EXPECT_EQ(Verdict(status), refused);
  EXPECT_THAT(status.error_message(), HasSubstr("broken.sql:1"));
}

TEST_F(MigrationServiceTest, TroubleWithTheDatabaseKeepsItsReason) {
  const std::vector<std::pair<absl::Status, std::string>> troubles = {
      {errors::DatabaseLoginRefused("app", "x"), "FAILED_PRECONDITION DATABASE_LOGIN_REFUSED"},
      {errors::DatabaseMissing("app", "x"), "FAILED_PRECONDITION DATABASE_MISSING"},
      {errors::DatabaseUnsuitable("app", "x", "y"), "FAILED_PRECONDITION DATABASE_UNSUITABLE"}};
  for (const auto& [status, verdict] : troubles) {
    database_.RefuseConnections(status);
    migration::v1::CurrentResponse response;
    EXPECT_EQ(Verdict(Call(&Stub::Current, migration::v1::CurrentRequest(), response)), verdict);
    EXPECT_EQ(Verdict(Upgrade("head").status), verdict);
  }
  database_.RefuseConnections(absl::OkStatus());
  const std::string unavailable = "UNAVAILABLE DATABASE_UNAVAILABLE";
  fake_.store().Fail(errors::DatabaseUnavailable("app", "x"));
  EXPECT_EQ(Verdict(Upgrade("head").status), unavailable);
  migration::v1::ListOperationsRequest list;
  list.set_database("app");
  migration::v1::ListOperationsResponse listed;
  EXPECT_EQ(Verdict(Call(&Stub::ListOperations, list, listed)), unavailable);
  fake_.store().Fail(absl::OkStatus());
  database_.FailPreparation(errors::InsufficientPrivilege("no CREATE", "grant it"));
  EXPECT_EQ(Verdict(Upgrade("head").status), "PERMISSION_DENIED INSUFFICIENT_PRIVILEGE");
  database_.SetReadOnly();
  EXPECT_EQ(Verdict(Upgrade("head").status), "FAILED_PRECONDITION DATABASE_READ_ONLY");
}

TEST_F(MigrationServiceTest, TroubleWithAStatementKeepsItsReason) {
  const std::vector<std::pair<std::string, std::string>> verdicts = {
      {"42P07", "FAILED_PRECONDITION OBJECT_EXISTS"},
      {"55P03", "ABORTED LOCK_TIMEOUT"},
      {"57014", "ABORTED STATEMENT_TIMEOUT"},
      {"40P01", "ABORTED TRANSACTION_CONFLICT"},
      {"42501", "PERMISSION_DENIED INSUFFICIENT_PRIVILEGE"},
      {"23505", "FAILED_PRECONDITION STATEMENT_FAILED"}};
  for (const auto& [sqlstate, verdict] : verdicts) {
    database_.FailStatement("CREATE TABLE aa01", {sqlstate, "no", "", "", "", 0});
    EXPECT_EQ(Verdict(Upgrade("head").status), verdict) << sqlstate;
  }
}

TEST_F(MigrationServiceTest, TroubleWithAStepKeepsItsReason) {
  fake_.Write({"aa01", "", "\nCALL commits();\n"});
  EXPECT_EQ(Verdict(Upgrade("aa01").status), "FAILED_PRECONDITION TRANSACTION_BROKEN");
  database_.AddInvalidIndex("i");
  fake_.Write({"aa01", "", "\nCREATE INDEX IF NOT EXISTS i ON t (x);\n"});
  EXPECT_EQ(Verdict(Upgrade("aa01").status), "FAILED_PRECONDITION INVALID_INDEX");
  fake_.Write({"aa01", ""});
  database_.LoseConnectionAtCommit(false);
  EXPECT_EQ(Verdict(Upgrade("aa01").status), "ABORTED OPERATION_INTERRUPTED");
  database_.Heal();
  database_.LoseConnectionAt("SELECT");
  EXPECT_EQ(Verdict(Upgrade("aa01").status), "ABORTED OPERATION_INTERRUPTED");
}

TEST_F(MigrationServiceTest, AMutexThatIsNotFreeInTimeIsToldWithItsHolder) {
  database_.HoldMutex({4711, "billing", "app", ""});
  migration::v1::UpgradeRequest request;
  request.set_target("head");
  request.mutable_options()->mutable_mutex_timeout()->set_nanos(1000000);
  const Streamed upgrade = Upgrade(request);
  EXPECT_EQ(Verdict(upgrade.status), "ABORTED MUTEX_TIMEOUT");
  EXPECT_THAT(upgrade.texts(),
              ElementsAre("accepted head", "waiting for pid 4711", "end STATE_FAILED {}"));
}

TEST_F(MigrationServiceTest, ADrainingServerTakesNoOperationButAnswersReads) {
  operations_->Drain(absl::ZeroDuration());
  EXPECT_EQ(Verdict(Upgrade("head").status), "UNAVAILABLE DRAINING");
  migration::v1::CurrentResponse response;
  EXPECT_TRUE(Call(&Stub::Current, migration::v1::CurrentRequest(), response).ok());
}

class OfflineServiceTest : public RpcTest {
 protected:
  OfflineServiceTest() : offline_(Workspaces()) {
    files_->Write("aa01_step.sql", ToFile({"aa01", ""}));
    Serve(offline_);
  }
  ~OfflineServiceTest() override {
    server_.reset();
    operations_.reset();
  }

  std::vector<std::unique_ptr<Workspace>> Workspaces() {
    auto workspace = std::make_unique<Workspace>();
    workspace->name = "app";
    workspace->scripts = std::make_shared<ScriptDirectory>(files_->path());
    std::vector<std::unique_ptr<Workspace>> workspaces;
    workspaces.push_back(std::move(workspace));
    return workspaces;
  }

  std::unique_ptr<TemporaryDirectory> files_ = std::make_unique<TemporaryDirectory>();
  Catalog offline_;
};

TEST_F(OfflineServiceTest, ReadsFilesAndRefusesWhatNeedsTheDatabase) {
  migration::v1::HeadsResponse heads;
  ASSERT_TRUE(Call(&Stub::Heads, migration::v1::HeadsRequest(), heads).ok());
  EXPECT_THAT(heads.revisions(), SizeIs(1));
  migration::v1::CurrentResponse current;
  EXPECT_EQ(Verdict(Call(&Stub::Current, migration::v1::CurrentRequest(), current)),
            "FAILED_PRECONDITION OFFLINE");
  EXPECT_EQ(Verdict(Upgrade("head").status), "FAILED_PRECONDITION OFFLINE");
  migration::v1::HistoryResponse history;
  ASSERT_TRUE(Call(&Stub::History, migration::v1::HistoryRequest(), history).ok());
  EXPECT_EQ(history.database_error().reason(), "OFFLINE");
}

TEST(SeveralDatabases, MustBeNamed) {
  std::vector<std::unique_ptr<Workspace>> workspaces;
  for (const std::string name : {"orders", "users"}) {
    workspaces.push_back(std::make_unique<Workspace>());
    workspaces.back()->name = name;
  }
  const Catalog catalog(std::move(workspaces));
  EXPECT_EQ((*catalog.Find("users"))->name, "users");
  const absl::Status unnamed = catalog.Find("").status();
  EXPECT_EQ(errors::ReasonOf(unnamed), migration::v1::ERROR_REASON_UNKNOWN_DATABASE);
  EXPECT_THAT(errors::ToProto(unnamed).hint(), HasSubstr("orders, users"));
}

// --- What callers should not send ---

TEST_F(MigrationServiceTest, TextThatIsNoUtf8IsRefusedAndTheServerGoesOn) {
  migration::v1::CurrentRequest request;
  request.set_database("\xff\xfe");
  migration::v1::CurrentResponse response;
  EXPECT_FALSE(Call(&Stub::Current, request, response).ok());
  EXPECT_FALSE(Upgrade("\xff").status.ok());
  EXPECT_TRUE(Call(&Stub::Current, migration::v1::CurrentRequest(), response).ok());
  EXPECT_TRUE(Upgrade("head").status.ok());
}

TEST_F(MigrationServiceTest, AHugeTextIsRefusedWithAReasonThatCanBeRead) {
  const std::string huge(60000, 'x');
  EXPECT_EQ(Verdict(Upgrade(huge).status), "NOT_FOUND UNKNOWN_REVISION");
  migration::v1::CurrentRequest request;
  request.set_database(huge);
  migration::v1::CurrentResponse response;
  EXPECT_EQ(Verdict(Call(&Stub::Current, request, response)), "NOT_FOUND UNKNOWN_DATABASE");
}

TEST_F(MigrationServiceTest, AStatementThatFailsWithMuchToSayIsToldInOnePiece) {
  std::string wide;
  for (int i = 0; i < 5000; ++i) wide += "ж";
  database_.FailStatement("CREATE TABLE aa01", {"XX000", wide, wide, wide, wide, 0});
  const Streamed upgrade = Upgrade("head");
  EXPECT_EQ(Verdict(upgrade.status), "FAILED_PRECONDITION STATEMENT_FAILED");
  EXPECT_EQ(DetailsOf(upgrade.status).detail.statement_failure().sqlstate(), "XX000");
}

}  // namespace
}  // namespace migd
