#include "service/execute/backup_step.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "service/base/errors.h"
#include "service/execute/plan_effects.h"
#include "service/execute/plan_report.h"
#include "service/script/sql_lexer.h"

namespace migd {
namespace {

// Well below the time after which PostgreSQL ends a session that idles.
constexpr absl::Duration kSignOfLife = absl::Seconds(20);

bool SaysDropOrTruncate(const Statement& statement) {
  SqlLexer lexer(statement.text);
  for (Token token = lexer.NextOfStatement(); token.kind != Token::Kind::kEnd;
       token = lexer.NextOfStatement()) {
    if (lexer.IsWord(token, "drop") || lexer.IsWord(token, "truncate")) return true;
  }
  return false;
}

migration::v1::BackupVerification VerificationOf(const Policy& policy,
                                                 const ExecuteRequest& request) {
  return std::max({migration::v1::BACKUP_VERIFICATION_LIST, policy.backup_verification,
                   request.backup_verification});
}

}  // namespace

bool MayDestroyData(const ScriptSet& scripts, const Plan& plan) {
  return std::any_of(plan.steps.begin(), plan.steps.end(), [&](const Step& step) {
    const Section* section = SectionOf(scripts, step);
    if (section == nullptr || section->statements.empty()) return false;
    return step.direction == Step::Direction::kDowngrade ||
           std::any_of(section->statements.begin(), section->statements.end(), SaysDropOrTruncate);
  });
}

migration::v1::BackupMode DemandedBackup(const Policy& policy, const ExecuteRequest& request) {
  if (request.has_backup || (request.action != migration::v1::ACTION_UPGRADE &&
                             request.action != migration::v1::ACTION_DOWNGRADE)) {
    return migration::v1::BACKUP_MODE_NEVER;
  }
  // The modes are in the order of what they demand.
  return std::max({migration::v1::BACKUP_MODE_NEVER, policy.backup, request.backup});
}

namespace {

absl::StatusOr<bool> IsWanted(const Workspace& workspace, const BackupOccasion& occasion) {
  const migration::v1::BackupMode mode = DemandedBackup(*workspace.policy(), occasion.request);
  if (mode != migration::v1::BACKUP_MODE_BEFORE_DESTRUCTIVE) {
    return mode == migration::v1::BACKUP_MODE_ALWAYS;
  }
  if (MayDestroyData(occasion.scripts, occasion.plan)) return true;
  const auto destruction =
      DestructionBy(occasion.scripts, occasion.plan, TellUnknown::kAlways, *workspace.database);
  if (!destruction.ok()) return destruction.status();
  return !destruction->losses.empty() || !destruction->unknown.empty();
}

}  // namespace

absl::Status BackUp(Workspace& workspace, const BackupOccasion& occasion, Session& session,
                    Cancellation& cancellation, const EventSink& sink) {
  const auto wanted = IsWanted(workspace, occasion);
  if (!wanted.ok() || !*wanted) return wanted.status();
  if (workspace.backups == nullptr) {
    return errors::BackupUnavailable("this server makes none", "start migd with --backup-dir DIR");
  }
  absl::Time last_sign = absl::Now();
  const auto tick = [&]() -> absl::Status {
    if (cancellation.requested()) return errors::OperationCancelled(cancellation.why());
    if (absl::Now() - last_sign < kSignOfLife) return absl::OkStatus();
    last_sign = absl::Now();
    const auto holds_mutex = session.HoldsMutex();
    if (!holds_mutex.ok()) return holds_mutex.status();
    return *holds_mutex ? absl::OkStatus()
                        : errors::MutexLost(occasion.plan.steps.front().revision);
  };
  auto backup =
      workspace.backups->Make(occasion.request.operation,
                              VerificationOf(*workspace.policy(), occasion.request), tick, sink);
  if (!backup.ok()) return backup.status();
  migration::v1::OperationEvent event;
  *event.mutable_backup_finished() = *std::move(backup);
  sink(std::move(event));
  return absl::OkStatus();
}

}  // namespace migd
