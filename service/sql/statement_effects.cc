#include "service/sql/statement_effects.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "service/sql/parse_tree.h"
#include "service/sql/table_changes.h"
#include "service/sql/tree_walk.h"

namespace migd {
namespace {

using namespace migration::v1;  // NOLINT: the enumerators of locks and work

template <typename Message>
const Message& As(const ProtobufCMessage& message) {
  return *reinterpret_cast<const Message*>(&message);
}

// The word for a kind of object in command tags.
absl::string_view TagOf(PgQuery__ObjectType type) {
  switch (type) {
    case PG_QUERY__OBJECT_TYPE__OBJECT_AGGREGATE:
      return "AGGREGATE";
    case PG_QUERY__OBJECT_TYPE__OBJECT_CAST:
      return "CAST";
    case PG_QUERY__OBJECT_TYPE__OBJECT_COLLATION:
      return "COLLATION";
    case PG_QUERY__OBJECT_TYPE__OBJECT_CONVERSION:
      return "CONVERSION";
    case PG_QUERY__OBJECT_TYPE__OBJECT_DATABASE:
      return "DATABASE";
    case PG_QUERY__OBJECT_TYPE__OBJECT_DOMAIN:
    case PG_QUERY__OBJECT_TYPE__OBJECT_DOMCONSTRAINT:
      return "DOMAIN";
    case PG_QUERY__OBJECT_TYPE__OBJECT_EVENT_TRIGGER:
      return "EVENT TRIGGER";
    case PG_QUERY__OBJECT_TYPE__OBJECT_EXTENSION:
      return "EXTENSION";
    case PG_QUERY__OBJECT_TYPE__OBJECT_FDW:
      return "FOREIGN DATA WRAPPER";
    case PG_QUERY__OBJECT_TYPE__OBJECT_FOREIGN_SERVER:
      return "SERVER";
    case PG_QUERY__OBJECT_TYPE__OBJECT_FOREIGN_TABLE:
      return "FOREIGN TABLE";
    case PG_QUERY__OBJECT_TYPE__OBJECT_FUNCTION:
      return "FUNCTION";
    case PG_QUERY__OBJECT_TYPE__OBJECT_INDEX:
      return "INDEX";
    case PG_QUERY__OBJECT_TYPE__OBJECT_LANGUAGE:
      return "LANGUAGE";
    case PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW:
      return "MATERIALIZED VIEW";
    case PG_QUERY__OBJECT_TYPE__OBJECT_OPCLASS:
      return "OPERATOR CLASS";
    case PG_QUERY__OBJECT_TYPE__OBJECT_OPERATOR:
      return "OPERATOR";
    case PG_QUERY__OBJECT_TYPE__OBJECT_OPFAMILY:
      return "OPERATOR FAMILY";
    case PG_QUERY__OBJECT_TYPE__OBJECT_POLICY:
      return "POLICY";
    case PG_QUERY__OBJECT_TYPE__OBJECT_PROCEDURE:
      return "PROCEDURE";
    case PG_QUERY__OBJECT_TYPE__OBJECT_PUBLICATION:
      return "PUBLICATION";
    case PG_QUERY__OBJECT_TYPE__OBJECT_ROLE:
      return "ROLE";
    case PG_QUERY__OBJECT_TYPE__OBJECT_ROUTINE:
      return "ROUTINE";
    case PG_QUERY__OBJECT_TYPE__OBJECT_RULE:
      return "RULE";
    case PG_QUERY__OBJECT_TYPE__OBJECT_SCHEMA:
      return "SCHEMA";
    case PG_QUERY__OBJECT_TYPE__OBJECT_SEQUENCE:
      return "SEQUENCE";
    case PG_QUERY__OBJECT_TYPE__OBJECT_STATISTIC_EXT:
      return "STATISTICS";
    case PG_QUERY__OBJECT_TYPE__OBJECT_SUBSCRIPTION:
      return "SUBSCRIPTION";
    case PG_QUERY__OBJECT_TYPE__OBJECT_TABLESPACE:
      return "TABLESPACE";
    case PG_QUERY__OBJECT_TYPE__OBJECT_TRANSFORM:
      return "TRANSFORM";
    case PG_QUERY__OBJECT_TYPE__OBJECT_TRIGGER:
      return "TRIGGER";
    case PG_QUERY__OBJECT_TYPE__OBJECT_TSCONFIGURATION:
      return "TEXT SEARCH CONFIGURATION";
    case PG_QUERY__OBJECT_TYPE__OBJECT_TSDICTIONARY:
      return "TEXT SEARCH DICTIONARY";
    case PG_QUERY__OBJECT_TYPE__OBJECT_TSPARSER:
      return "TEXT SEARCH PARSER";
    case PG_QUERY__OBJECT_TYPE__OBJECT_TSTEMPLATE:
      return "TEXT SEARCH TEMPLATE";
    case PG_QUERY__OBJECT_TYPE__OBJECT_TYPE:
    case PG_QUERY__OBJECT_TYPE__OBJECT_ATTRIBUTE:
      return "TYPE";
    case PG_QUERY__OBJECT_TYPE__OBJECT_USER_MAPPING:
      return "USER MAPPING";
    case PG_QUERY__OBJECT_TYPE__OBJECT_VIEW:
      return "VIEW";
    default:
      return "TABLE";
  }
}

// The tags that do not follow from the names of the grammar's statements.
const std::map<std::string, std::string>& OtherTags() {
  static const std::map<std::string, std::string>& tags = *new std::map<std::string, std::string>{
      {"CompositeTypeStmt", "CREATE TYPE"},
      {"CreateEnumStmt", "CREATE TYPE"},
      {"CreateRangeStmt", "CREATE TYPE"},
      {"AlterEnumStmt", "ALTER TYPE"},
      {"ConstraintsSetStmt", "SET CONSTRAINTS"},
      {"VariableShowStmt", "SHOW"},
      {"CreatePLangStmt", "CREATE LANGUAGE"},
      {"CreateFdwStmt", "CREATE FOREIGN DATA WRAPPER"},
      {"AlterFdwStmt", "ALTER FOREIGN DATA WRAPPER"},
      {"CreateForeignServerStmt", "CREATE SERVER"},
      {"AlterForeignServerStmt", "ALTER SERVER"},
      {"AlterRoleSetStmt", "ALTER ROLE"},
      {"AlterDatabaseSetStmt", "ALTER DATABASE"},
      {"AlterDatabaseRefreshCollStmt", "ALTER DATABASE"},
      {"CreateEventTrigStmt", "CREATE EVENT TRIGGER"},
      {"AlterEventTrigStmt", "ALTER EVENT TRIGGER"},
      {"CreateAmStmt", "CREATE ACCESS METHOD"},
      {"CreateOpClassStmt", "CREATE OPERATOR CLASS"},
      {"CreateOpFamilyStmt", "CREATE OPERATOR FAMILY"},
      {"AlterOpFamilyStmt", "ALTER OPERATOR FAMILY"},
      {"AlterExtensionContentsStmt", "ALTER EXTENSION"},
      {"CheckPointStmt", "CHECKPOINT"},
      {"AlterTableSpaceOptionsStmt", "ALTER TABLESPACE"},
      {"AlterTableMoveAllStmt", "ALTER TABLE"},
      {"AlterTSDictionaryStmt", "ALTER TEXT SEARCH DICTIONARY"},
      {"AlterTSConfigurationStmt", "ALTER TEXT SEARCH CONFIGURATION"},
      {"ClosePortalStmt", "CLOSE CURSOR"}};
  return tags;
}

// "CreateExtensionStmt" as "CREATE EXTENSION".
std::string TagOfKind(absl::string_view kind) {
  const auto other = OtherTags().find(std::string(kind));
  if (other != OtherTags().end()) return other->second;
  const absl::string_view words = absl::StripSuffix(kind, "Stmt");
  std::string tag;
  for (const char c : words) {
    if (absl::ascii_isupper(c) && !tag.empty()) tag += ' ';
    tag += absl::ascii_toupper(c);
  }
  return tag;
}

bool HasOption(NodeList options, absl::string_view name) {
  for (const PgQuery__Node* node : options) {
    if (node->node_case != PG_QUERY__NODE__NODE_DEF_ELEM) continue;
    const PgQuery__DefElem& option = *node->def_elem;
    if (option.defname != name) continue;
    // Without a value it is on; as a value `false`, `off` and 0 mean that it is not.
    if (option.arg == nullptr) return true;
    if (option.arg->node_case == PG_QUERY__NODE__NODE_STRING) {
      const absl::string_view value = option.arg->string->sval;
      return value != "false" && value != "off";
    }
    if (option.arg->node_case == PG_QUERY__NODE__NODE_INTEGER) {
      return option.arg->integer->ival != 0;
    }
    if (option.arg->node_case == PG_QUERY__NODE__NODE_BOOLEAN) return option.arg->boolean->boolval;
    return true;
  }
  return false;
}

bool IsPostgresOwn(const QualifiedName& function) {
  return function.schema.empty() || function.schema == "pg_catalog";
}

// PostgreSQL's functions that run what they are given as SQL, or that erase large objects.
bool RunsOrErases(const QualifiedName& function) {
  static const std::set<std::string>& names = *new std::set<std::string>{
      "query_to_xml", "query_to_xml_and_xmlschema", "cursor_to_xml", "lo_unlink", "lo_truncate"};
  return IsPostgresOwn(function) && names.count(function.name) > 0;
}

// Those that a SELECT of a migration is for, or that count and check.
bool IsWellKnown(const QualifiedName& function) {
  static const std::set<std::string>& names = *new std::set<std::string>{
      "set_config", "setval", "nextval", "currval", "pg_get_serial_sequence",
      "count",      "max",    "min",     "sum",     "now"};
  return function.schema == "pg_catalog" ||
         (function.schema.empty() && names.count(function.name) > 0);
}

Reach ReachOf(const PgQuery__RangeVar& relation) {
  return relation.inh ? Reach::kDescendants : Reach::kItself;
}

// Reads one tree.
class Reader {
 public:
  explicit Reader(StatementEffects& effects) : effects_(effects) {}

