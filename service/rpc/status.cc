#include "service/rpc/status.h"

#include <cstddef>
#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "migration/v1/error.pb.h"
#include "service/base/errors.h"
#include "service/base/utf8.h"

namespace migd {
namespace {

using google::rpc::ErrorInfo;
using migration::v1::ErrorDetail;

// Message and details travel in one block of HTTP/2 headers, of which gRPC accepts 8 KB. The
// message is in it twice, percent-encoded and inside the details, which are base64 for many
// clients.
constexpr size_t kLongestMessage = 1500;
constexpr size_t kLargestInfo = 1800;
constexpr size_t kLargestPayloads = 3300;

// What texts inside the payloads are shortened to, one after the other, until they fit. The last is
// short enough for any error.
constexpr size_t kTextLimits[] = {1200, 300, 80};

// How many bytes gRPC makes of one byte of a message.
size_t EncodedSize(char c) { return c >= ' ' && c <= '~' && c != '%' ? 1 : 3; }

// The part of `text` that takes at most `longest` bytes percent-encoded.
std::string ShortenedToEncoded(absl::string_view text, size_t longest) {
  size_t encoded = 0;
  for (size_t end = 0; end < text.size(); ++end) {
    encoded += EncodedSize(text[end]);
    if (encoded <= longest) continue;
    return absl::StrCat(text.substr(0, CutAt(text, end)), "...");
  }
  return std::string(text);
}

void ShortenTexts(ErrorInfo& info, size_t longest) {
  for (auto& [key, value] : *info.mutable_metadata()) value = ShortenedToEncoded(value, longest);
}

// The line of the file stays: its column refers to it, and it is short already.
void ShortenTexts(ErrorDetail& detail, size_t longest) {
  detail.set_hint(ShortenedToEncoded(detail.hint(), longest));
  if (!detail.has_statement_failure()) return;
  migration::v1::StatementFailure& failure = *detail.mutable_statement_failure();
  for (std::string* text : {failure.mutable_postgres_message(), failure.mutable_postgres_detail(),
                            failure.mutable_postgres_hint(), failure.mutable_postgres_context(),
                            failure.mutable_state()}) {
    *text = ShortenedToEncoded(*text, longest);
  }
  constexpr size_t kIdSize = 40;
  while (failure.finished_revisions_size() > static_cast<int>(longest / kIdSize)) {
    failure.mutable_finished_revisions()->RemoveLast();
  }
}

// Adds the payload of `status` under `url` to `details`, shortened to `room`; returns its size.
template <typename Payload>
size_t AddPayload(const absl::Status& status, absl::string_view url, size_t room,
                  google::rpc::Status& details) {
  const auto bytes = status.GetPayload(url);
  Payload payload;
  if (!bytes || !payload.ParseFromString(std::string(*bytes))) return 0;
  for (const size_t longest : kTextLimits) {
    if (payload.ByteSizeLong() > room) ShortenTexts(payload, longest);
  }
  google::protobuf::Any& detail = *details.add_details();
  detail.set_type_url(std::string(url));
  payload.SerializeToString(detail.mutable_value());
  return payload.ByteSizeLong();
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  google::rpc::Status details;
  details.set_code(static_cast<int>(status.code()));
  details.set_message(ShortenedToEncoded(status.message(), kLongestMessage));
  // First what programs switch on.
  const size_t used = AddPayload<ErrorInfo>(status, errors::kErrorInfoUrl, kLargestInfo, details);
  AddPayload<ErrorDetail>(status, errors::kErrorDetailUrl, kLargestPayloads - used, details);
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), details.message(),
                      details.SerializeAsString());
}

}  // namespace migd
