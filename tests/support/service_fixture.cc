#include "tests/support/service_fixture.h"

#include <signal.h>

#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/support/catalogue_dump.h"

namespace migd {
namespace {

// With which a program ends that a sanitizer has something to say of; see CMakePresets.json.
constexpr int kSanitizerExitCode = 99;

// The row of a key in a migration's header.
std::string HeaderLine(absl::string_view key, const std::string& value) {
  return absl::StrCat("-- ", key, ":", value.empty() ? "" : " ", value, "\n");
}

// A dump has a random key in these two lines.
bool IsRandom(absl::string_view line) {
  return absl::StartsWith(line, "\\restrict") || absl::StartsWith(line, "\\unrestrict");
}

}  // namespace

std::string TextOf(const Migration& migration) {
  const std::string options = migration.options.empty() ? "" : " " + migration.options;
  return absl::StrCat(
      "-- message of ", migration.id, "\n--\n", HeaderLine("Revision ID", migration.id),
      HeaderLine("Revises", migration.revises), HeaderLine("Branch Labels", migration.labels),
      HeaderLine("Depends On", migration.depends_on), "\n", "-- migrate:up", options, "\n",
      migration.up, "\n\n-- migrate:down", options, "\n", migration.down, "\n");
}

Migd::Migd(const Arguments& arguments, const Environment& environment)
    : command_{{TestVariable("MIGD"), "--listen", address()}, environment} {
  command_.arguments.insert(command_.arguments.end(), arguments.begin(), arguments.end());
  Start();
}

void Migd::Start() {
  process_.emplace(command_);
  const bool answers = Eventually([this] {
    const auto health = RunCommand({{TestVariable("MIGCTL"), "--server", address(), "health"}});
    return health.exit_code == 0 || !process_->running();
  });
  if (!answers || !process_->running()) ADD_FAILURE() << "migd does not start:\n" << log();
}

void Migd::KillAndRestart() {
  process_->Signal(SIGKILL);
  process_->Wait();
  Start();
}

Migd::~Migd() {
  if (!process_->running()) return;  // how it ended is for the test to judge
  process_->Signal(SIGCONT);         // a test may have stopped it
  process_->Signal(SIGTERM);
  const Finished finished = process_->Wait();
  // What a sanitizer finds, such as that something was never freed when it stops.
  EXPECT_NE(finished.exit_code, kSanitizerExitCode) << finished.err;
}

std::string Migd::address() const { return absl::StrCat("unix:", directory_.path(), "/migd.sock"); }

std::string ServiceTest::VersionRows(const ConnectionOptions& of) {
  if (TestCluster::Query(of, "SELECT to_regclass('alembic_version')").empty()) {
    return "no table";
  }
  return TestCluster::Query(
      of, "SELECT string_agg(version_num, ',' ORDER BY version_num) FROM alembic_version");
}

std::string ServiceTest::Dump(const ConnectionOptions& of) {
  if (!TestCluster::HasPgDump()) return DumpByCatalogue(of);
  const Finished dump = RunCommand({{"pg_dump", "--exclude-schema=migration_service",
                                     absl::StrCat("--dbname=", TestCluster::Uri(of))}});
  EXPECT_EQ(dump.exit_code, 0) << dump.err;
  std::string sql;
  for (absl::string_view line : absl::StrSplit(dump.out, '\n')) {
    if (!IsRandom(line)) absl::StrAppend(&sql, line, "\n");
  }
  return sql;
}

bool ServiceTest::SomebodyWaitsForALock() const {
  return Eventually([this] {
    return Query(
               "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
               "AND wait_event_type = 'Lock'") != "0";
  });
}

void ServiceTest::Add(const Migration& migration) const {
  AddFile(absl::StrCat(migration.id, "_test.sql"), TextOf(migration));
}

void ServiceTest::AddFile(const std::string& name, const std::string& contents) const {
  directory_.Write("migrations/" + name, contents);
}

void ServiceTest::AddProjectMigrations() const {
  std::filesystem::copy(TestVariable("PROJECT_SOURCE") + "/migrations", migrations());
}

void ServiceTest::StartMigdWith(const Arguments& flags, const Environment& environment) {
  std::filesystem::create_directories(migrations());
  Arguments arguments = {"--database", TestCluster::Uri(database_), "--migrations", migrations()};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  migd_.emplace(arguments, environment);
}

void ServiceTest::StartMigdWithConfig(const std::string& path, const Environment& environment) {
  std::filesystem::create_directories(migrations());
  migd_.emplace(Arguments{"--config", path}, environment);
}

void ServiceTest::StartMigdOffline() {
  std::filesystem::create_directories(migrations());
  migd_.emplace(Arguments{"--offline", "--migrations", migrations()});
}

Migd& ServiceTest::migd() {
  if (!migd_) StartMigdWith({});
  return *migd_;
}

Command ServiceTest::MigctlCommand(const Arguments& arguments, const Environment& environment) {
  Command command{{TestVariable("MIGCTL")}, environment};
  command.environment.insert({"MIGCTL_SERVER", migd().address()});
  command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
  return command;
}

Finished ServiceTest::Migctl(const Arguments& arguments, const Environment& environment) {
  return RunCommand(MigctlCommand(arguments, environment));
}

std::string ServiceTest::Text(const Arguments& arguments) {
  const Finished finished = Migctl(arguments);
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  return finished.out;
}

Json ServiceTest::Object(const Arguments& arguments) {
  const Finished finished = Migctl(arguments, {{"MIGCTL_OUTPUT", "json"}});
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  return Json::Parse(finished.out);
}

std::vector<Json> ServiceTest::Events(const Arguments& arguments) {
  const Finished finished = Migctl(arguments, {{"MIGCTL_OUTPUT", "json"}});
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  return Json::ParseLines(finished.out);
}

Failure ServiceTest::FailureOf(const Arguments& arguments) {
  const Finished for_programs = Migctl(arguments, {{"MIGCTL_OUTPUT", "json"}});
  const Finished for_people = Migctl(arguments);
  EXPECT_NE(for_programs.exit_code, 0) << for_programs.out;
  EXPECT_EQ(for_programs.exit_code, for_people.exit_code) << for_programs.err << for_people.err;
  EXPECT_EQ(for_people.out, "");
  const Json error = Json::Parse(for_programs.err);
  EXPECT_EQ(error.keys(), std::set<std::string>{"error"}) << for_programs.err;
  return {for_programs.exit_code, error["error"], for_people.err};
}

std::vector<Json> OfKind(const std::vector<Json>& events, const std::string& kind) {
  std::vector<Json> matching;
  for (const Json& event : events) {
    if (event.Has(kind)) matching.push_back(event[kind]);
  }
  return matching;
}

}  // namespace migd
