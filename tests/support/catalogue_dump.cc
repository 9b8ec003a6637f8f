#include "tests/support/catalogue_dump.h"

#include <pqxx/pqxx>

#include "absl/strings/str_cat.h"

namespace migd {
namespace {

// A line for each thing there is.
constexpr char kDefinitions[] = R"(
WITH space AS (
  SELECT oid, nspname FROM pg_namespace
  WHERE nspname NOT LIKE 'pg\_%' AND nspname NOT IN ('information_schema', 'migration_service')
), relation AS (
  SELECT c.*, format('%I.%I', nspname, relname) AS name
  FROM pg_class c JOIN space ON space.oid = relnamespace
), line AS (
  SELECT format('schema %s %s', nspname, nspacl) AS text FROM pg_namespace
  WHERE oid IN (SELECT oid FROM space)
  UNION ALL
  SELECT format('relation %s %s %s %s %s %s', name, relkind, relpersistence, relowner::regrole,
                relacl, reloptions)
  FROM relation
  UNION ALL
  SELECT format('column %s %s %s %s %s %s %s %s', name,
                row_number() OVER (PARTITION BY relation.oid ORDER BY attnum), attname,
                format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated,
                pg_get_expr(adbin, adrelid))
  FROM relation JOIN pg_attribute ON attrelid = relation.oid AND attnum > 0 AND NOT attisdropped
  LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
  UNION ALL
  SELECT format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
  FROM pg_constraint WHERE connamespace IN (SELECT oid FROM space)
  UNION ALL
  SELECT format('index %s %s %s', pg_get_indexdef(indexrelid), indisvalid, indisclustered)
  FROM pg_index WHERE indrelid IN (SELECT oid FROM relation)
  UNION ALL
  SELECT format('trigger %s %s', pg_get_triggerdef(oid), tgenabled)
  FROM pg_trigger WHERE NOT tgisinternal AND tgrelid IN (SELECT oid FROM relation)
  UNION ALL
  SELECT format('view %s %s', name, pg_get_viewdef(oid)) FROM relation WHERE relkind IN ('v', 'm')
  UNION ALL
  SELECT format('function %s %s %s', pg_get_functiondef(oid), proowner::regrole, proacl)
  FROM pg_proc WHERE prokind IN ('f', 'p') AND pronamespace IN (SELECT oid FROM space)
  UNION ALL
  SELECT format('type %s %s %s', oid::regtype, typtype,
                (SELECT array_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum
                 WHERE enumtypid = pg_type.oid))
  FROM pg_type WHERE typnamespace IN (SELECT oid FROM space)
  UNION ALL
  SELECT format('sequence %s', pg_sequences) FROM pg_sequences
  WHERE schemaname IN (SELECT nspname FROM space)
  UNION ALL
  SELECT format('extension %s %s', extname, extversion) FROM pg_extension
  UNION ALL
  SELECT format('comment %s %s', pg_describe_object(classoid, objoid, objsubid), description)
  FROM pg_description WHERE objoid >= 16384
    AND pg_describe_object(classoid, objoid, objsubid) NOT LIKE '%migration_service%'
)
SELECT coalesce(string_agg(text, E'\n' ORDER BY text COLLATE "C"), '') FROM line)";

constexpr char kTables[] = R"(
SELECT format('%I.%I', nspname, relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind = 'r' AND nspname NOT LIKE 'pg\_%'
  AND nspname NOT IN ('information_schema', 'migration_service')
ORDER BY 1)";

}  // namespace

std::string DumpByCatalogue(const ConnectionOptions& database) {
  pqxx::connection connection(FormatConninfo(database));
  pqxx::work work(connection);
  // So that every name stands with its schema.
  work.exec("SET search_path = ''");
  std::string dump = work.exec1(kDefinitions)[0].as<std::string>();
  for (const pqxx::row row : work.exec(kTables)) {
    const std::string table = row[0].as<std::string>();
    const std::string rows =
        work.exec1(absl::StrCat("SELECT coalesce(string_agg(t::text, E'\\n' ORDER BY t::text "
                                "COLLATE \"C\"), '') FROM ONLY ",
                                table, " t"))[0]
            .as<std::string>();
    absl::StrAppend(&dump, "\nrows of ", table, "\n", rows);
  }
  return dump;
}

}  // namespace migd
