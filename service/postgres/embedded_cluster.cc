#include "service/postgres/embedded_cluster.h"

#include <fcntl.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "service/base/errors.h"
#include "service/base/log.h"
#include "service/postgres/connection.h"
#include "service/postgres/postgres_programs.h"
#include "service/postgres/status_translation.h"

namespace migd {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kStartTimeout = absl::Minutes(2);  // crash recovery included
constexpr absl::Duration kStopTimeout = absl::Seconds(60);
constexpr absl::Duration kPoll = absl::Milliseconds(10);
constexpr char kSuperuser[] = "postgres";
constexpr char kPort[] = "5432";  // names the socket; nothing listens on TCP

absl::Status Problem(const EmbeddedOptions& options, absl::string_view problem,
                     absl::string_view hint) {
  return errors::DatabaseUnsuitable(absl::StrCat("embedded in ", options.directory), problem, hint);
}

absl::optional<std::string> ReadFirstLine(const std::string& file) {
  std::ifstream in(file);
  std::string line;
  if (!std::getline(in, line)) return absl::nullopt;
  return line;
}

absl::StatusOr<absl::optional<ProcessUser>> UserFor(const EmbeddedOptions& options) {
  if (geteuid() != 0) return absl::optional<ProcessUser>();
  const passwd* entry = getpwnam(options.user.c_str());
  if (entry == nullptr || entry->pw_uid == 0) {
    return Problem(options,
                   absl::StrCat("PostgreSQL does not run as root, and there is no other user \"",
                                options.user, "\" to run it as"),
                   "run migd as another user, or name one with --embedded-user");
  }
  return absl::make_optional(ProcessUser{options.user, entry->pw_uid, entry->pw_gid});
}

absl::StatusOr<std::string> FindPrograms(const EmbeddedOptions& options, int major) {
  for (const std::string& directory : ProgramDirectories(options.program_directory, major)) {
    if (access(absl::StrCat(directory, "/initdb").c_str(), X_OK) == 0 &&
        access(absl::StrCat(directory, "/postgres").c_str(), X_OK) == 0) {
      return directory;
    }
  }
  return Problem(options,
                 major == 0 ? "the programs initdb and postgres are not installed"
                            : absl::StrCat("the cluster is of PostgreSQL ", major,
                                           ", whose programs are not installed"),
                 "install PostgreSQL's server (Debian: postgresql-15), or name the folder of its "
                 "programs with --embedded-programs");
}

// Makes a directory that only `user` can enter, or makes it so. Never follows a symbolic link: the
// directories in the cluster's own belong to a user who is not root.
absl::Status MakePrivateDirectory(const EmbeddedOptions& options, const std::string& directory,
                                  const absl::optional<ProcessUser>& user) {
  std::error_code error;
  fs::create_directories(fs::path(directory).parent_path(), error);
  if (!error && mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    error = std::error_code(errno, std::generic_category());
  }
  if (!error) {
    const UniqueFd opened(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (opened.get() < 0 || (user && fchown(opened.get(), user->uid, user->gid) != 0) ||
        fchmod(opened.get(), 0700) != 0) {
      error = std::error_code(errno, std::generic_category());
    }
  }
  if (!error) return absl::OkStatus();
  return Problem(options, absl::StrCat("cannot make ", directory, ": ", error.message()),
                 "name a directory that can be written with --embedded");
}

// A directory with other things in it is not taken over, nor given to another user.
absl::Status CheckDirectory(const EmbeddedOptions& options) {
  std::error_code ignored;  // what cannot be looked at fails with its reason when it is made
  const fs::path directory = options.directory;
  if (!fs::exists(directory, ignored) || fs::is_empty(directory, ignored) ||
      fs::exists(directory / "lock", ignored) || fs::exists(directory / "data", ignored) ||
      fs::exists(directory / "data.new", ignored)) {
    return absl::OkStatus();
  }
  return Problem(options, "the directory has other files in it",
                 "name an empty directory, or one that does not exist yet, with --embedded");
}

// Takes the lock that keeps two processes out of one directory; it ends with the descriptor.
absl::StatusOr<UniqueFd> LockDirectory(const EmbeddedOptions& options) {
  const std::string file = absl::StrCat(options.directory, "/lock");
  UniqueFd lock(open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (lock.get() < 0) {
    return Problem(options, absl::StrCat("cannot write ", file, ": ", std::strerror(errno)),
                   "name a directory that can be written with --embedded");
  }
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return Problem(options, "another migd uses this directory",
                   "stop it, or name another directory with --embedded");
  }
  return lock;
}

absl::Status RunToEnd(const EmbeddedOptions& options, const std::vector<std::string>& arguments,
                      const absl::optional<ProcessUser>& user, const std::string& log) {
  auto child = ChildProcess::Start(arguments, log, user);
  if (!child.ok()) return child.status();
  const auto status = child->WaitUntil(absl::Now() + kStartTimeout);
  if (!status) child->Signal(SIGKILL);
  if (status && *status == 0) return absl::OkStatus();
  return Problem(options, absl::StrCat(arguments[0], " failed; its output ends with:", TailOf(log)),
                 "see that the user that PostgreSQL runs as can reach the directory and that the "
                 "disk has room");
}

// Makes the cluster. Under another name first: a directory called `data` is always whole.
absl::Status InitializeCluster(const EmbeddedOptions& options, const std::string& programs,
                               const absl::optional<ProcessUser>& user, const std::string& data,
                               const std::string& log) {
  const std::string unfinished = absl::StrCat(data, ".new");
  std::error_code error;
  fs::remove_all(unfinished, error);
  absl::Status status = MakePrivateDirectory(options, unfinished, user);
  if (!status.ok()) return status;
  std::vector<std::string> arguments = {
      absl::StrCat(programs, "/initdb"), "--pgdata", unfinished, "--username", kSuperuser,
      // Who can enter the socket's directory may connect.
      "--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8"};
  if (!options.durable) arguments.push_back("--no-sync");
  status = RunToEnd(options, arguments, user, log);
  if (!status.ok()) return status;
  fs::rename(unfinished, data, error);
  if (!error) return absl::OkStatus();
  return Problem(options, absl::StrCat("cannot rename ", unfinished, ": ", error.message()), "");
}

// A server whose migd was killed stops by itself; its cluster can be used when it is gone.
absl::Status WaitForOldServer(const EmbeddedOptions& options, const std::string& data) {
  const auto line = ReadFirstLine(absl::StrCat(data, "/postmaster.pid"));
  pid_t pid = 0;
  if (!line || !absl::SimpleAtoi(*line, &pid) || pid <= 1) return absl::OkStatus();
  const auto program = ReadFirstLine(absl::StrCat("/proc/", pid, "/comm"));
  if (!program || *program != "postgres") return absl::OkStatus();
  const absl::Time deadline = absl::Now() + kStopTimeout;
  while (kill(pid, 0) == 0 && absl::Now() < deadline) absl::SleepFor(kPoll);
  if (kill(pid, 0) != 0) return absl::OkStatus();
  return Problem(options, absl::StrCat("PostgreSQL already runs here, as process ", pid),
                 "stop it (pg_ctl stop), or connect to it with --database");
}

// Where the socket goes: into the cluster's directory, unless the path of the socket would be too
// long for the kernel.
absl::StatusOr<std::pair<std::string, bool>> MakeSocketDirectory(
    const EmbeddedOptions& options, const absl::optional<ProcessUser>& user) {
  std::string directory = absl::StrCat(options.directory, "/run");
  constexpr size_t kLongest = sizeof(sockaddr_un::sun_path) - sizeof("/.s.PGSQL.5432.lock");
  const bool temporary = directory.size() > kLongest;
  if (temporary) {
    directory = "/tmp/migd-XXXXXX";
    if (mkdtemp(directory.data()) == nullptr) {
      return Problem(options, absl::StrCat("cannot make /tmp/migd-...: ", std::strerror(errno)),
                     "name a directory with a shorter path with --embedded");
    }
  }
  absl::Status status = MakePrivateDirectory(options, directory, user);
  if (!status.ok()) return status;
  return std::make_pair(directory, temporary);
}

std::vector<std::string> ServerArguments(const EmbeddedOptions& options,
                                         const std::string& programs, const std::string& data,
                                         const std::string& socket_directory) {
  std::map<std::string, std::string> settings = options.settings;
  settings["listen_addresses"] = "";
  settings["unix_socket_directories"] = socket_directory;
  settings["port"] = kPort;
  if (!options.durable) {
    settings["fsync"] = "off";
    settings["full_page_writes"] = "off";
    settings["synchronous_commit"] = "off";
  }
  std::vector<std::string> arguments = {absl::StrCat(programs, "/postgres"), "-D", data};
  for (const auto& [name, value] : settings) {
    arguments.push_back("-c");
    arguments.push_back(absl::StrCat(name, "=", value));
  }
  return arguments;
}

absl::Status WaitUntilReady(const EmbeddedOptions& options, ChildProcess& server,
                            const ConnectionOptions& connection, const std::string& log) {
  const std::string conninfo = FormatConninfo(connection);
  const absl::Time deadline = absl::Now() + kStartTimeout;
  while (PQping(conninfo.c_str()) != PQPING_OK) {
    if (server.Poll()) {
      return Problem(options, absl::StrCat("postgres ended; its log ends with:", TailOf(log)),
                     absl::StrCat("see ", log));
    }
    if (absl::Now() > deadline) {
      return Problem(options,
                     absl::StrCat("postgres does not become ready within ",
                                  absl::FormatDuration(kStartTimeout)),
                     absl::StrCat("see ", log));
    }
    absl::SleepFor(kPoll);
  }
  return absl::OkStatus();
}

absl::Status CreateDatabase(const EmbeddedOptions& options, const ConnectionOptions& connection) {
  return Translated(options.database, [&]() -> absl::Status {
    Connection maintenance(FormatConninfo(connection), kStartTimeout);
    pqxx::nontransaction work(maintenance);
    if (work.exec_params("SELECT FROM pg_database WHERE datname = $1", options.database).empty()) {
      work.exec(absl::StrCat("CREATE DATABASE ", maintenance.quote_name(options.database)));
    }
    return absl::OkStatus();
  });
}

std::string PercentEncoded(absl::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || absl::StrContains("/-_.~", absl::string_view(&c, 1))) {
      encoded += c;
    } else {
      absl::StrAppend(&encoded, "%", absl::Hex(byte, absl::kZeroPad2));
    }
  }
  return encoded;
}

}  // namespace

