#include "service/revision/revision_graph.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "service/base/errors.h"
#include "service/revision/cycles.h"
#include "service/revision/lineage.h"
#include "service/revision/names.h"
#include "service/revision/reachability.h"
#include "service/revision/step_order.h"

namespace migd {
namespace {

using Indices = std::vector<RevisionIndex>;

// Sorts a list and leaves each of its members in once.
void SortUnique(std::vector<int32_t>& list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

}  // namespace

// Checks the revisions first, all of them, and derives what the graph knows only if they are good.
class RevisionGraph::Builder {
 public:
  explicit Builder(std::vector<Revision> revisions) {
    std::sort(revisions.begin(), revisions.end(), [](const Revision& a, const Revision& b) {
      return std::tie(a.path, a.id) < std::tie(b.path, b.id);
    });
    graph_.nodes_.resize(revisions.size());
    graph_.revisions_ = std::move(revisions);
  }

  absl::StatusOr<RevisionGraph> Build(absl::string_view directory) {
    for (RevisionIndex i = 0; i < graph_.size(); ++i) AddId(i);
    for (RevisionIndex i = 0; i < graph_.size(); ++i) AddLabels(i);
    for (RevisionIndex i = 0; i < graph_.size(); ++i) ResolveParents(i);
    for (RevisionIndex i = 0; i < graph_.size(); ++i) ResolveDependencies(i);
    CheckCycles();
    if (!problems_.empty()) return errors::InvalidMigrations(directory, problems_);

    LinkUpwards();
    const Reachability reachability(graph_, Follow::kDownRevisions);
    KeepDependencies(reachability);
    LinkSteps();
    FindEnds();
    SpreadLabels(reachability);
    graph_.newest_first_ = NewestFirst(graph_, All(), graph_.effective_heads_);
    return std::move(graph_);
  }

 private:
  template <typename... Parts>
  void Problem(RevisionIndex index, const Parts&... parts) {
    problems_.push_back(absl::StrCat(graph_.revisions_[index].path, ": ", parts...));
  }

  const std::string& Path(RevisionIndex index) const { return graph_.revisions_[index].path; }

  void AddId(RevisionIndex index) {
    const std::string& id = graph_.revisions_[index].id;
    const std::string problem = RevisionIdProblem(id);
    if (!problem.empty()) {
      Problem(index, "the revision id '", absl::CHexEscape(id), "' ", problem);
    }
    const auto [there, is_new] = graph_.by_id_.try_emplace(id, index);
    if (!is_new) Problem(index, "the revision id '", id, "' is also that of ", Path(there->second));
  }

  void AddLabels(RevisionIndex index) {
    for (const std::string& label : graph_.revisions_[index].branch_labels) {
      const std::string problem = BranchLabelProblem(label);
      if (!problem.empty()) {
        Problem(index, "the branch label '", absl::CHexEscape(label), "' ", problem);
      }
      const auto id = graph_.by_id_.find(label);
      if (id != graph_.by_id_.end()) {
        Problem(index, "the branch label '", label, "' is the revision id of ", Path(id->second));
      }
      const auto [there, is_new] = graph_.by_label_.try_emplace(label, index);
      if (is_new) continue;
      Problem(index, "the branch label '", label, "' is given twice",
              there->second == index ? "" : absl::StrCat(", here and in ", Path(there->second)));
    }
  }

  void ResolveParents(RevisionIndex index) {
    Indices& parents = graph_.nodes_[index].parents;
    absl::flat_hash_set<RevisionIndex> known;
    for (const std::string& id : graph_.revisions_[index].down_revisions) {
      const absl::optional<RevisionIndex> parent = graph_.Find(id);
      if (!parent) {
        Problem(index, "revises '", absl::CHexEscape(id), "', which is the id of no file",
                graph_.FindLabel(id) ? "; it is a branch label, and Revises takes ids only" : "");
      } else if (*parent == index) {
        Problem(index, "revision '", id, "' revises itself");
      } else if (!known.insert(*parent).second) {
        Problem(index, "revises '", id, "' twice");
      } else {
        parents.push_back(*parent);
      }
    }
  }

  void ResolveDependencies(RevisionIndex index) {
    Indices& dependencies = graph_.nodes_[index].dependencies;
    for (const std::string& name : graph_.revisions_[index].depends_on) {
      absl::optional<RevisionIndex> dependency = graph_.Find(name);
      if (!dependency) dependency = graph_.FindLabel(name);
      if (!dependency) {
        Problem(index, "depends on '", absl::CHexEscape(name),
                "', which is neither the id nor a branch label of any file");
      } else if (*dependency == index) {
        Problem(index, "revision '", graph_.revisions_[index].id, "' depends on itself",
                name == graph_.revisions_[index].id ? "" : absl::StrCat(", as '", name, "'"));
      } else {
        dependencies.push_back(*dependency);
      }
    }
    SortUnique(dependencies);
  }

