#include "service/script/statement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace migd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Each object as "kind name", or "kind name on table" for those that stand on one, with a `-`
// before it if the guard is IF EXISTS.
std::vector<std::string> Described(const std::vector<GuardedObject>& objects) {
  std::vector<std::string> descriptions;
  for (const GuardedObject& object : objects) {
    std::string description =
        absl::StrCat(object.guard == GuardedObject::Guard::kIfExists ? "-" : "", object.kind, " ");
    if (!object.schema.empty()) absl::StrAppend(&description, object.schema, ".");
    absl::StrAppend(&description, object.name);
    if (!object.table.empty()) absl::StrAppend(&description, " on ");
    if (!object.table_schema.empty()) absl::StrAppend(&description, object.table_schema, ".");
    absl::StrAppend(&description, object.table);
    descriptions.push_back(description);
  }
  return descriptions;
}

std::vector<std::string> Guarded(absl::string_view sql) { return Described(GuardedObjects(sql)); }
std::vector<std::string> Created(absl::string_view sql) { return Described(CreatedObjects(sql)); }

std::string OnlyName(absl::string_view sql) {
  const std::vector<GuardedObject> objects = GuardedObjects(sql);
  return objects.size() == 1 ? objects[0].name : absl::StrCat(objects.size(), " objects");
}

// --- CREATE ... IF NOT EXISTS ---

TEST(GuardedObjects, FindsACreatedTable) {
  EXPECT_THAT(Guarded("CREATE TABLE IF NOT EXISTS tenants (id int)"), ElementsAre("table tenants"));
}

TEST(GuardedObjects, FindsTheSchemaOfATable) {
  EXPECT_THAT(Guarded("create unlogged table if not exists app.t (id int)"),
              ElementsAre("table app.t"));
}

TEST(GuardedObjects, LeavesOutTheCatalogOfAName) {
  EXPECT_THAT(Guarded("CREATE TABLE IF NOT EXISTS db.app.t ()"), ElementsAre("table app.t"));
}

TEST(GuardedObjects, ATemporaryTableGuardsNothing) {
  EXPECT_THAT(Guarded("CREATE LOCAL TEMPORARY TABLE IF NOT EXISTS t AS SELECT 1"), IsEmpty());
  EXPECT_THAT(Guarded("CREATE TEMP TABLE IF NOT EXISTS t ()"), IsEmpty());
}

TEST(GuardedObjects, FindsAnIndexAndItsTable) {
  EXPECT_THAT(
      Guarded("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY app.t USING btree (a)"),
      ElementsAre("index i on app.t"));
}

TEST(GuardedObjects, FindsOtherKinds) {
  EXPECT_THAT(Guarded("CREATE MATERIALIZED VIEW IF NOT EXISTS m AS SELECT 1"),
              ElementsAre("materialized view m"));
  EXPECT_THAT(Guarded("CREATE SEQUENCE IF NOT EXISTS s START 5"), ElementsAre("sequence s"));
  EXPECT_THAT(Guarded("CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\" WITH SCHEMA app"),
              ElementsAre("extension uuid-ossp"));
  EXPECT_THAT(Guarded("CREATE FOREIGN TABLE IF NOT EXISTS f (a int) SERVER s"),
              ElementsAre("foreign table f"));
  EXPECT_THAT(Guarded("CREATE STATISTICS IF NOT EXISTS s ON a, b FROM t"),
              ElementsAre("statistics s"));
}

TEST(GuardedObjects, FindsASchema) {
  EXPECT_THAT(Guarded("CREATE SCHEMA IF NOT EXISTS app AUTHORIZATION joe"),
              ElementsAre("schema app"));
}

TEST(GuardedObjects, NamesASchemaWithoutNameForItsOwner) {
  EXPECT_THAT(Guarded("CREATE SCHEMA IF NOT EXISTS AUTHORIZATION joe"), ElementsAre("schema joe"));
}

TEST(GuardedObjects, DoesNotGuessTheSchemaOfTheCurrentUser) {
  EXPECT_THAT(Guarded("CREATE SCHEMA IF NOT EXISTS AUTHORIZATION CURRENT_USER"), IsEmpty());
}

