// migd: flags -> configuration -> wiring. The only place where all parts meet.

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "service/base/errors.h"
#include "service/base/log.h"
#include "service/base/mutex.h"
#include "service/config.h"
#include "service/flags.h"
#include "service/monitor/monitor.h"
#include "service/operation/operation_manager.h"
#include "service/postgres/embedded_cluster.h"
#include "service/postgres/postgres_audit_store.h"
#include "service/postgres/postgres_backup.h"
#include "service/postgres/postgres_database.h"
#include "service/postgres/postgres_operation_store.h"
#include "service/postgres/scratch_database.h"
#include "service/reload.h"
#include "service/rpc/catalog.h"
#include "service/rpc/server.h"
#include "service/rpc/watchdog.h"
#include "service/service_manager.h"
#include "service/version.h"

namespace migd {
namespace {

// The embedded cluster's database, and the name of the one that is none, if no name is given.
constexpr char kDefaultName[] = "app";

// What comes after the grace of operations is over in a few seconds, and takes so long at most.
constexpr absl::Duration kLongestStop = absl::Seconds(20);
// To end as a process.
constexpr absl::Duration kEnd = absl::Seconds(5);

// What the main thread waits for: to be told to stop or to read the configuration anew, or that the
// embedded server has ended.
sigset_t AwaitedSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  sigaddset(&signals, SIGCHLD);
  return signals;
}

void LogGrpc(gpr_log_func_args* args) {
  if (args->severity == GPR_LOG_SEVERITY_ERROR) LogWarning("grpc", {{"problem", args->message}});
}

absl::StatusOr<ConnectionOptions> ConnectionOf(const DatabaseConfig& config) {
  auto options = ParseConninfo(config.url);
  if (!options.ok() || config.password_file.empty()) return options;
  std::ifstream file(config.password_file);
  std::string password;
  if (!std::getline(file, password)) {
    return errors::InvalidRequest("password_file",
                                  absl::StrCat("cannot read ", config.password_file));
  }
  (*options)["password"] = std::string(absl::StripAsciiWhitespace(password));
  return options;
}

// Directories are shared: two databases with one directory read its files once.
class ScriptDirectories {
 public:
  std::shared_ptr<ScriptDirectory> Get(const std::string& path) {
    auto& directory = directories_[path];
    if (directory == nullptr) directory = std::make_shared<ScriptDirectory>(path);
    return directory;
  }

