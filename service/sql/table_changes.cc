#include "service/sql/table_changes.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/sql/tree_walk.h"

namespace migd {
namespace {

using namespace migration::v1;  // NOLINT: the enumerators of locks and work

NodeList ConstraintsOf(const PgQuery__ColumnDef& column) {
  return {column.constraints, column.n_constraints};
}

bool IsSerial(const PgQuery__ColumnDef& column) {
  static const std::set<std::string>& names = *new std::set<std::string>{
      "serial", "serial2", "serial4", "serial8", "smallserial", "bigserial"};
  return column.type_name != nullptr && names.count(TypeOf(*column.type_name).name.name) > 0;
}

// Functions of PostgreSQL that often stand in a default, and are not volatile.
bool IsKnownStable(const QualifiedName& function) {
  static const std::set<std::string>& names = *new std::set<std::string>{"now",
                                                                         "transaction_timestamp",
                                                                         "statement_timestamp",
                                                                         "timezone",
                                                                         "date_trunc",
                                                                         "to_timestamp",
                                                                         "to_date",
                                                                         "lower",
                                                                         "upper",
                                                                         "md5",
                                                                         "concat",
                                                                         "jsonb_build_object",
                                                                         "round",
                                                                         "jsonb_build_array",
                                                                         "json_build_object",
                                                                         "json_build_array",
                                                                         "make_interval",
                                                                         "current_setting",
                                                                         "current_database",
                                                                         "current_schema"};
  return (function.schema.empty() || function.schema == "pg_catalog") &&
         names.count(function.name) > 0;
}

// One ALTER TABLE.
class TableChanges {
 public:
  TableChanges(const PgQuery__AlterTableStmt& statement, StatementEffects& effects)
      : statement_(statement),
        effects_(effects),
        table_(NameOf(*statement.relation)),
        reach_(statement.relation->inh ? Reach::kDescendants : Reach::kItself) {}

  void Add() {
    LockMode strongest = LOCK_MODE_ACCESS_SHARE;
    for (const PgQuery__Node* node : NodeList{statement_.cmds, statement_.n_cmds}) {
      if (node->node_case != PG_QUERY__NODE__NODE_ALTER_TABLE_CMD) continue;
      strongest = std::max(strongest, LockFor(*node->alter_table_cmd));
      AddCommand(*node->alter_table_cmd);
    }
    effects_.locks.push_back({table_, strongest, changes_itself_ ? reach_ : Reach::kItself});
  }

 private:
  // ATTACH and DETACH leave the other partitions alone.
  static bool IsAboutPartition(PgQuery__AlterTableType type) {
    return type == PG_QUERY__ALTER_TABLE_TYPE__AT_AttachPartition ||
           type == PG_QUERY__ALTER_TABLE_TYPE__AT_DetachPartition ||
           type == PG_QUERY__ALTER_TABLE_TYPE__AT_DetachPartitionFinalize;
  }