TEST(GuardedObjects, IgnoresCreateWithoutGuard) {
  EXPECT_THAT(Guarded("CREATE TABLE t (a text DEFAULT 'IF NOT EXISTS')"), IsEmpty());
}

TEST(GuardedObjects, PassesOverComments) {
  EXPECT_THAT(Guarded("CREATE /* a */ TABLE -- b\n IF NOT /**/ EXISTS t ()"),
              ElementsAre("table t"));
}

// --- DROP ... IF EXISTS ---

TEST(GuardedObjects, FindsEveryDroppedObject) {
  EXPECT_THAT(Guarded("DROP TABLE IF EXISTS a, app.b CASCADE"),
              ElementsAre("-table a", "-table app.b"));
}

TEST(GuardedObjects, FindsAnIndexDroppedConcurrently) {
  EXPECT_THAT(Guarded("DROP INDEX CONCURRENTLY IF EXISTS app.i"), ElementsAre("-index app.i"));
}

TEST(GuardedObjects, FindsDroppedKindsOfSeveralWords) {
  EXPECT_THAT(Guarded("DROP MATERIALIZED VIEW IF EXISTS m"), ElementsAre("-materialized view m"));
  EXPECT_THAT(Guarded("DROP TEXT SEARCH DICTIONARY IF EXISTS d RESTRICT"),
              ElementsAre("-text search dictionary d"));
  EXPECT_THAT(Guarded("DROP FOREIGN DATA WRAPPER IF EXISTS w"),
              ElementsAre("-foreign data wrapper w"));
}

TEST(GuardedObjects, FindsTheTableOfADroppedTrigger) {
  EXPECT_THAT(Guarded("DROP TRIGGER IF EXISTS x ON app.t"), ElementsAre("-trigger x on app.t"));
}

TEST(GuardedObjects, LeavesOutObjectsWithArguments) {
  EXPECT_THAT(Guarded("DROP FUNCTION IF EXISTS f(int)"), IsEmpty());
  EXPECT_THAT(Guarded("DROP AGGREGATE IF EXISTS a(int)"), IsEmpty());
  EXPECT_THAT(Guarded("DROP OPERATOR IF EXISTS +(int, int)"), IsEmpty());
}

TEST(GuardedObjects, IgnoresDropWithoutGuard) { EXPECT_THAT(Guarded("DROP TABLE t"), IsEmpty()); }

// --- ALTER ---

TEST(GuardedObjects, FindsEveryGuardedActionOfAlterTable) {
  EXPECT_THAT(Guarded("ALTER TABLE app.t ADD COLUMN IF NOT EXISTS a numeric(5, 2) DEFAULT f(1, 2),"
                      " ADD b int, DROP COLUMN IF EXISTS c CASCADE, DROP CONSTRAINT IF EXISTS d"),
              ElementsAre("column a on app.t", "-column c on app.t", "-constraint d on app.t"));
}

TEST(GuardedObjects, FindsActionsWithoutTheWordColumn) {
  EXPECT_THAT(Guarded("ALTER TABLE ONLY t ADD IF NOT EXISTS a int, DROP IF EXISTS b"),
              ElementsAre("column a on t", "-column b on t"));
}

TEST(GuardedObjects, FindsAGuardedTableAndItsActions) {
  EXPECT_THAT(Guarded("ALTER TABLE IF EXISTS t * DROP COLUMN IF EXISTS a"),
              ElementsAre("-table t", "-column a on t"));
}

TEST(GuardedObjects, FindsOtherAlteredKinds) {
  EXPECT_THAT(Guarded("ALTER INDEX IF EXISTS i RENAME TO j"), ElementsAre("-index i"));
}

TEST(GuardedObjects, IgnoresAlterWithoutGuard) {
  EXPECT_THAT(Guarded("ALTER TABLE t ADD COLUMN a int"), IsEmpty());
}

// --- Names ---

TEST(GuardedObjects, FoldsNamesToLowerCase) {
  EXPECT_EQ(OnlyName("CREATE TABLE IF NOT EXISTS Orders ()"), "orders");
}

TEST(GuardedObjects, FoldsAsciiOnly) {
  EXPECT_EQ(OnlyName("CREATE TABLE IF NOT EXISTS ŽLUŤ ()"), "ŽluŤ");
}