 private:
  std::map<std::string, std::shared_ptr<ScriptDirectory>> directories_;
};

// Everything that serves, in the order in which it is made; it ends in the opposite order.
struct Parts {
  std::unique_ptr<EmbeddedCluster> cluster;
  std::unique_ptr<Catalog> catalog;
  std::unique_ptr<OperationManager> operations;
  // Null without --metrics-listen.
  std::unique_ptr<Monitor> monitor;
  std::unique_ptr<Server> server;
  // Null where nobody watches over this process.
  std::unique_ptr<Watchdog> watchdog;
};

ScratchOptions ScratchOptionsOf(const Config& config) {
  ScratchOptions options;
  options.program_directory = config.postgres_programs;
  if (config.embedded) options.user = config.embedded->user;
  return options;
}

ServerOptions ServerOptionsOf(const Config& config) {
  ServerOptions options;
  options.addresses = config.listen;
  options.insecure = config.insecure;
  options.tls = config.tls;
  options.authorization = config.authorization;
  options.limits = config.limits;
  return options;
}

absl::StatusOr<std::unique_ptr<Workspace>> MakeWorkspace(const Config& config,
                                                         const DatabaseConfig& database,
                                                         ScriptDirectories& directories,
                                                         const EmbeddedCluster* cluster) {
  auto workspace = std::make_unique<Workspace>();
  workspace->name = database.name;
  workspace->scripts = directories.Get(database.migrations);
  workspace->version_table = {database.version_table_schema, database.version_table};
  workspace->SetPolicy(PolicyOf(database));
  if (config.offline) {
    if (workspace->name.empty()) workspace->name = kDefaultName;
    return workspace;
  }
  PostgresOptions options;
  if (cluster != nullptr) {
    options.connection = cluster->connection();
  } else {
    auto connection = ConnectionOf(database);
    if (!connection.ok()) return connection.status();
    options.connection = *std::move(connection);
  }
  if (workspace->name.empty()) workspace->name = DatabaseName(options.connection);
  options.name = workspace->name;
  options.version_table = workspace->version_table;
  options.connect_timeout = database.connect_timeout;
  auto postgres = std::make_unique<PostgresDatabase>(std::move(options));
  workspace->operations = std::make_unique<PostgresOperationStore>(*postgres);
  workspace->audit = std::make_unique<PostgresAuditStore>(*postgres);
  auto scratch = std::make_unique<PostgresScratchSource>(*postgres, ScratchOptionsOf(config));
  scratch->KeepRemovingLeftovers();
  workspace->backups = std::make_unique<PostgresBackupMaker>(
      *postgres, *scratch,
      BackupOptions{database.backup_dir, database.backup_keep, config.postgres_programs,
                    NameOfServer()});
  workspace->scratch = std::move(scratch);
  workspace->database = std::move(postgres);
  return workspace;
}

// Who may see metrics and the status page: whoever has the token of their own, if there is one, or
// may read every database.
ViewerCheck ViewersOf(const Config& config, const Server& server) {
  if (!config.metrics_token_file.empty()) return {TokenOfFile(config.metrics_token_file)};
  return {[&server](absl::string_view token) { return server.MayReadAll(token); },
          [&server] { return server.is_open(); }};
}

std::unique_ptr<Monitor> MakeMonitor(const Config& config) {
  MonitorOptions options;
  options.address = config.metrics_listen;
  options.allow_network = config.insecure || config.metrics_tls;
  options.use_tls = config.metrics_tls;
  options.version = kVersion;
  return std::make_unique<Monitor>(std::move(options));
}

// Says so if there is nothing that could be migrated to: with a directory that was not mounted, or
// mistyped, every gate that asks for the head would be open.
void WarnWithoutFiles(const Workspace& workspace) {
  const auto count = workspace.scripts->CountFiles();
  if (count.ok() && *count > 0) return;
  const LogFields place = {{"database", workspace.name}, {"migrations", workspace.scripts->path()}};
  if (count.ok()) return LogWarning("there are no migration files", place);
  LogFields fields = place;
  fields.push_back({"problem", std::string(count.status().message())});
  LogWarning("the migration files cannot be read", fields);
}

absl::StatusOr<Parts> Build(const Config& config) {
  Parts parts;
  if (config.embedded) {
    EmbeddedOptions options;
    options.directory = config.embedded->directory;
    options.user = config.embedded->user;
    options.program_directory = config.embedded->programs;
    options.database = config.databases[0].name.empty() ? kDefaultName : config.databases[0].name;
    auto cluster = EmbeddedCluster::Start(options);
    if (!cluster.ok()) return cluster.status();
    parts.cluster = *std::move(cluster);
  }
  ScriptDirectories directories;
  std::vector<std::unique_ptr<Workspace>> workspaces;
  for (const DatabaseConfig& database : config.databases) {
    auto workspace = MakeWorkspace(config, database, directories, parts.cluster.get());
    if (!workspace.ok()) return workspace.status();
    LogInfo("database", {{"name", (*workspace)->name}, {"migrations", database.migrations}});
    WarnWithoutFiles(**workspace);
    workspaces.push_back(*std::move(workspace));
  }
  parts.operations = std::make_unique<OperationManager>(config.operations);
  for (const auto& workspace : workspaces) parts.operations->Follow(*workspace);
  parts.catalog = std::make_unique<Catalog>(std::move(workspaces));
  if (!config.metrics_listen.empty()) parts.monitor = MakeMonitor(config);
  ServerOptions options = ServerOptionsOf(config);
  if (parts.monitor != nullptr) options.observer = &parts.monitor->calls();
  auto server = Server::Start(options, *parts.catalog, *parts.operations);
  if (!server.ok()) return server.status();
  parts.server = *std::move(server);
  if (parts.monitor == nullptr) return parts;
  const absl::Status started =
      parts.monitor->Start(*parts.catalog, *parts.operations, parts.server->announcements(),
                           ViewersOf(config, *parts.server), parts.server->tls());
  if (!started.ok()) return started;
  return parts;
}

// The databases that a configuration has: rules may name those that come with a restart only.
std::set<std::string> NamesOf(const Config& config, const Catalog& catalog) {
  std::set<std::string> names;
  for (const DatabaseConfig& database : config.databases) {
    if (!database.name.empty()) names.insert(database.name);
  }
  if (!names.empty()) return names;
  // The one of the flags, whose name is that of its PostgreSQL database.
  for (const Workspace* workspace : catalog.workspaces()) names.insert(workspace->name);
  return names;
}

// Reads the configuration anew, and applies what can be applied while migd serves. One that has a
// mistake changes nothing.
void Reload(const Config& running, const std::function<CommandLine()>& read, const Parts& parts) {
  NotifyReloading();
  const CommandLine fresh = read();
  const absl::Status admission = fresh.config
                                     ? parts.server->Reload(fresh.config->authorization,
                                                            NamesOf(*fresh.config, *parts.catalog))
                                     : absl::OkStatus();
  const std::string problem = fresh.config ? std::string(admission.message()) : fresh.problem;
  if (!problem.empty()) {
    LogError("the configuration was not read anew: it has a mistake; what was read before holds",
             {{"problem", problem}});
  } else {
    ApplyPolicies(*fresh.config, *parts.catalog);
    for (const std::string& setting : SettingsThatNeedARestart(running, *fresh.config)) {
      LogWarning("takes effect with a restart only", {{"setting", setting}});
    }
    LogInfo("the configuration was read anew");
  }
  NotifyReady();
}

// Ends the process (1) if stopping does not come to an end: what waits for a PostgreSQL that took a
// question and has frozen cannot be told to stop. Operations that were under way are taken up like
// those of a server that was killed.
class LastResort {
 public:
  ~LastResort() {
    {
      MutexLock lock(mutex_);
      is_over_ = true;
      changed_.NotifyAll();
    }
    if (thread_.joinable()) thread_.join();
  }

