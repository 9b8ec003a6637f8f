// The base of the tests that drive the real programs, migd and migctl, from outside.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/types/optional.h"
#include "gtest/gtest.h"
#include "tests/support/json.h"
#include "tests/support/process.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_cluster.h"

namespace migd {

using Arguments = std::vector<std::string>;
using Environment = std::map<std::string, std::string>;

// A migration file.
struct Migration {
  std::string id;
  // Empty for a base; several are separated by commas, here and in the last two.
  std::string revises = "";
  std::string up = "";
  std::string down = "";
  // What follows `-- migrate:up` and `-- migrate:down`, such as "transaction:false".
  std::string options = "";
  std::string labels = "";
  std::string depends_on = "";
};

// What its file holds.
std::string TextOf(const Migration& migration);

// The line of a migration's file on which its `up` begins.
inline constexpr int kFirstLineOfUp = 9;

// A running migd that listens on a unix socket. Stops with this object.
class Migd {
 public:
  // Starts it with `arguments` besides --listen, and returns when it answers.
  explicit Migd(const Arguments& arguments, const Environment& environment = {});
  ~Migd();

  // As --server takes it.
  std::string address() const;
  // What it has printed so far.
  std::string log() const { return process_->out() + process_->err(); }
  Process& process() { return *process_; }
  // Kills it, as if the machine had failed, and starts it again in its place. What it had printed
  // is gone.
  void KillAndRestart();

 private:
  void Start();

  const TemporaryDirectory directory_;
  Command command_;
  absl::optional<Process> process_;
};

// How a command that failed told it.
struct Failure {
  int exit_code = 0;
  // The object `error` that --output json leaves on stderr.
  Json json;
  // What a person sees on stderr.
  std::string text;

  std::string reason() const { return json["reason"].text(); }
};

// A fresh database, an empty directory of migrations, and a migd for the two.
class ServiceTest : public ::testing::Test {
 protected:
  // --- The database ---
  const ConnectionOptions& database() const { return database_; }
  // As TestCluster::Query.
  std::string Query(const std::string& sql) const { return TestCluster::Query(database_, sql); }
  // The rows of a version table, comma-separated; "no table" if there is none.
  static std::string VersionRows(const ConnectionOptions& of);
  std::string VersionRows() const { return VersionRows(database_); }
  // Everything in a database but the service's own schema, as SQL, to see that nothing changed.
  static std::string Dump(const ConnectionOptions& of);
  std::string Dump() const { return Dump(database_); }
  // Waits until a session of the database waits for a lock.
  bool SomebodyWaitsForALock() const;

  // --- The migrations ---
  std::string migrations() const { return directory_.path() + "/migrations"; }
  void Add(const Migration& migration) const;
  void AddFile(const std::string& name, const std::string& contents) const;
  // Copies those of this repository.
  void AddProjectMigrations() const;

  // --- The programs ---
  // Flags for migd, before its first use.
  void StartMigdWith(const Arguments& flags, const Environment& environment = {});
  // The same with all that it is told in a file.
  void StartMigdWithConfig(const std::string& path, const Environment& environment = {});
  // The same without a database.
  void StartMigdOffline();
  // Started on first use.
  Migd& migd();
  // How to run migctl against migd().
  Command MigctlCommand(const Arguments& arguments, const Environment& environment = {});
  Finished Migctl(const Arguments& arguments, const Environment& environment = {});
  // What a command that succeeds leaves on stdout: its text, or with --output json, its object or
  // the events of its stream.
  std::string Text(const Arguments& arguments);
  Json Object(const Arguments& arguments);
  std::vector<Json> Events(const Arguments& arguments);
  // Runs a command that fails twice, for programs and for people.
  Failure FailureOf(const Arguments& arguments);
  // A directory that is empty at first but for `migrations`.
  const TemporaryDirectory& directory() const { return directory_; }

 private:
  const ConnectionOptions database_ = TestCluster::CreateDatabase();
  const TemporaryDirectory directory_;
  absl::optional<Migd> migd_;
};

// The events that have the field `kind`.
std::vector<Json> OfKind(const std::vector<Json>& events, const std::string& kind);

}  // namespace migd