TEST(GuardedObjects, KeepsQuotedNames) {
  EXPECT_EQ(OnlyName(R"(CREATE TABLE IF NOT EXISTS "My ""Own"" Table" ())"), "My \"Own\" Table");
}

TEST(GuardedObjects, DecodesUnicodeNames) {
  EXPECT_EQ(OnlyName(R"(CREATE TABLE IF NOT EXISTS U&"d\0061t\+000061\\" ())"), "data\\");
}

TEST(GuardedObjects, DecodesSurrogatePairs) {
  EXPECT_EQ(OnlyName(R"(CREATE TABLE IF NOT EXISTS U&"\D83D\DC18" ())"), "🐘");
}

TEST(GuardedObjects, DecodesUnicodeNamesWithAnotherEscape) {
  EXPECT_EQ(OnlyName(R"(CREATE TABLE IF NOT EXISTS u&"d!0061!!" UESCAPE '!' ())"), "da!");
}

TEST(GuardedObjects, DoesNotUnderstandMalformedEscapes) {
  EXPECT_THAT(Guarded(R"(CREATE TABLE IF NOT EXISTS U&"\00zz" ())"), IsEmpty());
  EXPECT_THAT(Guarded(R"(CREATE TABLE IF NOT EXISTS U&"\D83D" ())"), IsEmpty());
  EXPECT_THAT(Guarded(R"(CREATE TABLE IF NOT EXISTS U&"\00" ())"), IsEmpty());
}

TEST(GuardedObjects, CutsLongNamesAsPostgresDoes) {
  EXPECT_EQ(OnlyName("CREATE TABLE IF NOT EXISTS " + std::string(70, 'a') + " ()"),
            std::string(63, 'a'));
}

TEST(GuardedObjects, CutsLongNamesBetweenCharacters) {
  EXPECT_EQ(OnlyName("CREATE TABLE IF NOT EXISTS \"" + std::string(62, 'a') + "žž\" ()"),
            std::string(62, 'a'));
}

TEST(GuardedObjects, GuardsNothingInWhatIsNotUnderstood) {
  for (const char* sql :
       {"", "CREATE", "DROP TABLE IF EXISTS", "CREATE SOMETHING NEW IF NOT EXISTS x",
        "CREATE TABLE IF NOT EXISTS 'x'", "CREATE INDEX IF NOT EXISTS", "ALTER TABLE",
        "SELECT 'DROP TABLE IF EXISTS t'", "CREATE USER MAPPING IF NOT EXISTS FOR u SERVER s"}) {
    EXPECT_THAT(Guarded(sql), IsEmpty()) << sql;
  }
}

TEST(GuardedObject, DisplaysATableWithItsSchema) {
  EXPECT_EQ(GuardedObjects("DROP TABLE IF EXISTS app.t")[0].DisplayName(), "app.t");
}

TEST(GuardedObject, DisplaysAColumnWithItsTable) {
  EXPECT_EQ(GuardedObjects("ALTER TABLE app.t DROP COLUMN IF EXISTS c")[0].DisplayName(),
            "app.t.c");
}

TEST(GuardedObject, DisplaysAnIndexWithoutItsTable) {
  EXPECT_EQ(GuardedObjects("CREATE INDEX IF NOT EXISTS i ON t (a)")[0].DisplayName(), "i");
}

TEST(GuardedObject, QuotesNamesThatNeedIt) {
  EXPECT_EQ(GuardedObjects(R"(DROP TABLE IF EXISTS "App"."a""b")")[0].DisplayName(),
            R"("App"."a""b")");
}

// --- Transaction control ---

TEST(IsTransactionControl, HoldsForWhatBeginsOrEndsATransaction) {
  for (const char* sql : {"BEGIN", "begin isolation level serializable", "START TRANSACTION",
                          "COMMIT", "COMMIT AND CHAIN", "END", "ROLLBACK", "ROLLBACK WORK", "ABORT",
                          "PREPARE TRANSACTION 'x'", "COMMIT PREPARED 'x'", "/* a */ commit"}) {
    EXPECT_TRUE(IsTransactionControl(sql)) << sql;
  }
}