  // As AlterTableGetLockLevel has it; other subcommands take the strongest.
  static LockMode LockFor(const PgQuery__AlterTableCmd& command) {
    switch (command.subtype) {
      case PG_QUERY__ALTER_TABLE_TYPE__AT_SetStatistics:
      case PG_QUERY__ALTER_TABLE_TYPE__AT_SetOptions:
      case PG_QUERY__ALTER_TABLE_TYPE__AT_ResetOptions:
      case PG_QUERY__ALTER_TABLE_TYPE__AT_ClusterOn:
      case PG_QUERY__ALTER_TABLE_TYPE__AT_DropCluster:
      case PG_QUERY__ALTER_TABLE_TYPE__AT_ValidateConstraint:
      case PG_QUERY__ALTER_TABLE_TYPE__AT_AttachPartition:
      case PG_QUERY__ALTER_TABLE_TYPE__AT_DetachPartitionFinalize:
        return LOCK_MODE_SHARE_UPDATE_EXCLUSIVE;
      case PG_QUERY__ALTER_TABLE_TYPE__AT_DetachPartition:
        return command.def != nullptr && command.def->partition_cmd->concurrent
                   ? LOCK_MODE_SHARE_UPDATE_EXCLUSIVE
                   : LOCK_MODE_ACCESS_EXCLUSIVE;
      case PG_QUERY__ALTER_TABLE_TYPE__AT_EnableTrig:
      case PG_QUERY__ALTER_TABLE_TYPE__AT_EnableAlwaysTrig:
      case PG_QUERY__ALTER_TABLE_TYPE__AT_EnableReplicaTrig:
      case PG_QUERY__ALTER_TABLE_TYPE__AT_DisableTrig:
      case PG_QUERY__ALTER_TABLE_TYPE__AT_EnableTrigAll:
      case PG_QUERY__ALTER_TABLE_TYPE__AT_DisableTrigAll:
      case PG_QUERY__ALTER_TABLE_TYPE__AT_EnableTrigUser:
      case PG_QUERY__ALTER_TABLE_TYPE__AT_DisableTrigUser:
        return LOCK_MODE_SHARE_ROW_EXCLUSIVE;
      case PG_QUERY__ALTER_TABLE_TYPE__AT_AddConstraint:
        return command.def != nullptr &&
                       command.def->constraint->contype == PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN
                   ? LOCK_MODE_SHARE_ROW_EXCLUSIVE
                   : LOCK_MODE_ACCESS_EXCLUSIVE;
      case PG_QUERY__ALTER_TABLE_TYPE__AT_SetRelOptions:
      case PG_QUERY__ALTER_TABLE_TYPE__AT_ResetRelOptions:
        return LockForOptions(command);
      default:
        return LOCK_MODE_ACCESS_EXCLUSIVE;
    }
  }

  // The lock levels of reloptions.c.
  static LockMode LockForOptions(const PgQuery__AlterTableCmd& command) {
    static const std::set<std::string>& weak = *new std::set<std::string>{
        "fillfactor",           "parallel_workers", "toast_tuple_target",
        "vacuum_index_cleanup", "vacuum_truncate",  "log_autovacuum_min_duration",
        "deduplicate_items"};
    if (command.def == nullptr || command.def->node_case != PG_QUERY__NODE__NODE_LIST) {
      return LOCK_MODE_ACCESS_EXCLUSIVE;
    }
    const PgQuery__List& options = *command.def->list;
    for (const PgQuery__Node* node : NodeList{options.items, options.n_items}) {
      const std::string name = node->def_elem->defname;
      if (weak.count(name) == 0 && !absl::StartsWith(name, "autovacuum_")) {
        return LOCK_MODE_ACCESS_EXCLUSIVE;
      }
    }
    return LOCK_MODE_SHARE_UPDATE_EXCLUSIVE;
  }

