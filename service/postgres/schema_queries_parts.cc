#include "absl/strings/str_cat.h"
#include "service/postgres/schema_queries.h"

namespace migd::internal {
namespace {

// Of tables and of domains. NOT NULL is an attribute of the column or the domain: its constraint,
// which PostgreSQL has since version 18, has a name that depends on who upgraded the server. The
// index of a constraint goes with it.
std::string Constraints() {
  return absl::StrCat(R"(
SELECT CASE c.contype WHEN 'c' THEN 'check constraint' WHEN 'f' THEN 'foreign key'
                      WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique constraint'
                      WHEN 'x' THEN 'exclusion constraint' END AS _kind,
  format('%s.%I', o.name, c.conname) AS _name, o.space AS _schema,
  format('CONSTRAINT %I %s', c.conname, pg_get_constraintdef(c.oid)) AS _definition,
  o.kind AS _owner_kind, o.name AS _owner_name,
  p.kind AS _parent_kind, p.name AS _parent_name,
  pg_get_constraintdef(c.oid) AS "definition",
  CASE WHEN NOT c.conislocal THEN 'yes' WHEN c.coninhcount > 0 THEN 'also' END AS "inherited",
  CASE WHEN i.indexrelid IS NOT NULL THEN pg_get_indexdef(i.indexrelid) END AS "index",
  CASE WHEN i.indisclustered THEN 'yes' END AS "clustered",
  (SELECT spcname FROM pg_tablespace s JOIN pg_class ic ON s.oid = ic.reltablespace
   WHERE ic.oid = i.indexrelid) AS "tablespace",
  obj_description(c.oid, 'pg_constraint') AS "comment"
FROM pg_constraint c
JOIN (SELECT 'r' AS class, oid, kind, name, space FROM relation
      UNION ALL SELECT 'd', oid, kind, name, space FROM owned_type WHERE typtype = 'd') o
  ON (o.class = 'r' AND o.oid = c.conrelid) OR (o.class = 'd' AND o.oid = c.contypid)
LEFT JOIN pg_index i ON i.indexrelid = c.conindid AND c.contype IN ('p', 'u', 'x')
LEFT JOIN LATERAL (
  SELECT CASE pc.contype WHEN 'c' THEN 'check constraint' WHEN 'f' THEN 'foreign key'
                         WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique constraint'
                         WHEN 'x' THEN 'exclusion constraint' END AS kind,
         format('%s.%I', pr.name, pc.conname) AS name
  FROM pg_constraint pc JOIN relation pr ON pr.oid = pc.conrelid
  WHERE pc.oid = c.conparentid
     OR (NOT c.conislocal AND c.conparentid = 0 AND pc.conname = c.conname
         AND pc.contype = c.contype
         AND pc.conrelid IN (SELECT inhparent FROM pg_inherits WHERE inhrelid = c.conrelid))
  LIMIT 1) p ON true
WHERE c.contype IN ('c', 'f', 'p', 'u', 'x'))");
}

// Those that no constraint has.
std::string Indexes() {
  return R"(
SELECT 'index' AS _kind, format('%I.%I', r.space, c.relname) AS _name, r.space AS _schema,
  pg_get_indexdef(i.indexrelid) AS _definition,
  r.kind AS _owner_kind, r.name AS _owner_name,
  CASE WHEN h.inhparent IS NOT NULL THEN 'index' END AS _parent_kind,
  h.inhparent::regclass::text AS _parent_name,
  pg_get_indexdef(i.indexrelid) AS "definition",
  CASE WHEN NOT i.indisvalid THEN 'no' END AS "valid",
  CASE WHEN NOT i.indisready THEN 'no' END AS "ready",
  CASE WHEN i.indisclustered THEN 'yes' END AS "clustered",
  h.inhparent::regclass::text AS "partition of",
  (SELECT spcname FROM pg_tablespace WHERE oid = c.reltablespace) AS "tablespace",
  (SELECT string_agg(a.attnum || ' ' || a.attstattarget, ', ' ORDER BY a.attnum) FROM pg_attribute a
   WHERE a.attrelid = c.oid AND nullif(a.attstattarget, -1) IS NOT NULL) AS "statistics targets",
  obj_description(c.oid, 'pg_class') AS "comment"
FROM pg_index i JOIN relation r ON r.oid = i.indrelid JOIN pg_class c ON c.oid = i.indexrelid
LEFT JOIN pg_inherits h ON h.inhrelid = c.oid
WHERE NOT EXISTS (SELECT FROM pg_constraint k
                  WHERE k.conindid = c.oid AND k.contype IN ('p', 'u', 'x')))";
}

// The clone of a row trigger on a partition goes with that of the partitioned table.
std::string Triggers(int version) {
  return absl::StrCat(
      R"(
SELECT 'trigger' AS _kind, format('%s.%I', r.name, t.tgname) AS _name, r.space AS _schema,
  pg_get_triggerdef(t.oid) AS _definition, r.kind AS _owner_kind, r.name AS _owner_name,
  CASE WHEN p.name IS NOT NULL THEN 'trigger' END AS _parent_kind, p.name AS _parent_name,
  pg_get_triggerdef(t.oid) AS "definition",
  CASE t.tgenabled WHEN 'D' THEN 'no' WHEN 'R' THEN 'on replicas' WHEN 'A' THEN 'always'
  END AS "enabled",
  obj_description(t.oid, 'pg_trigger') AS "comment"
FROM pg_trigger t JOIN relation r ON r.oid = t.tgrelid
LEFT JOIN LATERAL (SELECT NULL::text AS name WHERE false
  )",
      Since(version, 130000, R"(
  UNION ALL SELECT format('%s.%I', pr.name, pt.tgname) FROM pg_trigger pt
  JOIN relation pr ON pr.oid = pt.tgrelid WHERE pt.oid = t.tgparentid)",
            ""),
      R"() p ON true
WHERE )",
      // Version 12 marks the clones as internal ones.
      Since(version, 130000, "(NOT t.tgisinternal OR t.tgparentid <> 0)", "NOT t.tgisinternal"),
      R"( AND NOT EXISTS (
    SELECT FROM pg_constraint k WHERE k.oid = t.tgconstraint AND k.contype <> 't'))");
}

