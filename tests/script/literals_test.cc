#include "service/script/literals.h"

#include <gtest/gtest.h>

#include <string>

namespace migd {
namespace {

TEST(WithoutLiterals, LeavesTheShapeOfAStatement) {
  const struct {
    const char* sql;
    const char* shown;
  } cases[] = {
      {"", ""},
      {"SELECT 1", "SELECT ?"},
      {"UPDATE users SET name = 'Ada', pin=1234 WHERE id = 7",
       "UPDATE users SET name = ?, pin=? WHERE id = ?"},
      {"SELECT E'a\\'b', U&'x', B'01', $$secret$$, $t$secret$t$", "SELECT ?, ?, ?, ?, ?"},
      {"SELECT 'a'\n'b'", "SELECT ? ?"},
      {"SELECT \"Name\" -- 'secret'\nFROM t /* secret */ WHERE x",
       "SELECT \"Name\" FROM t WHERE x"},
      {"SELECT\n\t  x", "SELECT x"},
      {"ALTER ROLE app PASSWORD 'x'", "ALTER ROLE app PASSWORD ?"},
      // Cut off by track_activity_query_size.
      {"INSERT INTO t VALUES ('secr", "INSERT INTO t VALUES (?"},
      {"SELECT $$secr", "SELECT ?"},
      {"SELECT 1 /* secr", "SELECT ? ?"},
  };
  for (const auto& [sql, shown] : cases) EXPECT_EQ(WithoutLiterals(sql), shown) << sql;
}

TEST(SummaryOfStatement, KeepsTheNumbersOfADefinition) {
  EXPECT_EQ(
      SummaryOfStatement("ALTER TABLE t ADD c varchar(20) DEFAULT 'secret', ADD n numeric(10, 2)"),
      "ALTER TABLE t ADD c varchar(20) DEFAULT ?, ADD n numeric(10, 2)");
  EXPECT_EQ(SummaryOfStatement("-- why\ncreate domain d AS char(2)"), "create domain d AS char(2)");
  EXPECT_EQ(SummaryOfStatement("UPDATE t SET pin = 1234"), "UPDATE t SET pin = ?");
}

TEST(SummaryOfStatement, IsShort) {
  const std::string column(1000, 'c');
  EXPECT_LT(SummaryOfStatement("CREATE TABLE t (" + column + " int)").size(), 130U);
}

}  // namespace
}  // namespace migd
