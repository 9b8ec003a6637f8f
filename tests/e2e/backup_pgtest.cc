// --backup: made and verified by real programs, before the first step, or nothing is migrated.

#include <sys/mount.h>

#include <filesystem>
#include <fstream>
#include <pqxx/pqxx>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class BackupTest : public ServiceTest {
 protected:
  void SetUp() override {
    if (!TestCluster::HasPgDump()) GTEST_SKIP() << "pg_dump is older than the server";
    Add({"a1", "",
         "CREATE TABLE items (id bigint PRIMARY KEY, name text);\n"
         "INSERT INTO items SELECT g, md5(random()::text) || md5(random()::text) || "
         "md5(random()::text) || md5(random()::text) FROM generate_series(1, 20000) g;",
         "DROP TABLE items;"});
    Add({"b2", "a1", "CREATE TABLE more (id int);", "DROP TABLE more;"});
  }

  std::string backups() const { return directory().path() + "/backups"; }

  std::vector<std::string> BackupFiles() const {
    std::vector<std::string> files;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(backups(), none)) {
      files.push_back(entry.path().filename().string());
    }
    return files;
  }

  // A folder of programs that are scripts.
  std::string ProgramsWith(const std::string& pg_dump, const std::string& pg_restore) const {
    const std::string folder = directory().path() + "/programs";
    fs::create_directories(folder);
    for (const auto& [name, script] : {std::pair("pg_dump", pg_dump), {"pg_restore", pg_restore}}) {
      std::ofstream(absl::StrCat(folder, "/", name)) << "#!/bin/sh\n" << script << "\n";
      fs::permissions(absl::StrCat(folder, "/", name), fs::perms::owner_all);
    }
    return folder;
  }
  std::string ProgramsWith(const std::string& script) const { return ProgramsWith(script, script); }

  // The real programs, but with what is done before pg_dump runs, to its arguments, and behind it,
  // to the `file` that it has written.
  std::string AroundPgDump(const std::string& before, const std::string& behind) const {
    return ProgramsWith(absl::StrCat("[ \"$1\" = --version ] && exec pg_dump --version\n", before,
                                     "\npg_dump \"$@\" || exit\n"
                                     "for argument; do [ \"$last\" = --file ] && file=$argument; "
                                     "last=$argument; done\n",
                                     behind),
                        "exec pg_restore \"$@\"");
  }

  // A downgrade with a backup fails for this reason, and nothing was done.
  void ExpectRefused(const std::string& reason, const std::string& words) {
    const Failure failure = FailureOf({"downgrade", "base", "--yes", "--backup"});
    EXPECT_EQ(failure.reason(), reason) << failure.text;
    EXPECT_THAT(failure.text, HasSubstr(words));
    EXPECT_EQ(VersionRows(), "b2");
    EXPECT_EQ(Query("SELECT count(*) FROM items"), "20000");
    EXPECT_THAT(BackupFiles(), IsEmpty());
  }
};

TEST_F(BackupTest, WhatWasDestroyedComesBackByThePrintedCommand) {
  StartMigdWith({"--backup-dir", backups()});
  Text({"upgrade", "head"});
  const std::string items = Query("SELECT md5(string_agg(i::text, ',' ORDER BY id)) FROM items i");
  const std::vector<Json> events =
      Events({"downgrade", "base", "--yes", "--backup", "--backup-verify=restore"});
  EXPECT_EQ(OfKind(events, "backup_started").size(), 1U);
  ASSERT_EQ(OfKind(events, "backup_finished").size(), 1U);
  EXPECT_FALSE(OfKind(events, "backup_progress").empty());
  EXPECT_EQ(Query("SELECT to_regclass('items')"), "");

  const std::string operation = events.back()["operation"].text();
  const Json backup = Object({"operations", "show", operation})["operation"]["backup"];
  EXPECT_EQ(backup["verification"].text(), "BACKUP_VERIFICATION_RESTORE");
  EXPECT_GE(std::stoi(backup["row_count"].text()), 20000);
  const std::string command = backup["restore_command"].text();
  EXPECT_THAT(Text({"operations", "show", operation}), HasSubstr("restore:    psql "));
  const Finished restored = RunCommand({{"sh", "-c", command}});
  ASSERT_EQ(restored.exit_code, 0) << command << "\n" << restored.err;
  ConnectionOptions copy = database();
  copy["dbname"] += "_restored";
  EXPECT_EQ(
      TestCluster::Query(copy, "SELECT md5(string_agg(i::text, ',' ORDER BY id)) FROM items i"),
      items);
  const std::string path = backup["path"].text();
  const Finished sum = RunCommand(
      {{"sh", "-c", absl::StrCat("cd ", backups(), " && sha256sum --check ", path, ".sha256")}});
  EXPECT_EQ(sum.exit_code, 0) << sum.err;
}