  void AddCommand(const PgQuery__AlterTableCmd& command) {
    changes_itself_ = changes_itself_ || !IsAboutPartition(command.subtype);
    switch (command.subtype) {
      case PG_QUERY__ALTER_TABLE_TYPE__AT_AddColumn:
        return AddColumn(command);
      case PG_QUERY__ALTER_TABLE_TYPE__AT_DropColumn:
        effects_.drops.push_back(
            {statement_.objtype == PG_QUERY__OBJECT_TYPE__OBJECT_TYPE ? "attribute" : "column",
             table_, command.name, command.behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE,
             command.missing_ok != 0});
        return;
      case PG_QUERY__ALTER_TABLE_TYPE__AT_AlterColumnType:
        return ChangeType(command);
      case PG_QUERY__ALTER_TABLE_TYPE__AT_SetNotNull: {
        WorkNeed& work = AddWork(RELATION_WORK_KIND_SCAN,
                                 absl::StrCat("no value of column ", command.name, " may be null"));
        work.condition = WorkCondition::kColumnNullable;
        work.column = command.name;
        return;
      }
      case PG_QUERY__ALTER_TABLE_TYPE__AT_AddConstraint:
        if (command.def != nullptr) AddConstraint(*command.def->constraint, false);
        return;
      case PG_QUERY__ALTER_TABLE_TYPE__AT_ValidateConstraint:
        AddWork(RELATION_WORK_KIND_SCAN, absl::StrCat("validates constraint ", command.name));
        effects_.locks.push_back(
            {table_, LOCK_MODE_ROW_SHARE, Reach::kConstraintPeer, command.name});
        AddPeerScan(Reach::kConstraintPeer, command.name, WorkCondition::kAlways);
        return;
      case PG_QUERY__ALTER_TABLE_TYPE__AT_DropConstraint:
        effects_.locks.push_back(
            {table_, LOCK_MODE_ACCESS_EXCLUSIVE, Reach::kConstraintPeer, command.name});
        effects_.drops.push_back({"constraint", table_, command.name,
                                  command.behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE,
                                  command.missing_ok != 0});
        if (command.behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE) {
          effects_.locks.push_back({table_, LOCK_MODE_ACCESS_EXCLUSIVE, Reach::kReferencing});
        }
        return;
      case PG_QUERY__ALTER_TABLE_TYPE__AT_SetLogged:
        AddWork(RELATION_WORK_KIND_REWRITE, "an unlogged table becomes a logged one");
        return;
      case PG_QUERY__ALTER_TABLE_TYPE__AT_SetUnLogged:
        AddWork(RELATION_WORK_KIND_REWRITE, "it becomes an unlogged table");
        return;
      case PG_QUERY__ALTER_TABLE_TYPE__AT_SetTableSpace:
        AddWork(RELATION_WORK_KIND_REWRITE,
                absl::StrCat("it is copied to tablespace ", command.name));
        return;
      case PG_QUERY__ALTER_TABLE_TYPE__AT_SetAccessMethod:
        AddWork(RELATION_WORK_KIND_REWRITE,
                absl::StrCat("its access method becomes ", command.name));
        return;
      case PG_QUERY__ALTER_TABLE_TYPE__AT_AttachPartition:
        return Attach(*command.def->partition_cmd);
      case PG_QUERY__ALTER_TABLE_TYPE__AT_DetachPartition:
      case PG_QUERY__ALTER_TABLE_TYPE__AT_DetachPartitionFinalize:
        return Detach(*command.def->partition_cmd);
      case PG_QUERY__ALTER_TABLE_TYPE__AT_DropInherit:
        effects_.locks.push_back({NameOf(command.def), LOCK_MODE_ACCESS_SHARE, Reach::kItself});
        return;
      case PG_QUERY__ALTER_TABLE_TYPE__AT_AddInherit:
        effects_.locks.push_back(
            {NameOf(command.def), LOCK_MODE_SHARE_UPDATE_EXCLUSIVE, Reach::kItself});
        return;
      default:
        return;
    }
  }

  WorkNeed& AddWork(RelationWorkKind kind, std::string reason) {
    effects_.works.push_back({kind, table_, std::move(reason), reach_});
    return effects_.works.back();
  }

  void AddColumn(const PgQuery__AlterTableCmd& command) {
    if (command.def == nullptr) return;
    const PgQuery__ColumnDef& column = *command.def->column_def;
    effects_.created.push_back({table_, column.colname});
    if (column.type_name == nullptr) return;
    const std::string rewritten = absl::StrCat("new column ", column.colname);
    bool has_default = IsSerial(column);
    bool not_null = false;
    if (has_default) {
      AddWork(RELATION_WORK_KIND_REWRITE,
              absl::StrCat(rewritten, " has a number of its own in each row"));
    }
    for (const PgQuery__Node* node : ConstraintsOf(column)) {
      const PgQuery__Constraint& constraint = *node->constraint;
      switch (constraint.contype) {
        case PG_QUERY__CONSTR_TYPE__CONSTR_DEFAULT:
          has_default = true;
          AddDefault(rewritten, constraint);
          break;
        case PG_QUERY__CONSTR_TYPE__CONSTR_IDENTITY:
        case PG_QUERY__CONSTR_TYPE__CONSTR_GENERATED:
          has_default = true;
          AddWork(RELATION_WORK_KIND_REWRITE, absl::StrCat(rewritten, " is computed for each row"));
          break;
        case PG_QUERY__CONSTR_TYPE__CONSTR_NOTNULL:
          not_null = true;
          break;
        default:
          break;
      }
    }
    for (const PgQuery__Node* node : ConstraintsOf(column)) {
      AddConstraint(*node->constraint, !has_default);
    }
    if (not_null && !has_default) {
      AddWork(RELATION_WORK_KIND_SCAN, absl::StrCat(rewritten, " may not be null"));
    }
    const WrittenType type = TypeOf(*column.type_name);
    if (type.is_builtin || IsSerial(column)) return;
    WorkNeed& work = AddWork(RELATION_WORK_KIND_REWRITE,
                             absl::StrCat(rewritten, " is of the domain ", DisplayName(type.name)));
    work.condition = WorkCondition::kDomainConstrained;
    work.type = type;
  }

