#include "service/postgres/step_end.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "service/base/errors.h"

namespace migd {
namespace {

// Calls set_config() for each; the last is the lock timeout, $1. One of the two holds of the mutex
// is given back and taken again: in pg_locks, every lock of the whole server would have to be
// gathered. No row if it was not held.
std::string PutBackSql(const std::vector<Setting>& settings) {
  const std::string mutex = absl::StrCat("(", kMutexClass, ", ", kMutexObject, ")");
  return absl::StrCat("SELECT ", SetConfigSql(settings),
                      ", pg_catalog.set_config('lock_timeout', $1, false)"
                      " WHERE CASE WHEN pg_catalog.pg_advisory_unlock",
                      mutex, " THEN pg_catalog.pg_try_advisory_lock", mutex, " ELSE false END");
}

const char* NameOf(VersionWrite::Kind kind) {
  switch (kind) {
    case VersionWrite::Kind::kInsert:
      return "migd_insert_version";
    case VersionWrite::Kind::kDelete:
      return "migd_delete_version";
    case VersionWrite::Kind::kUpdate:
      return "migd_update_version";
  }
  return "";
}

// The expressions of its parameters, in the order of `ParametersOf`.
std::string WriteSql(const VersionTable& table, VersionWrite::Kind kind) {
  const bool has_both = kind == VersionWrite::Kind::kUpdate;
  return VersionWriteSql(table, kind, "$1", has_both ? "$2" : "$1");
}

std::vector<std::string> ParametersOf(const VersionWrite& write) {
  switch (write.kind) {
    case VersionWrite::Kind::kInsert:
      return {write.to};
    case VersionWrite::Kind::kDelete:
      return {write.from};
    case VersionWrite::Kind::kUpdate:
      return {write.from, write.to};
  }
  return {};
}

std::string LogSql(const VersionTable& table) {
  return AppendLogSql(
      table, {"$1", "$2", "$3", "$4",
              "coalesce(pg_catalog.to_timestamp(nullif($5, '')::double precision), now())", "$6"});
}

std::vector<std::string> ParametersOf(const LogEntry& entry) {
  return {entry.revision,
          DirectionName(entry.direction),
          entry.checksum,
          entry.operation,
          entry.start_time ? EpochSeconds(*entry.start_time) : "",
          LogRows(entry.resulting_rows)};
}

}  // namespace

absl::Status CheckWritten(const VersionTable& table, const VersionWrite& write,
                          absl::string_view revision, int64_t rows) {
  if (rows == 1) return absl::OkStatus();
  return errors::VersionRowMismatch(
      revision, absl::StrCat(VersionWriteProblem(table, write), "; ", rows, " found"));
}

void StepEndStatements::Add(absl::string_view name, absl::FunctionRef<std::string()> sql,
                            std::vector<std::string> parameters,
                            std::function<absl::Status(const StatementResult&)> check,
                            std::vector<OwnQuery>& queries) {
  using Kind = StatementRunner::Query::Kind;
  const std::string known_as(name);
  const bool is_coming = std::any_of(queries.begin(), queries.end(), [&](const OwnQuery& other) {
    return other.query.kind == Kind::kPrepare && other.query.name == name;
  });
  if (!is_coming && prepared_.count(name) == 0) {
    queries.push_back({{sql(), false, Kind::kPrepare, known_as}, [this, known_as](const auto&) {
                         prepared_.insert(known_as);
                         return absl::OkStatus();
                       }});
  }
  queries.push_back(
      {{"", false, Kind::kPrepared, known_as, std::move(parameters)}, std::move(check)});
}

std::vector<OwnQuery> StepEndStatements::Queries(const VersionTable& table,
                                                 const std::vector<Setting>& settings,
                                                 absl::Duration lock_timeout, const StepEnd& end) {
  std::vector<OwnQuery> queries;
  for (const char* reset : kResetStatements) queries.push_back({{reset}});
  const std::string& revision = end.log.revision;
  Add(
      "migd_put_back", [&] { return PutBackSql(settings); },
      {absl::StrCat(absl::ToInt64Milliseconds(lock_timeout))},
      [revision](const StatementResult& result) {
        return result.rows == 1 ? absl::OkStatus() : errors::MutexLost(revision);
      },
      queries);
  for (const VersionWrite& write : end.writes) {
    Add(
        NameOf(write.kind), [&] { return WriteSql(table, write.kind); }, ParametersOf(write),
        [&table, &write, revision](const StatementResult& result) {
          return CheckWritten(table, write, revision, result.rows);
        },
        queries);
  }
  Add(
      "migd_log", [&] { return LogSql(table); }, ParametersOf(end.log), nullptr, queries);
  return queries;
}

void StepEndStatements::Note(const StatementResult& result) {
  if (absl::StartsWith(result.command_tag, "DEALLOCATE") ||
      absl::StartsWith(result.command_tag, "DISCARD ALL")) {
    prepared_.clear();
  }
}

}  // namespace migd
