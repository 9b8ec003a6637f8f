#include "service/postgres/part_queries.h"

#include <algorithm>
#include <utility>

#include "service/database/service_sql.h"
#include "service/postgres/status_translation.h"

namespace migd {

ObjectState StateOf(const std::vector<absl::optional<std::string>>& row) {
  if (row.empty()) return ObjectState::kMissing;
  // An index on a partitioned table (relkind I) may be invalid by design, until every partition has
  // its own.
  const bool invalid = row[0] == "i" && row[1] == "f";
  return invalid ? ObjectState::kInvalidIndex : ObjectState::kPresent;
}

StatementRunner::Query CommitQuery(size_t index) {
  // A COMMIT would end a broken transaction, too, and what comes behind it would run. This, which
  // is not even run, is refused there, and with it all that is behind.
  if (index == 0) return {"SELECT", false, StatementRunner::Query::Kind::kPrepare};
  // Its end is told at once: what follows may take long.
  return {"COMMIT", /*is_awaited=*/true};
}

PartQueries::PartQueries(const StepPart& part, std::vector<OwnQuery> before,
                         std::vector<OwnQuery> after)
    : part_(part), before_(std::move(before)), after_(std::move(after)) {
  for (const OwnQuery& query : before_) queries_.push_back({Kind::kOwn, &query, 0, 0});
  for (size_t i = 0; i < part.statements.size(); ++i) {
    if (i < part.lookups.size()) AddLookups(i);
    last_statement_ = queries_.size();
    queries_.push_back({Kind::kStatement, nullptr, i, 0});
  }
  for (const OwnQuery& query : after_) queries_.push_back({Kind::kOwn, &query, 0, 0});
}

void PartQueries::AddLookups(size_t statement) {
  for (size_t object = 0; object < part_.lookups[statement].size(); ++object) {
    auto lookup = LookupSql(part_.lookups[statement][object]);
    if (!lookup) continue;
    queries_.push_back({Kind::kLookup, nullptr, statement, object, *std::move(lookup)});
  }
}

StatementRunner::Batch PartQueries::batch() const {
  return {queries_.size(), [this](size_t index) { return Make(index); }};
}

bool PartQueries::PreparesAny() const {
  return std::any_of(after_.begin(), after_.end(), [](const OwnQuery& own) {
    return own.query.kind == StatementRunner::Query::Kind::kPrepare;
  });
}

StatementRunner::Query PartQueries::Make(size_t index) const {
  const Entry& entry = queries_[index];
  switch (entry.kind) {
    case Kind::kOwn:
      return entry.own->query;
    case Kind::kLookup: {
      StatementRunner::Query lookup;
      lookup.sql = entry.lookup;
      lookup.keeps_row = true;
      return lookup;
    }
    case Kind::kStatement:
      break;
  }
  // The end of the last comes with the rest, which takes no time, unless there is something to
  // send meanwhile.
  const bool is_awaited = index != last_statement_ || part_.is_committed;
  return {std::string(part_.statements[entry.statement].text), is_awaited};
}

absl::Status PartQueries::Take(size_t index, const StatementRunner::QueryResult& result,
                               const Session::StatementHandler& on_statement,
                               const std::string& database) {
  const Entry& entry = queries_[index];
  if (entry.kind == Kind::kStatement) return on_statement(entry.statement, result);
  const bool is_commit = part_.on_commit && index == kCommitQueries - 1;
  if (result.error && !is_commit) {
    const bool explains = entry.kind == Kind::kOwn && entry.own->explain;
    const absl::Status status = explains ? entry.own->explain(*result.error) : absl::OkStatus();
    if (!status.ok()) return status;
    return StatusOfRefusal(result.error->sqlstate, result.error->message, database);
  }
  if (entry.kind == Kind::kLookup) return TakeLookup(index, result);
  return entry.own->check ? entry.own->check(result) : absl::OkStatus();
}

absl::Status PartQueries::TakeLookup(size_t index, const StatementRunner::QueryResult& result) {
  const Entry& entry = queries_[index];
  states_.resize(part_.lookups[entry.statement].size());
  states_[entry.object] = StateOf(result.first_row);
  if (queries_[index + 1].kind == Kind::kLookup) return absl::OkStatus();
  return part_.on_lookup(entry.statement, std::exchange(states_, {}));
}

}  // namespace migd