  // Finds the cycles by down_revision, then those that take a dependency to close. Leaves
  // `oldest_first_` in topological order.
  void CheckCycles() {
    std::vector<Indices> edges(graph_.size());
    for (RevisionIndex i = 0; i < graph_.size(); ++i) edges[i] = graph_.nodes_[i].parents;
    absl::flat_hash_set<Indices> known;
    for (Indices& cycle : StronglyConnectedComponents(edges)) {
      if (cycle.size() < 2) continue;
      Problem(cycle[0], "cycle of revisions that revise one another: ", Members(cycle));
      known.insert(std::move(cycle));
    }
    for (RevisionIndex i = 0; i < graph_.size(); ++i) {
      const Indices& dependencies = graph_.nodes_[i].dependencies;
      edges[i].insert(edges[i].end(), dependencies.begin(), dependencies.end());
    }
    for (const Indices& cycle : StronglyConnectedComponents(edges)) {
      oldest_first_.insert(oldest_first_.end(), cycle.begin(), cycle.end());
      if (cycle.size() < 2 || known.contains(cycle)) continue;
      Problem(cycle[0], "dependency cycle of revisions that revise or depend on one another: ",
              Members(cycle));
    }
  }

  std::string Members(const Indices& cycle) const {
    return absl::StrJoin(cycle, ", ", [this](std::string* out, RevisionIndex index) {
      absl::StrAppend(out, graph_.revisions_[index].id, " (", Path(index), ")");
    });
  }

  void LinkUpwards() {
    for (RevisionIndex i = 0; i < graph_.size(); ++i) {
      for (const RevisionIndex parent : graph_.nodes_[i].parents) {
        graph_.nodes_[parent].children.push_back(i);
      }
      for (const RevisionIndex dependency : graph_.nodes_[i].dependencies) {
        graph_.nodes_[dependency].dependents.push_back(i);
      }
    }
  }

  // A dependency is kept by the revisions that declare it and have no ancestor which does.
  void KeepDependencies(const Reachability& reachability) {
    for (RevisionIndex dependency = 0; dependency < graph_.size(); ++dependency) {
      for (const RevisionIndex declarer :
           reachability.Lowest(graph_.nodes_[dependency].dependents)) {
        graph_.nodes_[declarer].kept_dependencies.push_back(dependency);
      }
    }
  }

  void LinkSteps() {
    for (RevisionIndex i = 0; i < graph_.size(); ++i) {
      Node& node = graph_.nodes_[i];
      node.steps_down = node.parents;
      for (const RevisionIndex dependency : node.kept_dependencies) {
        const bool is_parent =
            std::find(node.parents.begin(), node.parents.end(), dependency) != node.parents.end();
        if (!is_parent) node.steps_down.push_back(dependency);
      }
      for (const RevisionIndex below : node.steps_down) graph_.nodes_[below].needed_by.push_back(i);
    }
  }

  void FindEnds() {
    for (RevisionIndex i = 0; i < graph_.size(); ++i) {
      const Node& node = graph_.nodes_[i];
      if (node.parents.empty()) graph_.bases_.push_back(i);
      if (!node.children.empty()) continue;
      graph_.heads_.push_back(i);
      if (node.dependents.empty()) graph_.effective_heads_.push_back(i);
    }
  }

  RevisionSet All() const {
    RevisionSet all(graph_);
    for (RevisionIndex i = 0; i < graph_.size(); ++i) all.insert(i);
    return all;
  }

  void SpreadLabels(const Reachability& reachability) {
    for (const RevisionIndex index : oldest_first_) SpreadLabelsUpTo(index, reachability);
    // On the straight line below a head nothing branches off or merges in, so that all of it is
    // covered by what covers the head.
    std::vector<bool> is_straight(graph_.size(), false);
    for (auto it = oldest_first_.rbegin(); it != oldest_first_.rend(); ++it) {
      Node& node = graph_.nodes_[*it];
      if (IsBranchOrMergePoint(node)) continue;
      if (!node.children.empty() && !is_straight[node.children[0]]) continue;
      is_straight[*it] = true;
      if (!node.children.empty()) node.label_source = graph_.nodes_[node.children[0]].label_source;
    }
  }

