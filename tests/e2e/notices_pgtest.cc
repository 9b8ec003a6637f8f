// What PostgreSQL says while a migration runs reaches whoever watches.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

class NoticesTest : public ServiceTest {
 protected:
  // The notices of an upgrade to the one revision, which is `up`.
  std::vector<Json> NoticesOf(const std::string& up) {
    Add({.id = "aa10", .up = up});
    return OfKind(Events({"upgrade", "head"}), "notice");
  }
};

TEST_F(NoticesTest, WhatABlockSkipsIsTold) {
  Query("CREATE TABLE a ()");
  const std::vector<Json> notices =
      NoticesOf("DO $$ BEGIN CREATE TABLE IF NOT EXISTS a (); END $$;");
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_EQ(notices[0]["sqlstate"].text(), "42P07");
  EXPECT_THAT(notices[0]["message"].text(), HasSubstr("already exists, skipping"));
}

TEST_F(NoticesTest, WhatAStatementSkipsIsNotToldTwice) {
  Query("CREATE TABLE a ()");
  EXPECT_EQ(NoticesOf("CREATE TABLE IF NOT EXISTS a ();").size(), 0U);
}

TEST_F(NoticesTest, WhatADropDoesNotFindIsNotToldTwice) {
  Query("CREATE TABLE a (); CREATE VIEW v AS SELECT FROM a");
  EXPECT_EQ(NoticesOf("DROP TABLE IF EXISTS b, c;").size(), 0U);
  Add({.id = "bb20", .revises = "aa10", .up = "DROP TABLE IF EXISTS b, a CASCADE;"});
  const std::vector<Json> events = Events({"upgrade", "head", "--yes", "--lint=off"});
  ASSERT_EQ(OfKind(events, "object_skipped").size(), 1U);
  ASSERT_EQ(OfKind(events, "notice").size(), 1U);
  EXPECT_THAT(OfKind(events, "notice")[0]["message"].text(), HasSubstr("drop cascades to view v"));
}

TEST_F(NoticesTest, ALongOneIsShortened) {
  const std::vector<Json> notices =
      NoticesOf("DO $$ BEGIN RAISE NOTICE '%', repeat('é', 3000000); END $$;");
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_LT(notices[0]["message"].text().size(), 10'000U);
  EXPECT_THAT(notices[0]["message"].text(), EndsWith("é..."));
  EXPECT_EQ(VersionRows(), "aa10");
}

TEST_F(NoticesTest, OneInAnotherEncodingDoesNotEndTheStream) {
  const std::vector<Json> notices = NoticesOf(
      "SET client_encoding = 'LATIN1';\nDO $$ BEGIN RAISE NOTICE 'caf%', chr(233); END $$;");
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_EQ(notices[0]["message"].text(), "caf\uFFFD");
  EXPECT_EQ(VersionRows(), "aa10");
}

}  // namespace
}  // namespace migd
