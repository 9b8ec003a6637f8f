// What is read from statements alone.

#include "service/sql/statement_effects.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/sql/parse_tree.h"
#include "service/sql/tree_walk.h"

namespace migd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

StatementEffects Read(const std::string& sql) {
  StatementEffects effects;
  RunOnDeepStack([&] { effects = EffectsOf(sql); });
  return effects;
}

// The strongest lock on what the statement itself names: "users ACCESS_EXCLUSIVE".
std::vector<std::string> LocksOf(const std::string& sql) {
  std::vector<std::string> locks;
  for (const LockNeed& lock : Read(sql).locks) {
    if (lock.reach != Reach::kItself && lock.reach != Reach::kDescendants) continue;
    locks.push_back(absl::StrCat(
        DisplayName(lock.relation), " ",
        migration::v1::LockMode_Name(lock.mode).substr(std::string("LOCK_MODE_").size())));
  }
  return locks;
}

std::vector<std::string> DropsOf(const std::string& sql) {
  std::vector<std::string> drops;
  for (const DroppedThing& dropped : Read(sql).drops) {
    drops.push_back(absl::StrCat(
        dropped.kind, " ", DisplayName(dropped.name), dropped.part.empty() ? "" : ".", dropped.part,
        dropped.cascade ? " cascade" : "", dropped.if_exists ? " if exists" : ""));
  }
  return drops;
}

std::vector<std::string> EmptiedBy(const std::string& sql) {
  std::vector<std::string> names;
  for (const EmptiedRelation& emptied : Read(sql).emptied) {
    names.push_back(DisplayName(emptied.relation));
    for (const std::string& column : emptied.columns) names.back() += "." + column;
  }
  return names;
}

TEST(EffectsOf, NamesTheCommandAsPostgresDoes) {
  const std::vector<std::pair<std::string, std::string>> commands = {
      {"ALTER TABLE a ADD b int", "ALTER TABLE"},
      {"ALTER INDEX a RENAME TO b", "ALTER INDEX"},
      {"ALTER TABLE a RENAME b TO c", "ALTER TABLE"},
      {"CREATE EXTENSION citext", "CREATE EXTENSION"},
      {"CREATE TYPE a AS ENUM ('b')", "CREATE TYPE"},
      {"ALTER TYPE a ADD VALUE 'b'", "ALTER TYPE"},
      {"CREATE PROCEDURE a() LANGUAGE sql AS ''", "CREATE PROCEDURE"},
      {"DROP MATERIALIZED VIEW a", "DROP MATERIALIZED VIEW"},
      {"TRUNCATE a", "TRUNCATE TABLE"},
      {"REVOKE ALL ON a FROM b", "REVOKE"},
      {"DO $$ BEGIN END $$", "DO"},
      {"ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO a", "ALTER DEFAULT PRIVILEGES"},
      {"CREATE VIEW a AS SELECT 1", "CREATE VIEW"},
  };
  for (const auto& [sql, command] : commands) EXPECT_EQ(Read(sql).command, command) << sql;
}

TEST(EffectsOf, TakesTheStrongestLockOfTheSubcommands) {
  EXPECT_THAT(LocksOf("ALTER TABLE s.a SET (fillfactor = 80)"),
              ElementsAre("s.a SHARE_UPDATE_EXCLUSIVE"));
  EXPECT_THAT(LocksOf("ALTER TABLE a VALIDATE CONSTRAINT c, DISABLE TRIGGER t"),
              ElementsAre("a SHARE_ROW_EXCLUSIVE"));
  EXPECT_THAT(LocksOf("ALTER TABLE a ALTER b SET STATISTICS 5, ADD c int"),
              ElementsAre("a ACCESS_EXCLUSIVE"));
  EXPECT_THAT(LocksOf("ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES c NOT VALID"),
              UnorderedElementsAre("a SHARE_ROW_EXCLUSIVE", "c SHARE_ROW_EXCLUSIVE"));
}

