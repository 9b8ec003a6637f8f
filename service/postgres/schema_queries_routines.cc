#include "absl/strings/str_cat.h"
#include "service/postgres/schema_queries.h"

namespace migd::internal {
namespace {

// What functions and aggregates have in common: a row `f` of pg_proc with name, kind and space.
constexpr char kRoutine[] = R"(
FROM (SELECT p.*, s.nspname AS space,
        format('%I.%I(%s)', s.nspname, p.proname, oidvectortypes(p.proargtypes)) AS name,
        CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END AS kind
      FROM pg_proc p JOIN space s ON s.oid = p.pronamespace
      WHERE NOT EXISTS (SELECT FROM member
                        WHERE classid = 'pg_proc'::regclass AND objid = p.oid)) f
)";

// The functions that a range type brings along go with the type.
std::string Functions(int version) {
  return absl::StrCat(
      R"(
SELECT f.kind AS _kind, f.name AS _name, f.space AS _schema,
  rtrim(pg_get_functiondef(f.oid), E'\n') AS _definition,
  pg_get_function_arguments(f.oid) AS "arguments",
  CASE f.prokind WHEN 'p' THEN NULL ELSE pg_get_function_result(f.oid) END AS "result",
  (SELECT lanname FROM pg_language WHERE oid = f.prolang) AS "language",
  )",
      Since(version, 140000, "coalesce(pg_get_function_sqlbody(f.oid), f.prosrc)", "f.prosrc"),
      R"( AS "body",
  f.probin AS "library",
  CASE f.prokind WHEN 'w' THEN 'yes' END AS "window",
  CASE f.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' END AS "volatility",
  CASE WHEN f.proisstrict THEN 'yes' END AS "strict",
  CASE WHEN f.prosecdef THEN 'definer' END AS "security",
  CASE WHEN f.proleakproof THEN 'yes' END AS "leakproof",
  CASE f.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' END AS "parallel",
  f.procost::text AS "cost", nullif(f.prorows, 0)::text AS "rows",
  CASE WHEN f.prosupport <> 0 THEN f.prosupport::regproc::text END AS "support",
  (SELECT string_agg(format_type(t, NULL), ', ' ORDER BY format_type(t, NULL))
   FROM unnest(f.protrftypes) t) AS "transforms",
  )",
      OptionsSql("f.proconfig"), R"( AS "settings",
  )",
      PrivilegesSql("f.proacl", "f", "f.proowner"), R"( AS "privileges",
  obj_description(f.oid, 'pg_proc') AS "comment")",
      kRoutine, R"(
WHERE f.prokind <> 'a' AND NOT EXISTS (
  SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = f.oid AND deptype = 'i'))");
}

std::string Aggregates() {
  return absl::StrCat(R"(
SELECT f.kind AS _kind, f.name AS _name, f.space AS _schema,
  format('CREATE AGGREGATE %s (SFUNC = %s, STYPE = %s%s%s)', f.name, a.aggtransfn,
         format_type(a.aggtranstype, NULL),
         CASE WHEN a.aggfinalfn <> 0 THEN ', FINALFUNC = ' || a.aggfinalfn::text ELSE '' END,
         ', INITCOND = ' || quote_literal(a.agginitval)) AS _definition,
  pg_get_function_arguments(f.oid) AS "arguments",
  pg_get_function_result(f.oid) AS "result",
  CASE a.aggkind WHEN 'o' THEN 'ordered set' WHEN 'h' THEN 'hypothetical set' END AS "variant",
  nullif(a.aggnumdirectargs, 0)::text AS "direct arguments",
  a.aggtransfn::text AS "transition function", format_type(a.aggtranstype, NULL) AS "state type",
  nullif(a.aggtransspace, 0)::text AS "state size", a.agginitval AS "initial value",
  nullif(a.aggfinalfn::text, '-') AS "final function",
  CASE WHEN a.aggfinalextra THEN 'yes' END AS "final function takes arguments",
  nullif(a.aggfinalmodify::text, 'r') AS "final function modifies",
  nullif(a.aggcombinefn::text, '-') AS "combine function",
  nullif(a.aggserialfn::text, '-') AS "serialization function",
  nullif(a.aggdeserialfn::text, '-') AS "deserialization function",
  nullif(a.aggmtransfn::text, '-') AS "moving transition function",
  nullif(a.aggminvtransfn::text, '-') AS "moving inverse function",
  nullif(a.aggmfinalfn::text, '-') AS "moving final function",
  CASE WHEN a.aggmtranstype <> 0 THEN format_type(a.aggmtranstype, NULL) END AS "moving state type",
  a.aggminitval AS "moving initial value",
  CASE WHEN a.aggsortop <> 0 THEN a.aggsortop::regoperator::text END AS "sort operator",
  CASE f.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' END AS "parallel",
  )",
                      PrivilegesSql("f.proacl", "f", "f.proowner"), R"( AS "privileges",
  obj_description(f.oid, 'pg_proc') AS "comment")",
                      kRoutine, "JOIN pg_aggregate a ON a.aggfnoid = f.oid");
}

