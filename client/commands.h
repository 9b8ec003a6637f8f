// What each command does: asks the server and reports.
#pragma once

#include <string>

#include "client/exit_code.h"
#include "client/interrupts.h"
#include "client/invocation.h"
#include "client/output.h"
#include "migration_client/connection.h"

namespace migctl {

using migration_client::Connection;

// What a command works with. All of it must outlive the command.
struct Session {
  // As the user named it; may be empty.
  std::string database;
  Connection& connection;
  Output& output;
  Interrupts& interrupts;
};

// Runs `command` to its end, results and errors printed.
ExitCode Run(const Command& command, Session& session);

// The revisions in the files and in the version table.
ExitCode Run(const CurrentCommand& command, Session& session);
ExitCode Run(const HistoryCommand& command, Session& session);
ExitCode Run(const HeadsCommand& command, Session& session);
ExitCode Run(const BranchesCommand& command, Session& session);
ExitCode Run(const ShowCommand& command, Session& session);
ExitCode Run(const PlanCommand& command, Session& session);
// The plan, run in a scratch copy of the database's schema.
ExitCode Run(const RehearseCommand& command, Session& session);
// Blocks until the database is there, or the time is over.
ExitCode Run(const WaitCommand& command, Session& session);

// Whether all is well for an upgrade.
ExitCode Run(const CheckCommand& command, Session& session);
// What in the files would hurt a live system.
ExitCode Run(const LintCommand& command, Session& session);

// Whether the schema is what the files make.
ExitCode Run(const VerifyCommand& command, Session& session);

// What changes no database: a script, a new migration file.
ExitCode Run(const ScriptCommand& command, Session& session);
ExitCode Run(const ComposeCommand& command, Session& session);
ExitCode Run(const BaselineCommand& command, Session& session);

// Operations. Those that start or watch one block until it is over.
ExitCode Run(const UpgradeCommand& command, Session& session);
ExitCode Run(const DowngradeCommand& command, Session& session);
ExitCode Run(const StampCommand& command, Session& session);
ExitCode Run(const ListOperationsCommand& command, Session& session);
ExitCode Run(const ShowOperationCommand& command, Session& session);
ExitCode Run(const WatchOperationCommand& command, Session& session);
ExitCode Run(const CancelOperationCommand& command, Session& session);

// Another tool's migrations as migration files; no server is asked.
ExitCode Run(const ImportCommand& command, Session& session);

// Who calls, and what has been kept of the calls.
ExitCode Run(const WhoAmICommand& command, Session& session);
ExitCode Run(const ListAuditCommand& command, Session& session);
ExitCode Run(const VerifyAuditCommand& command, Session& session);

// The server and migctl themselves.
ExitCode Run(const HealthCommand& command, Session& session);
ExitCode Run(const VersionCommand& command, Session& session);

// Completion in shells.
ExitCode Run(const CompletionCommand& command, Session& session);
ExitCode Run(const CompleteCommand& command, Session& session);

}  // namespace migctl
