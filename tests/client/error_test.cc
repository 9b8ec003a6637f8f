#include "migration_client/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "client/exit_code.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace migctl {
namespace {

using grpc::StatusCode;
using migration_client::ErrorFromStatus;
using testing::HasSubstr;

TEST(ErrorFromStatus, ReadsTheDetailsOfTheService) {
  google::rpc::ErrorInfo info;
  info.set_reason("MULTIPLE_HEADS");
  (*info.mutable_metadata())["heads"] = "7c20,4b11";
  migration::v1::ErrorDetail detail;
  detail.set_hint("name one");
  detail.mutable_statement_failure()->set_revision("7c20");
  google::rpc::Status details;
  details.add_details()->PackFrom(info);
  details.add_details()->PackFrom(detail);

  const migration::v1::Error error = ErrorFromStatus(
      grpc::Status(StatusCode::FAILED_PRECONDITION, "two heads", details.SerializeAsString()),
      "here:1");

  EXPECT_EQ(error.code(), "FAILED_PRECONDITION");
  EXPECT_EQ(error.reason(), "MULTIPLE_HEADS");
  EXPECT_EQ(error.message(), "two heads");
  EXPECT_EQ(error.hint(), "name one");
  EXPECT_EQ(error.metadata().at("heads"), "7c20,4b11");
  EXPECT_EQ(error.statement_failure().revision(), "7c20");
}

TEST(ErrorFromStatus, SaysThatNobodyAnswersInWordsOfItsOwn) {
  const migration::v1::Error error = ErrorFromStatus(
      grpc::Status(StatusCode::UNAVAILABLE, "failed to connect to all addresses"), "here:1");
  EXPECT_EQ(error.message(), "no migd answers at here:1");
  EXPECT_THAT(error.hint(), HasSubstr("MIGCTL_SERVER"));
}

TEST(ErrorFromStatus, TellsASocketThatIsForbiddenFromOneThatIsNotThere) {
  const migration::v1::Error error = ErrorFromStatus(
      grpc::Status(
          StatusCode::UNAVAILABLE,
          "failed to connect to all addresses; last error: UNKNOWN: unix:/a: Permission denied"),
      "unix:/a");
  EXPECT_EQ(error.message(), "this user may not reach unix:/a");
  EXPECT_THAT(error.hint(), HasSubstr("group"));
}

TEST(ErrorFromStatus, TellsABrokenConnectionFromOneThatNeverWas) {
  const migration::v1::Error error =
      ErrorFromStatus(grpc::Status(StatusCode::UNAVAILABLE, "Socket closed"), "here:1");
  EXPECT_EQ(error.message(), "the connection to migd at here:1 broke: Socket closed");
}

TEST(ErrorFromStatus, ExplainsADeadline) {
  const migration::v1::Error error =
      ErrorFromStatus(grpc::Status(StatusCode::DEADLINE_EXCEEDED, "Deadline Exceeded"), "here:1");
  EXPECT_EQ(error.message(), "migd at here:1 did not answer in time");
  EXPECT_THAT(error.hint(), HasSubstr("--timeout"));
}

TEST(ErrorFromStatus, SurvivesDetailsThatAreNone) {
  const migration::v1::Error error =
      ErrorFromStatus(grpc::Status(StatusCode::NOT_FOUND, "gone", "\xff\xff garbage"), "here:1");
  EXPECT_EQ(error.code(), "NOT_FOUND");
  EXPECT_EQ(error.message(), "gone");
}

TEST(ErrorFromStatus, NeverLeavesTheMessageEmpty) {
  EXPECT_FALSE(ErrorFromStatus(grpc::Status(StatusCode::UNKNOWN, ""), "here:1").message().empty());
}

TEST(ExitCodeOf, TellsWhetherTryingAgainMayHelp) {
  const auto exit_code = [](const char* code) {
    migration::v1::Error error;
    error.set_code(code);
    return ExitCodeOf(error);
  };
  EXPECT_EQ(exit_code("UNAVAILABLE"), ExitCode::kUnreachable);
  EXPECT_EQ(exit_code("DEADLINE_EXCEEDED"), ExitCode::kUnreachable);
  EXPECT_EQ(exit_code("CANCELLED"), ExitCode::kInterrupted);
  EXPECT_EQ(exit_code("FAILED_PRECONDITION"), ExitCode::kFailed);
}

}  // namespace
}  // namespace migctl
