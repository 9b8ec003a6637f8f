// The splitter against PostgreSQL's own grammar: where the parser understands a text, the two must
// find the same statements in it. Random, from a seed that is printed and that
// SPLITTER_TEST_SEED repeats.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pg_query.h>

#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "service/script/sql_splitter.h"

namespace migd {
namespace {

// Each as it must come out of the splitter: from its first token to its last.
constexpr absl::string_view kStatements[] = {
    "SELECT 1",
    "select 'a;b', 'it''s', ''''",
    R"(SELECT 'back\', 'slash;')",
    R"(SELECT E'\';', e'\\', E'\'''\\')",
    "SELECT E'a'\n'\\';' \r\n '\\\\'",
    "SELECT 'a'\n'b;'",
    "SELECT B'01', X'1F', b'', N';'",
    R"(SELECT U&'d\0061;' , U&"d\0061;" FROM U&"d!0061;" UESCAPE '!')",
    R"(SELECT ";", """;" FROM "a;b"."c"";")",
    "SELECT $$;$$, $a$;$$;$b$;$a$, $_1$ $ $1 ; $_1$",
    "SELECT a$b, c$d$ FROM e$",
    "SELECT $1, $2::text",
    "SELECT 1 /* ; /* ; */ ; ' */ + 2",
    "SELECT 1 -- ; ' \" $$ /*\n + 2",
    "SELECT 5 */* ; */ 2, 3 -/* */- 4, 5 <-- ;\n 6",
    "SELECT 1.5e10, .5, 1., 12e-3, a[1:2] FROM t",
    "SELECT date'2020-01-01', interval'1 day', name'\\'",
    "CREATE TABLE t (a int CHECK ((a) > (0)), b text DEFAULT ';')",
    "CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM a; INSERT INTO b VALUES (';'); SELECT 1)",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $f$ SELECT 1; $f$",
    "CREATE OR REPLACE FUNCTION f() RETURNS int AS 'SELECT ''a'';' LANGUAGE sql",
    "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT a; SELECT 1; END",
    "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN CASE 1 "
    "WHEN 2 THEN 3 END ELSE 4 END; SELECT (CASE WHEN true THEN 1 END); END",
    "CREATE PROCEDURE p() BEGIN ATOMIC INSERT INTO t VALUES (';'); DELETE FROM t; END",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC END",
    "CREATE FUNCTION f() RETURNS int BEGIN /* ; */ ATOMIC SELECT 1 AS end; SELECT t.case FROM t; "
    "SELECT begin, atomic end FROM t; END",
    "CREATE FUNCTION begin(begin int, atomic int) RETURNS int RETURN 1",
    "CREATE FUNCTION f() RETURNS int RETURN CASE WHEN true THEN 1 END",
    "DO $do$ BEGIN IF true THEN PERFORM 1; END IF; END $do$",
    "BEGIN",
    "END",
    "COMMIT AND CHAIN",
    "COPY t TO stdout",
    "COPY (SELECT a FROM stdin) TO stdout",
    "COPY t FROM '/tmp/a;b'",
    "SELECT žluť AS \"kůň;\" FROM tábor",
    "SELECT $tělo$;$tělo$",
    "ALTER TABLE t ADD COLUMN b int, ALTER c SET DEFAULT ';'",
    "INSERT INTO t VALUES ('a', $$b$$), (E'\\n;', NULL)",
    "COMMENT ON TABLE t IS 'a -- b /* c'",
    "SELECT 1 AS begin, 2 AS atomic",
    "VALUES (1), ((2))",
};

constexpr absl::string_view kSeparators[] = {
    ";",      "; ",         ";\n",      ";;",        ";\r\n",          " ;\t",
    "\n;\n ", "; -- ; '\n", ";/* ; */", " -- \"\n;", "/* /* ; */ */;", ";\f\n-- a\r\n-- b\n",
};

// What mutations put in: the characters that change what a text means.
constexpr absl::string_view kFragments[] = {
    "'",  "\"",   "$",       "$$",   "$a$", ";",    "(",  ")",      "/*",     "*/",
    "--", "\n",   "\r",      " ",    "E'",  "U&\"", "\\", "BEGIN ", "ATOMIC", " END ",
    "::", "CASE", "CREATE ", " OR ", "b",   "1",    "a",  "e",      "$1",     "+",
};

class SplitterAndParser : public ::testing::Test {
 protected:
  SplitterAndParser() : seed_(ChooseSeed()), random_(seed_) {
    RecordProperty("seed", std::to_string(seed_));
    std::cout << "SPLITTER_TEST_SEED=" << seed_ << std::endl;
  }