  void Read(const PgQuery__Node& root) {
    switch (root.node_case) {
      case PG_QUERY__NODE__NODE_SELECT_STMT:
        return ReadSelect(root);
      case PG_QUERY__NODE__NODE_INSERT_STMT:
        return ReadQuery("INSERT", root);
      case PG_QUERY__NODE__NODE_UPDATE_STMT:
        return ReadQuery("UPDATE", root);
      case PG_QUERY__NODE__NODE_DELETE_STMT:
        return ReadQuery("DELETE", root);
      case PG_QUERY__NODE__NODE_MERGE_STMT:
        return ReadQuery("MERGE", root);
      case PG_QUERY__NODE__NODE_COPY_STMT:
        return ReadCopy(*root.copy_stmt);
      case PG_QUERY__NODE__NODE_EXPLAIN_STMT:
        return ReadExplain(*root.explain_stmt);
      case PG_QUERY__NODE__NODE_DECLARE_CURSOR_STMT:
        return ReadQuery("DECLARE CURSOR", root);
      case PG_QUERY__NODE__NODE_LOCK_STMT:
        return ReadLock(*root.lock_stmt);
      case PG_QUERY__NODE__NODE_TRUNCATE_STMT:
        return ReadTruncate(*root.truncate_stmt);
      case PG_QUERY__NODE__NODE_CREATE_STMT:
        return ReadCreateTable("CREATE TABLE", *root.create_stmt);
      case PG_QUERY__NODE__NODE_CREATE_FOREIGN_TABLE_STMT:
        return ReadCreateTable("CREATE FOREIGN TABLE", *root.create_foreign_table_stmt->base_stmt);
      case PG_QUERY__NODE__NODE_CREATE_TABLE_AS_STMT:
        return ReadCreateTableAs(*root.create_table_as_stmt);
      case PG_QUERY__NODE__NODE_VIEW_STMT:
        return ReadView(*root.view_stmt);
      case PG_QUERY__NODE__NODE_CREATE_SEQ_STMT:
        return ReadCreateSequence(*root.create_seq_stmt);
      case PG_QUERY__NODE__NODE_CREATE_SCHEMA_STMT:
        return ReadCreateSchema(*root.create_schema_stmt);
      case PG_QUERY__NODE__NODE_INDEX_STMT:
        return ReadIndex(*root.index_stmt);
      case PG_QUERY__NODE__NODE_ALTER_TABLE_STMT:
        Tag("ALTER ", TagOf(root.alter_table_stmt->objtype));
        return AddTableChanges(*root.alter_table_stmt, effects_);
      case PG_QUERY__NODE__NODE_RENAME_STMT:
        return ReadRename(*root.rename_stmt);
      case PG_QUERY__NODE__NODE_ALTER_OBJECT_SCHEMA_STMT:
        return ReadSetSchema(*root.alter_object_schema_stmt);
      case PG_QUERY__NODE__NODE_ALTER_SEQ_STMT:
        Tag("ALTER SEQUENCE");
        return Lock(*root.alter_seq_stmt->sequence, LOCK_MODE_SHARE_ROW_EXCLUSIVE);
      case PG_QUERY__NODE__NODE_ALTER_DOMAIN_STMT:
        return ReadAlterDomain(*root.alter_domain_stmt);
      case PG_QUERY__NODE__NODE_ALTER_OBJECT_DEPENDS_STMT:
        Tag("ALTER ", TagOf(root.alter_object_depends_stmt->object_type));
        return;
      case PG_QUERY__NODE__NODE_ALTER_OWNER_STMT:
        Tag("ALTER ", TagOf(root.alter_owner_stmt->object_type));
        return;
      case PG_QUERY__NODE__NODE_DROP_STMT:
        return ReadDrop(*root.drop_stmt);
      case PG_QUERY__NODE__NODE_DROPDB_STMT:
        Tag("DROP DATABASE");
        effects_.transaction_need = TRANSACTION_NEED_OUTSIDE;
        effects_.drops.push_back({"database",
                                  {"", root.dropdb_stmt->dbname},
                                  "",
                                  false,
                                  root.dropdb_stmt->missing_ok != 0});
        return;
      case PG_QUERY__NODE__NODE_DROP_OWNED_STMT:
        return ReadDropOwned(*root.drop_owned_stmt);
      case PG_QUERY__NODE__NODE_CREATE_TRIG_STMT:
        return ReadTrigger(*root.create_trig_stmt);
      case PG_QUERY__NODE__NODE_RULE_STMT:
        Tag("CREATE RULE");
        return Lock(*root.rule_stmt->relation, LOCK_MODE_ACCESS_EXCLUSIVE);
      case PG_QUERY__NODE__NODE_CREATE_POLICY_STMT:
        Tag("CREATE POLICY");
        return Lock(*root.create_policy_stmt->table, LOCK_MODE_ACCESS_EXCLUSIVE);
      case PG_QUERY__NODE__NODE_ALTER_POLICY_STMT:
        Tag("ALTER POLICY");
        return Lock(*root.alter_policy_stmt->table, LOCK_MODE_ACCESS_EXCLUSIVE);
      case PG_QUERY__NODE__NODE_CREATE_STATS_STMT:
        Tag("CREATE STATISTICS");
        return LockAllIn(root.create_stats_stmt->base, LOCK_MODE_SHARE_UPDATE_EXCLUSIVE);
      case PG_QUERY__NODE__NODE_ALTER_STATS_STMT:
        Tag("ALTER STATISTICS");
        return;
      case PG_QUERY__NODE__NODE_CREATE_PUBLICATION_STMT:
        Tag("CREATE PUBLICATION");
        return LockAllIn(root.create_publication_stmt->base, LOCK_MODE_SHARE_UPDATE_EXCLUSIVE);
      case PG_QUERY__NODE__NODE_ALTER_PUBLICATION_STMT:
        Tag("ALTER PUBLICATION");
        return LockAllIn(root.alter_publication_stmt->base, LOCK_MODE_SHARE_UPDATE_EXCLUSIVE);
      case PG_QUERY__NODE__NODE_COMMENT_STMT:
        return ReadComment("COMMENT", root.comment_stmt->objtype, root.comment_stmt->object);
      case PG_QUERY__NODE__NODE_SEC_LABEL_STMT:
        return ReadComment("SECURITY LABEL", root.sec_label_stmt->objtype,
                           root.sec_label_stmt->object);
      case PG_QUERY__NODE__NODE_GRANT_STMT:
        Tag(root.grant_stmt->is_grant != 0 ? "GRANT" : "REVOKE");
        return;
      case PG_QUERY__NODE__NODE_GRANT_ROLE_STMT:
        Tag(root.grant_role_stmt->is_grant != 0 ? "GRANT ROLE" : "REVOKE ROLE");
        return;
      case PG_QUERY__NODE__NODE_REFRESH_MAT_VIEW_STMT:
        return ReadRefresh(*root.refresh_mat_view_stmt);
      case PG_QUERY__NODE__NODE_REINDEX_STMT:
        return ReadReindex(*root.reindex_stmt);
      case PG_QUERY__NODE__NODE_CLUSTER_STMT:
        return ReadCluster(*root.cluster_stmt);
      case PG_QUERY__NODE__NODE_VACUUM_STMT:
        return ReadVacuum(*root.vacuum_stmt);
      case PG_QUERY__NODE__NODE_TRANSACTION_STMT:
        return ReadTransaction(*root.transaction_stmt);
      case PG_QUERY__NODE__NODE_VARIABLE_SET_STMT:
        return ReadSet(*root.variable_set_stmt);
      case PG_QUERY__NODE__NODE_DO_STMT:
        return Unknown("DO");
      case PG_QUERY__NODE__NODE_CALL_STMT:
        return Unknown("CALL");
      case PG_QUERY__NODE__NODE_EXECUTE_STMT:
        return Unknown("EXECUTE");
      case PG_QUERY__NODE__NODE_CREATEDB_STMT:
        return Outside("CREATE DATABASE");
      case PG_QUERY__NODE__NODE_CREATE_TABLE_SPACE_STMT:
        return Outside("CREATE TABLESPACE");
      case PG_QUERY__NODE__NODE_DROP_TABLE_SPACE_STMT:
        return Outside("DROP TABLESPACE");
      case PG_QUERY__NODE__NODE_CREATE_SUBSCRIPTION_STMT:
        return Outside("CREATE SUBSCRIPTION");
      case PG_QUERY__NODE__NODE_DROP_SUBSCRIPTION_STMT:
        return Outside("DROP SUBSCRIPTION");
      case PG_QUERY__NODE__NODE_ALTER_SUBSCRIPTION_STMT:
        return Outside("ALTER SUBSCRIPTION");
      case PG_QUERY__NODE__NODE_ALTER_SYSTEM_STMT:
        return Outside("ALTER SYSTEM");
      case PG_QUERY__NODE__NODE_DISCARD_STMT:
        return Outside("DISCARD");
      default:
        return ReadOther(root);
    }
  }

