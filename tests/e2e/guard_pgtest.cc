// What destroys data is confirmed, for exactly the plan that was looked at, or does not run.
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

// A database at bb20, with rows in its table.
class GuardTest : public ServiceTest {
 protected:
  GuardTest() {
    Add({.id = "aa10",
         .up = "CREATE TABLE orders (id int, note text);",
         .down = "DROP TABLE orders;"});
    Add({.id = "bb20",
         .revises = "aa10",
         .up = "CREATE TABLE empty (id int);",
         .down = "DROP TABLE IF EXISTS empty;\nDROP TABLE IF EXISTS never_there;"});
  }

  void Fill() {
    Text({"upgrade", "head"});
    Query("INSERT INTO orders SELECT i, 'n' FROM generate_series(1, 1000) i");
    Query("ANALYZE");
  }

  std::string name() const { return database().at("dbname"); }

  // Runs migctl on a terminal of its own, at which somebody types `typed`.
  Finished OnTerminal(const Arguments& arguments, const std::string& typed) {
    Command command = MigctlCommand(arguments, {{"TERM", "xterm"}});
    const std::string program = absl::StrCat("import pty,sys; sys.exit(pty.spawn(['",
                                             absl::StrJoin(command.arguments, "','"), "']) >> 8)");
    command.arguments = {"python3", "-c", program};
    command.input = typed + "\n";
    return RunCommand(command);
  }
};

TEST_F(GuardTest, ADowngradeSaysWhatWillBeLostAndDoesNothing) {
  Fill();
  const std::string before = Dump();
  const Failure failure = FailureOf({"downgrade", "base"});
  EXPECT_EQ(failure.exit_code, 1);
  EXPECT_EQ(failure.reason(), "CONFIRMATION_REQUIRED");
  const Json losses = failure.json["losses"]["losses"];
  ASSERT_EQ(losses.size(), 2);
  // The largest first; what is not there is not lost.
  EXPECT_EQ(losses[0]["object_kind"].text(), "table");
  EXPECT_EQ(losses[0]["object_name"].text(), "public.orders");
  EXPECT_EQ(losses[0]["estimated_rows"].text(), "1000");
  EXPECT_EQ(losses[0]["revision"].text(), "aa10");
  EXPECT_EQ(losses[1]["object_name"].text(), "public.empty");
  EXPECT_EQ(losses[1]["estimated_rows"].text(), "0");
  // Whoever reads the log of a script sees how much it is, and what confirms it.
  EXPECT_THAT(failure.text, AllOf(ContainsRegex("  table public.orders, ~1,000 rows, [0-9]+ kB "),
                                  HasSubstr("  table public.empty, empty (bb20, statement 1)\n"),
                                  HasSubstr("--yes")));
  EXPECT_EQ(Dump(), before);
  const std::string confirmation = failure.json["metadata"]["confirmation"].text();
  EXPECT_THAT(failure.text, HasSubstr("--confirmation " + confirmation + "\n"));
  Text({"downgrade", "base", "--confirmation", confirmation});
  EXPECT_EQ(VersionRows(), "");
}

TEST_F(GuardTest, TheTokenOfThePlanConfirmsIt) {
  Fill();
  const Json plan = Object({"plan", "downgrade", "base"});
  EXPECT_THAT(Text({"plan", "downgrade", "base"}),
              HasSubstr(" --confirmation " + plan["confirmation"].text() + "\n"));
  Text({"downgrade", "base", "--confirmation", plan["confirmation"].text()});
  EXPECT_EQ(VersionRows(), "");
}

TEST_F(GuardTest, TheTokenIsGoodForThatPlanOnly) {
  Fill();
  const Json plan = Object({"plan", "downgrade", "-1"});
  const Failure failure =
      FailureOf({"downgrade", "base", "--confirmation", plan["confirmation"].text()});
  EXPECT_EQ(failure.reason(), "CONFIRMATION_REQUIRED");
  EXPECT_THAT(failure.text,
              HasSubstr("the confirmation " + plan["confirmation"].text() + " is wrong"));
  Add({.id = "bb20",
       .revises = "aa10",
       .up = "CREATE TABLE empty (id int);",
       .down = "DROP TABLE orders;"});
  EXPECT_EQ(FailureOf({"downgrade", "-1", "--confirmation", plan["confirmation"].text()}).reason(),
            "CONFIRMATION_REQUIRED");
  EXPECT_EQ(VersionRows(), "bb20");
}

