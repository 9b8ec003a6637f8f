#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "service/base/unique_fd.h"
#include "service/postgres/scratch_database.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_cluster.h"

namespace migd {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class ScratchDatabaseTest : public ::testing::Test {
 protected:
  std::string Query(const std::string& sql) const { return TestCluster::Query(live_, sql); }

  // How the live database is seen by `role`.
  PostgresOptions OptionsAs(const std::string& role) const {
    PostgresOptions options;
    options.connection = live_;
    options.connection["user"] = role;
    options.name = live_.at("dbname");
    return options;
  }
  PostgresOptions Options() const { return OptionsAs(live_.at("user")); }

  static ScratchOptions Programs() { return {TestCluster::ProgramDirectory(), "postgres"}; }

  static std::unique_ptr<Scratch> MakeEmpty(PostgresScratchSource& source) {
    auto scratch = source.MakeEmpty({});
    EXPECT_TRUE(scratch.ok()) << scratch.status();
    return scratch.ok() ? *std::move(scratch) : nullptr;
  }

  // What SQL returns in a scratch database.
  static std::string QueryIn(Scratch& scratch, const std::string& sql) {
    const PostgresOptions& options = dynamic_cast<PostgresDatabase&>(scratch.database()).options();
    return TestCluster::Query(options.connection, sql);
  }

  std::string ScratchDatabases() const {
    return Query(
        "SELECT string_agg(datname, ' ') FROM pg_database "
        "WHERE datname LIKE 'migd_scratch%'");
  }

