#include "service/postgres/postgres_programs.h"

#include "gtest/gtest.h"

namespace migd {
namespace {

int MajorOf(absl::string_view output) {
  const auto program = ReadProgramVersion(output);
  return program ? program->major : -1;
}

TEST(ReadProgramVersion, ReadsWhatProgramsSay) {
  const auto debian = ReadProgramVersion("pg_dump (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n");
  ASSERT_TRUE(debian);
  EXPECT_EQ(debian->version, "15.14");
  EXPECT_EQ(debian->major, 15);
  EXPECT_EQ(MajorOf("postgres (PostgreSQL) 18beta1\n"), 18);
  EXPECT_EQ(MajorOf("pg_dump (PostgreSQL) 9.6.24"), 9);
  EXPECT_EQ(MajorOf("pg_dump: error: no"), -1);
  EXPECT_EQ(MajorOf("pg_dump (PostgreSQL) devel"), -1);
}

}  // namespace
}  // namespace migd
