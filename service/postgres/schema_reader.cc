#include "service/postgres/schema_reader.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/postgres/schema_queries.h"

namespace migd {
namespace {

// What PostgreSQL deparses depends on these: every name stands with its schema, and constants look
// the same whatever the database, the role or the server has set.
constexpr char kDeparsing[] =
    "SET LOCAL search_path = pg_catalog; SET LOCAL quote_all_identifiers = off; "
    "SET LOCAL datestyle = 'ISO, MDY'; SET LOCAL intervalstyle = postgres; "
    "SET LOCAL timezone = 'UTC'; SET LOCAL extra_float_digits = 1; "
    "SET LOCAL bytea_output = hex; SET LOCAL xmlbinary = base64; "
    "SET LOCAL standard_conforming_strings = on; "
    // Compiling takes longer than any of the queries.
    "SET LOCAL jit = off";

void AddOwner(const pqxx::row& row, const char* kind, const char* name, SchemaObject& object) {
  const pqxx::field owner = row[name];
  if (!owner.is_null()) object.owners.emplace_back(row[kind].c_str(), owner.c_str());
}

bool Has(const pqxx::result& rows, absl::string_view column) {
  for (pqxx::row::size_type i = 0; i < rows.columns(); ++i) {
    if (rows.column_name(i) == column) return true;
  }
  return false;
}

void AddObjects(const pqxx::result& rows, Schema& schema) {
  const bool owned = Has(rows, "_owner_name");
  const bool inherited = Has(rows, "_parent_name");
  const bool placed = Has(rows, "_schema");
  for (const pqxx::row row : rows) {
    SchemaObject& object = schema[{row["_kind"].c_str(), row["_name"].c_str()}];
    object.definition = row["_definition"].c_str();
    if (placed) object.schema = row["_schema"].c_str();
    if (owned) AddOwner(row, "_owner_kind", "_owner_name", object);
    if (inherited) AddOwner(row, "_parent_kind", "_parent_name", object);
    for (const pqxx::field field : row) {
      const absl::string_view name = field.name();
      if (absl::StartsWith(name, "_") || field.size() == 0) continue;
      object.attributes[std::string(name)] = field.c_str();
    }
  }
}

}  // namespace

Schema ReadSchema(pqxx::transaction_base& work, const VersionTable& version_table) {
  work.exec(kDeparsing);
  const int version = work.conn().server_version();
  const std::string prelude = internal::SchemaPrelude();
  Schema schema;
  for (const auto& queries :
       {internal::RelationQueries(version), internal::TablePartQueries(version),
        internal::RoutineQueries(version), internal::TypeQueries(version),
        internal::OtherQueries(version)}) {
    for (const std::string& query : queries) {
      AddObjects(
          work.exec_params(absl::StrCat(prelude, query), version_table.schema, version_table.name),
          schema);
    }
  }
  return schema;
}

}  // namespace migd
