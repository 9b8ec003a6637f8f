#include "service/base/trace_context.h"

#include <cstdint>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"

namespace migd {
namespace {

// `version-trace-parent-flags`, of 2, 32, 16 and 2 digits.
constexpr size_t kLength = 55;

bool IsHex(absl::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == absl::string_view::npos;
}

bool IsId(absl::string_view text) {
  return IsHex(text) && text.find_first_not_of('0') != absl::string_view::npos;
}

}  // namespace

std::string TraceContext::ToString() const {
  return absl::StrCat("00-", trace_id, "-", parent_id, "-", flags);
}

TraceContext TraceContext::Child() const {
  absl::BitGen random;
  TraceContext child = *this;
  child.parent_id = absl::StrCat(absl::Hex(
      absl::Uniform<uint64_t>(absl::IntervalClosed, random, 1, UINT64_MAX), absl::kZeroPad16));
  return child;
}

absl::optional<TraceContext> ParseTraceparent(absl::string_view text) {
  if (text.size() < kLength) return absl::nullopt;
  const absl::string_view version = text.substr(0, 2);
  const absl::string_view trace_id = text.substr(3, 32);
  const absl::string_view parent_id = text.substr(36, 16);
  const absl::string_view flags = text.substr(53, 2);
  const bool is_of_form = text[2] == '-' && text[35] == '-' && text[52] == '-' && IsHex(version) &&
                          version != "ff" && IsId(trace_id) && IsId(parent_id) && IsHex(flags);
  const bool is_long = text.size() > kLength;
  if (!is_of_form || (is_long && (version == "00" || text[kLength] != '-'))) return absl::nullopt;
  return TraceContext{std::string(trace_id), std::string(parent_id), std::string(flags)};
}

std::string TraceIdOf(absl::string_view traceparent) {
  const auto context = ParseTraceparent(traceparent);
  return context ? context->trace_id : "";
}

}  // namespace migd
