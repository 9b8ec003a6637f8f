#include "client/rehearsal_report.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "client/error_report.h"
#include "client/plan_details.h"
#include "client/safety_text.h"
#include "client/text.h"
#include "client/time_text.h"

namespace migctl {
namespace {

using migration::v1::Irreversibility;
using migration::v1::RehearsalFinished;
using migration::v1::RehearseResponse;
using migration::v1::RelationLock;
using migration::v1::RelationWork;

// PostgreSQL's own: "ACCESS EXCLUSIVE".
std::string ModeName(migration::v1::LockMode mode) {
  const std::string name = migration::v1::LockMode_Name(mode);
  return absl::StrReplaceAll(absl::StripPrefix(name, "LOCK_MODE_"), {{"_", " "}});
}

// "ACCESS EXCLUSIVE on a, b; SHARE on c".
std::string LocksText(const migration::v1::RehearsedStatement& statement) {
  std::string text;
  migration::v1::LockMode last = migration::v1::LOCK_MODE_UNSPECIFIED;
  for (const RelationLock& lock : statement.locks()) {
    if (lock.mode() == last) {
      absl::StrAppend(&text, ", ");
    } else {
      absl::StrAppend(&text, text.empty() ? "" : "; ", ModeName(lock.mode()), " on ");
    }
    absl::StrAppend(&text, Escape(lock.relation()), lock.is_new() ? " (new)" : "");
    last = lock.mode();
  }
  return text;
}

std::string WorkText(const RelationWork& work) {
  std::string text = absl::StrCat(
      work.kind() == migration::v1::RELATION_WORK_KIND_INDEX_BUILD ? "builds " : "rewrites ",
      Escape(work.relation()));
  const std::string size = SizeAndRowsText(work.size_bytes(), work.estimated_rows());
  return size.empty() ? text : absl::StrCat(text, " (", size, ")");
}

// Whether the section of the statement is one transaction, in which locks are kept, so that each is
// seen.
bool IsTransactional(const migration::v1::RehearsedStatement& statement,
                     const migration::v1::Plan& plan) {
  for (const migration::v1::Step& step : plan.steps()) {
    if (step.revision() == statement.revision() && step.direction() == statement.direction()) {
      return step.transactional();
    }
  }
  return false;
}

std::string StatementText(const migration::v1::RehearsedStatement& statement,
                          const migration::v1::Plan& plan, const Style& style) {
  std::string text =
      absl::StrCat("  ", statement.statement_index(), "/", statement.statement_count(), " line ",
                   statement.line(), ": ", Escape(statement.summary()), "  ",
                   style.Dim(ShortDuration(ToDuration(statement.duration()))));
  std::string effects = LocksText(statement);
  for (const RelationWork& work : statement.rewrites()) {
    absl::StrAppend(&effects, effects.empty() ? "" : "; ", style.Warning(WorkText(work)));
  }
  if (effects.empty()) {
    effects = IsTransactional(statement, plan) ? "no further lock" : "no lock seen while it ran";
  }
  return absl::StrCat(text, "  ", effects, "\n");
}

std::string StepText(const migration::v1::RehearsedStep& step, const Style& style) {
  const std::string revision = style.Accent(Escape(step.revision()));
  switch (step.pass()) {
    case migration::v1::REHEARSAL_PASS_BACK:
      return absl::StrCat("back down ", revision, "\n");
    case migration::v1::REHEARSAL_PASS_AGAIN:
      return absl::StrCat("up again ", revision, "\n");
    default:
      return absl::StrCat(step.direction() == migration::v1::DIRECTION_DOWNGRADE ? "down " : "up ",
                          revision, "  ", style.Dim(Escape(step.path())), "\n");
  }
}

std::string IrreversibilityText(const Irreversibility& found, const Style& style) {
  std::string text = absl::StrCat("\n", style.Error("not reversible:"), " revision ",
                                  Escape(found.revision()), "\n");
  for (const auto& difference : found.differences()) {
    absl::StrAppend(&text, "  ", DifferenceText(difference), "\n");
  }
  if (found.has_error()) absl::StrAppend(&text, "  ", Escape(found.error().message()), "\n");
  return text;
}

std::string FinishedText(const RehearsalFinished& finished, const TextSettings& settings) {
  std::string text;
  if (finished.has_error()) {
    absl::StrAppend(&text, "\n", ErrorReport(finished.error(), settings.style, settings.width));
  }
  for (const Irreversibility& found : finished.irreversibilities()) {
    absl::StrAppend(&text, IrreversibilityText(found, settings.style));
  }
  std::string verdict;
  if (!finished.succeeded()) {
    verdict = settings.style.Error("Failed in the rehearsal");
  } else if (finished.irreversibilities_size() > 0) {
    verdict = settings.style.Error(
        absl::StrCat("Rehearsed: ", Count(finished.irreversibilities_size(), "revision"),
                     finished.irreversibilities_size() == 1 ? " does" : " do", " not go back"));
  } else {
    verdict = settings.style.Good(finished.went_back() ? "Rehearsed: up, down and up again"
                                                       : "Rehearsed");
  }
  absl::StrAppend(&text, "\n", verdict, ", in ", ShortDuration(ToDuration(finished.duration())),
                  " on tables without rows; nothing is left of the copy\n");
  return text;
}

}  // namespace

std::string RehearsalText(const RehearseResponse& response, const migration::v1::Plan& plan,
                          const TextSettings& settings) {
  switch (response.kind_case()) {
    case RehearseResponse::kStarted:
      if (response.started().plan().steps().empty()) {
        return "There is nothing to rehearse: no revision would run\n";
      }
      return absl::StrCat("Rehearsing ", Count(response.started().plan().steps_size(), "revision"),
                          " in ", Escape(response.started().scratch()), "\n");
    case RehearseResponse::kStep:
      return StepText(response.step(), settings.style);
    case RehearseResponse::kStatement:
      if (response.statement().pass() != migration::v1::REHEARSAL_PASS_FIRST) return "";
      return StatementText(response.statement(), plan, settings.style);
    case RehearseResponse::kFinished:
      return FinishedText(response.finished(), settings);
    case RehearseResponse::KIND_NOT_SET:
      break;
  }
  return "";
}

ExitCode VerdictOf(const RehearsalFinished& finished) {
  return finished.succeeded() && finished.irreversibilities().empty() ? ExitCode::kDone
                                                                      : ExitCode::kCheckFailed;
}

}  // namespace migctl
