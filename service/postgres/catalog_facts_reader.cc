#include "service/postgres/catalog_facts_reader.h"

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace migd {
namespace {

using Ids = std::set<RelationId>;

// A parameter that is an array of texts.
class TextArray {
 public:
  void Add(const std::string& value) {
    absl::StrAppend(&text_, text_.empty() ? "" : ",", "\"");
    for (const char c : value) {
      if (c == '"' || c == '\\') text_ += '\\';
      text_ += c;
    }
    text_ += '"';
  }
  std::string literal() const { return absl::StrCat("{", text_, "}"); }

 private:
  std::string text_;
};

std::string ArrayOf(const Ids& ids) {
  std::string text = "{";
  for (const RelationId id : ids) absl::StrAppend(&text, text.size() > 1 ? "," : "", id);
  return text + "}";
}

// Where a schema is written, it is that one; otherwise those of the search_path.
constexpr char kInScope[] =
    "CASE WHEN asked.schema = '' THEN n.nspname = ANY (current_schemas(true)) "
    "ELSE n.nspname = asked.schema END";

// A name per row: $1 the schemas, $2 the names.
constexpr char kAskedNames[] =
    "unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (schema, name, number) ";

// Calls `query` with the names, and `use` with each name and its row.
template <typename Names, typename Use>
void AskByName(pqxx::transaction_base& work, const Names& names, const std::string& query,
               Use use) {
  if (names.empty()) return;
  TextArray schemas;
  TextArray own_names;
  std::vector<CatalogName> by_number;
  for (const CatalogName& name : names) {
    schemas.Add(name.schema);
    own_names.Add(name.name);
    by_number.push_back(name);
  }
  for (const pqxx::row row : work.exec_params(query, schemas.literal(), own_names.literal())) {
    use(by_number[row["number"].as<size_t>() - 1], row);
  }
}

void ReadNames(pqxx::transaction_base& work, const CatalogQuestion& question, CatalogFacts& facts) {
  std::set<CatalogName> names = question.relations;
  for (const DropTarget& target : question.drops) names.insert(target.name);
  AskByName(
      work, names,
      absl::StrCat("SELECT DISTINCT ON (asked.number) asked.number, c.oid AS id FROM ", kAskedNames,
                   "JOIN pg_class c ON c.relname = asked.name "
                   "JOIN pg_namespace n ON n.oid = c.relnamespace AND ",
                   kInScope,
                   " ORDER BY asked.number, array_position(current_schemas(true), n.nspname)"),
      [&](const CatalogName& name, const pqxx::row& row) {
        facts.names[name] = row["id"].as<RelationId>();
      });
}

void ReadTypes(pqxx::transaction_base& work, const CatalogQuestion& question, CatalogFacts& facts) {
  AskByName(
      work, question.types,
      absl::StrCat(
          "SELECT asked.number, t.typtype = 'd' AND (t.typnotnull OR b.typtype = 'd' OR EXISTS ("
          "SELECT FROM pg_constraint WHERE contypid = t.oid)) AS has_constraints, "
          "CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) "
          "ELSE format_type(t.oid, NULL) END AS base_type, a.attrelid AS table, a.is_typed FROM ",
          kAskedNames,
          "JOIN pg_type t ON t.typname = asked.name JOIN pg_namespace n ON n.oid = t.typnamespace "
          "AND ",
          kInScope,
          " LEFT JOIN pg_type b ON b.oid = t.typbasetype LEFT JOIN ("
          "SELECT attrelid, atttypid, false AS is_typed FROM pg_attribute JOIN pg_class c ON c.oid "
          "= attrelid "
          "WHERE NOT attisdropped AND c.relkind IN ('r', 'p', 'm', 'f') "
          "UNION SELECT oid, reloftype, true FROM pg_class WHERE reloftype <> 0) a "
          "ON a.atttypid IN (t.oid, t.typarray) AND a.atttypid <> 0"),
      [&](const CatalogName& name, const pqxx::row& row) {
        TypeFacts& type = facts.types[name];
        type.has_constraints = row["has_constraints"].as<bool>();
        type.base_type = row["base_type"].c_str();
        if (row["table"].is_null()) return;
        (row["is_typed"].as<bool>() ? type.typed_tables : type.tables)
            .push_back(row["table"].as<RelationId>());
      });
}

void ReadFunctions(pqxx::transaction_base& work, const CatalogQuestion& question,
                   CatalogFacts& facts) {
  AskByName(
      work, question.functions,
      absl::StrCat("SELECT asked.number, bool_or(is_volatile) AS is_volatile, "
                   "bool_or(is_volatile AND n.nspname <> 'pg_catalog') AS changes_anything, "
                   "bool_and(NOT is_volatile OR lanname IN ('c', 'internal')) AS is_compiled FROM ",
                   kAskedNames,
                   "JOIN pg_proc p ON p.proname = asked.name "
                   "JOIN pg_namespace n ON n.oid = p.pronamespace AND ",
                   kInScope,
                   " JOIN pg_language l ON l.oid = p.prolang "
                   "CROSS JOIN LATERAL (SELECT p.provolatile = 'v' AS is_volatile) AS v "
                   "GROUP BY asked.number"),
      [&](const CatalogName& name, const pqxx::row& row) {
        facts.functions[name] = {row["is_volatile"].as<bool>(), row["changes_anything"].as<bool>(),
                                 row["is_compiled"].as<bool>()};
      });
}

// From each object that is dropped, by the dependencies that DROP itself follows
// (findDependentObjects in dependency.c): what depends on it goes too, with CASCADE only if the
// dependency is normal; with a rule its view, with the expression of a generated column the column.
// What goes by nothing but normal dependencies is what PostgreSQL names ("drop cascades to ...",
// reportDependentObjects); the rest is part of something.
constexpr char kDropQuery[] = R"(
WITH RECURSIVE asked AS (
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::oid[])
      WITH ORDINALITY AS asked (kind, schema, name, part, relation, number)),
roots (number, classid, objid, objsubid) AS (
  SELECT number, 'pg_class'::regclass::oid, relation, 0 FROM asked
      WHERE relation <> 0 AND kind IN ('table', 'view', 'materialized view', 'foreign table',
                                       'index', 'sequence')
  UNION ALL
  SELECT number, 'pg_class'::regclass, relation, attnum::integer FROM asked
      JOIN pg_attribute ON attrelid = relation AND attname = part AND NOT attisdropped
      WHERE kind IN ('column', 'attribute')
  UNION ALL
  SELECT number, 'pg_constraint'::regclass, c.oid, 0 FROM asked
      JOIN pg_constraint c ON conrelid = relation AND conname = part WHERE kind = 'constraint'
  UNION ALL
  SELECT number, 'pg_collation'::regclass, c.oid, 0 FROM asked
      JOIN pg_collation c ON collname = name JOIN pg_namespace n ON n.oid = collnamespace
      WHERE kind = 'collation' AND CASE WHEN asked.schema = ''
          THEN n.nspname = ANY (current_schemas(true)) ELSE n.nspname = asked.schema END
  UNION ALL
  SELECT number, 'pg_language'::regclass, l.oid, 0 FROM asked
      JOIN pg_language l ON lanname = name WHERE kind = 'language'
  UNION ALL
  SELECT number, 'pg_foreign_server'::regclass, s.oid, 0 FROM asked
      JOIN pg_foreign_server s ON srvname = name WHERE kind = 'server'
  UNION ALL
  SELECT number, 'pg_foreign_data_wrapper'::regclass, w.oid, 0 FROM asked
      JOIN pg_foreign_data_wrapper w ON fdwname = name WHERE kind = 'foreign data wrapper'
  UNION ALL
  SELECT number, 'pg_namespace'::regclass, n.oid, 0 FROM asked
      JOIN pg_namespace n ON nspname = name WHERE kind = 'schema'
  UNION ALL
  SELECT number, 'pg_extension'::regclass, e.oid, 0 FROM asked
      JOIN pg_extension e ON extname = name WHERE kind = 'extension'
  UNION ALL
  SELECT number, 'pg_type'::regclass, t.oid, 0 FROM asked
      JOIN pg_type t ON typname = name JOIN pg_namespace n ON n.oid = typnamespace
      WHERE kind = 'type' AND CASE WHEN asked.schema = ''
          THEN n.nspname = ANY (current_schemas(true)) ELSE n.nspname = asked.schema END
  UNION ALL
  SELECT number, 'pg_proc'::regclass, p.oid, 0 FROM asked
      JOIN pg_proc p ON proname = name JOIN pg_namespace n ON n.oid = pronamespace
      WHERE kind = 'function' AND CASE WHEN asked.schema = ''
          THEN n.nspname = ANY (current_schemas(true)) ELSE n.nspname = asked.schema END
  UNION ALL
  SELECT number, 'pg_statistic_ext'::regclass, s.oid, 0 FROM asked
      JOIN pg_statistic_ext s ON stxname = name JOIN pg_namespace n ON n.oid = stxnamespace
      WHERE kind = 'statistics' AND CASE WHEN asked.schema = ''
          THEN n.nspname = ANY (current_schemas(true)) ELSE n.nspname = asked.schema END
  UNION ALL
  SELECT number, d.classid, d.objid, d.objsubid FROM asked
      JOIN pg_roles r ON r.rolname = CASE WHEN name = 'current_user' THEN current_user::text
                                     ELSE name END
      JOIN pg_shdepend d ON d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid
          AND d.deptype = 'o'
          AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
      WHERE kind = 'role'),
reached (number, classid, objid, objsubid, by_cascade, is_named) AS (
  SELECT *, false, false FROM roots
  UNION
  SELECT number, next.* FROM reached CROSS JOIN LATERAL (
    SELECT d.classid, d.objid, d.objsubid, reached.by_cascade OR d.deptype = 'n', d.deptype = 'n'
        FROM pg_depend d
        WHERE d.refclassid = reached.classid AND d.refobjid = reached.objid
            AND (reached.objsubid = 0 OR d.refobjsubid = reached.objsubid)
    UNION ALL
    SELECT d.refclassid, d.refobjid, d.refobjsubid, reached.by_cascade, true FROM pg_depend d
        WHERE d.classid = reached.classid AND d.objid = reached.objid AND d.deptype = 'i'
            AND d.classid IN ('pg_rewrite'::regclass, 'pg_attrdef'::regclass)) AS next),
gone AS (
  SELECT number, classid, objid, objsubid, bool_and(by_cascade) AS by_cascade,
      bool_and(is_named) AS is_named FROM reached
      GROUP BY number, classid, objid, objsubid),
described (number, fate, relation, part, by_cascade, kind, identity) AS (
  SELECT number, 'dropped', c.oid, COALESCE(attname, ''), by_cascade, '', '' FROM gone
      JOIN pg_class c ON classid = 'pg_class'::regclass AND c.oid = objid AND relkind <> 't'
      LEFT JOIN pg_attribute ON attrelid = objid AND attnum = objsubid AND objsubid > 0
  UNION
  SELECT number, 'dependent', COALESCE(part.relation, 0), COALESCE(part.name, ''), by_cascade,
      COALESCE(part.kind, object.type), object.identity
      FROM gone CROSS JOIN LATERAL pg_identify_object(classid, objid, objsubid) AS object
      LEFT JOIN LATERAL (
        SELECT oid AS relation, '' AS name, NULL AS kind FROM pg_class
            WHERE classid = 'pg_class'::regclass AND oid = objid
        UNION ALL SELECT conrelid, conname,
            CASE contype WHEN 'f' THEN 'foreign key' ELSE 'constraint' END FROM pg_constraint
            WHERE classid = 'pg_constraint'::regclass AND oid = objid AND conrelid <> 0
        UNION ALL SELECT tgrelid, tgname, 'trigger' FROM pg_trigger
            WHERE classid = 'pg_trigger'::regclass AND oid = objid
        UNION ALL SELECT polrelid, polname, 'policy' FROM pg_policy
            WHERE classid = 'pg_policy'::regclass AND oid = objid
        UNION ALL SELECT ev_class, rulename, 'rule' FROM pg_rewrite
            WHERE classid = 'pg_rewrite'::regclass AND oid = objid
        UNION ALL SELECT adrelid, '', 'default' FROM pg_attrdef
            WHERE classid = 'pg_attrdef'::regclass AND oid = objid) AS part ON true
      WHERE is_named AND by_cascade AND NOT EXISTS (SELECT FROM pg_class
          WHERE classid = 'pg_class'::regclass AND oid = objid
              AND (objsubid > 0 OR relkind IN ('r', 'p', 'm')))
  UNION
  SELECT number, 'locked', locked, '', by_cascade, '', '' FROM gone CROSS JOIN LATERAL (
    SELECT objid WHERE classid = 'pg_class'::regclass
    UNION SELECT indrelid FROM pg_index
        WHERE classid = 'pg_class'::regclass AND indexrelid = objid
    UNION SELECT unnest(ARRAY[conrelid, confrelid]) FROM pg_constraint
        WHERE classid = 'pg_constraint'::regclass AND oid = objid
    UNION SELECT tgrelid FROM pg_trigger WHERE classid = 'pg_trigger'::regclass AND oid = objid
    UNION SELECT ev_class FROM pg_rewrite WHERE classid = 'pg_rewrite'::regclass AND oid = objid
    UNION SELECT polrelid FROM pg_policy WHERE classid = 'pg_policy'::regclass AND oid = objid
    UNION SELECT adrelid FROM pg_attrdef WHERE classid = 'pg_attrdef'::regclass AND oid = objid
    UNION SELECT stxrelid FROM pg_statistic_ext
        WHERE classid = 'pg_statistic_ext'::regclass AND oid = objid) AS l (locked)
      JOIN pg_class ON pg_class.oid = locked AND relkind NOT IN ('t', 'i', 'I'))
-- An object of which nothing is stored, as an empty schema, is there all the same.
SELECT number, 'root' AS fate, 0::oid AS relation, '' AS part, false AS by_cascade, '' AS kind,
    '' AS identity FROM roots
UNION
SELECT * FROM described ORDER BY number, by_cascade, relation, part, kind, identity)";

