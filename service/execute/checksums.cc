#include "service/execute/checksums.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "service/base/errors.h"
#include "service/revision/lineage.h"
#include "service/revision/symbol.h"
#include "service/revision/symbol_resolution.h"

namespace migd {
namespace {

// The ids that the request accepts.
absl::StatusOr<std::set<std::string>> AcceptedIds(const ScriptSet& scripts, const VersionRows& rows,
                                                  const std::vector<std::string>& symbols) {
  std::set<std::string> ids;
  for (const std::string& text : symbols) {
    const auto symbol = RevisionSymbol::Parse(text);
    if (!symbol.ok()) return symbol.status();
    const auto resolved = ResolveSymbols(scripts.graph(), rows, *symbol);
    if (!resolved.ok()) return resolved.status();
    for (const RevisionIndex index : *resolved) ids.insert(scripts.graph().revision(index).id);
  }
  return ids;
}

absl::Status CheckAllChanged(const std::set<std::string>& ids,
                             const std::vector<ChangedFile>& changed) {
  for (const std::string& id : ids) {
    const bool has_changed =
        std::any_of(changed.begin(), changed.end(),
                    [&id](const ChangedFile& file) { return file.revision == id; });
    if (!has_changed) {
      return errors::InvalidRequest("accept_checksums",
                                    absl::StrCat("the file of revision ", id,
                                                 " is as it was applied, or was not applied "
                                                 "here; there is nothing to accept"));
    }
  }
  return absl::OkStatus();
}

absl::Status Accept(Session& session, const ChangedFile& file, const std::string& operation,
                    const EventSink& sink) {
  const absl::Status status =
      session.AcceptChecksum({file.revision, file.file_checksum, operation});
  if (!status.ok()) return status;
  migration::v1::OperationEvent event;
  auto& accepted = *event.mutable_checksum_accepted();
  accepted.set_revision(file.revision);
  accepted.set_applied_checksum(file.applied_checksum);
  accepted.set_file_checksum(file.file_checksum);
  sink(std::move(event));
  return absl::OkStatus();
}

}  // namespace

std::vector<ChangedFile> FindChangedFiles(const ScriptSet& scripts, const VersionRows& rows,
                                          const std::map<std::string, std::string>& checksums) {
  const RevisionGraph& graph = scripts.graph();
  const RevisionSet applied = AppliedBy(graph, rows);
  std::vector<ChangedFile> changed;
  const std::vector<RevisionIndex>& newest_first = graph.newest_first();
  for (auto next = newest_first.rbegin(); next != newest_first.rend(); ++next) {
    const RevisionIndex index = *next;
    if (!applied.contains(index)) continue;
    const MigrationFile& file = scripts.file(index);
    const auto known = checksums.find(file.revision().id);
    if (known == checksums.end() || known->second == file.checksum()) continue;
    changed.push_back({file.revision().id, file.revision().path, known->second, file.checksum()});
  }
  return changed;
}

absl::Status CheckUnchanged(const std::vector<ChangedFile>& changed) {
  if (changed.empty()) return absl::OkStatus();
  const ChangedFile& first = changed.front();
  return errors::ChecksumMismatch(first.revision, first.path, first.applied_checksum,
                                  first.file_checksum, static_cast<int>(changed.size()) - 1);
}

absl::Status SettleChecksums(Database& database, Session& session, const ScriptSet& scripts,
                             const Plan& plan, const ExecuteRequest& request,
                             const EventSink& sink) {
  if (request.action != migration::v1::ACTION_UPGRADE) return absl::OkStatus();
  const bool goes_on = !plan.steps.empty() && !plan.starting_rows.empty();
  if (!goes_on && request.accept_checksums.empty()) return absl::OkStatus();
  const auto checksums = database.ReadChecksums();
  if (!checksums.ok()) return checksums.status();
  const auto changed = FindChangedFiles(scripts, plan.starting_rows, *checksums);
  const auto accepted = AcceptedIds(scripts, plan.starting_rows, request.accept_checksums);
  if (!accepted.ok()) return accepted.status();
  absl::Status status = CheckAllChanged(*accepted, changed);
  if (!status.ok()) return status;

  std::vector<ChangedFile> refused;
  std::vector<ChangedFile> to_accept;
  for (const ChangedFile& file : changed) {
    (accepted->count(file.revision) > 0 ? to_accept : refused).push_back(file);
  }
  if (!plan.steps.empty()) status = CheckUnchanged(refused);
  if (!status.ok() || to_accept.empty()) return status;
  status = session.PrepareForWriting();
  for (const ChangedFile& file : to_accept) {
    if (status.ok()) status = Accept(session, file, request.operation, sink);
  }
  return status;
}

}  // namespace migd
