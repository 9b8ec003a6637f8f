#include "client/operation_report.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/error_report.h"
#include "client/lock_text.h"
#include "client/safety_text.h"
#include "client/text.h"
#include "client/time_text.h"

namespace migctl {
namespace {

using migration::v1::Action;
using migration::v1::ListOperationsResponse;
using migration::v1::Operation;
using migration::v1::OperationFinished;

std::string PastTense(Action action) {
  switch (action) {
    case migration::v1::ACTION_UPGRADE:
      return "Upgraded";
    case migration::v1::ACTION_DOWNGRADE:
      return "Downgraded";
    case migration::v1::ACTION_STAMP:
      return "Stamped";
    default:
      return "Changed";
  }
}

// Whether an upgrade of an empty database to its heads has found none: there are no files then. A
// gate that lets this pass as "up to date" would be open to every mistyped directory.
bool IsUpgradeToNothing(const OperationOutcome& outcome) {
  if (!outcome.accepted.has_value() || !outcome.finished.has_value()) return false;
  const auto& targets = outcome.accepted->targets();
  return outcome.accepted->action() == migration::v1::ACTION_UPGRADE &&
         outcome.finished->resulting_revisions().empty() && targets.size() == 1 &&
         (targets[0] == "head" || targets[0] == "heads");
}

std::string WhatItDoes(const Operation& operation) {
  return absl::StrCat(ActionName(operation.action()), " ", NameList(operation.targets()));
}

using Columns = std::array<std::string, 7>;

Columns ListColumns(const Operation& operation, absl::Time now) {
  return {Escape(operation.operation()),
          Escape(operation.database()),
          WhatItDoes(operation),
          StateName(operation.state()),
          absl::StrCat(operation.finished_step_count(), "/", operation.step_count()),
          RelativeTime(ToTime(operation.create_time()), now),
          Escape(operation.error().reason())};
}

constexpr int kNameWidth = 11;

std::string Field(absl::string_view name, absl::string_view value) {
  if (value.empty()) return "";
  return absl::StrCat(PadRight(absl::StrCat(name, ":"), kNameWidth), " ", value, "\n");
}

// What the operation waits for; empty if for nothing.
std::string WaitText(const Operation& operation) {
  if (operation.has_waiting_for_mutex()) {
    return absl::StrCat("for ", HolderText(operation.waiting_for_mutex()));
  }
  const migration::v1::LockWait& wait = operation.position().lock_wait();
  if (wait.blockers().empty()) return "";
  std::string text = LockWaitText(wait);
  // Further ones beneath the first, in the column of the values.
  for (int i = 1; i < wait.blockers_size(); ++i) {
    absl::StrAppend(&text, "\n", std::string(kNameWidth + 1, ' '), "and ",
                    BlockerText(wait.blockers(i)));
  }
  return text;
}

std::string TimeText(bool set, const google::protobuf::Timestamp& time) {
  return set ? LogTime(ToTime(time)) : "";
}

}  // namespace

std::string OutcomeText(const OperationOutcome& outcome) {
  const OperationFinished finished = outcome.finished.value_or(OperationFinished());
  const std::string rows = NameList(finished.resulting_revisions(), "base");
  const std::string database = outcome.accepted.has_value() && !outcome.accepted->database().empty()
                                   ? Escape(outcome.accepted->database())
                                   : "the database";
  if (finished.finished_step_count() == 0 && IsUpgradeToNothing(outcome)) {
    return absl::StrCat("nothing was done: migd has no migration files for ", database, "\n");
  }
  if (finished.finished_step_count() == 0) {
    return absl::StrCat(database, " is at ", rows, " already: nothing to do\n");
  }
  const Action action =
      outcome.accepted.has_value() ? outcome.accepted->action() : migration::v1::ACTION_UNSPECIFIED;
  // A stamp runs no revision: how many rows it took is of no interest.
  const std::string count =
      action == migration::v1::ACTION_STAMP
          ? ""
          : absl::StrCat(": ", Count(finished.finished_step_count(), "revision"));
  return absl::StrCat(PastTense(action), " ", database, " to ", rows, count, " in ",
                      ShortDuration(ToDuration(finished.duration())), "\n");
}

std::string PositionText(const Operation& operation) {
  if (!operation.has_position()) return "";
  const migration::v1::Position& position = operation.position();
  std::string text = absl::StrCat("step ", position.step_index(), " of ", operation.step_count());
  if (!position.revision().empty()) absl::StrAppend(&text, ", ", Escape(position.revision()));
  if (position.statement_count() > 0) {
    const int statement =
        std::min(position.finished_statement_count() + 1, position.statement_count());
    absl::StrAppend(&text, ", statement ", statement, " of ", position.statement_count());
  }
  return text;
}

std::string OperationSummary(const Operation& operation) {
  const std::string position = PositionText(operation);
  return absl::StrCat(WhatItDoes(operation), ", ", StateName(operation.state()),
                      position.empty() ? "" : ", ", position);
}

std::string OperationListText(const ListOperationsResponse& response,
                              const TextSettings& settings) {
  std::vector<Columns> lines;
  if (settings.terminal) {
    lines.push_back({"OPERATION", "DATABASE", "ACTION", "STATE", "STEPS", "CREATED", "REASON"});
  }
  for (const Operation& operation : response.operations()) {
    lines.push_back(ListColumns(operation, settings.now));
  }
  std::array<int, std::tuple_size_v<Columns>> widths = {};
  for (const Columns& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(line[i]));
  }
  std::string text;
  for (const Columns& columns : lines) {
    std::string line;
    for (size_t i = 0; i < columns.size(); ++i) {
      absl::StrAppend(&line, i > 0 ? "  " : "", PadRight(columns[i], widths[i]));
    }
    absl::StripTrailingAsciiWhitespace(&line);
    absl::StrAppend(&text, line, "\n");
  }
  return text;
}

