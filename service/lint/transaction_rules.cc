// Rules about transactions: what they cannot hold, what they should not, and how long one waits.
#include "absl/strings/str_cat.h"
#include "service/lint/rule.h"
#include "service/script/sql_lexer.h"

namespace migd {
namespace {

// The statement is one that PostgreSQL does in several transactions of its own.
bool IsConcurrently(const StatementView& view) {
  const PgQuery__Node& root = view.root;
  switch (root.node_case) {
    case PG_QUERY__NODE__NODE_INDEX_STMT:
      return root.index_stmt->concurrent;
    case PG_QUERY__NODE__NODE_DROP_STMT:
      return root.drop_stmt->concurrent;
    case PG_QUERY__NODE__NODE_REINDEX_STMT:
      return HasOption(root.reindex_stmt->params, root.reindex_stmt->n_params, "concurrently");
    default:
      break;
  }
  for (const AlterCommand& command : view.commands) {
    const PgQuery__Node* def = command.command->def;
    if (command.command->subtype == PG_QUERY__ALTER_TABLE_TYPE__AT_DetachPartition &&
        def != nullptr && def->node_case == PG_QUERY__NODE__NODE_PARTITION_CMD &&
        def->partition_cmd->concurrent) {
      return true;
    }
  }
  return false;
}

void ConcurrentInTransaction(const StatementView& view, const SectionState& section, Hits& hits) {
  if (!section.in_transaction() || !IsConcurrently(view)) return;
  hits.push_back({0, "PostgreSQL refuses CONCURRENTLY in a transaction"});
}

void NotInTransaction(const StatementView& view, const SectionState& section, Hits& hits) {
  if (!section.in_transaction()) return;
  const PgQuery__Node& root = view.root;
  const char* what = nullptr;
  switch (root.node_case) {
    case PG_QUERY__NODE__NODE_VACUUM_STMT:
      if (root.vacuum_stmt->is_vacuumcmd) what = "VACUUM";
      break;
    case PG_QUERY__NODE__NODE_CREATEDB_STMT:
      what = "CREATE DATABASE";
      break;
    case PG_QUERY__NODE__NODE_DROPDB_STMT:
      what = "DROP DATABASE";
      break;
    case PG_QUERY__NODE__NODE_ALTER_SYSTEM_STMT:
      what = "ALTER SYSTEM";
      break;
    case PG_QUERY__NODE__NODE_CREATE_TABLE_SPACE_STMT:
      what = "CREATE TABLESPACE";
      break;
    case PG_QUERY__NODE__NODE_DROP_TABLE_SPACE_STMT:
      what = "DROP TABLESPACE";
      break;
    case PG_QUERY__NODE__NODE_CLUSTER_STMT:
      if (root.cluster_stmt->relation == nullptr) what = "CLUSTER of all tables";
      break;
    case PG_QUERY__NODE__NODE_REINDEX_STMT:
      if (root.reindex_stmt->relation == nullptr) what = "REINDEX of more than a table";
      break;
    default:
      break;
  }
  if (what == nullptr) return;
  hits.push_back({0, absl::StrCat("PostgreSQL refuses ", what, " in a transaction")});
}

// Whether a string constant with this value stands in the statement.
bool HasString(absl::string_view sql, absl::string_view value) {
  const std::string quoted = absl::StrCat("'", value, "'");
  SqlLexer lexer(sql);
  for (Token token = lexer.NextOfStatement(); token.kind != Token::Kind::kEnd;
       token = lexer.NextOfStatement()) {
    if (token.kind == Token::Kind::kString && lexer.TextOf(token) == quoted) return true;
  }
  return false;
}

void EnumValueUsed(const StatementView& view, const SectionState& section, Hits& hits) {
  // Another ADD VALUE may name it as its neighbour.
  if (view.root.node_case == PG_QUERY__NODE__NODE_ALTER_ENUM_STMT) return;
  for (const std::string& value : section.new_enum_values()) {
    if (!HasString(view.statement.text, value)) continue;
    hits.push_back({0, absl::StrCat("PostgreSQL refuses to use the value ", value,
                                    " in the transaction that adds it to its type")});
  }
}

void SeveralTablesLocked(const StatementView& view, const SectionState& section, Hits& hits) {
  if (!section.in_transaction()) return;
  for (const ObjectName& table : BlockedRelations(view)) {
    const auto& earlier = section.blocked().all();
    // Told once, at the second table.
    if (section.IsNew(table) || earlier.size() != 1 || section.blocked().MayHave(table)) continue;
    hits.push_back(
        {0, absl::StrCat(earlier.begin()->Quoted(), " stays locked while ", table.Quoted(),
                         " is waited for; a program that uses both in "
                         "the other order makes a deadlock")});
    return;
  }
}

void LockTimeoutDisabled(const StatementView& view, const SectionState& section, Hits& hits) {
  if (section.lock_timeout_off_line() == 0) return;
  for (const ObjectName& relation : BlockedRelations(view)) {
    if (section.IsNew(relation)) continue;
    hits.push_back({0, absl::StrCat("waits for its lock on ", relation.Quoted(),
                                    " without end, as line ", section.lock_timeout_off_line(),
                                    " has it; everybody else who needs it waits behind")});
    return;
  }
}

}  // namespace

std::vector<Rule> TransactionRules() {
  return {
      {"concurrent-in-transaction", kError, Harm::kAlways, InDown::kSame,
       "CONCURRENTLY works in several transactions of its own, so PostgreSQL refuses it inside one "
       "(SQLSTATE 25001).",
       "put it into a revision whose section is marked `transaction:false`",
       ConcurrentInTransaction},
      {"not-in-transaction", kError, Harm::kAlways, InDown::kSame,
       "VACUUM, ALTER SYSTEM, CREATE DATABASE and some others cannot be rolled back, so PostgreSQL "
       "refuses them in a transaction (SQLSTATE 25001).",
       "put it into a revision whose section is marked `transaction:false`", NotInTransaction},
      {"enum-value-in-transaction", kError, Harm::kAlways, InDown::kSame,
       "A value that ALTER TYPE ... ADD VALUE added can be used when its transaction is committed, "
       "not before (SQLSTATE 55P04).",
       "add the value in a revision of its own", EnumValueUsed},
      {"several-tables-locked", kWarning, Harm::kAlways, InDown::kWarning,
       "A transaction keeps the locks of all its statements until it ends, so the first table is "
       "locked for as long as the second is waited for.",
       "one revision for each table", SeveralTablesLocked},
      {"lock-timeout-disabled", kError, Harm::kAlways, InDown::kWarning,
       "A statement that waits for an ACCESS EXCLUSIVE lock keeps all who come after it waiting, "
       "also readers. The service sets a lock_timeout, and tries again; without one nothing ends "
       "the queue.",
       "leave lock_timeout to the service, or set one that the programs can bear",
       LockTimeoutDisabled},
  };
}

}  // namespace migd
