#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "absl/strings/str_join.h"
#include "client/import/alembic.h"
#include "client/import/alembic_output.h"
#include "client/import/python_header.h"
#include "tests/client/import_support.h"

namespace migctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

// --- Python ---

PythonHeader Header(const std::string& script) {
  int line = 0;
  std::string problem;
  const auto header = ReadPythonHeader(script, line, problem);
  EXPECT_TRUE(header.has_value()) << problem;
  return header.value_or(PythonHeader());
}

TEST(PythonHeader, ReadsTheNamesOfAModule) {
  const PythonHeader header = Header(
      "# -*- coding: utf-8 -*-\n"
      "\"\"\"create \\\"a\\\"\n\nRevision ID: a1\n\"\"\"\n"
      "from alembic import op\n"
      "revision: str = 'a1'  # the id\n"
      "down_revision: Union[str, None, \\\n  Sequence[str]] = (\n  'b' '1',  # first\n  "
      "u\"c1\",\n)\n"
      "branch_labels = ['shop']\n"
      "depends_on = None\n\n"
      "def upgrade():\n    revision = 'not this'\n    '''\nrevision = 'nor this'\n'''\n");
  EXPECT_EQ(header.docstring, "create \"a\"\n\nRevision ID: a1\n");
  EXPECT_EQ(header.revision, "a1");
  EXPECT_THAT(header.down_revisions, ElementsAre("b1", "c1"));
  EXPECT_THAT(header.branch_labels, ElementsAre("shop"));
  EXPECT_THAT(header.depends_on, IsEmpty());
}

TEST(PythonHeader, ReadsValuesOfEachForm) {
  EXPECT_THAT(Header("revision='a'\ndown_revision='b'").down_revisions, ElementsAre("b"));
  EXPECT_THAT(Header("revision='a'\ndown_revision='b', 'c'").down_revisions, ElementsAre("b", "c"));
  EXPECT_THAT(Header("revision='a'\ndown_revision={'b'}").down_revisions, ElementsAre("b"));
  EXPECT_THAT(Header("revision='a'; down_revision=()").down_revisions, IsEmpty());
  EXPECT_EQ(Header("revision='a'\r\ndown_revision=None\r\n").revision, "a");
}

TEST(PythonHeader, SaysWhichLineItDoesNotUnderstand) {
  int line = 0;
  std::string problem;
  EXPECT_FALSE(ReadPythonHeader("\nrevision = 'a'\ndown_revision = f()\n", line, problem));
  EXPECT_EQ(line, 3);
  EXPECT_THAT(problem, StartsWith("the value of down_revision is no string"));
  EXPECT_FALSE(ReadPythonHeader("revision = f'{a}'\n", line, problem));
  EXPECT_FALSE(ReadPythonHeader("import os\n", line, problem));
  EXPECT_EQ(problem, "it has no line revision = \"...\"");
}

// --- What Alembic prints ---

std::string SectionOf(const std::string& sql, bool transactional = true) {
  std::vector<ImportProblem> problems;
  std::string version_table;
  const auto section = SectionOfStep({"a1", sql}, transactional, "a1.py", version_table, problems);
  if (!section.has_value()) return absl::StrJoin(ProblemsOf(problems), "\n");
  return absl::StrCat(version_table, ": ", TextOf(*section));
}

TEST(AlembicOutput, TakesOutWhatIsAlembicsOwn) {
  EXPECT_EQ(SectionOf("\nCREATE TABLE a ();\n\nINSERT INTO alembic_version (version_num) VALUES "
                      "('a1') RETURNING alembic_version.version_num;\n\nCOMMIT;\n\n"),
            "alembic_version: CREATE TABLE a ();");
  EXPECT_EQ(SectionOf("UPDATE x.v SET version_num='a1' WHERE x.v.version_num = 'b';\n\n"), "x.v: ");
  EXPECT_EQ(SectionOf("DROP TABLE a;\n\nDELETE FROM v WHERE v.version_num = 'a1';\n\n"
                      "DROP TABLE v;\n\nCOMMIT;\n"),
            "v: DROP TABLE a;");
  EXPECT_EQ(SectionOf("DELETE FROM v WHERE v.version_num = 'b1';\n\n"
                      "UPDATE v SET version_num='a1' WHERE v.version_num = 'c1';\n\nCOMMIT;\n\n"
                      "BEGIN;\n\n"),
            "v: ");
}

TEST(AlembicOutput, AnAutocommitBlockIsOutsideOfATransaction) {
  EXPECT_EQ(SectionOf("SELECT 1;\n\nSELECT 2;\n\nCOMMIT;\n\nCREATE INDEX CONCURRENTLY i ON a (b);"
                      "\n\nBEGIN;\n\nUPDATE v SET version_num='a1' WHERE version_num = 'b1';\n"),
            "v: [no transaction] BEGIN;\nSELECT 1;\n\nSELECT 2;\nCOMMIT;\n\n\n"
            "CREATE INDEX CONCURRENTLY i ON a (b);");
  EXPECT_EQ(SectionOf("SELECT 1;\n\nUPDATE v SET version_num='a1' WHERE version_num = 'b1';\n",
                      /*transactional=*/false),
            "v: [no transaction] SELECT 1;");
}

