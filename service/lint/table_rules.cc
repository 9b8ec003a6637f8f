// Rules about tables as a whole: rewritten, locked, attached, moved.
#include "absl/strings/str_cat.h"
#include "service/lint/rule.h"

namespace migd {
namespace {

// Commands of ALTER TABLE of one type on relations that were there before the revision.
template <typename Visit>
void ForEachCommand(const StatementView& view, const SectionState& section,
                    std::initializer_list<PgQuery__AlterTableType> types, Visit visit) {
  for (const AlterCommand& command : view.commands) {
    for (const PgQuery__AlterTableType type : types) {
      if (command.command->subtype == type && !section.IsNew(command.relation)) visit(command);
    }
  }
}

constexpr char kRewritten[] = " anew while nobody can use it";

void Cluster(const StatementView& view, const SectionState& section, Hits& hits) {
  const auto* cluster = view.As(PG_QUERY__NODE__NODE_CLUSTER_STMT, &PgQuery__Node::cluster_stmt);
  if (cluster == nullptr) return;
  const ObjectName table = ObjectOf(cluster->relation);
  if (cluster->relation != nullptr && section.IsNew(table)) return;
  hits.push_back(
      {0,
       absl::StrCat("CLUSTER writes ",
                    cluster->relation == nullptr ? "every clustered table" : table.Quoted(),
                    kRewritten),
       "", table});
}

void VacuumFull(const StatementView& view, const SectionState& section, Hits& hits) {
  const auto* vacuum = view.As(PG_QUERY__NODE__NODE_VACUUM_STMT, &PgQuery__Node::vacuum_stmt);
  if (vacuum == nullptr || !HasOption(vacuum->options, vacuum->n_options, "full")) return;
  if (vacuum->n_rels == 0) {
    hits.push_back({0, absl::StrCat("VACUUM FULL writes every table", kRewritten)});
  }
  for (size_t i = 0; i < vacuum->n_rels; ++i) {
    if (vacuum->rels[i]->node_case != PG_QUERY__NODE__NODE_VACUUM_RELATION) continue;
    const ObjectName table = ObjectOf(vacuum->rels[i]->vacuum_relation->relation);
    if (section.IsNew(table)) continue;
    hits.push_back({0, absl::StrCat("VACUUM FULL writes ", table.Quoted(), kRewritten), "", table});
  }
}

void SetLogged(const StatementView& view, const SectionState& section, Hits& hits) {
  ForEachCommand(
      view, section,
      {PG_QUERY__ALTER_TABLE_TYPE__AT_SetLogged, PG_QUERY__ALTER_TABLE_TYPE__AT_SetUnLogged},
      [&](const AlterCommand& command) {
        hits.push_back(
            {command.offset,
             absl::StrCat("SET LOGGED or UNLOGGED writes ", command.relation.Quoted(), kRewritten),
             "", command.relation});
      });
}

void SetTablespace(const StatementView& view, const SectionState& section, Hits& hits) {
  ForEachCommand(view, section, {PG_QUERY__ALTER_TABLE_TYPE__AT_SetTableSpace},
                 [&](const AlterCommand& command) {
                   hits.push_back({command.offset,
                                   absl::StrCat("SET TABLESPACE copies ", command.relation.Quoted(),
                                                " while nobody can use it"),
                                   "", command.relation});
                 });
  const auto* all = view.As(PG_QUERY__NODE__NODE_ALTER_TABLE_MOVE_ALL_STMT,
                            &PgQuery__Node::alter_table_move_all_stmt);
  if (all != nullptr) {
    hits.push_back({0, "everything in the tablespace is copied while nobody can use it"});
  }
}

void SetAccessMethod(const StatementView& view, const SectionState& section, Hits& hits) {
  ForEachCommand(view, section, {PG_QUERY__ALTER_TABLE_TYPE__AT_SetAccessMethod},
                 [&](const AlterCommand& command) {
                   hits.push_back({command.offset,
                                   absl::StrCat("SET ACCESS METHOD writes ",
                                                command.relation.Quoted(), kRewritten),
                                   "", command.relation});
                 });
}

void DisableTrigger(const StatementView& view, const SectionState& section, Hits& hits) {
  ForEachCommand(
      view, section,
      {PG_QUERY__ALTER_TABLE_TYPE__AT_DisableTrig, PG_QUERY__ALTER_TABLE_TYPE__AT_DisableTrigAll,
       PG_QUERY__ALTER_TABLE_TYPE__AT_DisableTrigUser},
      [&](const AlterCommand& command) {
        hits.push_back(
            {command.offset, absl::StrCat("what programs write to ", command.relation.Quoted(),
                                          " from here on passes by its triggers")});
      });
}

void DisableRowSecurity(const StatementView& view, const SectionState& section, Hits& hits) {
  ForEachCommand(
      view, section, {PG_QUERY__ALTER_TABLE_TYPE__AT_DisableRowSecurity},
      [&](const AlterCommand& command) {
        hits.push_back({command.offset, absl::StrCat("the policies of ", command.relation.Quoted(),
                                                     " hide nothing from here on")});
      });
}

void RowSecurityWithoutPolicy(const StatementView& view, const SectionState& section, Hits& hits) {
  ForEachCommand(
      view, section, {PG_QUERY__ALTER_TABLE_TYPE__AT_EnableRowSecurity},
      [&](const AlterCommand& command) {
        if (section.HasPolicy(command.relation)) return;
        hits.push_back({command.offset,
                        absl::StrCat("without a policy all rows of ", command.relation.Quoted(),
                                     " are hidden from everybody but its owner")});
      });
}

void AttachPartition(const StatementView& view, const SectionState& section, Hits& hits) {
  for (const AlterCommand& command : view.commands) {
    if (command.command->subtype != PG_QUERY__ALTER_TABLE_TYPE__AT_AttachPartition ||
        command.command->def == nullptr ||
        command.command->def->node_case != PG_QUERY__NODE__NODE_PARTITION_CMD) {
      continue;
    }
    const ObjectName partition = ObjectOf(command.command->def->partition_cmd->name);
    if (section.IsNew(partition) || section.HasValidCheck(partition)) continue;
    hits.push_back(
        {command.offset,
         absl::StrCat("attaching ", partition.Quoted(), " to ", command.relation.Quoted(),
                      " keeps the partition from being read "
                      "and written until every row is checked"),
         "", partition});
  }
}

void DetachPartition(const StatementView& view, const SectionState& section, Hits& hits) {
  ForEachCommand(
      view, section, {PG_QUERY__ALTER_TABLE_TYPE__AT_DetachPartition},
      [&](const AlterCommand& command) {
        const PgQuery__Node* def = command.command->def;
        if (def == nullptr || def->node_case != PG_QUERY__NODE__NODE_PARTITION_CMD ||
            def->partition_cmd->concurrent) {
          return;
        }
        hits.push_back({command.offset,
                        absl::StrCat("detaching ", ObjectOf(def->partition_cmd->name).Quoted(),
                                     " waits for everybody who uses ", command.relation.Quoted(),
                                     ", and keeps all who come after waiting")});
      });
}

void CreateTableAs(const StatementView& view, const SectionState&, Hits& hits) {
  const auto* create =
      view.As(PG_QUERY__NODE__NODE_CREATE_TABLE_AS_STMT, &PgQuery__Node::create_table_as_stmt);
  if (create == nullptr || create->objtype != PG_QUERY__OBJECT_TYPE__OBJECT_TABLE ||
      create->into->skip_data) {
    return;
  }
  // A temporary table is nobody else's.
  if (*create->into->rel->relpersistence == 't') return;
  hits.push_back({0, absl::StrCat("table ", ObjectOf(create->into->rel).Quoted(),
                                  " gets rows, but no key, no constraint and no default of those "
                                  "that they come from")});
}

void LockTable(const StatementView& view, const SectionState& section, Hits& hits) {
  const auto* lock = view.As(PG_QUERY__NODE__NODE_LOCK_STMT, &PgQuery__Node::lock_stmt);
  if (lock == nullptr) return;
  for (const ObjectName& table : BlockedRelations(view)) {
    if (section.IsNew(table)) continue;
    hits.push_back({0, absl::StrCat("LOCK TABLE keeps others from writing to ", table.Quoted(),
                                    " until the end of the transaction")});
  }
}

}  // namespace

std::vector<Rule> TableRules() {
  return {
      {"cluster", kError, Harm::kGrowsWithTable, InDown::kWarning,
       "CLUSTER rewrites the table and its indexes under an ACCESS EXCLUSIVE lock.",
       "pg_repack, or a window in which nobody needs the table", Cluster},
      {"vacuum-full", kError, Harm::kGrowsWithTable, InDown::kWarning,
       "VACUUM FULL rewrites the table and its indexes under an ACCESS EXCLUSIVE lock.",
       "VACUUM, or pg_repack if the space must be given back", VacuumFull},
      {"set-logged", kError, Harm::kGrowsWithTable, InDown::kWarning,
       "SET LOGGED and SET UNLOGGED rewrite the table under an ACCESS EXCLUSIVE lock.",
       "decide when the table is made, or fill a new one and change over", SetLogged},
      {"set-tablespace", kError, Harm::kGrowsWithTable, InDown::kWarning,
       "SET TABLESPACE copies the table under an ACCESS EXCLUSIVE lock.",
       "a window in which nobody needs the table; indexes move by a new one, made CONCURRENTLY",
       SetTablespace},
      {"set-access-method", kError, Harm::kGrowsWithTable, InDown::kWarning,
       "SET ACCESS METHOD rewrites the table under an ACCESS EXCLUSIVE lock.",
       "fill a new table and change over", SetAccessMethod},
      {"disable-trigger", kWarning, Harm::kAlways, InDown::kIgnored,
       "A disabled trigger is disabled for everybody; ALL takes foreign keys with it, and what "
       "breaks them meanwhile is not found later.",
       "let the trigger pass over what is not meant for it; or enable it again in the same "
       "transaction, and say so in a waiver",
       DisableTrigger},
      {"disable-row-security", kWarning, Harm::kAlways, InDown::kIgnored,
       "DISABLE ROW LEVEL SECURITY shows every row to everybody who may read the table.",
       "drop or change the policies", DisableRowSecurity},
      {"row-security-without-policy", kWarning, Harm::kAlways, InDown::kIgnored,
       "With row level security and no policy nobody but the owner sees or writes a row.",
       "CREATE POLICY before ENABLE ROW LEVEL SECURITY, in the same revision",
       RowSecurityWithoutPolicy},
      {"attach-partition-not-checked", kError, Harm::kGrowsWithTable, InDown::kWarning,
       "ATTACH PARTITION reads the whole partition under an ACCESS EXCLUSIVE lock on it, unless a "
       "valid CHECK proves the bounds; a default partition is read as well.",
       "ADD CONSTRAINT ... CHECK (bounds) NOT VALID in a revision before, then VALIDATE CONSTRAINT "
       "and ATTACH PARTITION",
       AttachPartition},
      {"detach-partition-not-concurrent", kWarning, Harm::kAlways, InDown::kWarning,
       "DETACH PARTITION takes an ACCESS EXCLUSIVE lock on the partitioned table: it waits for the "
       "longest query on it, and all others wait behind it.",
       "DETACH PARTITION ... CONCURRENTLY in a `transaction:false` section", DetachPartition},
      {"create-table-as", kWarning, Harm::kAlways, InDown::kIgnored,
       "CREATE TABLE AS copies rows and types alone, and holds a snapshot for as long as it takes.",
       "CREATE TABLE with its keys and constraints, then INSERT ... SELECT in batches",
       CreateTableAs},
      {"lock-table", kWarning, Harm::kAlways, InDown::kWarning,
       "An explicit lock is held until the end of the transaction.",
       "let each statement take the lock that it needs", LockTable},
  };
}

}  // namespace migd
