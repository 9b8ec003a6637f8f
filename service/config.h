// What migd is told at its start, whether by flags, the environment, or a file.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "service/access/certificates.h"
#include "service/access/policy.h"
#include "service/base/log.h"
#include "service/execute/workspace.h"
#include "service/operation/database_operations.h"
#include "service/rpc/limits.h"

namespace migd {

// What is demanded of operations if nothing is said.
Policy UsualPolicy();

// A database to migrate.
struct DatabaseConfig {
  // The name that requests use. Empty: the name of the PostgreSQL database.
  std::string name;
  // As libpq takes it; empty: the PG* environment.
  std::string url;
  // A file with the password, if the URL has none. Read at start.
  std::string password_file;
  std::string migrations = "./migrations";
  std::string version_table = "alembic_version";
  std::string version_table_schema;
  // Nothing that destroys data is run, unless `destructive` says otherwise.
  bool is_protected = false;
  // Unset: confirm; on a protected database refuse.
  absl::optional<DestructivePolicy> destructive;
  // All but its `destructive`; see PolicyOf.
  Policy policy = UsualPolicy();
  absl::Duration connect_timeout = absl::Seconds(10);
  std::string backup_dir;
  int backup_keep = 10;
};

// A private cluster for the one database.
struct EmbeddedConfig {
  std::string directory;
  std::string user = "postgres";
  std::string programs;
};

// Everything.
struct Config {
  std::vector<DatabaseConfig> databases;
  absl::optional<EmbeddedConfig> embedded;
  bool offline = false;
  // Where pg_dump, pg_restore and, for scratch databases, initdb and postgres are; empty: looked
  // for.
  std::string postgres_programs;
  std::vector<std::string> listen;
  bool insecure = false;
  // Where metrics, probes and the status page are; empty: nowhere.
  std::string metrics_listen;
  // They are encrypted with the certificate of `tls`.
  bool metrics_tls = false;
  // A file with the token that they need; empty: none.
  std::string metrics_token_file;
  LogFormat log_format = LogFormat::kText;
  absl::optional<TlsOptions> tls;
  // From a file only.
  absl::optional<AccessPolicy> authorization;
  Limits limits;
  absl::Duration shutdown_grace = absl::Seconds(30);
  OperationSettings operations;
};

// All that `database` demands of operations on it.
Policy PolicyOf(const DatabaseConfig& database);

// Reads a timeout, such as 500ms, 2s or 0; false if `text` is none, or if PostgreSQL, which counts
// in whole milliseconds and 32 bits, cannot keep it.
bool ParseTimeout(const std::string& text, absl::Duration& into);

// Reads `allow`, `confirm` or `refuse`; false if `text` is none of them.
bool ParseDestructive(const std::string& text, absl::optional<DestructivePolicy>& into);

// Reads the name of a setting of --backup and --backup-verify, such as before_destructive; false if
// it is none.
bool ParseBackupMode(const std::string& text, migration::v1::BackupMode& into);
bool ParseBackupVerification(const std::string& text, migration::v1::BackupVerification& into);

// Reads text or json; false if it is neither.
bool ParseLogFormat(const std::string& text, LogFormat& into);

// What is wrong with `tls`; "" for nothing. The files are not looked at.
std::string ProblemOfTls(const TlsOptions& tls);

// Reads what lint may stop: error, warn or off; false if `text` is none of these.
bool ParseLintGate(const std::string& text, migration::v1::LintGate& into);

// Reads the databases, `listen`, `insecure`, `tls`, `authorization`, `limits`, `metrics_listen`,
// `metrics_tls`, `metrics_token_file`, `log_format`, `shutdown_grace`, `takeover_after` and
// `postgres_programs` of a YAML file over `config`. InvalidRequest names the line of what is wrong:
// an unknown key, a value that is not of its form, a name given twice. README.md shows an example
// of everything.
absl::Status ReadConfigFile(const std::string& path, Config& config);

}  // namespace migd