TEST_F(BackupTest, ThePolicyDemandsOneBeforeWhatDestroysAlone) {
  StartMigdWith({"--backup-dir", backups(), "--backup", "before_destructive"});
  Text({"upgrade", "head"});
  EXPECT_THAT(BackupFiles(), IsEmpty());
  Text({"downgrade", "-1", "--yes", "--backup=never"});
  EXPECT_EQ(BackupFiles().size(), 2U);
}

TEST_F(BackupTest, ThePolicyTakesWhatNobodyKnowsForDestructive) {
  StartMigdWith({"--backup-dir", backups(), "--backup", "before_destructive"});
  Text({"upgrade", "head"});
  Add({.id = "c3", .revises = "b2", .up = "DO $$ BEGIN END $$;"});
  EXPECT_THAT(BackupFiles(), IsEmpty());
  Text({"upgrade", "head"});
  EXPECT_EQ(BackupFiles().size(), 2U);
}

// In names of files, `a.b` and `a_b` would be the same.
TEST_F(BackupTest, ThoseOfADatabaseWithASimilarNameStay) {
  StartMigdWith({"--database-name", "a.b", "--backup-dir", backups(), "--backup", "always",
                 "--backup-keep", "1"});
  fs::create_directories(backups());
  const std::string other = "a_b-20200101T000000Z-op.dump";
  std::ofstream(absl::StrCat(backups(), "/", other)) << "x";
  Text({"upgrade", "+1"});
  Text({"upgrade", "+1"});
  const std::vector<std::string> files = BackupFiles();
  EXPECT_EQ(files.size(), 3U) << absl::StrJoin(files, " ");
  EXPECT_THAT(files, Contains(other));
}

TEST_F(BackupTest, TheNewestAreKept) {
  StartMigdWith({"--backup-dir", backups(), "--backup", "always", "--backup-keep", "2"});
  fs::create_directories(backups());
  const std::string name = database().at("dbname");
  const std::string other = absl::StrCat(name, "-x-20200101T000000Z-op.dump");
  for (const std::string& file : {absl::StrCat(name, "-20200101T000000Z-op.dump"),
                                  absl::StrCat(name, "-20200101T000000Z-op.dump.sha256"),
                                  absl::StrCat(name, "-20210101T000000Z-op.dump"), other,
                                  absl::StrCat(name, "-20210101T000000Z-op.dump.partial")}) {
    std::ofstream(absl::StrCat(backups(), "/", file)) << "x";
  }
  Text({"upgrade", "head"});
  const std::vector<std::string> files = BackupFiles();
  int dumps = 0;
  for (const std::string& file : files) {
    EXPECT_FALSE(absl::StrContains(file, "2020") && file != other) << file;
    EXPECT_FALSE(absl::EndsWith(file, ".partial")) << file;
    dumps += absl::EndsWith(file, ".dump") && file != other ? 1 : 0;
  }
  EXPECT_EQ(dumps, 2);
  EXPECT_THAT(files, ::testing::Contains(other));
}

TEST_F(BackupTest, WithoutADirectoryThereIsNone) {
  Text({"upgrade", "head"});
  ExpectRefused("BACKUP_UNAVAILABLE", "--backup-dir");
}

TEST_F(BackupTest, WithoutPgDumpNothingIsDone) {
  fs::create_directories(directory().path() + "/empty");
  StartMigdWith({"--backup-dir", backups(), "--postgres-programs", directory().path() + "/empty"});
  Text({"upgrade", "head"});
  ExpectRefused("BACKUP_UNAVAILABLE", "pg_dump and pg_restore are not found");
}

TEST_F(BackupTest, APgDumpOlderThanTheServerIsRefused) {
  StartMigdWith({"--backup-dir", backups(), "--postgres-programs",
                 ProgramsWith("echo 'pg_dump (PostgreSQL) 9.6.24'")});
  Text({"upgrade", "head"});
  ExpectRefused("BACKUP_UNAVAILABLE", "pg_dump 9.6.24 is too old");
}

TEST_F(BackupTest, APgDumpThatFailsStopsTheOperation) {
  StartMigdWith(
      {"--backup-dir", backups(), "--postgres-programs",
       ProgramsWith(absl::StrCat("case \"$1\" in --version) echo 'pg_dump (PostgreSQL) ",
                                 TestCluster::MajorVersion(),
                                 ".0';; *) echo 'pg_dump: error: no' >&2; exit 1;; esac"))});
  Text({"upgrade", "head"});
  ExpectRefused("BACKUP_FAILED", "pg_dump: error: no");
}

