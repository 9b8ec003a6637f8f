// What is PostgreSQL's own in Session: the catalogue, settings, and the version table.

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "service/postgres/postgres_database.h"
#include "service/postgres/postgres_session.h"
#include "tests/support/test_cluster.h"

namespace migd {
namespace {

using migration::v1::ErrorReason;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class PostgresSessionTest : public ::testing::Test {
 protected:
  std::unique_ptr<Session> OpenSession() {
    database_ = std::make_unique<PostgresDatabase>(options_);
    auto session = database_->OpenSession("op");
    EXPECT_TRUE(session.ok()) << session.status();
    return *std::move(session);
  }

  static StatementResult Execute(Session& session, const std::string& sql) {
    Statement statement;
    statement.text = sql;
    return session.Execute(statement).value_or(StatementResult());
  }
  static void Run(Session& session, const std::string& sql) {
    const StatementResult result = Execute(session, sql);
    EXPECT_FALSE(result.error.has_value()) << sql << ": " << result.error->message;
  }
  static absl::Status Insert(Session& session, const std::string& row) {
    return session.WriteVersion({VersionWrite::Kind::kInsert, "", row}, row);
  }

  // SQL by another connection.
  std::string Query(const std::string& sql) { return TestCluster::Query(options_.connection, sql); }

  PostgresOptions options_ = TestCluster::NewDatabaseOptions();
  std::unique_ptr<PostgresDatabase> database_;
};

// --- Inspect, asked in the words of the statements themselves ---

class InspectTest : public PostgresSessionTest {
 protected:
  InspectTest() : session_(OpenSession()) {}

  // How the one object that `statement` guards stands.
  absl::optional<ObjectState> StateFor(const std::string& statement) {
    const std::vector<GuardedObject> objects = GuardedObjects(statement);
    EXPECT_EQ(objects.size(), 1U) << statement;
    if (objects.size() != 1) return absl::nullopt;
    const auto state = session_->Inspect(objects[0]);
    EXPECT_TRUE(state.ok()) << statement << ": " << state.status();
    return state.value_or(absl::nullopt);
  }

