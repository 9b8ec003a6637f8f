#include "service/postgres/step_end.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/optional.h"
#include "service/base/errors.h"

namespace migd {
namespace {

// What the server finds instead of a number where something does not hold; it is in the message of
// its error, in any language.
constexpr char kMutexIsLost[] = "migd has lost the mutex";
constexpr char kFound[] = "migd has found ";

// Fails, with `problem` in the message, unless `condition` is true; both are expressions.
std::string AssertSql(absl::string_view condition, absl::string_view problem) {
  return absl::StrCat("CAST(CASE WHEN ", condition, " THEN '1' ELSE ", problem, " END AS integer)");
}

// Calls set_config() for each; the last is the lock timeout, $1. One of the two holds of the mutex
// is given back and taken again: in pg_locks, every lock of the whole server would have to be
// gathered. Fails if it was not held.
std::string PutBackSql(const std::vector<Setting>& settings) {
  const std::string mutex = absl::StrCat("(", kMutexClass, ", ", kMutexObject, ")");
  const std::string is_held =
      absl::StrCat("CASE WHEN pg_catalog.pg_advisory_unlock", mutex,
                   " THEN pg_catalog.pg_try_advisory_lock", mutex, " ELSE false END");
  return absl::StrCat("SELECT ", SetConfigSql(settings),
                      ", pg_catalog.set_config('lock_timeout', $1, false), ",
                      AssertSql(is_held, QuoteLiteral(kMutexIsLost)));
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

// With parameters in the order of `ParametersOf`. Fails if it meets another number of rows than
// one.
std::string WriteSql(const VersionTable& table, VersionWrite::Kind kind) {
  const bool has_both = kind == VersionWrite::Kind::kUpdate;
  return absl::StrCat(
      "WITH written AS (", VersionWriteSql(table, kind, "$1", has_both ? "$2" : "$1"),
      " RETURNING 1) SELECT ",
      AssertSql("pg_catalog.count(*) OPERATOR(pg_catalog.=) 1",
                absl::StrCat("pg_catalog.concat(", QuoteLiteral(kFound), ", pg_catalog.count(*))")),
      " FROM written");
}

// What `error` says of the rows that a write has met; nothing if it is about something else.
absl::optional<int64_t> RowsFound(const ServerError& error) {
  const size_t found = error.message.find(kFound);
  if (found == std::string::npos) return absl::nullopt;
  return std::strtoll(error.message.c_str() + found + std::strlen(kFound), nullptr, 10);
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
                            std::function<absl::Status(const ServerError&)> explain,
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
      {{"", false, Kind::kPrepared, known_as, std::move(parameters)}, nullptr, std::move(explain)});
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
      [revision](const ServerError& error) {
        return absl::StrContains(error.message, kMutexIsLost) ? errors::MutexLost(revision)
                                                              : absl::OkStatus();
      },
      queries);
  for (const VersionWrite& write : end.writes) {
    Add(
        NameOf(write.kind), [&] { return WriteSql(table, write.kind); }, ParametersOf(write),
        [&table, &write, revision](const ServerError& error) {
          const auto found = RowsFound(error);
          return found ? CheckWritten(table, write, revision, *found) : absl::OkStatus();
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
