// The databases that the server is configured with.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "service/execute/workspace.h"

namespace migd {

// Immutable after the server has started, hence thread-safe.
class Catalog {
 public:
  // `workspaces` have unique names; there is at least one.
  explicit Catalog(std::vector<std::unique_ptr<Workspace>> workspaces);

  // The workspace called `name`; the only one if `name` is empty. UnknownDatabase.
  absl::StatusOr<Workspace*> Find(const std::string& name) const;

  // All, in the order of their names.
  std::vector<Workspace*> workspaces() const;

 private:
  std::map<std::string, std::unique_ptr<Workspace>> workspaces_;
};

}  // namespace migd