  // Once.
  void Arm(absl::Duration limit) {
    thread_ = std::thread([this, deadline = absl::Now() + limit] {
      MutexLock lock(mutex_);
      while (!is_over_ && absl::Now() < deadline) changed_.WaitFor(mutex_, deadline - absl::Now());
      if (is_over_) return;
      LogError("stopping takes too long; what is left of this process is ended");
      std::_Exit(1);
    });
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool is_over_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

// Lets systemd know, if it wants to, that this process lives as long as `answers` says so.
std::unique_ptr<Watchdog> NewWatchdog(std::function<bool(absl::Duration)> answers) {
  const absl::Duration timeout = WatchdogTimeout();
  if (timeout <= absl::ZeroDuration()) return nullptr;
  return std::make_unique<Watchdog>(timeout, std::move(answers), NotifyAlive);
}

// Serves until a signal says to stop (0) or the embedded server ends by itself (1).
int ServeUntilStopped(const Config& config, const std::function<CommandLine()>& read,
                      const sigset_t& signals, Parts& parts, LastResort& last_resort) {
  int exit_code = 0;
  int received = SIGCHLD;
  while ((received == SIGCHLD || received == SIGHUP) && exit_code == 0) {
    sigwait(&signals, &received);
    if (received == SIGHUP) Reload(config, read, parts);
    if (received == SIGCHLD && parts.cluster != nullptr && !parts.cluster->running()) exit_code = 1;
  }
  const absl::Duration grace = exit_code == 0 ? config.shutdown_grace : absl::ZeroDuration();
  last_resort.Arm(grace + kLongestStop);
  // What stops answers less and less. systemd expects signs of life no more once it knows that, but
  // one that comes later would make it expect the next.
  parts.watchdog.reset();
  NotifyStopping(grace + kLongestStop + kEnd);
  if (exit_code == 0) {
    LogInfo("stopping", {{"signal", strsignal(received)}});
  } else {
    LogError("the embedded PostgreSQL has ended; see postgres.log in its directory");
  }
  if (parts.monitor != nullptr) parts.monitor->SetDraining();
  parts.server->Shutdown(grace);
  if (parts.monitor != nullptr) parts.monitor->Stop();
  LogInfo("stopped");
  return exit_code;
}

// As many descriptors as the system allows: each connection is one.
void RaiseDescriptorLimit() {
  rlimit descriptors = {};
  if (getrlimit(RLIMIT_NOFILE, &descriptors) != 0) return;
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);
}

int Fail(const absl::Status& status) {
  const migration::v1::Error error = errors::ToProto(status);
  std::cerr << "migd: " << error.message() << "\n";
  if (!error.hint().empty()) std::cerr << "hint: " << error.hint() << "\n";
  return 1;
}

int Main(int argc, const char* const* argv) {
  const CommandLine command_line = ReadCommandLine(argc, argv);
  if (!command_line.problem.empty()) {
    std::cerr << "migd: " << command_line.problem << "\nTry: migd --help\n";
  }
  if (!command_line.config) return command_line.exit_code;
  // Before the first thread, so that all inherit it: the signals are for the wait below.
  const sigset_t signals = AwaitedSignals();
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  gpr_set_log_function(LogGrpc);
  SetLogFormat(command_line.config->log_format);
  // It tells of each malformed message that somebody sends.
  google::protobuf::SetLogHandler(nullptr);
  RaiseDescriptorLimit();

  // Outlives the parts, whose end it bounds.
  LastResort last_resort;
  auto parts = Build(*command_line.config);
  if (!parts.ok()) return Fail(parts.status());
  for (const std::string& address : parts->server->addresses()) {
    LogInfo("listening", {{"address", address}, {"version", kVersion}});
  }
  if (parts->monitor != nullptr) {
    LogInfo("listening for metrics", {{"address", parts->monitor->address()}});
  }
  NotifyReady();
  parts->watchdog = NewWatchdog(
      [&server = *parts->server](absl::Duration patience) { return server.Answers(patience); });
  return ServeUntilStopped(
      *command_line.config, [&] { return ReadCommandLine(argc, argv); }, signals, *parts,
      last_resort);
}

}  // namespace
}  // namespace migd

int main(int argc, char** argv) { return migd::Main(argc, argv); }
