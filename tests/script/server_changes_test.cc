// Which statements change the whole server.

#include "service/script/server_changes.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace migd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string WordsIn(const std::string& sql) {
  ServerChanges changes;
  AddServerChanges(sql, changes);
  return changes.words;
}

TEST(AddServerChanges, FindsWhatAllDatabasesShare) {
  EXPECT_EQ(WordsIn("CREATE ROLE a"), "CREATE ROLE");
  EXPECT_EQ(WordsIn("create /* a */ user a"), "CREATE USER");
  EXPECT_EQ(WordsIn("ALTER ROLE a SET work_mem = '1MB'"), "ALTER ROLE");
  EXPECT_EQ(WordsIn("DROP DATABASE a"), "DROP DATABASE");
  EXPECT_EQ(WordsIn("ALTER SYSTEM SET a = 1"), "ALTER SYSTEM");
  EXPECT_EQ(WordsIn("CREATE TABLESPACE a LOCATION '/b'"), "CREATE TABLESPACE");
  EXPECT_EQ(WordsIn("CREATE SUBSCRIPTION a CONNECTION '' PUBLICATION b"), "CREATE SUBSCRIPTION");
  EXPECT_EQ(WordsIn("GRANT admin TO a"), "GRANT of a role");
  EXPECT_EQ(WordsIn("REVOKE admin FROM a"), "REVOKE of a role");
  EXPECT_EQ(WordsIn("GRANT CONNECT ON DATABASE a TO b"), "GRANT ON DATABASE");
  EXPECT_EQ(WordsIn("COMMENT ON ROLE a IS 'b'"), "COMMENT ON ROLE");
  EXPECT_EQ(WordsIn("REASSIGN OWNED BY a TO b"), "REASSIGN OWNED");
  EXPECT_EQ(WordsIn("DROP OWNED BY a"), "DROP OWNED");
  EXPECT_EQ(WordsIn("SELECT pg_drop_replication_slot('a')"), "pg_drop_replication_slot");
}

TEST(AddServerChanges, LooksIntoWhatIsRun) {
  EXPECT_EQ(WordsIn("DO $$ BEGIN IF true THEN CREATE ROLE a; END IF; END $$"), "CREATE ROLE");
  EXPECT_EQ(WordsIn("DO $$ BEGIN EXECUTE 'DROP\nDATABASE ' || a; END $$"), "DROP DATABASE");
  EXPECT_EQ(WordsIn("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'ALTER ROLE a NOLOGIN'"),
            "ALTER ROLE");
}

TEST(AddServerChanges, LetsBeWhatStaysInTheDatabase) {
  for (const char* sql :
       {"CREATE TABLE role (\"user\" int)", "GRANT SELECT ON a TO b", "CREATE INDEX i ON role (a)",
        "SELECT * FROM a JOIN role ON role.id = a.role", "ALTER TABLE a OWNER TO b",
        "CREATE USER MAPPING FOR a SERVER b", "ALTER TABLE a DISABLE TRIGGER USER",
        "ALTER DEFAULT PRIVILEGES FOR ROLE a GRANT SELECT ON TABLES TO b",
        "INSERT INTO help VALUES ('how to create user accounts, or drop database a')",
        "COMMENT ON TABLE a IS 'see CREATE ROLE'", "CREATE POLICY p ON a TO b USING (true)",
        "DROP TABLE a -- not: drop database a", "CREATE TABLE \"create\" (\"role\" int)"}) {
    EXPECT_EQ(WordsIn(sql), "") << sql;
  }
}

TEST(AddServerChanges, NamesTheRolesThatAreMade) {
  ServerChanges changes;
  for (const char* sql : {"CREATE ROLE One LOGIN", "CREATE USER \"Two\"", "ALTER ROLE three LOGIN",
                          "DO $$ BEGIN CREATE ROLE four; END $$"}) {
    AddServerChanges(sql, changes);
  }
  EXPECT_THAT(changes.made_roles, ElementsAre("Two", "one"));
  EXPECT_EQ(changes.words, "CREATE ROLE");
  ServerChanges none;
  AddServerChanges("SELECT 1", none);
  EXPECT_THAT(none.made_roles, IsEmpty());
}

}  // namespace
}  // namespace migd
