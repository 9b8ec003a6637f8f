#include "service/postgres/scratch_database.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <utility>
#include <vector>

#include "absl/random/random.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "service/base/errors.h"
#include "service/base/log.h"
#include "service/base/unique_fd.h"
#include "service/database/service_sql.h"
#include "service/postgres/database_options.h"
#include "service/postgres/embedded_cluster.h"
#include "service/postgres/postgres_programs.h"
#include "service/postgres/schema_copy.h"
#include "service/postgres/status_translation.h"
#include "service/postgres/temporary_files.h"

namespace migd {
namespace {

namespace fs = std::filesystem;

// Advisory locks that say that a scratch database is wanted: this and the key in its name. Next to
// that of the servers, in postgres_operation_store.cc.
constexpr int kScratchClass = kMutexClass + 2;

constexpr char kApplicationName[] = "migd scratch";
constexpr char kClusterPrefix[] = "migd-scratch-";
constexpr absl::Duration kSweepInterval = absl::Minutes(1);
// A cluster's directory is without its lock file for a moment.
constexpr absl::Duration kYoungest = absl::Minutes(1);

// The names of scratch databases whose lock nobody has, and that the role may drop. What is in
// pg_database was made after its lock was taken; pg_locks is read after it.
constexpr char kLeftovers[] = R"(
SELECT d.datname FROM pg_database d
WHERE d.datname ~ '^migd_scratch_[0-9]+_[0-9a-f]{8}$' AND pg_has_role(d.datdba, 'USAGE')
  AND NOT EXISTS (SELECT FROM pg_locks l
                  WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.classid = $1::oid
                    AND l.objid = ('x' || right(d.datname, 8))::bit(32)::bigint::oid))";

// Settings of the database (ALTER DATABASE), of the role in the database, and of the role, those
// that count more last.
constexpr char kSettings[] = R"(
SELECT split_part(entry, '=', 1), substr(entry, strpos(entry, '=') + 1),
       s.setdatabase = 0 AS is_the_roles_own
FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) AS entry
WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
  AND s.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = session_user))
ORDER BY s.setrole <> 0, s.setdatabase <> 0)";

struct Setting {
  std::string name;
  std::string value;
  // Of the role, wherever it connects to.
  bool is_the_roles_own;
};

// What a scratch database is to be like.
struct Model {
  int server_version = 0;
  std::string role;
  std::string database;
  bool may_create_databases = false;
  // In a scratch database.
  bool may_give_ownership = false;
  // Behind CREATE DATABASE: encoding and collation.
  std::string create_options;
  std::vector<Setting> settings;
  // Of the server, but for PostgreSQL's own.
  std::vector<std::string> roles;
  VersionTable version_table;

  int major() const { return server_version / 10000; }
};

absl::StatusOr<Model> ReadModel(PostgresDatabase& live) {
  return live.WithReader([&](PostgresSession& session) {
    return Translated(live.name(), [&]() -> absl::StatusOr<Model> {
      Model model;
      pqxx::nontransaction work(session.connection());
      const pqxx::row row = work.exec1(
          "SELECT rolname, rolcreatedb OR rolsuper, rolsuper OR NOT rolcreatedb, "
          "current_database() FROM pg_roles "
          "WHERE rolname = session_user");
      model.role = row[0].as<std::string>();
      model.may_create_databases = row[1].as<bool>();
      // In a private cluster it is a superuser.
      model.may_give_ownership = row[2].as<bool>();
      model.database = row[3].as<std::string>();
      model.server_version = session.connection().server_version();
      model.create_options = CreateOptionsOf(work);
      for (const pqxx::row setting : work.exec(kSettings)) {
        model.settings.push_back(
            {setting[0].as<std::string>(), setting[1].as<std::string>(), setting[2].as<bool>()});
      }
      for (const pqxx::row role :
           work.exec("SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1")) {
        model.roles.push_back(role[0].as<std::string>());
      }
      model.version_table = session.version_table();
      return model;
    });
  });
}

bool IsFatalToConnections(const std::string& setting) {
  return absl::EndsWith(setting, "_preload_libraries");
}

