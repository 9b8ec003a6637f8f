// The statements by which the service ends a step.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/database/database.h"
#include "service/database/service_sql.h"
#include "service/postgres/statement_runner.h"

namespace migd {

// A query of the service's own that is sent among the statements of a step, and what is made of its
// result, if it depends on that.
struct OwnQuery {
  StatementRunner::Query query;
  std::function<absl::Status(const StatementResult&)> check = nullptr;
  // What a refusal means; OK if it is not one that the query provokes by itself.
  std::function<absl::Status(const ServerError&)> explain = nullptr;
};

// What the end of a step needs, of one session: they are prepared there when they are first used,
// since reading and planning them costs more than running them. Used by one thread.
class StepEndStatements {
 public:
  // What ends a step on `table`: the settings of the session are reset to `settings` and
  // `lock_timeout`, it is made sure that the mutex is held twice, and `end` is written, which must
  // outlive the queries. What does not hold is an error of the server's, so that nothing behind it
  // in the transaction can be committed, whoever has sent it ahead.
  std::vector<OwnQuery> Queries(const VersionTable& table, const std::vector<Setting>& settings,
                                absl::Duration lock_timeout, const StepEnd& end);

  // Looks at what a migration's statement has done: it may have dropped what was prepared.
  void Note(const StatementResult& result);

 private:
  // Runs what `sql` returns, which is always the same under this name, with `parameters`.
  void Add(absl::string_view name, absl::FunctionRef<std::string()> sql,
           std::vector<std::string> parameters,
           std::function<absl::Status(const ServerError&)> explain, std::vector<OwnQuery>& queries);

  std::set<std::string, std::less<>> prepared_;
};

// VersionRowMismatch if a write to the version table met another number of rows than one.
absl::Status CheckWritten(const VersionTable& table, const VersionWrite& write,
                          absl::string_view revision, int64_t rows);

}  // namespace migd
