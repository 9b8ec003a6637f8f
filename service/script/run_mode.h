// What can be said of a statement of a `transaction:false` section before it runs: how to run it so
// that the next run knows whether it did, and what to make of it if nobody knows. Reads the tokens,
// not the grammar of one version of PostgreSQL. Pure.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "service/script/statement.h"

namespace migd {

enum class RunMode {
  // Sets up its session, and ends with it (SET, RESET, set_config(), LISTEN, PREPARE ...): a run
  // that goes on with a later statement needs it all the same.
  kSession,
  // Begins or ends a transaction of the section's own; not a savepoint.
  kTransactionControl,
  // Does in a transaction with one other write what it does without. Should the server refuse
  // (SQLSTATE 25001 or 2D000), it is kAlone.
  kInTransaction,
  // Refuses a transaction block, ends the transaction that it is in, or is not known here.
  kAlone,
};

RunMode RunModeOf(absl::string_view sql);

// Whether a statement of a section inside a transaction can be sent together with its neighbours:
// whoever sends it needs not know first what became of those before it, what it says and what it
// fails with is told apart from what they do, and it leaves the transaction open. In doubt it
// cannot.
bool RunsTogether(const Statement& statement);

// COMMIT or END, but not COMMIT PREPARED.
bool IsCommit(absl::string_view sql);

// COMMIT AND CHAIN, ROLLBACK AND CHAIN: another transaction is open behind it.
bool ChainsTransaction(absl::string_view sql);

// To run it twice is to run it once, whatever became of the first time: maintenance, ALTER SYSTEM,
// DROP ... IF EXISTS.
bool IsRepeatable(absl::string_view sql);

// CREATE [UNIQUE] INDEX CONCURRENTLY [IF NOT EXISTS] name ON table ..., taken apart.
struct ConcurrentBuild {
  bool unique = false;
  std::string name;
  // Empty if the statement names none.
  std::string table_schema;
  std::string table;
  // What follows the table: method, columns, predicate. Points into the statement.
  absl::string_view definition;
};

// Nothing for other statements, and for an index whose name is left to the server.
absl::optional<ConcurrentBuild> ConcurrentBuildOf(absl::string_view sql);

// The index that DROP INDEX CONCURRENTLY drops; nothing for other statements.
absl::optional<GuardedObject> ConcurrentDropOf(absl::string_view sql);

}  // namespace migd
