#include "client/statement_progress_text.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/text.h"
#include "client/time_text.h"

namespace migctl {
namespace {

using migration::v1::StatementProgress;

// "120,000".
std::string Grouped(int64_t number) {
  std::string digits = absl::StrCat(number);
  for (auto at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<size_t>(at), 1, ',');
  }
  return digits;
}

// "4.2 MB".
std::string Bytes(int64_t bytes) {
  constexpr std::array<const char*, 4> kUnits = {"kB", "MB", "GB", "TB"};
  if (bytes < 1024) return absl::StrCat(bytes, " bytes");
  double amount = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (amount >= 1024 && unit + 1 < kUnits.size()) {
    amount /= 1024;
    ++unit;
  }
  return absl::StrFormat("%.1f %s", amount, kUnits.at(unit));
}

std::string Amount(const StatementProgress& progress, int64_t number) {
  switch (progress.unit()) {
    case migration::v1::PROGRESS_UNIT_BLOCKS:
      return absl::StrCat(Grouped(number), " blocks");
    case migration::v1::PROGRESS_UNIT_TUPLES:
      return absl::StrCat(Grouped(number), " tuples");
    case migration::v1::PROGRESS_UNIT_BYTES:
      return Bytes(number);
    default:  // of a server newer than this client
      return Grouped(number);
  }
}

std::string WaitText(const StatementProgress& progress) {
  const int64_t current = std::min(progress.done() + 1, progress.total());
  return absl::StrCat(
      progress.locker_pid() == 0 ? "waits" : absl::StrCat("waits for pid ", progress.locker_pid()),
      " (transaction ", current, " of ", progress.total(), ")");
}

std::string AmountText(const StatementProgress& progress) {
  if (progress.unit() == migration::v1::PROGRESS_UNIT_UNSPECIFIED) return "";
  if (progress.total() <= 0) return Amount(progress, progress.done());
  const double part = static_cast<double>(progress.done()) / static_cast<double>(progress.total());
  return absl::StrCat(std::clamp(static_cast<int>(part * 100), 0, 100), " % of ",
                      Amount(progress, progress.total()));
}

}  // namespace

std::string PhaseText(const StatementProgress& progress) {
  const std::string phase = Escape(progress.phase());
  if (progress.unit() == migration::v1::PROGRESS_UNIT_LOCKERS) {
    return absl::StrCat(phase, phase.empty() ? "" : ": ", WaitText(progress));
  }
  const std::string amount = AmountText(progress);
  return absl::StrCat(phase, phase.empty() || amount.empty() ? "" : ", ", amount);
}

std::string RemainingText(const StatementProgress& progress) {
  if (!progress.has_phase_remaining()) return "";
  return absl::StrCat(", ~", WholeSeconds(ToDuration(progress.phase_remaining())), " left");
}

std::string ProgressText(const StatementProgress& progress) {
  const std::string phase = PhaseText(progress);
  return absl::StrCat(Escape(progress.command()), progress.relation().empty() ? "" : " on ",
                      Escape(progress.relation()), phase.empty() ? "" : ": ", phase,
                      RemainingText(progress));
}

}  // namespace migctl
