#include "service/lint/section_state.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace migd {
namespace {

bool HasPair(const std::vector<std::pair<ObjectName, std::string>>& pairs, const ObjectName& name,
             const std::string& column) {
  return std::any_of(pairs.begin(), pairs.end(), [&](const auto& pair) {
    return pair.first.MayBe(name) && pair.second == column;
  });
}

// A timeout of nothing, such as 0 or '0ms'.
bool IsZero(const PgQuery__Node* value) {
  if (value->node_case != PG_QUERY__NODE__NODE_A_CONST) return false;
  const PgQuery__AConst& constant = *value->a_const;
  if (constant.val_case == PG_QUERY__A__CONST__VAL_IVAL) return constant.ival->ival == 0;
  const std::string text = TextOf(value);
  return !text.empty() && absl::ascii_isdigit(static_cast<unsigned char>(text[0])) &&
         text.find_first_of("123456789") == std::string::npos;
}

}  // namespace

SectionState SectionState::BelowUp(const SectionState& up, bool transactional) {
  SectionState state(transactional);
  state.new_ = up.new_;
  state.new_columns_ = up.new_columns_;
  return state;
}

bool SectionState::IsNewColumn(const ObjectName& table, const std::string& column) const {
  return IsNew(table) || HasPair(new_columns_, table, column);
}

bool SectionState::IsProvenNotNull(const ObjectName& table, const std::string& column) const {
  return trusted_.MayHave(table) || HasPair(proven_, table, column);
}

bool SectionState::WasAddedInTransaction(const ObjectName& table,
                                         const std::string& constraint) const {
  return std::any_of(not_valid_.begin(), not_valid_.end(), [&](const NotValid& added) {
    return added.transaction == transaction_ && added.table.MayBe(table) &&
           (added.name == constraint || added.name.empty());
  });
}

void SectionState::Advance(const StatementView& view) {
  for (const ObjectName& relation : BlockedRelations(view)) {
    if (IsNew(relation)) continue;
    lock_timeout_off_line_ = 0;
    if (in_transaction()) blocked_.Add(relation);
  }
  AdvanceSettings(view);
  AdvanceConstraints(view);
  AdvanceNew(view);
  AdvanceTransaction(view);
}

void SectionState::AdvanceNew(const StatementView& view) {
  for (const DefinedColumn& column : view.columns) {
    if (column.is_added) new_columns_.emplace_back(column.table, column.column->colname);
  }
  const PgQuery__Node& root = view.root;
  switch (root.node_case) {
    case PG_QUERY__NODE__NODE_CREATE_STMT:
      return new_.Add(ObjectOf(root.create_stmt->relation));
    case PG_QUERY__NODE__NODE_CREATE_FOREIGN_TABLE_STMT:
      return new_.Add(ObjectOf(root.create_foreign_table_stmt->base_stmt->relation));
    case PG_QUERY__NODE__NODE_CREATE_TABLE_AS_STMT:
      return new_.Add(ObjectOf(root.create_table_as_stmt->into->rel));
    case PG_QUERY__NODE__NODE_VIEW_STMT:
      if (!root.view_stmt->replace) new_.Add(ObjectOf(root.view_stmt->view));
      return;
    case PG_QUERY__NODE__NODE_CREATE_SEQ_STMT:
      return new_.Add(ObjectOf(root.create_seq_stmt->sequence));
    case PG_QUERY__NODE__NODE_INDEX_STMT: {
      // An index stands in the schema of its table.
      const ObjectName table = ObjectOf(root.index_stmt->relation);
      if (IsNew(table)) new_.Add({table.schema, root.index_stmt->idxname});
      return;
    }
    case PG_QUERY__NODE__NODE_CREATE_ENUM_STMT:
      return new_.Add(
          ObjectOf(root.create_enum_stmt->type_name, root.create_enum_stmt->n_type_name));
    case PG_QUERY__NODE__NODE_COMPOSITE_TYPE_STMT:
      return new_.Add(ObjectOf(root.composite_type_stmt->typevar));
    case PG_QUERY__NODE__NODE_CREATE_DOMAIN_STMT:
      return new_.Add(
          ObjectOf(root.create_domain_stmt->domainname, root.create_domain_stmt->n_domainname));
    case PG_QUERY__NODE__NODE_CREATE_RANGE_STMT:
      return new_.Add(
          ObjectOf(root.create_range_stmt->type_name, root.create_range_stmt->n_type_name));
    case PG_QUERY__NODE__NODE_CREATE_FUNCTION_STMT:
      if (!root.create_function_stmt->replace) {
        new_.Add(
            ObjectOf(root.create_function_stmt->funcname, root.create_function_stmt->n_funcname));
      }
      return;
    case PG_QUERY__NODE__NODE_CREATE_SCHEMA_STMT:
      return new_.Add({"", root.create_schema_stmt->schemaname});
    case PG_QUERY__NODE__NODE_RENAME_STMT:
      // What was renamed keeps being new, or not.
      if (root.rename_stmt->relation != nullptr &&
          root.rename_stmt->rename_type != PG_QUERY__OBJECT_TYPE__OBJECT_COLUMN &&
          IsNew(ObjectOf(root.rename_stmt->relation))) {
        new_.Add({ObjectOf(root.rename_stmt->relation).schema, root.rename_stmt->newname});
      }
      return;
    case PG_QUERY__NODE__NODE_DROP_STMT:
      for (size_t i = 0; i < root.drop_stmt->n_objects; ++i) {
        new_.Remove(ObjectOf(root.drop_stmt->objects[i]));
      }
      return;
    case PG_QUERY__NODE__NODE_CREATE_POLICY_STMT:
      return with_policy_.Add(ObjectOf(root.create_policy_stmt->table));
    case PG_QUERY__NODE__NODE_ALTER_ENUM_STMT: {
      const PgQuery__AlterEnumStmt& alter = *root.alter_enum_stmt;
      const bool adds = *alter.old_val == '\0';
      if (adds && in_transaction() && !IsNew(ObjectOf(alter.type_name, alter.n_type_name))) {
        new_enum_values_.insert(alter.new_val);
      }
      return;
    }
    default:
      return;
  }
}

