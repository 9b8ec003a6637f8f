// A statement taken apart for the rules.
#pragma once

#include <pg_query/pg_query.pb-c.h>

#include <vector>

#include "absl/types/optional.h"
#include "service/lint/tree.h"
#include "service/script/statement.h"

namespace migd {

// One command of ALTER TABLE, or of ALTER VIEW, ALTER INDEX and their like.
struct AlterCommand {
  ObjectName relation;
  PgQuery__ObjectType kind;
  const PgQuery__AlterTableCmd* command;
  // Where it begins, in bytes of the statement.
  size_t offset;
};

// A column that CREATE TABLE or ADD COLUMN defines.
struct DefinedColumn {
  ObjectName table;
  const PgQuery__ColumnDef* column;
  // ADD COLUMN: the table was there before the statement.
  bool is_added;
  size_t offset;
};

// A constraint that ALTER TABLE adds, by itself or with a column.
struct AddedConstraint {
  ObjectName table;
  const PgQuery__Constraint* constraint;
  // The column that it comes with; null if it comes by itself.
  const PgQuery__ColumnDef* column;
  size_t offset;
};

// A statement with its tree, which must outlive it.
struct StatementView {
  StatementView(const Statement& text, const PgQuery__Node& tree);

  // The tree of a statement of this kind; null for others. `member` is that of the union.
  template <typename T>
  const T* As(PgQuery__Node__NodeCase node_case, T* PgQuery__Node::*member) const {
    return root.node_case == node_case ? root.*member : nullptr;
  }

  const Statement& statement;
  const PgQuery__Node& root;
  std::vector<AlterCommand> commands;
  std::vector<DefinedColumn> columns;
  std::vector<AddedConstraint> constraints;
};

// The relations that a statement locks so that their writers, or all others, wait until its
// transaction ends. Not those that it makes.
std::vector<ObjectName> BlockedRelations(const StatementView& view);

}  // namespace migd