  void AddDefault(const std::string& subject, const PgQuery__Constraint& constraint) {
    if (constraint.raw_expr == nullptr) return;
    std::vector<QualifiedName> functions = FunctionsIn(constraint.raw_expr->base);
    functions.erase(std::remove_if(functions.begin(), functions.end(), IsKnownStable),
                    functions.end());
    if (functions.empty()) return;
    WorkNeed& work = AddWork(
        RELATION_WORK_KIND_REWRITE,
        absl::StrCat(subject, " has a volatile default, ", DisplayName(functions.front()), "()"));
    work.condition = WorkCondition::kFunctionVolatile;
    work.functions = std::move(functions);
  }

  // `in_empty_column`: of a column that is new and null everywhere.
  void AddConstraint(const PgQuery__Constraint& constraint, bool in_empty_column) {
    const std::string name =
        *constraint.conname == '\0' ? "" : absl::StrCat(" ", constraint.conname);
    switch (constraint.contype) {
      case PG_QUERY__CONSTR_TYPE__CONSTR_CHECK:
        if (!constraint.skip_validation) {
          AddWork(RELATION_WORK_KIND_SCAN, absl::StrCat("checks constraint", name));
        }
        return;
      case PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY:
      case PG_QUERY__CONSTR_TYPE__CONSTR_UNIQUE:
      case PG_QUERY__CONSTR_TYPE__CONSTR_EXCLUSION:
        return AddIndexConstraint(constraint, name);
      case PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN:
        effects_.locks.push_back(
            {NameOf(*constraint.pktable), LOCK_MODE_SHARE_ROW_EXCLUSIVE, Reach::kDescendants});
        if (!constraint.skip_validation && !in_empty_column) {
          AddWork(RELATION_WORK_KIND_SCAN, absl::StrCat("checks foreign key", name));
          effects_.works.push_back({RELATION_WORK_KIND_SCAN, NameOf(*constraint.pktable),
                                    "the foreign key that is checked refers to it",
                                    Reach::kDescendants});
        }
        return;
      default:
        return;
    }
  }

  void AddIndexConstraint(const PgQuery__Constraint& constraint, const std::string& name) {
    const bool is_primary = constraint.contype == PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY;
    const bool has_index = *constraint.indexname != '\0';
    if (!has_index) {
      AddWork(RELATION_WORK_KIND_INDEX_BUILD,
              absl::StrCat(is_primary ? "primary key" : "the index of constraint", name));
    }
    if (!is_primary) return;
    for (const std::string& column : StringsOf({constraint.keys, constraint.n_keys})) {
      WorkNeed& work = AddWork(RELATION_WORK_KIND_SCAN,
                               absl::StrCat("no value of column ", column, " may be null"));
      work.condition = WorkCondition::kColumnNullable;
      work.column = column;
    }
    if (has_index) {
      AddWork(RELATION_WORK_KIND_SCAN, "no value of the primary key may be null");
    }
  }

  // Whether USING gives the column itself, cast or not.
  static bool IsColumn(const PgQuery__Node* expression, absl::string_view column) {
    if (expression->node_case == PG_QUERY__NODE__NODE_TYPE_CAST) {
      return IsColumn(expression->type_cast->arg, column);
    }
    if (expression->node_case != PG_QUERY__NODE__NODE_COLUMN_REF) return false;
    const PgQuery__ColumnRef& reference = *expression->column_ref;
    const std::vector<std::string> parts = StringsOf({reference.fields, reference.n_fields});
    return !parts.empty() && parts.back() == column;
  }