 private:
  template <typename... Parts>
  void Tag(const Parts&... parts) {
    effects_.command = absl::StrCat(parts...);
  }

  void Unknown(absl::string_view command) {
    Tag(command);
    effects_.is_unknown = true;
  }

  void Outside(absl::string_view command) {
    Tag(command);
    effects_.transaction_need = TRANSACTION_NEED_OUTSIDE;
  }

  void Lock(const PgQuery__RangeVar& relation, LockMode mode, Reach reach = Reach::kItself) {
    effects_.locks.push_back({NameOf(relation), mode, reach});
  }

  void LockAllIn(const ProtobufCMessage& root, LockMode mode) {
    for (const PgQuery__RangeVar* relation : RelationsIn(root)) {
      Lock(*relation, mode, ReachOf(*relation));
    }
  }

  // --- Rows ---

  // The locks and the rows of everything beneath `root`: queries can change data anywhere in WITH.
  void ReadRows(const ProtobufCMessage& root) {
    for (const PgQuery__RangeVar* relation : RelationsIn(root)) {
      Lock(*relation, LOCK_MODE_ACCESS_SHARE, ReachOf(*relation));
    }
    VisitTree(root, [this](const ProtobufCMessage& message) {
      const absl::string_view kind = KindOf(message);
      if (kind == "InsertStmt") {
        Lock(*As<PgQuery__InsertStmt>(message).relation, LOCK_MODE_ROW_EXCLUSIVE);
      } else if (kind == "UpdateStmt") {
        ReadUpdate(As<PgQuery__UpdateStmt>(message));
      } else if (kind == "DeleteStmt") {
        ReadDelete(As<PgQuery__DeleteStmt>(message));
      } else if (kind == "MergeStmt") {
        const PgQuery__RangeVar& relation = *As<PgQuery__MergeStmt>(message).relation;
        Lock(relation, LOCK_MODE_ROW_EXCLUSIVE, ReachOf(relation));
      } else if (kind == "SelectStmt" && As<PgQuery__SelectStmt>(message).n_locking_clause > 0) {
        LockAllIn(message, LOCK_MODE_ROW_SHARE);
      } else if (kind == "FuncCall") {
        ReadCall(As<PgQuery__FuncCall>(message));
      }
    });
  }