TEST_F(GuardTest, TheTokenIsGoodForWhatWasSeenOnly) {
  Fill();
  const auto confirmation = [this] {
    return Object({"plan", "downgrade", "base"})["confirmation"].text();
  };
  // Programs go on writing.
  const std::string seen = confirmation();
  Query("INSERT INTO orders SELECT i, 'n' FROM generate_series(1, 50) i");
  Query("ANALYZE");
  EXPECT_EQ(confirmation(), seen);
  // A table that was empty when it was confirmed.
  Query("INSERT INTO empty SELECT generate_series(1, 100000)");
  const Failure failure = FailureOf({"downgrade", "base", "--confirmation", seen});
  EXPECT_EQ(failure.reason(), "CONFIRMATION_REQUIRED");
  EXPECT_THAT(failure.text, HasSubstr("the confirmation " + seen + " is of no use any more"));
  EXPECT_EQ(VersionRows(), "bb20");
  EXPECT_EQ(Query("SELECT count(*) FROM empty"), "100000");
}

TEST_F(GuardTest, WhatCascadeTakesAlongIsListedAndConfirmed) {
  Add({.id = "cc30", .revises = "bb20", .up = "DROP TABLE orders CASCADE;"});
  Text({"upgrade", "bb20"});
  Query("ALTER TABLE orders ADD PRIMARY KEY (id)");
  Query("CREATE VIEW named AS SELECT note FROM orders");
  const Json plan = Object({"plan", "upgrade", "head"});
  ASSERT_EQ(plan["losses"].size(), 2);
  EXPECT_EQ(plan["losses"][0]["object_kind"].text(), "view");
  EXPECT_EQ(plan["losses"][0]["object_name"].text(), "public.named");
  EXPECT_EQ(plan["losses"][0]["because_of"].text(), "table orders");
  // What somebody makes in another schema meanwhile would go as well.
  Query("CREATE SCHEMA reports");
  Query("CREATE TABLE reports.sales (order_id int CONSTRAINT of_order REFERENCES orders)");
  const Failure failure =
      FailureOf({"upgrade", "head", "--confirmation", plan["confirmation"].text()});
  EXPECT_EQ(failure.reason(), "CONFIRMATION_REQUIRED");
  EXPECT_THAT(failure.text, AllOf(HasSubstr("foreign key of_order on reports.sales"),
                                  HasSubstr("view public.named"), HasSubstr("of no use any more")));
  EXPECT_EQ(VersionRows(), "bb20");
  EXPECT_THAT(Text({"plan", "upgrade", "head"}),
              HasSubstr("DESTROYS foreign key of_order on reports.sales, with table orders"));
}

TEST_F(GuardTest, YesConfirmsInScripts) {
  Fill();
  EXPECT_EQ(Migctl({"downgrade", "base", "--yes"}).exit_code, 0);
  EXPECT_EQ(VersionRows(), "");
}

TEST_F(GuardTest, YesIsSettledBeforeTheOperationWhichIsOne) {
  Fill();
  Text({"downgrade", "base", "--yes"});
  const Json operations = Object({"operations", "list"})["operations"];
  EXPECT_EQ(operations[0]["action"].text(), "ACTION_DOWNGRADE");
  EXPECT_EQ(operations[0]["state"].text(), "STATE_SUCCEEDED");
  EXPECT_EQ(operations[1]["action"].text(), "ACTION_UPGRADE");
}

TEST_F(GuardTest, YesHoldsForOneWhoDoesNotStayToo) {
  Fill();
  Text({"downgrade", "base", "--yes", "--detach"});
  EXPECT_TRUE(Eventually([this] { return VersionRows().empty(); }));
}