  size_t Below(size_t bound) {
    return std::uniform_int_distribution<size_t>(0, bound - 1)(random_);
  }

  template <size_t N>
  std::string OneOf(const absl::string_view (&choices)[N]) {
    return std::string(choices[Below(N)]);
  }

 private:
  static uint32_t ChooseSeed() {
    const char* given = std::getenv("SPLITTER_TEST_SEED");
    if (given != nullptr) return static_cast<uint32_t>(std::strtoul(given, nullptr, 10));
    return std::random_device()();
  }

  const uint32_t seed_;
  std::mt19937 random_;
};

struct Range {
  size_t begin = 0;
  size_t end = 0;
};

// The statements that PostgreSQL's parser finds, with the white space and comments around them;
// nullopt if it does not understand the text.
absl::optional<std::vector<Range>> SplitByParser(const std::string& sql) {
  const PgQuerySplitResult result = pg_query_split_with_parser(sql.c_str());
  absl::optional<std::vector<Range>> ranges;
  if (result.error == nullptr) {
    ranges.emplace();
    for (int i = 0; i < result.n_stmts; ++i) {
      const auto begin = static_cast<size_t>(result.stmts[i]->stmt_location);
      const auto length = static_cast<size_t>(result.stmts[i]->stmt_len);
      ranges->push_back({begin, length == 0 ? sql.size() : begin + length});
    }
  }
  pg_query_free_split_result(result);
  return ranges;
}

std::vector<std::string> Texts(const SplitResult& result) {
  std::vector<std::string> texts;
  for (const Statement& statement : result.statements) texts.emplace_back(statement.text);
  return texts;
}

// Each statement of the splitter lies in the parser's range of the same number.
void ExpectSameStatements(const SplitResult& ours, const std::vector<Range>& parsers) {
  EXPECT_FALSE(ours.error.has_value()) << ours.error->problem;
  ASSERT_EQ(ours.statements.size(), parsers.size());
  for (size_t i = 0; i < parsers.size(); ++i) {
    const Statement& statement = ours.statements[i];
    EXPECT_GE(statement.offset, parsers[i].begin);
    EXPECT_LE(statement.offset + statement.text.size(), parsers[i].end);
  }
}

TEST_F(SplitterAndParser, EveryStatementOfTheCorpusIsOne) {
  for (const absl::string_view statement : kStatements) {
    SCOPED_TRACE(std::string(statement));
    const auto parsed = SplitByParser(std::string(statement));
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(parsed->size(), 1u);
    EXPECT_THAT(Texts(SplitSql(statement, 0, 1)), ::testing::ElementsAre(std::string(statement)));
  }
}

TEST_F(SplitterAndParser, AgreeOnStatementsJoinedAtRandom) {
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::string> statements;
    std::string sql;
    for (size_t count = Below(8); count > 0; --count) {
      statements.push_back(OneOf(kStatements));
      absl::StrAppend(&sql, statements.back(), OneOf(kSeparators));
    }
    SCOPED_TRACE(sql);
    const auto parsed = SplitByParser(sql);
    ASSERT_TRUE(parsed.has_value());
    const SplitResult ours = SplitSql(sql, 0, 1);
    EXPECT_EQ(Texts(ours), statements);
    ExpectSameStatements(ours, *parsed);
    if (HasFailure()) return;
  }
}

TEST_F(SplitterAndParser, AgreeOnMutatedTextsThatTheParserUnderstands) {
  int understood = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string sql = absl::StrCat(OneOf(kStatements), OneOf(kSeparators), OneOf(kStatements),
                                   OneOf(kSeparators), OneOf(kStatements));
    for (size_t mutations = 1 + Below(3); mutations > 0; --mutations) {
      const size_t at = Below(sql.size());
      if (Below(2) == 0) {
        sql.insert(at, OneOf(kFragments));
      } else {
        sql.erase(at, 1 + Below(3));
      }
    }
    const SplitResult ours = SplitSql(sql, 0, 1);
    if (CheckEncoding(sql, 1).has_value()) continue;
    const auto parsed = SplitByParser(sql);
    if (!parsed.has_value()) continue;
    ++understood;
    SCOPED_TRACE(sql);
    ExpectSameStatements(ours, *parsed);
    if (HasFailure()) return;
  }
  EXPECT_GT(understood, 1000);
}

}  // namespace
}  // namespace migd
