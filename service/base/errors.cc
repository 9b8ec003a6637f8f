#include "service/base/errors.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "google/rpc/error_details.pb.h"
#include "service/base/utf8.h"

namespace migd::errors {
namespace {

using migration::v1::Error;
using migration::v1::ErrorDetail;
using migration::v1::ErrorReason;
using migration::v1::Finding;
using migration::v1::Loss;
using migration::v1::SchemaDifference;
using migration::v1::StatementFailure;
using migration::v1::UnknownStatement;

// Everything that a status made here carries.
struct Parts {
  absl::StatusCode code;
  ErrorReason reason;
  std::string message;
  std::string hint;
  std::map<std::string, std::string> metadata;
  const StatementFailure* failure = nullptr;
};

// A protobuf string must be UTF-8, and what is at fault may not be: it is named as far as it goes,
// rather than that the reason is lost.
absl::Status Make(const Parts& parts) {
  google::rpc::ErrorInfo info;
  info.set_reason(ReasonName(parts.reason));
  info.set_domain(std::string(kDomain));
  for (const auto& [key, value] : parts.metadata) {
    (*info.mutable_metadata())[key] = ToValidUtf8(value);
  }
  ErrorDetail detail;
  detail.set_hint(ToValidUtf8(parts.hint));
  if (parts.failure != nullptr) *detail.mutable_statement_failure() = *parts.failure;

  absl::Status status(parts.code, ToValidUtf8(parts.message));
  status.SetPayload(kErrorInfoUrl, absl::Cord(info.SerializeAsString()));
  status.SetPayload(kErrorDetailUrl, absl::Cord(detail.SerializeAsString()));
  return status;
}

// `status` with more in its detail.
template <typename Change>
absl::Status WithDetail(const absl::Status& status, Change change) {
  absl::Status changed = status;
  ErrorDetail detail;
  if (const auto payload = status.GetPayload(kErrorDetailUrl)) {
    detail.ParseFromString(std::string(*payload));
  }
  change(detail);
  changed.SetPayload(kErrorDetailUrl, absl::Cord(detail.SerializeAsString()));
  return changed;
}

// Adds the first `most` of `items`, and returns how many are left out: a status must stay small.
template <typename Item>
int AddFirst(const std::vector<Item>& items, google::protobuf::RepeatedPtrField<Item>& to,
             size_t most = 20) {
  const size_t shown = std::min(items.size(), most);
  to.Add(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(shown));
  return static_cast<int>(items.size() - shown);
}

absl::Status WithLosses(const absl::Status& status, const std::vector<Loss>& losses,
                        const std::vector<UnknownStatement>& unknown) {
  return WithDetail(status, [&](ErrorDetail& detail) {
    detail.mutable_losses()->set_omitted_count(
        AddFirst(losses, *detail.mutable_losses()->mutable_losses()));
    detail.mutable_losses()->set_omitted_unknown_count(
        AddFirst(unknown, *detail.mutable_losses()->mutable_unknown_statements(), 10));
  });
}

// "table orders", "all rows of orders": the table stays.
std::string DescribeLoss(const Loss& loss) {
  const std::string& kind = loss.object_kind();
  return absl::StrCat(kind == "rows"        ? "all rows of"
                      : kind == "values"    ? "all values of"
                      : kind == "precision" ? "the exact values of"
                                            : kind,
                      " ", loss.object_name());
}

// The first few, such as "table orders, column users.phone and 3 more".
std::string DescribeLosses(const std::vector<Loss>& losses) {
  constexpr size_t kShown = 5;
  std::string text;
  for (size_t i = 0; i < losses.size() && i < kShown; ++i) {
    absl::StrAppend(&text, i == 0 ? "" : ", ", DescribeLoss(losses[i]));
  }
  if (losses.size() > kShown) absl::StrAppend(&text, " and ", losses.size() - kShown, " more");
  return text;
}

// "what 2 statements do is not known: DO ? (b001, line 7), ...".
std::string DescribeUnknown(const std::vector<UnknownStatement>& unknown, absl::string_view does) {
  constexpr size_t kShown = 3;
  std::string text =
      unknown.size() == 1
          ? absl::StrCat("what 1 statement does", does, " is not known: ")
          : absl::StrCat("what ", unknown.size(), " statements do", does, " is not known: ");
  for (size_t i = 0; i < unknown.size() && i < kShown; ++i) {
    absl::StrAppend(&text, i == 0 ? "" : ", ", unknown[i].summary(), " (", unknown[i].revision(),
                    ", line ", unknown[i].line(), ")");
  }
  if (unknown.size() > kShown) absl::StrAppend(&text, " and ", unknown.size() - kShown, " more");
  return text;
}

// Behind "this".
std::string DescribeDestruction(absl::string_view database, const std::vector<Loss>& losses,
                                const std::vector<UnknownStatement>& unknown) {
  if (losses.empty()) {
    return absl::StrCat("says DROP, TRUNCATE or DELETE, which may destroy data of database ",
                        database, ": ", DescribeUnknown(unknown, ""));
  }
  return absl::StrCat("would destroy data of database ", database, ": ", DescribeLosses(losses),
                      unknown.empty() ? "" : "; ",
                      unknown.empty() ? "" : DescribeUnknown(unknown, " besides"));
}

std::string Join(const Strings& items) { return absl::StrJoin(items, ", "); }

// Lists are shortened in messages: a status must stay small enough for an HTTP/2 header.
std::string JoinShort(const Strings& items) {
  constexpr size_t kShown = 20;
  if (items.size() <= kShown) return Join(items);
  return absl::StrCat(absl::StrJoin(items.begin(), items.begin() + kShown, ", "), " and ",
                      items.size() - kShown, " more");
}

// How a statement's failure is told, by its SQLSTATE. See PostgreSQL's appendix "Error Codes".
struct FailureKind {
  ErrorReason reason;
  absl::StatusCode code;
  std::string hint;
};

std::string CreatesWhatExistsHint() {
  return "if the database had this object before, adopt it: `migctl stamp REVISION` if everything "
         "of the revision is there; or add only what is missing, with --existing skip, which "
         "compares "
         "what it passes over, or by CREATE ... IF NOT EXISTS in the file";
}

std::string LockTimeoutHint() {
  return "another session holds the object; try again when it is done; what migrates can wait "
         "longer: --lock-timeout and --lock-retries";
}

std::string StatementTimeoutHint() {
  return "allow more time with --statement-timeout, or split the statement";
}

std::string TransactionConflictHint() {
  return "try again: PostgreSQL ended this transaction so that another could finish";
}

FailureKind KindOf(const StatementFailure& failure) {
  const std::string& state = failure.sqlstate();
  const auto failed = [](std::string hint) {
    return FailureKind{migration::v1::ERROR_REASON_STATEMENT_FAILED,
                       absl::StatusCode::kFailedPrecondition, std::move(hint)};
  };
  // 42P07 table, 42710 object, 42P06 schema, 42701 column, 42723 function, 42P04 database.
  if (state == "42P07" || state == "42710" || state == "42P06" || state == "42701" ||
      state == "42723" || state == "42P04") {
    return {migration::v1::ERROR_REASON_OBJECT_EXISTS, absl::StatusCode::kFailedPrecondition,
            CreatesWhatExistsHint()};
  }
  if (state == "55P03") {
    return {migration::v1::ERROR_REASON_LOCK_TIMEOUT, absl::StatusCode::kAborted,
            LockTimeoutHint()};
  }
  if (state == "57014") {
    return {migration::v1::ERROR_REASON_STATEMENT_TIMEOUT, absl::StatusCode::kAborted,
            StatementTimeoutHint()};
  }
  if (state == "40P01" || state == "40001") {
    return {migration::v1::ERROR_REASON_TRANSACTION_CONFLICT, absl::StatusCode::kAborted,
            TransactionConflictHint()};
  }
  if (state == "42501") {
    return {migration::v1::ERROR_REASON_INSUFFICIENT_PRIVILEGE, absl::StatusCode::kPermissionDenied,
            "grant the privilege to the role of the service's connection, or let a role that has "
            "it own the object"};
  }
  if (state == "25001") {
    return failed(
        "mark the section `transaction:false`: PostgreSQL does not run this statement inside a "
        "transaction");
  }
  if (state == "42P01" && failure.postgres_message().find("does not exist") != std::string::npos) {
    return failed(
        "if an earlier revision creates it, the version table may say more than the database has: "
        "compare with `migctl current` and `\\dt`");
  }
  return failed(absl::StrCat("correct ", failure.file(), " at line ", failure.line(),
                             ", or what it expects of the database; then run the same command "
                             "again"));
}

// A fact that `status` carries; empty if it does not.
std::string FactOf(const absl::Status& status, const std::string& key) {
  const Error error = ToProto(status);
  const auto found = error.metadata().find(key);
  return found == error.metadata().end() ? "" : found->second;
}

std::map<std::string, std::string> MetadataOf(const StatementFailure& failure) {
  return {{"revision", failure.revision()},
          {"file", failure.file()},
          {"line", absl::StrCat(failure.line())},
          {"column", absl::StrCat(failure.column())},
          {"sqlstate", failure.sqlstate()},
          {"statement_index", absl::StrCat(failure.statement_index())}};
}

std::string PlaceOf(const StatementFailure& failure) {
  return absl::StrCat("revision ", failure.revision(), " failed at statement ",
                      failure.statement_index(), " of ", failure.statement_count(), " (",
                      failure.file(), ":", failure.line(), ":", failure.column(), ")");
}

// A time that was measured, without the digits that nobody measures by: "1s", "2m30s", "350ms".
std::string DescribeDuration(absl::Duration duration) {
  const absl::Duration unit =
      duration < absl::Seconds(10) ? absl::Milliseconds(100) : absl::Seconds(1);
  if (duration < absl::Seconds(1))
    return absl::FormatDuration(absl::Trunc(duration, absl::Milliseconds(1)));
  return absl::FormatDuration(absl::Trunc(duration, unit));
}

}  // namespace

absl::Status InvalidRequest(absl::string_view field, absl::string_view problem) {
  return Make({absl::StatusCode::kInvalidArgument,
               migration::v1::ERROR_REASON_INVALID_REQUEST,
               absl::StrCat(field, ": ", problem),
               "",
               {{"field", std::string(field)}}});
}

absl::Status UnknownDatabase(absl::string_view name, const Strings& configured) {
  const std::string message = name.empty()
                                  ? absl::StrCat("the server has ", configured.size(),
                                                 " databases and the request names none")
                                  : absl::StrCat("no database \"", name, "\" is configured");
  return Make({absl::StatusCode::kNotFound,
               migration::v1::ERROR_REASON_UNKNOWN_DATABASE,
               message,
               absl::StrCat("name one of: ", JoinShort(configured)),
               {{"database", std::string(name)}, {"databases", Join(configured)}}});
}

absl::Status InvalidSymbol(absl::string_view symbol, absl::string_view problem) {
  return Make({absl::StatusCode::kInvalidArgument,
               migration::v1::ERROR_REASON_INVALID_SYMBOL,
               absl::StrCat("\"", symbol, "\": ", problem),
               "write a revision id or its beginning, head, heads, base, +N, -N, or label@head",
               {{"symbol", std::string(symbol)}}});
}

absl::Status UnknownRevision(absl::string_view symbol, absl::string_view problem) {
  return Make({absl::StatusCode::kNotFound,
               migration::v1::ERROR_REASON_UNKNOWN_REVISION,
               absl::StrCat("no revision \"", symbol, "\"",
                            problem.empty() ? " in the migration files" : ": ", problem),
               "`migctl history` lists the revisions that there are",
               {{"symbol", std::string(symbol)}}});
}

absl::Status AmbiguousRevision(absl::string_view symbol, const Strings& candidates) {
  return Make({absl::StatusCode::kInvalidArgument,
               migration::v1::ERROR_REASON_AMBIGUOUS_REVISION,
               absl::StrCat("\"", symbol, "\" fits ", candidates.size(),
                            " revisions: ", JoinShort(candidates)),
               "name one of them, by enough of its id",
               {{"symbol", std::string(symbol)}, {"candidates", JoinShort(candidates)}}});
}

absl::Status MultipleHeads(absl::string_view symbol, const Strings& heads) {
  return Make({absl::StatusCode::kFailedPrecondition,
               migration::v1::ERROR_REASON_MULTIPLE_HEADS,
               absl::StrCat("\"", symbol, "\" is not one revision: there are ", heads.size(),
                            " heads: ", JoinShort(heads)),
               "merge them, name one of them, or say `heads` to mean all",
               {{"symbol", std::string(symbol)}, {"heads", JoinShort(heads)}}});
}

absl::Status InvalidTarget(absl::string_view target, absl::string_view problem,
                           absl::string_view hint) {
  return Make({absl::StatusCode::kFailedPrecondition,
               migration::v1::ERROR_REASON_INVALID_TARGET,
               absl::StrCat("\"", target, "\" cannot be reached: ", problem),
               hint.empty() ? "`migctl current` and `migctl history` show where the database stands"
                            : std::string(hint),
               {{"target", std::string(target)}}});
}

absl::Status OverlappingRevisions(absl::string_view revision, const Strings& overlapping) {
  return Make({absl::StatusCode::kFailedPrecondition,
               migration::v1::ERROR_REASON_OVERLAPPING_REVISIONS,
               absl::StrCat("revision ", revision, " overlaps with ", JoinShort(overlapping),
                            ": one contains the other"),
               "name only the later ones; if the version table itself overlaps, stamp it to what "
               "the database has",
               {{"revision", std::string(revision)}, {"overlapping", JoinShort(overlapping)}}});
}

absl::Status DatabaseAhead(const Strings& revisions) {
  return Make({absl::StatusCode::kFailedPrecondition,
               migration::v1::ERROR_REASON_DATABASE_AHEAD,
               absl::StrCat("the database is ahead of the files: its version table names ",
                            JoinShort(revisions), ", which no migration file has"),
               "bring the migration files up to date with whoever migrated this database; if its "
               "version table is wrong, `migctl stamp --purge REVISION` rewrites it",
               {{"revisions", JoinShort(revisions)}}});
}

absl::Status Irreversible(absl::string_view revision, absl::string_view file) {
  return Make({absl::StatusCode::kFailedPrecondition,
               migration::v1::ERROR_REASON_IRREVERSIBLE,
               absl::StrCat("revision ", revision, " cannot be taken down: ", file,
                            " has no `-- migrate:down` section"),
               "write the section (an empty one if nothing is to be undone)",
               {{"revision", std::string(revision)}, {"file", std::string(file)}}});
}

absl::Status RevisionExists(absl::string_view revision, absl::string_view file) {
  return Make({absl::StatusCode::kAlreadyExists,
               migration::v1::ERROR_REASON_REVISION_EXISTS,
               absl::StrCat("the revision id ", revision, " is taken by ", file),
               "choose another one, or none to get a random one",
               {{"revision", std::string(revision)}, {"file", std::string(file)}}});
}

absl::Status LabelExists(absl::string_view label, absl::string_view file) {
  return Make({absl::StatusCode::kAlreadyExists,
               migration::v1::ERROR_REASON_LABEL_EXISTS,
               absl::StrCat("the branch label ", label, " is taken by ", file),
               "choose another label; one that a revision inherits needs not be given again",
               {{"label", std::string(label)}, {"file", std::string(file)}}});
}

absl::Status NotAHead(absl::string_view revision, const Strings& next_revisions) {
  return Make(
      {absl::StatusCode::kFailedPrecondition,
       migration::v1::ERROR_REASON_NOT_A_HEAD,
       absl::StrCat("revision ", revision, " is not a head: ", JoinShort(next_revisions),
                    next_revisions.size() == 1 ? " revises it" : " revise it"),
       "revise a head, or say --splice to make a new branch here",
       {{"revision", std::string(revision)}, {"next_revisions", JoinShort(next_revisions)}}});
}

absl::Status InvalidMigrations(absl::string_view directory, const Strings& problems) {
  constexpr size_t kShown = 30;
  std::string message =
      absl::StrCat(problems.size(), problems.size() == 1 ? " problem" : " problems",
                   " in the migration files", directory.empty() ? "" : " of ", directory, ":");
  for (size_t i = 0; i < problems.size() && i < kShown; ++i) {
    absl::StrAppend(&message, "\n  ", problems[i]);
  }
  if (problems.size() > kShown) {
    absl::StrAppend(&message, "\n  and ", problems.size() - kShown, " more");
  }
  return Make({absl::StatusCode::kFailedPrecondition,
               migration::v1::ERROR_REASON_INVALID_MIGRATIONS,
               message,
               "correct the files; the next call reads them again",
               {{"problem_count", absl::StrCat(problems.size())}}});
}

absl::Status MigrationsUnreadable(absl::string_view directory, absl::string_view problem) {
  return Make({absl::StatusCode::kFailedPrecondition,
               migration::v1::ERROR_REASON_INVALID_MIGRATIONS,
               absl::StrCat("the directory of the migration files cannot be read: ", directory,
                            ": ", problem),
               "create it, or start migd with another one: --migrations DIR",
               {{"directory", std::string(directory)}}});
}

absl::Status DatabaseUnavailable(absl::string_view database, absl::string_view problem,
                                 absl::string_view sqlstate) {
  return Make({absl::StatusCode::kUnavailable,
               migration::v1::ERROR_REASON_DATABASE_UNAVAILABLE,
               absl::StrCat("PostgreSQL of database ", database, " does not answer: ", problem),
               "see that the server runs and that host and port are right, then try again",
               {{"database", std::string(database)}, {"sqlstate", std::string(sqlstate)}}});
}

absl::Status DatabaseLoginRefused(absl::string_view database, absl::string_view problem) {
  return Make({absl::StatusCode::kFailedPrecondition,
               migration::v1::ERROR_REASON_DATABASE_LOGIN_REFUSED,
               absl::StrCat("PostgreSQL of database ", database, " refuses the login: ", problem),
               "correct the user or the password that migd was started with (or pg_hba.conf)",
               {{"database", std::string(database)}}});
}

absl::Status DatabaseMissing(absl::string_view database, absl::string_view problem) {
  return Make({absl::StatusCode::kFailedPrecondition,
               migration::v1::ERROR_REASON_DATABASE_MISSING,
               absl::StrCat("PostgreSQL has no such database for ", database, ": ", problem),
               "create it first (createdb), or correct the name that migd was started with",
               {{"database", std::string(database)}}});
}

absl::Status DatabaseReadOnly(absl::string_view database) {
  return Make({absl::StatusCode::kFailedPrecondition,
               migration::v1::ERROR_REASON_DATABASE_READ_ONLY,
               absl::StrCat("the PostgreSQL server of database ", database,
                            " is read-only: a standby, or the transaction was made read-only"),
               "point migd at the primary (with several hosts: target_session_attrs=read-write)",
               {{"database", std::string(database)}}});
}

absl::Status DatabaseUnsuitable(absl::string_view database, absl::string_view problem,
                                absl::string_view hint) {
  return Make({absl::StatusCode::kFailedPrecondition,
               migration::v1::ERROR_REASON_DATABASE_UNSUITABLE,
               absl::StrCat("database ", database, ": ", problem),
               std::string(hint),
               {{"database", std::string(database)}}});
}

absl::Status PooledConnection(absl::string_view database) {
  return Make({absl::StatusCode::kFailedPrecondition,
               migration::v1::ERROR_REASON_POOLED_CONNECTION,
               absl::StrCat("the way to database ", database,
                            " leads through a pooler, such as pgbouncer, which may give the "
                            "session of a migration, its locks and settings, to somebody else"),
               "connect migd to PostgreSQL itself; a pooler in session mode is refused too, for it "
               "looks the same",
               {{"database", std::string(database)}}});
}

absl::Status InsufficientPrivilege(absl::string_view problem, absl::string_view hint) {
  return Make({absl::StatusCode::kPermissionDenied,
               migration::v1::ERROR_REASON_INSUFFICIENT_PRIVILEGE,
               std::string(problem),
               std::string(hint),
               {}});
}

namespace {

absl::Status OfflineWithHint(absl::string_view hint) {
  return Make({absl::StatusCode::kFailedPrecondition,
               migration::v1::ERROR_REASON_OFFLINE,
               "this server was started with --offline and has no database",
               std::string(hint),
               {}});
}

}  // namespace

absl::Status Offline() { return OfflineWithHint("ask a server that has the database"); }

absl::Status OfflineWithoutRows() {
  return OfflineWithHint(
      "give the revisions to start from with --from (`--from base` for an empty database), or ask "
      "a server that has the database");
}

absl::Status LockTimeout(absl::string_view problem) {
  return Make({absl::StatusCode::kAborted,
               migration::v1::ERROR_REASON_LOCK_TIMEOUT,
               std::string(problem),
               LockTimeoutHint(),
               {}});
}

absl::Status StatementTimeout(absl::string_view problem) {
  return Make({absl::StatusCode::kAborted,
               migration::v1::ERROR_REASON_STATEMENT_TIMEOUT,
               std::string(problem),
               StatementTimeoutHint(),
               {}});
}

absl::Status TransactionConflict(absl::string_view problem) {
  return Make({absl::StatusCode::kAborted,
               migration::v1::ERROR_REASON_TRANSACTION_CONFLICT,
               std::string(problem),
               TransactionConflictHint(),
               {}});
}

absl::Status StatementFailed(const StatementFailure& failure) {
  FailureKind kind = KindOf(failure);
  return Make({kind.code, kind.reason,
               absl::StrCat(PlaceOf(failure), ": ", failure.postgres_message()),
               std::move(kind.hint), MetadataOf(failure), &failure});
}

absl::Status InvalidIndex(const StatementFailure& failure, absl::string_view index,
                          absl::string_view problem) {
  return Make({absl::StatusCode::kFailedPrecondition, migration::v1::ERROR_REASON_INVALID_INDEX,
               absl::StrCat(PlaceOf(failure), ": index ", index,
                            " is there, but INVALID: an earlier CREATE INDEX CONCURRENTLY did not "
                            "finish, and ",
                            problem),
               absl::StrCat("DROP INDEX CONCURRENTLY ", index, "; then run the same command again"),
               MetadataOf(failure), &failure});
}

absl::Status IndexBeingBuilt(const StatementFailure& failure, absl::string_view index, int pid) {
  return Make({absl::StatusCode::kFailedPrecondition, migration::v1::ERROR_REASON_INVALID_INDEX,
               absl::StrCat(PlaceOf(failure), ": index ", index, " is there, but INVALID, and pid ",
                            pid, " is at work on its table: it may be building the index"),
               absl::StrCat("wait for pid ", pid,
                            " (pg_stat_progress_create_index shows how far it is), then run the "
                            "same command again"),
               MetadataOf(failure), &failure});
}

absl::Status StatementOutcomeUnknown(const StatementFailure& failure, absl::string_view operation) {
  return Make({absl::StatusCode::kFailedPrecondition,
               migration::v1::ERROR_REASON_STATEMENT_OUTCOME_UNKNOWN,
               absl::StrCat("operation ", operation, " was cut off at statement ",
                            failure.statement_index(), " of ", failure.statement_count(),
                            " of revision ", failure.revision(), " (", failure.file(), ":",
                            failure.line(), "), and nobody knows whether the statement finished"),
               absl::StrCat("look what it did, then repeat the command with --resume to run it "
                            "again, or with --skip-statement ",
                            failure.statement_index(), " to take it as done"),
               MetadataOf(failure), &failure});
}

absl::Status JournalMismatch(const StatementFailure& failure, absl::string_view problem) {
  return Make(
      {absl::StatusCode::kFailedPrecondition, migration::v1::ERROR_REASON_JOURNAL_MISMATCH,
       absl::StrCat("revision ", failure.revision(), " is half done, and its file (",
                    failure.file(), ":", failure.line(), ") is not what was run: ", problem),
       failure.statement_index() == 0
           ? "put the file back as it was; or repeat the command with --resume to run the section "
             "as it is now, from its beginning"
           : absl::StrCat("put the file back as it was; or repeat the command with --resume to "
                          "run the statement as it is now, or with --skip-statement ",
                          failure.statement_index(), " to keep what was run in its place"),
       MetadataOf(failure), &failure});
}

absl::Status RevisionHalfDone(absl::string_view revision, bool downgrade,
                              absl::string_view statements) {
  const absl::string_view command = downgrade ? "downgrade" : "upgrade";
  return Make({absl::StatusCode::kFailedPrecondition,
               migration::v1::ERROR_REASON_REVISION_HALF_DONE,
               absl::StrCat("the ", command, " of revision ", revision, " is half done: ",
                            statements, " of it stay, and what was asked for leaves it behind"),
               absl::StrCat("finish the ", command,
                            " first; or undo by hand what it did, and delete its rows from "
                            "migration_service.statement_journal"),
               {{"revision", std::string(revision)}}});
}

absl::Status TransactionBroken(const StatementFailure& failure) {
  return Make({absl::StatusCode::kFailedPrecondition,
               migration::v1::ERROR_REASON_TRANSACTION_BROKEN,
               absl::StrCat(PlaceOf(failure), ": ", failure.postgres_message()),
               "leave BEGIN and COMMIT to the service; a section that needs its own transactions "
               "is marked `transaction:false` and ends each one that it begins",
               MetadataOf(failure), &failure});
}

absl::Status MutexLost(absl::string_view revision) {
  return Make({absl::StatusCode::kFailedPrecondition,
               migration::v1::ERROR_REASON_MUTEX_LOST,
               "the session lost the mutex that keeps two migrations of this database apart",
               "take pg_advisory_unlock_all() or DISCARD ALL out of the migration; connect migd to "
               "PostgreSQL itself, not through a pooler that shares sessions",
               {{"revision", std::string(revision)}}});
}

absl::Status VersionRowMismatch(absl::string_view revision, absl::string_view problem) {
  return Make({absl::StatusCode::kAborted,
               migration::v1::ERROR_REASON_VERSION_ROW_MISMATCH,
               absl::StrCat("the rows are not those that the plan began with: ", problem),
               "somebody else changed the version table meanwhile; see `migctl current`, then try "
               "again",
               {{"revision", std::string(revision)}}});
}

absl::Status WithState(const absl::Status& status, absl::string_view revision,
                       absl::string_view state) {
  absl::Status stated(status.code(),
                      absl::StrCat("revision ", revision, ": ", status.message(), "; ", state));
  status.ForEachPayload([&stated](absl::string_view url, const absl::Cord& payload) {
    stated.SetPayload(url, payload);
  });
  return stated;
}

absl::Status ConnectionLost(absl::string_view revision, const absl::Status& loss,
                            absl::string_view state) {
  return Make({absl::StatusCode::kUnavailable,
               migration::v1::ERROR_REASON_DATABASE_UNAVAILABLE,
               absl::StrCat("the connection broke while revision ", revision,
                            " was running: ", loss.message(), "; ", state),
               "when PostgreSQL answers again, run the same command again",
               {{"revision", std::string(revision)},
                {"sqlstate", FactOf(loss, "sqlstate")},
                {"state", std::string(state)}}});
}

absl::Status OutcomeUnknown(absl::string_view revision, const absl::Status& loss) {
  return Make({absl::StatusCode::kUnknown,
               migration::v1::ERROR_REASON_OUTCOME_UNKNOWN,
               absl::StrCat("the connection broke while revision ", revision,
                            " was being committed: ", loss.message()),
               "`migctl current` tells whether it was; to run the same command again is safe",
               {{"revision", std::string(revision)},
                {"sqlstate", FactOf(loss, "sqlstate")},
                {"state", "whether it was committed is not known; `migctl current` tells"}}});
}

absl::Status SessionEnded(const absl::Status& loss) {
  // What stays of the revision is behind what libpq says, which may be several lines.
  const std::string state = FactOf(loss, "state");
  return Make(
      {absl::StatusCode::kAborted,
       migration::v1::ERROR_REASON_SESSION_ENDED,
       absl::StrCat("somebody ended the session of the operation (pg_terminate_backend)",
                    state.empty() ? ""
                                  : absl::StrCat(" while revision ", FactOf(loss, "revision"),
                                                 " was running: ", state)),
       "ask who did and why, then run the call again: it goes on from there",
       {{"revision", FactOf(loss, "revision")}, {"sqlstate", FactOf(loss, "sqlstate")}}});
}

absl::Status WithBlockers(const absl::Status& status,
                          const std::vector<migration::v1::Blocker>& blockers) {
  if (blockers.empty()) return status;
  return WithDetail(status, [&](ErrorDetail& detail) {
    AddFirst(blockers, *detail.mutable_blockers()->mutable_sessions(), 5);
  });
}

absl::Status PlanNotStored() {
  return Make({absl::StatusCode::kUnavailable,
               migration::v1::ERROR_REASON_DATABASE_UNAVAILABLE,
               "the plan is not stored yet; the step has given up its locks, and begins anew when "
               "it is",
               "if this lasts, see what keeps writes to the schema migration_service waiting: the "
               "disk, a lock, or a limit of connections",
               {}});
}

absl::Status PlanStale(absl::string_view wanted, absl::string_view actual) {
  return Make({absl::StatusCode::kAborted,
               migration::v1::ERROR_REASON_PLAN_STALE,
               absl::StrCat("the plan is not ", wanted,
                            " any more: the database's revisions or the "
                            "migration files have changed since it was made"),
               "make the plan again (migctl plan), look at it, and give the hash that it has now",
               {{"plan_hash", std::string(actual)}}});
}

absl::Status LintFailed(const std::vector<Finding>& findings) {
  const Finding first = findings.empty() ? Finding() : findings.front();
  const absl::Status status = Make(
      {absl::StatusCode::kFailedPrecondition,
       migration::v1::ERROR_REASON_LINT_FAILED,
       absl::StrCat("lint does not let ", findings.size(), " ",
                    findings.size() == 1 ? "statement" : "statements", " pass: ", first.path(), ":",
                    first.line(), ":", first.column(), ": ", first.message(), " (", first.rule(),
                    ")"),
       "`migctl lint` says what to write instead; a line `-- lint:allow RULE because ...` before "
       "the statement lets one pass, --lint=warn all of this call",
       {{"rule", first.rule()}, {"file", first.path()}, {"line", absl::StrCat(first.line())}}});
  return WithDetail(status, [&](ErrorDetail& detail) {
    detail.mutable_findings()->set_omitted_count(
        AddFirst(findings, *detail.mutable_findings()->mutable_findings()));
  });
}

absl::Status ChecksumMismatch(absl::string_view revision, absl::string_view file,
                              absl::string_view applied_checksum, absl::string_view file_checksum,
                              int others) {
  return Make(
      {absl::StatusCode::kFailedPrecondition,
       migration::v1::ERROR_REASON_CHECKSUM_MISMATCH,
       absl::StrCat(file, " was changed after revision ", revision,
                    " was applied: its checksum was ", applied_checksum, " and is ", file_checksum,
                    others == 0 ? "" : absl::StrCat("; so were ", others, " more files")),
       absl::StrCat("put the file back as it was and write the change as a new revision; or, if "
                    "the database is right as it is, accept the file with --accept-checksum ",
                    revision),
       {{"revision", std::string(revision)},
        {"file", std::string(file)},
        {"applied_checksum", std::string(applied_checksum)},
        {"file_checksum", std::string(file_checksum)}}});
}

absl::Status ConfirmationRequired(absl::string_view database, const std::vector<Loss>& losses,
                                  const std::vector<UnknownStatement>& unknown,
                                  absl::string_view confirmation, absl::string_view given,
                                  bool of_this_plan) {
  constexpr size_t kShown = 40;
  const std::string wrong =
      given.empty()
          ? ""
          : absl::StrCat("the confirmation ", given.substr(0, kShown),
                         of_this_plan
                             ? " is of no use any more: what the plan destroys has become "
                               "more, or other, since it was told; "
                             : " is wrong: it is not that of this plan on this database; ");
  const absl::Status status = Make(
      {absl::StatusCode::kFailedPrecondition,
       migration::v1::ERROR_REASON_CONFIRMATION_REQUIRED,
       absl::StrCat(wrong, "this ", DescribeDestruction(database, losses, unknown)),
       given.empty()
           ? "look at the plan (migctl plan), make a backup (--backup), then confirm: give the "
             "call the confirmation that this error carries, which is good for exactly this plan; "
             "migctl asks for it, or takes --yes"
           : "look at the plan again (migctl plan): it says what it destroys now, and the "
             "confirmation that is good for that",
       {{"database", std::string(database)}, {"confirmation", std::string(confirmation)}}});
  return WithLosses(status, losses, unknown);
}

absl::Status DatabaseProtected(absl::string_view database, const std::vector<Loss>& losses,
                               const std::vector<UnknownStatement>& unknown) {
  const absl::Status status = Make(
      {absl::StatusCode::kPermissionDenied,
       migration::v1::ERROR_REASON_DATABASE_PROTECTED,
       absl::StrCat("the database is protected, and this ",
                    DescribeDestruction(database, losses, unknown)),
       "nothing that destroys data is run on it; if it must be, the server's configuration can "
       "allow it for the database with `destructive: confirm`",
       {{"database", std::string(database)}}});
  return WithLosses(status, losses, unknown);
}

absl::Status BackupUnavailable(absl::string_view problem, absl::string_view hint) {
  return Make({absl::StatusCode::kFailedPrecondition,
               migration::v1::ERROR_REASON_BACKUP_UNAVAILABLE,
               absl::StrCat("no backup can be made: ", problem),
               std::string(hint),
               {}});
}

absl::Status BackupFailed(absl::string_view problem, absl::string_view hint) {
  return Make({absl::StatusCode::kFailedPrecondition,
               migration::v1::ERROR_REASON_BACKUP_FAILED,
               absl::StrCat("the backup failed, so nothing was migrated: ", problem),
               std::string(hint),
               {}});
}

absl::Status ScratchUnavailable(absl::string_view problem, absl::string_view hint) {
  return Make({absl::StatusCode::kFailedPrecondition,
               migration::v1::ERROR_REASON_SCRATCH_UNAVAILABLE,
               absl::StrCat("no scratch database can be made: ", problem),
               std::string(hint),
               {}});
}

absl::Status ReplayFailed(absl::string_view revision, const absl::Status& cause) {
  const absl::Status status = Make(
      {absl::StatusCode::kFailedPrecondition,
       migration::v1::ERROR_REASON_REPLAY_FAILED,
       absl::StrCat("the migration files cannot be replayed in an empty database: ",
                    cause.message()),
       absl::StrCat("find out what revision ", revision,
                    " takes for granted that no file makes (an extension, a role, a table from "
                    "elsewhere), and make it in a revision before it"),
       {{"revision", std::string(revision)}}});
  const Error error = ToProto(cause);
  if (!error.has_statement_failure()) return status;
  return WithDetail(status, [&](ErrorDetail& detail) {
    *detail.mutable_statement_failure() = error.statement_failure();
  });
}

absl::Status SchemaDiffers(absl::string_view database, absl::string_view expected,
                           const std::vector<SchemaDifference>& differences) {
  const absl::Status status =
      Make({absl::StatusCode::kFailedPrecondition,
            migration::v1::ERROR_REASON_SCHEMA_DIFFERS,
            absl::StrCat("the schema of database ", database, " is not that of ", expected, ": ",
                         differences.size(),
                         differences.size() == 1 ? " object differs" : " objects differ"),
            "each is told with both definitions before this error, and again by `migctl operations "
            "watch OPERATION`; stamp the revision whose schema the database has, or mend the "
            "database first",
            {{"database", std::string(database)}}});
  return WithDetail(status, [&](ErrorDetail& detail) {
    auto& listed = *detail.mutable_schema_differences();
    listed.set_omitted_count(AddFirst(differences, *listed.mutable_differences()));
    for (SchemaDifference& difference : *listed.mutable_differences()) {
      difference.clear_expected_definition();
      difference.clear_actual_definition();
      difference.clear_attributes();
    }
  });
}

absl::Status TerminateNotAllowed(absl::string_view database) {
  return Make(
      {absl::StatusCode::kPermissionDenied,
       migration::v1::ERROR_REASON_TERMINATE_NOT_ALLOWED,
       absl::StrCat("ending the sessions that are in the way is not allowed on database ",
                    database),
       "start migd with --allow-terminate-blockers, or set allow_terminate_blockers for the "
       "database; or end them yourself: the events name them",
       {{"database", std::string(database)}}});
}

absl::Status MutexTimeout(absl::Duration waited, absl::string_view holder) {
  return Make({absl::StatusCode::kAborted,
               migration::v1::ERROR_REASON_MUTEX_TIMEOUT,
               absl::StrCat("another migration of this database was still running after ",
                            DescribeDuration(waited), holder.empty() ? "" : ": ", holder),
               "wait for it, or allow more time with --mutex-timeout",
               {{"holder", std::string(holder)}}});
}

absl::Status OperationCancelled(absl::string_view why) {
  return Make({absl::StatusCode::kCancelled,
               migration::v1::ERROR_REASON_OPERATION_CANCELLED,
               absl::StrCat("the operation was stopped: ", why),
               "what finished before stays; run the same command again to go on",
               {}});
}

absl::Status UnknownOperation(absl::string_view operation) {
  return Make({absl::StatusCode::kNotFound,
               migration::v1::ERROR_REASON_UNKNOWN_OPERATION,
               absl::StrCat("no operation \"", operation, "\""),
               "`migctl operations list` shows those that the server knows",
               {{"operation", std::string(operation)}}});
}

absl::Status AmbiguousOperation(absl::string_view operation, const Strings& candidates) {
  return Make({absl::StatusCode::kInvalidArgument,
               migration::v1::ERROR_REASON_INVALID_REQUEST,
               absl::StrCat("operation: several ids begin with \"", operation,
                            "\": ", JoinShort(candidates)),
               "write more of the id",
               {{"field", "operation"}, {"candidates", JoinShort(candidates)}}});
}

absl::Status ServerGone(absl::string_view server) {
  return Make({absl::StatusCode::kAborted,
               migration::v1::ERROR_REASON_OPERATION_INTERRUPTED,
               absl::StrCat("server ", server, ", which ran the operation, is gone"),
               "wait: another server takes the operation up",
               {{"server", std::string(server)}}});
}

absl::Status ServerStops(absl::string_view server) {
  return Make({absl::StatusCode::kAborted,
               migration::v1::ERROR_REASON_OPERATION_INTERRUPTED,
               absl::StrCat("server ", server, " stops and has let the operation go"),
               "wait: another server takes the operation up, or this one when it is started again",
               {{"server", std::string(server)}}});
}

absl::Status OperationInterrupted(int attempts, const absl::Status& error) {
  return Make({absl::StatusCode::kAborted,
               migration::v1::ERROR_REASON_OPERATION_INTERRUPTED,
               absl::StrCat("the operation was cut off ", attempts, " times, at last because ",
                            error.message()),
               "what its finished steps did stays: find out what cuts it off, then run the same "
               "command again, which goes on from there",
               {{"attempts", absl::StrCat(attempts)}}});
}

absl::Status EventsPruned(absl::string_view operation, int64_t oldest_sequence) {
  return Make({absl::StatusCode::kOutOfRange,
               migration::v1::ERROR_REASON_EVENTS_PRUNED,
               absl::StrCat("operation ", operation, " has no events before ", oldest_sequence,
                            " any more"),
               absl::StrCat("watch it after ", oldest_sequence - 1,
                            ": the snapshot at the "
                            "beginning says how it stands"),
               {{"operation", std::string(operation)},
                {"oldest_sequence", absl::StrCat(oldest_sequence)}}});
}

absl::Status RequestIdReused(absl::string_view request_id, absl::string_view operation) {
  return Make({absl::StatusCode::kAlreadyExists,
               migration::v1::ERROR_REASON_REQUEST_ID_REUSED,
               absl::StrCat("request_id ", request_id, " was used for operation ", operation,
                            ", with another content"),
               "use a fresh UUID for a new request",
               {{"request_id", std::string(request_id)}, {"operation", std::string(operation)}}});
}

absl::Status WaitTimeout(absl::string_view revision, absl::Duration waited, absl::string_view place,
                         const Strings& rows) {
  const std::string what = waited == absl::ZeroDuration()
                               ? absl::StrCat("the database has not reached ", revision)
                               : absl::StrCat("the database did not reach ", revision, " within ",
                                              DescribeDuration(waited));
  return Make({absl::StatusCode::kDeadlineExceeded,
               migration::v1::ERROR_REASON_WAIT_TIMEOUT,
               absl::StrCat(what, ": ", place),
               "see whether an operation runs (migctl operations list), upgrade the database, or "
               "wait longer",
               {{"revision", std::string(revision)}, {"revisions", absl::StrJoin(rows, ", ")}}});
}

absl::Status Draining() {
  return Make({absl::StatusCode::kUnavailable,
               migration::v1::ERROR_REASON_DRAINING,
               "the server is shutting down and takes no new operation",
               "try again with another replica, or when it is back",
               {}});
}

absl::Status Unauthenticated(absl::string_view problem) {
  return Make({absl::StatusCode::kUnauthenticated,
               migration::v1::ERROR_REASON_UNAUTHENTICATED,
               absl::StrCat("the server does not know who calls: ", problem),
               "bring a bearer token (migctl --token-file FILE), or a client certificate that the "
               "server's CA has signed (migctl --tls-cert FILE --tls-key FILE)",
               {}});
}

absl::Status PermissionDenied(absl::string_view principal, absl::string_view role,
                              absl::string_view database, absl::string_view why) {
  return Make({absl::StatusCode::kPermissionDenied,
               migration::v1::ERROR_REASON_PERMISSION_DENIED,
               absl::StrCat(principal, " lacks the role ", role,
                            database.empty() ? "" : absl::StrCat(" on ", database),
                            why.empty() ? "" : ", which it needs because ", why),
               absl::StrCat(database.empty() ? "if you may on one of several databases, name it: "
                                               "migctl --database NAME; "
                                             : "",
                            "whoever keeps the server's `authorization` may grant it; migctl "
                            "whoami tells what you may do"),
               {{"principal", std::string(principal)}, {"role", std::string(role)}}});
}

absl::Status LimitReached(absl::string_view principal, absl::string_view what, int limit) {
  return Make({absl::StatusCode::kResourceExhausted,
               migration::v1::ERROR_REASON_LIMIT_REACHED,
               absl::StrCat(principal, " has ", limit, " ", what,
                            " open already, as many as one caller may have"),
               "end some of them; the server's `limits` say how many there may be",
               {{"limit", absl::StrCat(limit)}}});
}

absl::Status TooManyOperations(int limit) {
  return Make({absl::StatusCode::kResourceExhausted,
               migration::v1::ERROR_REASON_TOO_MANY_OPERATIONS,
               absl::StrCat("the server has ", limit, " operations that have not ended"),
               "try again when some have; `migctl operations list` shows them",
               {{"limit", absl::StrCat(limit)}}});
}

absl::Status Internal(absl::string_view problem) {
  return Make({absl::StatusCode::kInternal,
               migration::v1::ERROR_REASON_INTERNAL,
               absl::StrCat("a fault of migd: ", problem),
               "please report it with the server's log",
               {}});
}

migration::v1::ErrorReason ReasonOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kErrorInfoUrl);
  google::rpc::ErrorInfo info;
  ErrorReason reason = migration::v1::ERROR_REASON_UNSPECIFIED;
  if (payload && info.ParseFromString(std::string(*payload))) {
    migration::v1::ErrorReason_Parse(absl::StrCat("ERROR_REASON_", info.reason()), &reason);
  }
  return reason;
}