TEST_F(GuardTest, ADowngradeThatIsRolledBackSaysThatItsRevisionIsThere) {
  Add({.id = "aa10", .up = "CREATE TABLE a ();", .down = "SELECT nonsense;"});
  Text({"upgrade", "aa10"});
  EXPECT_THAT(FailureOf({"downgrade", "base"}).text,
              HasSubstr("aa10 is still applied: its downgrade was rolled back"));
}

TEST_F(GuardTest, ACallThatIsRepeatedWithItsRequestIdRunsOnce) {
  Fill();
  const Arguments call = {"downgrade", "-1", "--yes", "--request-id",
                          "0b9c5d0e-3f0a-4c8e-9d53-6f1f8a3c2b71"};
  Text(call);
  Text(call);
  EXPECT_EQ(VersionRows(), "aa10");
}

TEST_F(GuardTest, AnUpgradeThatDestroysIsGuardedTheSame) {
  Fill();
  Add({.id = "cc30",
       .revises = "bb20",
       .up = "CREATE TABLE made (id int);\nDROP TABLE made;\nALTER TABLE orders DROP COLUMN note;\n"
             "DELETE FROM orders;"});
  const Failure failure = FailureOf({"upgrade", "head"});
  EXPECT_EQ(failure.reason(), "CONFIRMATION_REQUIRED");
  EXPECT_THAT(failure.text, AllOf(HasSubstr("column public.orders.note"),
                                  HasSubstr("all rows of public.orders"), Not(HasSubstr("made"))));
  EXPECT_THAT(Text({"plan", "upgrade", "head"}),
              HasSubstr("DELETES all rows of public.orders, ~1,000 rows"));
  EXPECT_EQ(Migctl({"upgrade", "head", "--yes"}).exit_code, 0);
  EXPECT_EQ(VersionRows(), "cc30");
}

TEST_F(GuardTest, AnotherNameHidesNothing) {
  Fill();
  Add({.id = "cc30",
       .revises = "bb20",
       .up = "ALTER TABLE orders RENAME COLUMN note TO remark;\nALTER TABLE orders RENAME TO "
             "purchases;"});
  Add({.id = "dd40", .revises = "cc30", .up = "ALTER TABLE purchases DROP COLUMN remark;"});
  Add({.id = "ee50", .revises = "cc30", .up = "DROP TABLE public.purchases;"});
  EXPECT_THAT(FailureOf({"upgrade", "dd40", "--lint=off"}).text,
              HasSubstr("column public.orders.note"));
  EXPECT_THAT(FailureOf({"upgrade", "ee50", "--lint=off"}).text, HasSubstr("table public.orders"));
  EXPECT_EQ(VersionRows(), "bb20");
}

// What nobody can tell is named where somebody is asked anyhow.
TEST_F(GuardTest, WhatIsNotKnownIsNamedBesideWhatIsLost) {
  Fill();
  Query("CREATE FUNCTION wipe() RETURNS void LANGUAGE sql AS 'DROP TABLE empty'");
  const std::string unknown = "DO $$ BEGIN EXECUTE 'DROP TABLE empty'; END $$;\nSELECT wipe();";
  Add({.id = "cc30", .revises = "bb20", .up = absl::StrCat(unknown, "\nDROP TABLE orders;")});
  const Json plan = Object({"plan", "upgrade", "head"});
  EXPECT_EQ(plan["steps"][0]["statements"][0]["is_unknown"].text(), "true");
  EXPECT_EQ(plan["steps"][0]["statements"][1]["is_unknown"].text(), "true");
  EXPECT_EQ(plan["steps"][0]["statements"][2]["is_unknown"].text(), "false");
  EXPECT_THAT(Text({"plan", "upgrade", "head"}), HasSubstr("what it does shows only when it runs"));

  const Failure failure = FailureOf({"upgrade", "head"});
  const Json named = failure.json["losses"]["unknown_statements"];
  ASSERT_EQ(named.size(), 2);
  EXPECT_EQ(named[0]["summary"].text(), "DO ?");
  EXPECT_EQ(named[1]["summary"].text(), "SELECT wipe()");
  EXPECT_EQ(named[1]["revision"].text(), "cc30");
  EXPECT_EQ(named[1]["statement_index"].text(), "2");
  EXPECT_THAT(failure.text,
              HasSubstr("what 2 statements do besides is not known: DO ? (cc30, line "));
  const Finished refused = OnTerminal({"upgrade", "head"}, "no");
  EXPECT_THAT(refused.out, AllOf(HasSubstr("What these do besides shows only when they run"),
                                 HasSubstr("SELECT wipe()")));
}

