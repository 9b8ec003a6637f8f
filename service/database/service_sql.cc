#include "service/database/service_sql.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace migd {
namespace {

std::string SetTimeoutSql(absl::string_view setting, absl::Duration timeout) {
  return absl::StrCat("SET ", setting, " = ", absl::ToInt64Milliseconds(timeout));
}

// A name with its schema, or without one if the search_path decides.
std::string QualifiedName(absl::string_view schema, absl::string_view name) {
  return absl::StrCat(schema.empty() ? "" : absl::StrCat(QuoteName(schema), "."), QuoteName(name));
}

// What the log calls the version table: with its schema, as it is found now if that is not known.
std::string LoggedTableSql(const VersionTable& table) {
  if (!table.schema.empty()) return QuoteLiteral(absl::StrCat(table.schema, ".", table.name));
  return absl::StrCat(VersionTableSchemaSql(table), " || ",
                      QuoteLiteral(absl::StrCat(".", table.name)));
}

const char* EntryStateName(JournalEntry::State state) {
  switch (state) {
    case JournalEntry::State::kStarted:
      return "started";
    case JournalEntry::State::kFinished:
      return "finished";
    case JournalEntry::State::kSkipped:
      return "skipped";
  }
  return "";
}

// A string constant that does not depend on standard_conforming_strings, which a migration may have
// turned off.
std::string QuoteAlways(absl::string_view text) {
  return absl::StrCat("E'", absl::StrReplaceAll(text, {{"'", "''"}, {"\\", "\\\\"}}), "'");
}

// The first columns of the journal: which section.
std::string SectionValues(const VersionTable& table, const JournalKey& section) {
  return absl::StrCat(LoggedTableSql(table), ", ", QuoteAlways(section.revision), ", ",
                      QuoteAlways(DirectionName(section.direction)));
}

// A query with a row of NULLs for each row of `from` that is meant.
std::string LookupIn(absl::string_view from, absl::string_view where) {
  return absl::StrCat("SELECT NULL, NULL FROM ", from, " WHERE ", where);
}

// The OID of the schema in which something is created.
std::string PlaceSql(absl::string_view schema) {
  return absl::StrCat("(SELECT oid FROM pg_namespace WHERE nspname = ",
                      schema.empty() ? "current_schema()" : QuoteLiteral(schema), ")");
}

// What is created goes to the named schema, an index to that of its table, everything else to the
// first schema of the search_path; only there its name is looked for. What is dropped is looked for
// along the search_path.
std::string RelationLookupSql(const GuardedObject& object) {
  std::string where = absl::StrCat("c.oid = ", RelationSql(object.schema, object.name));
  if (object.guard == GuardedObject::Guard::kIfNotExists) {
    const std::string place =
        object.kind == "index" ? absl::StrCat("(SELECT relnamespace FROM pg_class WHERE oid = ",
                                              RelationSql(object.table_schema, object.table), ")")
                               : PlaceSql(object.schema);
    where =
        absl::StrCat("c.relname = ", QuoteLiteral(object.name), " AND c.relnamespace = ", place);
  }
  return absl::StrCat(
      "SELECT c.relkind::text, i.indisvalid FROM pg_class c "
      "LEFT JOIN pg_index i ON i.indexrelid = c.oid WHERE ",
      where);
}

}  // namespace

const absl::string_view kCreateServiceSchema = R"(
CREATE SCHEMA migration_service;
COMMENT ON SCHEMA migration_service IS 'what migd keeps about the migrations of this database';
)";

const absl::string_view kCreateRevisionLog = R"(
CREATE TABLE migration_service.revision_log (
  entry bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  version_table text NOT NULL,
  revision text NOT NULL,
  direction text NOT NULL CHECK (direction IN ('upgrade', 'downgrade', 'stamp')),
  decision text CHECK (decision IN ('accept', 'run', 'skip')),
  checksum text,
  statement_index integer,
  statement text,
  operation text NOT NULL,
  applied_by text NOT NULL DEFAULT session_user,
  start_time timestamptz NOT NULL,
  finish_time timestamptz NOT NULL DEFAULT clock_timestamp(),
  resulting_revisions text[]
);
COMMENT ON TABLE migration_service.revision_log IS
  'one row for each revision applied, taken down or stamped, and for each decision: to accept a file that has changed, to run or skip a statement whose outcome nobody knew; only ever added to';
)";

const absl::string_view kCreateStatementJournal = R"(
CREATE TABLE migration_service.statement_journal (
  version_table text NOT NULL,
  revision text NOT NULL,
  direction text NOT NULL CHECK (direction IN ('upgrade', 'downgrade')),
  statement_index integer NOT NULL CHECK (statement_index > 0),
  fingerprint text NOT NULL,
  statement text NOT NULL,
  state text NOT NULL CHECK (state IN ('started', 'finished', 'skipped')),
  operation text NOT NULL,
  recorded_by text NOT NULL DEFAULT session_user,
  start_time timestamptz NOT NULL,
  finish_time timestamptz,
  PRIMARY KEY (version_table, revision, direction, statement_index)
);
COMMENT ON TABLE migration_service.statement_journal IS
  'the statements of sections outside a transaction, while such a section is half done';
)";