  // Whether any column stands in an expression.
  static bool ReadsRow(const PgQuery__Node& expression) {
    bool reads = false;
    VisitTree(expression.base, [&](const ProtobufCMessage& message) {
      reads = reads || KindOf(message) == "ColumnRef";
    });
    return reads;
  }

  void ChangeType(const PgQuery__AlterTableCmd& command) {
    if (command.def == nullptr || command.def->column_def->type_name == nullptr) return;
    const PgQuery__ColumnDef& definition = *command.def->column_def;
    const WrittenType type = TypeOf(*definition.type_name);
    const bool same_value =
        definition.raw_default == nullptr || IsColumn(definition.raw_default, command.name);
    WorkNeed& work =
        AddWork(RELATION_WORK_KIND_REWRITE,
                absl::StrCat("type of column ", command.name, " becomes ", DisplayName(type.name)));
    work.condition = same_value ? WorkCondition::kTypeChangesStorage : WorkCondition::kAlways;
    work.column = command.name;
    work.type = type;
    work.casts = definition.raw_default != nullptr;
    if (!same_value && !ReadsRow(*definition.raw_default)) {
      effects_.emptied.push_back(
          {table_, {command.name}, reach_ == Reach::kDescendants, /*cascade=*/false});
    }
    // The constraints of the column are made anew.
    WorkNeed& check = AddWork(RELATION_WORK_KIND_SCAN, "its constraints are checked anew");
    check.condition = WorkCondition::kTypeIsChecked;
    check.column = command.name;
    check.type = type;
    WorkNeed& indexes =
        AddWork(RELATION_WORK_KIND_INDEX_BUILD,
                absl::StrCat("indexes of column ", command.name, " are built anew"));
    indexes.condition = WorkCondition::kTypeRebuildsIndexes;
    indexes.column = command.name;
    indexes.type = type;
    for (const Reach reach : {Reach::kReferenced, Reach::kReferencing}) {
      effects_.locks.push_back({table_, LOCK_MODE_ACCESS_EXCLUSIVE, reach, command.name});
      WorkNeed& scan = AddPeerScan(reach, command.name, WorkCondition::kTypeChangesStorage);
      scan.column = command.name;
      scan.type = type;
    }
  }

  // Of the table at the other end of a foreign key.
  WorkNeed& AddPeerScan(Reach reach, const std::string& detail, WorkCondition condition) {
    WorkNeed& work = AddWork(RELATION_WORK_KIND_SCAN, "a foreign key is checked");
    work.reach = reach;
    work.condition = condition;
    work.detail = detail;
    return work;
  }

  void Attach(const PgQuery__PartitionCmd& command) {
    const QualifiedName part = NameOf(*command.name);
    if (statement_.objtype == PG_QUERY__OBJECT_TYPE__OBJECT_INDEX) {
      effects_.locks.push_back({part, LOCK_MODE_ACCESS_EXCLUSIVE, Reach::kItself});
      return;
    }
    effects_.locks.push_back({part, LOCK_MODE_ACCESS_EXCLUSIVE, Reach::kDescendants});
    effects_.locks.push_back({table_, LOCK_MODE_ACCESS_EXCLUSIVE, Reach::kDefaultPartition});
    AddPartitionPeers(LOCK_MODE_SHARE_ROW_EXCLUSIVE);
    effects_.works.push_back({RELATION_WORK_KIND_SCAN, part,
                              "each row must belong into the partition", Reach::kDescendants});
    effects_.works.push_back({RELATION_WORK_KIND_SCAN, table_,
                              "no row of the default partition may belong into the new one",
                              Reach::kDefaultPartition});
    effects_.works.push_back({RELATION_WORK_KIND_INDEX_BUILD,
                              part,
                              "it gets the indexes of the partitioned table that it lacks",
                              Reach::kDescendants,
                              WorkCondition::kObjectHasIndexes,
                              {},
                              {},
                              false,
                              {},
                              table_});
  }