Error ToProto(const absl::Status& status) {
  Error error;
  error.set_code(absl::StatusCodeToString(status.code()));
  error.set_message(std::string(status.message()));
  google::rpc::ErrorInfo info;
  if (const auto payload = status.GetPayload(kErrorInfoUrl);
      payload && info.ParseFromString(std::string(*payload))) {
    error.set_reason(info.reason());
    *error.mutable_metadata() = info.metadata();
  }
  ErrorDetail detail;
  if (const auto payload = status.GetPayload(kErrorDetailUrl);
      payload && detail.ParseFromString(std::string(*payload))) {
    error.set_hint(detail.hint());
    if (detail.has_blockers()) *error.mutable_blockers() = detail.blockers();
    if (detail.has_losses()) *error.mutable_losses() = detail.losses();
    if (detail.has_schema_differences()) {
      *error.mutable_schema_differences() = detail.schema_differences();
    }
    if (detail.has_findings()) *error.mutable_findings() = detail.findings();
    if (detail.has_statement_failure()) {
      *error.mutable_statement_failure() = detail.statement_failure();
    }
  }
  return error;
}

absl::Status FromProto(const Error& error) {
  auto code = absl::StatusCode::kInternal;
  for (int candidate = 1; candidate <= static_cast<int>(absl::StatusCode::kUnauthenticated);
       ++candidate) {
    if (absl::StatusCodeToString(static_cast<absl::StatusCode>(candidate)) == error.code()) {
      code = static_cast<absl::StatusCode>(candidate);
    }
  }
  google::rpc::ErrorInfo info;
  info.set_reason(error.reason());
  info.set_domain(std::string(kDomain));
  *info.mutable_metadata() = error.metadata();
  ErrorDetail detail;
  detail.set_hint(error.hint());
  if (error.has_blockers()) *detail.mutable_blockers() = error.blockers();
  if (error.has_losses()) *detail.mutable_losses() = error.losses();
  if (error.has_schema_differences()) {
    *detail.mutable_schema_differences() = error.schema_differences();
  }
  if (error.has_findings()) *detail.mutable_findings() = error.findings();
  if (error.has_statement_failure()) {
    *detail.mutable_statement_failure() = error.statement_failure();
  }
  absl::Status status(code, error.message());
  status.SetPayload(kErrorInfoUrl, absl::Cord(info.SerializeAsString()));
  status.SetPayload(kErrorDetailUrl, absl::Cord(detail.SerializeAsString()));
  return status;
}

std::string ReasonName(ErrorReason reason) {
  return std::string(absl::StripPrefix(migration::v1::ErrorReason_Name(reason), "ERROR_REASON_"));
}

}  // namespace migd::errors
