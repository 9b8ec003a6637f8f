// Somebody else holds a lock on the version table: nothing waits for it longer than it was told.
#include <signal.h>

#include <pqxx/pqxx>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "gmock/gmock.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using ::testing::HasSubstr;

// A database that is at aa10, with bb20 to come.
class LockedVersionTableTest : public ServiceTest {
 protected:
  LockedVersionTableTest() {
    Add({.id = "aa10", .up = "CREATE TABLE a ();"});
    Add({.id = "bb20", .revises = "aa10", .up = "CREATE TABLE b ();"});
    StartMigdWith({"--shutdown-grace", "0"});
    Migctl({"upgrade", "aa10"});
  }

  // Locks the version table by another session, until Release. ACCESS EXCLUSIVE lets nobody read
  // it; SHARE only keeps the write at the end of a step waiting.
  void Lock(const std::string& mode) {
    holder_.emplace(FormatConninfo(database()));
    locking_.emplace(*holder_);
    locking_->exec(absl::StrCat("LOCK TABLE alembic_version IN ", mode, " MODE"));
  }
  void Release() { locking_->abort(); }

  // That an upgrade gives up after its lock timeout, and leaves nothing.
  void ExpectLockTimeout() {
    const Failure failure =
        FailureOf({"upgrade", "head", "--lock-timeout", "200ms", "--lock-retries", "0"});
    EXPECT_EQ(failure.exit_code, 1);
    EXPECT_EQ(failure.reason(), "LOCK_TIMEOUT");
    EXPECT_EQ(failure.json["code"].text(), "ABORTED");
    Release();
    ExpectAtAa10();
    EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 0);
  }

  // Starts an upgrade without a lock timeout, cancels it when it waits, and releases the lock.
  // Returns what it said.
  std::string CancelWaitingUpgrade() {
    Process upgrade(MigctlCommand({"upgrade", "head", "--lock-timeout", "0"}));
    EXPECT_TRUE(SomebodyWaitsForALock());
    const std::string id = Object({"operations", "list"})["operations"][0]["operation"].text();
    EXPECT_EQ(Migctl({"operations", "cancel", id}).exit_code, 0);
    const Finished finished = upgrade.Wait();
    EXPECT_EQ(finished.exit_code, 130);
    Release();
    return finished.err;
  }

  // At bb20, with cc30 to come, which does not run in a transaction; the version table can be read
  // but not written.
  void LockBeforeARevisionOutsideATransaction() {
    Add({.id = "cc30",
         .revises = "bb20",
         .up = "CREATE TABLE c ();",
         .options = "transaction:false"});
    Migctl({"upgrade", "bb20"});
    Lock("SHARE");
  }

  // That an upgrade without a lock timeout waits, and can be cancelled.
  void ExpectWaitsUntilItIsCancelled() {
    EXPECT_THAT(CancelWaitingUpgrade(), HasSubstr("[OPERATION_CANCELLED]"));
    ExpectAtAa10();
    EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 0);
  }

  void ExpectAtAa10() const {
    EXPECT_EQ(VersionRows(), "aa10");
    EXPECT_EQ(Query("SELECT to_regclass('b')"), "");
  }

 private:
  absl::optional<pqxx::connection> holder_;
  absl::optional<pqxx::work> locking_;
};

TEST_F(LockedVersionTableTest, AnUpgradeThatCannotReadItGivesUpInTime) {
  Lock("ACCESS EXCLUSIVE");
  ExpectLockTimeout();
}

TEST_F(LockedVersionTableTest, AnUpgradeThatWaitsToReadItCanBeCancelled) {
  Lock("ACCESS EXCLUSIVE");
  ExpectWaitsUntilItIsCancelled();
}

TEST_F(LockedVersionTableTest, AnUpgradeThatCannotWriteItGivesUpInTimeAndIsRolledBack) {
  Lock("SHARE");
  ExpectLockTimeout();
}

