#include "absl/strings/str_cat.h"
#include "service/postgres/schema_queries.h"

namespace migd::internal {
namespace {

std::string Schemas() {
  return absl::StrCat(R"(
SELECT 'schema' AS _kind, s.name AS _name, s.nspname AS _schema,
  format('CREATE SCHEMA %s', s.name) AS _definition,
  )",
                      PrivilegesSql("s.nspacl", "n", "s.nspowner"), R"( AS "privileges",
  obj_description(s.oid, 'pg_namespace') AS "comment"
FROM space s
WHERE NOT EXISTS (SELECT FROM member WHERE classid = 'pg_namespace'::regclass AND objid = s.oid))");
}

std::string Extensions() {
  return R"(
SELECT 'extension' AS _kind, quote_ident(e.extname) AS _name,
  format('CREATE EXTENSION %I SCHEMA %I VERSION %L', e.extname, n.nspname, e.extversion)
    AS _definition,
  e.extversion AS "version", quote_ident(n.nspname) AS "schema",
  obj_description(e.oid, 'pg_extension') AS "comment"
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace)";
}

std::string Languages() {
  return absl::StrCat(R"(
SELECT 'language' AS _kind, quote_ident(l.lanname) AS _name,
  format('CREATE LANGUAGE %I', l.lanname) AS _definition,
  CASE WHEN l.lanpltrusted THEN 'yes' END AS "trusted", l.lanplcallfoid::regproc::text AS "handler",
  )",
                      PrivilegesSql("l.lanacl", "l", "l.lanowner"), R"( AS "privileges",
  obj_description(l.oid, 'pg_language') AS "comment"
FROM pg_language l
WHERE l.oid >= 16384
  AND NOT EXISTS (SELECT FROM member WHERE classid = 'pg_language'::regclass AND objid = l.oid))");
}

std::string DefaultPrivileges() {
  return absl::StrCat(R"(
SELECT 'default privileges' AS _kind,
  format('%s%s on %s', CASE WHEN d.defaclrole = current_user::regrole::oid THEN 'current user'
                            ELSE quote_ident(pg_get_userbyid(d.defaclrole)) END,
         ' in ' || s.name, v.objects) AS _name,
  s.nspname AS _schema,
  format('ALTER DEFAULT PRIVILEGES FOR ROLE %I%s GRANT ... ON %s', pg_get_userbyid(d.defaclrole),
         ' IN SCHEMA ' || s.name, upper(v.objects)) AS _definition,
  )",
                      GrantsSql("d.defaclacl", "d.defaclrole"), R"( AS "privileges"
FROM pg_default_acl d LEFT JOIN space s ON s.oid = d.defaclnamespace
CROSS JOIN LATERAL (SELECT CASE d.defaclobjtype
  WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions' WHEN 'T' THEN 'types'
  WHEN 'n' THEN 'schemas' ELSE 'large objects' END AS objects) v
WHERE d.defaclnamespace = 0 OR s.oid IS NOT NULL)");
}

std::string EventTriggers() {
  return R"(
SELECT 'event trigger' AS _kind, quote_ident(e.evtname) AS _name,
  format('CREATE EVENT TRIGGER %I ON %s EXECUTE FUNCTION %s()', e.evtname, e.evtevent,
         e.evtfoid::regproc) AS _definition,
  e.evtevent::text AS "event", e.evtfoid::regproc::text AS "function",
  (SELECT string_agg(t, ', ' ORDER BY t COLLATE "C") FROM unnest(e.evttags) t) AS "tags",
  CASE e.evtenabled WHEN 'D' THEN 'no' WHEN 'R' THEN 'on replicas' WHEN 'A' THEN 'always'
  END AS "enabled",
  obj_description(e.oid, 'pg_event_trigger') AS "comment"
FROM pg_event_trigger e
WHERE NOT EXISTS (SELECT FROM member WHERE classid = 'pg_event_trigger'::regclass
                  AND objid = e.oid))";
}