// pg_dump does its work, and then something happens to it.
TEST_F(BackupTest, ADumpThatCannotBeReadStopsTheOperation) {
  StartMigdWith({"--backup-dir", backups(), "--postgres-programs",
                 AroundPgDump("", "truncate --size=-200 \"$file\"")});
  Text({"upgrade", "head"});
  ExpectRefused("BACKUP_FAILED", "pg_restore");
}

TEST_F(BackupTest, ADumpWithoutAListStopsTheOperation) {
  StartMigdWith({"--backup-dir", backups(), "--postgres-programs",
                 AroundPgDump("", "echo nonsense > \"$file\"")});
  Text({"upgrade", "head"});
  ExpectRefused("BACKUP_FAILED", "pg_restore cannot list it");
}

TEST_F(BackupTest, RowsThatAreMissingWhenItIsRestoredStopTheOperation) {
  StartMigdWith({"--backup-dir", backups(), "--backup-verify", "restore", "--postgres-programs",
                 AroundPgDump("set -- --exclude-table-data=items \"$@\"", "")});
  Text({"upgrade", "head"});
  ExpectRefused("BACKUP_FAILED",
                "table public.items has 0 rows when restored, and 20000 in the database");
}

TEST_F(BackupTest, ARunningBackupEndsWhenItsOperationIsCancelled) {
  StartMigdWith({"--backup-dir", backups()});
  Text({"upgrade", "head"});
  // pg_dump waits for whoever has locked a table.
  pqxx::connection holder(FormatConninfo(database()));
  pqxx::work work(holder);
  work.exec("LOCK TABLE items IN ACCESS EXCLUSIVE MODE");
  Process downgrade(MigctlCommand({"downgrade", "base", "--yes", "--backup"}));
  ASSERT_TRUE(Eventually([&] { return SomebodyWaitsForALock(); }));
  const std::string operation =
      Object({"operations", "list", "--limit", "1"})["operations"][0]["operation"].text();
  Text({"operations", "cancel", operation});
  EXPECT_NE(downgrade.Wait().exit_code, 0);
  EXPECT_EQ(VersionRows(), "b2");
  EXPECT_THAT(BackupFiles(), IsEmpty());
}

TEST_F(BackupTest, WhatAppearsMeanwhileIsNotLostUnseen) {
  StartMigdWith({"--backup-dir", backups()});
  Text({"upgrade", "head"});
  Query("CREATE TABLE bystander (id int)");
  pqxx::connection holder(FormatConninfo(database()));
  pqxx::work work(holder);
  work.exec("LOCK TABLE bystander IN ACCESS EXCLUSIVE MODE");
  const std::string seen = Object({"plan", "downgrade", "base"})["confirmation"].text();
  Process downgrade(MigctlCommand({"downgrade", "base", "--backup", "--confirmation", seen}));
  ASSERT_TRUE(Eventually([&] { return SomebodyWaitsForALock(); }));
  // Nothing of it is in the backup, whose snapshot is older.
  Query("INSERT INTO more SELECT generate_series(1, 1000)");
  work.commit();
  const Finished finished = downgrade.Wait();
  EXPECT_THAT(finished.err, HasSubstr("has become more, or other"));
  EXPECT_EQ(VersionRows(), "b2");
  EXPECT_EQ(Query("SELECT count(*) FROM more"), "1000");
}

// A file system of its own, that is full soon.
class FullDiskTest : public BackupTest {
 protected:
  void TearDown() override {
    if (mounted_) umount2(backups().c_str(), MNT_DETACH);
  }

  void Mount(const std::string& size) {
    fs::create_directories(backups());
    mounted_ =
        mount("tmpfs", backups().c_str(), "tmpfs", 0, absl::StrCat("size=", size).c_str()) == 0;
  }

  bool mounted_ = false;
};

TEST_F(FullDiskTest, ADiskThatBecomesFullStopsTheOperation) {
  Mount("800k");
  if (!mounted_) GTEST_SKIP() << "no file system can be mounted here";
  StartMigdWith({"--backup-dir", backups()});
  Text({"upgrade", "head"});
  ExpectRefused("BACKUP_FAILED", "No space left on device");
}

TEST_F(FullDiskTest, ADiskThatIsClearlyTooSmallIsRefusedBeforehand) {
  Mount("64k");
  if (!mounted_) GTEST_SKIP() << "no file system can be mounted here";
  StartMigdWith({"--backup-dir", backups()});
  Text({"upgrade", "head"});
  ExpectRefused("BACKUP_UNAVAILABLE", "has room for");
}

}  // namespace
}  // namespace migd
