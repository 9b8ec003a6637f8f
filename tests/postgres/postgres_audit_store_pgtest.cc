// The audit in PostgreSQL: its chain, and what becomes of it when somebody lays hands on it.

#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "service/database/audit_chain.h"
#include "service/postgres/postgres_audit_store.h"
#include "service/postgres/postgres_operation_store.h"
#include "tests/support/test_cluster.h"

namespace migd {
namespace {

using migration::v1::AuditEntry;
using migration::v1::AuditProblem;
using migration::v1::Operation;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Property;
using ::testing::SizeIs;

constexpr int64_t kNewest = std::numeric_limits<int64_t>::max();

class PostgresAudit : public ::testing::Test {
 protected:
  static AuditEntry Refused(const std::string& principal, const std::string& request = "head") {
    AuditEntry entry;
    entry.set_principal(principal);
    entry.set_address("ipv4:10.0.0.7:51000");
    entry.set_rpc("Upgrade");
    entry.set_request(request);
    entry.set_outcome(AuditEntry::OUTCOME_REFUSED);
    entry.set_reason("PERMISSION_DENIED");
    entry.set_request_id("5f0c54ab-3d5e-4b4c-9d3a-7a0a2a54f3aa");
    entry.set_trace_id("4bf92f3577b34da6a3ce929d0e0e4736");
    entry.set_server("db1:77");
    entry.set_count(1);
    return entry;
  }

  void Append(const std::vector<AuditEntry>& entries) {
    const absl::Status status = audit_.Append(entries);
    EXPECT_TRUE(status.ok()) << status;
  }

