// One SQL statement of a migration file, and what can be said of it without a database.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace migd {

// A statement where it stands in its file. The views point into the file's contents, which must
// outlive it.
struct Statement {
  // The statement without its final semicolon, from its first token to its last.
  absl::string_view text;
  // Where `text` begins in the file: bytes from 0, lines and columns (in characters) from 1.
  size_t offset = 0;
  int line = 0;
  int column = 0;
  // For COPY ... FROM stdin: the data lines that follow, without the final `\.` line.
  absl::optional<absl::string_view> copy_data;
};

// An object that a statement with IF [NOT] EXISTS passes over if it is there (or not there).
// Names are as PostgreSQL folds them: `Foo` is foo, `"Foo"` is Foo.
struct GuardedObject {
  // In lower case, in PostgreSQL's words: table, view, materialized view, index, sequence, schema,
  // extension, column, type, function, trigger, constraint ...
  std::string kind;
  // Empty if the statement names none.
  std::string schema;
  std::string name;
  // For an index, a column, a trigger or a constraint: the table, where the statement names it.
  std::string table_schema;
  std::string table;
  // DROP ... IF EXISTS passes over what is missing; CREATE ... IF NOT EXISTS over what exists.
  enum class Guard { kIfNotExists, kIfExists };
  Guard guard = Guard::kIfNotExists;

  // The name as people write it: `schema.name`, `table.column`.
  std::string DisplayName() const;
};

// The objects that `sql` guards. Reads the tokens, not PostgreSQL's grammar of one version, so
// syntax of later versions does not disturb it; a statement that it does not understand guards
// nothing. Functions and other objects with argument lists are left out.
std::vector<GuardedObject> GuardedObjects(absl::string_view sql);

// The objects that `sql` makes, if it does nothing else and has no IF NOT EXISTS: CREATE of what
// can have one or is a type or a view, ALTER TABLE that only adds columns. Nothing with OR REPLACE,
// and for temporary objects, an index without a name, CREATE SCHEMA with elements, and kinds with
// argument lists. Reads as GuardedObjects does; the guard is kIfNotExists.
std::vector<GuardedObject> CreatedObjects(absl::string_view sql);

// The statement begins or ends a transaction (BEGIN, START TRANSACTION, COMMIT, END, ROLLBACK,
// ABORT, PREPARE TRANSACTION ...), but not SAVEPOINT, RELEASE or ROLLBACK TO.
bool IsTransactionControl(absl::string_view sql);

// The statement builds, drops, refreshes or detaches CONCURRENTLY.
bool IsConcurrent(absl::string_view sql);

}  // namespace migd
