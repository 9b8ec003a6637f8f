#include "service/database/database.h"

#include "service/base/errors.h"

namespace migd {

absl::Status Session::LookUp(const StepPart& part, size_t statement) {
  std::vector<absl::optional<ObjectState>> states;
  bool is_known = false;
  for (const GuardedObject& object : part.lookups[statement]) {
    const auto state = Inspect(object);
    if (!state.ok()) return state.status();
    states.push_back(*state);
    is_known = is_known || state->has_value();
  }
  return is_known ? part.on_lookup(statement, states) : absl::OkStatus();
}

// One after the other: for a connection that cannot do better.
absl::Status Session::RunPart(const StepPart& part, const StatementHandler& on_statement) {
  absl::Status status;
  if (part.on_commit) {
    const auto committed = Commit();
    if (!committed.ok()) return committed.status();
    status = part.on_commit(*committed);
    if (committed->error) return status;
  }
  if (status.ok() && part.begin) {
    status = SetTimeouts(*part.begin);
    if (status.ok()) status = Begin();
  }
  for (size_t i = 0; status.ok() && i < part.statements.size(); ++i) {
    if (i < part.lookups.size()) status = LookUp(part, i);
    if (!status.ok()) return status;
    const auto result = Execute(part.statements[i]);
    if (!result.ok()) return result.status();
    status = on_statement(i, *result);
    if (result->error) return status;
  }
  if (!status.ok() || !part.end) return status;
  status = ResetSettings();
  if (!status.ok()) return status;
  const auto holds_mutex = HoldsMutex();
  if (!holds_mutex.ok()) return holds_mutex.status();
  const LogEntry& log = part.end->log;
  if (!*holds_mutex) return errors::MutexLost(log.revision);
  for (const VersionWrite& write : part.end->writes) {
    status = WriteVersion(write, log.revision);
    if (!status.ok()) return status;
  }
  return AppendLog(log);
}

}  // namespace migd
