#include "client/audit_report.h"

#include <algorithm>
#include <array>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/text.h"
#include "client/time_text.h"

namespace migctl {
namespace {

using migration::v1::AuditEntry;

// "accepted", "refused LINT_FAILED".
std::string OutcomeOf(const AuditEntry& entry) {
  std::string outcome = AuditEntry::Outcome_Name(entry.outcome());
  outcome = absl::AsciiStrToLower(absl::StripPrefix(outcome, "OUTCOME_"));
  if (!entry.reason().empty()) absl::StrAppend(&outcome, " ", Escape(entry.reason()));
  if (entry.count() > 1) absl::StrAppend(&outcome, " (", entry.count(), " times)");
  return outcome;
}

// "token:deploy from ipv4:10.0.0.7". Those of this machine's unix sockets are named by their user,
// and the port says nothing.
std::string CallerOf(const AuditEntry& entry) {
  const std::string& address = entry.address();
  std::string caller = Escape(entry.principal());
  if (address.empty() || address == "unix" || address == "unknown") return caller;
  const size_t port = address.rfind(':');
  return absl::StrCat(caller, " from ", Escape(address.substr(0, port)));
}

// The number, when, who, how it went, and the call.
using Columns = std::array<std::string, 5>;

Columns ColumnsOf(const AuditEntry& entry, const TextSettings& settings) {
  const absl::Time time = ToTime(entry.time());
  std::string call = Escape(entry.rpc());
  if (!entry.request().empty()) absl::StrAppend(&call, " ", Escape(entry.request()));
  if (!entry.operation().empty()) absl::StrAppend(&call, "  [", Escape(entry.operation()), "]");
  return {absl::StrCat(entry.number()),
          settings.terminal ? RelativeTime(time, settings.now) : LogTime(time), CallerOf(entry),
          OutcomeOf(entry), std::move(call)};
}

}  // namespace

std::string CallerText(const migration::v1::WhoAmIResponse& response) {
  std::string text = Escape(response.principal());
  if (!response.address().empty()) absl::StrAppend(&text, " from ", Escape(response.address()));
  text += "\n";
  size_t width = 0;
  for (const auto& access : response.databases()) {
    width = std::max(width, access.database().size());
  }
  for (const auto& access : response.databases()) {
    const std::string role = migration::v1::Role_Name(access.role());
    absl::StrAppend(&text, PadRight(Escape(access.database()), static_cast<int>(width)), "  ",
                    absl::AsciiStrToLower(absl::StripPrefix(role, "ROLE_")), "\n");
  }
  return text;
}

std::string AuditText(const migration::v1::ListAuditEntriesResponse& response,
                      const TextSettings& settings) {
  std::vector<Columns> rows;
  std::array<size_t, 5> widths = {};
  for (const AuditEntry& entry : response.entries()) {
    rows.push_back(ColumnsOf(entry, settings));
    for (size_t i = 0; i + 1 < widths.size(); ++i) {
      widths[i] = std::max(widths[i], rows.back()[i].size());
    }
  }
  std::string text;
  for (const Columns& row : rows) {
    for (size_t i = 0; i + 1 < row.size(); ++i) {
      absl::StrAppend(&text, PadRight(row[i], static_cast<int>(widths[i])), "  ");
    }
    absl::StrAppend(&text, row.back(), "\n");
  }
  return text;
}

std::string VerificationText(const migration::v1::VerifyAuditResponse& response) {
  std::string text;
  for (const auto& problem : response.problems()) {
    absl::StrAppend(&text, Escape(problem.message()), "\n");
  }
  if (response.intact()) {
    absl::StrAppend(&text, "the audit is intact: ", response.entry_count(),
                    response.entry_count() == 1 ? " entry" : " entries", "\n");
  }
  // What is broken is nothing to compare with later.
  if (response.intact() && response.newest_number() > 0) {
    absl::StrAppend(&text, "newest: ", response.newest_number(), ":",
                    Escape(response.newest_hash()), "\n");
  }
  return text;
}

}  // namespace migctl