TEST(AlembicOutput, NamesWhatWouldChangeItsMeaning) {
  EXPECT_THAT(SectionOf("SELECT 1 -- one;\n\nUPDATE v SET version_num='a1';\n"),
              HasSubstr("a statement ends with a comment"));
  EXPECT_THAT(SectionOf("SELECT 1;\n"), HasSubstr("does not end with a write"));
}

TEST(AlembicOutput, FindsTheReasonAndThePlace) {
  const std::string err =
      "Traceback (most recent call last):\n  File \"/x/env.py\", line 3, in <module>\n"
      "  File \"/x/v/a1.py\", line 7, in upgrade\n  File \"/lib/op.py\", line 9, in f\n"
      "ValueError: bad\n\nINFO  [alembic] done\n";
  EXPECT_EQ(AlembicFailure("", err), "ValueError: bad");
  EXPECT_EQ(AlembicFailure("x\n  FAILED: no such thing\n", "INFO  [alembic] x\n"), "no such thing");
  EXPECT_EQ(LineInTraceback(err, "/x/v/a1.py"), 7);
  EXPECT_EQ(LineInTraceback(err, "/x/v/b1.py"), 0);
  EXPECT_EQ(LastPlaceInTraceback(err, "/x"), "v/a1.py:7");
}

// --- A project ---

// Alembic, as far as the reader sees it: revisions in one line, some of which fail.
class FakeAlembic {
 public:
  struct Script {
    std::string id;
    std::string up;    // "!" fails
    std::string down;  // likewise
    std::string docstring = "";
  };

  explicit FakeAlembic(std::vector<Script> scripts) : scripts_(std::move(scripts)) {}

  AlembicProject Project() {
    return {"/p", [this](const auto& arguments) { return Run(arguments); },
            [this](const std::string& path) { return Source(path); }, skip};
  }

  std::vector<std::string> skip;
  std::vector<std::string> calls;

 private:
  static std::string PathOf(const Script& script) {
    return absl::StrCat("/p/versions/", script.id, ".py");
  }
  std::string ParentOf(size_t i) const { return i == 0 ? "" : scripts_[i - 1].id; }

  absl::StatusOr<std::string> Source(const std::string& path) const {
    for (size_t i = 0; i < scripts_.size(); ++i) {
      if (PathOf(scripts_[i]) != path) continue;
      return absl::StrCat(
          "'''", scripts_[i].docstring, "'''\nrevision = '", scripts_[i].id,
          "'\ndown_revision = ", i == 0 ? "None" : absl::StrCat("'", ParentOf(i), "'"));
    }
    return absl::NotFoundError(path);
  }

  absl::StatusOr<ProgramResult> Run(const std::vector<std::string>& arguments) {
    calls.push_back(absl::StrJoin(arguments, " "));
    ProgramResult result;
    if (arguments[0] == "history") {
      for (auto script = scripts_.rbegin(); script != scripts_.rend(); ++script) {
        absl::StrAppend(&result.out, "Rev: ", script->id, "\nPath: ", PathOf(*script),
                        "\n\n    Path: in a docstring\n\n");
      }
      return result;
    }
    result.out = "BEGIN;\n\n";
    const bool up = arguments[0] == "upgrade";
    const size_t colon = arguments[1].find(':');
    const std::string from = colon == std::string::npos ? "" : arguments[1].substr(0, colon);
    for (size_t n = 0; n < scripts_.size() && result.exit_code == 0; ++n) {
      const size_t i = up ? n : scripts_.size() - 1 - n;
      const size_t first = IndexOf(from, up);
      if (up ? i < first : i > first) continue;
      Print(i, up, result);
    }
    return result;
  }

  // The first step of a run that begins at revision `from`.
  size_t IndexOf(const std::string& from, bool up) const {
    for (size_t i = 0; i < scripts_.size(); ++i) {
      if (scripts_[i].id == from) return up ? i + 1 : i;
    }
    return up ? 0 : scripts_.size() - 1;
  }

  void Print(size_t i, bool up, ProgramResult& result) const {
    const Script& script = scripts_[i];
    absl::StrAppend(&result.out, "-- Running ", up ? "upgrade " : "downgrade ",
                    up ? ParentOf(i) : script.id, " -> ", up ? script.id : ParentOf(i), "\n\n");
    const std::string& sql = up ? script.up : script.down;
    if (sql == "!") {
      result.exit_code = 1;
      result.err = absl::StrCat("  File \"", PathOf(script), "\", line 9, in f\nError: no\n");
      return;
    }
    absl::StrAppend(&result.out, sql, "\n\nUPDATE v SET version_num='", script.id, "';\n\n");
  }

