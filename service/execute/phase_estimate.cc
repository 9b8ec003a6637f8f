#include "service/execute/phase_estimate.h"

namespace migd {
namespace {

using migration::v1::StatementProgress;

// Before so much of the phase was seen, its rate is a guess: the first blocks may come from memory,
// or wait for the disk to wake up.
constexpr absl::Duration kShortestView = absl::Seconds(5);
constexpr double kSmallestPart = 0.02;

bool SamePhase(const StatementProgress& a, const StatementProgress& b) {
  return a.command() == b.command() && a.relation() == b.relation() && a.phase() == b.phase() &&
         a.unit() == b.unit() && a.total() == b.total();
}

bool HasRate(const StatementProgress& progress) {
  // Transactions end when they like.
  return progress.unit() != migration::v1::PROGRESS_UNIT_UNSPECIFIED &&
         progress.unit() != migration::v1::PROGRESS_UNIT_LOCKERS && progress.total() > 0 &&
         progress.done() <= progress.total();
}

}  // namespace

absl::optional<absl::Duration> PhaseEstimate::Update(const StatementProgress& seen,
                                                     absl::Time time) {
  if (!HasRate(seen)) {
    first_.reset();
    return absl::nullopt;
  }
  // A phase that has begun anew, for the next index of a table, say, looks like the one before.
  if (!first_ || !SamePhase(*first_, seen) || seen.done() < last_done_) {
    first_ = seen;
    first_time_ = time;
  }
  last_done_ = seen.done();
  const absl::Duration watched = time - first_time_;
  const double part =
      static_cast<double>(seen.done() - first_->done()) / static_cast<double>(seen.total());
  if (watched < kShortestView || part < kSmallestPart) return absl::nullopt;
  return watched * (static_cast<double>(seen.total() - seen.done()) /
                    static_cast<double>(seen.done() - first_->done()));
}

}  // namespace migd