  void ReadUpdate(const PgQuery__UpdateStmt& statement) {
    const PgQuery__RangeVar& relation = *statement.relation;
    Lock(relation, LOCK_MODE_ROW_EXCLUSIVE, ReachOf(relation));
    if (!HoldsAlways(statement.where_clause)) return;
    EmptiedRelation emptied = {NameOf(relation), {}, relation.inh != 0, false};
    for (const PgQuery__Node* node : NodeList{statement.target_list, statement.n_target_list}) {
      if (node->node_case == PG_QUERY__NODE__NODE_RES_TARGET) {
        emptied.columns.emplace_back(node->res_target->name);
      }
    }
    if (!emptied.columns.empty()) effects_.emptied.push_back(std::move(emptied));
  }

  void ReadDelete(const PgQuery__DeleteStmt& statement) {
    const PgQuery__RangeVar& relation = *statement.relation;
    Lock(relation, LOCK_MODE_ROW_EXCLUSIVE, ReachOf(relation));
    if (!HoldsAlways(statement.where_clause)) return;
    effects_.emptied.push_back({NameOf(relation), {}, relation.inh != 0, false});
  }

  // As pg_dump writes it: SELECT pg_catalog.set_config('search_path', '', false).
  void ReadCall(const PgQuery__FuncCall& call) {
    const QualifiedName function = NameOf(NodeList{call.funcname, call.n_funcname});
    if (RunsOrErases(function)) effects_.is_unknown = true;
    if (!IsWellKnown(function)) effects_.calls.push_back(function);
    if (function.name != "set_config" || call.n_args < 2 || TextOf(call.args[0]) != "search_path")
      return;
    const std::string path = TextOf(call.args[1]);
    std::vector<std::string> schemas;
    StatementReader reader(path);
    while (!reader.AtEnd()) {
      const auto name = reader.AcceptName();
      if (!name) return;
      schemas.push_back(*name);
      reader.AcceptSymbol(',');
    }
    effects_.search_path = std::move(schemas);
  }

  static std::string TextOf(const PgQuery__Node* node) {
    if (node->node_case != PG_QUERY__NODE__NODE_A_CONST ||
        node->a_const->val_case != PG_QUERY__A__CONST__VAL_SVAL) {
      return "";
    }
    return node->a_const->sval->sval;
  }

  void ReadQuery(absl::string_view command, const PgQuery__Node& root) {
    Tag(command);
    ReadRows(root.base);
  }

  void ReadSelect(const PgQuery__Node& root) {
    ReadQuery("SELECT", root);
    const PgQuery__IntoClause* into = root.select_stmt->into_clause;
    if (into == nullptr) return;
    Tag("SELECT INTO");
    Create(*into->rel);
  }

  // A table that is made has no locks that matter to anybody.
  void Create(const PgQuery__RangeVar& relation, bool is_guarded = false) {
    const QualifiedName name = NameOf(relation);
    effects_.created.push_back({name, "", is_guarded});
    effects_.locks.erase(std::remove_if(effects_.locks.begin(), effects_.locks.end(),
                                        [&](const LockNeed& lock) {
                                          return lock.relation.schema == name.schema &&
                                                 lock.relation.name == name.name;
                                        }),
                         effects_.locks.end());
  }

