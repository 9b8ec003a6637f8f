#include "service/execute/backup_step.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "service/base/errors.h"
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

bool DestroysData(const ScriptSet& scripts, const Plan& plan) {
  return std::any_of(plan.steps.begin(), plan.steps.end(), [&](const Step& step) {
    const Section* section = SectionOf(scripts, step);
    if (section == nullptr || section->statements.empty()) return false;
    return step.direction == Step::Direction::kDowngrade ||
           std::any_of(section->statements.begin(), section->statements.end(), SaysDropOrTruncate);
  });
}

bool WantsBackup(const Policy& policy, const BackupOccasion& occasion) {
  if (occasion.request.has_backup || (occasion.request.action != migration::v1::ACTION_UPGRADE &&
                                      occasion.request.action != migration::v1::ACTION_DOWNGRADE)) {
    return false;
  }
  // The modes are in the order of what they demand.
  switch (std::max(policy.backup, occasion.request.backup)) {
    case migration::v1::BACKUP_MODE_ALWAYS:
      return true;
    case migration::v1::BACKUP_MODE_BEFORE_DESTRUCTIVE:
      return occasion.destroys_data;
    default:
      return false;
  }
}

absl::Status BackUp(Workspace& workspace, const BackupOccasion& occasion, Session& session,
                    Cancellation& cancellation, const EventSink& sink) {
  if (!WantsBackup(workspace.policy, occasion)) return absl::OkStatus();
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
    return *holds_mutex ? absl::OkStatus() : errors::MutexLost(occasion.first_revision);
  };
  auto backup = workspace.backups->Make(
      occasion.request.operation, VerificationOf(workspace.policy, occasion.request), tick, sink);
  if (!backup.ok()) return backup.status();
  migration::v1::OperationEvent event;
  *event.mutable_backup_finished() = *std::move(backup);
  sink(std::move(event));
  return absl::OkStatus();
}

}  // namespace migd