std::string Operators() {
  return R"(
SELECT 'operator' AS _kind, o.oid::regoperator::text AS _name, s.nspname AS _schema,
  format('CREATE OPERATOR %s (FUNCTION = %s)', o.oid::regoperator, o.oprcode) AS _definition,
  o.oprcode::text AS "function", format_type(o.oprresult, NULL) AS "result",
  CASE WHEN o.oprcom <> 0 THEN o.oprcom::regoperator::text END AS "commutator",
  CASE WHEN o.oprnegate <> 0 THEN o.oprnegate::regoperator::text END AS "negator",
  nullif(o.oprrest::text, '-') AS "restriction estimator",
  nullif(o.oprjoin::text, '-') AS "join estimator",
  CASE WHEN o.oprcanhash THEN 'yes' END AS "hashes", CASE WHEN o.oprcanmerge THEN 'yes' END AS "merges",
  obj_description(o.oid, 'pg_operator') AS "comment"
FROM pg_operator o JOIN space s ON s.oid = o.oprnamespace
WHERE o.oprcode <> 0 AND NOT EXISTS (
  SELECT FROM member WHERE classid = 'pg_operator'::regclass AND objid = o.oid))";
}

// A family that CREATE OPERATOR CLASS has made by itself has the name of the class, and goes with
// it.
std::string OperatorFamilies() {
  return R"(
SELECT 'operator family' AS _kind,
  format('%I.%I using %s', s.nspname, f.opfname, am.amname) AS _name, s.nspname AS _schema,
  format('CREATE OPERATOR FAMILY %I.%I USING %s', s.nspname, f.opfname, am.amname) AS _definition,
  (SELECT string_agg(format('%s %s%s', o.amopstrategy, o.amopopr::regoperator,
                            CASE o.amoppurpose WHEN 'o' THEN ' for ordering' ELSE '' END), ', '
                     ORDER BY o.amopstrategy, o.amopopr::regoperator::text)
   FROM pg_amop o WHERE o.amopfamily = f.oid) AS "operators",
  (SELECT string_agg(format('%s (%s, %s) %s', p.amprocnum, format_type(p.amproclefttype, NULL),
                            format_type(p.amprocrighttype, NULL), p.amproc::regprocedure), ', '
                     ORDER BY p.amprocnum, p.amproc::regprocedure::text,
                              format_type(p.amproclefttype, NULL))
   FROM pg_amproc p WHERE p.amprocfamily = f.oid) AS "functions",
  obj_description(f.oid, 'pg_opfamily') AS "comment"
FROM pg_opfamily f JOIN space s ON s.oid = f.opfnamespace JOIN pg_am am ON am.oid = f.opfmethod
WHERE NOT EXISTS (SELECT FROM member WHERE classid = 'pg_opfamily'::regclass AND objid = f.oid))";
}

std::string OperatorClasses() {
  return R"(
SELECT 'operator class' AS _kind,
  format('%I.%I using %s', s.nspname, c.opcname, am.amname) AS _name, s.nspname AS _schema,
  format('CREATE OPERATOR CLASS %I.%I FOR TYPE %s USING %s', s.nspname, c.opcname,
         format_type(c.opcintype, NULL), am.amname) AS _definition,
  'operator family' AS _owner_kind,
  format('%I.%I using %s', fs.nspname, f.opfname, am.amname) AS _owner_name,
  format_type(c.opcintype, NULL) AS "type",
  format('%I.%I', fs.nspname, f.opfname) AS "family",
  CASE WHEN c.opcdefault THEN 'yes' END AS "default",
  CASE WHEN c.opckeytype <> 0 THEN format_type(c.opckeytype, NULL) END AS "storage",
  obj_description(c.oid, 'pg_opclass') AS "comment"
FROM pg_opclass c JOIN space s ON s.oid = c.opcnamespace JOIN pg_am am ON am.oid = c.opcmethod
JOIN pg_opfamily f ON f.oid = c.opcfamily JOIN pg_namespace fs ON fs.oid = f.opfnamespace
WHERE NOT EXISTS (SELECT FROM member WHERE classid = 'pg_opclass'::regclass AND objid = c.oid))";
}

}  // namespace

std::vector<std::string> RoutineQueries(int version) {
  return {Functions(version), Aggregates(), Operators(), OperatorFamilies(), OperatorClasses()};
}

}  // namespace migd::internal
