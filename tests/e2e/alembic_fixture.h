// The real Alembic beside this service: one database, and the same revisions in the files of both.
// Needs Debian's packages alembic and python3-psycopg2.
#pragma once

#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/support/service_fixture.h"

namespace migd {

class AlembicTest : public ServiceTest {
 protected:
  void SetUp() override {
    ASSERT_EQ(access(kAlembic, X_OK), 0)
        << kAlembic << " is missing: apt-get install alembic python3-psycopg2";
    directory().Write(
        "alembic.ini",
        absl::StrCat("[alembic]\nscript_location = ", directory().path(), "/alembic\n"));
    directory().Write("alembic/env.py", kEnvironmentScript);
  }

  // Adds a revision for both programs. Its sections are one statement each, without a semicolon;
  // they may be empty.
  void AddToBoth(Migration migration) {
    directory().Write(
        absl::StrCat("alembic/versions/", migration.id, "_test.py"),
        absl::StrCat("'''message of ", migration.id, "'''\nfrom alembic import op\nrevision = '",
                     migration.id, "'\ndown_revision = ", Tuple(migration.revises),
                     "\nbranch_labels = ", Tuple(migration.labels), "\ndepends_on = ",
                     Tuple(migration.depends_on), "\ndef upgrade(): ", Execution(migration.up),
                     "\ndef downgrade(): ", Execution(migration.down), "\n"));
    if (!migration.up.empty()) migration.up += ";";
    if (!migration.down.empty()) migration.down += ";";
    Add(migration);
  }

  // What Alembic prints to stdout.
  std::string Alembic(const Arguments& arguments) {
    Command command{
        {kAlembic, "--config", directory().path() + "/alembic.ini"},
        {{"MIGRATED_DATABASE", TestCluster::Uri(database())}, {"PYTHONDONTWRITEBYTECODE", "1"}}};
    command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
    const Finished finished = RunCommand(command);
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    return finished.out;
  }

 private:
  static constexpr char kAlembic[] = "/usr/bin/alembic";

  static constexpr char kEnvironmentScript[] = R"(
import os
from alembic import context
from sqlalchemy import create_engine

with create_engine(os.environ["MIGRATED_DATABASE"]).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
)";

  // "a, b" as Python's ('a', 'b',).
  static std::string Tuple(const std::string& names) {
    if (names.empty()) return "None";
    std::string tuple = "(";
    for (const std::string& name : std::vector<std::string>(absl::StrSplit(names, ", "))) {
      absl::StrAppend(&tuple, "'", name, "', ");
    }
    return absl::StrCat(tuple, ")");
  }

  static std::string Execution(const std::string& statement) {
    return statement.empty() ? "pass" : absl::StrCat("op.execute('", statement, "')");
  }
};

}  // namespace migd
