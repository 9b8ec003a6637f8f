// A database goes from Alembic to this service and back with nothing converted. Needs the real
// Alembic: Debian's packages alembic and python3-psycopg2.
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kAlembic[] = "/usr/bin/alembic";

constexpr char kEnvironmentScript[] = R"(
import os
from alembic import context
from sqlalchemy import create_engine

with create_engine(os.environ["MIGRATED_DATABASE"]).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
)";

// An Alembic project with the revisions that the migration files have too: aa10 <- bb20 <- cc30.
class AlembicTest : public ServiceTest {
 protected:
  void SetUp() override {
    ASSERT_EQ(access(kAlembic, X_OK), 0)
        << kAlembic << " is missing: apt-get install alembic python3-psycopg2";
    directory().Write(
        "alembic.ini",
        absl::StrCat("[alembic]\nscript_location = ", directory().path(), "/alembic\n"));
    directory().Write("alembic/env.py", kEnvironmentScript);
    AddToBoth("aa10", "", "a");
    AddToBoth("bb20", "aa10", "b");
    AddToBoth("cc30", "bb20", "c");
  }

  // A revision that creates a table, for both programs.
  void AddToBoth(const std::string& id, const std::string& revises, const std::string& table) {
    const std::string create = absl::StrCat("CREATE TABLE ", table, " ()");
    const std::string drop = absl::StrCat("DROP TABLE ", table);
    Add({.id = id, .revises = revises, .up = create + ";", .down = drop + ";"});
    const std::string down_revision = revises.empty() ? "None" : absl::StrCat("'", revises, "'");
    directory().Write(absl::StrCat("alembic/versions/", id, "_test.py"),
                      absl::StrCat("from alembic import op\n"
                                   "revision = '",
                                   id, "'\n", "down_revision = ", down_revision, "\n",
                                   "def upgrade(): op.execute('", create, "')\n",
                                   "def downgrade(): op.execute('", drop, "')\n"));
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
};

TEST_F(AlembicTest, AlembicNamesTheRevisionThatWeReached) {
  Migctl({"upgrade", "bb20"});
  EXPECT_THAT(Alembic({"current"}), StartsWith("bb20\n"));
  Migctl({"upgrade", "head"});
  EXPECT_THAT(Alembic({"current"}), StartsWith("cc30 (head)\n"));
}

TEST_F(AlembicTest, WeGoOnWhereAlembicStopped) {
  Alembic({"upgrade", "bb20"});
  const std::string before = Dump();
  EXPECT_EQ(Text({"current"}), "bb20\n");
  EXPECT_EQ(Text({"history", "-r", "current:"}),
            "bb20 -> cc30 (head), message of cc30\n"
            "aa10 -> bb20 (current), message of bb20\n");
  EXPECT_EQ(Dump(), before);

  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 0);
  EXPECT_EQ(VersionRows(), "cc30");
  EXPECT_EQ(Query("SELECT to_regclass('c')"), "c");
  EXPECT_EQ(Migctl({"downgrade", "aa10"}).exit_code, 0);
  EXPECT_THAT(Alembic({"current"}), StartsWith("aa10\n"));
}

TEST_F(AlembicTest, AlembicGoesOnWhereWeStopped) {
  Migctl({"upgrade", "aa10"});
  Alembic({"upgrade", "head"});
  EXPECT_EQ(Text({"current"}), "cc30 (head)\n");
  Alembic({"downgrade", "base"});
  EXPECT_EQ(Text({"current"}), "");
  EXPECT_EQ(Query("SELECT to_regclass('a')"), "");
}

TEST_F(AlembicTest, AStampOfEitherIsSeenByTheOther) {
  Migctl({"stamp", "bb20"});
  EXPECT_THAT(Alembic({"current"}), StartsWith("bb20\n"));
  Alembic({"stamp", "aa10"});
  EXPECT_EQ(Text({"current"}), "aa10\n");
  Migctl({"stamp", "base"});
  EXPECT_EQ(Alembic({"current"}), "");
}

TEST_F(AlembicTest, TheVersionTableIsTheSameWhoeverMadeIt) {
  Alembic({"stamp", "aa10"});
  const std::string made_by_alembic = Dump();
  Query("DROP TABLE alembic_version");
  Migctl({"stamp", "aa10"});
  EXPECT_EQ(Dump(), made_by_alembic);
}

TEST_F(AlembicTest, HistoryReadsTheSame) {
  // Alembic's own messages come from its files' docstrings, which ours lack: compare the graph.
  EXPECT_THAT(Alembic({"history"}), HasSubstr("bb20 -> cc30 (head), "));
  EXPECT_THAT(Text({"history"}), HasSubstr("bb20 -> cc30 (head), "));
  EXPECT_EQ(Alembic({"heads"}), Text({"heads"}));
}

}  // namespace
}  // namespace migd
