// Revision graphs written in the body of a test.
#pragma once

#include <initializer_list>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "service/revision/revision_graph.h"

namespace migd::testing {

// No name, one, or a list of them.
struct Names {
  Names() = default;
  Names(const char* name) : list({name}) {}
  Names(std::string name) : list({std::move(name)}) {}
  Names(std::initializer_list<std::string> names) : list(names) {}
  Names(std::vector<std::string> names) : list(std::move(names)) {}

  std::vector<std::string> list;
};

// One file: {"d", {"b", "c"}} is a merge of b and c, {"e", {}, "d"} a base that depends on d.
struct File {
  std::string id = "";
  Names revises = {};
  Names depends_on = {};
  Names labels = {};
  // `<id>.sql` if empty; the order of the paths is the order of the files.
  std::string path = "";
};

// The revisions of `files`, and bases for what they revise but do not contain.
inline std::vector<Revision> Revisions(const std::vector<File>& files) {
  std::vector<Revision> revisions;
  std::set<std::string> present;
  for (const File& file : files) present.insert(file.id);
  const auto add = [&revisions](const File& file) {
    Revision revision;
    revision.id = file.id;
    revision.down_revisions = file.revises.list;
    revision.depends_on = file.depends_on.list;
    revision.branch_labels = file.labels.list;
    revision.path = file.path.empty() ? absl::StrCat(file.id, ".sql") : file.path;
    revisions.push_back(std::move(revision));
  };
  for (const File& file : files) {
    add(file);
    for (const std::string& parent : file.revises.list) {
      if (present.insert(parent).second) add({parent, {}, {}, {}, ""});
    }
  }
  return revisions;
}

// A graph of well-formed files. With `Graph({{"b", "a"}, {"c", "a"}})`, a is a base.
inline RevisionGraph GraphOf(const std::vector<File>& files) {
  absl::StatusOr<RevisionGraph> graph = RevisionGraph::Create(Revisions(files));
  if (graph.ok()) return *std::move(graph);
  ADD_FAILURE() << graph.status();
  return RevisionGraph();
}
inline RevisionGraph Graph(std::initializer_list<File> files) {
  return GraphOf(std::vector<File>(files));
}

// The ids of `indices`, in their order.
inline std::vector<std::string> IdsOf(const RevisionGraph& graph,
                                      const std::vector<RevisionIndex>& indices) {
  std::vector<std::string> ids;
  for (const RevisionIndex index : indices) ids.push_back(graph.revision(index).id);
  return ids;
}

}  // namespace migd::testing
