// W3C Trace Context: which trace a call belongs to.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace migd {

// What a `traceparent` says, by https://www.w3.org/TR/trace-context/. A value.
struct TraceContext {
  // 32 and 16 lower-case hex digits, not all zero.
  std::string trace_id;
  std::string parent_id;
  // 2 lower-case hex digits.
  std::string flags;

  // As a traceparent of version 00.
  std::string ToString() const;
  // The same trace, in a span of its own with a random id.
  TraceContext Child() const;
};

// Reads a traceparent. Nothing if it is not of its form: whoever gets such a one has none. Of a
// version later than 00 what follows the flags is passed over, as the recommendation demands.
absl::optional<TraceContext> ParseTraceparent(absl::string_view text);

// The trace that a traceparent names; empty if it is not of its form.
std::string TraceIdOf(absl::string_view traceparent);

}  // namespace migd
