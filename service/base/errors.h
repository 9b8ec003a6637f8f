// The whole vocabulary of errors: one named constructor per thing that can go wrong. Each chooses
// code, reason, message, hint and metadata together. The reasons are documented in
// proto/migration/v1/error.proto.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "migration/v1/error.pb.h"
#include "migration/v1/finding.pb.h"
#include "migration/v1/schema.pb.h"
#include "migration/v1/statement.pb.h"

namespace migd::errors {

using Strings = std::vector<std::string>;

// --- What was asked for ---
absl::Status InvalidRequest(absl::string_view field, absl::string_view problem);
absl::Status UnknownDatabase(absl::string_view name, const Strings& configured);
absl::Status InvalidSymbol(absl::string_view symbol, absl::string_view problem);
// `problem` says more than "not found" where more is known, such as "not a member of branch x".
absl::Status UnknownRevision(absl::string_view symbol, absl::string_view problem = "");
absl::Status AmbiguousRevision(absl::string_view symbol, const Strings& candidates);
absl::Status MultipleHeads(absl::string_view symbol, const Strings& heads);
absl::Status InvalidTarget(absl::string_view target, absl::string_view problem,
                           absl::string_view hint = "");
absl::Status OverlappingRevisions(absl::string_view revision, const Strings& overlapping);
absl::Status DatabaseAhead(const Strings& revisions);
absl::Status Irreversible(absl::string_view revision, absl::string_view file);
// --- A new revision ---
absl::Status RevisionExists(absl::string_view revision, absl::string_view file);
absl::Status LabelExists(absl::string_view label, absl::string_view file);
absl::Status NotAHead(absl::string_view revision, const Strings& next_revisions);

// --- The files ---
// Every problem is a line "file:line: what is wrong".
absl::Status InvalidMigrations(absl::string_view directory, const Strings& problems);
absl::Status MigrationsUnreadable(absl::string_view directory, absl::string_view problem);

// --- The database ---
// `sqlstate` is what PostgreSQL said when it ended the session; empty if it said nothing.
absl::Status DatabaseUnavailable(absl::string_view database, absl::string_view problem,
                                 absl::string_view sqlstate = "");
absl::Status DatabaseLoginRefused(absl::string_view database, absl::string_view problem);
absl::Status DatabaseMissing(absl::string_view database, absl::string_view problem);
absl::Status DatabaseReadOnly(absl::string_view database);
absl::Status DatabaseUnsuitable(absl::string_view database, absl::string_view problem,
                                absl::string_view hint);
absl::Status PooledConnection(absl::string_view database);
absl::Status InsufficientPrivilege(absl::string_view problem, absl::string_view hint);
absl::Status Offline();
// The same of a call that takes rows of its own instead (`from`).
absl::Status OfflineWithoutRows();
// The service's own query waited in vain; a migration's statement has StatementFailed.
absl::Status LockTimeout(absl::string_view problem);
// Likewise: it ran into statement_timeout.
absl::Status StatementTimeout(absl::string_view problem);
// Likewise: PostgreSQL ended the service's own query to resolve a deadlock or a conflict.
absl::Status TransactionConflict(absl::string_view problem);

// --- Before the first step ---
// What happens to the operation is not stored in time: a step that has its locks gives them up.
absl::Status PlanNotStored();
// `wanted` and `actual` are plan hashes.
absl::Status PlanStale(absl::string_view wanted, absl::string_view actual);
// `findings` are those that the gate does not let pass.
absl::Status LintFailed(const std::vector<migration::v1::Finding>& findings);
// `revision` is the first whose file changed, `others` how many more there are.
absl::Status ChecksumMismatch(absl::string_view revision, absl::string_view file,
                              absl::string_view applied_checksum, absl::string_view file_checksum,
                              int others);
// `confirmation` is what confirms the plan that loses `losses`, `given` what the call had instead:
// `of_this_plan` says whether that was told for the same plan, when it destroyed something else.
// Of the statements in `unknown` nobody can tell what they destroy besides.
absl::Status ConfirmationRequired(absl::string_view database,
                                  const std::vector<migration::v1::Loss>& losses,
                                  const std::vector<migration::v1::UnknownStatement>& unknown,
                                  absl::string_view confirmation, absl::string_view given,
                                  bool of_this_plan);
absl::Status DatabaseProtected(absl::string_view database,
                               const std::vector<migration::v1::Loss>& losses,
                               const std::vector<migration::v1::UnknownStatement>& unknown);
absl::Status BackupUnavailable(absl::string_view problem, absl::string_view hint);
absl::Status BackupFailed(absl::string_view problem, absl::string_view hint);

// --- A scratch database ---
absl::Status ScratchUnavailable(absl::string_view problem, absl::string_view hint);
// `cause` is what happened to the step of `revision` there; it keeps its statement failure.
absl::Status ReplayFailed(absl::string_view revision, const absl::Status& cause);
// `expected` says whose schema it should be, such as "revision 2ff41522b3bc".
absl::Status SchemaDiffers(absl::string_view database, absl::string_view expected,
                           const std::vector<migration::v1::SchemaDifference>& differences);

// --- A step ---
// Chooses reason, code and hint by `failure.sqlstate()`.
absl::Status StatementFailed(const migration::v1::StatementFailure& failure);
// `index` is there but INVALID; `problem` says why the statement does not go on from there.
absl::Status InvalidIndex(const migration::v1::StatementFailure& failure, absl::string_view index,
                          absl::string_view problem);
// `index` is INVALID because the session `pid` is building it, or working on its table.
absl::Status IndexBeingBuilt(const migration::v1::StatementFailure& failure,
                             absl::string_view index, int pid);
// An earlier run by `operation` was cut off at the statement.
absl::Status StatementOutcomeUnknown(const migration::v1::StatementFailure& failure,
                                     absl::string_view operation);
// `problem` says what was run instead of the statement, or of the whole section if its index is 0.
absl::Status JournalMismatch(const migration::v1::StatementFailure& failure,
                             absl::string_view problem);
// `statements` of the section are done, in words.
absl::Status RevisionHalfDone(absl::string_view revision, bool downgrade,
                              absl::string_view statements);
absl::Status TransactionBroken(const migration::v1::StatementFailure& failure);
// The session lost the mutex that it had taken.
absl::Status MutexLost(absl::string_view revision);
absl::Status VersionRowMismatch(absl::string_view revision, absl::string_view problem);
// `status`, which befell the service's own queries in a step, with what remains of the revision.
absl::Status WithState(const absl::Status& status, absl::string_view revision,
                       absl::string_view state);
// The connection broke inside a step, not at its commit; `state` says what stays.
absl::Status ConnectionLost(absl::string_view revision, const absl::Status& loss,
                            absl::string_view state);
// The connection broke when the revision was to be committed.
absl::Status OutcomeUnknown(absl::string_view revision, const absl::Status& loss);
// `loss` is how the connection was lost: PostgreSQL goes on, so somebody has ended the session.
absl::Status SessionEnded(const absl::Status& loss);

// `status`, a LockTimeout or a StatementFailed by one, with who was in the way.
absl::Status WithBlockers(const absl::Status& status,
                          const std::vector<migration::v1::Blocker>& blockers);

// --- Operations ---
absl::Status TerminateNotAllowed(absl::string_view database);
absl::Status MutexTimeout(absl::Duration waited, absl::string_view holder);
absl::Status OperationCancelled(absl::string_view why);
absl::Status UnknownOperation(absl::string_view operation);
absl::Status AmbiguousOperation(absl::string_view operation, const Strings& candidates);
// What cut an operation off: the server that ran it has died.
absl::Status ServerGone(absl::string_view server);
// The same: it has let the operation go, because it stops.
absl::Status ServerStops(absl::string_view server);
// `error` is what cut it off last.
absl::Status OperationInterrupted(int attempts, const absl::Status& error);
absl::Status EventsPruned(absl::string_view operation, int64_t oldest_sequence);
absl::Status RequestIdReused(absl::string_view request_id, absl::string_view operation);
// `place` says where the database is instead: its `rows`, or why it cannot be asked. `waited` is
// how long it was to have; zero, if it was only looked at.
absl::Status WaitTimeout(absl::string_view revision, absl::Duration waited, absl::string_view place,
                         const Strings& rows);
absl::Status Draining();

// --- Callers ---
// `problem` says what is wrong with what the call brought, or that it brought nothing.
absl::Status Unauthenticated(absl::string_view problem);
// `principal` lacks `role` ("operator") on `database`, which the caller named; on all databases, if
// that is empty, since the caller named none. The same whether the database exists or not. `why`
// says what of the call needs it ("--lint loosens the gate"); empty if any call of its kind does.
absl::Status PermissionDenied(absl::string_view principal, absl::string_view role,
                              absl::string_view database, absl::string_view why = "");
// `what`: "streams", "operations", "waiting calls".
absl::Status LimitReached(absl::string_view principal, absl::string_view what, int limit);
absl::Status TooManyOperations(int limit);
absl::Status Internal(absl::string_view problem);

// --- Reading an error back ---

// The reason of `status`; ERROR_REASON_UNSPECIFIED for OK and for a status not made here.
migration::v1::ErrorReason ReasonOf(const absl::Status& status);

// `status` in one piece, for events and reports. A status not made here has no reason.
migration::v1::Error ToProto(const absl::Status& status);

// The status that `error` was made of. INTERNAL if its code is none.
absl::Status FromProto(const migration::v1::Error& error);

// The name of a reason without its prefix, such as "STATEMENT_FAILED".
std::string ReasonName(migration::v1::ErrorReason reason);

// The domain of google.rpc.ErrorInfo.
inline constexpr absl::string_view kDomain = "migration.v1";

// The payloads under which a status carries google.rpc.ErrorInfo and migration.v1.ErrorDetail,
// serialized; they become the details of a gRPC status as they are.
inline constexpr absl::string_view kErrorInfoUrl = "type.googleapis.com/google.rpc.ErrorInfo";
inline constexpr absl::string_view kErrorDetailUrl = "type.googleapis.com/migration.v1.ErrorDetail";

}  // namespace migd::errors