  const ConnectionOptions live_ = TestCluster::CreateDatabase();
};

TEST_F(ScratchDatabaseTest, IsOnTheSameServerForAsLongAsItIsWanted) {
  PostgresDatabase live(Options());
  PostgresScratchSource source(live, Programs());
  auto scratch = MakeEmpty(source);
  ASSERT_NE(scratch, nullptr);
  EXPECT_THAT(ScratchDatabases(), StartsWith("migd_scratch_"));
  EXPECT_THAT(scratch->description(), HasSubstr(ScratchDatabases()));
  EXPECT_EQ(QueryIn(*scratch, "SELECT current_database()"), ScratchDatabases());
  scratch.reset();
  EXPECT_EQ(ScratchDatabases(), "");
}

TEST_F(ScratchDatabaseTest, HasTheEncodingTheCollationAndTheSettings) {
  const std::string name = absl::StrCat(live_.at("dbname"), "_latin");
  Query(absl::StrCat("CREATE DATABASE ", name,
                     " TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"));
  Query(absl::StrCat("ALTER DATABASE ", name, " SET search_path TO \"$user\", \"My App\", public"));
  Query(absl::StrCat("ALTER DATABASE ", name, " SET app.tenant TO 'it''s'"));
  PostgresOptions options = Options();
  options.connection["dbname"] = name;
  PostgresDatabase live(options);
  PostgresScratchSource source(live, Programs());
  const auto scratch = MakeEmpty(source);
  ASSERT_NE(scratch, nullptr);
  EXPECT_EQ(QueryIn(*scratch,
                    "SELECT concat_ws(' ', pg_encoding_to_char(encoding), datcollate, datctype) "
                    "FROM pg_database WHERE datname = current_database()"),
            "LATIN1 C C");
  EXPECT_EQ(QueryIn(*scratch, "SHOW search_path"), "\"$user\", \"My App\", public");
  EXPECT_EQ(QueryIn(*scratch, "SHOW app.tenant"), "it's");
}

TEST_F(ScratchDatabaseTest, HasTheVersionTableWhereTheLiveDatabaseHasIt) {
  Query("CREATE SCHEMA ops; CREATE TABLE ops.alembic_version (version_num varchar(32))");
  Query(absl::StrCat("ALTER DATABASE ", live_.at("dbname"), " SET search_path TO ops, public"));
  PostgresDatabase live(Options());
  PostgresScratchSource source(live, Programs());
  const auto scratch = MakeEmpty(source);
  ASSERT_NE(scratch, nullptr);
  const auto session = scratch->database().OpenSession("op");
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_TRUE((*session)->PrepareForWriting().ok());
  EXPECT_EQ(QueryIn(*scratch, "SELECT to_regclass('ops.alembic_version') IS NOT NULL"), "t");
}

TEST_F(ScratchDatabaseTest, DropsWhatOthersHaveLeftButNothingElse) {
  PostgresDatabase live(Options());
  PostgresScratchSource source(live, Programs());
  const auto scratch = MakeEmpty(source);
  ASSERT_NE(scratch, nullptr);
  const std::string wanted = ScratchDatabases();
  Query("CREATE DATABASE migd_scratch_1700000000_0000abcd");
  Query("CREATE DATABASE migd_scratch_of_mine");
  ConnectionOptions left = live_;
  left["dbname"] = "migd_scratch_1700000000_0000abcd";
  pqxx::connection still_in_it(FormatConninfo(left));

  const auto removed = source.RemoveLeftovers();
  ASSERT_TRUE(removed.ok()) << removed.status();
  EXPECT_EQ(*removed, 1);
  EXPECT_EQ(Query("SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database "
                  "WHERE datname LIKE 'migd_scratch%'"),
            absl::StrCat(wanted, " migd_scratch_of_mine"));
  Query("DROP DATABASE migd_scratch_of_mine");
}

TEST_F(ScratchDatabaseTest, ALostMakerLeavesADatabaseThatTheNextOneDrops) {
  PostgresDatabase live(Options());
  PostgresScratchSource source(live, Programs());
  const auto scratch = MakeEmpty(source);
  ASSERT_NE(scratch, nullptr);
  Query(
      "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
      "WHERE application_name = 'migd scratch'");
  const auto removed = source.RemoveLeftovers();
  ASSERT_TRUE(removed.ok()) << removed.status();
  EXPECT_EQ(*removed, 1);
  EXPECT_EQ(ScratchDatabases(), "");
}

TEST_F(ScratchDatabaseTest, ACopyHasTheSchemaAndTheVersionRowsButNoData) {
  if (!TestCluster::HasPgDump()) GTEST_SKIP() << "pg_dump is older than the server";
  Query(
      "CREATE TABLE alembic_version (version_num varchar(32)); "
      "INSERT INTO alembic_version VALUES ('a'), ('b'); "
      "CREATE SCHEMA app; CREATE TABLE app.items (id bigint PRIMARY KEY); "
      "INSERT INTO app.items SELECT generate_series(1, 10); "
      "CREATE MATERIALIZED VIEW totals AS SELECT count(*) FROM app.items; "
      "CREATE MATERIALIZED VIEW all_totals AS SELECT * FROM totals");
  PostgresDatabase live(Options());
  const auto session = live.OpenSession("op");
  ASSERT_TRUE(session.ok()) << session.status();
  ASSERT_TRUE((*session)->PrepareForWriting().ok());
  const JournalKey section = {"c", Step::Direction::kUpgrade};
  ASSERT_TRUE((*session)
                  ->RecordStatements(
                      section, {{1, {JournalEntry::State::kFinished, "print", "CREATE", "op"}}})
                  .ok());
  PostgresScratchSource source(live, Programs());
  const auto scratch = source.CopySchema({});
  ASSERT_TRUE(scratch.ok()) << scratch.status();
  EXPECT_EQ(*(*scratch)->database().ReadRows(), (VersionRows{"a", "b"}));
  EXPECT_EQ(QueryIn(**scratch, "SELECT count(*) FROM app.items"), "0");
  EXPECT_EQ(QueryIn(**scratch, "SELECT count FROM all_totals"), "0");
  const auto copied = (*scratch)->database().OpenSession("op");
  ASSERT_TRUE(copied.ok()) << copied.status();
  EXPECT_EQ((*copied)->ReadJournal()->count(section), 1U);
}

TEST_F(ScratchDatabaseTest, NoCopyWithoutPgDump) {
  const TemporaryDirectory empty;
  PostgresDatabase live(Options());
  PostgresScratchSource source(live, {empty.path(), "postgres"});
  const auto scratch = source.CopySchema({});
  EXPECT_EQ(errors::ReasonOf(scratch.status()), migration::v1::ERROR_REASON_SCRATCH_UNAVAILABLE);
  EXPECT_THAT(scratch.status().message(), HasSubstr("pg_dump"));
}

class WithoutCreatedb : public ScratchDatabaseTest {
 protected:
  WithoutCreatedb() {
    setenv("TMPDIR", temporary_.path().c_str(), 1);
    Query(absl::StrCat("CREATE ROLE ", role_, " LOGIN; CREATE ROLE \"", role_,
                       " reader\"; GRANT ALL ON DATABASE ", live_.at("dbname"), " TO ", role_));
  }
  ~WithoutCreatedb() override {
    unsetenv("TMPDIR");
    Query(absl::StrCat("DROP OWNED BY ", role_, ", \"", role_, " reader\"; DROP ROLE ", role_,
                       ", \"", role_, " reader\""));
  }

