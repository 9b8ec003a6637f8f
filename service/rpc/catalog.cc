#include "service/rpc/catalog.h"

#include <utility>

#include "service/base/errors.h"

namespace migd {

Catalog::Catalog(std::vector<std::unique_ptr<Workspace>> workspaces) {
  for (auto& workspace : workspaces) {
    std::string name = workspace->name;
    workspaces_.emplace(std::move(name), std::move(workspace));
  }
}

absl::StatusOr<Workspace*> Catalog::Find(const std::string& name) const {
  if (name.empty() && workspaces_.size() == 1) return workspaces_.begin()->second.get();
  const auto found = workspaces_.find(name);
  if (found != workspaces_.end()) return found->second.get();
  errors::Strings names;
  for (const auto& [known, workspace] : workspaces_) names.push_back(known);
  return errors::UnknownDatabase(name, names);
}

std::vector<Workspace*> Catalog::workspaces() const {
  std::vector<Workspace*> all;
  for (const auto& [name, workspace] : workspaces_) all.push_back(workspace.get());
  return all;
}

}  // namespace migd
