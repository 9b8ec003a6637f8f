// Some of the server's databases, or all of them.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace migd {

using DatabaseNames = std::set<std::string, std::less<>>;

// A plain value; all databases, unless it is made of names.
class DatabaseSelection {
 public:
  DatabaseSelection() = default;
  explicit DatabaseSelection(DatabaseNames names) : names_(std::move(names)) {}

  bool Has(absl::string_view database) const {
    return !names_ || names_->find(database) != names_->end();
  }

 private:
  absl::optional<DatabaseNames> names_;
};

}  // namespace migd