void ReadDrops(pqxx::transaction_base& work, const CatalogQuestion& question, CatalogFacts& facts) {
  if (question.drops.empty()) return;
  TextArray kinds;
  TextArray schemas;
  TextArray names;
  TextArray parts;
  TextArray relations;
  std::vector<DropTarget> by_number;
  for (const DropTarget& target : question.drops) {
    const auto relation = facts.names.find(target.name);
    kinds.Add(target.kind);
    schemas.Add(target.name.schema);
    names.Add(target.name.name);
    parts.Add(target.part);
    relations.Add(relation == facts.names.end() ? "0" : absl::StrCat(relation->second));
    by_number.push_back(target);
  }
  const pqxx::result rows = work.exec_params(kDropQuery, kinds.literal(), schemas.literal(),
                                             names.literal(), parts.literal(), relations.literal());
  for (const pqxx::row row : rows) {
    DropFacts& drop = facts.drops[by_number[row["number"].as<size_t>() - 1]];
    const absl::string_view fate = row["fate"].c_str();
    const DropFacts::Dropped one = {row["relation"].as<RelationId>(), row["part"].c_str(),
                                    row["by_cascade"].as<bool>()};
    if (fate == "dropped") drop.dropped.push_back(one);
    if (fate == "locked") drop.locked.push_back(one);
    if (fate == "dependent") {
      drop.dependents.push_back(
          {row["kind"].c_str(), one.relation, one.column, row["identity"].c_str()});
    }
  }
  for (const DropTarget& target : question.drops) {
    if (target.kind != "database") continue;
    const pqxx::result size = work.exec_params(
        "SELECT CASE WHEN has_database_privilege(oid, 'CONNECT') THEN pg_database_size(oid) "
        "ELSE -1 END FROM pg_database WHERE datname = $1",
        target.name.name);
    if (!size.empty()) facts.drops[target].size_bytes = size[0][0].as<int64_t>();
  }
}

