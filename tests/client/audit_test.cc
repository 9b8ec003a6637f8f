// whoami and audit, against a server that answers what a test says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/commands.h"
#include "tests/client/command_fixture.h"

namespace migctl {
namespace {

using migration::v1::AuditEntry;
using migration::v1::ListAuditEntriesRequest;
using migration::v1::ListAuditEntriesResponse;
using migration::v1::VerifyAuditRequest;
using migration::v1::VerifyAuditResponse;
using migration::v1::WhoAmIRequest;
using migration::v1::WhoAmIResponse;
using testing::HasSubstr;

class AuditCommandsTest : public CommandsTest {};

TEST_F(AuditCommandsTest, WhoAmITellsTheRoles) {
  server_.handlers.who_am_i = [](const WhoAmIRequest&, WhoAmIResponse* response) {
    response->set_principal("token:deploy");
    response->set_address("unix");
    auto* core = response->add_databases();
    core->set_database("core");
    core->set_role(migration::v1::ROLE_OPERATOR);
    auto* billing = response->add_databases();
    billing->set_database("billing");
    billing->set_role(migration::v1::ROLE_VIEWER);
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(WhoAmICommand()), ExitCode::kDone);
  EXPECT_EQ(out_.text(), "token:deploy from unix\ncore     operator\nbilling  viewer\n");
}

TEST_F(AuditCommandsTest, WhoAmITellsThatThereIsNoRole) {
  server_.handlers.who_am_i = [](const WhoAmIRequest&, WhoAmIResponse* response) {
    response->set_principal("anonymous");
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(WhoAmICommand()), ExitCode::kDone);
  EXPECT_EQ(out_.text(), "anonymous\n");
  EXPECT_THAT(err_.text(), HasSubstr("no role"));
}

// Two entries, a page each.
grpc::Status TwoPages(const ListAuditEntriesRequest& request, ListAuditEntriesResponse* response) {
  EXPECT_EQ(request.principal(), "token:deploy");
  AuditEntry& entry = *response->add_entries();
  entry.mutable_time()->set_seconds(1'787'738'651);
  entry.set_principal("token:deploy");
  entry.set_address("ipv4:10.0.0.7:51000");
  entry.set_count(1);
  if (request.page_token().empty()) {
    entry.set_number(10);
    entry.set_rpc("Downgrade");
    entry.set_request("base");
    entry.set_outcome(AuditEntry::OUTCOME_REFUSED);
    entry.set_reason("PERMISSION_DENIED");
    entry.set_count(7);
    response->set_next_page_token("more");
    return grpc::Status::OK;
  }
  entry.set_number(9);
  entry.set_rpc("Upgrade");
  entry.set_request("head");
  entry.set_operation("7k2m");
  entry.set_outcome(AuditEntry::OUTCOME_ACCEPTED);
  return grpc::Status::OK;
}

TEST_F(AuditCommandsTest, ListsTheEntriesOfAllPages) {
  server_.handlers.list_audit = TwoPages;
  EXPECT_EQ(RunCommand(ListAuditCommand{"token:deploy", 50}), ExitCode::kDone);
  EXPECT_EQ(out_.text(),
            "10  2026-08-26T10:04:11Z  token:deploy from ipv4:10.0.0.7  "
            "refused PERMISSION_DENIED (7 times)  Downgrade base\n"
            "9   2026-08-26T10:04:11Z  token:deploy from ipv4:10.0.0.7  "
            "accepted                             Upgrade head  [7k2m]\n");
  EXPECT_THAT(err_.text(), testing::Not(HasSubstr("--limit")));
}

TEST_F(AuditCommandsTest, ListsNoMoreThanIsAskedFor) {
  server_.handlers.list_audit = TwoPages;
  options_.output = OutputFormat::kJson;
  EXPECT_EQ(RunCommand(ListAuditCommand{"token:deploy", 1}), ExitCode::kDone);
  EXPECT_THAT(out_.text(), HasSubstr("\"next_page_token\":\"more\""));
  EXPECT_THAT(out_.text(), testing::Not(HasSubstr("7k2m")));
}

TEST_F(AuditCommandsTest, SaysThatTheListWasCutOff) {
  server_.handlers.list_audit = TwoPages;
  EXPECT_EQ(RunCommand(ListAuditCommand{"token:deploy", 1}), ExitCode::kDone);
  EXPECT_THAT(err_.text(), HasSubstr("there are older entries; a higher --limit shows them\n"));
  server_.handlers.list_audit = [](const ListAuditEntriesRequest&,
                                   ListAuditEntriesResponse* response) {
    response->add_entries()->set_number(10);
    response->set_next_page_token("more");
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(ListAuditCommand{"", 1}), ExitCode::kDone);
  EXPECT_THAT(err_.text(), HasSubstr("there are 9 older entries"));
}

TEST_F(AuditCommandsTest, TellsWhatToGiveToTheNextVerification) {
  server_.handlers.verify_audit = [](const VerifyAuditRequest& request,
                                     VerifyAuditResponse* response) {
    EXPECT_EQ(request.known_number(), 7);
    EXPECT_EQ(request.known_hash(), "ab12");
    response->set_intact(true);
    response->set_entry_count(10);
    response->set_newest_number(10);
    response->set_newest_hash("cd34");
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(VerifyAuditCommand{7, "ab12"}), ExitCode::kDone);
  EXPECT_EQ(out_.text(), "the audit is intact: 10 entries\nnewest: 10:cd34\n");
}

TEST_F(AuditCommandsTest, AnAuditThatWasChangedIsACheckThatDoesNotHold) {
  server_.handlers.verify_audit = [](const VerifyAuditRequest&, VerifyAuditResponse* response) {
    auto* problem = response->add_problems();
    problem->set_kind(migration::v1::AuditProblem::KIND_CHANGED);
    problem->set_number(3);
    problem->set_message("entry 3 was changed after it was written");
    response->set_newest_number(10);
    response->set_newest_hash("cd34");
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(VerifyAuditCommand()), ExitCode::kCheckFailed);
  EXPECT_EQ(out_.text(), "entry 3 was changed after it was written\n");
  EXPECT_THAT(err_.text(), HasSubstr("the audit is not as it was written: 1 problem"));
}

TEST_F(AuditCommandsTest, SaysWhatToDoWhenTheCallerIsNotKnownOrNotAllowed) {
  server_.handlers.who_am_i = [](const WhoAmIRequest&, WhoAmIResponse*) {
    return grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "");
  };
  EXPECT_EQ(RunCommand(WhoAmICommand()), ExitCode::kFailed);
  EXPECT_THAT(err_.text(), HasSubstr("does not know who calls"));
  EXPECT_THAT(err_.text(), HasSubstr("--token-file"));
  server_.handlers.list_audit = [](const ListAuditEntriesRequest&, ListAuditEntriesResponse*) {
    return grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "");
  };
  EXPECT_EQ(RunCommand(ListAuditCommand()), ExitCode::kFailed);
  EXPECT_THAT(err_.text(), HasSubstr("migctl whoami"));
}

}  // namespace
}  // namespace migctl