TEST(IsTransactionControl, DoesNotHoldForSavepointsAndOthers) {
  for (const char* sql :
       {"SAVEPOINT a", "RELEASE a", "ROLLBACK TO a", "ROLLBACK WORK TO SAVEPOINT a",
        "ROLLBACK TRANSACTION TO a", "PREPARE p AS SELECT 1", "SELECT 'COMMIT'",
        "SET TRANSACTION READ ONLY", "\"commit\"", ""}) {
    EXPECT_FALSE(IsTransactionControl(sql)) << sql;
  }
}

// --- Concurrently ---

TEST(IsConcurrent, HoldsForWhatRunsConcurrently) {
  for (const char* sql :
       {"CREATE INDEX CONCURRENTLY i ON t (a)", "create unique index concurrently on t (a)",
        "DROP INDEX CONCURRENTLY i", "REINDEX TABLE CONCURRENTLY t",
        "REINDEX (VERBOSE, CONCURRENTLY) INDEX i", "REINDEX (CONCURRENTLY on) INDEX i",
        "REINDEX (VERBOSE) INDEX CONCURRENTLY i", "REFRESH MATERIALIZED VIEW CONCURRENTLY m",
        "ALTER TABLE IF EXISTS s.t DETACH PARTITION s.p CONCURRENTLY",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)"}) {
    EXPECT_TRUE(IsConcurrent(sql)) << sql;
  }
}

TEST(IsConcurrent, DoesNotHoldForOthers) {
  for (const char* sql :
       {"CREATE INDEX i ON t (a)", "CREATE INDEX \"concurrently\" ON t (a)", "DROP INDEX i",
        "REINDEX TABLE t", "REINDEX (CONCURRENTLY false) INDEX i",
        "REINDEX (CONCURRENTLY 0) INDEX i", "REFRESH MATERIALIZED VIEW m",
        "ALTER TABLE t DETACH PARTITION p FINALIZE", "ALTER TABLE t DETACH PARTITION p",
        "SELECT 'CONCURRENTLY'", "CREATE TABLE t ()"}) {
    EXPECT_FALSE(IsConcurrent(sql)) << sql;
  }
}

TEST(CreatedObjects, AreThoseOfACreateWithoutAGuard) {
  EXPECT_THAT(Created("CREATE TABLE Shop.t (id int)"), ElementsAre("table shop.t"));
  EXPECT_THAT(Created("CREATE UNLOGGED TABLE t AS SELECT 1"), ElementsAre("table t"));
  EXPECT_THAT(Created("CREATE UNIQUE INDEX CONCURRENTLY i ON ONLY s.t (a)"),
              ElementsAre("index i on s.t"));
  EXPECT_THAT(Created("CREATE MATERIALIZED VIEW v AS SELECT 1"),
              ElementsAre("materialized view v"));
  EXPECT_THAT(Created("CREATE TYPE \"E\" AS ENUM ('a')"), ElementsAre("type E"));
  EXPECT_THAT(Created("CREATE EXTENSION citext SCHEMA s"), ElementsAre("extension citext"));
  EXPECT_THAT(Created("CREATE SCHEMA s AUTHORIZATION app"), ElementsAre("schema s"));
  EXPECT_THAT(Created("ALTER TABLE t ADD COLUMN a numeric(3, 2) CHECK (a > 0), ADD b int"),
              ElementsAre("column a on t", "column b on t"));
}

TEST(CreatedObjects, AreNoneWhereTheStatementDoesMoreOrIsNotUnderstood) {
  for (const char* sql :
       {"CREATE TABLE IF NOT EXISTS t (id int)", "CREATE OR REPLACE VIEW v AS SELECT 1",
        "CREATE TEMP TABLE t (id int)", "CREATE INDEX ON t (a)",
        "CREATE SCHEMA s CREATE TABLE t (id int)", "CREATE FUNCTION f() RETURNS int AS 'x'",
        "CREATE TRIGGER g AFTER INSERT ON t EXECUTE FUNCTION f()",
        "ALTER TABLE t ADD COLUMN a int, DROP COLUMN b",
        "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)", "ALTER TABLE t ADD PRIMARY KEY (a)",
        "ALTER TABLE t ADD COLUMN IF NOT EXISTS a int", "DROP TABLE t", "SELECT 1"}) {
    EXPECT_THAT(Created(sql), IsEmpty()) << sql;
  }
}

}  // namespace
}  // namespace migd
