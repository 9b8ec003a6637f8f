#include "service/postgres/schema_reader.h"

#include <string>

namespace migd {

Schema ReadSchema(pqxx::transaction_base& work, const VersionTable& version_table) {
  Schema schema;
  const pqxx::result rows = work.exec(
      "SELECT format('%I.%I', n.nspname, c.relname), n.nspname, c.relname FROM pg_class c "
      "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') "
      "AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'migration_service')");
  for (const pqxx::row row : rows) {
    if (row[1].c_str() == version_table.schema && row[2].c_str() == version_table.name) continue;
    schema[{"table", row[0].c_str()}] = {};
  }
  return schema;
}

}  // namespace migd
