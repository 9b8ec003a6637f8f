#include "absl/strings/str_cat.h"
#include "service/postgres/schema_queries.h"

namespace migd::internal {
namespace {

std::string Tables() {
  return absl::StrCat(R"(
SELECT r.kind AS _kind, r.name AS _name, r.space AS _schema,
  format('CREATE %sTABLE %s (%s)%s%s', CASE r.relpersistence WHEN 'u' THEN 'UNLOGGED ' ELSE '' END ||
         CASE r.relkind WHEN 'f' THEN 'FOREIGN ' ELSE '' END, r.name,
         (SELECT E'\n  ' || string_agg(text, E',\n  ' ORDER BY attnum) || E'\n' FROM column_text
          WHERE attrelid = r.oid),
         CASE r.relkind WHEN 'p' THEN ' PARTITION BY ' || pg_get_partkeydef(r.oid) ELSE '' END,
         CASE WHEN r.relispartition THEN ' -- a partition: ' ||
              pg_get_expr(r.relpartbound, r.oid) ELSE '' END) AS _definition,
  CASE r.relpersistence WHEN 'u' THEN 'unlogged' END AS "persistence",
  CASE r.relkind WHEN 'p' THEN pg_get_partkeydef(r.oid) END AS "partition key",
  CASE WHEN r.relispartition THEN (SELECT inhparent::regclass::text FROM pg_inherits
                                   WHERE inhrelid = r.oid) END AS "partition of",
  CASE WHEN r.relispartition THEN pg_get_expr(r.relpartbound, r.oid) END AS "partition bound",
  CASE WHEN NOT r.relispartition THEN
    (SELECT string_agg(inhparent::regclass::text, ', ' ORDER BY inhseqno) FROM pg_inherits
     WHERE inhrelid = r.oid) END AS "inherits",
  CASE WHEN r.reloftype <> 0 THEN r.reloftype::regtype::text END AS "of type",
  )",
                      OptionsSql("r.reloptions"), R"( AS "options",
  (SELECT )",
                      OptionsSql("toast.reloptions"), R"( FROM pg_class toast
   WHERE toast.oid = r.reltoastrelid) AS "toast options",
  (SELECT amname FROM pg_am WHERE oid = r.relam) AS "access method",
  (SELECT spcname FROM pg_tablespace WHERE oid = r.reltablespace) AS "tablespace",
  CASE WHEN r.relrowsecurity THEN 'enabled' END AS "row security",
  CASE WHEN r.relforcerowsecurity THEN 'forced' END AS "row security for the owner",
  CASE r.relreplident WHEN 'n' THEN 'nothing' WHEN 'f' THEN 'full' WHEN 'i' THEN
    (SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = r.oid AND indisreplident)
  END AS "replica identity",
  (SELECT quote_ident(srvname) FROM pg_foreign_table f JOIN pg_foreign_server s
   ON s.oid = f.ftserver WHERE f.ftrelid = r.oid) AS "server",
  (SELECT )",
                      OptionsSql("f.ftoptions"), R"( FROM pg_foreign_table f
   WHERE f.ftrelid = r.oid) AS "server options",
  )",
                      PrivilegesSql("r.relacl", "r", "r.relowner"), R"( AS "privileges",
  obj_description(r.oid, 'pg_class') AS "comment"
FROM relation r WHERE r.relkind IN ('r', 'p', 'f'))");
}

// What a column has from a parent goes with the parent's column.
std::string Columns(int version) {
  return absl::StrCat(
      R"(
SELECT 'column' AS _kind, format('%s.%I', r.name, a.attname) AS _name, r.space AS _schema,
  ct.text AS _definition,
  r.kind AS _owner_kind, r.name AS _owner_name,
  CASE WHEN NOT a.attislocal THEN 'column' END AS _parent_kind,
  CASE WHEN NOT a.attislocal THEN
    (SELECT format('%s.%I', min(i.inhparent::regclass::text), a.attname) FROM pg_inherits i
     JOIN pg_attribute p ON p.attrelid = i.inhparent AND p.attname = a.attname
     WHERE i.inhrelid = r.oid) END AS _parent_name,
  format_type(a.atttypid, a.atttypmod) AS "type",
  CASE WHEN a.attgenerated = '' AND d.adbin IS NOT NULL THEN pg_get_expr(d.adbin, d.adrelid)
  END AS "default",
  CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) ||
    CASE a.attgenerated WHEN 's' THEN ' STORED' ELSE ' VIRTUAL' END END AS "generated",
  CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END AS "identity",
  CASE WHEN a.attnotnull THEN 'yes' )",
      Since(version, 180000, R"(|| coalesce((
    SELECT CASE WHEN NOT n.convalidated THEN ', not valid' ELSE '' END ||
           CASE WHEN n.connoinherit THEN ', no inherit' ELSE '' END
    FROM pg_constraint n WHERE n.conrelid = r.oid AND n.contype = 'n'
      AND n.conkey = ARRAY[a.attnum]), ''))",
            ""),
      R"( END AS "not null",
  CASE WHEN a.attcollation <> t.typcollation THEN )",
      CollationSql("a.attcollation"), R"(
  END AS "collation",
  CASE WHEN a.attstorage <> t.typstorage THEN
    CASE a.attstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'm' THEN 'main'
                      ELSE 'extended' END END AS "storage",
  )",
      Since(version, 140000, "CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END",
            "NULL"),
      R"( AS "compression",
  nullif(a.attstattarget, -1)::text AS "statistics target",
  CASE WHEN NOT a.attislocal THEN 'yes' WHEN a.attinhcount > 0 THEN 'also' END AS "inherited",
  )",
      OptionsSql("a.attoptions"), R"( AS "options",
  )",
      OptionsSql("a.attfdwoptions"), R"( AS "server options",
  )",
      GrantsSql("a.attacl", "r.relowner"), R"( AS "privileges",
  col_description(r.oid, a.attnum) AS "comment"
FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN column_text ct ON ct.attrelid = a.attrelid AND ct.attnum = a.attnum
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE r.relkind IN ('r', 'p', 'f'))");
}

// The columns of a view follow from its query, but for what was said about them afterwards.
std::string Views() {
  return absl::StrCat(R"(
SELECT r.kind AS _kind, r.name AS _name, r.space AS _schema,
  format(E'CREATE %s %s AS\n%s', upper(r.kind), r.name, pg_get_viewdef(r.oid)) AS _definition,
  rtrim(pg_get_viewdef(r.oid), ';') AS "definition",
  (SELECT string_agg(concat_ws(' ', ct.text, CASE WHEN r.relkind = 'm' AND a.attstorage <> t.typstorage
                                             THEN 'STORAGE ' || a.attstorage::text END,
                               'STATISTICS ' || nullif(a.attstattarget, -1)), ', '
                     ORDER BY ct.attnum)
   FROM column_text ct JOIN pg_attribute a ON a.attrelid = ct.attrelid AND a.attnum = ct.attnum
   JOIN pg_type t ON t.oid = a.atttypid WHERE ct.attrelid = r.oid) AS "columns",
  )",
                      OptionsSql("r.reloptions"), R"( AS "options",
  CASE WHEN r.relkind = 'm' AND NOT r.relispopulated THEN 'no' END AS "populated",
  (SELECT amname FROM pg_am WHERE oid = r.relam) AS "access method",
  (SELECT spcname FROM pg_tablespace WHERE oid = r.reltablespace) AS "tablespace",
  )",
                      PrivilegesSql("r.relacl", "r", "r.relowner"), R"( AS "privileges",
  (SELECT string_agg(quote_ident(a.attname) || ' ' || )",
                      GrantsSql("a.attacl", "r.relowner"), R"(,
                     E'\n' ORDER BY a.attnum)
   FROM pg_attribute a WHERE a.attrelid = r.oid AND a.attacl IS NOT NULL) AS "column privileges",
  obj_description(r.oid, 'pg_class') AS "comment",
  (SELECT string_agg(quote_ident(a.attname) || ': ' || col_description(r.oid, a.attnum), E'\n'
                     ORDER BY a.attnum)
   FROM pg_attribute a WHERE a.attrelid = r.oid AND a.attnum > 0
     AND col_description(r.oid, a.attnum) IS NOT NULL) AS "column comments"
FROM relation r WHERE r.relkind IN ('v', 'm'))");
}

// A sequence goes with the column that owns it: it is dropped with it.
std::string Sequences() {
  return absl::StrCat(R"(
SELECT 'sequence' AS _kind, r.name AS _name, r.space AS _schema,
  format('CREATE %sSEQUENCE %s AS %s START %s INCREMENT %s MINVALUE %s MAXVALUE %s CACHE %s%s',
         CASE r.relpersistence WHEN 'u' THEN 'UNLOGGED ' ELSE '' END, r.name,
         format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache,
         CASE WHEN s.seqcycle THEN ' CYCLE' ELSE '' END) AS _definition,
  CASE WHEN owned.name IS NOT NULL THEN 'column' END AS _owner_kind, owned.name AS _owner_name,
  format_type(s.seqtypid, NULL) AS "type", s.seqstart::text AS "start",
  s.seqincrement::text AS "increment", s.seqmin::text AS "minimum", s.seqmax::text AS "maximum",
  s.seqcache::text AS "cache", CASE WHEN s.seqcycle THEN 'yes' END AS "cycle",
  CASE r.relpersistence WHEN 'u' THEN 'unlogged' END AS "persistence",
  owned.name AS "owned by",
  )",
                      PrivilegesSql("r.relacl", "s", "r.relowner"), R"( AS "privileges",
  obj_description(r.oid, 'pg_class') AS "comment"
FROM relation r JOIN pg_sequence s ON s.seqrelid = r.oid
LEFT JOIN LATERAL (
  SELECT format('%s.%I', t.name, a.attname) AS name FROM pg_depend d
  JOIN relation t ON t.oid = d.refobjid
  JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
  WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid
    AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')) owned ON true
WHERE r.relkind = 'S')");
}

}  // namespace

std::vector<std::string> RelationQueries(int version) {
  return {Tables(), Columns(version), Views(), Sequences()};
}

}  // namespace migd::internal