  void SpreadLabelsUpTo(RevisionIndex index, const Reachability& reachability) {
    Node& node = graph_.nodes_[index];
    std::vector<int32_t> beneath;
    for (const RevisionIndex parent : node.parents) {
      const absl::optional<int32_t> source = graph_.nodes_[parent].label_source;
      if (source) beneath.push_back(*source);
    }
    SortUnique(beneath);
    if (beneath.size() == 2 && node.parents.size() == 2) {
      DropCovered(node.parents, reachability, beneath);
    }
    const bool labelled = !graph_.revisions_[index].branch_labels.empty();
    if (!labelled && beneath.size() == 1) {
      node.label_source = beneath[0];
    } else if (labelled || !beneath.empty()) {
      node.label_source = static_cast<int32_t>(graph_.label_sources_.size());
      graph_.label_sources_.push_back({index, std::move(beneath)});
    }
  }

  // Leaves out the source of one of two parents if all that it covers stands below the other
  // parent, too. A line that merges a labelled branch again and again would otherwise get one
  // source atop the other, with the same labels.
  void DropCovered(const Indices& parents, const Reachability& reachability,
                   std::vector<int32_t>& beneath) const {
    for (const size_t i : {0, 1}) {
      const int32_t source = *graph_.nodes_[parents[i]].label_source;
      const RevisionIndex other = parents[1 - i];
      if (!reachability.IsAbove(other, graph_.label_sources_[source].origin)) continue;
      beneath = {*graph_.nodes_[other].label_source};
      return;
    }
  }

  static bool IsBranchOrMergePoint(const Node& node) {
    if (node.parents.size() > 1 || node.children.size() > 1) return true;
    const auto is_child = [&](RevisionIndex index) {
      return !node.children.empty() && index == node.children.front();
    };
    const auto others = node.dependents.size() -
                        std::count_if(node.dependents.begin(), node.dependents.end(), is_child);
    return node.children.size() + others > 1;
  }

  RevisionGraph graph_;
  std::vector<std::string> problems_;
  // Every revision after all that it revises or depends on.
  Indices oldest_first_;
};

absl::StatusOr<RevisionGraph> RevisionGraph::Create(std::vector<Revision> revisions,
                                                    absl::string_view directory) {
  return Builder(std::move(revisions)).Build(directory);
}

int RevisionGraph::size() const { return static_cast<int>(revisions_.size()); }

const Revision& RevisionGraph::revision(RevisionIndex index) const { return revisions_[index]; }

absl::optional<RevisionIndex> RevisionGraph::Find(absl::string_view id) const {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return absl::nullopt;
  return found->second;
}

absl::optional<RevisionIndex> RevisionGraph::FindLabel(absl::string_view label) const {
  const auto found = by_label_.find(label);
  if (found == by_label_.end()) return absl::nullopt;
  return found->second;
}

const Indices& RevisionGraph::parents(RevisionIndex index) const { return nodes_[index].parents; }

const Indices& RevisionGraph::children(RevisionIndex index) const { return nodes_[index].children; }

const Indices& RevisionGraph::dependencies(RevisionIndex index) const {
  return nodes_[index].dependencies;
}

const Indices& RevisionGraph::kept_dependencies(RevisionIndex index) const {
  return nodes_[index].kept_dependencies;
}

const Indices& RevisionGraph::dependents(RevisionIndex index) const {
  return nodes_[index].dependents;
}

const Indices& RevisionGraph::steps_down(RevisionIndex index) const {
  return nodes_[index].steps_down;
}

const Indices& RevisionGraph::needed_by(RevisionIndex index) const {
  return nodes_[index].needed_by;
}

const Indices& RevisionGraph::heads() const { return heads_; }

const Indices& RevisionGraph::effective_heads() const { return effective_heads_; }

const Indices& RevisionGraph::bases() const { return bases_; }

std::vector<std::string> RevisionGraph::labels(RevisionIndex index) const {
  std::vector<std::string> own = revisions_[index].branch_labels;
  std::vector<std::string> inherited;
  absl::flat_hash_set<int32_t> seen;
  std::vector<int32_t> todo;
  if (nodes_[index].label_source) todo.push_back(*nodes_[index].label_source);
  while (!todo.empty()) {
    const int32_t source = todo.back();
    todo.pop_back();
    if (!seen.insert(source).second) continue;
    const LabelSource& found = label_sources_[source];
    todo.insert(todo.end(), found.beneath.begin(), found.beneath.end());
    if (found.origin == index) continue;
    const std::vector<std::string>& labels = revisions_[found.origin].branch_labels;
    inherited.insert(inherited.end(), labels.begin(), labels.end());
  }
  std::sort(inherited.begin(), inherited.end());
  own.insert(own.end(), inherited.begin(), inherited.end());
  return own;
}

}  // namespace migd
