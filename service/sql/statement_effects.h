// What a statement does to the relations of a live database, as far as the statement itself says.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "migration/v1/statement.pb.h"
#include "service/script/statement.h"
#include "service/script/statement_reader.h"

namespace migd {

// Which relations a lock, or some work, concerns, given the name in the statement. Beyond the first
// it takes the catalogue to tell.
enum class Reach {
  // The relation alone.
  kItself,
  // It, and all that inherit from it, its partitions among them.
  kDescendants,
  // The table of the index that is named.
  kTableOfIndex,
  // The indexes of the table that is named.
  kIndexes,
  // The tables that its foreign keys refer to.
  kReferenced,
  // The tables whose foreign keys refer to it.
  kReferencing,
  // Those that refer to it, those that refer to these, and so on.
  kAllReferencing,
  // Its partition for what has no other.
  kDefaultPartition,
  // The sequences that its columns own.
  kOwnedSequences,
  // The tables with a column of the type that is named.
  kTablesOfType,
  // The tables that are made of the type that is named (CREATE TABLE ... OF).
  kTypedTables,
  // The table at the other end of its foreign key `detail`.
  kConstraintPeer,
};

// A lock that a statement takes.
struct LockNeed {
  QualifiedName relation;
  migration::v1::LockMode mode = migration::v1::LOCK_MODE_ACCESS_SHARE;
  Reach reach = Reach::kItself;
  std::string detail = {};
};

// A type as a statement writes it.
struct WrittenType {
  // Without pg_catalog; its schema only where one is written. An array's is that of its elements.
  QualifiedName name;
  bool is_array = false;
  // What stands in parentheses, such as {10, 2}.
  std::vector<int> modifiers;
  // It is one of PostgreSQL's own, and no domain.
  bool is_builtin = false;
};

// What must be true for work to be done. Where the catalogue cannot be asked it is.
enum class WorkCondition {
  kAlways,
  // The values of `column` are stored otherwise as `type`.
  kTypeChangesStorage,
  // They are not, but `type` is another one, and constraints of the table look at the column.
  kTypeIsChecked,
  // They are stored as they are, but ordered by other operators, and `column` has indexes.
  kTypeRebuildsIndexes,
  // `column` may have nulls as yet.
  kColumnNullable,
  // One of `functions` is volatile.
  kFunctionVolatile,
  // `type` is a domain with constraints.
  kDomainConstrained,
  // No relation is called `object`.
  kObjectMissing,
  // The other table of an attachment, `object`, has indexes.
  kObjectHasIndexes,
};

// Work on all of a relation.
struct WorkNeed {
  migration::v1::RelationWorkKind kind = migration::v1::RELATION_WORK_KIND_SCAN;
  QualifiedName relation;
  // In words.
  std::string reason;
  Reach reach = Reach::kItself;
  WorkCondition condition = WorkCondition::kAlways;
  std::string column = {};
  WrittenType type = {};
  // USING casts the column, which cuts off what does not fit, and is no error.
  bool casts = false;
  std::vector<QualifiedName> functions = {};
  QualifiedName object = {};
  // As in LockNeed.
  std::string detail = {};
};

// An object that a statement drops.
struct DroppedThing {
  // "table", "column", "view", "materialized view", "foreign table", "index", "sequence", "schema",
  // "type", "extension", "function", "database", "role" (for all that it owns), "trigger", "rule",
  // "policy", "statistics", "constraint", "collation", "language", "server", "foreign data
  // wrapper".
  std::string kind;
  // Of a column, a constraint, a trigger, a rule or a policy: its table.
  QualifiedName name;
  // The name of what belongs to a table.
  std::string part = {};
  bool cascade = false;
  bool if_exists = false;
};

// A relation whose rows, or the values of some of its columns, go.
struct EmptiedRelation {
  QualifiedName relation;
  // Those that an UPDATE without WHERE sets, or that get another type and values that have nothing
  // to do with those before. If empty, the rows are deleted.
  std::vector<std::string> columns;
  // What inherits from it is emptied too.
  bool descendants = true;
  // TRUNCATE ... CASCADE: what refers to it is emptied too.
  bool cascade = false;
};

// A relation, or the column of one, that a statement makes.
struct CreatedThing {
  QualifiedName name;
  // Of a column.
  std::string column = {};
  // IF NOT EXISTS: the statement does nothing if it is there, and locks nothing.
  bool is_guarded = false;
};

// A relation, a type, a schema, or a column of a relation, that goes on under another name or in
// another schema.
struct Renaming {
  QualifiedName from;
  QualifiedName to;
  // `from` and `to` are schemas, by their names alone.
  bool is_schema = false;
  // Of a column.
  std::string from_column = {};
  std::string to_column = {};
};

// Locks up to ROW EXCLUSIVE, which are in no reader's or writer's way, are told of the relations
// only that the statement itself names.
struct StatementEffects {
  // PostgreSQL's command tag.
  std::string command;
  // What it does cannot be told: the grammar does not know it, or it runs other statements, as DO
  // does.
  bool is_unknown = false;
  // The functions that it calls as it runs, but for those of PostgreSQL's that migrations call for
  // what they are known to do. One that somebody has written may do anything.
  std::vector<QualifiedName> calls;
  migration::v1::TransactionNeed transaction_need = migration::v1::TRANSACTION_NEED_ANY;
  std::vector<LockNeed> locks;
  std::vector<WorkNeed> works;
  std::vector<DroppedThing> drops;
  std::vector<EmptiedRelation> emptied;
  std::vector<CreatedThing> created;
  std::vector<Renaming> renamings;
  // The search_path from here on, if the statement sets it; empty names are left out.
  absl::optional<std::vector<std::string>> search_path;
  // It sets the search_path back to what it was at the beginning.
  bool resets_search_path = false;
  // It sets the TimeZone.
  bool sets_time_zone = false;
};

// Reads one statement. Inside RunOnDeepStack. Never fails: what it cannot read is unknown. Pure.
//
// The locks are those of PostgreSQL 12 to 18 (AlterTableGetLockLevel in tablecmds.c, "Explicit
// Locking" in the documentation); where versions differ, the stronger.
StatementEffects EffectsOf(absl::string_view sql);

// The same without the grammar for a statement that only adds rows, INSERT ... VALUES or COPY from
// the file: there may be very many. Nothing for others. Needs no deep stack.
absl::optional<StatementEffects> EffectsOfPlainLoad(const Statement& statement);

}  // namespace migd
