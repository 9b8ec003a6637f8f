#include "client/plan_report.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/plan_details.h"
#include "client/text.h"

namespace migctl {
namespace {

using migration::v1::Direction;
using migration::v1::PlanResponse;
using migration::v1::Step;

// The columns of one step.
struct StepLine {
  std::string number;
  std::string direction;
  std::string id;
  std::string message;
  std::string statements;
  std::string result;
};

std::string Statements(const Step& step) {
  if (step.direction() == migration::v1::DIRECTION_STAMP) return "no statements";
  return absl::StrCat(Count(step.statement_count(), "statement"), ", ",
                      step.transactional() ? "transaction" : "no transaction");
}

// The rows after a step; of a plan with too many, what changes.
std::string Result(const Step& step, bool rows_omitted) {
  if (!rows_omitted) return absl::StrCat("-> ", NameList(step.resulting_revisions(), "base"));
  std::string changes;
  for (const std::string& row : step.deleted_revisions()) {
    absl::StrAppend(&changes, changes.empty() ? "-" : " -", Escape(row));
  }
  for (const std::string& row : step.inserted_revisions()) {
    absl::StrAppend(&changes, changes.empty() ? "+" : " +", Escape(row));
  }
  return changes;
}

std::vector<StepLine> StepLines(const PlanResponse& response) {
  std::vector<StepLine> lines;
  for (const Step& step : response.steps()) {
    lines.push_back({absl::StrCat(lines.size() + 1), DirectionName(step.direction()),
                     step.revision().empty() ? "base" : Escape(step.revision()),
                     Escape(step.message()), Statements(step),
                     Result(step, response.rows_omitted())});
  }
  return lines;
}

int Widest(const std::vector<StepLine>& lines, std::string StepLine::*column) {
  int widest = 0;
  for (const StepLine& line : lines) widest = std::max(widest, DisplayWidth(line.*column));
  return widest;
}

int MessageWidth(const std::vector<StepLine>& lines, int terminal_width) {
  constexpr int kShortestMessage = 12;
  const int widest = Widest(lines, &StepLine::message);
  if (terminal_width == 0) return widest;
  constexpr int kGaps = 2 * 5;
  const int others = Widest(lines, &StepLine::number) + Widest(lines, &StepLine::direction) +
                     Widest(lines, &StepLine::id) + Widest(lines, &StepLine::statements) +
                     Widest(lines, &StepLine::result) + kGaps;
  return std::min(widest, std::max(terminal_width - others, kShortestMessage));
}

// Lines of details stand behind the line of their step.
std::string LayOut(const std::vector<StepLine>& lines, const std::vector<std::string>& details,
                   const TextSettings& settings) {
  const int number = Widest(lines, &StepLine::number);
  const int direction = Widest(lines, &StepLine::direction);
  const int id = Widest(lines, &StepLine::id);
  const int message = MessageWidth(lines, settings.width);
  const int statements = Widest(lines, &StepLine::statements);
  std::string text;
  size_t next = 0;
  for (const StepLine& line : lines) {
    absl::StrAppend(&text, PadLeft(line.number, number), "  ", PadRight(line.direction, direction),
                    "  ", settings.style.Accent(PadRight(line.id, id)), "  ",
                    PadRight(Truncate(line.message, message), message), "  ",
                    PadRight(line.statements, statements), "  ", line.result, "\n",
                    details[next++]);
  }
  return text;
}

std::vector<std::string> Details(const PlanResponse& response, const TextSettings& settings) {
  const RelationSizes sizes = SizesIn(response);
  std::vector<std::string> details;
  for (const Step& step : response.steps()) details.push_back(StepDetails(step, sizes, settings));
  return details;
}

std::string LintSummary(const PlanResponse& response) {
  int errors = 0;
  int warnings = 0;
  for (const migration::v1::Finding& finding : response.findings()) {
    if (finding.is_waived()) continue;
    errors += finding.severity() == migration::v1::SEVERITY_ERROR ? 1 : 0;
    warnings += finding.severity() == migration::v1::SEVERITY_WARNING ? 1 : 0;
  }
  if (errors + warnings == 0) return "";
  return absl::StrCat("lint: ", Count(errors, "error"), ", ", Count(warnings, "warning"),
                      "; see them with: migctl lint\n");
}

// What somebody must know before they run it.
std::string Warnings(const PlanResponse& response, const TextSettings& settings) {
  std::string text;
  if (!response.losses().empty()) {
    absl::StrAppend(&text, "\n", settings.style.Error("this destroys data:"), "\n",
                    LossesText(response.losses(), 0, settings));
  }
  absl::StrAppend(&text, LintSummary(response));
  if (response.has_database_error()) {
    absl::StrAppend(&text, settings.style.Warning("sizes and what exists are not known: "),
                    Escape(response.database_error().message()), "\n");
  }
  if (response.has_refusal()) {
    absl::StrAppend(&text, settings.style.Error("it would be refused: "),
                    Escape(response.refusal().message()), " [", Escape(response.refusal().reason()),
                    "]\n");
  }
  return text;
}

std::string RunLine(const PlanResponse& response, const std::string& command) {
  constexpr size_t kShown = 12;
  if (command.empty() || response.has_refusal()) return "";
  const std::string confirmation =
      response.confirmation().empty()
          ? ""
          : absl::StrCat(" --confirmation ", Escape(response.confirmation()));
  return absl::StrCat("to run it, and nothing else: ", command, " --plan ",
                      Escape(response.plan_hash()).substr(0, kShown), confirmation, "\n");
}

}  // namespace

std::string PlanText(const PlanResponse& response, const TextSettings& settings,
                     const std::string& command) {
  const std::string database =
      response.database().empty() ? "the database" : Escape(response.database());
  const std::string start = NameList(response.starting_revisions(), "base");
  if (response.steps().empty()) {
    return absl::StrCat("nothing to do: ", database, " is at ", start, " already\n");
  }
  return absl::StrCat(database, ": ", Count(response.steps_size(), "step"), " from ", start, " to ",
                      NameList(response.resulting_revisions(), "base"), "\n\n",
                      LayOut(StepLines(response), Details(response, settings), settings),
                      Warnings(response, settings), "\nplan hash: ", Escape(response.plan_hash()),
                      "\n", RunLine(response, command));
}

std::string DirectionName(Direction direction) {
  switch (direction) {
    case migration::v1::DIRECTION_UPGRADE:
      return "upgrade";
    case migration::v1::DIRECTION_DOWNGRADE:
      return "downgrade";
    case migration::v1::DIRECTION_STAMP:
      return "stamp";
    default:
      return "unknown";
  }
}

}  // namespace migctl