  void ReadCopy(const PgQuery__CopyStmt& statement) {
    Tag("COPY");
    if (statement.query != nullptr) return ReadRows(statement.query->base);
    Lock(*statement.relation,
         statement.is_from != 0 ? LOCK_MODE_ROW_EXCLUSIVE : LOCK_MODE_ACCESS_SHARE);
  }

  void ReadExplain(const PgQuery__ExplainStmt& statement) {
    if (HasOption({statement.options, statement.n_options}, "analyze")) {
      Read(*statement.query);
    } else {
      LockAllIn(statement.query->base, LOCK_MODE_ACCESS_SHARE);
    }
    Tag("EXPLAIN");
  }

  void ReadLock(const PgQuery__LockStmt& statement) {
    Tag("LOCK TABLE");
    for (const PgQuery__Node* node : NodeList{statement.relations, statement.n_relations}) {
      Lock(*node->range_var, static_cast<LockMode>(statement.mode), ReachOf(*node->range_var));
    }
  }

  void ReadTruncate(const PgQuery__TruncateStmt& statement) {
    Tag("TRUNCATE TABLE");
    const bool cascade = statement.behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE;
    for (const PgQuery__Node* node : NodeList{statement.relations, statement.n_relations}) {
      const PgQuery__RangeVar& relation = *node->range_var;
      Lock(relation, LOCK_MODE_ACCESS_EXCLUSIVE, ReachOf(relation));
      if (cascade) Lock(relation, LOCK_MODE_ACCESS_EXCLUSIVE, Reach::kAllReferencing);
      if (statement.restart_seqs != 0) {
        Lock(relation, LOCK_MODE_ACCESS_EXCLUSIVE, Reach::kOwnedSequences);
      }
      effects_.emptied.push_back({NameOf(relation), {}, relation.inh != 0, cascade});
    }
  }

  // --- What is made ---

  void ReadCreateTable(absl::string_view command, const PgQuery__CreateStmt& statement) {
    Tag(command);
    AddReferencedTables(statement, effects_);
    const bool is_partition = statement.partbound != nullptr;
    for (const PgQuery__Node* node : NodeList{statement.inh_relations, statement.n_inh_relations}) {
      const PgQuery__RangeVar& parent = *node->range_var;
      Lock(parent, is_partition ? LOCK_MODE_ACCESS_EXCLUSIVE : LOCK_MODE_SHARE_UPDATE_EXCLUSIVE);
      if (!is_partition) continue;
      Lock(parent, LOCK_MODE_ACCESS_EXCLUSIVE, Reach::kDefaultPartition);
      Lock(parent, LOCK_MODE_SHARE_ROW_EXCLUSIVE, Reach::kReferenced);
      Lock(parent, LOCK_MODE_SHARE_ROW_EXCLUSIVE, Reach::kReferencing);
      effects_.works.push_back({RELATION_WORK_KIND_SCAN, NameOf(parent),
                                "no row of the default partition may belong into the new one",
                                Reach::kDefaultPartition});
    }
    for (const PgQuery__Node* node : NodeList{statement.table_elts, statement.n_table_elts}) {
      if (node->node_case == PG_QUERY__NODE__NODE_TABLE_LIKE_CLAUSE) {
        Lock(*node->table_like_clause->relation, LOCK_MODE_ACCESS_SHARE);
      }
    }
    Create(*statement.relation, statement.if_not_exists != 0);
  }

  void ReadCreateTableAs(const PgQuery__CreateTableAsStmt& statement) {
    Tag(statement.objtype == PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW ? "CREATE MATERIALIZED VIEW"
                                                                   : "CREATE TABLE AS");
    ReadRows(statement.query->base);
    Create(*statement.into->rel, statement.if_not_exists != 0);
  }

  void ReadView(const PgQuery__ViewStmt& statement) {
    Tag("CREATE VIEW");
    ReadRows(statement.query->base);
    // It runs when somebody reads the view.
    effects_.calls.clear();
    effects_.is_unknown = false;
    Create(*statement.view);
    if (statement.replace != 0) Lock(*statement.view, LOCK_MODE_ACCESS_EXCLUSIVE);
  }

  void ReadCreateSequence(const PgQuery__CreateSeqStmt& statement) {
    Tag("CREATE SEQUENCE");
    Create(*statement.sequence, statement.if_not_exists != 0);
  }

  void ReadCreateSchema(const PgQuery__CreateSchemaStmt& statement) {
    for (const PgQuery__Node* node : NodeList{statement.schema_elts, statement.n_schema_elts}) {
      Read(*node);
    }
    Tag("CREATE SCHEMA");
  }

  void ReadIndex(const PgQuery__IndexStmt& statement) {
    Tag("CREATE INDEX");
    const PgQuery__RangeVar& table = *statement.relation;
    const bool concurrent = statement.concurrent != 0;
    if (concurrent) effects_.transaction_need = TRANSACTION_NEED_OUTSIDE;
    Lock(table, concurrent ? LOCK_MODE_SHARE_UPDATE_EXCLUSIVE : LOCK_MODE_SHARE, ReachOf(table));
    WorkNeed work = {
        RELATION_WORK_KIND_INDEX_BUILD, NameOf(table),
        *statement.idxname == '\0' ? "a new index" : absl::StrCat("index ", statement.idxname),
        ReachOf(table)};
    if (*statement.idxname != '\0') {
      // An index is in the schema of its table.
      const QualifiedName index = {table.schemaname, statement.idxname};
      effects_.created.push_back({index, ""});
      if (statement.if_not_exists != 0) {
        work.condition = WorkCondition::kObjectMissing;
        work.object = index;
      }
    }
    effects_.works.push_back(std::move(work));
  }

  void ReadTrigger(const PgQuery__CreateTrigStmt& statement) {
    Tag("CREATE TRIGGER");
    Lock(*statement.relation, LOCK_MODE_SHARE_ROW_EXCLUSIVE, Reach::kDescendants);
    if (statement.constrrel != nullptr) {
      Lock(*statement.constrrel, LOCK_MODE_SHARE_ROW_EXCLUSIVE);
    }
  }

  // --- What is changed ---