  static int Clusters() {
    int count = 0;
    for (const auto& entry : fs::directory_iterator(fs::temp_directory_path())) {
      count += entry.path().filename().string().rfind("migd-scratch-", 0) == 0 ? 1 : 0;
    }
    return count;
  }

  const TemporaryDirectory temporary_;
  const std::string role_ = absl::StrCat("role_", live_.at("dbname"));
};

TEST_F(WithoutCreatedb, ItIsInAPrivateClusterWithTheRolesOfTheServer) {
  Query(absl::StrCat("ALTER ROLE ", role_, " SET search_path TO app"));
  PostgresDatabase live(OptionsAs(role_));
  PostgresScratchSource source(live, Programs());
  auto scratch = MakeEmpty(source);
  ASSERT_NE(scratch, nullptr);
  EXPECT_THAT(scratch->description(), HasSubstr("private cluster"));
  EXPECT_EQ(ScratchDatabases(), "");
  EXPECT_EQ(QueryIn(*scratch, "SELECT current_user"), role_);
  EXPECT_EQ(QueryIn(*scratch, "SHOW search_path"), "app");
  EXPECT_EQ(QueryIn(*scratch, "SHOW server_encoding"), "UTF8");
  EXPECT_EQ(QueryIn(*scratch, absl::StrCat("SELECT count(*) FROM pg_roles WHERE rolname = '", role_,
                                           " reader' AND NOT rolcanlogin")),
            "1");
  EXPECT_GE(Clusters(), 1);
  scratch.reset();
  EXPECT_EQ(Clusters(), 0);
}

TEST_F(WithoutCreatedb, TheSchemaIsCopiedWithItsOwnersAndGrants) {
  if (!TestCluster::HasPgDump()) GTEST_SKIP() << "pg_dump is older than the server";
  Query(absl::StrCat("CREATE TABLE items (id int); GRANT SELECT ON items TO ", role_, ", \"", role_,
                     " reader\"; GRANT ALL ON SCHEMA public TO ", role_));
  PostgresDatabase live(OptionsAs(role_));
  PostgresScratchSource source(live, Programs());
  const auto scratch = source.CopySchema({});
  ASSERT_TRUE(scratch.ok()) << scratch.status();
  EXPECT_EQ(QueryIn(**scratch, "SELECT tableowner FROM pg_tables WHERE tablename = 'items'"),
            live_.at("user"));
  EXPECT_EQ(QueryIn(**scratch, absl::StrCat("SELECT has_table_privilege('", role_,
                                            " reader', 'items', 'SELECT')")),
            "t");
}

TEST_F(WithoutCreatedb, WithoutProgramsThereIsNone) {
  const TemporaryDirectory empty;
  PostgresDatabase live(OptionsAs(role_));
  PostgresScratchSource source(live, {empty.path(), "postgres"});
  const auto scratch = source.MakeEmpty({});
  EXPECT_EQ(errors::ReasonOf(scratch.status()), migration::v1::ERROR_REASON_SCRATCH_UNAVAILABLE);
  EXPECT_THAT(errors::ToProto(scratch.status()).hint(),
              HasSubstr(absl::StrCat("ALTER ROLE ", role_, " CREATEDB")));
}

TEST_F(WithoutCreatedb, ADirectoryWhoseLockNobodyHasIsRemoved) {
  const fs::path left = fs::temp_directory_path() / "migd-scratch-left";
  const fs::path used = fs::temp_directory_path() / "migd-scratch-used";
  for (const fs::path& directory : {left, used}) {
    fs::create_directories(directory / "data");
    std::ofstream(directory / "lock") << "";
  }
  const UniqueFd lock(open((used / "lock").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(flock(lock.get(), LOCK_EX | LOCK_NB), 0);
  PostgresDatabase live(OptionsAs(role_));
  PostgresScratchSource source(live, Programs());
  EXPECT_TRUE(source.RemoveLeftovers().ok());
  EXPECT_FALSE(fs::exists(left));
  EXPECT_TRUE(fs::exists(used));
  fs::remove_all(used);
}

}  // namespace
}  // namespace migd
