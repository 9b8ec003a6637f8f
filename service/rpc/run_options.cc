#include "service/rpc/run_options.h"

#include "absl/strings/str_cat.h"
#include "service/base/errors.h"
#include "service/base/proto_time.h"

namespace migd {
namespace {

// Reads a duration of a request into `into`, which keeps its value if the field is unset.
absl::Status ReadDuration(bool is_set, const google::protobuf::Duration& field,
                          absl::string_view name, absl::Duration& into) {
  if (!is_set) return absl::OkStatus();
  into = FromProtoDuration(field);
  // PostgreSQL counts its timeouts in milliseconds, in 32 bits.
  constexpr absl::Duration kLongest = absl::Milliseconds(2147483647);
  if (into < absl::ZeroDuration() || into > kLongest) {
    return errors::InvalidRequest(
        name, absl::StrCat("must be between 0 and ", absl::FormatDuration(kLongest)));
  }
  // Anything that is not zero must not become zero, which means no limit.
  if (into > absl::ZeroDuration() && into < absl::Milliseconds(1)) into = absl::Milliseconds(1);
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadRunOptions(const migration::v1::RunOptions& options, Timeouts& timeouts,
                            absl::Duration& mutex_timeout) {
  absl::Status status = ReadDuration(options.has_lock_timeout(), options.lock_timeout(),
                                     "lock_timeout", timeouts.lock_timeout);
  if (status.ok()) {
    status = ReadDuration(options.has_statement_timeout(), options.statement_timeout(),
                          "statement_timeout", timeouts.statement_timeout);
  }
  if (status.ok()) {
    status = ReadDuration(options.has_mutex_timeout(), options.mutex_timeout(), "mutex_timeout",
                          mutex_timeout);
  }
  return status;
}

}  // namespace migd
