// Compares the planner with Alembic itself, over random graphs.
//
// alembic_oracle.py makes the graphs and has Debian's Alembic 1.8.1 plan upgrades, downgrades and
// stamps of them; the planner must take the same steps in the same order, come to the same rows
// after each, and refuse what Alembic refuses. Where the planner differs on purpose, one of the
// rules below says so, and says what must hold instead.
//
// ALEMBIC_ORACLE_SEED and ALEMBIC_ORACLE_GRAPHS choose what is compared, ALEMBIC_ORACLE_PYTHON the
// interpreter.
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "service/plan/planner.h"
#include "service/revision/lineage.h"
#include "service/revision/symbol_resolution.h"
#include "tests/support/graph.h"

namespace migd {
namespace {

using testing::File;
using testing::GraphOf;

std::string Environment(const char* name, const std::string& otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : value;
}

// What Alembic answers to one question.
struct Answer {
  struct Step {
    std::string revision;
    VersionRows rows;
    std::vector<std::string> writes;
  };
  enum class End { kOk, kRefused, kCrashed };

  std::string action;
  VersionRows rows;
  std::string target;
  std::vector<Step> steps;
  std::vector<std::string> history;
  End end = End::kCrashed;
  std::string message;
};

struct Case {
  std::vector<File> files;
  std::vector<Answer> answers;
};

std::vector<std::string> List(absl::string_view text) {
  if (text == "-") return {};
  return absl::StrSplit(text, ',');
}

VersionRows Rows(absl::string_view text) {
  const std::vector<std::string> list = List(text);
  return VersionRows(list.begin(), list.end());
}

Answer::End EndOf(absl::string_view word) {
  if (word == "ok") return Answer::End::kOk;
  return word == "refused" ? Answer::End::kRefused : Answer::End::kCrashed;
}

// Reads one line of the oracle. False if it is none.
bool ReadLine(const std::string& line, std::vector<Case>& cases) {
  const std::vector<std::string> fields = absl::StrSplit(line, ' ');
  if (fields[0] == "graph" && fields.size() == 2) {
    cases.emplace_back();
  } else if (cases.empty()) {
    return false;
  } else if (fields[0] == "file" && fields.size() == 5) {
    cases.back().files.push_back(
        {fields[1], List(fields[2]), List(fields[3]), List(fields[4]), ""});
  } else if (fields[0] == "ask" && fields.size() == 4) {
    cases.back().answers.push_back({fields[1], Rows(fields[2]), fields[3], {}, {}, {}, ""});
  } else if (cases.back().answers.empty()) {
    return false;
  } else if (fields[0] == "step" && fields.size() == 4) {
    cases.back().answers.back().steps.push_back({fields[1], Rows(fields[2]), List(fields[3])});
  } else if (fields[0] == "list" && fields.size() == 2) {
    cases.back().answers.back().history = List(fields[1]);
  } else if (fields[0] == "end" && fields.size() >= 2) {
    cases.back().answers.back().end = EndOf(fields[1]);
    cases.back().answers.back().message = line;
  } else {
    return false;
  }
  return true;
}

// Runs the oracle; without it there is nothing to compare with, and the test fails.
std::vector<Case> AskAlembic(const std::string& seed, const std::string& graphs) {
  const std::string command = absl::StrCat(
      "PYTHONHASHSEED=0 '", Environment("ALEMBIC_ORACLE_PYTHON", "/usr/bin/python3"), "' '",
      Environment("PROJECT_SOURCE", "."), "/tests/plan/alembic_oracle.py' ", seed, " ", graphs);
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) {
    ADD_FAILURE() << "cannot run " << command;
    return {};
  }
  std::string output;
  std::array<char, 65536> buffer;
  while (const size_t size = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    output.append(buffer.data(), size);
  }
  const int status = pclose(pipe);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
      << "the oracle failed; it needs Python 3 with Alembic 1.8 (Debian: python3-alembic)\n"
      << command;
  std::vector<Case> cases;
  const std::vector<std::string> lines = absl::StrSplit(output, '\n', absl::SkipEmpty());
  for (const std::string& line : lines) EXPECT_TRUE(ReadLine(line, cases)) << line;
  return cases;
}

absl::StatusOr<Plan> PlanOf(const RevisionGraph& graph, const Answer& answer) {
  if (answer.action == "upgrade") return PlanUpgrade(graph, answer.rows, answer.target);
  if (answer.action == "downgrade") return PlanDowngrade(graph, answer.rows, answer.target);
  return PlanStamp(graph, answer.rows, absl::StrSplit(answer.target, ','), false);
}

std::vector<RevisionIndex> IndicesOf(const RevisionGraph& graph, const VersionRows& rows) {
  return ResolveRows(graph, rows).value();
}

bool Overlap(const RevisionGraph& graph, const VersionRows& rows) {
  return !Covered(graph, IndicesOf(graph, rows)).empty();
}

// The rows without those that others of them contain.
VersionRows WithoutCovered(const RevisionGraph& graph, VersionRows rows) {
  for (const RevisionIndex index : Covered(graph, IndicesOf(graph, rows))) {
    rows.erase(graph.revision(index).id);
  }
  return rows;
}

std::string Describe(const VersionRows& rows) {
  return rows.empty() ? "-" : absl::StrJoin(rows, ",");
}

std::vector<std::string> KindsOf(const std::vector<VersionWrite>& writes) {
  static constexpr const char* kNames[] = {"insert", "delete", "update"};
  std::vector<std::string> kinds;
  for (const VersionWrite& write : writes) kinds.push_back(kNames[static_cast<int>(write.kind)]);
  return kinds;
}

// What the planner does, in the words of the oracle, for the reader of a failure.
std::string Describe(const absl::StatusOr<Plan>& plan) {
  if (!plan.ok()) return std::string(plan.status().message());
  VersionRows rows = plan->starting_rows;
  std::string text;
  for (const Step& step : plan->steps) {
    ApplyWrites(step.writes, rows);
    absl::StrAppend(&text, "\n  step ", step.revision, " ", Describe(rows), " ",
                    absl::StrJoin(KindsOf(step.writes), ","));
  }
  return text;
}

std::string Describe(const Answer& answer) {
  std::string text = absl::StrJoin(answer.history, ",");
  for (const Answer::Step& step : answer.steps) {
    absl::StrAppend(&text, "\n  step ", step.revision, " ", Describe(step.rows), " ",
                    absl::StrJoin(step.writes, ","));
  }
  return absl::StrCat(text, "\n  ", answer.message);
}

std::string Describe(const std::vector<File>& files) {
  std::string text;
  for (const File& file : files) {
    absl::StrAppend(&text, "\n  ", file.id, " revises ", absl::StrJoin(file.revises.list, ","),
                    " depends on ", absl::StrJoin(file.depends_on.list, ","), " labels ",
                    absl::StrJoin(file.labels.list, ","));
  }
  return text;
}

// Compares a history with Alembic's.
class HistoryComparison {
 public:
  using History = absl::StatusOr<std::vector<RevisionIndex>>;