std::string TextSearch() {
  return R"(
SELECT 'text search configuration' AS _kind, format('%I.%I', s.nspname, c.cfgname) AS _name,
  s.nspname AS _schema,
  format('CREATE TEXT SEARCH CONFIGURATION %I.%I', s.nspname, c.cfgname) AS _definition,
  (SELECT format('%I.%I', pn.nspname, p.prsname) FROM pg_ts_parser p
   JOIN pg_namespace pn ON pn.oid = p.prsnamespace WHERE p.oid = c.cfgparser) AS "parser",
  (SELECT string_agg(line, E'\n' ORDER BY line COLLATE "C") FROM (
     SELECT (SELECT alias FROM ts_token_type(c.cfgparser) WHERE tokid = m.maptokentype) || ': ' ||
            string_agg(m.mapdict::regdictionary::text, ', ' ORDER BY m.mapseqno) AS line
     FROM pg_ts_config_map m WHERE m.mapcfg = c.oid GROUP BY m.maptokentype) lines) AS "mappings",
  NULL AS "template", NULL AS "options", NULL AS "functions",
  obj_description(c.oid, 'pg_ts_config') AS "comment"
FROM pg_ts_config c JOIN space s ON s.oid = c.cfgnamespace
WHERE NOT EXISTS (SELECT FROM member WHERE classid = 'pg_ts_config'::regclass AND objid = c.oid)
UNION ALL
SELECT 'text search dictionary', format('%I.%I', s.nspname, d.dictname), s.nspname,
  format('CREATE TEXT SEARCH DICTIONARY %I.%I', s.nspname, d.dictname), NULL, NULL,
  (SELECT format('%I.%I', tn.nspname, t.tmplname) FROM pg_ts_template t
   JOIN pg_namespace tn ON tn.oid = t.tmplnamespace WHERE t.oid = d.dicttemplate),
  d.dictinitoption, NULL, obj_description(d.oid, 'pg_ts_dict')
FROM pg_ts_dict d JOIN space s ON s.oid = d.dictnamespace
WHERE NOT EXISTS (SELECT FROM member WHERE classid = 'pg_ts_dict'::regclass AND objid = d.oid)
UNION ALL
SELECT 'text search parser', format('%I.%I', s.nspname, p.prsname), s.nspname,
  format('CREATE TEXT SEARCH PARSER %I.%I', s.nspname, p.prsname), NULL, NULL, NULL, NULL,
  concat_ws(', ', p.prsstart, p.prstoken, p.prsend, p.prsheadline, p.prslextype),
  obj_description(p.oid, 'pg_ts_parser')
FROM pg_ts_parser p JOIN space s ON s.oid = p.prsnamespace
WHERE NOT EXISTS (SELECT FROM member WHERE classid = 'pg_ts_parser'::regclass AND objid = p.oid)
UNION ALL
SELECT 'text search template', format('%I.%I', s.nspname, t.tmplname), s.nspname,
  format('CREATE TEXT SEARCH TEMPLATE %I.%I', s.nspname, t.tmplname), NULL, NULL, NULL, NULL,
  concat_ws(', ', t.tmplinit, t.tmpllexize), obj_description(t.oid, 'pg_ts_template')
FROM pg_ts_template t JOIN space s ON s.oid = t.tmplnamespace
WHERE NOT EXISTS (SELECT FROM member WHERE classid = 'pg_ts_template'::regclass AND objid = t.oid))";
}

// Of a user mapping only that it is there: its options are passwords.
std::string ForeignServers() {
  return absl::StrCat(R"(
SELECT 'foreign data wrapper' AS _kind, quote_ident(w.fdwname) AS _name,
  format('CREATE FOREIGN DATA WRAPPER %I', w.fdwname) AS _definition,
  NULL AS _owner_kind, NULL AS _owner_name,
  nullif(w.fdwhandler::regproc::text, '-') AS "handler",
  nullif(w.fdwvalidator::regproc::text, '-') AS "validator", NULL AS "wrapper",
  NULL AS "type", NULL AS "version", )",
                      OptionsSql("w.fdwoptions"), R"( AS "options",
  )",
                      PrivilegesSql("w.fdwacl", "F", "w.fdwowner"), R"( AS "privileges",
  obj_description(w.oid, 'pg_foreign_data_wrapper') AS "comment"
FROM pg_foreign_data_wrapper w
WHERE NOT EXISTS (SELECT FROM member WHERE classid = 'pg_foreign_data_wrapper'::regclass
                  AND objid = w.oid)