std::string EpochSeconds(absl::Time time) {
  return absl::StrFormat("%.6f", absl::ToDoubleSeconds(time - absl::UnixEpoch()));
}

std::string QuoteName(absl::string_view name) {
  return absl::StrCat("\"", absl::StrReplaceAll(name, {{"\"", "\"\""}}), "\"");
}

std::string QuoteLiteral(absl::string_view text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "''"}}), "'");
}

std::string QualifiedName(const VersionTable& table) {
  return QualifiedName(table.schema, table.name);
}

std::string VersionTableSchemaSql(const VersionTable& table) {
  if (!table.schema.empty()) return QuoteLiteral(table.schema);
  return absl::StrCat(
      "coalesce((SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
      "WHERE c.oid = ",
      RelationSql("", table.name), "), current_schema())");
}

std::string SetLockTimeoutSql(absl::Duration timeout) {
  return SetTimeoutSql("lock_timeout", timeout);
}

std::string SetStatementTimeoutSql(absl::Duration timeout) {
  return SetTimeoutSql("statement_timeout", timeout);
}

std::string SetTimeoutsSql(const Timeouts& timeouts) {
  return absl::StrCat(SetLockTimeoutSql(timeouts.lock_timeout), "; ",
                      SetStatementTimeoutSql(timeouts.statement_timeout));
}

std::string SetSql(absl::Span<const Setting> settings) {
  return absl::StrJoin(settings, "; ", [](std::string* out, const Setting& setting) {
    absl::StrAppend(out, "SET ", setting.name, " = ", QuoteLiteral(setting.value));
  });
}

std::string SetConfigSql(absl::Span<const Setting> settings) {
  return absl::StrJoin(settings, ", ", [](std::string* out, const Setting& setting) {
    absl::StrAppend(out, "pg_catalog.set_config('", setting.name, "', ",
                    QuoteLiteral(setting.value), ", false)");
  });
}

// Behind a session authorization the role is that of the login; RESET ROLE makes it the one that
// ALTER ROLE, ALTER DATABASE or the connection's options say, and RESET ALL leaves it alone.
std::string ResetSettingsSql(absl::Duration lock_timeout) {
  return absl::StrCat(absl::StrJoin(kResetStatements, "; "), "; ", SetSql(kSessionSettings), "; ",
                      SetLockTimeoutSql(lock_timeout));
}

std::string CreateVersionTableSql(const VersionTable& table) {
  return absl::StrCat("CREATE TABLE ", QualifiedName(table),
                      " (version_num varchar(32) NOT NULL, CONSTRAINT ",
                      QuoteName(absl::StrCat(table.name, "_pkc")), " PRIMARY KEY (version_num));");
}

std::string HoldsMutexSql() {
  return absl::StrCat(
      "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted "
      "AND objsubid = 2 AND classid = ",
      kMutexClass, "::oid AND objid = ", kMutexObject, "::oid AND pid = pg_backend_pid())");
}

std::string DatedRowsSql(const VersionTable& table) {
  return absl::StrCat(
      "SELECT version_num, (SELECT extract(epoch FROM log.finish_time)::double precision "
      "FROM migration_service.revision_log AS log WHERE log.version_table = ",
      LoggedTableSql(table),
      " AND log.revision = rows.version_num AND log.direction = 'upgrade' "
      "AND log.decision IS NULL ORDER BY log.entry DESC LIMIT 1) FROM ",
      QualifiedName(table), " AS rows");
}

std::string VersionWriteSql(const VersionTable& table, const VersionWrite& write) {
  return VersionWriteSql(table, write.kind, QuoteLiteral(write.from), QuoteLiteral(write.to));
}

std::string VersionWriteSql(const VersionTable& table, VersionWrite::Kind kind,
                            absl::string_view from, absl::string_view to) {
  const std::string name = QualifiedName(table);
  switch (kind) {
    case VersionWrite::Kind::kInsert:
      return absl::StrCat("INSERT INTO ", name, " (version_num) VALUES (", to,
                          ") ON CONFLICT DO NOTHING");
    case VersionWrite::Kind::kDelete:
      return absl::StrCat("DELETE FROM ", name, " WHERE version_num = ", from);
    case VersionWrite::Kind::kUpdate:
      return absl::StrCat("UPDATE ", name, " SET version_num = ", to,
                          " WHERE version_num = ", from);
  }
  return "";
}