  std::unique_ptr<Session> session_;
};

TEST_F(InspectTest, KnowsObjectsOfEveryKind) {
  const std::vector<std::string> statements = {
      "CREATE TABLE IF NOT EXISTS t (a int)",
      "CREATE SEQUENCE IF NOT EXISTS s",
      "CREATE INDEX IF NOT EXISTS i ON t (a)",
      "CREATE MATERIALIZED VIEW IF NOT EXISTS m AS SELECT 1 AS x",
      "CREATE SCHEMA IF NOT EXISTS other",
      "CREATE EXTENSION IF NOT EXISTS plpgsql_not_there",
      "ALTER TABLE t ADD COLUMN IF NOT EXISTS b int",
  };
  for (const std::string& statement : statements) {
    EXPECT_EQ(StateFor(statement), ObjectState::kMissing) << statement;
    if (statement.find("not_there") != std::string::npos) continue;
    Run(*session_, statement);
    EXPECT_EQ(StateFor(statement), ObjectState::kPresent) << statement;
  }
  EXPECT_EQ(StateFor("CREATE EXTENSION IF NOT EXISTS plpgsql"), ObjectState::kPresent);
}

TEST_F(InspectTest, KnowsWhatADropPassesOver) {
  Run(*session_, "CREATE TABLE t (a int CONSTRAINT positive CHECK (a > 0))");
  Run(*session_, "CREATE VIEW v AS SELECT a FROM t");
  Run(*session_, "CREATE TYPE mood AS ENUM ('ok')");
  Run(*session_, "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN END $$");
  Run(*session_, "CREATE TRIGGER g BEFORE INSERT ON t EXECUTE FUNCTION f()");
  for (const std::string present :
       {"DROP TABLE IF EXISTS t", "DROP VIEW IF EXISTS v", "DROP TYPE IF EXISTS mood",
        "DROP TRIGGER IF EXISTS g ON t", "ALTER TABLE t DROP CONSTRAINT IF EXISTS positive",
        "ALTER TABLE t DROP COLUMN IF EXISTS a"}) {
    EXPECT_EQ(StateFor(present), ObjectState::kPresent) << present;
  }
  for (const std::string missing :
       {"DROP TABLE IF EXISTS u", "DROP VIEW IF EXISTS w", "DROP TYPE IF EXISTS weather",
        "DROP TRIGGER IF EXISTS h ON t", "DROP TRIGGER IF EXISTS g ON u",
        "ALTER TABLE t DROP CONSTRAINT IF EXISTS negative", "DROP INDEX IF EXISTS i",
        "ALTER TABLE t DROP COLUMN IF EXISTS b", "DROP SCHEMA IF EXISTS nowhere"}) {
    EXPECT_EQ(StateFor(missing), ObjectState::kMissing) << missing;
  }
}

TEST_F(InspectTest, ReadsQuotedNamesAsTheyAre) {
  Run(*session_, R"(CREATE TABLE "Odd ""Name" (a int))");
  Run(*session_, R"(CREATE TABLE folded (a int))");
  EXPECT_EQ(StateFor(R"(CREATE TABLE IF NOT EXISTS "Odd ""Name" (a int))"), ObjectState::kPresent);
  EXPECT_EQ(StateFor(R"(DROP TABLE IF EXISTS "Odd ""Name")"), ObjectState::kPresent);
  EXPECT_EQ(StateFor(R"(DROP TABLE IF EXISTS "Folded")"), ObjectState::kMissing);
  EXPECT_EQ(StateFor("DROP TABLE IF EXISTS FOLDED"), ObjectState::kPresent);
}

TEST_F(InspectTest, LooksForWhatIsCreatedOnlyWhereItWouldBeCreated) {
  Run(*session_, "CREATE SCHEMA first");
  Run(*session_, "CREATE SCHEMA second");
  Run(*session_, "CREATE TABLE second.t (a int)");
  Run(*session_, "SET search_path = first, second");
  EXPECT_EQ(StateFor("CREATE TABLE IF NOT EXISTS t (a int)"), ObjectState::kMissing);
  EXPECT_EQ(StateFor("CREATE TABLE IF NOT EXISTS second.t (a int)"), ObjectState::kPresent);
  EXPECT_EQ(StateFor("DROP TABLE IF EXISTS t"), ObjectState::kPresent);
  EXPECT_EQ(StateFor("DROP TABLE IF EXISTS first.t"), ObjectState::kMissing);
}

TEST_F(InspectTest, LooksForAnIndexInTheSchemaOfItsTable) {
  Run(*session_, "CREATE SCHEMA other");
  Run(*session_, "CREATE TABLE other.t (a int)");
  Run(*session_, "CREATE TABLE t (a int)");
  Run(*session_, "CREATE INDEX i ON other.t (a)");
  EXPECT_EQ(StateFor("CREATE INDEX IF NOT EXISTS i ON other.t (a)"), ObjectState::kPresent);
  EXPECT_EQ(StateFor("CREATE INDEX IF NOT EXISTS i ON t (a)"), ObjectState::kMissing);
}

TEST_F(InspectTest, ATakenNameIsTakenWhateverHasIt) {
  Run(*session_, "CREATE VIEW t AS SELECT 1 AS a");
  // PostgreSQL skips too: "relation already exists, skipping".
  EXPECT_EQ(StateFor("CREATE TABLE IF NOT EXISTS t (a int)"), ObjectState::kPresent);
}

TEST_F(InspectTest, SeesAnIndexWhoseBuildDidNotFinish) {
  Run(*session_, "CREATE TABLE t (a int)");
  Run(*session_, "INSERT INTO t VALUES (1), (1)");
  const StatementResult failed = Execute(*session_, "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)");
  ASSERT_TRUE(failed.error.has_value());
  EXPECT_EQ(failed.error->sqlstate, "23505");
  EXPECT_EQ(StateFor("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)"),
            ObjectState::kInvalidIndex);
}

TEST_F(InspectTest, AnIndexThatWaitsForItsPartitionsIsPresent) {
  Run(*session_, "CREATE TABLE t (a int) PARTITION BY RANGE (a)");
  Run(*session_, "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10)");
  // Not valid until every partition has its own.
  Run(*session_, "CREATE INDEX i ON ONLY t (a)");
  EXPECT_EQ(StateFor("CREATE INDEX IF NOT EXISTS i ON t (a)"), ObjectState::kPresent);
  EXPECT_EQ(StateFor("CREATE TABLE IF NOT EXISTS t1 (a int)"), ObjectState::kPresent);
}

TEST_F(InspectTest, AColumnThatWasDroppedIsMissing) {
  Run(*session_, "CREATE TABLE t (a int, b int)");
  Run(*session_, "ALTER TABLE t DROP COLUMN b");
  EXPECT_EQ(StateFor("ALTER TABLE t ADD COLUMN IF NOT EXISTS b int"), ObjectState::kMissing);
}

TEST_F(InspectTest, ATableThatIsNotThereHasNothing) {
  EXPECT_EQ(StateFor("CREATE INDEX IF NOT EXISTS i ON nowhere (a)"), ObjectState::kMissing);
  EXPECT_EQ(StateFor("ALTER TABLE nowhere ADD COLUMN IF NOT EXISTS b int"), ObjectState::kMissing);
}

// --- Settings ---

TEST_F(PostgresSessionTest, ResetUndoesWhatAMigrationSetForTheSession) {
  const std::string role = absl::StrCat("role_", options_.name);
  Query(absl::StrCat("CREATE ROLE ", role));
  const auto session = OpenSession();
  ASSERT_TRUE(session->PrepareForWriting().ok());
  ASSERT_TRUE(session->Begin().ok());
  for (const std::string& statement :
       {std::string("SELECT set_config('search_path', '', false)"), absl::StrCat("SET ROLE ", role),
        std::string("SET standard_conforming_strings = off"),
        std::string("SET client_encoding = 'LATIN1'"), std::string("SET row_security = off")}) {
    Run(*session, statement);
  }
  ASSERT_TRUE(session->ResetSettings().ok());
  EXPECT_TRUE(Insert(*session, "a").ok());
  ASSERT_TRUE(session->Commit().ok());

  Run(*session,
      "CREATE TABLE settings AS SELECT current_user::text AS who, "
      "current_setting('search_path') AS path, "
      "current_setting('client_encoding') AS encoding, "
      "current_setting('standard_conforming_strings') AS strings");
  EXPECT_EQ(Query("SELECT who || ' ' || path || ' ' || encoding || ' ' || strings FROM settings"),
            "postgres \"$user\", public UTF8 on");
}

TEST_F(PostgresSessionTest, ResetUndoesASessionAuthorization) {
  const std::string role = absl::StrCat("role_", options_.name);
  Query(absl::StrCat("CREATE ROLE ", role));
  const auto session = OpenSession();
  ASSERT_TRUE(session->PrepareForWriting().ok());
  Run(*session, absl::StrCat("SET SESSION AUTHORIZATION ", role));
  EXPECT_FALSE(Insert(*session, "a").ok());
  ASSERT_TRUE(session->ResetSettings().ok());
  EXPECT_TRUE(Insert(*session, "a").ok());
}

TEST_F(PostgresSessionTest, ResetReturnsToTheRoleThatTheDatabaseGivesItsSessions) {
  const std::string role = absl::StrCat("role_", options_.name);
  Query(absl::StrCat("CREATE ROLE ", role, "; GRANT ALL ON SCHEMA public TO ", role,
                     "; ALTER DATABASE ", options_.name, " SET role = ", role));
  const auto session = OpenSession();
  for (const char* statement :
       {"SELECT 1", "SET ROLE postgres", "SET SESSION AUTHORIZATION postgres"}) {
    Run(*session, statement);
    ASSERT_TRUE(session->ResetSettings().ok());
    Run(*session, "CREATE TABLE made ()");
    EXPECT_EQ(Query("SELECT tableowner FROM pg_tables WHERE tablename = 'made'"), role)
        << statement;
    Run(*session, "DROP TABLE made");
  }
}

TEST_F(PostgresSessionTest, TimeoutsAreSetInMilliseconds) {
  const auto session = OpenSession();
  ASSERT_TRUE(session->SetTimeouts({absl::Milliseconds(1500), absl::Minutes(2)}).ok());
  Run(*session,
      "CREATE TABLE timeouts AS SELECT current_setting('lock_timeout') AS lock, "
      "current_setting('statement_timeout') AS statement");
  EXPECT_EQ(Query("SELECT lock || ' ' || statement FROM timeouts"), "1500ms 2min");
}

TEST_F(PostgresSessionTest, AStatementThatTakesTooLongIsEnded) {
  const auto session = OpenSession();
  ASSERT_TRUE(session->SetTimeouts({absl::ZeroDuration(), absl::Milliseconds(20)}).ok());
  const StatementResult ended = Execute(*session, "SELECT pg_sleep(600)");
  ASSERT_TRUE(ended.error.has_value());
  EXPECT_EQ(ended.error->sqlstate, "57014");
}

TEST_F(PostgresSessionTest, ALockThatIsNotFreeInTimeIsTold) {
  Query("CREATE TABLE t (a int)");
  const auto holder = OpenSession();
  ASSERT_TRUE(holder->Begin().ok());
  Run(*holder, "LOCK TABLE t");
  const auto waiter = database_->OpenSession("waiter").value();
  ASSERT_TRUE(waiter->SetTimeouts({absl::Milliseconds(20), absl::ZeroDuration()}).ok());
  const StatementResult ended = Execute(*waiter, "ALTER TABLE t ADD b int");
  ASSERT_TRUE(ended.error.has_value());
  EXPECT_EQ(ended.error->sqlstate, "55P03");
}

// --- The version table ---

TEST_F(PostgresSessionTest, ReadingMakesNothing) {
  OpenSession();
  EXPECT_THAT(database_->ReadRows().value(), IsEmpty());
  EXPECT_THAT(database_->ReadApplyTimes().value(), IsEmpty());
  EXPECT_EQ(Query("SELECT count(*) FROM pg_class WHERE relname = 'alembic_version'"), "0");
  EXPECT_EQ(Query("SELECT count(*) FROM pg_namespace WHERE nspname = 'migration_service'"), "0");
}

TEST_F(PostgresSessionTest, MakesTheVersionTableAsAlembicDoes) {
  ASSERT_TRUE(OpenSession()->PrepareForWriting().ok());
  EXPECT_EQ(Query("SELECT format_type(atttypid, atttypmod) || ' ' || attnotnull FROM pg_attribute "
                  "WHERE attrelid = 'public.alembic_version'::regclass AND attnum > 0"),
            "character varying(32) true");
  EXPECT_EQ(Query("SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint "
                  "WHERE conrelid = 'public.alembic_version'::regclass"),
            "alembic_version_pkc PRIMARY KEY (version_num)");
}

TEST_F(PostgresSessionTest, TakesTheTableThatAlembicMade) {
  Query(
      "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL, "
      "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)); "
      "INSERT INTO alembic_version VALUES ('ca5d2b0eba52')");
  const auto session = OpenSession();
  EXPECT_THAT(database_->ReadRows().value(), ElementsAre("ca5d2b0eba52"));
  ASSERT_TRUE(session->PrepareForWriting().ok());
  EXPECT_THAT(session->ReadRows().value(), ElementsAre("ca5d2b0eba52"));
}

TEST_F(PostgresSessionTest, TheVersionTableMayHaveAnotherNameAndSchema) {
  Query("CREATE SCHEMA \"Odd Schema\"");
  options_.version_table.schema = "Odd Schema";
  options_.version_table.name = "My \"Versions\"";
  const auto session = OpenSession();
  EXPECT_THAT(session->ReadRows().value(), IsEmpty());
  ASSERT_TRUE(session->PrepareForWriting().ok());
  ASSERT_TRUE(Insert(*session, "a").ok());
  EXPECT_THAT(database_->ReadRows().value(), ElementsAre("a"));
  EXPECT_EQ(Query(R"(SELECT version_num FROM "Odd Schema"."My ""Versions""")"), "a");
}

TEST_F(PostgresSessionTest, FindsTheVersionTableAlongTheSearchPath) {
  Query(
      absl::StrCat("CREATE SCHEMA app; CREATE TABLE app.alembic_version (version_num varchar(32)); "
                   "INSERT INTO app.alembic_version VALUES ('a'); ALTER DATABASE ",
                   options_.name, " SET search_path = public, app"));
  const auto session = OpenSession();
  EXPECT_THAT(session->ReadRows().value(), ElementsAre("a"));
  ASSERT_TRUE(session->PrepareForWriting().ok());
  EXPECT_EQ(Query("SELECT to_regclass('public.alembic_version') IS NULL"), "t");
}

TEST_F(PostgresSessionTest, StaysWithItsVersionTableWhenAMigrationMovesTheSearchPath) {
  const auto session = OpenSession();
  ASSERT_TRUE(session->PrepareForWriting().ok());
  Run(*session, "CREATE SCHEMA other");
  Run(*session, "SET search_path = other");
  EXPECT_TRUE(Insert(*session, "a").ok());
  EXPECT_EQ(Query("SELECT version_num FROM public.alembic_version"), "a");
}

TEST_F(PostgresSessionTest, ASearchPathWithoutASchemaLeavesNoPlaceForTheTable) {
  Query(absl::StrCat("ALTER DATABASE ", options_.name, " SET search_path = nowhere"));
  const auto session = OpenSession();
  EXPECT_THAT(session->ReadRows().value(), IsEmpty());
  const absl::Status status = session->PrepareForWriting();
  EXPECT_EQ(errors::ReasonOf(status), ErrorReason::ERROR_REASON_DATABASE_UNSUITABLE);
  EXPECT_THAT(errors::ToProto(status).hint(), HasSubstr("--version-table-schema"));
}

TEST_F(PostgresSessionTest, AVersionTableOfAnotherShapeIsNamed) {
  Query("CREATE TABLE alembic_version (id int)");
  OpenSession();
  const absl::Status status = database_->ReadRows().status();
  EXPECT_EQ(errors::ReasonOf(status), ErrorReason::ERROR_REASON_DATABASE_UNSUITABLE);
  EXPECT_THAT(std::string(status.message()), HasSubstr("version_num"));
  EXPECT_THAT(errors::ToProto(status).hint(), HasSubstr("version table"));
}

TEST_F(PostgresSessionTest, AVersionTableWithAnUnreadableRowIsNamed) {
  Query(
      "CREATE TABLE alembic_version (version_num varchar(32)); "
      "INSERT INTO alembic_version VALUES (NULL)");
  OpenSession();
  EXPECT_EQ(errors::ReasonOf(database_->ReadRows().status()),
            ErrorReason::ERROR_REASON_DATABASE_UNSUITABLE);
}

TEST_F(PostgresSessionTest, AConflictOverTheVersionTableIsToldAsOne) {
  const auto session = OpenSession();
  ASSERT_TRUE(session->PrepareForWriting().ok());
  ASSERT_TRUE(Insert(*session, "a").ok());
  Run(*session, "SET default_transaction_isolation = 'repeatable read'");
  ASSERT_TRUE(session->Begin().ok());
  ASSERT_TRUE(session->ReadRows().ok());
  Query("UPDATE alembic_version SET version_num = 'b'");
  const absl::Status status = session->WriteVersion({VersionWrite::Kind::kUpdate, "a", "c"}, "c");
  EXPECT_EQ(errors::ReasonOf(status), ErrorReason::ERROR_REASON_TRANSACTION_CONFLICT);
  EXPECT_TRUE(session->Rollback().ok());
}

TEST_F(PostgresSessionTest, AnIdLongerThanTheColumnIsRefusedClearly) {
  const auto session = OpenSession();
  ASSERT_TRUE(session->PrepareForWriting().ok());
  const absl::Status status = Insert(*session, std::string(33, 'x'));
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("character varying(32)"));
}

TEST_F(PostgresSessionTest, EveryDatabaseHasItsOwnMutex) {
  const auto session = OpenSession();
  ASSERT_TRUE(session->TryAcquireMutex().value());
  PostgresDatabase other(TestCluster::NewDatabaseOptions());
  const auto elsewhere = other.OpenSession("other").value();
  EXPECT_FALSE(elsewhere->ReadMutexHolder().value().has_value());
  EXPECT_TRUE(elsewhere->TryAcquireMutex().value());
}

// --- A session that an operation has given back, having found nothing to do ---

class SpareSessionTest : public PostgresSessionTest {
 protected:
  SpareSessionTest() {
    Query(kMakeTable);
    auto session = OpenSession();
    EXPECT_TRUE(session->TryAcquireMutex().value());
    EXPECT_THAT(session->ReadRows().value(), ElementsAre("aa10"));
    pid_ = session->pid();
    database_->TakeBack(std::move(session));
  }

  std::unique_ptr<Session> OpenAgain() { return database_->OpenSession("again").value(); }

  static constexpr char kMakeTable[] =
      "CREATE TABLE alembic_version (version_num varchar(32)); "
      "INSERT INTO alembic_version VALUES ('aa10')";
  int pid_ = 0;
};

TEST_F(SpareSessionTest, GetsItsNameAndTheRowsWithTheMutex) {
  PostgresDatabase elsewhere(options_);
  auto other = elsewhere.OpenSession("other").value();
  EXPECT_TRUE(other->TryAcquireMutex().value());
  const auto session = OpenAgain();
  EXPECT_EQ(session->pid(), pid_);
  EXPECT_FALSE(session->TryAcquireMutex().value());
  Query("INSERT INTO alembic_version VALUES ('bb20')");
  other.reset();
  while (!session->TryAcquireMutex().value()) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_THAT(session->ReadRows().value(), ElementsAre("aa10", "bb20"));
  // Anew if they are asked for again.
  Query("DELETE FROM alembic_version");
  EXPECT_THAT(session->ReadRows().value(), IsEmpty());
  EXPECT_EQ(Query(absl::StrCat("SELECT application_name FROM pg_stat_activity WHERE pid = ", pid_)),
            "migd again");
}

TEST_F(SpareSessionTest, FindsThatTheVersionTableIsGone) {
  Query("DROP TABLE alembic_version");
  const auto session = OpenAgain();
  EXPECT_TRUE(session->TryAcquireMutex().value());
  EXPECT_THAT(session->ReadRows().value(), IsEmpty());
  EXPECT_TRUE(session->HoldsMutex().value());
}

TEST_F(SpareSessionTest, ARowWithoutARevisionIsNotPassedOver) {
  Query("INSERT INTO alembic_version VALUES (NULL)");
  const auto session = OpenAgain();
  EXPECT_TRUE(session->TryAcquireMutex().value());
  EXPECT_FALSE(session->ReadRows().ok());
}

TEST_F(SpareSessionTest, IsNotUsedOnceTheServerHasEndedIt) {
  Query(absl::StrCat("SELECT pg_terminate_backend(", pid_, ", 10000)"));
  const auto session = OpenAgain();
  EXPECT_NE(session->pid(), pid_);
  EXPECT_TRUE(session->TryAcquireMutex().value());
}

TEST_F(PostgresSessionTest, OneThatIsLostWhileItIsMadeReadyAheadIsNotUsed) {
  Query(
      "CREATE FUNCTION end_it() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN "
      "IF current_setting('application_name') = 'migd' THEN "
      "PERFORM pg_terminate_backend(pg_backend_pid()); END IF; END $$; "
      "CREATE EVENT TRIGGER end_it ON ddl_command_end EXECUTE FUNCTION end_it()");
  PostgresDatabase database(options_);
  database.ExpectOperation();
  const auto session = database.OpenSession("op").value();
  const auto acquired = session->TryAcquireMutex();
  ASSERT_TRUE(acquired.ok()) << acquired.status();
  EXPECT_TRUE(*acquired);
}

TEST_F(PostgresSessionTest, CommitTellsOfADeferredConstraint) {
  const auto session = OpenSession();
  Run(*session, "CREATE TABLE p (id int PRIMARY KEY)");
  Run(*session, "CREATE TABLE c (p int REFERENCES p DEFERRABLE INITIALLY DEFERRED)");
  ASSERT_TRUE(session->Begin().ok());
  Run(*session, "INSERT INTO c VALUES (1)");
  const auto committed = session->Commit();
  ASSERT_TRUE(committed.ok());
  ASSERT_TRUE(committed->error.has_value());
  EXPECT_EQ(committed->error->sqlstate, "23503");
  EXPECT_FALSE(session->InTransaction());
}

// Steps that change nothing but the version table, one after the other.
class StepEndTest : public PostgresSessionTest {
 protected:
  StepEndTest() : session_(OpenSession()) {
    EXPECT_TRUE(session_->PrepareForWriting().ok());
    EXPECT_TRUE(session_->TryAcquireMutex().value());
  }

  // A step with one statement that leads to a revision.
  class OneStep {
   public:
    OneStep(std::string sql, const std::string& revision, StepPart part = {})
        : sql_(std::move(sql)),
          writes_{{VersionWrite::Kind::kInsert, "", revision}},
          part_(std::move(part)) {
      statement_.text = sql_;
      part_.begin = Timeouts{absl::Seconds(7), absl::ZeroDuration()};
      part_.statements = absl::MakeConstSpan(&statement_, 1);
      part_.end = StepEnd{
          writes_, {revision, Step::Direction::kUpgrade, "", "op", absl::nullopt, {revision}}};
    }
    OneStep(const OneStep&) = delete;
    OneStep& operator=(const OneStep&) = delete;
    StepPart& part() { return part_; }

   private:
    const std::string sql_;
    Statement statement_;
    const std::vector<VersionWrite> writes_;
    StepPart part_;
  };

  // Runs a step and leaves its transaction open.
  absl::Status RunStep(OneStep& step) {
    return session_->RunPart(step.part(), [](size_t, const StatementResult& result) {
      return result.error ? absl::AbortedError(result.error->message) : absl::OkStatus();
    });
  }
  absl::Status RunStep(const std::string& sql, const std::string& revision, StepPart part = {}) {
    OneStep step(sql, revision, std::move(part));
    return RunStep(step);
  }
  // The same, with a COMMIT of its own.
  void RunWholeStep(const std::string& sql, const std::string& revision) {
    const absl::Status status = RunStep(sql, revision);
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_FALSE(session_->Commit()->error.has_value());
  }
  // A step that is committed, whatever comes then.
  static StepPart Committed() {
    StepPart part;
    part.is_committed = true;
    return part;
  }

  std::unique_ptr<Session> session_;
};

TEST_F(StepEndTest, WhatARevisionSetsIsGoneForTheNext) {
  RunWholeStep("SET lock_timeout = '1h'", "r1");
  RunWholeStep("CREATE TABLE told AS SELECT current_setting('lock_timeout') AS timeout", "r2");
  EXPECT_EQ(Query("SELECT timeout FROM told"), "7s");
}

TEST_F(StepEndTest, WhatWasSetInATransactionThatIsRolledBackIsSetAgain) {
  RunWholeStep("SELECT 1", "r1");
  ASSERT_TRUE(session_->SetTimeouts({absl::Seconds(1), absl::ZeroDuration()}).ok());
  EXPECT_FALSE(RunStep("SELECT 1/0", "r2").ok());
  ASSERT_TRUE(session_->Rollback().ok());
  RunWholeStep("CREATE TABLE told AS SELECT current_setting('lock_timeout') AS timeout", "r2");
  EXPECT_EQ(Query("SELECT timeout FROM told"), "7s");
}

TEST_F(StepEndTest, ARevisionMayDropWhatWasPrepared) {
  RunWholeStep("SELECT 1", "r1");
  Run(*session_, "DEALLOCATE ALL");
  RunWholeStep("SELECT 1", "r2");
  Run(*session_, "DISCARD ALL");
  ASSERT_TRUE(session_->TryAcquireMutex().value());
  RunWholeStep("SELECT 1", "r3");
  EXPECT_EQ(Query("SELECT count(*) FROM migration_service.revision_log"), "3");
}

TEST_F(StepEndTest, StepsThatAreCommittedAnyhowAreCommittedOneAfterTheOther) {
  RunWholeStep("CREATE TABLE t (i int)", "r");
  ASSERT_TRUE(RunStep("INSERT INTO t VALUES (0)", "r0", Committed()).ok());
  EXPECT_TRUE(session_->InTransaction());
  for (int i = 1; i < 50; ++i) {
    int told = 0;
    StepPart next = Committed();
    next.on_commit = [&](const StatementResult& committed) {
      ++told;
      EXPECT_EQ(committed.command_tag, "COMMIT");
      return absl::OkStatus();
    };
    const auto status =
        RunStep(absl::StrCat("INSERT INTO t VALUES (", i, ")"), absl::StrCat("r", i), next);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(told, 1);
  }
  EXPECT_EQ(session_->Commit()->command_tag, "COMMIT");
  EXPECT_FALSE(session_->InTransaction());
  EXPECT_EQ(Query("SELECT count(*) FROM t"), "50");
  EXPECT_EQ(Query("SELECT count(*) FROM alembic_version"), "51");
}

TEST_F(StepEndTest, AStepWhoseEndFailsIsNotCommittedAndTheSessionGoesOn) {
  RunWholeStep("CREATE TABLE t (i int)", "r1");
  for (int i = 0; i < 50; ++i) {
    // The row is there already.
    const absl::Status status = RunStep("INSERT INTO t VALUES (1)", "r1", Committed());
    ASSERT_EQ(errors::ReasonOf(status), ErrorReason::ERROR_REASON_VERSION_ROW_MISMATCH) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("; 0 found"));
    if (session_->InTransaction()) {
      ASSERT_TRUE(session_->Rollback().ok());
    }
  }
  EXPECT_EQ(Query("SELECT count(*) FROM t"), "0");
  RunWholeStep("INSERT INTO t VALUES (1)", "r2");
}

// The first prepares what all use, so that the second cannot be sent with its COMMIT; the others
// can.
TEST_F(StepEndTest, StepsAreSentWithTheCommitOfTheOneBefore) {
  constexpr int kCount = 20;
  std::vector<std::string> told;
  std::vector<std::unique_ptr<OneStep>> steps;
  for (int i = 0; i < kCount; ++i) {
    StepPart part = Committed();
    part.next = [&, i] {
      told.push_back(absl::StrCat("asked behind ", i));
      return i + 1 < kCount ? &steps[static_cast<size_t>(i) + 1]->part() : nullptr;
    };
    if (i > 0) {
      part.on_commit = [&, i](const StatementResult& committed) {
        told.push_back(absl::StrCat(committed.command_tag, " of ", i - 1));
        return absl::OkStatus();
      };
    }
    steps.push_back(std::make_unique<OneStep>(absl::StrCat("CREATE TABLE t", i, " (i int)"),
                                              absl::StrCat("r", i), std::move(part)));
  }
  std::vector<std::string> expected;
  for (int i = 0; i < kCount; ++i) {
    const absl::Status status = RunStep(*steps[static_cast<size_t>(i)]);
    ASSERT_TRUE(status.ok()) << i << ": " << status;
    if (i > 0) expected.push_back(absl::StrCat("COMMIT of ", i - 1));
    expected.push_back(absl::StrCat("asked behind ", i));
    EXPECT_EQ(told, expected);
  }
  EXPECT_EQ(session_->Commit()->command_tag, "COMMIT");
  EXPECT_EQ(Query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "21");
  EXPECT_EQ(Query("SELECT count(*) FROM migration_service.revision_log"), "20");
}

TEST_F(StepEndTest, NothingRunsBehindAStepWhoseEndFails) {
  RunWholeStep("CREATE SEQUENCE s", "r1");
  OneStep next("SELECT nextval('s')", "r2");
  next.part().on_commit = [](const StatementResult&) { return absl::OkStatus(); };
  StepPart first = Committed();
  first.next = [&] { return &next.part(); };
  // The row is there already.
  const absl::Status status = RunStep("CREATE TABLE t ()", "r1", first);
  EXPECT_EQ(errors::ReasonOf(status), ErrorReason::ERROR_REASON_VERSION_ROW_MISMATCH) << status;
  ASSERT_TRUE(session_->InTransaction());
  ASSERT_TRUE(session_->Rollback().ok());
  // What a rollback would not undo has not been done.
  EXPECT_EQ(Query("SELECT is_called FROM s"), "f");
  // What was on its way is forgotten.
  RunWholeStep("CREATE TABLE t ()", "r3");
}

TEST_F(StepEndTest, WhatIsOnItsWayIsRolledBackIfTheCallerStopsBehindTheCommit) {
  RunWholeStep("CREATE TABLE t (i int)", "r1");
  OneStep next("INSERT INTO t VALUES (2)", "r3");
  next.part().on_commit = [](const StatementResult&) { return absl::CancelledError("enough"); };
  StepPart first = Committed();
  first.next = [&] { return &next.part(); };
  ASSERT_TRUE(RunStep("INSERT INTO t VALUES (1)", "r2", first).ok());
  EXPECT_EQ(RunStep(next), absl::CancelledError("enough"));
  if (session_->InTransaction()) {
    ASSERT_TRUE(session_->Rollback().ok());
  }
  EXPECT_EQ(Query("SELECT string_agg(i::text, ',') FROM t"), "1");
  EXPECT_EQ(Query("SELECT count(*) FROM alembic_version"), "2");
}

TEST_F(StepEndTest, AStepWithoutTheMutexIsNotCommitted) {
  RunWholeStep("CREATE TABLE t (i int)", "r1");
  Run(*session_, "SELECT pg_advisory_unlock_all()");
  const absl::Status status = RunStep("INSERT INTO t VALUES (1)", "r2", Committed());
  EXPECT_EQ(errors::ReasonOf(status), ErrorReason::ERROR_REASON_MUTEX_LOST) << status;
  if (session_->InTransaction()) {
    ASSERT_TRUE(session_->Rollback().ok());
  }
  EXPECT_EQ(Query("SELECT count(*) FROM t"), "0");
  EXPECT_EQ(Query("SELECT version_num FROM alembic_version"), "r1");
}

class CommitRefusedTest : public StepEndTest, public ::testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(SentAheadOrNot, CommitRefusedTest, ::testing::Bool());

TEST_P(CommitRefusedTest, NothingRunsBehindIt) {
  Run(*session_, "CREATE TABLE p (id int PRIMARY KEY)");
  Run(*session_, "CREATE TABLE c (p int REFERENCES p DEFERRABLE INITIALLY DEFERRED)");
  StepPart first;
  first.is_committed = GetParam();
  ASSERT_TRUE(RunStep("INSERT INTO c VALUES (1)", "r1", first).ok());
  StepPart next;
  std::string sqlstate;
  next.on_commit = [&](const StatementResult& committed) {
    if (committed.error) sqlstate = committed.error->sqlstate;
    return absl::AbortedError("refused");
  };
  EXPECT_EQ(RunStep("SELECT setval(pg_get_serial_sequence('migration_service.revision_log', "
                    "'entry'), 1000)",
                    "r2", next),
            absl::AbortedError("refused"));
  EXPECT_EQ(sqlstate, "23503");
  EXPECT_FALSE(session_->InTransaction());
  // What a rollback would not undo has not been done.
  EXPECT_EQ(Query("SELECT last_value < 1000 FROM migration_service.revision_log_entry_seq"), "t");
}

TEST_F(PostgresSessionTest, TheLogTellsWhatWasDoneByWhom) {
  const auto session = OpenSession();
  ASSERT_TRUE(session->PrepareForWriting().ok());
  ASSERT_TRUE(
      session->AppendLog({"b", Step::Direction::kDowngrade, "sum", "op", absl::Now(), {"a1", "a2"}})
          .ok());
  EXPECT_EQ(Query("SELECT concat_ws(' ', version_table, revision, direction, checksum, operation, "
                  "applied_by, resulting_revisions) FROM migration_service.revision_log"),
            "public.alembic_version b downgrade sum op postgres {a1,a2}");
}

TEST_F(PostgresSessionTest, ALostConnectionIsAStatusOfEveryFunction) {
  const auto session = OpenSession();
  Query(absl::StrCat("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '",
                     options_.name, "' AND pid <> pg_backend_pid()"));
  const auto unavailable = ErrorReason::ERROR_REASON_DATABASE_UNAVAILABLE;
  EXPECT_EQ(errors::ReasonOf(session->ReadRows().status()), unavailable);
  EXPECT_EQ(errors::ReasonOf(session->Begin()), unavailable);
  EXPECT_EQ(errors::ReasonOf(session->TryAcquireMutex().status()), unavailable);
  EXPECT_EQ(errors::ReasonOf(Insert(*session, "a")), unavailable);
  Statement statement;
  statement.text = "SELECT 1";
  EXPECT_EQ(errors::ReasonOf(session->Execute(statement).status()), unavailable);
  EXPECT_EQ(errors::ReasonOf(session->Commit().status()), unavailable);
}

TEST_F(PostgresSessionTest, ReadsGoOnAfterPostgresEndedTheirConnections) {
  OpenSession();
  ASSERT_TRUE(database_->ReadRows().ok());
  Query(absl::StrCat("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '",
                     options_.name, "' AND pid <> pg_backend_pid()"));
  EXPECT_TRUE(database_->ReadRows().ok());
}

}  // namespace
}  // namespace migd
