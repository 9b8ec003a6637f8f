// The audit as its readers see it: what calls leave there, and what migctl tells of it.
#include <pwd.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class AuditTest : public ServiceTest {
 protected:
  AuditTest() { Add({.id = "aa10", .up = "CREATE TABLE a ();", .down = "DROP TABLE a;"}); }

  // As whom the user of this test calls.
  static std::string Myself() { return absl::StrCat("unix:", getpwuid(getuid())->pw_name); }

  // "rpc outcome reason" of each entry, the oldest first.
  std::vector<std::string> Entries() {
    std::vector<std::string> entries;
    const Json list = Object({"audit", "list"});
    for (int i = list["entries"].size(); i > 0; --i) {
      const Json entry = list["entries"][i - 1];
      entries.push_back(absl::StrCat(entry["rpc"].text(), " ", entry["outcome"].text(),
                                     entry["reason"].text().empty() ? "" : " ",
                                     entry["reason"].text()));
    }
    return entries;
  }
};

TEST_F(AuditTest, HasTheBeginningAndTheEndOfEveryOperationAndWhatWasRefused) {
  Migctl({"upgrade", "head"});
  FailureOf({"downgrade", "base"});
  Migctl({"upgrade", "nonsense"});
  EXPECT_THAT(
      Entries(),
      ElementsAre("Upgrade OUTCOME_ACCEPTED", "Upgrade OUTCOME_SUCCEEDED",
                  // For programs and for people.
                  "Downgrade OUTCOME_ACCEPTED", "Downgrade OUTCOME_FAILED CONFIRMATION_REQUIRED",
                  "Downgrade OUTCOME_ACCEPTED", "Downgrade OUTCOME_FAILED CONFIRMATION_REQUIRED",
                  "Upgrade OUTCOME_ACCEPTED", "Upgrade OUTCOME_FAILED UNKNOWN_REVISION"));
  const Json newest = Object({"audit", "list"})["entries"][0];
  EXPECT_EQ(newest["principal"].text(), Myself());
  EXPECT_EQ(newest["address"].text(), "unix");
}

TEST_F(AuditTest, SaysWhatWasAskedForInWords) {
  Migctl({"upgrade", "head", "--lint=off", "--lock-timeout", "2s", "--resume"});
  const Json oldest = Object({"audit", "list"})["entries"][1];
  EXPECT_EQ(oldest["request"].text(), "head (lock_timeout=2s, resume, lint=off)");
}

TEST_F(AuditTest, ACallThatIsNotLetInIsThereToo) {
  directory().Write("migd.yaml",
                    absl::StrCat("authorization:\n  rules:\n    - principals: [unix:", getuid(),
                                 "]\n      databases: [app]\n      role: viewer\n",
                                 "databases:\n  app:\n    url: ", TestCluster::Uri(database()),
                                 "\n    migrations: ", migrations(), "\n"));
  StartMigdWithConfig(directory().path() + "/migd.yaml");
  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 1);
  EXPECT_TRUE(Eventually([&] {
    return Query("SELECT to_regclass('migration_service.audit') IS NOT NULL") == "t" &&
           Query(
               "SELECT rpc || ' ' || outcome || ' ' || reason || ' ' || principal FROM "
               "migration_service.audit") == "Upgrade REFUSED PERMISSION_DENIED " + Myself();
  })) << migd().log();
  EXPECT_EQ(Query("SELECT to_regclass('alembic_version') IS NULL"), "t");
  EXPECT_EQ(FailureOf({"audit", "list"}).reason(), "PERMISSION_DENIED");
}

TEST_F(AuditTest, VerifyTellsWhetherItIsAsItWasWritten) {
  Migctl({"upgrade", "head"});
  const Finished intact = Migctl({"audit", "verify"});
  EXPECT_EQ(intact.exit_code, 0);
  const Json known = Object({"audit", "verify"});
  const std::string head =
      absl::StrCat(known["newest_number"].text(), ":", known["newest_hash"].text());
  EXPECT_EQ(Migctl({"audit", "verify", "--known", head}).exit_code, 0);

  Query(
      "ALTER TABLE migration_service.audit DISABLE TRIGGER ALL; "
      "UPDATE migration_service.audit SET principal = 'nobody' WHERE number = 1");
  const Finished changed = Migctl({"audit", "verify"});
  EXPECT_EQ(changed.exit_code, 3);
  EXPECT_THAT(changed.out + changed.err, HasSubstr("entry 1 was changed after it was written"));

  Query("DELETE FROM migration_service.audit");
  const Finished cut = Migctl({"audit", "verify", "--known", head});
  EXPECT_EQ(cut.exit_code, 3);
  EXPECT_THAT(cut.out + cut.err, AllOf(HasSubstr("entry 2"), HasSubstr("is not there")));
}

}  // namespace
}  // namespace migd
