// What is said about the events of an operation: for a terminal that can redraw a line, and for
// logs. Neither writes anything; both are deterministic in the events and the times they are given,
// escape what comes from the server, and are not thread-safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "client/operation_report.h"
#include "client/terminal.h"
#include "migration/v1/operation.pb.h"

namespace migctl {

// Lines with right-aligned verbs, as cargo prints them, above a live line about what runs now:
//
//        Applied  55de create order_items  1.2s
//       Applying  7c20 order_items: add discount  [2/2]  12s  scanning heap, 45 % of 120,000 blocks
class LiveProgress {
 public:
  explicit LiveProgress(Style style) : style_(style) {}

  // The lines that stay, without newlines.
  std::vector<std::string> Consume(const migration::v1::OperationEvent& event);

  // The line about what runs at `now`, which is a time by the server's clock; empty if nothing
  // does.
  std::string LiveLine(absl::Time now) const;

 private:
  struct RunningStep {
    migration::v1::StepStarted started;
    // Which statement runs, from 1.
    int statement = 1;
    // How far it is, as far as that was told, and when.
    std::optional<migration::v1::StatementProgress> progress;
    absl::Time progress_time = absl::InfinitePast();
  };

  // Another statement runs from now on.
  void Proceed(int statement);
  std::string Line(const std::string& verb, const std::string& text) const;
  // Skips and notices beyond a few per step are only counted, so that no migration floods the
  // screen.
  std::vector<std::string> Remark(const std::string& verb, const std::string& text);
  std::vector<std::string> Finish(const migration::v1::StepFinished& step);
  std::vector<std::string> End(const migration::v1::OperationEvent& event);
  std::vector<std::string> TakeUp(const migration::v1::Operation& operation);

  const Style style_;
  // The operation was named.
  bool introduced_ = false;
  std::optional<RunningStep> step_;
  std::optional<migration::v1::WaitingForMutex> waiting_;
  // How far the backup is, while one is made.
  std::optional<migration::v1::BackupProgress> backup_;
  // When what runs now began.
  absl::Time since_ = absl::UnixEpoch();
  int remarks_of_step_ = 0;
  int step_count_ = 0;
};

// One line per event worth one, with the time of the event:
//
//     2026-08-22T10:04:11Z applying 7c20 statement=1/2
//     2026-08-22T10:04:31Z applied  7c20 duration=20.1s
class LogProgress {
 public:
  // Lines without newlines.
  std::vector<std::string> Consume(const migration::v1::OperationEvent& event);

 private:
  // A line about an operation that is under way already, if none of its events was seen.
  std::vector<std::string> TakeUp(const migration::v1::OperationEvent& event);
  // A line about a further statement of a step, if the last line about it is old enough.
  std::vector<std::string> Advance(const migration::v1::OperationEvent& event);

  // A line about how far a statement is, if its phase is another or the last line is old enough.
  std::vector<std::string> Tell(const migration::v1::OperationEvent& event);

  // The same for a backup.
  std::vector<std::string> TellBackup(const migration::v1::OperationEvent& event);

  migration::v1::BackupProgress::Phase backup_phase_ =
      migration::v1::BackupProgress::PHASE_UNSPECIFIED;
  // What the last line about progress was about, and when.
  migration::v1::StatementProgress told_;
  absl::Time last_progress_line_ = absl::InfinitePast();
  // The operation was named.
  bool introduced_ = false;
  // When the last "applying" line was written.
  absl::Time last_statement_line_ = absl::InfinitePast();
  migration::v1::Direction direction_ = migration::v1::DIRECTION_UPGRADE;
};

// One line per event of any operation, as LogProgress has it, with the id of the operation after
// the time, and a line about each end:
//
//     2026-08-22T10:04:11Z 7k2m applying 7c20 statement=1/2
//
// Forgets what it need not know any more.
class FeedProgress {
 public:
  // The lines, without newlines, about a message; none about an event that it had before.
  std::vector<std::string> Consume(const migration::v1::OperationEvent& event);

 private:
  // What is known of an operation.
  struct Known {
    OperationOutcome outcome;
    LogProgress progress;
  };

  absl::flat_hash_map<std::string, Known> known_;  // by id
};

}  // namespace migctl
