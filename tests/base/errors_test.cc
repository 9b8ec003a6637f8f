#include "service/base/errors.h"

#include <map>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"

namespace migd {
namespace {

using migration::v1::ErrorReason;
using migration::v1::StatementFailure;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

StatementFailure FailureWith(const std::string& sqlstate, const std::string& message = "no") {
  StatementFailure failure;
  failure.set_revision("7c20");
  failure.set_file("7c20_add.sql");
  failure.set_line(7);
  failure.set_column(3);
  failure.set_statement_index(2);
  failure.set_statement_count(4);
  failure.set_sqlstate(sqlstate);
  failure.set_postgres_message(message);
  return failure;
}

// One status of each named constructor that needs no SQLSTATE to choose its reason.
std::vector<absl::Status> OneOfEach() {
  const StatementFailure failure = FailureWith("42601");
  return {
      errors::InvalidRequest("field", "is wrong"),
      errors::UnknownDatabase("x", {"a"}),
      errors::InvalidSymbol("@", "is wrong"),
      errors::UnknownRevision("x"),
      errors::AmbiguousRevision("a", {"a1", "a2"}),
      errors::MultipleHeads("head", {"a", "b"}),
      errors::InvalidTarget("-9", "walks past base"),
      errors::OverlappingRevisions("b", {"a"}),
      errors::DatabaseAhead({"x"}),
      errors::Irreversible("a", "a.sql"),
      errors::RevisionExists("a", "a.sql"),
      errors::LabelExists("core", "a.sql"),
      errors::NotAHead("a", {"b"}),
      errors::InvalidMigrations("dir", {"a.sql:1: wrong"}),
      errors::MigrationsUnreadable("dir", "no such directory"),
      errors::DatabaseUnavailable("app", "no answer"),
      errors::DatabaseLoginRefused("app", "wrong password"),
      errors::DatabaseMissing("app", "not there"),
      errors::DatabaseReadOnly("app"),
      errors::DatabaseUnsuitable("app", "is too old", "upgrade it"),
      errors::PooledConnection("app"),
      errors::InsufficientPrivilege("no CREATE", "grant it"),
      errors::Offline(),
      errors::OfflineWithoutRows(),
      errors::PlanStale("a1", "b2"),
      errors::LintFailed({migration::v1::Finding()}),
      errors::ChecksumMismatch("a", "a.sql", "11", "22", 0),
      errors::ConfirmationRequired("app", {migration::v1::Loss()}, {}, "c0de", "", false),
      errors::ConfirmationRequired("app", {migration::v1::Loss()}, {}, "c0de", "c0df", false),
      errors::ConfirmationRequired("app", {migration::v1::Loss()}, {}, "c0de", "c0df", true),
      errors::DatabaseProtected("app", {migration::v1::Loss()}, {}),
      errors::BackupUnavailable("no directory", "configure one"),
      errors::BackupFailed("the disk is full", "make room"),
      errors::ScratchUnavailable("no CREATEDB", "grant it"),
      errors::ReplayFailed("a", errors::StatementFailed(failure)),
      errors::SchemaDiffers("app", "revision a", {migration::v1::SchemaDifference()}),
      errors::SessionEnded(errors::DatabaseUnavailable("app", "gone", "57P01")),
      errors::LockTimeout("waited in vain"),
      errors::TransactionConflict("deadlock detected"),
      errors::StatementFailed(failure),
      errors::InvalidIndex(failure, "i", "it is another"),
      errors::IndexBeingBuilt(failure, "i", 4711),
      errors::StatementOutcomeUnknown(failure, "7k2m"),
      errors::JournalMismatch(failure, "statement 1 was another"),
      errors::RevisionHalfDone("a", false, "statement 1"),
      errors::TransactionBroken(failure),
      errors::VersionRowMismatch("a", "no row"),
      errors::ConnectionLost("a", errors::DatabaseUnavailable("app", "gone"), "nothing remains"),
      errors::OutcomeUnknown("a", absl::UnavailableError("gone")),
      errors::MutexTimeout(absl::Seconds(3), "pid 4711"),
      errors::OperationCancelled("asked for"),
      errors::UnknownOperation("7k2m"),
      errors::ServerGone("db1:77"),
      errors::ServerStops("db1:77"),
      errors::OperationInterrupted(3, errors::DatabaseUnavailable("app", "gone")),
      errors::EventsPruned("7k2m", 12),
      errors::RequestIdReused("id", "7k2m"),
      errors::TerminateNotAllowed("app"),
      errors::WaitTimeout("head", absl::Seconds(3), "it is at a", {"a"}),
      errors::Draining(),
      errors::Unauthenticated("it brings no token"),
      errors::PermissionDenied("token:ci", "operator", "app"),
      errors::LimitReached("token:ci", "streams", 100),
      errors::TooManyOperations(500),
      errors::Internal("a bug")};
}

TEST(Errors, EachHasAReasonAndAMessageThatBeginsInLowerCase) {
  for (const absl::Status& status : OneOfEach()) {
    EXPECT_NE(errors::ReasonOf(status), ErrorReason::ERROR_REASON_UNSPECIFIED) << status;
    ASSERT_THAT(std::string(status.message()), Not(IsEmpty()));
    const bool proper_name = absl::StartsWith(status.message(), "PostgreSQL");
    EXPECT_TRUE(proper_name ||
                !absl::ascii_isupper(static_cast<unsigned char>(status.message().front())))
        << status;
  }
}

TEST(Errors, EachSaysWhatToDoNext) {
  for (const absl::Status& status : OneOfEach()) {
    // What is wrong with a field is said in the message itself.
    if (errors::ReasonOf(status) == ErrorReason::ERROR_REASON_INVALID_REQUEST) continue;
    EXPECT_THAT(errors::ToProto(status).hint(), Not(IsEmpty())) << status;
  }
}

TEST(Errors, CarryGoogleErrorInfoOfTheDomain) {
  const absl::Status status = errors::MultipleHeads("head", {"a", "b"});
  const auto payload = status.GetPayload(errors::kErrorInfoUrl);
  ASSERT_TRUE(payload.has_value());
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(info.ParseFromString(std::string(*payload)));
  EXPECT_EQ(info.reason(), "MULTIPLE_HEADS");
  EXPECT_EQ(info.domain(), "migration.v1");
  EXPECT_EQ(info.metadata().at("heads"), "a, b");
}

TEST(Errors, ToProtoKeepsEverything) {
  const migration::v1::Error error = errors::ToProto(errors::StatementFailed(FailureWith("42601")));
  EXPECT_EQ(error.code(), "FAILED_PRECONDITION");
  EXPECT_EQ(error.reason(), "STATEMENT_FAILED");
  EXPECT_EQ(error.message(), "revision 7c20 failed at statement 2 of 4 (7c20_add.sql:7:3): no");
  EXPECT_THAT(error.hint(), HasSubstr("7c20_add.sql at line 7"));
  EXPECT_EQ(error.metadata().at("sqlstate"), "42601");
  EXPECT_EQ(error.statement_failure().line(), 7);
}

TEST(Errors, WhatIsNotUtf8IsNamedAsFarAsItGoes) {
  const migration::v1::Error error = errors::ToProto(errors::UnknownRevision("a\xFF"));
  EXPECT_EQ(error.reason(), "UNKNOWN_REVISION");
  EXPECT_THAT(error.message(), HasSubstr("\"a\uFFFD\""));
  EXPECT_EQ(error.metadata().at("symbol"), "a\uFFFD");
}

TEST(Errors, AForeignStatusHasNoReason) {
  EXPECT_EQ(errors::ReasonOf(absl::OkStatus()), ErrorReason::ERROR_REASON_UNSPECIFIED);
  EXPECT_EQ(errors::ReasonOf(absl::InternalError("x")), ErrorReason::ERROR_REASON_UNSPECIFIED);
  const migration::v1::Error error = errors::ToProto(absl::InternalError("x"));
  EXPECT_EQ(error.code(), "INTERNAL");
  EXPECT_EQ(error.reason(), "");
  EXPECT_EQ(error.message(), "x");
}

TEST(Errors, StatementFailuresAreToldApartBySqlstate) {
  const std::map<std::string, ErrorReason> reasons = {
      {"42601", ErrorReason::ERROR_REASON_STATEMENT_FAILED},
      {"25001", ErrorReason::ERROR_REASON_STATEMENT_FAILED},
      {"42P07", ErrorReason::ERROR_REASON_OBJECT_EXISTS},
      {"42701", ErrorReason::ERROR_REASON_OBJECT_EXISTS},
      {"42P06", ErrorReason::ERROR_REASON_OBJECT_EXISTS},
      {"42710", ErrorReason::ERROR_REASON_OBJECT_EXISTS},
      {"55P03", ErrorReason::ERROR_REASON_LOCK_TIMEOUT},
      {"57014", ErrorReason::ERROR_REASON_STATEMENT_TIMEOUT},
      {"40P01", ErrorReason::ERROR_REASON_TRANSACTION_CONFLICT},
      {"40001", ErrorReason::ERROR_REASON_TRANSACTION_CONFLICT},
      {"42501", ErrorReason::ERROR_REASON_INSUFFICIENT_PRIVILEGE},
  };
  for (const auto& [sqlstate, reason] : reasons) {
    EXPECT_EQ(errors::ReasonOf(errors::StatementFailed(FailureWith(sqlstate))), reason) << sqlstate;
  }
}

TEST(Errors, OnlyWhatTimeMayHealIsToBeTriedAgain) {
  for (const absl::Status& status : OneOfEach()) {
    const std::string hint = errors::ToProto(status).hint();
    if (status.code() == absl::StatusCode::kAborted ||
        status.code() == absl::StatusCode::kUnavailable) {
      EXPECT_TRUE(absl::StrContains(hint, "again") || absl::StrContains(hint, "wait") ||
                  absl::StrContains(hint, "allow more time"))
          << hint;
    }
  }
}

TEST(Errors, AStatementThatNeedsNoTransactionIsToldHow) {
  EXPECT_THAT(errors::ToProto(errors::StatementFailed(FailureWith("25001"))).hint(),
              HasSubstr("transaction:false"));
}

TEST(Errors, LongListsAreShortenedInMessages) {
  errors::Strings heads;
  for (int i = 0; i < 1000; ++i) heads.push_back(absl::StrCat("head", i));
  const absl::Status status = errors::MultipleHeads("head", heads);
  EXPECT_THAT(std::string(status.message()), HasSubstr("head19 and 980 more"));
  EXPECT_LT(status.message().size(), 500U);

  const absl::Status broken = errors::InvalidMigrations("dir", heads);
  EXPECT_THAT(std::string(broken.message()), HasSubstr("1000 problems"));
  EXPECT_THAT(std::string(broken.message()), HasSubstr("and 970 more"));
}

TEST(Errors, ReasonNamesHaveNoPrefix) {
  EXPECT_EQ(errors::ReasonName(ErrorReason::ERROR_REASON_OUTCOME_UNKNOWN), "OUTCOME_UNKNOWN");
}

}  // namespace
}  // namespace migd
