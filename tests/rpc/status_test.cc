#include "service/rpc/status.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "service/base/utf8.h"
#include "tests/rpc/rpc_fixture.h"

namespace migd {
namespace {

using ::testing::EndsWith;
using ::testing::Not;
using ::testing::StartsWith;

std::string Repeated(const std::string& text, int times) {
  std::string repeated;
  for (int i = 0; i < times; ++i) repeated += text;
  return repeated;
}

// How many bytes of headers a status takes at most: the message percent-encoded, the details in
// base64.
size_t HeaderSize(const grpc::Status& status) {
  size_t size = (status.error_details().size() + 2) / 3 * 4;
  for (const char c : status.error_message()) {
    size += c >= ' ' && c <= '~' && c != '%' ? 1 : 3;
  }
  return size;
}

// A failure with as much to say as there can be.
migration::v1::StatementFailure LongFailure(const std::string& letter) {
  const std::string text = Repeated(letter, 1200);
  migration::v1::StatementFailure failure;
  failure.set_revision("7c20");
  failure.set_file(Repeated("f", 250));
  failure.set_source_line(Repeated("x", 240));
  failure.set_sqlstate("42703");
  failure.set_postgres_message(text);
  failure.set_postgres_detail(text);
  failure.set_postgres_hint(text);
  failure.set_postgres_context(text);
  failure.set_state(text);
  for (int i = 0; i < 500; ++i) failure.add_finished_revisions(absl::StrCat("revision", i));
  return failure;
}

TEST(ToGrpcStatus, OkIsOk) { EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok()); }

TEST(ToGrpcStatus, KeepsCodeMessageAndDetails) {
  const grpc::Status status = ToGrpcStatus(errors::MultipleHeads("head", {"a", "b"}));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(status.error_message(), "\"head\" is not one revision: there are 2 heads: a, b");
  const StatusDetails details = DetailsOf(status);
  EXPECT_EQ(details.info.reason(), "MULTIPLE_HEADS");
  EXPECT_EQ(details.info.domain(), "migration.v1");
  EXPECT_EQ(details.info.metadata().at("heads"), "a, b");
  EXPECT_THAT(details.detail.hint(), StartsWith("merge them"));
}

TEST(ToGrpcStatus, AStatusWithoutDetailsKeepsItsCode) {
  const grpc::Status status = ToGrpcStatus(absl::InternalError("x"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(DetailsOf(status).info.reason(), "");
}

TEST(ToGrpcStatus, WhateverIsLongFitsAndKeepsItsReasonHintAndPlace) {
  for (const std::string letter : {"x", "%", "ж", "€", "😀"}) {
    const grpc::Status status = ToGrpcStatus(errors::StatementFailed(LongFailure(letter)));
    EXPECT_LT(HeaderSize(status), 7900U) << letter;
    const StatusDetails details = DetailsOf(status);
    EXPECT_EQ(details.info.reason(), "STATEMENT_FAILED") << letter;
    EXPECT_EQ(details.detail.statement_failure().sqlstate(), "42703") << letter;
    EXPECT_EQ(details.detail.statement_failure().source_line().size(), 240U) << letter;
    EXPECT_NE(details.detail.hint(), "") << letter;
    EXPECT_FALSE(FindInvalidUtf8(status.error_message()).has_value()) << letter;
    EXPECT_THAT(details.detail.statement_failure().state(), EndsWith("...")) << letter;
  }
}

TEST(ToGrpcStatus, LongMetadataFitsToo) {
  for (const std::string letter : {"x", "ж"}) {
    const grpc::Status status = ToGrpcStatus(errors::UnknownRevision(Repeated(letter, 1000000)));
    EXPECT_LT(HeaderSize(status), 7900U);
    EXPECT_EQ(DetailsOf(status).info.reason(), "UNKNOWN_REVISION");
    EXPECT_THAT(DetailsOf(status).info.metadata().at("symbol"), EndsWith("..."));
  }
}

TEST(ToGrpcStatus, WhatIsShortStaysAsItIs) {
  migration::v1::StatementFailure failure = LongFailure("x");
  failure.clear_finished_revisions();
  failure.add_finished_revisions("a");
  failure.set_postgres_detail("a detail");
  failure.set_postgres_context("");
  failure.set_postgres_hint("");
  failure.set_state("nothing remains");
  const grpc::Status status = ToGrpcStatus(errors::StatementFailed(failure));
  EXPECT_EQ(DetailsOf(status).detail.statement_failure().postgres_message(),
            failure.postgres_message());
  EXPECT_THAT(DetailsOf(status).detail.statement_failure().state(), Not(EndsWith("...")));
}

}  // namespace
}  // namespace migd
