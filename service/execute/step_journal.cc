#include "service/execute/step_journal.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "service/base/redact.h"
#include "service/base/utf8.h"
#include "service/script/run_mode.h"

namespace migd {
namespace {

// Enough to recognize a statement by.
constexpr size_t kLongestSummary = 200;

std::string SummaryOf(const Statement& statement) {
  std::string summary = MaskPasswords(statement.text);
  absl::RemoveExtraAsciiWhitespace(&summary);
  return Shortened(summary, kLongestSummary);
}

}  // namespace

const JournalEntry* StepJournal::Find(int index) const {
  const auto entry = found_.find(index);
  return entry == found_.end() ? nullptr : &entry->second;
}

JournalEntry StepJournal::EntryOf(const Statement& statement, JournalEntry::State state) const {
  return {state, ComputeFingerprint(statement), SummaryOf(statement), operation_,
          /*may_be_lost=*/ConcurrentBuildOf(statement.text).has_value()};
}

absl::Status StepJournal::Start(int index, const Statement& statement) {
  recorded_.insert(index);
  return session_.RecordStatements(section_,
                                   {{index, EntryOf(statement, JournalEntry::State::kStarted)}});
}

absl::Status StepJournal::Finish(int index, const Statement& statement) {
  recorded_.insert(index);
  return session_.RecordStatements(section_,
                                   {{index, EntryOf(statement, JournalEntry::State::kFinished)}});
}

absl::Status StepJournal::Fail(int index) {
  if (recorded_.count(index) == 0) return absl::OkStatus();
  return session_.EraseRecords(section_, index);
}

void StepJournal::Collect(int index, const Statement& statement) {
  collected_[index] = EntryOf(statement, JournalEntry::State::kFinished);
}

absl::Status StepJournal::FinishCollected() {
  if (collected_.empty()) return absl::OkStatus();
  const SectionJournal entries = std::exchange(collected_, {});
  for (const auto& [index, entry] : entries) recorded_.insert(index);
  return session_.RecordStatements(section_, entries);
}

absl::Status StepJournal::Decide(int index, const Statement& statement, JournalDecision decision) {
  const JournalEntry entry = EntryOf(statement, JournalEntry::State::kSkipped);
  found_.erase(index);
  if (decision == JournalDecision::kSkip) found_[index] = entry;
  recorded_.insert(index);
  return session_.RecordDecision(section_, index, entry, decision);
}

absl::Status StepJournal::DecideRemoved(int index, JournalDecision decision) {
  const absl::Status status = session_.RecordDecision(section_, index, found_.at(index), decision);
  if (!status.ok()) return status;
  found_.erase(index);
  return session_.EraseRecords(section_, index);
}

absl::Status StepJournal::Close() {
  if (recorded_.empty() && found_.empty()) return absl::OkStatus();
  return session_.EraseRecords(section_, absl::nullopt);
}

absl::optional<JournalDifference> FindDifference(const Section& section,
                                                 const SectionJournal& journal, int from) {
  const int last = journal.empty() ? 0 : journal.rbegin()->first;
  const int count = static_cast<int>(section.statements.size());
  for (int index = from; index <= last; ++index) {
    const auto entry = journal.find(index);
    if (index > count) {
      if (entry == journal.end()) continue;
      return JournalDifference{
          index, absl::StrCat("it has no statement ", index, ", but operation ",
                              entry->second.operation, " ran as that: ", entry->second.summary)};
    }
    const Statement& statement = section.statements[static_cast<size_t>(index) - 1];
    if (entry == journal.end()) {
      if (RunModeOf(statement.text) == RunMode::kSession) continue;
      return JournalDifference{
          index, absl::StrCat("statement ", index, " was not run, though later ones were")};
    }
    if (entry->second.fingerprint == ComputeFingerprint(statement)) continue;
    return JournalDifference{
        index, absl::StrCat("as statement ", index, " operation ", entry->second.operation,
                            " ran: ", entry->second.summary)};
  }
  return absl::nullopt;
}

bool IsInQuestion(const Section& section, const SectionJournal& journal, int statement) {
  const auto entry = journal.find(statement);
  if (entry != journal.end() && entry->second.state == JournalEntry::State::kStarted) return true;
  const auto difference = FindDifference(section, journal, statement);
  return difference.has_value() && difference->statement == statement;
}

int NextStatement(const Section& section, const SectionJournal& journal) {
  const int last = journal.empty() ? 0 : journal.rbegin()->first;
  int index = 1;
  for (const Statement& statement : section.statements) {
    const auto entry = journal.find(index);
    const bool done = entry == journal.end()
                          ? index < last && RunModeOf(statement.text) == RunMode::kSession
                          : entry->second.state != JournalEntry::State::kStarted;
    if (!done) break;
    ++index;
  }
  return index;
}

}  // namespace migd
