#include "service/script/migration_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "service/script/migration_file.h"

namespace migd {
namespace {

using ::testing::IsEmpty;

absl::Time At(int year, int month, int day, int hour) {
  return absl::FromCivil(absl::CivilHour(year, month, day, hour), absl::UTCTimeZone());
}

Revision Invoices() {
  Revision revision;
  revision.id = "7c20";
  revision.down_revisions = {"1a2b", "1a2c"};
  revision.branch_labels = {"billing"};
  revision.depends_on = {"core"};
  revision.message = "Add invoices";
  revision.create_time = At(2025, 1, 16, 9);
  return revision;
}

TEST(MigrationText, IsAFileAsPeopleWriteIt) {
  EXPECT_EQ(MigrationText(Invoices(), {true, "CREATE TABLE invoices ();"},
                          SectionText{false, "DROP TABLE invoices;"}),
            "-- Add invoices\n"
            "--\n"
            "-- Revision ID: 7c20\n"
            "-- Revises: 1a2b, 1a2c\n"
            "-- Branch Labels: billing\n"
            "-- Depends On: core\n"
            "-- Create Date: 2025-01-16 09:00:00\n"
            "\n"
            "-- migrate:up\n"
            "\n"
            "CREATE TABLE invoices ();\n"
            "\n"
            "-- migrate:down transaction:false\n"
            "\n"
            "DROP TABLE invoices;\n");
}

TEST(MigrationText, IsReadBackAsTheRevisionThatItWasMadeOf) {
  const Revision revision = Invoices();
  const auto result = MigrationFile::Parse(
      MigrationFileName(revision.id, revision.message),
      MigrationText(revision, {false, "SELECT 1;\n-- the end\n"}, SectionText()));
  ASSERT_THAT(result.problems, IsEmpty());
  const Revision& read = result.file->revision();
  EXPECT_EQ(read.id, revision.id);
  EXPECT_EQ(read.down_revisions, revision.down_revisions);
  EXPECT_EQ(read.branch_labels, revision.branch_labels);
  EXPECT_EQ(read.depends_on, revision.depends_on);
  EXPECT_EQ(read.message, revision.message);
  EXPECT_EQ(read.create_time, revision.create_time);
  EXPECT_FALSE(result.file->up().transactional);
  EXPECT_EQ(result.file->up().statements.size(), 1U);
  EXPECT_TRUE(result.file->down().present);
  EXPECT_THAT(result.file->down().statements, IsEmpty());
}

TEST(MigrationText, WithoutDownTheFileHasNoSuchSection) {
  Revision revision;
  revision.id = "1a2b";
  const auto result = MigrationFile::Parse("1a2b.sql", MigrationText(revision, {}, absl::nullopt));
  ASSERT_THAT(result.problems, IsEmpty());
  EXPECT_FALSE(result.file->down().present);
  EXPECT_EQ(result.file->revision().create_time, absl::nullopt);
}

TEST(MigrationText, TheCreateDateKeepsItsFraction) {
  Revision revision;
  revision.id = "1a2b";
  revision.create_time = At(2025, 1, 16, 9) + absl::Microseconds(250);
  const auto result = MigrationFile::Parse("1a2b.sql", MigrationText(revision, {}, absl::nullopt));
  ASSERT_THAT(result.problems, IsEmpty());
  EXPECT_EQ(result.file->revision().create_time, revision.create_time);
}

TEST(MigrationFileName, HasTheWordsOfTheMessage) {
  const struct {
    const char* message;
    const char* name;
  } cases[] = {
      {"Add invoices", "7c20_add_invoices.sql"},
      {"", "7c20.sql"},
      {" -- / ..", "7c20.sql"},
      {"../../etc/passwd", "7c20_etc_passwd.sql"},
      {"it's  a\ttest: 50%", "7c20_it_s_a_test_50.sql"},
      {"snake_case stays", "7c20_snake_case_stays.sql"},
      // 40 characters fit; of a longer one no word is cut in two.
      {"abcdefghi abcdefghi abcdefghi abcdefghij",
       "7c20_abcdefghi_abcdefghi_abcdefghi_abcdefghij.sql"},
      {"abcdefghi abcdefghi abcdefghi abcdefghijk", "7c20_abcdefghi_abcdefghi_abcdefghi.sql"},
      {"abcdefghijabcdefghijabcdefghijabcdefghijk",
       "7c20_abcdefghijabcdefghijabcdefghijabcdefghij.sql"},
      {"Таблица счетов — новая", "7c20_Таблица_счетов_новая.sql"},
      {"«é»", "7c20_é.sql"},
  };
  for (const auto& [message, name] : cases) {
    EXPECT_EQ(MigrationFileName("7c20", message), name) << message;
  }
}

}  // namespace
}  // namespace migd