  void ReadRename(const PgQuery__RenameStmt& statement) {
    const bool of_part = statement.rename_type == PG_QUERY__OBJECT_TYPE__OBJECT_COLUMN ||
                         statement.rename_type == PG_QUERY__OBJECT_TYPE__OBJECT_TABCONSTRAINT;
    Tag("ALTER ", TagOf(of_part ? statement.relation_type : statement.rename_type));
    if (statement.relation == nullptr) return ReadRenameOfOther(statement);
    const PgQuery__RangeVar& relation = *statement.relation;
    const QualifiedName name = NameOf(relation);
    if (statement.rename_type == PG_QUERY__OBJECT_TYPE__OBJECT_ATTRIBUTE) {
      effects_.locks.push_back({name, LOCK_MODE_ACCESS_EXCLUSIVE, Reach::kTypedTables});
      effects_.renamings.push_back({name, name, false, statement.subname, statement.newname});
      return;
    }
    const bool of_index = statement.rename_type == PG_QUERY__OBJECT_TYPE__OBJECT_INDEX;
    Lock(relation, of_index ? LOCK_MODE_SHARE_UPDATE_EXCLUSIVE : LOCK_MODE_ACCESS_EXCLUSIVE,
         of_part || !of_index ? ReachOf(relation) : Reach::kItself);
    if (statement.rename_type == PG_QUERY__OBJECT_TYPE__OBJECT_COLUMN) {
      effects_.renamings.push_back({name, name, false, statement.subname, statement.newname});
    } else if (IsRelation(statement.rename_type)) {
      effects_.renamings.push_back({name, {name.schema, statement.newname}});
    }
  }

  // Of what is no relation, nor part of one.
  void ReadRenameOfOther(const PgQuery__RenameStmt& statement) {
    if (statement.rename_type == PG_QUERY__OBJECT_TYPE__OBJECT_SCHEMA) {
      effects_.renamings.push_back({{"", statement.subname}, {"", statement.newname}, true});
    } else if (IsType(statement.rename_type)) {
      const QualifiedName name = NameOf(statement.object);
      effects_.renamings.push_back({name, {name.schema, statement.newname}});
    }
  }

  static bool IsType(PgQuery__ObjectType type) {
    return type == PG_QUERY__OBJECT_TYPE__OBJECT_TYPE ||
           type == PG_QUERY__OBJECT_TYPE__OBJECT_DOMAIN;
  }

  static bool IsRelation(PgQuery__ObjectType type) {
    switch (type) {
      case PG_QUERY__OBJECT_TYPE__OBJECT_TABLE:
      case PG_QUERY__OBJECT_TYPE__OBJECT_INDEX:
      case PG_QUERY__OBJECT_TYPE__OBJECT_VIEW:
      case PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW:
      case PG_QUERY__OBJECT_TYPE__OBJECT_SEQUENCE:
      case PG_QUERY__OBJECT_TYPE__OBJECT_FOREIGN_TABLE:
        return true;
      default:
        return false;
    }
  }

  void ReadSetSchema(const PgQuery__AlterObjectSchemaStmt& statement) {
    Tag("ALTER ", TagOf(statement.object_type));
    const bool is_relation = statement.relation != nullptr;
    if (!is_relation && !IsType(statement.object_type)) return;
    const QualifiedName name = is_relation ? NameOf(*statement.relation) : NameOf(statement.object);
    effects_.renamings.push_back({name, {statement.newschema, name.name}});
    if (!is_relation) return;
    Lock(*statement.relation, LOCK_MODE_ACCESS_EXCLUSIVE);
    Lock(*statement.relation, LOCK_MODE_ACCESS_EXCLUSIVE, Reach::kOwnedSequences);
  }

  void ReadAlterDomain(const PgQuery__AlterDomainStmt& statement) {
    Tag("ALTER DOMAIN");
    // C adds a constraint, O sets NOT NULL, V validates one: the values are read.
    if (absl::string_view("COV").find(*statement.subtype) == absl::string_view::npos) return;
    if (*statement.subtype == 'C' && statement.def->constraint->skip_validation != 0) return;
    const QualifiedName domain = NameOf(NodeList{statement.type_name, statement.n_type_name});
    effects_.locks.push_back({domain, LOCK_MODE_SHARE, Reach::kTablesOfType});
    effects_.works.push_back({RELATION_WORK_KIND_SCAN, domain,
                              absl::StrCat("checks the values of domain ", DisplayName(domain)),
                              Reach::kTablesOfType});
  }

  void ReadComment(absl::string_view command, PgQuery__ObjectType type,
                   const PgQuery__Node* object) {
    Tag(command);
    QualifiedName name = NameOf(object);
    LockMode mode = LOCK_MODE_SHARE_UPDATE_EXCLUSIVE;
    switch (type) {
      case PG_QUERY__OBJECT_TYPE__OBJECT_COLUMN:
        name = TableOfPart(*object);
        break;
      case PG_QUERY__OBJECT_TYPE__OBJECT_TABCONSTRAINT:
      case PG_QUERY__OBJECT_TYPE__OBJECT_TRIGGER:
      case PG_QUERY__OBJECT_TYPE__OBJECT_RULE:
      case PG_QUERY__OBJECT_TYPE__OBJECT_POLICY:
        name = TableOfPart(*object);
        mode = LOCK_MODE_ACCESS_SHARE;
        break;
      default:
        if (!IsRelation(type)) return;
    }
    effects_.locks.push_back({name, mode, Reach::kItself});
  }

  // [[catalog.]schema.]table.part
  static QualifiedName TableOfPart(const PgQuery__Node& object) {
    if (object.node_case != PG_QUERY__NODE__NODE_LIST) return {};
    NodeList parts = {object.list->items, object.list->n_items};
    if (parts.size > 0) --parts.size;
    return NameOf(parts);
  }

  void ReadRefresh(const PgQuery__RefreshMatViewStmt& statement) {
    Tag("REFRESH MATERIALIZED VIEW");
    Lock(*statement.relation,
         statement.concurrent != 0 ? LOCK_MODE_EXCLUSIVE : LOCK_MODE_ACCESS_EXCLUSIVE);
    effects_.works.push_back(
        {statement.concurrent != 0 ? RELATION_WORK_KIND_SCAN : RELATION_WORK_KIND_REWRITE,
         NameOf(*statement.relation), "its query runs anew"});
  }

