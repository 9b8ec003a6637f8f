#include "service/rpc/revision_view.h"

#include <algorithm>
#include <utility>

#include "service/base/proto_time.h"

namespace migd {

RevisionView::RevisionView(const ScriptSet& scripts, VersionRows rows,
                           std::map<std::string, absl::Time> apply_times)
    : scripts_(scripts),
      rows_(std::move(rows)),
      apply_times_(std::move(apply_times)),
      applied_(AppliedBy(scripts.graph(), rows_)) {
  for (RevisionIndex i = 0; i < scripts_.graph().size(); ++i)
    applied_count_ += applied_.contains(i);
}

migration::v1::Revision RevisionView::Show(RevisionIndex index) const {
  const RevisionGraph& graph = scripts_.graph();
  const Revision& revision = graph.revision(index);
  migration::v1::Revision out;
  out.set_revision(revision.id);
  out.mutable_down_revisions()->Assign(revision.down_revisions.begin(),
                                       revision.down_revisions.end());
  out.mutable_depends_on()->Assign(revision.depends_on.begin(), revision.depends_on.end());
  std::vector<std::string> labels = graph.labels(index);
  const size_t own_labels = revision.branch_labels.size();
  for (size_t i = own_labels; i < labels.size(); ++i) out.add_inherited_branch_labels(labels[i]);
  for (std::string& label : labels) out.add_branch_labels(std::move(label));
  out.set_message(revision.message);
  if (revision.create_time) *out.mutable_create_time() = ToProtoTimestamp(*revision.create_time);
  out.set_path(revision.path);
  out.set_is_head(graph.children(index).empty());
  out.set_is_base(graph.parents(index).empty());
  out.set_is_branch_point(graph.children(index).size() > 1);
  out.set_is_merge_point(graph.parents(index).size() > 1);
  out.set_is_current(rows_.count(revision.id) > 0);
  out.set_is_applied(applied_.contains(index));
  for (const RevisionIndex child : graph.children(index)) {
    out.add_next_revisions(graph.revision(child).id);
  }
  for (const RevisionIndex dependency : graph.dependencies(index)) {
    out.add_dependencies(graph.revision(dependency).id);
  }
  for (const RevisionIndex dependent : graph.dependents(index)) {
    out.add_dependents(graph.revision(dependent).id);
  }
  const auto applied = apply_times_.find(revision.id);
  if (out.is_applied() && applied != apply_times_.end()) {
    *out.mutable_apply_time() = ToProtoTimestamp(applied->second);
  }
  return out;
}

migration::v1::Revision RevisionView::ShowRow(const std::string& id) const {
  if (const auto index = scripts_.graph().Find(id)) return Show(*index);
  migration::v1::Revision out;
  out.set_revision(id);
  out.set_is_current(true);
  out.set_is_applied(true);
  out.set_is_missing(true);
  return out;
}

std::vector<RevisionIndex> RevisionView::implied_tips() const {
  const RevisionGraph& graph = scripts_.graph();
  std::vector<RevisionIndex> tips;
  for (RevisionIndex i = 0; i < graph.size(); ++i) {
    if (!applied_.contains(i) || rows_.count(graph.revision(i).id) > 0) continue;
    const std::vector<RevisionIndex>& children = graph.children(i);
    const bool goes_on = std::any_of(children.begin(), children.end(), [this](RevisionIndex child) {
      return applied_.contains(child);
    });
    if (!goes_on) tips.push_back(i);
  }
  return tips;
}

bool RevisionView::is_at_heads() const {
  const std::vector<RevisionIndex>& heads = scripts_.graph().heads();
  return std::all_of(heads.begin(), heads.end(),
                     [this](RevisionIndex head) { return applied_.contains(head); });
}

}  // namespace migd
