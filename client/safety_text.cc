#include "client/safety_text.h"

#include <array>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "client/text.h"
#include "client/time_text.h"

namespace migctl {

using migration::v1::BackupProgress;
using migration::v1::SchemaDifference;

std::string SizeText(int64_t bytes) {
  constexpr std::array kUnits = {"B", "kB", "MB", "GB", "TB", "PB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1000 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 || value >= 10 ? "%.0f %s" : "%.1f %s", value,
                kUnits[unit]);
  return text.data();
}

const char* SeverityName(migration::v1::Severity severity) {
  switch (severity) {
    case migration::v1::SEVERITY_ERROR:
      return "error";
    case migration::v1::SEVERITY_WARNING:
      return "warning";
    default:
      return "off";
  }
}

std::string FindingText(const migration::v1::Finding& finding) {
  return absl::StrCat(
      SeverityName(finding.severity()), " ", Escape(finding.path()), ":", finding.line(), ":",
      finding.column(), " ", Escape(finding.rule()), ": ", Escape(finding.message()),
      finding.suggestion().empty() ? "" : "; instead: ", Escape(finding.suggestion()));
}

std::string ChecksumAcceptedText(const migration::v1::ChecksumAccepted& accepted) {
  constexpr size_t kShown = 12;
  return absl::StrCat(Escape(accepted.revision()), " as it is now, checksum ",
                      Escape(accepted.file_checksum()).substr(0, kShown), " instead of ",
                      Escape(accepted.applied_checksum()).substr(0, kShown));
}

std::string BackupStartedText(const migration::v1::BackupStarted& started) {
  return absl::StrCat("to ", Escape(started.path()), " with pg_dump ",
                      Escape(started.program_version()), ", database size ",
                      SizeText(started.database_size_bytes()));
}

std::string BackupProgressText(const BackupProgress& progress) {
  std::string text;
  switch (progress.phase()) {
    case BackupProgress::PHASE_VERIFYING:
      text = "verifying";
      break;
    case BackupProgress::PHASE_RESTORING:
      text = "restoring it to verify it";
      break;
    case BackupProgress::PHASE_COUNTING:
      text = "counting rows";
      break;
    default:
      text = "dumping";
  }
  if (progress.table_count() > 0) {
    absl::StrAppend(&text, ", ", progress.finished_table_count(), " of ", progress.table_count(),
                    " tables");
  }
  if (progress.size_bytes() > 0) absl::StrAppend(&text, ", ", SizeText(progress.size_bytes()));
  if (!progress.table().empty()) absl::StrAppend(&text, ", ", Escape(progress.table()));
  return text;
}

std::string BackupText(const migration::v1::Backup& backup) {
  return absl::StrCat(Escape(backup.path()), ", ", SizeText(backup.size_bytes()),
                      backup.verification() == migration::v1::BACKUP_VERIFICATION_RESTORE
                          ? ", verified by restoring it"
                          : ", verified",
                      " in ", ShortDuration(ToDuration(backup.duration())));
}

std::string SchemaComparedText(const migration::v1::SchemaCompared& compared) {
  if (compared.has_error()) {
    return absl::StrCat("could not be compared with the files: ",
                        Escape(compared.error().message()));
  }
  const int count = compared.differences_size() + compared.omitted_count();
  const std::string objects =
      absl::StrCat(compared.object_count(), compared.object_count() == 1 ? " object" : " objects");
  if (count == 0) return absl::StrCat(objects, ", as the files make them");
  return absl::StrCat(Count(count, "difference"), " from the ", objects, " that the files make");
}

std::string DifferenceText(const SchemaDifference& difference) {
  const std::string object =
      absl::StrCat(Escape(difference.object_kind()), " ", Escape(difference.object_name()));
  if (difference.kind() == SchemaDifference::KIND_MISSING) return absl::StrCat("missing ", object);
  if (difference.kind() == SchemaDifference::KIND_UNEXPECTED) {
    return absl::StrCat("unexpected ", object);
  }
  std::string text = absl::StrCat(object, ":");
  absl::string_view separator = " ";
  for (const auto& attribute : difference.attributes()) {
    absl::StrAppend(&text, separator, Escape(attribute.attribute()), " ",
                    attribute.actual().empty() ? "none" : Escape(attribute.actual()),
                    " instead of ",
                    attribute.expected().empty() ? "none" : Escape(attribute.expected()));
    separator = ", ";
  }
  return text;
}

}  // namespace migctl
