// The journal of the one step that runs: what earlier runs of it have left, and what this one adds.
#pragma once

#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/types/optional.h"
#include "service/database/database.h"
#include "service/script/migration_file.h"

namespace migd {

// Used by the thread that uses the session, which must outlive it.
class StepJournal {
 public:
  // `found` is what the journal has of `section`; `operation` runs the step.
  StepJournal(Session& session, JournalKey section, SectionJournal found, std::string operation)
      : session_(session),
        section_(std::move(section)),
        found_(std::move(found)),
        operation_(std::move(operation)) {}

  // What an earlier run has left; null if it has left nothing of this statement.
  const JournalEntry* Find(int index) const;
  const SectionJournal& found() const { return found_; }

  // The statement is about to be sent, outside a transaction.
  absl::Status Start(int index, const Statement& statement);
  // The statement is done: committed already, or it is by the transaction that is open.
  absl::Status Finish(int index, const Statement& statement);
  // The server refused the statement, and nothing of it is left in a transaction.
  absl::Status Fail(int index);

  // A statement of a transaction of the section's own; it counts with the end of that.
  void Collect(int index, const Statement& statement);
  // Writes those that were collected, as done.
  absl::Status FinishCollected();

  // Somebody has decided about the statement, which is in question.
  absl::Status Decide(int index, const Statement& statement, JournalDecision decision);
  // The same for a statement that the file does not have any more: forgets it.
  absl::Status DecideRemoved(int index, JournalDecision decision);

  // Removes everything, in the transaction that writes the version rows.
  absl::Status Close();

 private:
  JournalEntry EntryOf(const Statement& statement, JournalEntry::State state) const;

  Session& session_;
  const JournalKey section_;
  SectionJournal found_;
  const std::string operation_;
  SectionJournal collected_;
  // Whose entries are in the journal.
  std::set<int> recorded_;
};

// Where the file is not what an earlier run has run.
struct JournalDifference {
  int statement;
  // In words.
  std::string problem;
};

// The first difference at or behind statement `from`. Pure.
absl::optional<JournalDifference> FindDifference(const Section& section,
                                                 const SectionJournal& journal, int from);

// Whether `statement` of the section waits for a decision, or may: its outcome is not known, or the
// file is different there. Pure.
bool IsInQuestion(const Section& section, const SectionJournal& journal, int statement);

// The first statement, from 1, that is neither done nor one that only sets its session up. Pure.
int NextStatement(const Section& section, const SectionJournal& journal);

}  // namespace migd
