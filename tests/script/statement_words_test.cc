#include "service/script/statement_words.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace migd {
namespace {

using ::testing::ElementsAre;

TEST(WordsOf, LeavesOutWhatIsQuotedUnlessItMayBeRun) {
  EXPECT_THAT(WordsOf("UPDATE a SET \"Drop\" = 'drop table b' -- DROP"),
              ElementsAre("update", "a", "set", "", "", ""));
  EXPECT_THAT(WordsOf("DO $$ BEGIN DROP TABLE b; END $$"),
              ElementsAre("do", "begin", "drop", "table", "b", "end"));
}

TEST(SaysToDestroy, WhateverMayHoldData) {
  for (const char* statement :
       {"DO $$ BEGIN DROP TABLE a; END $$",
        "DO $$ BEGIN EXECUTE format('drop schema %I', s); END $$",
        "DO $$ BEGIN ALTER TABLE a DROP phone; END $$", "DO 'BEGIN TRUNCATE a; END'",
        "DO $$ BEGIN DELETE FROM a WHERE b; END $$", "SELECT run('DROP TABLE a')"}) {
    EXPECT_TRUE(SaysToDestroy(statement)) << statement;
  }
}

TEST(SaysToDestroy, NotWhatIsMadeAnewAsARule) {
  for (const char* statement :
       {"DO $$ BEGIN CREATE TYPE mood AS ENUM ('ok'); EXCEPTION WHEN duplicate_object THEN END $$",
        "DO $$ BEGIN ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES c ON DELETE CASCADE; END $$",
        "DO $$ BEGIN DROP TRIGGER IF EXISTS t ON a; ALTER TABLE a ALTER b DROP NOT NULL; END $$",
        "DO $$ BEGIN CREATE TRIGGER t AFTER DELETE ON a EXECUTE FUNCTION f(); END $$",
        "SELECT drop_later()", "INSERT INTO log VALUES ('DROP TABLE a')"}) {
    EXPECT_FALSE(SaysToDestroy(statement)) << statement;
  }
}

}  // namespace
}  // namespace migd
