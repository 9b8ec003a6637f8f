// What the statements of a section have done so far, as far as rules depend on it.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/optional.h"
#include "service/lint/statement_view.h"

namespace migd {

// A value that grows statement by statement. What is made in a revision is taken for new, also by
// IF NOT EXISTS: nobody else uses it yet.
class SectionState {
 public:
  explicit SectionState(bool transactional) : transactional_(transactional) {}

  // The state in which a down section begins: what its own revision has made is nobody's but the
  // revision's.
  static SectionState BelowUp(const SectionState& up, bool transactional);

  // Takes a statement into account.
  void Advance(const StatementView& view);

  // A transaction is open: that of the section, or one that it has begun itself.
  bool in_transaction() const { return transactional_ || began_; }
  // The section has begun a transaction itself and not ended it: where.
  bool has_begun() const { return began_; }

  // A relation, a type, a schema, a function that the revision has made.
  bool IsNew(const ObjectName& name) const { return new_.MayHave(name); }
  // The same for a column; so is every column of a new table.
  bool IsNewColumn(const ObjectName& table, const std::string& column) const;

  // A valid CHECK says that the column is not null, so that SET NOT NULL scans nothing. A
  // constraint that was validated and comes from an earlier revision is taken for such a proof:
  // what it says is not known here.
  bool IsProvenNotNull(const ObjectName& table, const std::string& column) const;
  // The section has validated this very constraint: its end is part of a plan.
  bool WasValidated(const ObjectName& table, const std::string& constraint) const;
  // A CHECK of the table was validated, or added, before.
  bool HasValidCheck(const ObjectName& table) const { return checked_.MayHave(table); }
  // The constraint was added as NOT VALID in the transaction that is open.
  bool WasAddedInTransaction(const ObjectName& table, const std::string& constraint) const;

  // The values that the section has added to types that are not new, in the open transaction.
  const std::set<std::string>& new_enum_values() const { return new_enum_values_; }

  // Relations that were there before and are locked by the open transaction.
  const ObjectNames& blocked() const { return blocked_; }

  // The line at which the section has switched lock_timeout off, 0 if it has not; told of until a
  // statement locks a relation that was there before.
  int lock_timeout_off_line() const { return lock_timeout_off_line_; }

  // Whether row level security has a policy for the table.
  bool HasPolicy(const ObjectName& table) const { return with_policy_.MayHave(table); }

 private:
  struct NotValid {
    ObjectName table;
    // Empty if PostgreSQL chooses it.
    std::string name;
    std::vector<std::string> not_null_columns;
    int transaction;
  };

  void AdvanceNew(const StatementView& view);
  void AdvanceConstraints(const StatementView& view);
  void AdvanceSettings(const StatementView& view);
  void AdvanceTransaction(const StatementView& view);
  void Prove(const ObjectName& table, const std::vector<std::string>& columns);
  void Validate(const ObjectName& table, const std::string& constraint);

  bool transactional_;
  bool began_ = false;
  // Counts the transactions of the section, to tell one from the next.
  int transaction_ = 0;
  int lock_timeout_off_line_ = 0;
  ObjectNames new_;
  std::vector<std::pair<ObjectName, std::string>> new_columns_;
  std::vector<NotValid> not_valid_;
  std::vector<std::pair<ObjectName, std::string>> proven_;
  std::vector<std::pair<ObjectName, std::string>> validated_;
  // Tables of which a constraint that is not known was validated.
  ObjectNames trusted_;
  ObjectNames checked_;
  ObjectNames with_policy_;
  ObjectNames blocked_;
  std::set<std::string> new_enum_values_;
};

}  // namespace migd