  HistoryComparison(const RevisionGraph& graph, const Answer& answer, const History& history)
      : graph_(graph), answer_(answer), history_(history) {}

  // What is different; empty if nothing is.
  std::string Difference() const {
    if (answer_.end == Answer::End::kCrashed || IsDifferentOnPurpose()) return "";
    if (history_.ok() != (answer_.end == Answer::End::kOk)) return "only one of the two refuses";
    if (!history_.ok()) return "";
    std::vector<std::string> ours = testing::IdsOf(graph_, *history_);
    std::vector<std::string> theirs = answer_.history;
    if (ours == theirs) return "";
    std::sort(ours.begin(), ours.end());
    std::sort(theirs.begin(), theirs.end());
    if (ours != theirs) return "other revisions";
    return LeavesOutDependencies() ? "" : "another order";
  }

 private:
  // Rule 7: offsets take more forms here, and `current` on an empty table is base. What overlaps
  // can be listed, though not upgraded to. And where the lower end names a branch, Alembic takes
  // an id for the label that covers it, and leaves out an upper end beneath the label, which is on
  // the branch by its own rule for symbols.
  bool IsDifferentOnPurpose() const {
    const RevisionRange range = RevisionRange::Parse(answer_.target).value();
    if (range.lower && range.lower->branch) {
      if (range.upper || !graph_.FindLabel(*range.lower->branch)) return true;
    }
    for (const absl::optional<RevisionSymbol>& end : {range.lower, range.upper}) {
      if (!end) continue;
      if (end->is_relative()) return true;
      if (end->start == RevisionSymbol::Start::kCurrent && answer_.rows.empty()) return true;
    }
    return absl::StrContains(answer_.message, "overlaps with other requested revisions");
  }