  void ReadReindex(const PgQuery__ReindexStmt& statement) {
    Tag("REINDEX");
    const bool concurrent = HasOption({statement.params, statement.n_params}, "concurrently");
    if (concurrent || statement.relation == nullptr) {
      effects_.transaction_need = TRANSACTION_NEED_OUTSIDE;
    }
    // Of a schema or a database: which tables is not known.
    if (statement.relation == nullptr) {
      effects_.is_unknown = true;
      return;
    }
    const QualifiedName name = NameOf(*statement.relation);
    const bool of_index = statement.kind == PG_QUERY__REINDEX_OBJECT_TYPE__REINDEX_OBJECT_INDEX;
    const Reach tables = of_index ? Reach::kTableOfIndex : Reach::kDescendants;
    effects_.locks.push_back(
        {name, concurrent ? LOCK_MODE_SHARE_UPDATE_EXCLUSIVE : LOCK_MODE_SHARE, tables});
    // Who plans a query on the table looks at all of its indexes.
    if (!concurrent) {
      effects_.locks.push_back(
          {name, LOCK_MODE_ACCESS_EXCLUSIVE, of_index ? Reach::kDescendants : Reach::kIndexes});
    }
    effects_.works.push_back({RELATION_WORK_KIND_INDEX_BUILD, name,
                              of_index ? absl::StrCat("index ", name.name) : "all of its indexes",
                              tables});
  }

  void ReadCluster(const PgQuery__ClusterStmt& statement) {
    Tag("CLUSTER");
    if (statement.relation == nullptr) {
      effects_.transaction_need = TRANSACTION_NEED_OUTSIDE;
      effects_.is_unknown = true;
      return;
    }
    Lock(*statement.relation, LOCK_MODE_ACCESS_EXCLUSIVE, Reach::kDescendants);
    effects_.works.push_back({RELATION_WORK_KIND_REWRITE, NameOf(*statement.relation),
                              "its rows are put in order", Reach::kDescendants});
  }

  void ReadVacuum(const PgQuery__VacuumStmt& statement) {
    const bool vacuums = statement.is_vacuumcmd != 0;
    const bool full = vacuums && HasOption({statement.options, statement.n_options}, "full");
    Tag(vacuums ? "VACUUM" : "ANALYZE");
    if (vacuums) effects_.transaction_need = TRANSACTION_NEED_OUTSIDE;
    if (full && statement.n_rels == 0) effects_.is_unknown = true;
    for (const PgQuery__Node* node : NodeList{statement.rels, statement.n_rels}) {
      const PgQuery__RangeVar& relation = *node->vacuum_relation->relation;
      Lock(relation, full ? LOCK_MODE_ACCESS_EXCLUSIVE : LOCK_MODE_SHARE_UPDATE_EXCLUSIVE,
           Reach::kDescendants);
      if (full) {
        effects_.works.push_back({RELATION_WORK_KIND_REWRITE, NameOf(relation),
                                  "its dead rows are left out", Reach::kDescendants});
      } else if (vacuums) {
        effects_.works.push_back({RELATION_WORK_KIND_SCAN, NameOf(relation),
                                  "its dead rows are looked for", Reach::kDescendants});
      }
    }
  }

  // --- What goes ---

  // The kind of a dropped object whose loss, or whose lock, concerns a relation; empty for others.
  static std::string KindOfDropped(PgQuery__ObjectType type) {
    switch (type) {
      case PG_QUERY__OBJECT_TYPE__OBJECT_TABLE:
      case PG_QUERY__OBJECT_TYPE__OBJECT_VIEW:
      case PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW:
      case PG_QUERY__OBJECT_TYPE__OBJECT_FOREIGN_TABLE:
      case PG_QUERY__OBJECT_TYPE__OBJECT_INDEX:
      case PG_QUERY__OBJECT_TYPE__OBJECT_SEQUENCE:
      case PG_QUERY__OBJECT_TYPE__OBJECT_SCHEMA:
      case PG_QUERY__OBJECT_TYPE__OBJECT_TYPE:
      case PG_QUERY__OBJECT_TYPE__OBJECT_EXTENSION:
      case PG_QUERY__OBJECT_TYPE__OBJECT_FUNCTION:
      case PG_QUERY__OBJECT_TYPE__OBJECT_TRIGGER:
      case PG_QUERY__OBJECT_TYPE__OBJECT_RULE:
      case PG_QUERY__OBJECT_TYPE__OBJECT_POLICY:
      case PG_QUERY__OBJECT_TYPE__OBJECT_STATISTIC_EXT:
      case PG_QUERY__OBJECT_TYPE__OBJECT_COLLATION:
      case PG_QUERY__OBJECT_TYPE__OBJECT_LANGUAGE:
      case PG_QUERY__OBJECT_TYPE__OBJECT_FOREIGN_SERVER:
      case PG_QUERY__OBJECT_TYPE__OBJECT_FDW:
        return absl::AsciiStrToLower(TagOf(type));
      case PG_QUERY__OBJECT_TYPE__OBJECT_DOMAIN:
        return "type";
      case PG_QUERY__OBJECT_TYPE__OBJECT_PROCEDURE:
      case PG_QUERY__OBJECT_TYPE__OBJECT_ROUTINE:
      case PG_QUERY__OBJECT_TYPE__OBJECT_AGGREGATE:
        return "function";
      default:
        return "";
    }
  }

  void ReadDrop(const PgQuery__DropStmt& statement) {
    Tag("DROP ", TagOf(statement.remove_type));
    const std::string kind = KindOfDropped(statement.remove_type);
    const bool cascade = statement.behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE;
    if (kind.empty()) {
      // What depends on an operator, or on a configuration of text search, is not followed.
      effects_.is_unknown = cascade;
      return;
    }
    const bool concurrent = statement.concurrent != 0;
    if (concurrent) effects_.transaction_need = TRANSACTION_NEED_OUTSIDE;
    const LockMode mode =
        concurrent ? LOCK_MODE_SHARE_UPDATE_EXCLUSIVE : LOCK_MODE_ACCESS_EXCLUSIVE;
    for (const PgQuery__Node* object : NodeList{statement.objects, statement.n_objects}) {
      const bool of_table = kind == "trigger" || kind == "rule" || kind == "policy";
      DroppedThing dropped = {kind, of_table ? TableOfPart(*object) : NameOf(object), "", cascade,
                              statement.missing_ok != 0};
      if (of_table) dropped.part = StringsOf({object->list->items, object->list->n_items}).back();
      if (of_table || IsRelation(statement.remove_type)) {
        effects_.locks.push_back({dropped.name, mode, Reach::kItself});
      }
      if (kind == "index") {
        effects_.locks.push_back({dropped.name, mode, Reach::kTableOfIndex});
        if (concurrent) continue;
      }
      effects_.drops.push_back(std::move(dropped));
    }
  }