TEST(EffectsOf, KnowsWhatCannotRunInATransaction) {
  for (const char* sql :
       {"VACUUM a", "CREATE INDEX CONCURRENTLY i ON a (b)", "DROP INDEX CONCURRENTLY i",
        "REINDEX INDEX CONCURRENTLY i", "REINDEX DATABASE d", "CREATE DATABASE d",
        "DROP DATABASE d", "ALTER SYSTEM SET a = 1", "CLUSTER",
        "ALTER TABLE a DETACH PARTITION b CONCURRENTLY", "CREATE TABLESPACE t LOCATION '/x'"}) {
    EXPECT_EQ(Read(sql).transaction_need, migration::v1::TRANSACTION_NEED_OUTSIDE) << sql;
  }
  EXPECT_EQ(Read("COMMIT").transaction_need, migration::v1::TRANSACTION_NEED_CONTROLS);
  EXPECT_EQ(Read("SAVEPOINT s").transaction_need, migration::v1::TRANSACTION_NEED_ANY);
  EXPECT_EQ(Read("REFRESH MATERIALIZED VIEW CONCURRENTLY v").transaction_need,
            migration::v1::TRANSACTION_NEED_ANY);
}

TEST(EffectsOf, NamesWhatIsDropped) {
  EXPECT_THAT(DropsOf("DROP TABLE IF EXISTS a, s.\"B\" CASCADE"),
              ElementsAre("table a cascade if exists", "table s.B cascade if exists"));
  EXPECT_THAT(DropsOf("ALTER TABLE a DROP COLUMN b, DROP c"),
              ElementsAre("column a.b", "column a.c"));
  EXPECT_THAT(DropsOf("DROP SCHEMA s CASCADE"), ElementsAre("schema s cascade"));
  EXPECT_THAT(DropsOf("DROP TRIGGER t ON s.a"), ElementsAre("trigger s.a.t"));
  EXPECT_THAT(DropsOf("DROP DOMAIN d"), ElementsAre("type d"));
  EXPECT_THAT(DropsOf("DROP OWNED BY r"), ElementsAre("role r"));
  EXPECT_THAT(DropsOf("ALTER TABLE a DROP CONSTRAINT c CASCADE"),
              ElementsAre("constraint a.c cascade"));
  EXPECT_THAT(DropsOf("DROP COLLATION s.c CASCADE"), ElementsAre("collation s.c cascade"));
  EXPECT_THAT(DropsOf("DROP SERVER f CASCADE"), ElementsAre("server f cascade"));
  EXPECT_THAT(DropsOf("DROP FOREIGN DATA WRAPPER f"), ElementsAre("foreign data wrapper f"));
  EXPECT_THAT(DropsOf("DROP LANGUAGE l"), ElementsAre("language l"));
}

TEST(EffectsOf, NamesWhoseRowsGo) {
  EXPECT_THAT(EmptiedBy("TRUNCATE a, b"), ElementsAre("a", "b"));
  EXPECT_THAT(EmptiedBy("DELETE FROM a"), ElementsAre("a"));
  EXPECT_THAT(EmptiedBy("UPDATE a SET b = 1, c = 2"), ElementsAre("a.b.c"));
  EXPECT_THAT(EmptiedBy("DELETE FROM a WHERE b"), IsEmpty());
  EXPECT_THAT(EmptiedBy("DELETE FROM a USING b WHERE a.id = b.id"), IsEmpty());
  EXPECT_THAT(EmptiedBy("DELETE FROM a USING b"), ElementsAre("a"));
  EXPECT_THAT(EmptiedBy("UPDATE a SET b = c.b FROM c"), ElementsAre("a.b"));
  EXPECT_THAT(EmptiedBy("WITH x AS (DELETE FROM a RETURNING *) SELECT * FROM x"), ElementsAre("a"));
  EXPECT_THAT(EmptiedBy("EXPLAIN ANALYZE DELETE FROM a"), ElementsAre("a"));
  EXPECT_THAT(EmptiedBy("EXPLAIN DELETE FROM a"), IsEmpty());
}

TEST(EffectsOf, IsNotMisledByConditionsThatAlwaysHold) {
  for (const char* condition : {"true", "1 = 1", "'a' = 'a'", "true AND 1 = 1", "b > 0 OR true"}) {
    EXPECT_THAT(EmptiedBy(absl::StrCat("DELETE FROM a WHERE ", condition)), ElementsAre("a"))
        << condition;
    EXPECT_THAT(EmptiedBy(absl::StrCat("UPDATE a SET b = 1 WHERE ", condition)), ElementsAre("a.b"))
        << condition;
  }
  for (const char* condition : {"false", "1 = 2", "b = b", "NOT true", "true AND b > 0",
                                "b > 0 OR 1 = 2", "1 <> 1", "'1' = 1"}) {
    EXPECT_THAT(EmptiedBy(absl::StrCat("DELETE FROM a WHERE ", condition)), IsEmpty()) << condition;
  }
}