  void Detach(const PgQuery__PartitionCmd& command) {
    const QualifiedName part = NameOf(*command.name);
    effects_.locks.push_back({part, LOCK_MODE_ACCESS_EXCLUSIVE, Reach::kDescendants});
    AddPartitionPeers(LOCK_MODE_ACCESS_EXCLUSIVE);
    if (command.concurrent) {
      effects_.transaction_need = TRANSACTION_NEED_OUTSIDE;
    } else {
      effects_.locks.push_back({table_, LOCK_MODE_ACCESS_EXCLUSIVE, Reach::kDefaultPartition});
    }
  }

  // Foreign keys of a partitioned table are those of its partitions.
  void AddPartitionPeers(LockMode mode) {
    effects_.locks.push_back({table_, mode, Reach::kReferenced});
    effects_.locks.push_back({table_, mode, Reach::kReferencing});
  }

  const PgQuery__AlterTableStmt& statement_;
  StatementEffects& effects_;
  const QualifiedName table_;
  const Reach reach_;
  bool changes_itself_ = false;
};

// ALTER TYPE locks the tables that are made of the type.
void AddOtherChanges(const PgQuery__AlterTableStmt& statement, StatementEffects& effects) {
  if (statement.objtype == PG_QUERY__OBJECT_TYPE__OBJECT_TYPE) {
    effects.locks.push_back(
        {NameOf(*statement.relation), LOCK_MODE_ACCESS_EXCLUSIVE, Reach::kTypedTables});
  }
}

void AddReferenced(NodeList constraints, StatementEffects& effects) {
  for (const PgQuery__Node* node : constraints) {
    if (node->node_case != PG_QUERY__NODE__NODE_CONSTRAINT ||
        node->constraint->contype != PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN) {
      continue;
    }
    effects.locks.push_back(
        {NameOf(*node->constraint->pktable), LOCK_MODE_SHARE_ROW_EXCLUSIVE, Reach::kDescendants});
  }
}

bool IsBuiltin(const QualifiedName& name) {
  static const std::set<std::string>& names = *new std::set<std::string>{
      "text",      "uuid",     "json",      "jsonb",     "bytea",    "date",    "timestamptz",
      "timestamp", "timetz",   "time",      "inet",      "cidr",     "macaddr", "macaddr8",
      "money",     "xml",      "oid",       "name",      "int2",     "int4",    "int8",
      "float4",    "float8",   "bool",      "numeric",   "varchar",  "bpchar",  "interval",
      "point",     "box",      "circle",    "path",      "polygon",  "line",    "lseg",
      "tsvector",  "tsquery",  "int4range", "int8range", "numrange", "tsrange", "tstzrange",
      "daterange", "regclass", "regtype",   "regproc",   "pg_lsn",   "bit",     "varbit",
      "jsonpath",  "xid",      "cid",       "tid",       "xid8"};
  return name.schema == "pg_catalog" || (name.schema.empty() && names.count(name.name) > 0);
}

}  // namespace

WrittenType TypeOf(const PgQuery__TypeName& type) {
  WrittenType written;
  written.name = NameOf(NodeList{type.names, type.n_names});
  written.is_builtin = IsBuiltin(written.name);
  if (written.name.schema == "pg_catalog") written.name.schema.clear();
  written.is_array = type.n_array_bounds > 0;
  for (const PgQuery__Node* node : NodeList{type.typmods, type.n_typmods}) {
    if (node->node_case == PG_QUERY__NODE__NODE_A_CONST &&
        node->a_const->val_case == PG_QUERY__A__CONST__VAL_IVAL) {
      written.modifiers.push_back(node->a_const->ival->ival);
    }
  }
  return written;
}

void AddTableChanges(const PgQuery__AlterTableStmt& statement, StatementEffects& effects) {
  TableChanges(statement, effects).Add();
  AddOtherChanges(statement, effects);
}

void AddReferencedTables(const PgQuery__CreateStmt& statement, StatementEffects& effects) {
  AddReferenced({statement.constraints, statement.n_constraints}, effects);
  const NodeList elements = {statement.table_elts, statement.n_table_elts};
  AddReferenced(elements, effects);
  for (const PgQuery__Node* node : elements) {
    if (node->node_case == PG_QUERY__NODE__NODE_COLUMN_DEF) {
      AddReferenced(ConstraintsOf(*node->column_def), effects);
    }
  }
}

}  // namespace migd
