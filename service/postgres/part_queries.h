// The queries of a part of a step, and what is made of their results.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/optional.h"
#include "service/database/database.h"
#include "service/postgres/statement_runner.h"
#include "service/postgres/step_end.h"

namespace migd {

// How an object stands by what LookupSql found of it.
ObjectState StateOf(const std::vector<absl::optional<std::string>>& row);

// The COMMIT of a transaction, which may be broken by then; and how many queries that are. The last
// of them is the COMMIT itself.
StatementRunner::Query CommitQuery(size_t index);
constexpr size_t kCommitQueries = 2;

// In the order in which they are sent. Used by one thread.
class PartQueries {
 public:
  // `before` comes before the statements of `part`, which must outlive this, and `after` behind
  // them.
  PartQueries(const StepPart& part, std::vector<OwnQuery> before, std::vector<OwnQuery> after);
  PartQueries(const PartQueries&) = delete;
  PartQueries& operator=(const PartQueries&) = delete;

  // Not to be used when this is gone.
  StatementRunner::Batch batch() const;
  // The index of the last of the migration's own; nothing if there is none.
  absl::optional<size_t> last_statement() const { return last_statement_; }
  bool PreparesAny() const;

  // Passes the result of the query `index` on to who wants to know it: called for each in turn.
  // `database` is the name for errors.
  absl::Status Take(size_t index, const StatementRunner::QueryResult& result,
                    const Session::StatementHandler& on_statement, const std::string& database);

 private:
  enum class Kind { kOwn, kLookup, kStatement };
  struct Entry {
    Kind kind;
    const OwnQuery* own;
    // Of the part, and among its lookups.
    size_t statement;
    size_t object;
    // The text of a lookup.
    std::string lookup = {};
  };

  StatementRunner::Query Make(size_t index) const;
  void AddLookups(size_t statement);
  absl::Status TakeLookup(size_t index, const StatementRunner::QueryResult& result);

  const StepPart& part_;
  const std::vector<OwnQuery> before_;
  const std::vector<OwnQuery> after_;
  std::vector<Entry> queries_;
  absl::optional<size_t> last_statement_;
  // Of the statement that comes next.
  std::vector<absl::optional<ObjectState>> states_;
};

}  // namespace migd
