// The main path: this repository's own migrations on a clean database, and on one that has its
// tables already.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

constexpr char kFirst[] = "ca5d2b0eba52";
constexpr char kSecond[] = "2ff41522b3bc";

// In the order in which they are created.
const std::vector<std::string>& Tables() {
  static const std::vector<std::string> tables = {"modules_registry",
                                                  "tenants",
                                                  "users",
                                                  "subscriptions",
                                                  "platform_content",
                                                  "tenant_domains",
                                                  "deleted_accounts_history",
                                                  "audit_logs",
                                                  "module_settings"};
  return tables;
}

class ProjectMigrationsTest : public ServiceTest {
 protected:
  ProjectMigrationsTest() { AddProjectMigrations(); }

  std::string CountTables() const {
    return Query(
        absl::StrCat("SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND "
                     "tablename IN ('",
                     absl::StrJoin(Tables(), "','"), "')"));
  }

  std::string CountForeignKeys() const {
    return Query("SELECT count(*) FROM pg_constraint WHERE contype = 'f'");
  }
};

TEST_F(ProjectMigrationsTest, UpgradeMakesNineTablesInACleanDatabase) {
  const Finished upgrade = Migctl({"upgrade", "head"});
  EXPECT_EQ(upgrade.exit_code, 0) << upgrade.err;
  EXPECT_THAT(upgrade.out, HasSubstr(absl::StrCat("Upgraded ", database().at("dbname"), " to ",
                                                  kSecond, ": 2 revisions in ")));
  EXPECT_THAT(upgrade.err, HasSubstr(absl::StrCat(" applied  ", kFirst, " duration=")));
  EXPECT_EQ(CountTables(), "9");
  EXPECT_EQ(CountForeignKeys(), "13");
  EXPECT_EQ(VersionRows(), kSecond);
  EXPECT_EQ(Text({"current"}), absl::StrCat(kSecond, " (head)\n"));
}

TEST_F(ProjectMigrationsTest, UpgradeAgainDoesNothing) {
  Migctl({"upgrade", "head"});
  const std::string before = Dump();
  EXPECT_EQ(Text({"upgrade", "head"}),
            absl::StrCat(database().at("dbname"), " is at ", kSecond, " already: nothing to do\n"));
  EXPECT_EQ(Dump(), before);
}

TEST_F(ProjectMigrationsTest, FirstRevisionIsOneTransactionAndSecondIsNone) {
  const std::vector<Json> steps = OfKind(Events({"upgrade", "head"}), "step_started");
  ASSERT_EQ(steps.size(), 2);
  EXPECT_EQ(steps[0]["step"]["transactional"].text(), "true");
  EXPECT_EQ(steps[1]["step"]["transactional"].text(), "false");
  // CREATE INDEX CONCURRENTLY would have refused to run in a transaction.
  EXPECT_EQ(Query("SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE "
                  "i.indisvalid AND c.relname IN ('users_tenant_id_last_login_at_idx', "
                  "'users_unverified_idx', 'tenants_trial_ends_at_idx', "
                  "'tenants_closed_at_idx')"),
            "4");
}

TEST_F(ProjectMigrationsTest, UpgradeKeepsTablesThatExistWithTheirRowsAndColumns) {
  Query(
      "CREATE TABLE tenants (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), slug text, "
      "status text, trial_ends_at timestamptz, closed_at timestamptz, mascot text)");
  Query("INSERT INTO tenants (slug, mascot) VALUES ('acme', 'otter'), ('globex', 'heron')");

  const std::vector<Json> events = Events({"upgrade", "head"});
  const std::vector<Json> skipped = OfKind(events, "object_skipped");
  ASSERT_EQ(skipped.size(), 1);
  EXPECT_EQ(skipped[0]["object_kind"].text(), "table");
  EXPECT_EQ(skipped[0]["object_name"].text(), "tenants");
  EXPECT_EQ(skipped[0]["reason"].text(), "SKIP_REASON_EXISTS");
  EXPECT_EQ(skipped[0]["revision"].text(), kFirst);
  EXPECT_EQ(CountTables(), "9");
  EXPECT_EQ(Query("SELECT string_agg(slug || ':' || mascot, ',' ORDER BY slug) FROM tenants"),
            "acme:otter,globex:heron");
  // Nothing was added to the table that was there; the new tables refer to it.
  // PostgreSQL 18 counts NOT NULL as a constraint.
  EXPECT_EQ(Query("SELECT count(*) FROM pg_constraint WHERE conrelid = 'tenants'::regclass "
                  "AND contype <> 'n'"),
            "1");
  EXPECT_EQ(CountForeignKeys(), "13");
}

TEST_F(ProjectMigrationsTest, UpgradeSaysForeignKeysThatAnUnfitParentLeavesOut) {
  Query("CREATE TABLE modules_registry (id integer PRIMARY KEY)");
  const std::vector<Json> notices = OfKind(Events({"upgrade", kFirst}), "notice");
  ASSERT_EQ(notices.size(), 2);
  EXPECT_EQ(notices[0]["severity"].text(), "WARNING");
  EXPECT_THAT(notices[0]["message"].text(), HasSubstr("subscriptions_module_id_fkey"));
  EXPECT_THAT(notices[1]["message"].text(), HasSubstr("module_settings_module_id_fkey"));
  EXPECT_EQ(CountTables(), "9");
}