std::vector<std::string> SplitLines(const char* text) {
  std::vector<std::string> lines;
  std::string line;
  for (; *text != '\0'; ++text) {
    if (*text == '\n') {
      lines.push_back(std::move(line));
      line.clear();
    } else {
      line += *text;
    }
  }
  if (!line.empty()) lines.push_back(std::move(line));
  return lines;
}

// Reads every foreign key: which of them are needed shows only as one goes from table to table.
std::vector<ForeignKeyFacts> ReadForeignKeys(pqxx::transaction_base& work) {
  std::vector<ForeignKeyFacts> keys;
  for (const pqxx::row row :
       work.exec("SELECT conname, conrelid, confrelid, "
                 "(SELECT string_agg(attname, E'\\n') FROM pg_attribute WHERE attrelid = conrelid "
                 "AND attnum = ANY (conkey)) AS referencing, "
                 "(SELECT string_agg(attname, E'\\n') FROM pg_attribute WHERE attrelid = confrelid "
                 "AND attnum = ANY (confkey)) AS referenced "
                 "FROM pg_constraint WHERE contype = 'f'")) {
    keys.push_back({row["conname"].c_str(), row["conrelid"].as<RelationId>(),
                    row["confrelid"].as<RelationId>(), SplitLines(row["referencing"].c_str()),
                    SplitLines(row["referenced"].c_str())});
  }
  return keys;
}