void SectionState::AdvanceConstraints(const StatementView& view) {
  for (const AddedConstraint& added : view.constraints) {
    const PgQuery__Constraint& constraint = *added.constraint;
    std::vector<std::string> columns;
    if (constraint.contype == PG_QUERY__CONSTR_TYPE__CONSTR_CHECK) {
      columns = NotNullColumns(constraint.raw_expr);
    }
    if (constraint.skip_validation) {
      not_valid_.push_back({added.table, constraint.conname, columns, transaction_});
    } else if (constraint.contype == PG_QUERY__CONSTR_TYPE__CONSTR_CHECK) {
      checked_.Add(added.table);
      Prove(added.table, columns);
    }
  }
  for (const AlterCommand& command : view.commands) {
    if (command.command->subtype == PG_QUERY__ALTER_TABLE_TYPE__AT_ValidateConstraint) {
      Validate(command.relation, command.command->name);
    }
  }
}

void SectionState::Prove(const ObjectName& table, const std::vector<std::string>& columns) {
  for (const std::string& column : columns) proven_.emplace_back(table, column);
}

bool SectionState::WasValidated(const ObjectName& table, const std::string& constraint) const {
  return std::any_of(validated_.begin(), validated_.end(), [&](const auto& one) {
    return one.first.MayBe(table) && one.second == constraint;
  });
}

void SectionState::Validate(const ObjectName& table, const std::string& constraint) {
  validated_.push_back({table, constraint});
  checked_.Add(table);
  for (const NotValid& added : not_valid_) {
    if (!added.table.MayBe(table) || added.name != constraint) continue;
    return Prove(table, added.not_null_columns);
  }
  trusted_.Add(table);
}

void SectionState::AdvanceSettings(const StatementView& view) {
  const auto* set =
      view.As(PG_QUERY__NODE__NODE_VARIABLE_SET_STMT, &PgQuery__Node::variable_set_stmt);
  if (set == nullptr || !absl::EqualsIgnoreCase(set->name, "lock_timeout")) return;
  const bool has_value = set->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_SET_VALUE;
  // The default of PostgreSQL is no timeout as well.
  const bool is_off = !has_value || (set->n_args == 1 && IsZero(set->args[0]));
  lock_timeout_off_line_ = is_off ? view.statement.line : 0;
}

void SectionState::AdvanceTransaction(const StatementView& view) {
  if (transactional_) return;
  const auto* control =
      view.As(PG_QUERY__NODE__NODE_TRANSACTION_STMT, &PgQuery__Node::transaction_stmt);
  if (control != nullptr) {
    switch (control->kind) {
      case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_BEGIN:
      case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_START:
        began_ = true;
        break;
      case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_COMMIT:
      case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_ROLLBACK:
      case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_PREPARE:
        began_ = control->chain;
        break;
      default:
        break;
    }
  }
  if (began_ && (control == nullptr || !control->chain)) return;
  ++transaction_;
  blocked_ = {};
  new_enum_values_.clear();
}

}  // namespace migd