  void ReadDropOwned(const PgQuery__DropOwnedStmt& statement) {
    Tag("DROP OWNED");
    for (const PgQuery__Node* node : NodeList{statement.roles, statement.n_roles}) {
      const char* name = node->role_spec->rolename;
      effects_.drops.push_back({"role",
                                {"", *name == '\0' ? "current_user" : name},
                                "",
                                statement.behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE,
                                false});
    }
  }

  // --- Sessions ---

  void ReadTransaction(const PgQuery__TransactionStmt& statement) {
    switch (statement.kind) {
      case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_SAVEPOINT:
        return Tag("SAVEPOINT");
      case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_RELEASE:
        return Tag("RELEASE");
      case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_ROLLBACK_TO:
        return Tag("ROLLBACK");
      case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_COMMIT_PREPARED:
        return Outside("COMMIT PREPARED");
      case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_ROLLBACK_PREPARED:
        return Outside("ROLLBACK PREPARED");
      case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_BEGIN:
        Tag("BEGIN");
        break;
      case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_START:
        Tag("START TRANSACTION");
        break;
      case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_COMMIT:
        Tag("COMMIT");
        break;
      case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_PREPARE:
        Tag("PREPARE TRANSACTION");
        break;
      default:
        Tag("ROLLBACK");
    }
    effects_.transaction_need = TRANSACTION_NEED_CONTROLS;
  }

  void ReadSet(const PgQuery__VariableSetStmt& statement) {
    const bool resets = statement.kind == PG_QUERY__VARIABLE_SET_KIND__VAR_RESET ||
                        statement.kind == PG_QUERY__VARIABLE_SET_KIND__VAR_RESET_ALL;
    Tag(resets ? "RESET" : "SET");
    const bool all = statement.kind == PG_QUERY__VARIABLE_SET_KIND__VAR_RESET_ALL;
    effects_.sets_time_zone = absl::EqualsIgnoreCase(statement.name, "timezone");
    if (!all && absl::string_view(statement.name) != "search_path") return;
    if (statement.kind != PG_QUERY__VARIABLE_SET_KIND__VAR_SET_VALUE) {
      effects_.resets_search_path = true;
      return;
    }
    std::vector<std::string> schemas;
    for (const PgQuery__Node* node : NodeList{statement.args, statement.n_args}) {
      const std::string schema = TextOf(node);
      if (!schema.empty()) schemas.push_back(schema);
    }
    effects_.search_path = std::move(schemas);
  }

  // Statements that lock no relation that was there before.
  void ReadOther(const PgQuery__Node& root) {
    // All members of the union are pointers to messages.
    const auto& statement = *reinterpret_cast<const ProtobufCMessage*>(root.alias);
    const absl::string_view kind = KindOf(statement);
    if (kind == "CreateFunctionStmt") {
      return Tag("CREATE ",
                 root.create_function_stmt->is_procedure != 0 ? "PROCEDURE" : "FUNCTION");
    }
    if (kind == "AlterFunctionStmt") {
      return Tag("ALTER ", TagOf(root.alter_function_stmt->objtype));
    }
    if (kind == "DefineStmt") return Tag("CREATE ", TagOf(root.define_stmt->kind));
    Tag(TagOfKind(kind));
    if (kind == "AlterTableMoveAllStmt") effects_.is_unknown = true;
    if (kind == "AlterDatabaseStmt" &&
        HasOption({root.alter_database_stmt->options, root.alter_database_stmt->n_options},
                  "tablespace")) {
      effects_.transaction_need = TRANSACTION_NEED_OUTSIDE;
    }
  }

  StatementEffects& effects_;
};

// The first two words in capitals: as good a tag as there is for what the grammar does not know.
std::string FirstWords(absl::string_view sql) {
  StatementReader reader(sql);
  std::string words = reader.AcceptWord();
  const std::string second = reader.AcceptWord();
  if (!second.empty()) absl::StrAppend(&words, " ", second);
  return absl::AsciiStrToUpper(words);
}

}  // namespace

StatementEffects EffectsOf(absl::string_view sql) {
  StatementEffects effects;
  const ParseTree tree = ParseTree::Read(sql);
  if (tree.root() != nullptr) {
    Reader(effects).Read(*tree.root());
    return effects;
  }
  effects.command = FirstWords(sql);
  effects.is_unknown = true;
  if (IsTransactionControl(sql)) {
    effects.transaction_need = TRANSACTION_NEED_CONTROLS;
  } else if (IsConcurrent(sql)) {
    effects.transaction_need = TRANSACTION_NEED_OUTSIDE;
  }
  return effects;
}

absl::optional<StatementEffects> EffectsOfPlainLoad(const Statement& statement) {
  StatementReader reader(statement.text);
  const bool copies = statement.copy_data.has_value() && reader.Accept("copy");
  if (!copies && !reader.AcceptAll({"insert", "into"})) return absl::nullopt;
  const absl::optional<QualifiedName> table = reader.AcceptQualifiedName();
  if (!table) return absl::nullopt;
  if (!copies) {
    // A query may change data in its WITH.
    while (!reader.AtEnd()) {
      const std::string word = reader.AcceptWord();
      if (word == "select" || word == "with") return absl::nullopt;
      if (word.empty()) reader.Skip();
    }
  }
  StatementEffects effects;
  effects.command = copies ? "COPY" : "INSERT";
  effects.locks.push_back({*table, LOCK_MODE_ROW_EXCLUSIVE, Reach::kItself});
  return effects;
}

}  // namespace migd