// Sets for `database` what the one that it stands for has set. FROM CURRENT spares the quoting,
// which depends on the kind of setting. What the role may not set is left out.
void CopySettings(Connection& connection, const std::string& database, const Model& model,
                  bool same_server) {
  for (const Setting& setting : model.settings) {
    if (same_server ? setting.is_the_roles_own : IsFatalToConnections(setting.name)) continue;
    try {
      pqxx::work work(connection);
      work.exec_params("SELECT set_config($1, $2, true)", setting.name, setting.value);
      work.exec(absl::StrCat(
          "ALTER DATABASE ", work.quote_name(database), " SET ",
          absl::StrContains(setting.name, '.') ? setting.name : work.quote_name(setting.name),
          " FROM CURRENT"));
      work.commit();
    } catch (const pqxx::sql_error& refused) {
      LogWarning("a setting is not the same in the scratch database",
                 {{"setting", setting.name}, {"problem", refused.what()}});
    }
  }
}

// Drops a database, with the sessions in it.
void DropDatabase(Connection& connection, const std::string& name) {
  pqxx::nontransaction work(connection);
  const std::string quoted = work.quote_name(name);
  if (connection.server_version() >= 130000) {
    work.exec(absl::StrCat("DROP DATABASE IF EXISTS ", quoted, " WITH (FORCE)"));
    return;
  }
  work.exec_params("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1",
                   name);
  work.exec(absl::StrCat("DROP DATABASE IF EXISTS ", quoted));
}

// A database like `live` in another place.
PostgresOptions OptionsFor(const PostgresDatabase& live, ConnectionOptions connection,
                           const Model& model) {
  PostgresOptions options = live.options();
  options.connection = std::move(connection);
  options.version_table = model.version_table;
  return options;
}

// One without migrations finds its version table's schema there, if it is not everybody's.
absl::Status MakeVersionTableSchema(PostgresDatabase& database, const Model& model) {
  const std::string& schema = model.version_table.schema;
  if (schema.empty() || schema == "public") return absl::OkStatus();
  return database.WithReader([&](PostgresSession& session) {
    return Translated(database.name(), [&] {
      pqxx::nontransaction work(session.connection());
      work.exec(absl::StrCat("CREATE SCHEMA IF NOT EXISTS ", work.quote_name(schema)));
      return absl::OkStatus();
    });
  });
}

class OnSameServer : public PostgresScratch {
 public:
  // `maker` has the lock of the database called `name`, which is made already.
  OnSameServer(PostgresDatabase& live, const Model& model, std::unique_ptr<PostgresSession> maker,
               std::string name)
      : live_(live), name_(std::move(name)), maker_(std::move(maker)) {
    ConnectionOptions connection = live.options().connection;
    connection["dbname"] = name_;
    database_ = std::make_unique<PostgresDatabase>(OptionsFor(live, connection, model));
  }

  ~OnSameServer() override {
    database_.reset();
    const auto drop = [&](PostgresSession& session) {
      return Translated(name_, [&] {
        DropDatabase(session.connection(), name_);
        return absl::OkStatus();
      });
    };
    absl::Status status = drop(*maker_);
    if (!status.ok()) {
      auto another = live_.ConnectForMaintenance(kApplicationName);
      status = another.ok() ? drop(**another) : another.status();
    }
    if (status.ok()) return;
    LogWarning("a scratch database is left for later",
               {{"database", name_}, {"problem", std::string(status.message())}});
  }

  PostgresDatabase& database() override { return *database_; }
  std::string description() const override {
    return absl::StrCat("database ", name_, " on the same server");
  }

 private:
  PostgresDatabase& live_;
  const std::string name_;
  std::unique_ptr<PostgresSession> maker_;
  std::unique_ptr<PostgresDatabase> database_;
};

// Takes the lock for a new name, and returns the name.
std::string TakeName(Connection& connection) {
  absl::BitGen random;
  pqxx::nontransaction work(connection);
  while (true) {
    const int key = absl::Uniform<int>(absl::IntervalClosed, random, 1, 0x7fffffff);
    const pqxx::row row =
        work.exec_params1("SELECT pg_try_advisory_lock($1, $2), extract(epoch FROM now())::bigint",
                          kScratchClass, key);
    if (row[0].as<bool>()) {
      return absl::StrFormat("migd_scratch_%d_%08x", row[1].as<int64_t>(), key);
    }
  }
}

