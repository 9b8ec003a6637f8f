#include "client/run_options.h"

#include "client/time_text.h"

namespace migctl {

migration::v1::RunOptions ToRunOptions(const RunSettings& settings) {
  migration::v1::RunOptions options;
  if (settings.lock_timeout) *options.mutable_lock_timeout() = ToProto(*settings.lock_timeout);
  if (settings.statement_timeout) {
    *options.mutable_statement_timeout() = ToProto(*settings.statement_timeout);
  }
  if (settings.mutex_timeout) *options.mutable_mutex_timeout() = ToProto(*settings.mutex_timeout);
  if (settings.lock_retries) options.set_lock_retries(*settings.lock_retries);
  options.set_terminate_blockers(settings.terminate_blockers);
  options.set_backup(settings.backup);
  options.set_backup_verification(settings.backup_verify);
  options.set_resume(settings.resume);
  options.set_skip_statement(settings.skip_statement);
  options.set_existing_objects(settings.existing_objects);
  options.set_schema_check(settings.schema_check);
  options.mutable_accept_checksums()->Add(settings.accept_checksums.begin(),
                                          settings.accept_checksums.end());
  options.set_plan_hash(settings.plan_hash);
  options.set_confirmation(settings.confirmation);
  options.set_lint(settings.lint);
  return options;
}

}  // namespace migctl