TEST(EffectsOf, NamesValuesThatANewTypeDoesNotKeep) {
  EXPECT_THAT(EmptiedBy("ALTER TABLE a ALTER b TYPE int USING 0"), ElementsAre("a.b"));
  EXPECT_THAT(EmptiedBy("ALTER TABLE a ALTER b TYPE uuid USING gen_random_uuid()"),
              ElementsAre("a.b"));
  for (const char* change : {"int", "int USING b::int", "int USING length(b)", "text USING c || b",
                             "json USING to_json(a.*)"}) {
    EXPECT_THAT(EmptiedBy(absl::StrCat("ALTER TABLE a ALTER b TYPE ", change)), IsEmpty())
        << change;
  }
}

TEST(EffectsOf, TakesANameOfWithForNoTable) {
  EXPECT_THAT(LocksOf("WITH x AS (SELECT * FROM a) SELECT * FROM x JOIN s.x ON true"),
              UnorderedElementsAre("a ACCESS_SHARE", "s.x ACCESS_SHARE"));
}

TEST(EffectsOf, SaysThatItDoesNotKnow) {
  for (const char* sql : {"DO $$ BEGIN DROP TABLE a; END $$", "CALL p()", "EXECUTE q",
                          "CREATE FANCY THING a", "REINDEX SCHEMA s", "SELECT lo_unlink(7)",
                          "SELECT query_to_xml('DROP TABLE a', true, true, '')",
                          "DROP OPERATOR FAMILY f USING btree CASCADE"}) {
    EXPECT_TRUE(Read(sql).is_unknown) << sql;
  }
  EXPECT_FALSE(Read("DROP OPERATOR FAMILY f USING btree").is_unknown);
  EXPECT_EQ(Read("CREATE FANCY THING a").command, "CREATE FANCY");
}

TEST(EffectsOf, NamesTheFunctionsThatRun) {
  const auto calls = [](const std::string& sql) {
    std::vector<std::string> names;
    for (const QualifiedName& function : Read(sql).calls) names.push_back(DisplayName(function));
    return names;
  };
  EXPECT_THAT(calls("SELECT wipe(), s.clean(1)"), ElementsAre("wipe", "s.clean"));
  EXPECT_THAT(calls("UPDATE a SET b = f(b) WHERE g(c)"), UnorderedElementsAre("f", "g"));
  EXPECT_THAT(calls("CREATE TABLE a AS SELECT f(b) FROM c"), ElementsAre("f"));
  EXPECT_THAT(calls("EXPLAIN ANALYZE SELECT f()"), ElementsAre("f"));
  // Of what is only written down, and of PostgreSQL's own.
  for (const char* sql : {"CREATE VIEW a AS SELECT f(b) FROM c", "EXPLAIN SELECT f()",
                          "ALTER TABLE a ADD CHECK (f(b))", "CREATE INDEX ON a (f(b))",
                          "SELECT setval('a_id_seq', 1)",
                          "SELECT pg_catalog.set_config('a.b', '', "
                          "false)"}) {
    EXPECT_THAT(calls(sql), IsEmpty()) << sql;
  }
}

TEST(EffectsOf, ReadsTheSearchPath) {
  EXPECT_THAT(*Read("SET search_path = a, \"B\"").search_path, ElementsAre("a", "B"));
  EXPECT_THAT(*Read("SELECT pg_catalog.set_config('search_path', '', false)").search_path,
              IsEmpty());
  EXPECT_TRUE(Read("RESET ALL").resets_search_path);
  EXPECT_FALSE(Read("SET work_mem = '1MB'").search_path.has_value());
}

TEST(EffectsOfPlainLoad, NeedsNoGrammar) {
  Statement insert;
  insert.text = "INSERT INTO s.a (b) VALUES ('select'), (1)";
  const auto effects = EffectsOfPlainLoad(insert);
  ASSERT_TRUE(effects.has_value());
  EXPECT_EQ(effects->command, "INSERT");
  ASSERT_EQ(effects->locks.size(), 1);
  EXPECT_EQ(DisplayName(effects->locks[0].relation), "s.a");
}

TEST(EffectsOfPlainLoad, LeavesQueriesToTheGrammar) {
  for (const char* sql : {"INSERT INTO a SELECT * FROM b",
                          "INSERT INTO a WITH x AS (DELETE FROM b RETURNING *) TABLE x",
                          "DELETE FROM a", "COPY a TO STDOUT"}) {
    Statement statement;
    statement.text = sql;
    EXPECT_FALSE(EffectsOfPlainLoad(statement).has_value()) << sql;
  }
}

}  // namespace
}  // namespace migd
