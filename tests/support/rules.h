// Rules of Alembic, each a table in the body of a test: a graph, the rows of the version table, a
// question, and the answer, all in one line.
#pragma once

#include <functional>
#include <initializer_list>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "service/revision/revision_graph.h"
#include "tests/support/graph.h"

namespace migd::testing {

// One line of a table.
struct Rule {
  // Files, separated by blanks, each `id[_slug][#labels][:parents][~dependencies]`, where lists are
  // separated by commas: "a#shop b:a c:a d_merge:b,c e~d" has e depend on d.
  const char* graph;
  // Separated by commas; "" for an empty table.
  const char* rows;
  const char* question;
  // What Answer() makes of an outcome; a refusal may be cut down to its reason, or to its reason
  // and a part of its message: "MULTIPLE_HEADS", "MULTIPLE_HEADS: b, c".
  const char* answer;
};

inline std::vector<std::string> CommaSeparated(absl::string_view text) {
  return absl::StrSplit(text, ',', absl::SkipEmpty());
}

// The part of `text` from `mark` on, without the mark; cuts it off `text`.
inline absl::string_view CutOff(absl::string_view& text, char mark) {
  const size_t at = text.find(mark);
  if (at == text.npos) return "";
  const absl::string_view rest = text.substr(at + 1);
  text = text.substr(0, at);
  return rest;
}

// The revisions of a Rule's graph.
inline std::vector<Revision> ReadFiles(absl::string_view graph) {
  std::vector<Revision> revisions;
  for (absl::string_view file : absl::StrSplit(graph, ' ', absl::SkipEmpty())) {
    Revision revision;
    revision.depends_on = CommaSeparated(CutOff(file, '~'));
    revision.down_revisions = CommaSeparated(CutOff(file, ':'));
    revision.branch_labels = CommaSeparated(CutOff(file, '#'));
    revision.path = absl::StrCat(file, ".sql");
    CutOff(file, '_');
    revision.id = std::string(file);
    revisions.push_back(std::move(revision));
  }
  return revisions;
}

// --- Answers ---

inline std::string Answer(const std::vector<std::string>& words) {
  return words.empty() ? "nothing" : absl::StrJoin(words, " ");
}
inline std::string Answer(const RevisionGraph& graph, const std::vector<RevisionIndex>& indices) {
  return Answer(IdsOf(graph, indices));
}
inline std::string Answer(const absl::Status& refusal) {
  return absl::StrCat(errors::ReasonName(errors::ReasonOf(refusal)), ": ", refusal.message());
}
template <typename T, typename Describe>
std::string Answer(const absl::StatusOr<T>& outcome, Describe describe) {
  return outcome.ok() ? describe(*outcome) : Answer(outcome.status());
}

inline bool IsAnswer(const std::string& actual, const std::string& expected) {
  if (actual == expected) return true;
  const std::vector<std::string> parts = absl::StrSplit(expected, absl::MaxSplits(": ", 1));
  return absl::StartsWith(actual, parts[0] + ": ") &&
         absl::StrContains(actual, parts.size() == 1 ? "" : parts[1]);
}

// What answers a question about a graph and the rows of a version table.
using Ask = std::function<std::string(const RevisionGraph& graph, const std::set<std::string>& rows,
                                      std::string question)>;

// Asks each question of the table; a graph that is refused is an answer, too.
inline void Expect(const Ask& ask, std::initializer_list<Rule> table) {
  for (const Rule& rule : table) {
    const std::vector<std::string> rows = CommaSeparated(rule.rows);
    const std::string actual =
        Answer(RevisionGraph::Create(ReadFiles(rule.graph)), [&](const RevisionGraph& graph) {
          return ask(graph, {rows.begin(), rows.end()}, rule.question);
        });
    EXPECT_TRUE(IsAnswer(actual, rule.answer))
        << "graph:    " << rule.graph << "\nrows:     " << rule.rows
        << "\nquestion: " << rule.question << "\nexpected: " << rule.answer
        << "\nactual:   " << actual;
  }
}

}  // namespace migd::testing