// Adds to `ids` what stands beside each relation: its partitions and other heirs, its indexes,
// the sequences that it owns; of an index its table, of a partition what it is part of.
void AddBeside(pqxx::transaction_base& work, Ids& ids) {
  const pqxx::result rows = work.exec_params(
      "WITH RECURSIVE beneath (id) AS (SELECT unnest($1::oid[]) UNION "
      "SELECT inhrelid FROM pg_inherits JOIN beneath ON inhparent = id) "
      "SELECT id FROM beneath "
      "UNION SELECT inhparent FROM beneath JOIN pg_inherits ON inhrelid = id "
      "UNION SELECT partdefid FROM beneath JOIN pg_inherits ON inhrelid = id "
      "JOIN pg_partitioned_table ON partrelid = inhparent WHERE partdefid <> 0 "
      "UNION SELECT indrelid FROM beneath JOIN pg_index ON indexrelid = id "
      "UNION SELECT indexrelid FROM beneath JOIN pg_index ON indrelid = id "
      "UNION SELECT objid FROM beneath JOIN pg_depend ON refobjid = id "
      "AND refclassid = 'pg_class'::regclass AND classid = 'pg_class'::regclass "
      "AND deptype IN ('a', 'i') AND refobjsubid > 0 "
      "JOIN pg_class ON oid = objid AND relkind = 'S'",
      ArrayOf(ids));
  for (const pqxx::row row : rows) ids.insert(row[0].as<RelationId>());
}