  // A revision that is not listed stands between two that are. Alembic sorts as if it were not
  // there; here the order is that of the whole.
  bool LeavesOutDependencies() const {
    const RevisionSet above = Descendants(graph_, *history_, Follow::kDependenciesToo);
    const RevisionSet below = Ancestors(graph_, *history_, Follow::kDependenciesToo);
    return Intersection(above.ToVector(), below).size() > history_->size();
  }

  const RevisionGraph& graph_;
  const Answer& answer_;
  const History& history_;
};

// Compares one plan with Alembic's answer.
class Comparison {
 public:
  Comparison(const RevisionGraph& graph, const Answer& answer, const absl::StatusOr<Plan>& plan)
      : graph_(graph), answer_(answer), plan_(plan) {}

  // What is different or wrong; empty if nothing is.
  std::string Difference() const {
    if (plan_.ok()) {
      if (std::string wrong = WrongInItself(); !wrong.empty()) return wrong;
    }
    // An answer that ends in a Python exception which is no refusal is none to compare with.
    if (answer_.end == Answer::End::kCrashed) return "";
    if (IsDifferentOnPurpose()) return "";
    if (plan_.ok() != (answer_.end == Answer::End::kOk)) return "only one of the two refuses";
    if (!plan_.ok()) return "";
    return answer_.action == "stamp" ? StampDifference() : StepDifference();
  }

 private:
  // Holds whatever Alembic says: every write fits, and the rows never contain one another.
  std::string WrongInItself() const {
    VersionRows rows = plan_->starting_rows;
    for (const Step& step : plan_->steps) {
      for (const VersionWrite& write : step.writes) {
        const bool fits = (write.from.empty() || rows.count(write.from) == 1) &&
                          (write.to.empty() || rows.count(write.to) == 0);
        if (!fits) return absl::StrCat("a write of ", step.revision, " does not fit");
        ApplyWrites({write}, rows);
      }
      if (Overlap(graph_, rows)) return absl::StrCat("rows overlap after ", step.revision);
    }
    return rows == plan_->resulting_rows ? "" : "the result is not what the steps lead to";
  }

  bool IsDifferentOnPurpose() const {
    // Of several targets of a stamp, Alembic passes over `base`.
    if (answer_.action == "stamp" && absl::StrContains(answer_.target, ",")) {
      return absl::StrContains(answer_.target, "base");
    }
    if (answer_.action != "downgrade") return false;
    const migration::v1::ErrorReason reason = errors::ReasonOf(plan_.status());
    // Rule 10: of several rows, Alembic counts `-1` from an arbitrary one.
    if (absl::StartsWith(answer_.target, "-") && answer_.rows.size() > 1) {
      return reason == migration::v1::ERROR_REASON_AMBIGUOUS_REVISION;
    }
    // Alembic does not look at the branch when it resolves the target of a downgrade. Here
    // `branch@x` is on the branch, as in all other places.
    if (!absl::StrContains(answer_.target, "@")) return false;
    return reason == migration::v1::ERROR_REASON_UNKNOWN_REVISION ||
           absl::EndsWith(answer_.target, "@head") || absl::EndsWith(answer_.target, "@heads");
  }

  std::string StepDifference() const {
    if (plan_->steps.size() != answer_.steps.size()) return "not as many steps";
    VersionRows rows = plan_->starting_rows;
    VersionRows their_rows = rows;
    for (size_t i = 0; i < plan_->steps.size(); ++i) {
      const Step& ours = plan_->steps[i];
      const Answer::Step& theirs = answer_.steps[i];
      if (ours.revision != theirs.revision) return absl::StrCat("another revision in step ", i);
      const bool began_alike = rows == their_rows;
      ApplyWrites(ours.writes, rows);
      their_rows = theirs.rows;
      // Rule 3: after a step down, Alembic's rows may contain one another.
      if (rows != WithoutCovered(graph_, their_rows)) {
        return absl::StrCat("other rows after step ", i);
      }
      if (began_alike && rows == their_rows && KindsOf(ours.writes) != theirs.writes) {
        return absl::StrCat("other writes in step ", i);
      }
    }
    return "";
  }