TEST_F(ProjectMigrationsTest, UpgradePassesOverEveryTableThatExists) {
  Migctl({"upgrade", kFirst});
  Query("INSERT INTO tenants (slug, name) VALUES ('acme', 'Acme')");
  Query("ALTER TABLE users ADD COLUMN nickname text");
  Query("DROP TABLE alembic_version");
  const std::string before = Dump();

  std::vector<std::string> names;
  for (const Json& skipped : OfKind(Events({"upgrade", kFirst}), "object_skipped")) {
    EXPECT_EQ(skipped["object_kind"].text(), "table");
    names.push_back(skipped["object_name"].text());
  }
  EXPECT_THAT(names, ElementsAreArray(Tables()));
  EXPECT_EQ(VersionRows(), kFirst);
  Query("DROP TABLE alembic_version");
  EXPECT_EQ(Dump(), before);
}

TEST_F(ProjectMigrationsTest, SkippedTablesAreNamedForPeopleToo) {
  Query("CREATE TABLE audit_logs (id bigint)");
  EXPECT_THAT(Migctl({"upgrade", kFirst}).err,
              HasSubstr(absl::StrCat(" skipped  ", kFirst, " table audit_logs exists already\n")));
}

TEST_F(ProjectMigrationsTest, StampRecordsWithoutRunning) {
  EXPECT_THAT(Text({"stamp", "head"}),
              HasSubstr(absl::StrCat("Stamped ", database().at("dbname"), " to ", kSecond)));
  EXPECT_EQ(VersionRows(), kSecond);
  EXPECT_EQ(CountTables(), "0");
  Migctl({"stamp", "base"});
  EXPECT_EQ(VersionRows(), "");
}

TEST_F(ProjectMigrationsTest, DowngradeDropsTheNineTables) {
  Migctl({"upgrade", "head"});
  const Finished downgrade = Migctl({"downgrade", "base", "--yes"});
  EXPECT_EQ(downgrade.exit_code, 0) << downgrade.err;
  EXPECT_THAT(downgrade.out, HasSubstr(absl::StrCat("Downgraded ", database().at("dbname"),
                                                    " to base: 2 revisions in ")));
  EXPECT_EQ(CountTables(), "0");
  EXPECT_EQ(VersionRows(), "");
  EXPECT_EQ(Query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "1");
}

TEST_F(ProjectMigrationsTest, DowngradeDropsChildrenBeforeParents) {
  Migctl({"stamp", kFirst});
  // With nothing there to drop, every statement says which table it leaves out.
  std::vector<std::string> names;
  for (const Json& skipped : OfKind(Events({"downgrade", "base", "--yes"}), "object_skipped")) {
    EXPECT_EQ(skipped["reason"].text(), "SKIP_REASON_MISSING");
    names.push_back(skipped["object_name"].text());
  }
  EXPECT_THAT(names, ElementsAreArray(Tables().rbegin(), Tables().rend()));
}

TEST_F(ProjectMigrationsTest, DowngradeLeavesWhatOthersBuiltOnTheTables) {
  Migctl({"upgrade", "head"});
  Query("CREATE TABLE invoices (tenant_id uuid REFERENCES tenants)");
  Migctl({"downgrade", "-1", "--yes"});
  const std::string before = Dump();

  const Failure failure = FailureOf({"downgrade", "base", "--yes"});
  EXPECT_EQ(failure.exit_code, 1);
  EXPECT_EQ(failure.reason(), "STATEMENT_FAILED");
  EXPECT_EQ(failure.json["statement_failure"]["sqlstate"].text(), "2BP01");
  EXPECT_THAT(failure.text, HasSubstr("DROP TABLE IF EXISTS tenants;"));
  EXPECT_THAT(failure.text, HasSubstr("invoices"));
  EXPECT_EQ(Dump(), before);
  EXPECT_EQ(VersionRows(), kFirst);
}

TEST_F(ProjectMigrationsTest, RelativeMovesWorkAsTyped) {
  Migctl({"upgrade", "+1"});
  EXPECT_EQ(VersionRows(), kFirst);
  Migctl({"upgrade", "+1"});
  EXPECT_EQ(VersionRows(), kSecond);
  Migctl({"downgrade", "-1", "--yes"});
  EXPECT_EQ(VersionRows(), kFirst);
  EXPECT_EQ(FailureOf({"upgrade", "+2"}).reason(), "INVALID_TARGET");
  EXPECT_EQ(VersionRows(), kFirst);
}

TEST_F(ProjectMigrationsTest, TheLogSaysWhatWasDoneByWhomAndWhen) {
  Migctl({"upgrade", "head"});
  Migctl({"downgrade", "-1", "--yes"});
  Migctl({"stamp", "head"});
  EXPECT_EQ(Query("SELECT string_agg(direction || ' ' || revision, ',' ORDER BY entry) FROM "
                  "migration_service.revision_log"),
            absl::StrCat("upgrade ", kFirst, ",upgrade ", kSecond, ",downgrade ", kSecond,
                         ",stamp ", kSecond));
  EXPECT_EQ(Query("SELECT count(*) FROM migration_service.revision_log WHERE applied_by = "
                  "session_user AND start_time <= finish_time AND operation <> '' AND "
                  "(checksum IS NULL) = (direction = 'stamp')"),
            "4");
}

TEST_F(ProjectMigrationsTest, ReadingWritesNothing) {
  const std::string before = Dump();
  for (const Arguments& reading : {Arguments{"current"},
                                   {"history"},
                                   {"heads"},
                                   {"branches"},
                                   {"show", "head"},
                                   {"plan", "upgrade", "head"},
                                   {"plan", "stamp", "head"},
                                   {"operations", "list"}}) {
    EXPECT_EQ(Migctl(reading).exit_code, 0) << absl::StrJoin(reading, " ");
  }
  EXPECT_EQ(Dump(), before);
  EXPECT_EQ(Query("SELECT to_regnamespace('migration_service')"), "");
}

}  // namespace
}  // namespace migd