absl::StatusOr<std::unique_ptr<PostgresScratch>> MakeOnSameServer(PostgresDatabase& live,
                                                                  const Model& model) {
  auto maker = live.ConnectForMaintenance(kApplicationName);
  if (!maker.ok()) return maker.status();
  try {
    Connection& connection = (*maker)->connection();
    std::string name = TakeName(connection);
    pqxx::nontransaction(connection)
        .exec(absl::StrCat("CREATE DATABASE ", connection.quote_name(name), model.create_options));
    // From here on the object drops it.
    auto scratch = std::make_unique<OnSameServer>(live, model, *std::move(maker), name);
    CopySettings(connection, name, model, /*same_server=*/true);
    return scratch;
  } catch (const pqxx::sql_error& refused) {
    return errors::ScratchUnavailable(
        refused.what(), "see that the server has room and that template0 can be copied");
  } catch (const pqxx::broken_connection& lost) {
    return errors::DatabaseUnavailable(live.name(), lost.what());
  }
}

class InPrivateCluster : public PostgresScratch {
 public:
  // `reason` is why it is there, as a clause.
  InPrivateCluster(std::string reason, std::unique_ptr<TemporaryFolder> directory,
                   std::unique_ptr<EmbeddedCluster> cluster, PostgresOptions options)
      : reason_(std::move(reason)),
        directory_(std::move(directory)),
        cluster_(std::move(cluster)),
        database_(std::make_unique<PostgresDatabase>(std::move(options))) {}

  PostgresDatabase& database() override { return *database_; }
  std::string description() const override {
    return absl::StrCat("a private cluster, as ", reason_);
  }

 private:
  const std::string reason_;
  // In the opposite order: the connections end, the server stops, its directory is removed.
  std::unique_ptr<TemporaryFolder> directory_;
  std::unique_ptr<EmbeddedCluster> cluster_;
  std::unique_ptr<PostgresDatabase> database_;
};

// The roles of the server by name, so that they can be granted things; the one that migrates may
// do all there, as nobody knows what it was granted elsewhere.
void MakeRoles(pqxx::transaction_base& work, const Model& model,
               const std::set<std::string>& absent) {
  std::set<std::string> present = absent;
  present.erase(model.role);
  for (const pqxx::row row : work.exec("SELECT rolname FROM pg_roles")) {
    present.insert(row[0].as<std::string>());
  }
  for (const std::string& role : model.roles) {
    if (present.count(role) == 0) work.exec(absl::StrCat("CREATE ROLE ", work.quote_name(role)));
  }
  work.exec(absl::StrCat("ALTER ROLE ", work.quote_name(model.role), " SUPERUSER LOGIN"));
}

// Why there must be a private cluster, which cannot be had.
absl::Status NoPrivateCluster(const Model& model, const ScratchNeeds& needs,
                              absl::string_view problem) {
  const std::string install =
      absl::StrCat("install PostgreSQL ", model.major(), "'s server programs beside migd");
  if (!needs.own_server.empty()) {
    return errors::ScratchUnavailable(
        absl::StrCat(needs.own_server, ", and a private cluster ", problem), install);
  }
  return errors::ScratchUnavailable(
      absl::StrCat("role ", model.role, " may not create databases, and a private cluster ",
                   problem),
      absl::StrCat("ALTER ROLE ", model.role, " CREATEDB; or ", install));
}

// As the database that it stands for is called, so that statements may name it; but for what a
// cluster has already.
std::string NameInPrivateCluster(const Model& model) {
  return model.database == "postgres" || absl::StartsWith(model.database, "template")
             ? "scratch"
             : model.database;
}

