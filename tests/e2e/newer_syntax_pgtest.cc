// Syntax that is newer than the PostgreSQL 15 of Debian 12. No grammar of ours stands in its way:
// it runs wherever the server knows it.
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using ::testing::HasSubstr;

class NewerSyntaxTest : public ServiceTest {
 protected:
  // Whether to skip a test: the server is older than what it needs.
  static bool IsOlderThan(int major) { return TestCluster::MajorVersion() < major; }

  void Upgrade(const std::string& up, const std::string& down, const std::string& options = "") {
    Add({.id = "aa10", .up = up, .down = down, .options = options});
    const Finished upgrade = Migctl({"upgrade", "head"});
    EXPECT_EQ(upgrade.exit_code, 0) << upgrade.err;
    EXPECT_EQ(VersionRows(), "aa10");
  }

  // The way back leaves nothing.
  void ExpectNothingAfterDowngrade() {
    const Finished downgrade = Migctl({"downgrade", "base", "--yes"});
    EXPECT_EQ(downgrade.exit_code, 0) << downgrade.err;
    EXPECT_EQ(Query("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace "
                    "AND relkind = 'r' AND relname <> 'alembic_version'"),
              "0");
  }
};

#define SKIP_IF_OLDER_THAN(major) \
  if (IsOlderThan(major)) GTEST_SKIP() << "needs PostgreSQL " << major

TEST_F(NewerSyntaxTest, LiteralsOf16) {
  SKIP_IF_OLDER_THAN(16);
  Upgrade(
      "CREATE TABLE n (a int DEFAULT 1_000, b int DEFAULT 0x1F, c int DEFAULT 0b101_1);\n"
      "INSERT INTO n DEFAULT VALUES;\nINSERT INTO n VALUES (0xFF_FF, 0o17, 1_0);",
      "DROP TABLE n;");
  EXPECT_EQ(Query("SELECT string_agg(n::text, ' ' ORDER BY a) FROM n"),
            "(1000,31,11) (65535,15,10)");
  ExpectNothingAfterDowngrade();
}

TEST_F(NewerSyntaxTest, JsonTableAndMergeReturningOf17) {
  SKIP_IF_OLDER_THAN(17);
  Upgrade(
      "CREATE TABLE t (id int PRIMARY KEY, name text);\n"
      "INSERT INTO t SELECT * FROM JSON_TABLE('[{\"i\": 1, \"n\": \"a;b\"}, {\"i\": 2}]', '$[*]' "
      "COLUMNS (id int PATH '$.i', name text PATH '$.n' DEFAULT 'none' ON EMPTY));\n"
      "CREATE TABLE said AS WITH merged AS (\n"
      "  MERGE INTO t USING (VALUES (2, 'two'), (3, 'three')) AS v (id, name) ON t.id = v.id\n"
      "  WHEN MATCHED THEN UPDATE SET name = v.name\n"
      "  WHEN NOT MATCHED THEN INSERT VALUES (v.id, v.name)\n"
      "  WHEN NOT MATCHED BY SOURCE THEN DELETE\n"
      "  RETURNING merge_action() AS action, t.id)\nSELECT * FROM merged;",
      "DROP TABLE t, said;");
  EXPECT_EQ(Query("SELECT string_agg(t::text, ' ' ORDER BY id) FROM t"), "(2,two) (3,three)");
  EXPECT_EQ(Query("SELECT string_agg(said::text, ' ' ORDER BY id) FROM said"),
            "(DELETE,1) (UPDATE,2) (INSERT,3)");
  ExpectNothingAfterDowngrade();
}

// Each statement in a transaction of its own, with its journal entry.
TEST_F(NewerSyntaxTest, ColumnsAndConstraintsOf18) {
  SKIP_IF_OLDER_THAN(18);
  Upgrade(
      "CREATE TABLE v (id uuid DEFAULT uuidv7() PRIMARY KEY, a int,\n"
      "  twice int GENERATED ALWAYS AS (a * 2) VIRTUAL, implied int GENERATED ALWAYS AS (a + 1));\n"
      "INSERT INTO v (a) VALUES (NULL);\n"
      "ALTER TABLE v ADD CONSTRAINT a_is_there NOT NULL a NOT VALID;\n"
      "UPDATE v SET a = 21;\n"
      "ALTER TABLE v VALIDATE CONSTRAINT a_is_there;\n"
      "CREATE INDEX CONCURRENTLY v_a ON v (a);\n"
      "UPDATE v SET a = a + 1 RETURNING old.a, new.a;",
      "DROP TABLE v;", "transaction:false");
  EXPECT_EQ(Query("SELECT format('%s %s %s', a, twice, uuid_extract_version(id)) FROM v"),
            "22 44 7");
  EXPECT_EQ(Query("SELECT convalidated FROM pg_constraint WHERE conname = 'a_is_there'"), "t");
  ExpectNothingAfterDowngrade();
}

TEST_F(NewerSyntaxTest, TemporalConstraintsOf18) {
  SKIP_IF_OLDER_THAN(18);
  if (Query("SELECT count(*) FROM pg_available_extensions WHERE name = 'btree_gist'") == "0") {
    GTEST_SKIP() << "the server has no btree_gist";
  }
  Upgrade(
      "CREATE EXTENSION IF NOT EXISTS btree_gist;\n"
      "CREATE TABLE room (id int, during daterange, PRIMARY KEY (id, during WITHOUT OVERLAPS));\n"
      "CREATE TABLE stay (id int, room int, during daterange,\n"
      "  FOREIGN KEY (room, PERIOD during) REFERENCES room (id, PERIOD during));\n"
      "INSERT INTO room VALUES (1, '[2025-01-01,2026-01-01)');\n"
      "INSERT INTO stay VALUES (7, 1, '[2025-03-01,2025-03-05)');",
      "DROP TABLE stay, room;\nDROP EXTENSION btree_gist;");
  ExpectNothingAfterDowngrade();
}

// What the server does not know is told as any mistake is: with its place in the file.
TEST_F(NewerSyntaxTest, IsASyntaxErrorWithItsPlaceWhereTheServerIsOlder) {
  if (!IsOlderThan(18)) GTEST_SKIP() << "this server knows it";
  Add({.id = "aa10",
       .up = "CREATE TABLE v (a int,\n  twice int GENERATED ALWAYS AS (a * 2) VIRTUAL);"});
  const Failure failure = FailureOf({"upgrade", "head"});
  EXPECT_EQ(failure.reason(), "STATEMENT_FAILED");
  EXPECT_EQ(failure.json["statement_failure"]["sqlstate"].text(), "42601");
  EXPECT_EQ(failure.json["statement_failure"]["line"].text(), absl::StrCat(kFirstLineOfUp + 1));
  EXPECT_THAT(failure.text, HasSubstr("VIRTUAL"));
}

}  // namespace
}  // namespace migd
