#include "service/postgres/privileges.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "service/base/errors.h"
#include "service/database/service_sql.h"

namespace migd {
namespace {

// What is done to a table of the service's own schema.
struct ServiceTable {
  const char* name;
  std::vector<const char*> privileges;
  // Written as the role that has logged in, see AsLoginSql, not as the one that it has become by
  // ALTER ROLE ... SET role.
  bool as_login = false;
};

const std::vector<ServiceTable>& ServiceTables() {
  static const std::vector<ServiceTable> tables = {
      {"operation", {"SELECT", "INSERT", "UPDATE", "DELETE"}},
      {"operation_events", {"SELECT", "INSERT", "DELETE"}},
      {"audit", {"SELECT", "INSERT"}},
      {"revision_log", {"INSERT"}},
      {"statement_journal", {"SELECT"}},
      {"statement_journal", {"SELECT", "INSERT", "UPDATE", "DELETE"}, true},
      {"revision_log", {"INSERT"}, true},
  };
  return tables;
}

// The rows of `needed` below: number, role, schema, relation, privilege.
std::string NeededRows(const VersionTable& table) {
  std::vector<std::string> rows;
  const auto add = [&rows](absl::string_view role, absl::string_view schema, absl::string_view name,
                           absl::string_view privilege) {
    rows.push_back(absl::StrCat("(", rows.size(), ", ", role, "::text, ", QuoteLiteral(schema),
                                ", ", QuoteLiteral(name), ", '", privilege, "')"));
  };
  for (const char* privilege : {"SELECT", "INSERT", "UPDATE", "DELETE"}) {
    add("current_user", table.schema, table.name, privilege);
  }
  for (const ServiceTable& own : ServiceTables()) {
    for (const char* privilege : own.privileges) {
      add(own.as_login ? "session_user" : "current_user", "migration_service", own.name, privilege);
    }
  }
  return absl::StrJoin(rows, ", ");
}

// A query for what is missing: role, object as GRANT has it, privileges. The catalogue is read by
// names, for to_regclass fails where the role may not use the schema. A privilege on one column
// counts: it may be the one that is needed.
std::string MissingSql(const VersionTable& table) {
  return absl::StrCat(R"(
WITH needed (number, role, schema, relation, privilege) AS (VALUES )",
                      NeededRows(table), R"(),
found AS (
  SELECT needed.*, n.oid AS schema_oid, c.oid AS relation_oid
  FROM needed
  LEFT JOIN pg_namespace AS n ON n.nspname = needed.schema
  LEFT JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = needed.relation
),
missing (rank, number, role, object, privilege) AS (
  SELECT 0, 0, current_user::text, 'DATABASE ' || quote_ident(current_database()), 'CREATE'
  WHERE EXISTS (SELECT FROM found WHERE schema = 'migration_service' AND schema_oid IS NULL)
    AND NOT has_database_privilege(current_database(), 'CREATE')
  UNION ALL
  SELECT 1, min(number), role, 'SCHEMA ' || quote_ident(schema), 'USAGE'
  FROM found WHERE NOT has_schema_privilege(role, schema_oid, 'USAGE') GROUP BY role, schema
  UNION ALL
  SELECT 1, min(number), current_user::text, 'SCHEMA ' || quote_ident(schema), 'CREATE'
  FROM found WHERE relation_oid IS NULL AND NOT has_schema_privilege(schema_oid, 'CREATE')
  GROUP BY schema
  UNION ALL
  SELECT 2, min(number), role,
         'TABLE ' || quote_ident(schema) || '.' || quote_ident(relation), privilege
  FROM found
  WHERE NOT CASE privilege WHEN 'DELETE' THEN has_table_privilege(role, relation_oid, privilege)
                           ELSE has_any_column_privilege(role, relation_oid, privilege) END
  GROUP BY role, schema, relation, privilege
)
SELECT role, object, string_agg(privilege, ', ' ORDER BY number, privilege DESC),
       quote_ident(role)
FROM missing GROUP BY role, object ORDER BY min(rank), min(number), role)");
}

// "CREATE on schema public" of "SCHEMA public".
std::string Described(absl::string_view privileges, absl::string_view object) {
  const size_t space = object.find(' ');
  return absl::StrCat(privileges, " on ", absl::AsciiStrToLower(object.substr(0, space)),
                      object.substr(space));
}

}  // namespace

absl::Status CheckPrivileges(Connection& connection, const std::string& database,
                             const VersionTable& table) {
  pqxx::nontransaction work(connection);
  std::string lacking;
  std::string last_role;
  std::vector<std::string> grants;
  std::string schema_instead;
  for (const pqxx::row row : work.exec(MissingSql(table))) {
    const auto role = row[0].as<std::string>();
    const auto object = row[1].as<std::string>();
    const auto privileges = row[2].as<std::string>();
    const auto quoted_role = row[3].as<std::string>();
    absl::StrAppend(&lacking, grants.empty() ? "" : "; ",
                    role == last_role ? "" : absl::StrCat("role ", role, " lacks "),
                    Described(privileges, object));
    last_role = role;
    grants.push_back(absl::StrCat("GRANT ", privileges, " ON ", object, " TO ", quoted_role, ";"));
    if (absl::StartsWith(object, "DATABASE ")) {
      schema_instead =
          absl::StrCat(" (instead of the first, CREATE SCHEMA migration_service AUTHORIZATION ",
                       quoted_role, "; is enough)");
    }
  }
  if (grants.empty()) return absl::OkStatus();
  return errors::InsufficientPrivilege(absl::StrCat("database ", database, ": ", lacking),
                                       absl::StrCat("as the owner or a superuser, run: ",
                                                    absl::StrJoin(grants, " "), schema_instead));
}

}  // namespace migd