absl::StatusOr<std::unique_ptr<PostgresScratch>> MakeInPrivateCluster(
    PostgresDatabase& live, const Model& model, const ScratchNeeds& needs,
    const ScratchOptions& options) {
  EmbeddedOptions embedded;
  const FoundPrograms found =
      FindPostgresPrograms(options.program_directory, {"postgres", "initdb"});
  for (const PostgresProgram& programs : found.usable) {
    if (programs.major != model.major()) continue;
    embedded.program_directory = programs.directory;
    break;
  }
  if (embedded.program_directory.empty()) {
    return NoPrivateCluster(
        model, needs,
        absl::StrCat(
            "needs initdb and postgres of version ", model.major(), ", which are not found",
            found.silent.empty()
                ? ""
                : absl::StrCat(" (told no version: ", absl::StrJoin(found.silent, ", "), ")")));
  }
  auto directory = TemporaryFolder::Make(kClusterPrefix);
  if (!directory.ok()) return directory.status();
  embedded.directory = (*directory)->path();
  embedded.database = "postgres";
  embedded.user = options.user;
  embedded.durable = false;
  auto cluster = EmbeddedCluster::Start(embedded);
  if (!cluster.ok()) {
    return NoPrivateCluster(model, needs,
                            absl::StrCat("does not start: ", cluster.status().message()));
  }
  ConnectionOptions connection = (*cluster)->connection();
  const std::string name = NameInPrivateCluster(model);
  try {
    Connection maintenance(FormatConninfo(connection), live.options().connect_timeout);
    {
      pqxx::nontransaction work(maintenance);
      MakeRoles(work, model, needs.absent_roles);
      work.exec(absl::StrCat("CREATE DATABASE ", work.quote_name(name), model.create_options));
    }
    CopySettings(maintenance, name, model, /*same_server=*/false);
  } catch (const std::exception& refused) {
    return NoPrivateCluster(model, needs, absl::StrCat("cannot be set up: ", refused.what()));
  }
  connection["user"] = model.role;
  connection["dbname"] = name;
  const std::string reason =
      needs.own_server.empty() ? "the role may not create databases" : needs.own_server;
  return std::make_unique<InPrivateCluster>(reason, *std::move(directory), *std::move(cluster),
                                            OptionsFor(live, std::move(connection), model));
}

absl::StatusOr<std::unique_ptr<PostgresScratch>> Make(PostgresDatabase& live, const Model& model,
                                                      const ScratchNeeds& needs,
                                                      const ScratchOptions& options) {
  return model.may_create_databases && needs.own_server.empty()
             ? MakeOnSameServer(live, model)
             : MakeInPrivateCluster(live, model, needs, options);
}

// Whether a private cluster's server, which ends soon after its migd, has not ended yet.
bool HasServer(const fs::path& directory) {
  std::ifstream pid_file(directory / "data" / "postmaster.pid");
  int pid = 0;
  if (!(pid_file >> pid) || pid <= 1) return false;
  std::ifstream name(absl::StrCat("/proc/", pid, "/comm"));
  std::string program;
  return std::getline(name, program) && program == "postgres";
}