std::string VersionWriteProblem(const VersionTable& table, const VersionWrite& write) {
  std::string doing;
  switch (write.kind) {
    case VersionWrite::Kind::kInsert:
      doing = absl::StrCat("inserting '", write.to, "' into");
      break;
    case VersionWrite::Kind::kDelete:
      doing = absl::StrCat("deleting '", write.from, "' from");
      break;
    case VersionWrite::Kind::kUpdate:
      doing = absl::StrCat("updating '", write.from, "' to '", write.to, "' in");
      break;
  }
  return absl::StrCat("expected to match one row when ", doing, " '", table.name, "'");
}

const char* DirectionName(Step::Direction direction) {
  switch (direction) {
    case Step::Direction::kUpgrade:
      return "upgrade";
    case Step::Direction::kDowngrade:
      return "downgrade";
    case Step::Direction::kStamp:
      return "stamp";
  }
  return "";
}

LogExpressions LiteralsOf(const LogEntry& entry, absl::string_view start_time) {
  return {QuoteLiteral(entry.revision), QuoteLiteral(DirectionName(entry.direction)),
          QuoteLiteral(entry.checksum), QuoteLiteral(entry.operation),
          std::string(start_time),      QuoteLiteral(LogRows(entry.resulting_rows))};
}

// Ids have no commas.
std::string LogRows(const VersionRows& rows) { return absl::StrJoin(rows, ","); }

std::string AppendLogSql(const VersionTable& table, const LogExpressions& entry) {
  return absl::StrCat(
      "INSERT INTO migration_service.revision_log (version_table, revision, direction, checksum, "
      "operation, start_time, resulting_revisions) VALUES (",
      LoggedTableSql(table), ", ", entry.revision, ", ", entry.direction, ", nullif(",
      entry.checksum, ", ''), ", entry.operation, ", ", entry.start_time, ", string_to_array(",
      entry.resulting_rows, ", ','))");
}

std::string AcceptChecksumSql(const VersionTable& table, const ChecksumAcceptance& acceptance) {
  return absl::StrCat(
      "INSERT INTO migration_service.revision_log (version_table, revision, direction, decision, "
      "checksum, operation, start_time) VALUES (",
      LoggedTableSql(table), ", ", QuoteLiteral(acceptance.revision), ", 'upgrade', 'accept', ",
      QuoteLiteral(acceptance.checksum), ", ", QuoteLiteral(acceptance.operation), ", now())");
}

std::string ReadChecksumsSql(const VersionTable& table) {
  return absl::StrCat(
      "SELECT revision, checksum FROM (SELECT DISTINCT ON (revision) revision, direction, checksum "
      "FROM migration_service.revision_log WHERE version_table = ",
      LoggedTableSql(table),
      " AND (decision IS NULL OR decision = 'accept') ORDER BY revision, entry DESC) AS last "
      "WHERE direction = 'upgrade' AND checksum IS NOT NULL");
}

std::string ReadJournalSql(const VersionTable& table) {
  return absl::StrCat(
      "SELECT revision, direction, statement_index, fingerprint, statement, state, operation "
      "FROM migration_service.statement_journal WHERE version_table = ",
      LoggedTableSql(table));
}

std::string RecordStatementsSql(const VersionTable& table, const JournalKey& section,
                                const SectionJournal& entries) {
  std::vector<std::string> rows;
  for (const auto& [statement, entry] : entries) {
    const bool started = entry.state == JournalEntry::State::kStarted;
    rows.push_back(absl::StrCat(
        "(", SectionValues(table, section), ", ", statement, ", ", QuoteAlways(entry.fingerprint),
        ", ", QuoteAlways(entry.summary), ", ", QuoteAlways(EntryStateName(entry.state)), ", ",
        QuoteAlways(entry.operation),
        // A finished statement began with its transaction, unless its
        // beginning is in the journal.
        ", pg_catalog.now(), ", started ? "NULL" : "pg_catalog.clock_timestamp()", ")"));
  }
  return absl::StrCat(
      "INSERT INTO migration_service.statement_journal AS journal (version_table, revision, "
      "direction, statement_index, fingerprint, statement, state, operation, start_time, "
      "finish_time) VALUES ",
      absl::StrJoin(rows, ", "),
      " ON CONFLICT (version_table, revision, direction, statement_index) DO UPDATE SET "
      "fingerprint = EXCLUDED.fingerprint, statement = EXCLUDED.statement, "
      "state = EXCLUDED.state, operation = EXCLUDED.operation, "
      "recorded_by = EXCLUDED.recorded_by, finish_time = EXCLUDED.finish_time, "
      "start_time = CASE EXCLUDED.state WHEN 'started' THEN EXCLUDED.start_time "
      "ELSE journal.start_time END");
}