  migration::v1::VerifyAuditResponse Verify(int64_t known_number = 0,
                                            const std::string& known_hash = "") {
    ChainChecker checker(known_number, known_hash);
    const auto entries = audit_.ListOldest(0, 100'000);
    EXPECT_TRUE(entries.ok()) << entries.status();
    for (const AuditEntry& entry : *entries) checker.Add(entry);
    return checker.Finish();
  }

  // The kinds of problems, with the numbers of the entries.
  std::vector<std::string> Problems() {
    std::vector<std::string> problems;
    const auto result = Verify();
    for (const AuditProblem& problem : result.problems()) {
      problems.push_back(
          absl::StrCat(AuditProblem::Kind_Name(problem.kind()), " ", problem.number()));
    }
    return problems;
  }

  // Why PostgreSQL refuses to do it.
  std::string Refusal(const std::string& sql) {
    try {
      pqxx::connection connection(FormatConninfo(options_.connection));
      pqxx::nontransaction(connection).exec(sql);
    } catch (const pqxx::sql_error& error) {
      return error.what();
    }
    return "";
  }

  // As somebody who may do everything, and takes the trigger out of the way.
  void Tamper(const std::string& sql) {
    TestCluster::Query(options_.connection,
                       "ALTER TABLE migration_service.audit DISABLE TRIGGER ALL; " + sql +
                           "; ALTER TABLE migration_service.audit ENABLE TRIGGER ALL");
  }

  const PostgresOptions options_ = TestCluster::NewDatabaseOptions();
  PostgresDatabase database_{options_};
  PostgresAuditStore audit_{database_};
};

TEST_F(PostgresAudit, ReturnsWhatWasAddedNewestFirst) {
  Append({Refused("token:ci"), Refused("token:deploy", "it's \\ \"ä\"\n\x01 and \xff")});
  const auto entries = audit_.ListNewest(kNewest, "", 10);
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_THAT(*entries, SizeIs(2));
  EXPECT_EQ(entries->at(0).number(), 2);
  EXPECT_EQ(entries->at(0).principal(), "token:deploy");
  EXPECT_EQ(entries->at(0).request(), "it's \\ \"ä\"\\n\\x01 and \xEF\xBF\xBD");
  AuditEntry expected = Refused("token:ci");
  *expected.mutable_time() = entries->at(1).time();
  expected.set_number(1);
  expected.set_hash(HashOf(expected));
  EXPECT_EQ(entries->at(1).DebugString(), expected.DebugString());
  EXPECT_EQ(entries->at(0).previous_hash(), entries->at(1).hash());
}

TEST_F(PostgresAudit, ListsOnePrincipalPageByPage) {
  for (int i = 0; i < 3; ++i) Append({Refused("token:a"), Refused("token:b")});
  const auto page = audit_.ListNewest(6, "token:a", 2);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_THAT(*page,
              ElementsAre(Property(&AuditEntry::number, 5), Property(&AuditEntry::number, 3)));
}

TEST_F(PostgresAudit, IsEmptyInADatabaseWithoutTables) {
  const auto entries = audit_.ListNewest(kNewest, "", 10);
  ASSERT_TRUE(entries.ok()) << entries.status();
  EXPECT_THAT(*entries, IsEmpty());
  EXPECT_TRUE(Verify().intact());
}

TEST_F(PostgresAudit, ManyServersMakeOneChain) {
  std::vector<std::thread> servers;
  for (int i = 0; i < 6; ++i) {
    servers.emplace_back([&] {
      PostgresDatabase database(options_);
      PostgresAuditStore audit(database);
      for (int j = 0; j < 20; ++j) {
        const absl::Status status = audit.Append({Refused("token:ci")});
        EXPECT_TRUE(status.ok()) << status;
      }
    });
  }
  for (std::thread& server : servers) server.join();
  const auto result = Verify();
  EXPECT_TRUE(result.intact()) << result.DebugString();
  EXPECT_EQ(result.entry_count(), 120);
  EXPECT_EQ(result.newest_number(), 120);
}

TEST_F(PostgresAudit, AStricterIsolationLevelOfTheDatabaseBreaksNoChain) {
  TestCluster::Query(options_.connection,
                     "ALTER ROLE CURRENT_USER IN DATABASE " + options_.connection.at("dbname") +
                         " SET default_transaction_isolation = 'serializable'");
  std::vector<std::thread> servers;
  for (int i = 0; i < 4; ++i) {
    servers.emplace_back([&] {
      PostgresDatabase database(options_);
      PostgresAuditStore audit(database);
      for (int j = 0; j < 10; ++j) {
        const absl::Status status = audit.Append({Refused("token:ci")});
        EXPECT_TRUE(status.ok()) << status;
      }
    });
  }
  for (std::thread& server : servers) server.join();
  EXPECT_EQ(Verify().entry_count(), 40);
}

TEST_F(PostgresAudit, RefusesToBeChangedEvenByItsOwner) {
  Append({Refused("token:ci")});
  for (const char* change :
       {"UPDATE migration_service.audit SET principal = 'nobody'",
        "DELETE FROM migration_service.audit", "TRUNCATE migration_service.audit"}) {
    EXPECT_THAT(Refusal(change), HasSubstr("only ever added to")) << change;
  }
  EXPECT_TRUE(Verify().intact());
}

TEST_F(PostgresAudit, LeavesItsOwnerNoPrivilegeButToReadAndToAdd) {
  Append({Refused("token:ci")});
  EXPECT_EQ(TestCluster::Query(options_.connection,
                               "SELECT string_agg(privilege_type, ', ' ORDER BY privilege_type) "
                               "FROM pg_class, aclexplode(relacl) "
                               "WHERE oid = 'migration_service.audit'::regclass"),
            "INSERT, SELECT");
}

TEST_F(PostgresAudit, ShowsAnEntryThatWasChanged) {
  Append({Refused("a"), Refused("b"), Refused("c")});
  Tamper("UPDATE migration_service.audit SET principal = 'nobody' WHERE number = 2");
  EXPECT_THAT(Problems(), ElementsAre("KIND_CHANGED 2"));
}

TEST_F(PostgresAudit, ShowsAnEntryThatWasWrittenAnewWithItsHash) {
  Append({Refused("a"), Refused("b"), Refused("c")});
  AuditEntry forged = audit_.ListOldest(1, 1)->front();
  forged.set_principal("nobody");
  Tamper("UPDATE migration_service.audit SET principal = 'nobody', hash = '" + HashOf(forged) +
         "' WHERE number = 2");
  EXPECT_THAT(Problems(), ElementsAre("KIND_UNLINKED 3"));
}

TEST_F(PostgresAudit, ShowsAnEntryThatWasTakenAway) {
  Append({Refused("a"), Refused("b"), Refused("c"), Refused("d")});
  Tamper("DELETE FROM migration_service.audit WHERE number IN (2, 3)");
  EXPECT_THAT(Problems(), ElementsAre("KIND_MISSING 4"));
  const auto result = Verify();
  EXPECT_EQ(result.problems(0).message(), "entries 2 to 3 are missing");
}

TEST_F(PostgresAudit, AnEndThatWasCutOffShowsToWhoeverKnewIt) {
  Append({Refused("a"), Refused("b")});
  const auto known = Verify();
  Tamper("DELETE FROM migration_service.audit WHERE number = 2");
  EXPECT_TRUE(Verify().intact());
  const auto result = Verify(known.newest_number(), known.newest_hash());
  EXPECT_FALSE(result.intact());
  EXPECT_EQ(result.problems(0).kind(), AuditProblem::KIND_CUT_OFF);

  Append({Refused("c")});
  const auto later = Verify(known.newest_number(), known.newest_hash());
  EXPECT_EQ(later.problems(0).kind(), AuditProblem::KIND_CUT_OFF);
}

TEST_F(PostgresAudit, ARoleThatMayOnlyInsertIsChained) {
  Append({Refused("a")});
  TestCluster::Query(options_.connection,
                     "CREATE ROLE audited_by_others; "
                     "GRANT USAGE ON SCHEMA migration_service TO audited_by_others; "
                     "GRANT INSERT ON migration_service.audit TO audited_by_others");
  TestCluster::Query(options_.connection,
                     "SET ROLE audited_by_others; INSERT INTO migration_service.audit (principal, "
                     "address, rpc, request, outcome, reason, operation, request_id, trace_id, "
                     "server, calls) VALUES ('b', '', '', '', 'REFUSED', '', '', '', '', '', 1)");
  TestCluster::Query(options_.connection,
                     "DROP OWNED BY audited_by_others; DROP ROLE audited_by_others");
  EXPECT_EQ(Verify().entry_count(), 2);
  EXPECT_TRUE(Verify().intact());
}

TEST_F(PostgresAudit, ATableThatWasGivenToAnotherIsWrittenStill) {
  TestCluster::Query(options_.connection,
                     "DO $$ BEGIN CREATE ROLE auditor; CREATE ROLE migrator LOGIN; EXCEPTION WHEN "
                     "duplicate_object THEN END $$; GRANT CREATE ON DATABASE " +
                         options_.connection.at("dbname") + " TO migrator");
  PostgresOptions options = options_;
  options.connection["user"] = "migrator";
  PostgresDatabase database(options);
  PostgresAuditStore audit(database);
  ASSERT_TRUE(audit.Append({Refused("a")}).ok());
  TestCluster::Query(options_.connection,
                     "ALTER TABLE migration_service.audit OWNER TO auditor; "
                     "GRANT SELECT, INSERT ON migration_service.audit TO migrator");
  const absl::Status status = audit.Append({Refused("b")});
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(Verify().entry_count(), 2);
  EXPECT_TRUE(Verify().intact());
}

TEST_F(PostgresAudit, TheRehearsalOfAnEndAddsARowAndTakesItBack) {
  Append({Refused("token:ci")});
  // What a sequence has given is not taken back.
  TestCluster::Query(
      options_.connection,
      "CREATE SEQUENCE added; CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS "
      "'BEGIN PERFORM nextval(''added''); RETURN NULL; END'; "
      "CREATE TRIGGER note AFTER INSERT ON migration_service.audit "
      "FOR EACH ROW EXECUTE FUNCTION note()");
  PostgresOperationStore operations(database_);
  const auto ledger = operations.OpenLedger(7).value();
  ledger->RehearseEnd();
  ledger->RehearseEnd();
  EXPECT_EQ(TestCluster::Query(options_.connection,
                               "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM added"),
            "1");
  EXPECT_EQ(Verify().entry_count(), 1);
  EXPECT_TRUE(Verify().intact());
  EXPECT_TRUE(ledger->Touch(7).ok());
}

TEST_F(PostgresAudit, TheRehearsalOfAnEndMayFail) {
  PostgresOperationStore operations(database_);
  const auto ledger = operations.OpenLedger(7).value();
  ledger->RehearseEnd();
  EXPECT_TRUE(ledger->ReadLiveServers().ok());
}

TEST_F(PostgresAudit, AnOperationComesWithItsBeginningAndItsEnd) {
  PostgresOperationStore operations(database_);
  OperationRecord record;
  record.server = 7;
  record.operation.set_operation("7k2m");
  record.operation.set_action(migration::v1::ACTION_DOWNGRADE);
  record.operation.add_targets("-1");
  record.operation.mutable_options()->set_lint(migration::v1::LINT_GATE_OFF);
  record.operation.set_requested_by("token:deploy");
  record.operation.set_attempt(1);
  record.operation.set_last_sequence(1);
  auto event = std::make_shared<migration::v1::OperationEvent>();
  event->set_sequence(1);
  ASSERT_TRUE(operations.Insert(record, {event}).ok());
  // The same call once more makes neither.
  ASSERT_TRUE(operations.Insert(record, {event}).ok());
  record.operation.set_state(Operation::STATE_FAILED);
  record.operation.mutable_error()->set_reason("LOCK_TIMEOUT");
  record.operation.mutable_finish_time()->set_seconds(1'700'000'000);
  const auto ledger = operations.OpenLedger(7).value();
  ASSERT_TRUE(*ledger->Write(record, 1, {}, Durability::kSurvivesCrash));
  ASSERT_FALSE(*ledger->Write(record, 1, {}, Durability::kSurvivesCrash));

  const auto entries = audit_.ListOldest(0, 10);
  ASSERT_THAT(*entries, SizeIs(2));
  EXPECT_EQ(entries->at(0).principal(), "token:deploy");
  EXPECT_EQ(entries->at(0).rpc(), "Downgrade");
  EXPECT_EQ(entries->at(0).request(), "-1 (lint=off)");
  EXPECT_EQ(entries->at(0).outcome(), AuditEntry::OUTCOME_ACCEPTED);
  EXPECT_EQ(entries->at(1).outcome(), AuditEntry::OUTCOME_FAILED);
  EXPECT_EQ(entries->at(1).reason(), "LOCK_TIMEOUT");
  EXPECT_TRUE(Verify().intact());
}

}  // namespace
}  // namespace migd
