#include "service/script/run_mode.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "service/script/statement_reader.h"

namespace migd {
namespace {

// SET LOCAL, SET TRANSACTION and SET CONSTRAINTS end with the transaction.
bool SetsSession(StatementReader reader) {
  return reader.Accept("set") && !reader.AcceptAnyOf({"local", "transaction", "constraints"});
}

// As pg_dump writes it: SELECT pg_catalog.set_config('search_path', '', false).
bool CallsSetConfig(StatementReader reader) {
  if (!reader.Accept("select")) return false;
  const absl::optional<QualifiedName> function = reader.AcceptQualifiedName();
  return function.has_value() && function->name == "set_config" && reader.AcceptSymbol('(');
}

bool SetsUpSession(StatementReader reader) {
  return SetsSession(reader) || CallsSetConfig(reader) ||
         reader.AcceptAnyOf(
             {"reset", "load", "listen", "unlisten", "prepare", "deallocate", "discard"});
}

bool EndsPrepared(StatementReader reader) {
  return reader.AcceptAnyOf({"commit", "rollback"}) && reader.Accept("prepared");
}

// A block, or a procedure that it calls, may end the transaction that it is in. One that only looks
// so is none the worse for being taken for it.
bool MayEndTransaction(absl::string_view block) {
  const std::string text = absl::AsciiStrToLower(block);
  return absl::StrContains(text, "commit") || absl::StrContains(text, "rollback") ||
         absl::StrContains(text, "call");
}

// CREATE, DROP or ALTER of what is not in the database but in the cluster or beyond it.
bool IsOutsideDatabase(StatementReader reader) {
  return reader.AcceptAnyOf({"create", "drop", "alter"}) &&
         reader.AcceptAnyOf({"database", "tablespace", "subscription", "system"});
}

// NAMEDATALEN of PostgreSQL, less one: a longer identifier is cut off.
constexpr size_t kLongestName = 63;

// Whether PostgreSQL may warn of the statement when it reads it, before anything tells that it has
// come to this one: of a name that it cuts off. Of a backslash it warns only where
// standard_conforming_strings is off, by which no file is read.
bool MayWarnWhenRead(absl::string_view sql) {
  // Only in quotes can a name have a space in it; beside texts it is not known what a quote ends.
  const bool has_text = absl::StrContains(sql, "'");
  bool quoted = has_text && absl::StrContains(sql, "\"");
  size_t length = 0;
  for (const char c : sql) {
    if (c == '"' && !has_text) quoted = !quoted;
    const bool ends_name = c == '"' || c == '\'' || c == ',' || c == '(' || c == ')' || c == '.' ||
                           (!quoted && absl::ascii_isspace(static_cast<unsigned char>(c)));
    length = ends_name ? 0 : length + 1;
    if (length > kLongestName) return true;
  }
  return false;
}

bool Refreshes(StatementReader reader) { return reader.Accept("refresh"); }

}  // namespace

RunMode RunModeOf(absl::string_view sql) {
  StatementReader reader(sql);
  if (EndsPrepared(reader)) return RunMode::kAlone;
  if (IsTransactionControl(sql)) return RunMode::kTransactionControl;
  if (SetsUpSession(reader)) return RunMode::kSession;
  if (IsOutsideDatabase(reader)) return RunMode::kAlone;
  if (IsConcurrent(sql) && !Refreshes(reader)) return RunMode::kAlone;
  if (reader.Accept("do")) {
    return MayEndTransaction(sql) ? RunMode::kAlone : RunMode::kInTransaction;
  }
  const bool in_transaction =
      reader.AcceptSymbol('(') ||
      reader.AcceptAnyOf({"select", "insert",  "update",  "delete",  "merge",    "with",
                          "values", "table",   "copy",    "create",  "alter",    "drop",
                          "set",    "comment", "grant",   "revoke",  "truncate", "refresh",
                          "import", "notify",  "execute", "explain", "reassign", "security"});
  return in_transaction ? RunMode::kInTransaction : RunMode::kAlone;
}

bool RunsTogether(const Statement& statement) {
  if (statement.copy_data || MayWarnWhenRead(statement.text)) return false;
  StatementReader reader(statement.text);
  // COPY has a protocol of its own; DEALLOCATE takes away what is to come behind it.
  if (reader.AcceptAnyOf({"copy", "deallocate"})) return false;
  const RunMode mode = RunModeOf(statement.text);
  return mode == RunMode::kInTransaction || mode == RunMode::kSession;
}

bool IsCommit(absl::string_view sql) {
  StatementReader reader(sql);
  return reader.AcceptAnyOf({"commit", "end"}) && !reader.Accept("prepared");
}

bool ChainsTransaction(absl::string_view sql) {
  StatementReader reader(sql);
  if (!reader.AcceptAnyOf({"commit", "end", "rollback", "abort"})) return false;
  reader.AcceptAnyOf({"work", "transaction"});
  return reader.AcceptAll({"and", "chain"});
}

bool IsRepeatable(absl::string_view sql) {
  StatementReader reader(sql);
  if (reader.AcceptAnyOf(
          {"vacuum", "analyze", "analyse", "reindex", "cluster", "checkpoint", "lock"})) {
    return true;
  }
  if (reader.AcceptAll({"alter", "system"})) return true;
  return reader.Accept("drop") && !GuardedObjects(sql).empty();
}

absl::optional<ConcurrentBuild> ConcurrentBuildOf(absl::string_view sql) {
  StatementReader reader(sql);
  ConcurrentBuild build;
  if (!reader.Accept("create")) return absl::nullopt;
  build.unique = reader.Accept("unique");
  if (!reader.AcceptAll({"index", "concurrently"})) return absl::nullopt;
  reader.AcceptAll({"if", "not", "exists"});
  // ON is reserved: an index of this name has it quoted.
  if (reader.Accept("on")) return absl::nullopt;
  absl::optional<std::string> name = reader.AcceptName();
  if (!name.has_value() || !reader.Accept("on")) return absl::nullopt;
  reader.Accept("only");
  absl::optional<QualifiedName> table = reader.AcceptQualifiedName();
  if (!table.has_value()) return absl::nullopt;
  build.name = *std::move(name);
  build.table_schema = std::move(table->schema);
  build.table = std::move(table->name);
  build.definition = reader.rest();
  return build;
}

absl::optional<GuardedObject> ConcurrentDropOf(absl::string_view sql) {
  StatementReader reader(sql);
  if (!reader.AcceptAll({"drop", "index", "concurrently"})) return absl::nullopt;
  reader.AcceptAll({"if", "exists"});
  absl::optional<QualifiedName> name = reader.AcceptQualifiedName();
  if (!name.has_value()) return absl::nullopt;
  GuardedObject index;
  index.kind = "index";
  index.schema = std::move(name->schema);
  index.name = std::move(name->name);
  index.guard = GuardedObject::Guard::kIfExists;
  return index;
}

}  // namespace migd