std::string Rules() {
  return R"(
SELECT 'rule' AS _kind, format('%s.%I', r.name, w.rulename) AS _name, r.space AS _schema,
  pg_get_ruledef(w.oid) AS _definition, r.kind AS _owner_kind, r.name AS _owner_name,
  pg_get_ruledef(w.oid) AS "definition",
  CASE w.ev_enabled WHEN 'D' THEN 'no' WHEN 'R' THEN 'on replicas' WHEN 'A' THEN 'always'
  END AS "enabled",
  obj_description(w.oid, 'pg_rewrite') AS "comment"
FROM pg_rewrite w JOIN relation r ON r.oid = w.ev_class WHERE w.rulename <> '_RETURN')";
}

std::string Policies() {
  return R"(
SELECT 'policy' AS _kind, format('%s.%I', r.name, p.polname) AS _name, r.space AS _schema,
  concat_ws(' ', format('CREATE POLICY %I ON %s AS', p.polname, r.name), v.mode, 'FOR', v.command,
            'TO', v.roles, 'USING (' || v.using || ')', 'WITH CHECK (' || v.checked || ')')
    AS _definition,
  r.kind AS _owner_kind, r.name AS _owner_name,
  v.mode AS "mode", v.command AS "command", v.roles AS "roles", v.using AS "using",
  v.checked AS "with check", obj_description(p.oid, 'pg_policy') AS "comment"
FROM pg_policy p JOIN relation r ON r.oid = p.polrelid
CROSS JOIN LATERAL (SELECT
  CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END AS mode,
  CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                WHEN 'd' THEN 'DELETE' ELSE 'ALL' END AS command,
  (SELECT string_agg(role, ', ' ORDER BY role COLLATE "C") FROM (
     SELECT CASE oid WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(oid)) END AS role
     FROM unnest(p.polroles) oid) named) AS roles,
  pg_get_expr(p.polqual, p.polrelid) AS "using",
  pg_get_expr(p.polwithcheck, p.polrelid) AS checked) v)";
}

std::string Statistics(int version) {
  return absl::StrCat(R"(
SELECT 'statistics' AS _kind, format('%I.%I', s.nspname, e.stxname) AS _name, s.nspname AS _schema,
  pg_get_statisticsobjdef(e.oid) AS _definition, r.kind AS _owner_kind, r.name AS _owner_name,
  pg_get_statisticsobjdef(e.oid) AS "definition",
  )",
                      Since(version, 130000, "nullif(e.stxstattarget, -1)::text", "NULL"),
                      R"( AS "statistics target",
  obj_description(e.oid, 'pg_statistic_ext') AS "comment"
FROM pg_statistic_ext e JOIN space s ON s.oid = e.stxnamespace
JOIN relation r ON r.oid = e.stxrelid)");
}

}  // namespace

std::vector<std::string> TablePartQueries(int version) {
  return {Constraints(), Indexes(), Triggers(version), Rules(), Policies(), Statistics(version)};
}

}  // namespace migd::internal