TEST_F(LockedVersionTableTest, AnUpgradeThatWaitsToWriteItCanBeCancelledAndIsRolledBack) {
  Lock("SHARE");
  ExpectWaitsUntilItIsCancelled();
}

// The COMMIT of a first step is not on its way by then.
TEST_F(LockedVersionTableTest, WhoseSessionIsEndedWhileItWaitsToWriteItIsToldThatNothingStays) {
  Lock("SHARE");
  Process upgrade(MigctlCommand({"upgrade", "head", "--lock-timeout", "0"}));
  ASSERT_TRUE(SomebodyWaitsForALock());
  Query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
      "AND wait_event_type = 'Lock'");
  const Finished finished = upgrade.Wait();
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, HasSubstr("[SESSION_ENDED]"));
  EXPECT_THAT(finished.err, HasSubstr("nothing of bb20 remains: it was rolled back"));
  Release();
  ExpectAtAa10();
  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 0);
}

TEST_F(LockedVersionTableTest, AReaderGivesUpByItself) {
  Lock("ACCESS EXCLUSIVE");
  const Failure failure = FailureOf({"current"});
  EXPECT_EQ(failure.exit_code, 1);
  EXPECT_EQ(failure.reason(), "LOCK_TIMEOUT");
  EXPECT_EQ(Text({"heads"}), "bb20 (head)\n");
  Release();
  EXPECT_EQ(Text({"current"}), "aa10\n");
}

TEST_F(LockedVersionTableTest, AStatementTimeoutOfTheDatabaseDoesNotEndTheWaitBeforeIt) {
  Query(
      absl::StrCat("ALTER DATABASE ", database().at("dbname"), " SET statement_timeout = '200ms'"));
  Lock("ACCESS EXCLUSIVE");
  EXPECT_EQ(FailureOf({"current"}).reason(), "LOCK_TIMEOUT");
  EXPECT_EQ(
      FailureOf({"upgrade", "head", "--lock-timeout", "600ms", "--lock-retries", "0"}).reason(),
      "LOCK_TIMEOUT");
  Release();
  ExpectAtAa10();
}

TEST_F(LockedVersionTableTest, TheServerStopsThoughAReaderWaits) {
  Lock("ACCESS EXCLUSIVE");
  Process reader(MigctlCommand({"current"}));
  ASSERT_TRUE(SomebodyWaitsForALock());
  migd().process().Signal(SIGTERM);
  EXPECT_EQ(migd().process().Wait().exit_code, 0) << migd().log();
  EXPECT_NE(reader.Wait().exit_code, 0);
}

TEST_F(LockedVersionTableTest, TheServerStopsThoughAnUpgradeWaits) {
  Lock("ACCESS EXCLUSIVE");
  Process upgrade(MigctlCommand({"upgrade", "head", "--lock-timeout", "0"}));
  ASSERT_TRUE(SomebodyWaitsForALock());
  migd().process().Signal(SIGTERM);
  EXPECT_EQ(migd().process().Wait().exit_code, 0) << migd().log();
  Release();
  ExpectAtAa10();
}

TEST_F(LockedVersionTableTest, OutsideATransactionTheWriteCanBeCancelledAndWhatIsDoneIsTold) {
  LockBeforeARevisionOutsideATransaction();
  EXPECT_THAT(CancelWaitingUpgrade(), HasSubstr("statement 1 of cc30 stays"));
  EXPECT_EQ(VersionRows(), "bb20");
}

TEST_F(LockedVersionTableTest, OutsideATransactionATimeoutOfTheWriteTellsWhatIsDone) {
  LockBeforeARevisionOutsideATransaction();
  const Failure failure =
      FailureOf({"upgrade", "head", "--lock-timeout", "200ms", "--lock-retries", "0"});
  EXPECT_EQ(failure.reason(), "LOCK_TIMEOUT");
  EXPECT_THAT(failure.text, HasSubstr("revision cc30"));
  Release();
  EXPECT_EQ(VersionRows(), "bb20");
}

}  // namespace
}  // namespace migd
