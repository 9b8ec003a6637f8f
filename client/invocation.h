// What the user asked for: the command line and the environment as plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "migration/v1/operation.pb.h"
#include "migration_client/connect_options.h"

namespace migctl {

enum class OutputFormat { kText, kJson };
enum class ColorMode { kAuto, kAlways, kNever };

// The options that every command takes.
struct GlobalOptions {
  std::string server = "127.0.0.1:7433";
  std::string database;
  OutputFormat output = OutputFormat::kText;
  // The deadline of the command. Unset: 30 s for a call that answers at once, none for a stream.
  std::optional<absl::Duration> timeout;
  ColorMode color = ColorMode::kAuto;
  // How the connection is encrypted; unset if it is not.
  std::optional<migration_client::TlsOptions> tls;
  // Who calls, at most one of both.
  std::string token;
  std::string token_file;
  // The trace that the calls belong to; empty if none.
  std::string traceparent;
};

// The options of the commands that start an operation. Unset durations leave it to the server.
struct RunSettings {
  std::optional<absl::Duration> lock_timeout;
  std::optional<absl::Duration> statement_timeout;
  std::optional<absl::Duration> mutex_timeout;
  std::optional<int> lock_retries;
  bool terminate_blockers = false;
  // What to do with a statement that an earlier run was cut off at; 0 skips none.
  bool resume = false;
  int skip_statement = 0;
  // Run this plan or none; any if empty.
  std::string plan_hash;
  // The caller may make the very same call again, and has given it a request_id for that.
  bool is_repeatable = false;
  // What the plan destroys may be destroyed: by the token that the server gave for it, or whatever
  // it is.
  std::string confirmation;
  bool yes = false;
  // When a backup is made, and how it is verified, at least.
  migration::v1::BackupMode backup = migration::v1::BACKUP_MODE_UNSPECIFIED;
  migration::v1::BackupVerification backup_verify = migration::v1::BACKUP_VERIFICATION_UNSPECIFIED;
  // Return as soon as the operation is accepted.
  bool detach = false;
  // A UUID; never empty after parsing.
  std::string request_id;
  // What becomes of objects that are there already (upgrade), and whether the schema is compared
  // (upgrade and stamp).
  migration::v1::ExistingObjects existing_objects = migration::v1::EXISTING_OBJECTS_UNSPECIFIED;
  migration::v1::SchemaCheck schema_check = migration::v1::SCHEMA_CHECK_UNSPECIFIED;
  // Upgrade only: revisions whose files are accepted as they are.
  std::vector<std::string> accept_checksums;
  // What lint may stop. Upgrade and downgrade only.
  migration::v1::LintGate lint = migration::v1::LINT_GATE_UNSPECIFIED;
};

struct CurrentCommand {
  bool check_heads = false;
  bool verbose = false;
};

// What `history` prints instead of JSON: a listing, or a diagram for a document.
enum class HistoryFormat { kText, kDot, kMermaid };

struct HistoryCommand {
  std::string range;
  std::vector<std::string> from;
  // At most this many revisions; 0 for all.
  int limit = 0;
  bool verbose = false;
  // Mark the rows of the version table, in a diagram all that is applied; fail if the database
  // cannot tell.
  bool indicate_current = false;
  HistoryFormat format = HistoryFormat::kText;
};

struct HeadsCommand {
  bool resolve_dependencies = false;
  bool verbose = false;
};

struct BranchesCommand {
  bool verbose = false;
};

struct ShowCommand {
  std::string revision;
};

struct CheckCommand {
  // The ids of the heads that there are to be; any one if empty.
  std::vector<std::string> heads;
  migration::v1::LintGate lint = migration::v1::LINT_GATE_UNSPECIFIED;
  // Pending revisions are no failure.
  bool allow_pending = false;
};

struct VerifyCommand {
  // Only these; all if empty.
  std::vector<std::string> schemas;
  // Patterns of what is left out.
  std::vector<std::string> ignore;
};

// What `lint` prints instead of the protobuf JSON of --output json.
enum class LintFormat { kText, kJson, kSarif, kGitHub };

struct LintCommand {
  // Revisions and ranges; those that the database does not have if empty.
  std::vector<std::string> revisions;
  bool all = false;
  LintFormat format = LintFormat::kText;
  // List the rules instead.
  bool lists_rules = false;
  // Propose the files in their safe form, and write them.
  bool fix = false;
  bool write = false;
  // Where this machine has the migration files.
  std::string directory;
};

struct WaitCommand {
  // Empty: the heads.
  std::string revision;
  // How long to wait; without end if unset; zero looks once.
  std::optional<absl::Duration> patience;
  // Fail the check if the database is at a revision that no file has.
  bool require_known = false;
};

struct PlanCommand {
  migration::v1::Action action = migration::v1::ACTION_UPGRADE;
  std::vector<std::string> targets;
  std::vector<std::string> from;
  bool purge = false;
};

// plan with --rehearse: runs the plan in a scratch copy.
struct RehearseCommand {
  migration::v1::Action action = migration::v1::ACTION_UPGRADE;
  std::string target;
  // Not back and forth again.
  bool one_way = false;
};

struct UpgradeCommand {
  std::string target;
  RunSettings run;
};

struct DowngradeCommand {
  std::string target;
  RunSettings run;
};

struct StampCommand {
  std::vector<std::string> targets;
  bool purge = false;
  RunSettings run;
};

// upgrade, downgrade or stamp with --sql: prints the script instead.
struct ScriptCommand {
  migration::v1::Action action = migration::v1::ACTION_UPGRADE;
  std::vector<std::string> targets;
  std::vector<std::string> from;
  RunSettings run;
};

// revision and merge: a new migration file.
struct ComposeCommand {
  std::string message;
  std::vector<std::string> heads;
  bool splice = false;
  bool merge = false;
  std::vector<std::string> branch_labels;
  std::vector<std::string> depends_on;
  // Empty for a random one.
  std::string revision;
  // Where the file is saved.
  std::string directory;
};

// baseline: the first migration file, from a database.
struct BaselineCommand {
  std::string message;
  // Empty for a random one.
  std::string revision;
  std::vector<std::string> branch_labels;
  // Where the file is saved.
  std::string directory;
};

struct ListOperationsCommand {
  std::vector<migration::v1::Operation::State> states;
  int limit = 20;
};

struct ShowOperationCommand {
  std::string operation;
};

struct WatchOperationCommand {
  // Empty: all of them.
  std::string operation;
  int64_t after_sequence = 0;
};

struct CancelOperationCommand {
  std::string operation;
};

struct ImportCommand {
  // alembic, flyway, golang-migrate, goose or dbmate.
  std::string peer;
  // The peer's directory; for Alembic also its ini file.
  std::string directory;
  // Where the migration files go.
  std::string migrations;
  // Files of the peer that are left out.
  std::vector<std::string> skip;
  bool dry_run = false;
  // The program.
  std::string alembic = "alembic";
};

struct WhoAmICommand {};

struct ListAuditCommand {
  // Only the entries of this principal; all if empty.
  std::string principal;
  int limit = 50;
};

struct VerifyAuditCommand {
  // An entry that is known to have been there: its number, 0 for none, and its hash.
  int64_t known_number = 0;
  std::string known_hash;
};

struct HealthCommand {
  std::string service;
};

struct VersionCommand {};

// Prints the completion script of a shell.
struct CompletionCommand {
  // bash, zsh or fish.
  std::string shell;
};

// Hidden: what the completion scripts ask.
struct CompleteCommand {
  // The words behind "migctl" as far as the cursor; the last one, which may be empty, is completed.
  std::vector<std::string> words;
  // The options of the connection in `words` were understood.
  bool may_ask_server = false;
};

using Command =
    std::variant<CurrentCommand, HistoryCommand, HeadsCommand, BranchesCommand, ShowCommand,
                 WaitCommand, CheckCommand, VerifyCommand, LintCommand, PlanCommand,
                 RehearseCommand, UpgradeCommand, DowngradeCommand, StampCommand, ScriptCommand,
                 ComposeCommand, BaselineCommand, ListOperationsCommand, ShowOperationCommand,
                 WatchOperationCommand, CancelOperationCommand, ImportCommand, WhoAmICommand,
                 ListAuditCommand, VerifyAuditCommand, HealthCommand, VersionCommand,
                 CompletionCommand, CompleteCommand>;

struct Invocation {
  GlobalOptions global;
  Command command;
};

}  // namespace migctl
