#include "absl/strings/str_cat.h"
#include "service/postgres/schema_queries.h"

namespace migd::internal {
namespace {

std::string Enums() {
  return absl::StrCat(R"(
SELECT 'type' AS _kind, t.name AS _name, t.space AS _schema,
  format('CREATE TYPE %s AS ENUM (%s)', t.name, e.labels) AS _definition,
  'enum' AS "variant", e.labels AS "labels",
  )",
                      PrivilegesSql("t.typacl", "T", "t.typowner"), R"( AS "privileges",
  obj_description(t.oid, 'pg_type') AS "comment"
FROM owned_type t CROSS JOIN LATERAL (
  SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder) AS labels
  FROM pg_enum WHERE enumtypid = t.oid) e
WHERE t.typtype = 'e')");
}

std::string Composites() {
  return absl::StrCat(R"(
SELECT 'type' AS _kind, t.name AS _name, t.space AS _schema,
  format('CREATE TYPE %s AS (%s)', t.name, c.attributes) AS _definition,
  'composite' AS "variant", c.attributes AS "attributes", c.comments AS "attribute comments",
  )",
                      PrivilegesSql("t.typacl", "T", "t.typowner"), R"( AS "privileges",
  obj_description(t.oid, 'pg_type') AS "comment"
FROM owned_type t CROSS JOIN LATERAL (
  SELECT string_agg(text, ', ' ORDER BY attnum) AS attributes,
         string_agg(attnum || ': ' || col_description(attrelid, attnum), E'\n' ORDER BY attnum)
           AS comments
  FROM column_text WHERE attrelid = t.typrelid) c
WHERE t.typtype = 'c')");
}

std::string Ranges(int version) {
  return absl::StrCat(R"(
SELECT 'type' AS _kind, t.name AS _name, t.space AS _schema,
  format('CREATE TYPE %s AS RANGE (SUBTYPE = %s)', t.name, format_type(r.rngsubtype, NULL))
    AS _definition,
  'range' AS "variant", format_type(r.rngsubtype, NULL) AS "subtype",
  (SELECT format('%I.%I', n.nspname, o.opcname) FROM pg_opclass o
   JOIN pg_namespace n ON n.oid = o.opcnamespace WHERE o.oid = r.rngsubopc) AS "operator class",
  )",
                      CollationSql("nullif(r.rngcollation, 0)"), R"( AS "collation",
  nullif(r.rngcanonical::text, '-') AS "canonical", nullif(r.rngsubdiff::text, '-') AS "difference",
  )",
                      Since(version, 140000, "r.rngmultitypid::regtype::text", "NULL"),
                      R"( AS "multirange",
  )",
                      PrivilegesSql("t.typacl", "T", "t.typowner"), R"( AS "privileges",
  obj_description(t.oid, 'pg_type') AS "comment"
FROM owned_type t JOIN pg_range r ON r.rngtypid = t.oid)");
}

std::string BaseTypes() {
  return absl::StrCat(R"(
SELECT 'type' AS _kind, t.name AS _name, t.space AS _schema,
  CASE WHEN t.typisdefined THEN format('CREATE TYPE %s (INPUT = %s, OUTPUT = %s)', t.name, t.typinput,
                                       t.typoutput)
       ELSE format('CREATE TYPE %s', t.name) END AS _definition,
  CASE WHEN t.typisdefined THEN 'base' ELSE 'shell' END AS "variant",
  t.typinput::text AS "input", t.typoutput::text AS "output",
  nullif(t.typreceive::text, '-') AS "receive", nullif(t.typsend::text, '-') AS "send",
  nullif(t.typmodin::text, '-') AS "typmod input", nullif(t.typmodout::text, '-') AS "typmod output",
  nullif(t.typanalyze::text, '-') AS "analyze",
  t.typlen::text AS "length", CASE WHEN t.typbyval THEN 'yes' END AS "passed by value",
  t.typalign::text AS "alignment", t.typstorage::text AS "storage",
  t.typcategory::text AS "category", CASE WHEN t.typispreferred THEN 'yes' END AS "preferred",
  t.typdelim::text AS "delimiter", t.typdefault AS "default",
  CASE WHEN t.typelem <> 0 THEN format_type(t.typelem, NULL) END AS "element",
  CASE WHEN t.typcollation <> 0 THEN 'yes' END AS "collatable",
  )",
                      PrivilegesSql("t.typacl", "T", "t.typowner"), R"( AS "privileges",
  obj_description(t.oid, 'pg_type') AS "comment"
FROM owned_type t WHERE t.typtype IN ('b', 'p'))");
}