// Adds the tables that refer to those in `ids`, those that refer to these, and so on; and those
// that they refer to themselves.
void AddForeign(const std::vector<ForeignKeyFacts>& keys, Ids& ids) {
  std::multimap<RelationId, RelationId> referencing;
  for (const ForeignKeyFacts& key : keys) referencing.emplace(key.referenced, key.referencing);
  std::vector<RelationId> rest(ids.begin(), ids.end());
  for (const ForeignKeyFacts& key : keys) {
    if (ids.count(key.referencing) > 0) ids.insert(key.referenced);
  }
  while (!rest.empty()) {
    const RelationId id = rest.back();
    rest.pop_back();
    const auto [begin, end] = referencing.equal_range(id);
    for (auto one = begin; one != end; ++one) {
      if (ids.insert(one->second).second) rest.push_back(one->second);
    }
  }
}

// The sizes ask for a lock that only ACCESS EXCLUSIVE is in the way of, so relations under one, or
// waited for with one, have none; nor have those with such an index.
constexpr char kRelationQuery[] = R"(
WITH busy AS MATERIALIZED (
  SELECT COALESCE(indrelid, relation) AS id FROM pg_locks
      LEFT JOIN pg_index ON indexrelid = relation
      WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock'
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())),
sized AS MATERIALIZED (
  SELECT c.oid, n.nspname, c.relname, c.relkind, c.relispartition, c.reltuples, c.relpages,
      CASE WHEN $2 AND c.relkind IN ('r', 'm', 'p') AND c.oid NOT IN (SELECT id FROM busy)
          THEN pg_table_size(c.oid) END AS size,
      CASE WHEN $2 AND c.relkind IN ('r', 'm', 'p') AND c.oid NOT IN (SELECT id FROM busy)
          THEN pg_total_relation_size(c.oid) END AS total
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY ($1::oid[]))
SELECT sized.*,
    CASE WHEN size = 0 THEN 0
         WHEN pg_stat_get_live_tuples(oid) > 0 THEN pg_stat_get_live_tuples(oid)
         WHEN reltuples >= 0 AND relpages > 0 THEN reltuples::bigint
         ELSE -1 END AS rows,
    (SELECT string_agg(inhrelid::text, E'\n') FROM pg_inherits WHERE inhparent = oid) AS children,
    (SELECT string_agg(indexrelid::text, E'\n') FROM pg_index WHERE indrelid = oid) AS indexes,
    COALESCE((SELECT indrelid FROM pg_index WHERE indexrelid = oid), 0) AS of_table,
    COALESCE((SELECT partdefid FROM pg_partitioned_table WHERE partrelid = oid), 0) AS
        default_partition,
    COALESCE((SELECT inhparent FROM pg_inherits WHERE inhrelid = oid AND relispartition), 0) AS
        partition_of,
    (SELECT string_agg(objid::text, E'\n') FROM pg_depend
        JOIN pg_class s ON s.oid = objid AND s.relkind = 'S'
        WHERE refclassid = 'pg_class'::regclass AND classid = 'pg_class'::regclass
            AND refobjid = sized.oid AND deptype IN ('a', 'i') AND refobjsubid > 0) AS sequences
    FROM sized)";