UNION ALL
SELECT 'server', quote_ident(s.srvname),
  format('CREATE SERVER %I FOREIGN DATA WRAPPER %I', s.srvname, w.fdwname), NULL, NULL, NULL, NULL,
  quote_ident(w.fdwname), s.srvtype, s.srvversion, )",
                      OptionsSql("s.srvoptions"), ", ",
                      PrivilegesSql("s.srvacl", "S", "s.srvowner"), R"(,
  obj_description(s.oid, 'pg_foreign_server')
FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
WHERE NOT EXISTS (SELECT FROM member WHERE classid = 'pg_foreign_server'::regclass
                  AND objid = s.oid)
UNION ALL
SELECT 'user mapping', format('%s on %I', quote_ident(m.usename), m.srvname),
  format('CREATE USER MAPPING FOR %I SERVER %I', m.usename, m.srvname), 'server',
  quote_ident(m.srvname), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM pg_user_mappings m)");
}

std::string Publications(int version) {
  return absl::StrCat(
      R"(
SELECT 'publication' AS _kind, quote_ident(p.pubname) AS _name,
  format('CREATE PUBLICATION %I', p.pubname) AS _definition,
  CASE WHEN p.puballtables THEN 'all' ELSE (
    SELECT string_agg(line, E'\n' ORDER BY line COLLATE "C") FROM (
      SELECT concat_ws(' ', r.prrelid::regclass::text, )",
      Since(version, 150000, R"('(' || (
          SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname COLLATE "C")
          FROM pg_attribute a WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs)) || ')',
        'WHERE ' || pg_get_expr(r.prqual, r.prrelid))",
            "NULL"),
      R"() AS line
      FROM pg_publication_rel r WHERE r.prpubid = p.oid) lines) END AS "tables",
  )",
      Since(version, 150000, R"((
    SELECT string_agg(quote_ident(n.nspname), ', ' ORDER BY n.nspname COLLATE "C")
    FROM pg_publication_namespace pn JOIN pg_namespace n ON n.oid = pn.pnnspid
    WHERE pn.pnpubid = p.oid))",
            "NULL"),
      R"( AS "schemas",
  concat_ws(', ', CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END,
            CASE WHEN p.pubdelete THEN 'delete' END, CASE WHEN p.pubtruncate THEN 'truncate' END)
    AS "operations",
  )",
      Since(version, 130000, "CASE WHEN p.pubviaroot THEN 'yes' END", "NULL"),
      R"( AS "as the root",
  )",
      Since(version, 180000, "CASE p.pubgencols WHEN 's' THEN 'stored' END", "NULL"),
      R"( AS "generated columns",
  obj_description(p.oid, 'pg_publication') AS "comment"
FROM pg_publication p)");
}

std::string AccessMethods() {
  return R"(
SELECT 'access method' AS _kind, quote_ident(a.amname) AS _name,
  format('CREATE ACCESS METHOD %I TYPE %s HANDLER %s', a.amname,
         CASE a.amtype WHEN 't' THEN 'TABLE' ELSE 'INDEX' END, a.amhandler) AS _definition,
  a.amhandler::text AS "handler", a.amtype::text AS "type",
  obj_description(a.oid, 'pg_am') AS "comment"
FROM pg_am a
WHERE a.oid >= 16384
  AND NOT EXISTS (SELECT FROM member WHERE classid = 'pg_am'::regclass AND objid = a.oid))";
}

std::string Transforms() {
  return R"(
SELECT 'transform' AS _kind,
  format('%s language %I', format_type(t.trftype, NULL), l.lanname) AS _name,
  format('CREATE TRANSFORM FOR %s LANGUAGE %I', format_type(t.trftype, NULL), l.lanname)
    AS _definition,
  nullif(t.trffromsql::regprocedure::text, '-') AS "from SQL",
  nullif(t.trftosql::regprocedure::text, '-') AS "to SQL",
  obj_description(t.oid, 'pg_transform') AS "comment"
FROM pg_transform t JOIN pg_language l ON l.oid = t.trflang
WHERE NOT EXISTS (SELECT FROM member WHERE classid = 'pg_transform'::regclass AND objid = t.oid))";
}

}  // namespace

std::vector<std::string> OtherQueries(int version) {
  return {Schemas(),    Extensions(), Languages(),      DefaultPrivileges(),   EventTriggers(),
          TextSearch(), Transforms(), ForeignServers(), Publications(version), AccessMethods()};
}

}  // namespace migd::internal
