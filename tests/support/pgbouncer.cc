#include "tests/support/pgbouncer.h"

#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/types/optional.h"
#include "tests/support/process.h"

namespace migd {
namespace {

[[noreturn]] void Abort(const std::string& problem) {
  std::cerr << "tests: pgbouncer: " << problem << std::endl;
  std::abort();
}

// Like PostgreSQL, it refuses to run as root.
absl::optional<ProcessUser> User() {
  if (geteuid() != 0) return absl::nullopt;
  const passwd* entry = getpwnam("postgres");
  if (entry == nullptr) Abort("there is no user postgres to run it as");
  return ProcessUser{"postgres", entry->pw_uid, entry->pw_gid};
}

// Debian has it in /usr/sbin, which the PATH of a user may lack.
std::string Program() {
  const char* path = std::getenv("PATH");
  const std::string directories = absl::StrCat(path == nullptr ? "" : path, ":/usr/sbin");
  for (const absl::string_view directory : absl::StrSplit(directories, ':')) {
    std::string program = absl::StrCat(directory, "/pgbouncer");
    if (access(program.c_str(), X_OK) == 0) return program;
  }
  Abort("it is not installed; ./dev test installs it");
}

std::string Contents(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

}  // namespace

PgBouncer::PgBouncer(const ConnectionOptions& server, const std::string& pool_mode)
    : connection_(server) {
  const auto user = User();
  if (user && chown(directory_.path().c_str(), user->uid, user->gid) != 0) Abort("chown failed");
  const std::string settings = directory_.Write(
      "pgbouncer.ini",
      absl::StrCat("[databases]\n* = host=", server.at("host"), " port=", server.at("port"),
                   " user=", server.at("user"),
                   "\n[pgbouncer]\nlisten_addr =\nunix_socket_dir = ", directory_.path(),
                   "\nauth_type = any\npool_mode = ", pool_mode, "\ndefault_pool_size = 1\n"));
  const std::string log = directory_.path() + "/log";
  auto started = ChildProcess::Start({Program(), settings}, log, user);
  if (!started.ok()) Abort(started.status().ToString());
  process_ = std::make_unique<ChildProcess>(*std::move(started));

  connection_["host"] = directory_.path();
  connection_["port"] = "6432";
  const std::string conninfo = FormatConninfo(connection_);
  const bool ready =
      Eventually([&] { return process_->Poll() || PQping(conninfo.c_str()) == PQPING_OK; });
  if (!ready || process_->Poll()) Abort(Contents(log));
}

PgBouncer::~PgBouncer() {
  process_->Signal(SIGTERM);  // at once, whoever is connected
  process_->WaitUntil(absl::Now() + kPatience);
}

}  // namespace migd