std::string OperationText(const Operation& operation, const TextSettings& settings) {
  std::string text = absl::StrCat(
      Field("operation", settings.style.Accent(Escape(operation.operation()))),
      Field("database", Escape(operation.database())), Field("action", WhatItDoes(operation)),
      Field("state", StateName(operation.state())),
      Field("steps", absl::StrCat(operation.finished_step_count(), " of ", operation.step_count(),
                                  " finished")),
      Field("position", PositionText(operation)), Field("waits", WaitText(operation)),
      Field("attempt", operation.attempt() > 0 ? absl::StrCat(operation.attempt()) : ""),
      Field("server", Escape(operation.server())),
      Field("created", TimeText(operation.has_create_time(), operation.create_time())),
      Field("started", TimeText(operation.has_start_time(), operation.start_time())),
      Field("finished", TimeText(operation.has_finish_time(), operation.finish_time())),
      Field("revisions", NameList(operation.resulting_revisions())),
      Field("request id", Escape(operation.request_id())));
  if (operation.has_backup()) {
    absl::StrAppend(&text, Field("backup", BackupText(operation.backup())),
                    Field("restore", Escape(operation.backup().restore_command())));
  }
  if (operation.has_error()) {
    absl::StrAppend(&text, "\n", ErrorReport(operation.error(), settings.style, settings.width));
  }
  return text;
}

std::string CancelText(const Operation& operation) {
  const std::string id = Escape(operation.operation());
  if (IsFinal(operation.state())) {
    return absl::StrCat("operation ", id, " is over already: ", StateName(operation.state()), "\n");
  }
  return absl::StrCat("asked operation ", id, " to stop; it was ", StateName(operation.state()),
                      "\n");
}

std::string ActionName(Action action) {
  switch (action) {
    case migration::v1::ACTION_UPGRADE:
      return "upgrade";
    case migration::v1::ACTION_DOWNGRADE:
      return "downgrade";
    case migration::v1::ACTION_STAMP:
      return "stamp";
    default:
      return "unknown";
  }
}

}  // namespace migctl