std::string Domains() {
  return absl::StrCat(R"(
SELECT 'domain' AS _kind, t.name AS _name, t.space AS _schema,
  concat_ws(' ', 'CREATE DOMAIN', t.name, 'AS', format_type(t.typbasetype, t.typtypmod),
            'DEFAULT ' || t.typdefault, CASE WHEN t.typnotnull THEN 'NOT NULL' END,
            (SELECT string_agg(pg_get_constraintdef(oid), ' ' ORDER BY conname COLLATE "C")
             FROM pg_constraint WHERE contypid = t.oid AND contype = 'c')) AS _definition,
  format_type(t.typbasetype, t.typtypmod) AS "type", t.typdefault AS "default",
  CASE WHEN t.typnotnull THEN 'yes' END AS "not null",
  CASE WHEN t.typcollation <> b.typcollation THEN )",
                      CollationSql("t.typcollation"), R"( END AS "collation",
  )",
                      PrivilegesSql("t.typacl", "T", "t.typowner"), R"( AS "privileges",
  obj_description(t.oid, 'pg_type') AS "comment"
FROM owned_type t JOIN pg_type b ON b.oid = t.typbasetype WHERE t.typtype = 'd')");
}

std::string Collations(int version) {
  return absl::StrCat(
      R"(
SELECT 'collation' AS _kind, format('%I.%I', s.nspname, c.collname) AS _name, s.nspname AS _schema,
  format('CREATE COLLATION %I.%I (PROVIDER = %s, LOCALE = %L)', s.nspname, c.collname, v.provider,
         coalesce(v.locale, v.lc_collate)) AS _definition,
  v.provider AS "provider", v.locale AS "locale", v.lc_collate AS "lc_collate",
  v.lc_ctype AS "lc_ctype", v.rules AS "rules",
  CASE WHEN NOT c.collisdeterministic THEN 'no' END AS "deterministic",
  obj_description(c.oid, 'pg_collation') AS "comment"
FROM pg_collation c JOIN space s ON s.oid = c.collnamespace
CROSS JOIN LATERAL (SELECT
  CASE c.collprovider WHEN 'i' THEN 'icu' WHEN 'c' THEN 'libc' WHEN 'b' THEN 'builtin'
                      ELSE 'default' END AS provider,
  )",
      Since(version, 170000, "c.colllocale",
            Since(version, 150000, "c.colliculocale", "NULL::text")),
      R"( AS locale, c.collcollate::text AS lc_collate, c.collctype::text AS lc_ctype,
  )",
      Since(version, 160000, "c.collicurules", "NULL::text"), R"( AS rules) v
WHERE NOT EXISTS (SELECT FROM member WHERE classid = 'pg_collation'::regclass AND objid = c.oid))");
}

std::string Conversions() {
  return R"(
SELECT 'conversion' AS _kind, format('%I.%I', s.nspname, c.conname) AS _name, s.nspname AS _schema,
  format('CREATE CONVERSION %I.%I FOR %L TO %L FROM %s', s.nspname, c.conname,
         pg_encoding_to_char(c.conforencoding), pg_encoding_to_char(c.contoencoding), c.conproc)
    AS _definition,
  pg_encoding_to_char(c.conforencoding)::text AS "from",
  pg_encoding_to_char(c.contoencoding)::text AS "to", c.conproc::text AS "function",
  CASE WHEN c.condefault THEN 'yes' END AS "default",
  obj_description(c.oid, 'pg_conversion') AS "comment"
FROM pg_conversion c JOIN space s ON s.oid = c.connamespace
WHERE NOT EXISTS (SELECT FROM member WHERE classid = 'pg_conversion'::regclass AND objid = c.oid))";
}

// PostgreSQL's own casts have the first OIDs.
std::string Casts() {
  return R"(
SELECT 'cast' AS _kind,
  format('%s as %s', format_type(c.castsource, NULL), format_type(c.casttarget, NULL)) AS _name,
  format('CREATE CAST (%s AS %s)', format_type(c.castsource, NULL), format_type(c.casttarget, NULL))
    AS _definition,
  CASE c.castmethod WHEN 'f' THEN c.castfunc::regprocedure::text WHEN 'i' THEN 'inout'
                    ELSE 'binary' END AS "method",
  CASE c.castcontext WHEN 'i' THEN 'implicit' WHEN 'a' THEN 'assignment' ELSE 'explicit'
  END AS "context",
  obj_description(c.oid, 'pg_cast') AS "comment"
FROM pg_cast c
WHERE c.oid >= 16384
  AND NOT EXISTS (SELECT FROM member WHERE classid = 'pg_cast'::regclass AND objid = c.oid)
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_cast'::regclass AND objid = c.oid
                  AND deptype = 'i'))";
}

}  // namespace

std::vector<std::string> TypeQueries(int version) {
  return {Enums(),   Composites(),        Ranges(version), BaseTypes(),
          Domains(), Collations(version), Conversions(),   Casts()};
}

}  // namespace migd::internal
