// The questions to the catalogue that make up a Schema. Internal to schema_reader.
//
// Each is a query that stands behind SchemaPrelude(). Its columns that begin with an underscore are
// the object's: `_kind`, `_name`, `_schema`, `_definition`, `_owner_kind` and `_owner_name` (what
// it belongs to), `_parent_kind` and `_parent_name` (what it has that from). Every other column is
// an attribute; one that is NULL or empty is none.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace migd::internal {

// The common table expressions that the queries use, for the version table `$1`.`$2`:
//   space     the schemas to read: oid, nspname, name (quoted)
//   member    what belongs to extensions: classid, objid
//   relation  pg_class in these schemas, with name, kind, space
//   column_text  a column as CREATE TABLE has it: attrelid, attnum, text
//   owned_type   pg_type in these schemas that are no rows of tables and no arrays, with name, kind
std::string SchemaPrelude();

// `since` if the server has that version (server_version_num), otherwise `before`.
inline absl::string_view Since(int version, int wanted, absl::string_view since,
                               absl::string_view before) {
  return version >= wanted ? since : before;
}

// The privileges of an object as text, by whom: "PUBLIC: USAGE; owner: CREATE, USAGE". What nobody
// has granted are those that PostgreSQL gives by itself. `type` is acldefault()'s.
std::string PrivilegesSql(absl::string_view acl, absl::string_view type, absl::string_view owner);

// The same of explicit grants alone; NULL if there are none.
std::string GrantsSql(absl::string_view acl, absl::string_view owner);

// The name of a collation.
std::string CollationSql(absl::string_view oid);

// The options of an array such as reloptions, sorted. Without `pg_attver`, in which PostgreSQL
// (since the minor versions of November 2026) counts the changes of a column.
std::string OptionsSql(absl::string_view options);

// Tables, their columns, constraints, indexes, triggers, rules, policies and statistics; views;
// sequences.
std::vector<std::string> RelationQueries(int version);
std::vector<std::string> TablePartQueries(int version);
// Functions, types, operators and what belongs to them.
std::vector<std::string> RoutineQueries(int version);
std::vector<std::string> TypeQueries(int version);
// Schemas, extensions, text search, foreign servers, publications, and what else has no table.
std::vector<std::string> OtherQueries(int version);

}  // namespace migd::internal