std::string RecordDecisionSql(const VersionTable& table, const JournalKey& section, int statement,
                              const JournalEntry& entry, JournalDecision decision) {
  return absl::StrCat(
      decision == JournalDecision::kSkip ? RecordStatementsSql(table, section, {{statement, entry}})
                                         : EraseRecordsSql(table, section, statement),
      "; INSERT INTO migration_service.revision_log (version_table, revision, direction, "
      "statement_index, checksum, statement, operation, decision, start_time) VALUES (",
      SectionValues(table, section), ", ", statement, ", ", QuoteAlways(entry.fingerprint), ", ",
      QuoteAlways(entry.summary), ", ", QuoteAlways(entry.operation), ", ",
      decision == JournalDecision::kSkip ? "'skip'" : "'run'", ", pg_catalog.now())");
}

std::string EraseRecordsSql(const VersionTable& table, const JournalKey& section,
                            absl::optional<int> statement) {
  return absl::StrCat(
      "DELETE FROM migration_service.statement_journal WHERE (version_table, revision, direction) "
      "= (",
      SectionValues(table, section), ")",
      statement ? absl::StrCat(" AND statement_index = ", *statement) : "");
}

std::string AnyHalfDoneSql(const VersionTable& table, const std::vector<std::string>& revisions) {
  return absl::StrCat(
      "EXISTS (SELECT FROM migration_service.statement_journal WHERE version_table = ",
      LoggedTableSql(table), " AND revision IN (",
      absl::StrJoin(revisions, ", ",
                    [](std::string* out, const std::string& revision) {
                      out->append(QuoteLiteral(revision));
                    }),
      "))");
}

Step::Direction DirectionOfName(absl::string_view name) {
  return name == DirectionName(Step::Direction::kDowngrade) ? Step::Direction::kDowngrade
                                                            : Step::Direction::kUpgrade;
}

JournalEntry::State EntryStateOfName(absl::string_view name) {
  for (const auto state : {JournalEntry::State::kFinished, JournalEntry::State::kSkipped}) {
    if (name == EntryStateName(state)) return state;
  }
  return JournalEntry::State::kStarted;
}

std::string AsLoginSql(absl::string_view login, absl::string_view sql) {
  const std::string quoted = QuoteAlways(login);
  // What is set for the transaction alone ends with it; if the transaction is the migration's own,
  // the rest of it needs the role again.
  return absl::StrCat(
      "SELECT pg_catalog.set_config('migd.role', pg_catalog.current_setting('role'), true), "
      "pg_catalog.set_config('migd.user', session_user, true); "
      "SELECT pg_catalog.set_config('session_authorization', ",
      quoted, ", true) WHERE session_user <> ", quoted,
      "; SELECT pg_catalog.set_config('role', 'none', true); ", sql,
      "; SELECT pg_catalog.set_config('session_authorization', "
      "pg_catalog.current_setting('migd.user'), true) "
      "WHERE session_user <> pg_catalog.current_setting('migd.user'); "
      "SELECT pg_catalog.set_config('role', pg_catalog.current_setting('migd.role'), true)");
}

std::string RelationSql(absl::string_view schema, absl::string_view name) {
  return absl::StrCat("to_regclass(", QuoteLiteral(QualifiedName(schema, name)), ")");
}

absl::optional<std::string> LookupSql(const GuardedObject& object) {
  const std::string& kind = object.kind;
  const std::string name = QuoteLiteral(object.name);
  const std::string table = RelationSql(object.table_schema, object.table);
  if (kind == "table" || kind == "view" || kind == "materialized view" || kind == "index" ||
      kind == "sequence" || kind == "foreign table") {
    return RelationLookupSql(object);
  }
  if (kind == "column") {
    return LookupIn("pg_attribute", absl::StrCat("attrelid = ", table, " AND attname = ", name,
                                                 " AND NOT attisdropped"));
  }
  if (kind == "constraint") {
    return LookupIn("pg_constraint", absl::StrCat("conrelid = ", table, " AND conname = ", name));
  }
  if (kind == "trigger") {
    return LookupIn("pg_trigger", absl::StrCat("tgrelid = ", table, " AND tgname = ", name));
  }
  if (kind == "schema") return LookupIn("pg_namespace", absl::StrCat("nspname = ", name));
  if (kind == "extension") return LookupIn("pg_extension", absl::StrCat("extname = ", name));
  if (kind == "type" || kind == "domain") {
    if (object.guard == GuardedObject::Guard::kIfNotExists) {
      return LookupIn("pg_type", absl::StrCat("typname = ", name,
                                              " AND typnamespace = ", PlaceSql(object.schema)));
    }
    return LookupIn("pg_type",
                    absl::StrCat("oid = to_regtype(",
                                 QuoteLiteral(QualifiedName(object.schema, object.name)), ")"));
  }
  return absl::nullopt;
}

}  // namespace migd