absl::StatusOr<std::unique_ptr<EmbeddedCluster>> EmbeddedCluster::Start(
    const EmbeddedOptions& given) {
  EmbeddedOptions options = given;
  std::error_code error;
  // A directory may be reached by a symbolic link; beneath it there are none.
  options.directory = fs::weakly_canonical(fs::absolute(given.directory), error).string();
  if (error) return Problem(given, error.message(), "name another directory with --embedded");
  while (options.directory.size() > 1 && options.directory.back() == '/') {
    options.directory.pop_back();
  }
  const auto user = UserFor(options);
  if (!user.ok()) return user.status();
  absl::Status status = CheckDirectory(options);
  if (status.ok()) status = MakePrivateDirectory(options, options.directory, *user);
  if (!status.ok()) return status;
  auto lock = LockDirectory(options);
  if (!lock.ok()) return lock.status();

  const std::string data = absl::StrCat(options.directory, "/data");
  const std::string log = absl::StrCat(options.directory, "/postgres.log");
  int major = 0;
  const auto version = ReadFirstLine(absl::StrCat(data, "/PG_VERSION"));
  if (version && !absl::SimpleAtoi(*version, &major)) major = 0;
  const auto programs = FindPrograms(options, major);
  if (!programs.ok()) return programs.status();
  if (!version) {
    LogInfo("making a PostgreSQL cluster", {{"directory", data}});
    status = InitializeCluster(options, *programs, *user, data, log);
  } else {
    status = WaitForOldServer(options, data);
  }
  if (!status.ok()) return status;

  const auto socket = MakeSocketDirectory(options, *user);
  if (!socket.ok()) return socket.status();
  const auto& [socket_directory, temporary] = *socket;
  auto server =
      ChildProcess::Start(ServerArguments(options, *programs, data, socket_directory), log, *user);
  if (!server.ok()) return server.status();
  ConnectionOptions connection = {
      {"host", socket_directory}, {"port", kPort}, {"user", kSuperuser}, {"dbname", "postgres"}};
  ConnectionOptions own = connection;
  own["dbname"] = options.database;
  // From here on the object stops the server, whatever goes wrong.
  std::unique_ptr<EmbeddedCluster> cluster(new EmbeddedCluster(
      *std::move(lock), socket_directory, temporary, std::move(own), *std::move(server)));
  status = WaitUntilReady(options, cluster->server_, connection, log);
  if (status.ok()) status = CreateDatabase(options, connection);
  if (!status.ok()) return status;
  std::ofstream(absl::StrCat(options.directory, "/uri")) << cluster->uri() << "\n";
  return cluster;
}

EmbeddedCluster::EmbeddedCluster(UniqueFd lock, std::string socket_directory,
                                 bool remove_socket_directory, ConnectionOptions connection,
                                 ChildProcess server)
    : lock_(std::move(lock)),
      socket_directory_(std::move(socket_directory)),
      remove_socket_directory_(remove_socket_directory),
      connection_(std::move(connection)),
      server_(std::move(server)) {}

EmbeddedCluster::~EmbeddedCluster() {
  server_.Signal(SIGINT);  // fast shutdown
  if (!server_.WaitUntil(absl::Now() + kStopTimeout)) {
    server_.Signal(SIGQUIT);  // immediate shutdown: recovers at the next start
    server_.WaitUntil(absl::Now() + kStopTimeout);
  }
  std::error_code ignored;  // a socket directory left in /tmp harms nobody
  if (remove_socket_directory_) fs::remove_all(socket_directory_, ignored);
}

std::string EmbeddedCluster::uri() const {
  return absl::StrCat(
      "postgresql://", connection_.at("user"), "@/", PercentEncoded(connection_.at("dbname")),
      "?host=", PercentEncoded(connection_.at("host")), "&port=", connection_.at("port"));
}

}  // namespace migd