  // Alembic has a step per row or target; what counts is where they lead.
  std::string StampDifference() const {
    const VersionRows& rows = plan_->resulting_rows;
    if (rows == (answer_.steps.empty() ? answer_.rows : answer_.steps.back().rows)) return "";
    // Rule 4: where a symbol has a branch or names several revisions, Alembic has each revision
    // replace all rows that are related to any of them.
    const bool can_lose_rows = absl::StrContains(answer_.target, "@") ||
                               absl::StrContains(answer_.target, "heads") ||
                               absl::StrContains(answer_.target, ",");
    return can_lose_rows && rows == RowsAfterStamp() ? "" : "other rows";
  }

  // What the rows must be after a stamp by the plain meaning of it: the revisions that the symbol
  // names (if one contains another, the upper one), and the rows that have nothing to do with any
  // of them.
  VersionRows RowsAfterStamp() const {
    std::vector<RevisionIndex> targets;
    for (const absl::string_view symbol : absl::StrSplit(answer_.target, ',')) {
      const auto named = ResolveSymbols(graph_, answer_.rows, symbol).value();
      targets.insert(targets.end(), named.begin(), named.end());
    }
    for (const RevisionIndex covered : Covered(graph_, targets)) {
      targets.erase(std::find(targets.begin(), targets.end(), covered));
    }
    const RevisionSet below = Ancestors(graph_, targets, Follow::kDependenciesToo);
    const RevisionSet above = Descendants(graph_, targets, Follow::kDependenciesToo);
    VersionRows rows;
    for (const std::string& row : answer_.rows) {
      const RevisionIndex index = *graph_.Find(row);
      if (!below.contains(index) && !above.contains(index)) rows.insert(row);
    }
    for (const RevisionIndex target : targets) rows.insert(graph_.revision(target).id);
    return rows;
  }

  const RevisionGraph& graph_;
  const Answer& answer_;
  const absl::StatusOr<Plan>& plan_;
};

// What the planner makes of a question, and how that differs from the answer.
struct Outcome {
  std::string text;
  std::string difference;
};

Outcome Compare(const RevisionGraph& graph, const Answer& answer) {
  if (answer.action == "history") {
    const auto history = SelectHistory(graph, answer.rows, answer.target);
    return {history.ok() ? absl::StrJoin(testing::IdsOf(graph, *history), ",")
                         : history.status().ToString(),
            HistoryComparison(graph, answer, history).Difference()};
  }
  const absl::StatusOr<Plan> plan = PlanOf(graph, answer);
  return {Describe(plan), Comparison(graph, answer, plan).Difference()};
}

TEST(AlembicDifference, PlansAndHistoriesAreAlembics) {
  constexpr int kEnough = 10;
  const std::string seed = Environment("ALEMBIC_ORACLE_SEED", "20250116");
  const std::string graphs = Environment("ALEMBIC_ORACLE_GRAPHS", "300");
  std::printf("ALEMBIC_ORACLE_SEED=%s ALEMBIC_ORACLE_GRAPHS=%s\n", seed.c_str(), graphs.c_str());

  int compared = 0;
  int different = 0;
  for (const Case& one : AskAlembic(seed, graphs)) {
    const RevisionGraph graph = GraphOf(one.files);
    for (const Answer& answer : one.answers) {
      const Outcome outcome = Compare(graph, answer);
      ++compared;
      if (outcome.difference.empty()) continue;
      ++different;
      ADD_FAILURE() << outcome.difference << ": " << answer.action << " " << answer.target
                    << " from " << Describe(answer.rows) << "\ngraph:" << Describe(one.files)
                    << "\nalembic:" << Describe(answer) << "\nplanner: " << outcome.text;
      ASSERT_LT(different, kEnough) << "and perhaps more";
    }
  }
  EXPECT_GT(compared, 0) << "the oracle asked nothing";
  std::printf("%d answers compared\n", compared);
}

}  // namespace
}  // namespace migd
