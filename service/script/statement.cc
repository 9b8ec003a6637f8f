#include "service/script/statement.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "service/script/statement_reader.h"

namespace migd {
namespace {

using Guard = GuardedObject::Guard;

// A kind of object whose IF [NOT] EXISTS is understood: the words between CREATE, DROP or ALTER and
// the guard. Those of objects with argument lists (functions, aggregates, operators, casts) are
// left out.
absl::optional<std::string> AcceptKind(StatementReader& reader) {
  // clang-format off
  static constexpr absl::string_view kKinds[] = {
      "access method", "collation", "conversion", "database", "domain", "event trigger",
      "extension", "foreign data wrapper", "foreign table", "group", "index", "language",
      "materialized view", "policy", "publication", "role", "rule", "schema", "sequence", "server",
      "statistics", "subscription", "table", "tablespace", "text search configuration",
      "text search dictionary", "text search parser", "text search template", "trigger", "type",
      "user", "view",
  };
  // clang-format on
  constexpr int kMostWords = 3;
  std::string kind = reader.AcceptWord();
  for (int words = 1; words <= kMostWords; ++words) {
    if (std::find(std::begin(kKinds), std::end(kKinds), kind) != std::end(kKinds)) return kind;
    absl::StrAppend(&kind, " ", reader.AcceptWord());
  }
  return absl::nullopt;
}

// A trigger, a rule or a policy belongs to a table, which follows as ON table.
bool IsKindOnTable(absl::string_view kind) {
  return kind == "trigger" || kind == "rule" || kind == "policy";
}

GuardedObject MakeObject(absl::string_view kind, QualifiedName name, Guard guard) {
  GuardedObject object;
  object.kind = std::string(kind);
  object.schema = std::move(name.schema);
  object.name = std::move(name.name);
  object.guard = guard;
  return object;
}

bool AcceptTable(StatementReader& reader, GuardedObject& object) {
  if (!reader.Accept("on")) return false;
  reader.Accept("only");
  absl::optional<QualifiedName> table = reader.AcceptQualifiedName();
  if (!table.has_value()) return false;
  object.table_schema = std::move(table->schema);
  object.table = std::move(table->name);
  return true;
}

// CREATE SCHEMA IF NOT EXISTS [name] [AUTHORIZATION role]: without a name it is the role's. Who
// CURRENT_USER is only the database knows.
absl::optional<QualifiedName> AcceptSchemaName(StatementReader& reader) {
  if (!reader.Accept("authorization")) return reader.AcceptQualifiedName();
  if (reader.AcceptAnyOf({"current_user", "current_role", "session_user"})) return absl::nullopt;
  return reader.AcceptQualifiedName();
}

// CREATE [modifiers] kind [IF NOT EXISTS] name; nothing unless the guard is there or not, as
// `guarded` says.
std::vector<GuardedObject> MadeByCreate(StatementReader reader, bool guarded) {
  // A temporary table is in a schema of its own, and nobody else's business.
  reader.AcceptAnyOf({"global", "local"});
  if (reader.AcceptAnyOf({"temp", "temporary"})) return {};
  reader.AcceptAnyOf({"unlogged", "unique"});
  const absl::optional<std::string> kind = AcceptKind(reader);
  if (!kind.has_value()) return {};
  reader.Accept("concurrently");
  if (reader.AcceptAll({"if", "not", "exists"}) != guarded) return {};
  absl::optional<QualifiedName> name =
      *kind == "schema" ? AcceptSchemaName(reader) : reader.AcceptQualifiedName();
  if (!name.has_value()) return {};
  GuardedObject object = MakeObject(*kind, *std::move(name), Guard::kIfNotExists);
  if (*kind == "index" && !AcceptTable(reader, object)) return {};
  if (IsKindOnTable(*kind)) return {};
  if (*kind == "schema" && !guarded) {
    if (reader.Accept("authorization")) reader.AcceptName();
    if (!reader.AtEnd()) return {};
  }
  return {std::move(object)};
}

// ALTER TABLE [IF EXISTS] [ONLY] name [*] ADD [COLUMN] name ..., ADD ... and nothing else
std::vector<GuardedObject> ColumnsAdded(StatementReader reader) {
  if (!reader.Accept("table")) return {};
  reader.AcceptAll({"if", "exists"});
  reader.Accept("only");
  const absl::optional<QualifiedName> table = reader.AcceptQualifiedName();
  if (!table.has_value()) return {};
  reader.AcceptSymbol('*');
  std::vector<GuardedObject> columns;
  do {
    if (!reader.Accept("add")) return {};
    if (!reader.Accept("column") && reader.AcceptAnyOf({"constraint", "check", "unique", "primary",
                                                        "foreign", "exclude", "not"})) {
      return {};
    }
    if (reader.AcceptAll({"if", "not", "exists"})) return {};
    const absl::optional<std::string> name = reader.AcceptName();
    if (!name.has_value()) return {};
    GuardedObject column = MakeObject("column", {"", *name}, Guard::kIfNotExists);
    column.table_schema = table->schema;
    column.table = table->name;
    columns.push_back(std::move(column));
    reader.SkipToComma();
  } while (reader.AcceptSymbol(','));
  return columns;
}

// DROP kind IF EXISTS name, ... or DROP TRIGGER|RULE|POLICY IF EXISTS name ON table
std::vector<GuardedObject> GuardedByDrop(StatementReader reader) {
  reader.Accept("procedural");
  const absl::optional<std::string> kind = AcceptKind(reader);
  if (!kind.has_value()) return {};
  reader.Accept("concurrently");
  if (!reader.AcceptAll({"if", "exists"})) return {};
  std::vector<GuardedObject> objects;
  do {
    absl::optional<QualifiedName> name = reader.AcceptQualifiedName();
    if (!name.has_value()) return {};
    objects.push_back(MakeObject(*kind, *std::move(name), Guard::kIfExists));
  } while (reader.AcceptSymbol(','));
  if (IsKindOnTable(*kind) && !AcceptTable(reader, objects.front())) return {};
  return objects;
}

// ADD [COLUMN] IF NOT EXISTS name, DROP [COLUMN] IF EXISTS name, DROP CONSTRAINT IF EXISTS name
absl::optional<GuardedObject> GuardedByAction(StatementReader& reader) {
  if (reader.Accept("add")) {
    reader.Accept("column");
    if (!reader.AcceptAll({"if", "not", "exists"})) return absl::nullopt;
    const absl::optional<std::string> name = reader.AcceptName();
    if (!name.has_value()) return absl::nullopt;
    return MakeObject("column", {"", *name}, Guard::kIfNotExists);
  }
  if (reader.Accept("drop")) {
    const bool constraint = reader.Accept("constraint");
    if (!constraint) reader.Accept("column");
    if (!reader.AcceptAll({"if", "exists"})) return absl::nullopt;
    const absl::optional<std::string> name = reader.AcceptName();
    if (!name.has_value()) return absl::nullopt;
    return MakeObject(constraint ? "constraint" : "column", {"", *name}, Guard::kIfExists);
  }
  return absl::nullopt;
}

std::vector<GuardedObject> GuardedByActions(StatementReader& reader, const QualifiedName& table) {
  std::vector<GuardedObject> objects;
  do {
    if (absl::optional<GuardedObject> object = GuardedByAction(reader)) {
      object->table_schema = table.schema;
      object->table = table.name;
      objects.push_back(*std::move(object));
    }
    reader.SkipToComma();
  } while (reader.AcceptSymbol(','));
  return objects;
}

// ALTER kind [IF EXISTS] [ONLY] name [*] action, ...
std::vector<GuardedObject> GuardedByAlter(StatementReader reader) {
  const absl::optional<std::string> kind = AcceptKind(reader);
  if (!kind.has_value()) return {};
  const bool guarded = reader.AcceptAll({"if", "exists"});
  reader.Accept("only");
  const absl::optional<QualifiedName> name = reader.AcceptQualifiedName();
  if (!name.has_value()) return {};
  reader.AcceptSymbol('*');
  std::vector<GuardedObject> objects;
  if (guarded) {
    objects.push_back(MakeObject(*kind, *name, Guard::kIfExists));
    if (IsKindOnTable(*kind) && !AcceptTable(reader, objects.front())) return {};
  }
  if (*kind == "table" || *kind == "foreign table") {
    std::vector<GuardedObject> parts = GuardedByActions(reader, *name);
    std::move(parts.begin(), parts.end(), std::back_inserter(objects));
  }
  return objects;
}

// REINDEX [(CONCURRENTLY [boolean], ...)] INDEX|TABLE|... [CONCURRENTLY] name
bool IsConcurrentReindex(StatementReader reader) {
  if (reader.AcceptSymbol('(')) {
    while (!reader.AtEnd() && !reader.AcceptSymbol(')')) {
      if (!reader.Accept("concurrently")) {
        reader.Skip();
      } else if (!reader.AcceptFalse()) {
        return true;
      }
    }
  }
  reader.AcceptWord();
  return reader.Accept("concurrently");
}

// ALTER TABLE [IF EXISTS] name DETACH PARTITION name CONCURRENTLY
bool IsConcurrentDetach(StatementReader reader) {
  if (!reader.Accept("table")) return false;
  reader.AcceptAll({"if", "exists"});
  if (!reader.AcceptQualifiedName().has_value()) return false;
  if (!reader.AcceptAll({"detach", "partition"})) return false;
  return reader.AcceptQualifiedName().has_value() && reader.Accept("concurrently");
}

// `name` as SQL needs it: quoted, unless PostgreSQL would fold it to itself.
std::string Displayed(absl::string_view name) {
  const bool plain =
      !name.empty() && !absl::ascii_isdigit(static_cast<unsigned char>(name[0])) &&
      std::all_of(name.begin(), name.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return absl::ascii_islower(byte) || absl::ascii_isdigit(byte) || c == '_' || byte >= 0x80;
      });
  if (plain) return std::string(name);
  return absl::StrCat("\"", absl::StrReplaceAll(name, {{"\"", "\"\""}}), "\"");
}

}  // namespace