TEST_F(GuardTest, ABlockThatSaysDropIsAskedAboutThoughNobodyKnowsWhatItDoes) {
  Fill();
  Add({.id = "cc30", .revises = "bb20", .up = "DO $$ BEGIN DROP TABLE orders; END $$;"});
  const Failure failure = FailureOf({"upgrade", "head"});
  EXPECT_EQ(failure.reason(), "CONFIRMATION_REQUIRED");
  EXPECT_THAT(failure.text,
              AllOf(HasSubstr("which may destroy data"),
                    HasSubstr("what 1 statement does is not known: DO ? (cc30, line ")));
  const Finished refused = OnTerminal({"upgrade", "head"}, "no");
  EXPECT_THAT(refused.out, AllOf(HasSubstr("This may destroy data"), HasSubstr("type the name")));
  EXPECT_EQ(VersionRows(), "bb20");
  const std::string token = Object({"plan", "upgrade", "head"})["confirmation"].text();
  EXPECT_EQ(Migctl({"upgrade", "head", "--confirmation", token}).exit_code, 0);
}

TEST_F(GuardTest, ABlockThatSaysDropIsRefusedByAProtectedDatabase) {
  StartMigdWith({"--protected"});
  Fill();
  Add({.id = "cc30", .revises = "bb20", .up = "DO $$ BEGIN DROP TABLE orders; END $$;"});
  EXPECT_EQ(FailureOf({"upgrade", "head", "--yes"}).reason(), "DATABASE_PROTECTED");
  EXPECT_EQ(VersionRows(), "bb20");
}

TEST_F(GuardTest, NothingIsAskedWhereNothingIsLost) {
  Text({"upgrade", "head"});
  Query("DROP TABLE empty");
  EXPECT_EQ(Migctl({"downgrade", "-1"}).exit_code, 0);
}

TEST_F(GuardTest, AProtectedDatabaseRefusesWhateverIsConfirmed) {
  StartMigdWith({"--protected"});
  Fill();
  const Json plan = Object({"plan", "downgrade", "base"});
  EXPECT_EQ(plan["refusal"]["reason"].text(), "DATABASE_PROTECTED");
  EXPECT_EQ(plan["confirmation"].text(), "");
  const Failure failure = FailureOf({"downgrade", "base", "--yes"});
  EXPECT_EQ(failure.reason(), "DATABASE_PROTECTED");
  EXPECT_EQ(failure.json["code"].text(), "PERMISSION_DENIED");
  EXPECT_EQ(VersionRows(), "bb20");
}

TEST_F(GuardTest, APolicyMayAllowItAll) {
  StartMigdWith({"--protected", "--destructive", "allow"});
  Fill();
  EXPECT_EQ(Migctl({"downgrade", "base"}).exit_code, 0);
}

TEST_F(GuardTest, OnATerminalTheNameOfTheDatabaseConfirms) {
  Fill();
  const Finished refused = OnTerminal({"downgrade", "base"}, "yes");
  EXPECT_EQ(refused.exit_code, 1) << refused.out << refused.err;
  EXPECT_THAT(refused.out,
              AllOf(HasSubstr("table public.orders, ~1,000 rows"), HasSubstr("type the name"),
                    HasSubstr("\"yes\" is not the name of the database"),
                    Not(HasSubstr("this would destroy"))));
  EXPECT_EQ(VersionRows(), "bb20");

  const Finished confirmed = OnTerminal({"downgrade", "base"}, name());
  EXPECT_EQ(confirmed.exit_code, 0) << confirmed.out << confirmed.err;
  EXPECT_EQ(VersionRows(), "");
}

}  // namespace
}  // namespace migd
