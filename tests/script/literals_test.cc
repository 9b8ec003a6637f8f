#include "service/script/literals.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace migd