std::string GuardedObject::DisplayName() const {
  // Columns and their like are known by their table; an index lives in a schema beside it.
  std::string display;
  if (kind == "column" || kind == "constraint" || IsKindOnTable(kind)) {
    if (!table_schema.empty()) absl::StrAppend(&display, Displayed(table_schema), ".");
    if (!table.empty()) absl::StrAppend(&display, Displayed(table), ".");
  } else if (!schema.empty()) {
    absl::StrAppend(&display, Displayed(schema), ".");
  }
  absl::StrAppend(&display, Displayed(name));
  return display;
}

std::vector<GuardedObject> GuardedObjects(absl::string_view sql) {
  StatementReader reader(sql);
  if (reader.Accept("create")) return MadeByCreate(reader, /*guarded=*/true);
  if (reader.Accept("drop")) return GuardedByDrop(reader);
  if (reader.Accept("alter")) return GuardedByAlter(reader);
  return {};
}

std::vector<GuardedObject> CreatedObjects(absl::string_view sql) {
  StatementReader reader(sql);
  if (reader.Accept("create")) return MadeByCreate(reader, /*guarded=*/false);
  if (reader.Accept("alter")) return ColumnsAdded(reader);
  return {};
}

bool IsTransactionControl(absl::string_view sql) {
  StatementReader reader(sql);
  if (reader.AcceptAnyOf({"begin", "commit", "end", "abort"})) return true;
  if (reader.Accept("start") || reader.Accept("prepare")) return reader.Accept("transaction");
  if (!reader.Accept("rollback")) return false;
  reader.AcceptAnyOf({"work", "transaction"});
  return !reader.Accept("to");
}

bool IsConcurrent(absl::string_view sql) {
  StatementReader reader(sql);
  if (reader.Accept("create")) {
    reader.Accept("unique");
    return reader.AcceptAll({"index", "concurrently"});
  }
  if (reader.Accept("drop")) return reader.AcceptAll({"index", "concurrently"});
  if (reader.Accept("refresh")) {
    return reader.AcceptAll({"materialized", "view", "concurrently"});
  }
  if (reader.Accept("reindex")) return IsConcurrentReindex(reader);
  if (reader.Accept("alter")) return IsConcurrentDetach(reader);
  return false;
}

}  // namespace migd
