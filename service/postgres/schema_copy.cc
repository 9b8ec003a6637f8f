#include "service/postgres/schema_copy.h"

#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "service/base/errors.h"
#include "service/postgres/status_translation.h"
#include "service/postgres/temporary_files.h"

namespace migd {
namespace {

// pg_dump waits so long for a table that somebody has locked against reading, in milliseconds.
constexpr char kLockPatience[] = "10000";

constexpr char kJournalIsReadable[] =
    "SELECT coalesce(bool_or(has_schema_privilege(n.oid, 'USAGE') AND "
    "has_table_privilege(c.oid, 'SELECT')), false) FROM pg_class c JOIN pg_namespace n "
    "ON n.oid = c.relnamespace "
    "WHERE n.nspname = 'migration_service' AND c.relname = 'statement_journal'";

absl::StatusOr<ProgramConnection> ConnectionFor(PostgresDatabase& database) {
  return database.WithReader([](PostgresSession& session) -> absl::StatusOr<ProgramConnection> {
    return ProgramConnectionOf(session.connection());
  });
}

absl::Status Run(const std::vector<std::string>& arguments, const std::string& log,
                 const std::vector<std::string>& environment, absl::string_view hint) {
  const auto status = RunProgram(arguments, log, environment, [] { return true; });
  if (!status.ok()) return status.status();
  if (*status == 0) return absl::OkStatus();
  return errors::ScratchUnavailable(
      absl::StrCat(arguments[0], " failed; its output ends with:", TailOf(log)), hint);
}

// A name as pg_dump's patterns have it: between quotes nothing in it stands for anything else.
std::string QuotedPattern(const VersionTable& table) {
  const auto quoted = [](absl::string_view name) {
    return absl::StrCat("\"", absl::StrReplaceAll(name, {{"\"", "\"\""}}), "\"");
  };
  if (table.schema.empty()) return quoted(table.name);
  return absl::StrCat(quoted(table.schema), ".", quoted(table.name));
}

absl::Status DumpAndRestore(PostgresDatabase& from, PostgresDatabase& to,
                            const PostgresProgram& programs, bool keep_owners) {
  const auto source = ConnectionFor(from);
  if (!source.ok()) return source.status();
  const auto target = ConnectionFor(to);
  if (!target.ok()) return target.status();
  const auto folder = TemporaryFolder::Make("migd-schema-");
  if (!folder.ok()) return folder.status();
  const std::string file = (*folder)->path() + "/schema";
  const std::string log = (*folder)->path() + "/output";
  const absl::Status status =
      Run({programs.PathOf("pg_dump"), "--schema-only", "--format=custom", "--no-tablespaces",
           "--no-publications", "--no-subscriptions", "--exclude-schema=migration_service",
           absl::StrCat("--lock-wait-timeout=", kLockPatience), "--file", file, "--dbname",
           source->conninfo},
          log, source->environment,
          "the role must be able to read every table; see whether somebody holds a lock on one");
  if (!status.ok()) return status;
  std::vector<std::string> arguments = {programs.PathOf("pg_restore"), "--no-tablespaces"};
  if (!keep_owners) arguments.emplace_back("--no-owner");
  arguments.insert(arguments.end(), {"--dbname", target->conninfo, file});
  return Run(arguments, log, target->environment,
             "what only a superuser can make, such as most extensions, this role cannot copy");
}

absl::StatusOr<Journal> ReadJournal(PostgresDatabase& from) {
  return from.WithReader([&](PostgresSession& session) -> absl::StatusOr<Journal> {
    const auto readable = Translated(from.name(), [&]() -> absl::StatusOr<bool> {
      pqxx::nontransaction work(session.connection());
      return work.exec1(kJournalIsReadable)[0].as<bool>();
    });
    if (!readable.ok()) return readable.status();
    return *readable ? session.ReadJournal() : Journal();
  });
}

absl::Status CopyState(PostgresDatabase& from, PostgresDatabase& to, const VersionRows& rows) {
  const auto journal = ReadJournal(from);
  if (!journal.ok()) return journal.status();
  const auto session = to.OpenSession("copy");
  if (!session.ok()) return session.status();
  absl::Status status = (*session)->PrepareForWriting();
  for (auto row = rows.begin(); status.ok() && row != rows.end(); ++row) {
    status = (*session)->WriteVersion({VersionWrite::Kind::kInsert, "", *row}, *row);
  }
  for (auto section = journal->begin(); status.ok() && section != journal->end(); ++section) {
    status = (*session)->RecordStatements(section->first, section->second);
  }
  return status;
}

// pg_dump leaves materialized views without their data, which are no rows here; but a view that was
// never filled can be neither read nor refreshed concurrently. One may read from another, so those
// that fail are tried again as long as others succeed.
absl::Status FillMaterializedViews(PostgresDatabase& database) {
  return database.WithReader([&](PostgresSession& session) {
    return Translated(database.name(), [&] {
      bool progress = true;
      while (progress) {
        progress = false;
        pqxx::nontransaction work(session.connection());
        for (const pqxx::row row : work.exec("SELECT oid::regclass::text FROM pg_class "
                                             "WHERE relkind = 'm' AND NOT relispopulated")) {
          try {
            work.exec(absl::StrCat("REFRESH MATERIALIZED VIEW ", row[0].as<std::string>()));
            progress = true;
          } catch (const pqxx::sql_error&) {
            // Its turn comes, or it stays as pg_dump made it.
          }
        }
      }
      return absl::OkStatus();
    });
  });
}

}  // namespace

absl::Status CopySchema(PostgresDatabase& from, PostgresDatabase& to,
                        const PostgresProgram& programs, bool keep_owners) {
  const auto rows = from.ReadRows();
  if (!rows.ok()) return rows.status();
  absl::Status status = DumpAndRestore(from, to, programs, keep_owners);
  if (status.ok()) status = FillMaterializedViews(to);
  if (!status.ok()) return status;
  const auto rows_after = from.ReadRows();
  if (!rows_after.ok()) return rows_after.status();
  if (*rows_after != *rows) {
    return errors::ScratchUnavailable("the database was migrated while its schema was copied",
                                      "try again when no operation runs");
  }
  return CopyState(from, to, *rows);
}

absl::StatusOr<std::string> DumpSchema(PostgresDatabase& from, const PostgresProgram& programs,
                                       const VersionTable& version_table) {
  const auto source = ConnectionFor(from);
  if (!source.ok()) return source.status();
  const auto folder = TemporaryFolder::Make("migd-schema-");
  if (!folder.ok()) return folder.status();
  const std::string file = (*folder)->path() + "/schema.sql";
  const std::string log = (*folder)->path() + "/output";
  const auto status =
      RunProgram({programs.PathOf("pg_dump"), "--schema-only", "--no-owner", "--no-subscriptions",
                  "--no-security-labels", "--exclude-schema=migration_service",
                  absl::StrCat("--exclude-table=", QuotedPattern(version_table)),
                  absl::StrCat("--lock-wait-timeout=", kLockPatience), "--file", file, "--dbname",
                  source->conninfo},
                 log, source->environment, [] { return true; });
  if (!status.ok()) return status.status();
  if (*status != 0) {
    return errors::BackupUnavailable(
        absl::StrCat("pg_dump failed; its output ends with:", TailOf(log)),
        "the role must be able to read every table; see whether somebody holds a lock on one");
  }
  std::ifstream dump(file, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(dump), std::istreambuf_iterator<char>());
}

}  // namespace migd
