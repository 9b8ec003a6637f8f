// A database goes from Alembic to this service and back with nothing converted.
#include <string>

#include "gmock/gmock.h"
#include "tests/e2e/alembic_fixture.h"

namespace migd {
namespace {

using ::testing::StartsWith;

// aa10 <- bb20 <- cc30, each of which creates a table.
class TakeoverTest : public AlembicTest {
 protected:
  void SetUp() override {
    AlembicTest::SetUp();
    AddToBoth({.id = "aa10", .up = "CREATE TABLE a ()", .down = "DROP TABLE a"});
    AddToBoth({.id = "bb20", .revises = "aa10", .up = "CREATE TABLE b ()", .down = "DROP TABLE b"});
    AddToBoth({.id = "cc30", .revises = "bb20", .up = "CREATE TABLE c ()", .down = "DROP TABLE c"});
  }
};

TEST_F(TakeoverTest, AlembicNamesTheRevisionThatWeReached) {
  Migctl({"upgrade", "bb20"});
  EXPECT_THAT(Alembic({"current"}), StartsWith("bb20\n"));
  Migctl({"upgrade", "head"});
  EXPECT_THAT(Alembic({"current"}), StartsWith("cc30 (head)\n"));
}

TEST_F(TakeoverTest, WeGoOnWhereAlembicStopped) {
  Alembic({"upgrade", "bb20"});
  const std::string before = Dump();
  EXPECT_EQ(Text({"current"}), "bb20\n");
  EXPECT_EQ(Text({"history", "-r", "current:"}),
            "bb20 -> cc30 (head), message of cc30\n"
            "aa10 -> bb20, message of bb20\n");
  EXPECT_EQ(Dump(), before);

  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 0);
  EXPECT_EQ(VersionRows(), "cc30");
  EXPECT_EQ(Query("SELECT to_regclass('c')"), "c");
  EXPECT_EQ(Migctl({"downgrade", "aa10", "--yes"}).exit_code, 0);
  EXPECT_THAT(Alembic({"current"}), StartsWith("aa10\n"));
}

TEST_F(TakeoverTest, AlembicGoesOnWhereWeStopped) {
  Migctl({"upgrade", "aa10"});
  Alembic({"upgrade", "head"});
  EXPECT_EQ(Text({"current"}), "cc30 (head)\n");
  Alembic({"downgrade", "base"});
  EXPECT_EQ(Text({"current"}), "");
  EXPECT_EQ(Query("SELECT to_regclass('a')"), "");
}

TEST_F(TakeoverTest, AStampOfEitherIsSeenByTheOther) {
  Migctl({"stamp", "bb20"});
  EXPECT_THAT(Alembic({"current"}), StartsWith("bb20\n"));
  Alembic({"stamp", "aa10"});
  EXPECT_EQ(Text({"current"}), "aa10\n");
  Migctl({"stamp", "base"});
  EXPECT_EQ(Alembic({"current"}), "");
}

TEST_F(TakeoverTest, TheVersionTableIsTheSameWhoeverMadeIt) {
  Alembic({"stamp", "aa10"});
  const std::string made_by_alembic = Dump();
  Query("DROP TABLE alembic_version");
  Migctl({"stamp", "aa10"});
  EXPECT_EQ(Dump(), made_by_alembic);
}

}  // namespace
}  // namespace migd
