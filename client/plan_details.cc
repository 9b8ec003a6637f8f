#include "client/plan_details.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/safety_text.h"
#include "client/text.h"

namespace migctl {
namespace {

using migration::v1::LockMode;
using migration::v1::Loss;
using migration::v1::PlannedStatement;
using migration::v1::RelationWork;
using migration::v1::Step;

constexpr char kIndent[] = "        ";

// 4000000 as "4,000,000".
std::string Grouped(int64_t number) {
  std::string digits = absl::StrCat(number);
  for (auto at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3) digits.insert(at, 1, ',');
  return digits;
}

std::string RowsText(int64_t rows, absl::string_view noun) {
  return absl::StrCat("~", Grouped(rows), " ", noun, rows == 1 ? "" : "s");
}

std::string WithSize(const std::string& relation, const RelationSizes& sizes) {
  const auto size = sizes.find(relation);
  const std::string name = Escape(relation);
  return size == sizes.end() || size->second.empty() ? name
                                                     : absl::StrCat(name, " (", size->second, ")");
}

// What a lock keeps others from; empty for one that is in no reader's or writer's way.
std::string Consequence(LockMode mode) {
  if (mode >= migration::v1::LOCK_MODE_ACCESS_EXCLUSIVE) return "blocks reads and writes of ";
  if (mode >= migration::v1::LOCK_MODE_SHARE) return "blocks writes of ";
  return "";
}

bool IsQuiet(const PlannedStatement& statement) {
  if (statement.is_unknown() || statement.losses_size() > 0 || statement.works_size() > 0) {
    return false;
  }
  return std::none_of(statement.locks().begin(), statement.locks().end(), [](const auto& lock) {
    return !lock.is_new() && !Consequence(lock.mode()).empty();
  });
}

std::string WorkText(const RelationWork& work) {
  const std::string size = SizeAndRowsText(work.size_bytes(), work.estimated_rows());
  const std::string relation =
      absl::StrCat(Escape(work.relation()), size.empty() ? "" : absl::StrCat(" (", size, ")"));
  const std::string reason = work.reason().empty() ? "" : absl::StrCat(": ", Escape(work.reason()));
  switch (work.kind()) {
    case migration::v1::RELATION_WORK_KIND_REWRITE:
      return absl::StrCat("REWRITES ", relation, reason);
    case migration::v1::RELATION_WORK_KIND_INDEX_BUILD:
      return absl::StrCat("builds an index on ", relation, reason);
    default:
      return absl::StrCat("reads all of ", relation, reason);
  }
}

// "blocks writes of a (1 MB), b and 3 more", for all relations whose locks have that consequence.
std::vector<std::string> LockLines(const PlannedStatement& statement, const RelationSizes& sizes) {
  constexpr size_t kMostNamed = 4;
  std::vector<std::pair<std::string, std::vector<std::string>>> groups;
  for (const auto& lock : statement.locks()) {
    const std::string consequence = Consequence(lock.mode());
    if (lock.is_new() || consequence.empty()) continue;
    if (groups.empty() || groups.back().first != consequence) groups.push_back({consequence, {}});
    groups.back().second.push_back(WithSize(lock.relation(), sizes));
  }
  std::vector<std::string> lines;
  for (auto& [consequence, names] : groups) {
    const size_t count = names.size();
    names.resize(std::min(count, kMostNamed));
    lines.push_back(
        absl::StrCat(consequence, absl::StrJoin(names, ", "),
                     count > kMostNamed ? absl::StrCat(" and ", count - kMostNamed, " more") : ""));
  }
  return lines;
}

std::string StatementLine(const PlannedStatement& statement, const TextSettings& settings) {
  constexpr int kPlaceWidth = 6;
  const std::string line =
      absl::StrCat(PadLeft(absl::StrCat(statement.line()), kPlaceWidth), "  ",
                   Escape(statement.summary().empty() ? statement.command() : statement.summary()));
  return settings.width > 0 ? Truncate(line, settings.width) : line;
}

// Kinds of which the rows and bytes are told; of the others there are none.
bool HasAmount(const Loss& loss) {
  static const std::set<std::string>& kinds = *new std::set<std::string>{"table",
                                                                         "column",
                                                                         "attribute",
                                                                         "rows",
                                                                         "values",
                                                                         "precision",
                                                                         "database",
                                                                         "materialized view",
                                                                         "everything owned by"};
  return kinds.count(loss.object_kind()) > 0;
}

std::string ThingText(const Loss& loss) {
  if (loss.object_kind() == "rows") return "all rows of";
  if (loss.object_kind() == "values") return "all values of";
  if (loss.object_kind() == "precision") return "the values of";
  return Escape(loss.object_kind());
}

// What a statement does to what it loses: the table stays of which rows go, the row of which values
// go.
std::string VerbFor(const Loss& loss) {
  if (loss.object_kind() == "rows") return "DELETES ";
  if (loss.object_kind() == "values") return "OVERWRITES ";
  if (loss.object_kind() == "precision") return "ROUNDS ";
  return "DESTROYS ";
}

std::string NotableText(const PlannedStatement& statement, const Step& step,
                        const RelationSizes& sizes, const TextSettings& settings) {
  std::string text = absl::StrCat(StatementLine(statement, settings), "\n");
  const auto add = [&](const std::string& line) { absl::StrAppend(&text, kIndent, line, "\n"); };
  for (const Loss& loss : statement.losses()) {
    add(settings.style.Error(absl::StrCat(VerbFor(loss), LossText(loss))));
  }
  for (const RelationWork& work : statement.works()) {
    const bool rewrites = work.kind() == migration::v1::RELATION_WORK_KIND_REWRITE;
    add(rewrites ? settings.style.Warning(WorkText(work)) : WorkText(work));
  }
  for (const std::string& line : LockLines(statement, sizes)) add(line);
  if (statement.is_unknown()) {
    add(settings.style.Warning("what it does shows only when it runs: see --rehearse"));
  }
  if (step.transactional() &&
      statement.transaction_need() == migration::v1::TRANSACTION_NEED_OUTSIDE) {
    add(settings.style.Error("cannot run in a transaction, as this section does"));
  }
  return text;
}

// What is not to be overlooked among statements that are not listed: which rows a condition picks
// nobody knows.
std::string RowsNote(const std::vector<const PlannedStatement*>& statements) {
  const auto count =
      std::count_if(statements.begin(), statements.end(), [](const PlannedStatement* statement) {
        return statement->command() == "DELETE" || statement->command() == "UPDATE" ||
               statement->command() == "MERGE";
      });
  if (count == 0) return "";
  return absl::StrCat("; ", count, " of them ",
                      count == 1 ? "changes or deletes rows" : "change or delete rows");
}

// Statements one after the other that stand in nobody's way.
std::string QuietText(const std::vector<const PlannedStatement*>& statements,
                      const TextSettings& settings) {
  constexpr size_t kMostListed = 2;
  std::string text;
  if (statements.size() <= kMostListed) {
    for (const PlannedStatement* statement : statements) {
      absl::StrAppend(&text, settings.style.Dim(StatementLine(*statement, settings)), "\n");
    }
    return text;
  }
  const std::string line =
      absl::StrCat(PadLeft(absl::StrCat(statements.front()->line()), 6), "  ",
                   Count(static_cast<int>(statements.size()), "statement"), " to line ",
                   statements.back()->line(), " that stand in nobody's way", RowsNote(statements));
  return absl::StrCat(settings.style.Dim(line), "\n");
}

}  // namespace

std::string SizeAndRowsText(int64_t bytes, int64_t rows) {
  std::vector<std::string> parts;
  if (bytes >= 0) parts.push_back(SizeText(bytes));
  if (rows >= 0) parts.push_back(RowsText(rows, "row"));
  // A table that nobody has analyzed yet is not one without rows.
  if (bytes >= 0 && rows < 0) parts.push_back("rows unknown");
  return absl::StrJoin(parts, ", ");
}

RelationSizes SizesIn(const migration::v1::PlanResponse& response) {
  RelationSizes sizes;
  for (const Step& step : response.steps()) {
    for (const PlannedStatement& statement : step.statements()) {
      for (const RelationWork& work : statement.works()) {
        sizes[work.relation()] = SizeAndRowsText(work.size_bytes(), work.estimated_rows());
      }
      for (const migration::v1::RelationLock& lock : statement.locks()) {
        if (lock.size_bytes() < 0) continue;
        sizes.emplace(lock.relation(), SizeAndRowsText(lock.size_bytes(), lock.estimated_rows()));
      }
    }
  }
  for (const Loss& loss : response.losses()) {
    if (loss.object_kind() == "table" || loss.object_kind() == "rows") {
      sizes.emplace(loss.object_name(), SizeAndRowsText(loss.size_bytes(), loss.estimated_rows()));
    }
  }
  return sizes;
}

std::string StepDetails(const Step& step, const RelationSizes& sizes,
                        const TextSettings& settings) {
  std::string text;
  std::vector<const PlannedStatement*> quiet;
  for (const PlannedStatement& statement : step.statements()) {
    const bool fits = !step.transactional() ||
                      statement.transaction_need() != migration::v1::TRANSACTION_NEED_OUTSIDE;
    if (IsQuiet(statement) && fits) {
      quiet.push_back(&statement);
      continue;
    }
    absl::StrAppend(&text, QuietText(quiet, settings),
                    NotableText(statement, step, sizes, settings));
    quiet.clear();
  }
  absl::StrAppend(&text, QuietText(quiet, settings));
  if (step.omitted_statement_count() > 0) {
    absl::StrAppend(&text, kIndent, "and ", Count(step.omitted_statement_count(), "statement"),
                    " more\n");
  }
  return text;
}

std::string LossText(const Loss& loss) {
  std::string text = absl::StrCat(ThingText(loss), " ", Escape(loss.object_name()));
  const bool of_values = loss.object_kind() == "column" || loss.object_kind() == "values" ||
                         loss.object_kind() == "precision";
  std::vector<std::string> sizes;
  if (!HasAmount(loss)) {
    // What is in a schema is told by itself.
  } else if (loss.estimated_rows() == 0) {
    sizes.push_back("empty");
  } else {
    if (loss.estimated_rows() > 0) {
      sizes.push_back(RowsText(loss.estimated_rows(), of_values ? "value" : "row"));
    }
    const bool knows_bytes = loss.size_bytes() >= 0;
    if (loss.estimated_rows() < 0 && knows_bytes) {
      sizes.push_back(of_values ? "values unknown" : "rows unknown");
    }
    if (knows_bytes) sizes.push_back(SizeText(loss.size_bytes()));
    if (sizes.empty()) sizes.push_back("of unknown size");
  }
  if (!sizes.empty()) absl::StrAppend(&text, ", ", absl::StrJoin(sizes, ", "));
  if (!loss.because_of().empty()) absl::StrAppend(&text, ", with ", Escape(loss.because_of()));
  return text;
}

std::string LossesText(const LossList& losses, int omitted, const TextSettings& settings) {
  std::string text;
  for (const Loss& loss : losses) {
    absl::StrAppend(&text, "  ", settings.style.Error(LossText(loss)),
                    loss.revision().empty()
                        ? ""
                        : absl::StrCat(" (", Escape(loss.revision()), ", statement ",
                                       loss.statement_index(), ")"),
                    "\n");
  }
  if (omitted > 0) absl::StrAppend(&text, "  and ", omitted, " more\n");
  return text;
}

std::string UnknownText(const UnknownList& statements, int omitted, const TextSettings& settings) {
  std::string text;
  for (const migration::v1::UnknownStatement& statement : statements) {
    absl::StrAppend(&text, "  ", settings.style.Warning(Escape(statement.summary())), " (",
                    Escape(statement.revision()), ", line ", statement.line(), ")\n");
  }
  if (omitted > 0) absl::StrAppend(&text, "  and ", omitted, " more\n");
  return text;
}

}  // namespace migctl