// Whether a directory is a private cluster of a process of ours that is gone.
bool IsLeftover(const fs::path& directory, uid_t cluster_user) {
  struct stat found = {};
  if (lstat(directory.c_str(), &found) != 0 || !S_ISDIR(found.st_mode) ||
      (found.st_uid != geteuid() && found.st_uid != cluster_user)) {
    return false;
  }
  const UniqueFd lock(open((directory / "lock").c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (lock.get() < 0) return absl::Now() - absl::TimeFromTimeval({found.st_mtime, 0}) > kYoungest;
  return flock(lock.get(), LOCK_EX | LOCK_NB) == 0 && !HasServer(directory);
}

int RemoveLeftClusters(const ScratchOptions& options) {
  const passwd* entry = geteuid() == 0 ? getpwnam(options.user.c_str()) : nullptr;
  const uid_t cluster_user = entry == nullptr ? geteuid() : entry->pw_uid;
  int removed = 0;
  std::error_code ignored;  // what cannot be removed now is tried again later
  for (const auto& found : fs::directory_iterator(TemporaryFolder::Parent(), ignored)) {
    if (!absl::StartsWith(found.path().filename().string(), kClusterPrefix)) continue;
    if (!IsLeftover(found.path(), cluster_user)) continue;
    fs::remove_all(found.path(), ignored);
    ++removed;
  }
  return removed;
}

}  // namespace

PostgresScratchSource::PostgresScratchSource(PostgresDatabase& live, ScratchOptions options)
    : live_(live), options_(std::move(options)) {}

PostgresScratchSource::~PostgresScratchSource() {
  EndBackground();
  if (sweeper_.joinable()) sweeper_.join();
}

void PostgresScratchSource::EndBackground() {
  MutexLock lock(mutex_);
  ending_ = true;
  changed_.NotifyAll();
}

absl::StatusOr<int> PostgresScratchSource::RemoveLeftovers() {
  int removed = RemoveLeftClusters(options_);
  const auto names = live_.WithReader([&](PostgresSession& session) {
    return Translated(live_.name(), [&]() -> absl::StatusOr<std::vector<std::string>> {
      std::vector<std::string> found;
      pqxx::nontransaction work(session.connection());
      for (const pqxx::row row : work.exec_params(kLeftovers, kScratchClass)) {
        found.push_back(row[0].as<std::string>());
      }
      return found;
    });
  });
  if (!names.ok()) return names.status();
  if (names->empty()) return removed;
  auto session = live_.ConnectForMaintenance(kApplicationName);
  if (!session.ok()) return session.status();
  for (const std::string& name : *names) {
    const absl::Status dropped = Translated(live_.name(), [&] {
      DropDatabase((*session)->connection(), name);
      return absl::OkStatus();
    });
    if (dropped.ok()) {
      LogInfo("dropped a scratch database that was left", {{"database", name}});
      ++removed;
    } else {
      LogWarning("a scratch database that was left cannot be dropped",
                 {{"database", name}, {"problem", std::string(dropped.message())}});
    }
  }
  return removed;
}

void PostgresScratchSource::KeepRemovingLeftovers() {
  sweeper_ = std::thread([this] {
    while (true) {
      // A database that cannot be asked is told by whoever wants something of it.
      RemoveLeftovers().status().IgnoreError();
      MutexLock lock(mutex_);
      const absl::Time next = absl::Now() + kSweepInterval;
      while (!ending_ && absl::Now() < next) changed_.WaitFor(mutex_, next - absl::Now());
      if (ending_) return;
    }
  });
}

absl::StatusOr<std::unique_ptr<PostgresScratch>> PostgresScratchSource::MakeBare() {
  const auto model = ReadModel(live_);
  if (!model.ok()) return model.status();
  RemoveLeftovers().status().IgnoreError();
  return Make(live_, *model, ScratchNeeds(), options_);
}

absl::StatusOr<std::unique_ptr<Scratch>> PostgresScratchSource::MakeEmpty(
    const ScratchNeeds& needs) {
  const auto model = ReadModel(live_);
  if (!model.ok()) return model.status();
  RemoveLeftovers().status().IgnoreError();
  auto scratch = Make(live_, *model, needs, options_);
  if (!scratch.ok()) return scratch;
  const absl::Status status = MakeVersionTableSchema((*scratch)->database(), *model);
  if (!status.ok()) return status;
  return scratch;
}

absl::StatusOr<std::unique_ptr<Scratch>> PostgresScratchSource::CopySchema(
    const ScratchNeeds& needs) {
  const auto model = ReadModel(live_);
  if (!model.ok()) return model.status();
  const DumpPrograms programs = FindDumpPrograms(options_.program_directory, model->server_version);
  if (!programs.found) return errors::ScratchUnavailable(programs.problem, programs.hint);
  RemoveLeftovers().status().IgnoreError();
  auto scratch = Make(live_, *model, needs, options_);
  if (!scratch.ok()) return scratch;
  const bool may_give_ownership = model->may_give_ownership || !needs.own_server.empty();
  const absl::Status status =
      migd::CopySchema(live_, (*scratch)->database(), *programs.found, may_give_ownership);
  if (!status.ok()) return status;
  return scratch;
}

absl::StatusOr<std::string> PostgresScratchSource::DumpSchema() {
  const auto model = ReadModel(live_);
  if (!model.ok()) return model.status();
  const DumpPrograms programs = FindDumpPrograms(options_.program_directory, model->server_version);
  if (!programs.found) return errors::BackupUnavailable(programs.problem, programs.hint);
  return migd::DumpSchema(live_, *programs.found, model->version_table);
}

}  // namespace migd