std::vector<RelationId> IdsOf(const pqxx::row& row, const char* column) {
  std::vector<RelationId> ids;
  for (const std::string& text : SplitLines(row[column].c_str())) {
    ids.push_back(static_cast<RelationId>(std::stoul(text)));
  }
  return ids;
}

void ReadRelations(pqxx::transaction_base& work, const Ids& ids, bool with_sizes,
                   CatalogFacts& facts) {
  for (const pqxx::row row : work.exec_params(kRelationQuery, ArrayOf(ids), with_sizes)) {
    RelationFacts& relation = facts.relations[row["oid"].as<RelationId>()];
    relation.schema = row["nspname"].c_str();
    relation.name = row["relname"].c_str();
    relation.kind = *row["relkind"].c_str();
    relation.estimated_rows = row["rows"].as<int64_t>();
    relation.size_bytes = row["size"].as<int64_t>(-1);
    relation.total_bytes = row["total"].as<int64_t>(-1);
    relation.children = IdsOf(row, "children");
    relation.indexes = IdsOf(row, "indexes");
    relation.sequences = IdsOf(row, "sequences");
    relation.table = row["of_table"].as<RelationId>();
    relation.default_partition = row["default_partition"].as<RelationId>();
    relation.partition_of = row["partition_of"].as<RelationId>();
  }
}

// Somebody may lock a relation between the look at the locks and that at its size.
void ReadRelationsWithoutWaiting(pqxx::dbtransaction& work, const Ids& ids, CatalogFacts& facts) {
  try {
    pqxx::subtransaction attempt(work);
    attempt.exec("SET LOCAL lock_timeout = '100ms'");
    ReadRelations(attempt, ids, true, facts);
    attempt.commit();
  } catch (const pqxx::sql_error& error) {
    constexpr absl::string_view kLockNotAvailable = "55P03";
    if (error.sqlstate() != kLockNotAvailable) throw;
    ReadRelations(work, ids, false, facts);
  }
}