  const std::vector<Script> scripts_;
};

TEST(ImportAlembic, ReadsAProjectInTwoRuns) {
  FakeAlembic alembic({{"a1", "CREATE TABLE a ();", "DROP TABLE a;",
                        "\ncreate a\n\nfor the shop\n\nRevision ID: a1\nRevises: \n"
                        "Create Date: 2016-03-24 15:12:59.803179\n"},
                       {"b1", "CREATE TABLE b ();", ""}});
  std::vector<std::string> skipped;
  const auto reading = ReadAlembic(alembic.Project(), skipped);
  ASSERT_TRUE(reading.ok()) << reading.status();
  EXPECT_THAT(ProblemsOf(reading->problems), IsEmpty());
  EXPECT_THAT(RevisionsOf(*reading), ElementsAre("a1 < : create a", "b1 < a1: "));
  EXPECT_EQ(reading->revisions[0].source, "versions/a1.py");
  EXPECT_EQ(TextOf(reading->revisions[0].up), "-- for the shop\n\nCREATE TABLE a ();");
  EXPECT_EQ(DownOf(reading->revisions[0]), "DROP TABLE a;");
  EXPECT_EQ(DownOf(reading->revisions[1]), "");
  EXPECT_EQ(absl::FormatTime(*reading->revisions[0].revision.create_time, absl::UTCTimeZone()),
            "2016-03-24T15:12:59.803179+00:00");
  EXPECT_THAT(alembic.calls,
              ElementsAre("history --verbose", "upgrade heads --sql", "downgrade b1:base --sql"));
}

TEST(ImportAlembic, NamesEachScriptThatFailsAndGoesOnBehindIt) {
  FakeAlembic alembic({{"a1", "!", ""}, {"b1", "SELECT 1;", ""}, {"c1", "!", ""}, {"d1", "", ""}});
  std::vector<std::string> skipped;
  const auto reading = ReadAlembic(alembic.Project(), skipped);
  ASSERT_TRUE(reading.ok()) << reading.status();
  EXPECT_THAT(
      ProblemsOf(reading->problems),
      ElementsAre(
          StartsWith("versions/a1.py:9: Alembic cannot print its SQL without a database: Error"),
          StartsWith("versions/c1.py:9: Alembic cannot print its SQL without a database: Error")));
}

TEST(ImportAlembic, ADowngradeThatFailsIsNoSection) {
  FakeAlembic alembic({{"a1", "", "SELECT 1;"}, {"b1", "", "!"}, {"c1", "", "SELECT 3;"}});
  std::vector<std::string> skipped;
  const auto reading = ReadAlembic(alembic.Project(), skipped);
  ASSERT_TRUE(reading.ok()) << reading.status();
  EXPECT_THAT(ProblemsOf(reading->problems), IsEmpty());
  EXPECT_EQ(DownOf(reading->revisions[0]), "SELECT 1;");
  EXPECT_EQ(DownOf(reading->revisions[1]), "none");
  EXPECT_EQ(DownOf(reading->revisions[2]), "SELECT 3;");
  EXPECT_THAT(reading->notes, testing::Contains("versions/b1.py:9 has no down section, as its "
                                                "downgrade fails: Error: no"));
}

TEST(ImportAlembic, AScriptThatIsSkippedLeavesARevisionThatDoesNothing) {
  FakeAlembic alembic({{"a1", "!", "!", "python only"}, {"b1", "SELECT 1;", ""}});
  alembic.skip = {"a1.py"};
  std::vector<std::string> skipped;
  const auto reading = ReadAlembic(alembic.Project(), skipped);
  ASSERT_TRUE(reading.ok()) << reading.status();
  EXPECT_THAT(ProblemsOf(reading->problems), IsEmpty());
  EXPECT_THAT(RevisionsOf(*reading), ElementsAre("a1 < : python only", "b1 < a1: "));
  EXPECT_EQ(TextOf(reading->revisions[0].up), "");
  EXPECT_EQ(DownOf(reading->revisions[0]), "");
  EXPECT_THAT(skipped, ElementsAre("versions/a1.py"));
}

TEST(ImportAlembic, NamesPercentSignsThatAlembicDoubles) {
  FakeAlembic alembic({{"a1", "SELECT 'a' LIKE '%%';", ""}});
  std::vector<std::string> skipped;
  const auto reading = ReadAlembic(alembic.Project(), skipped);
  ASSERT_TRUE(reading.ok()) << reading.status();
  EXPECT_THAT(ProblemsOf(reading->problems),
              ElementsAre(StartsWith("versions/a1.py: Alembic doubles the percent signs")));
}

}  // namespace
}  // namespace migctl
