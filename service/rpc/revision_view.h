// Revisions as callers see them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "migration/v1/revision.pb.h"
#include "service/plan/plan.h"
#include "service/revision/lineage.h"
#include "service/script/script_directory.h"

namespace migd {

// Shows the revisions of a graph, with what is known of a database. Immutable.
class RevisionView {
 public:
  // `scripts` must outlive the view. Rows that the graph does not have are left out of what is
  // applied.
  RevisionView(const ScriptSet& scripts, VersionRows rows,
               std::map<std::string, absl::Time> apply_times = {});

  migration::v1::Revision Show(RevisionIndex index) const;
  // A row of the version table, which perhaps no file has.
  migration::v1::Revision ShowRow(const std::string& id) const;

  // The applied revisions that no applied one revises, but for those that have a row: some row
  // depends on each. In file order.
  std::vector<RevisionIndex> implied_tips() const;
  // How many revisions of the graph the database has.
  int applied_count() const { return applied_count_; }
  // The database has every head of the graph.
  bool is_at_heads() const;

 private:
  const ScriptSet& scripts_;
  const VersionRows rows_;
  const std::map<std::string, absl::Time> apply_times_;
  const RevisionSet applied_;
  int applied_count_ = 0;
};

}  // namespace migd
