#include "service/lint/statement_view.h"

#include <algorithm>

namespace migd {
namespace {

size_t ToOffset(int32_t location) { return location > 0 ? static_cast<size_t>(location) : 0; }

bool IsStrong(PgQuery__AlterTableType type) {
  switch (type) {
    // SHARE UPDATE EXCLUSIVE, by AlterTableGetLockLevel of PostgreSQL.
    case PG_QUERY__ALTER_TABLE_TYPE__AT_ValidateConstraint:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_SetStatistics:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_ClusterOn:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DropCluster:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_SetOptions:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_ResetOptions:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_SetRelOptions:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_ResetRelOptions:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AttachPartition:
      return false;
    default:
      return true;
  }
}

}  // namespace

StatementView::StatementView(const Statement& text, const PgQuery__Node& tree)
    : statement(text), root(tree) {
  if (const auto* create = As(PG_QUERY__NODE__NODE_CREATE_STMT, &PgQuery__Node::create_stmt)) {
    for (size_t i = 0; i < create->n_table_elts; ++i) {
      const PgQuery__Node* element = create->table_elts[i];
      if (element->node_case != PG_QUERY__NODE__NODE_COLUMN_DEF) continue;
      columns.push_back({ObjectOf(create->relation), element->column_def, false,
                         ToOffset(element->column_def->location)});
    }
  }
  const auto* alter = As(PG_QUERY__NODE__NODE_ALTER_TABLE_STMT, &PgQuery__Node::alter_table_stmt);
  if (alter == nullptr || alter->relation == nullptr) return;
  const ObjectName relation = ObjectOf(alter->relation);
  const std::vector<size_t> offsets =
      CommandOffsets(statement.text, ToOffset(alter->relation->location));
  for (size_t i = 0; i < alter->n_cmds; ++i) {
    if (alter->cmds[i]->node_case != PG_QUERY__NODE__NODE_ALTER_TABLE_CMD) continue;
    const PgQuery__AlterTableCmd* command = alter->cmds[i]->alter_table_cmd;
    const size_t offset = i < offsets.size() ? offsets[i] : 0;
    commands.push_back({relation, alter->objtype, command, offset});
    if (const PgQuery__Constraint* constraint = ConstraintOf(command->def)) {
      if (command->subtype == PG_QUERY__ALTER_TABLE_TYPE__AT_AddConstraint) {
        constraints.push_back({relation, constraint, nullptr, offset});
      }
    }
    if (command->subtype != PG_QUERY__ALTER_TABLE_TYPE__AT_AddColumn || command->def == nullptr ||
        command->def->node_case != PG_QUERY__NODE__NODE_COLUMN_DEF ||
        alter->objtype != PG_QUERY__OBJECT_TYPE__OBJECT_TABLE) {
      continue;
    }
    const PgQuery__ColumnDef* column = command->def->column_def;
    columns.push_back({relation, column, true, offset});
    for (size_t c = 0; c < column->n_constraints; ++c) {
      if (const PgQuery__Constraint* constraint = ConstraintOf(column->constraints[c])) {
        constraints.push_back({relation, constraint, column, ToOffset(constraint->location)});
      }
    }
  }
}

std::vector<ObjectName> BlockedRelations(const StatementView& view) {
  std::vector<ObjectName> blocked;
  for (const AlterCommand& command : view.commands) {
    if (IsStrong(command.command->subtype)) blocked.push_back(command.relation);
  }
  const PgQuery__Node& root = view.root;
  switch (root.node_case) {
    case PG_QUERY__NODE__NODE_INDEX_STMT:
      if (!root.index_stmt->concurrent) blocked.push_back(ObjectOf(root.index_stmt->relation));
      break;
    case PG_QUERY__NODE__NODE_RENAME_STMT:
      if (root.rename_stmt->relation != nullptr) {
        blocked.push_back(ObjectOf(root.rename_stmt->relation));
      }
      break;
    case PG_QUERY__NODE__NODE_ALTER_OBJECT_SCHEMA_STMT:
      if (root.alter_object_schema_stmt->relation != nullptr) {
        blocked.push_back(ObjectOf(root.alter_object_schema_stmt->relation));
      }
      break;
    case PG_QUERY__NODE__NODE_CREATE_TRIG_STMT:
      blocked.push_back(ObjectOf(root.create_trig_stmt->relation));
      break;
    case PG_QUERY__NODE__NODE_CLUSTER_STMT:
      if (root.cluster_stmt->relation != nullptr) {
        blocked.push_back(ObjectOf(root.cluster_stmt->relation));
      }
      break;
    case PG_QUERY__NODE__NODE_REFRESH_MAT_VIEW_STMT:
      blocked.push_back(ObjectOf(root.refresh_mat_view_stmt->relation));
      break;
    case PG_QUERY__NODE__NODE_TRUNCATE_STMT:
      for (size_t i = 0; i < root.truncate_stmt->n_relations; ++i) {
        blocked.push_back(ObjectOf(root.truncate_stmt->relations[i]));
      }
      break;
    case PG_QUERY__NODE__NODE_DROP_STMT:
      if (root.drop_stmt->remove_type != PG_QUERY__OBJECT_TYPE__OBJECT_TABLE) break;
      for (size_t i = 0; i < root.drop_stmt->n_objects; ++i) {
        blocked.push_back(ObjectOf(root.drop_stmt->objects[i]));
      }
      break;
    case PG_QUERY__NODE__NODE_LOCK_STMT: {
      // The number of SHARE among PostgreSQL's lock modes; from there on writers wait.
      constexpr int kShareLock = 5;
      if (root.lock_stmt->mode < kShareLock) break;
      for (size_t i = 0; i < root.lock_stmt->n_relations; ++i) {
        blocked.push_back(ObjectOf(root.lock_stmt->relations[i]));
      }
      break;
    }
    default:
      break;
  }
  std::sort(blocked.begin(), blocked.end());
  blocked.erase(std::unique(blocked.begin(), blocked.end()), blocked.end());
  return blocked;
}

}  // namespace migd