void ReadColumns(pqxx::transaction_base& work, const Ids& ids, CatalogFacts& facts) {
  const pqxx::result rows = work.exec_params(
      "SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod) AS type, "
      "CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) "
      "ELSE format_type(a.atttypid, a.atttypmod) END AS base_type, a.attnotnull, "
      "EXISTS (SELECT FROM pg_constraint WHERE conrelid = a.attrelid AND contype = 'c' "
      "AND convalidated AND pg_get_constraintdef(oid) = format('CHECK ((%I IS NOT NULL))', "
      "a.attname)) AS is_proven, EXISTS (SELECT FROM pg_constraint WHERE conrelid = a.attrelid "
      "AND contype = 'c' AND a.attnum = ANY (conkey)) AS is_checked, "
      "EXISTS (SELECT FROM pg_index WHERE indrelid = a.attrelid AND (a.attnum = ANY (indkey) "
      "OR indexprs IS NOT NULL OR indpred IS NOT NULL)) AS is_indexed, s.null_frac, s.avg_width "
      "FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
      "JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
      "LEFT JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname "
      "AND s.attname = a.attname AND s.inherited = (c.relkind = 'p') "
      "WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped",
      ArrayOf(ids));
  for (const pqxx::row row : rows) {
    const auto relation = facts.relations.find(row["attrelid"].as<RelationId>());
    if (relation == facts.relations.end()) continue;
    ColumnFacts& column = relation->second.columns[row["attname"].c_str()];
    column.type = row["type"].c_str();
    column.base_type = row["base_type"].c_str();
    column.not_null = row["attnotnull"].as<bool>();
    column.proven_not_null = column.not_null || row["is_proven"].as<bool>();
    column.is_checked = row["is_checked"].as<bool>();
    column.is_indexed = row["is_indexed"].as<bool>();
    column.null_fraction = row["null_frac"].as<double>(-1);
    column.average_width = row["avg_width"].as<int64_t>(-1);
  }
}

// By the names under which UTC goes: another zone may be at UTC's offset today, and was not always.
bool ReadIsUtc(pqxx::transaction_base& work) {
  return work
      .exec1(
          "SELECT lower(current_setting('TimeZone')) IN ('utc', 'gmt', 'etc/utc', 'etc/gmt', "
          "'uct', 'etc/uct', 'zulu', 'etc/zulu', 'universal', 'etc/universal', 'greenwich', "
          "'etc/greenwich', 'gmt0', 'etc/gmt0')")[0]
      .as<bool>();
}

}  // namespace

CatalogFacts ReadCatalogFacts(pqxx::dbtransaction& work, const CatalogQuestion& question) {
  CatalogFacts facts;
  if (question.empty()) return facts;
  ReadNames(work, question, facts);
  ReadTypes(work, question, facts);
  ReadFunctions(work, question, facts);
  ReadDrops(work, question, facts);
  facts.is_utc = ReadIsUtc(work);

  Ids named;
  for (const auto& [name, id] : facts.names) named.insert(id);
  for (const auto& [name, type] : facts.types) {
    named.insert(type.tables.begin(), type.tables.end());
    named.insert(type.typed_tables.begin(), type.typed_tables.end());
  }
  for (const auto& [target, drop] : facts.drops) {
    for (const DropFacts::Dropped& dropped : drop.dropped) named.insert(dropped.relation);
    for (const DropFacts::Dropped& locked : drop.locked) named.insert(locked.relation);
  }
  if (named.empty()) return facts;
  Ids ids = named;
  AddBeside(work, ids);
  const std::vector<ForeignKeyFacts> keys = ReadForeignKeys(work);
  AddForeign(keys, ids);
  AddBeside(work, ids);
  ReadRelationsWithoutWaiting(work, ids, facts);
  ReadColumns(work, named, facts);
  for (const ForeignKeyFacts& key : keys) {
    for (const RelationId end : std::set<RelationId>{key.referencing, key.referenced}) {
      const auto relation = facts.relations.find(end);
      if (relation != facts.relations.end()) relation->second.foreign_keys.push_back(key);
    }
  }
  return facts;
}

}  // namespace migd
