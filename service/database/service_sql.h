// The SQL of what the service itself does in a migrated database, said once: sessions run it, and
// scripts for psql contain it. Pure text.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "service/database/database.h"
#include "service/plan/plan.h"
#include "service/script/statement.h"

namespace migd {

// For to_timestamp(): seconds since 1970, to the microsecond.
std::string EpochSeconds(absl::Time time);

// A name and a string constant as SQL has them, whatever is in them. With
// standard_conforming_strings on.
std::string QuoteName(absl::string_view name);
std::string QuoteLiteral(absl::string_view text);

// The table's name as SQL, with its schema if that is known.
std::string QualifiedName(const VersionTable& table);

// An expression for the schema that it is in, or would be made in; NULL if the search_path names no
// schema that exists.
std::string VersionTableSchemaSql(const VersionTable& table);

// The advisory lock that is the mutex: two numbers of our own, "migd" in ASCII and 1. Advisory
// locks are per database, so every database has its own mutex, whatever its version table.
inline constexpr int kMutexClass = 0x6d696764;
inline constexpr int kMutexObject = 1;

// A setting of a session, and what it is set to.
struct Setting {
  absl::string_view name;
  absl::string_view value;
};

// What every session of the service is set to. The splitter of migration files reads quotes as
// standard_conforming_strings=on does. A statement timeout of the database or the role is not meant
// for the service's own queries.
inline constexpr std::array<Setting, 3> kSessionSettings = {{{"statement_timeout", "0"},
                                                             {"standard_conforming_strings", "on"},
                                                             {"client_encoding", "UTF8"}}};

// SET statements, with semicolons between them.
std::string SetSql(absl::Span<const Setting> settings);
// Calls of set_config(), with commas between them.
std::string SetConfigSql(absl::Span<const Setting> settings);

std::string SetLockTimeoutSql(absl::Duration timeout);
std::string SetStatementTimeoutSql(absl::Duration timeout);
std::string SetTimeoutsSql(const Timeouts& timeouts);
// What undoes all that a revision has set for its session; the settings of the service go with it.
inline constexpr std::array<const char*, 3> kResetStatements = {"RESET SESSION AUTHORIZATION",
                                                                "RESET ROLE", "RESET ALL"};
// Undoes what a revision has set for its session; see Session::ResetSettings.
std::string ResetSettingsSql(absl::Duration lock_timeout);

// Alembic's table, exactly.
std::string CreateVersionTableSql(const VersionTable& table);
// Statements that make the schema `migration_service`, and in it the log of applied revisions and
// decisions, and the journal of statements.
extern const absl::string_view kCreateServiceSchema;
extern const absl::string_view kCreateRevisionLog;
extern const absl::string_view kCreateStatementJournal;

// A query for whether this session holds the mutex.
std::string HoldsMutexSql();
// The rows, each with when its revision was last applied, in seconds since 1970, or NULL. The log
// is read backwards: what is in the version table is what was applied last, as a rule.
std::string DatedRowsSql(const VersionTable& table);

// A write to the version table. It affects one row, or it did not match.
std::string VersionWriteSql(const VersionTable& table, const VersionWrite& write);
// The same for revisions given as expressions.
std::string VersionWriteSql(const VersionTable& table, VersionWrite::Kind kind,
                            absl::string_view from, absl::string_view to);
// What is wrong if it affected another number of rows, in Alembic's words, which people look for:
// "expected to match one row when updating 'a' to 'b' in 'alembic_version'".
std::string VersionWriteProblem(const VersionTable& table, const VersionWrite& write);

// The parts of a LogEntry as expressions; `resulting_rows` is a text, as LogRows gives it, and an
// empty `checksum` is none.
struct LogExpressions {
  std::string revision;
  std::string direction;
  std::string checksum;
  std::string operation;
  std::string start_time;
  std::string resulting_rows;
};
// As literals, but for the time.
LogExpressions LiteralsOf(const LogEntry& entry, absl::string_view start_time);
std::string LogRows(const VersionRows& rows);
// As the log has it.
const char* DirectionName(Step::Direction direction);
// Adds an entry to the log.
std::string AppendLogSql(const VersionTable& table, const LogExpressions& entry);

// Adds the acceptance of a checksum to the log.
std::string AcceptChecksumSql(const VersionTable& table, const ChecksumAcceptance& acceptance);
// A query for revision and checksum; see Database::ReadChecksums.
std::string ReadChecksumsSql(const VersionTable& table);

// A query for the journal: revision, direction, index, fingerprint, summary, state, operation.
std::string ReadJournalSql(const VersionTable& table);
// See Session for these. They are ASCII, and mean the same whatever a migration has set for its
// session, if the texts in them are ASCII.
std::string RecordStatementsSql(const VersionTable& table, const JournalKey& section,
                                const SectionJournal& entries);
std::string RecordDecisionSql(const VersionTable& table, const JournalKey& section, int statement,
                              const JournalEntry& entry, JournalDecision decision);
std::string EraseRecordsSql(const VersionTable& table, const JournalKey& section,
                            absl::optional<int> statement);
// A condition that holds if one of the sections is half done. The journal must be there.
std::string AnyHalfDoneSql(const VersionTable& table, const std::vector<std::string>& revisions);
// Back from the names that the journal has for them. The direction is one of its two.
Step::Direction DirectionOfName(absl::string_view name);
JournalEntry::State EntryStateOfName(absl::string_view name);

// Statements that run `sql` as `login`, the role that the session has logged in as, whatever role a
// migration has set, and then set that again. One transaction, or part of the one that is open.
std::string AsLoginSql(absl::string_view login, absl::string_view sql);

// An expression for the oid of a relation, NULL if there is none; the search_path decides if
// `schema` is empty.
std::string RelationSql(absl::string_view schema, absl::string_view name);

// A query for an object: one row (relkind, indisvalid) for a relation that is there, one row (NULL,
// NULL) for any other object, or none. Nothing for a kind that cannot be looked up.
absl::optional<std::string> LookupSql(const GuardedObject& object);

}  // namespace migd
