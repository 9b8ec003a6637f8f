#include "service/plan/version_writes.h"

namespace migd {

using Kind = VersionWrite::Kind;

std::vector<VersionWrite> Collapse(const std::vector<std::string>& replaced,
                                   const std::string& row) {
  if (replaced.empty()) return {{Kind::kInsert, "", row}};
  std::vector<VersionWrite> writes = Delete({replaced.begin(), replaced.end() - 1});
  writes.push_back({Kind::kUpdate, replaced.back(), row});
  return writes;
}

std::vector<VersionWrite> Expand(const std::string& row,
                                 const std::vector<std::string>& uncovered) {
  if (uncovered.empty()) return Delete({row});
  std::vector<VersionWrite> writes;
  for (size_t i = 0; i + 1 < uncovered.size(); ++i) {
    writes.push_back({Kind::kInsert, "", uncovered[i]});
  }
  writes.push_back({Kind::kUpdate, row, uncovered.back()});
  return writes;
}

std::vector<VersionWrite> Delete(const std::vector<std::string>& rows) {
  std::vector<VersionWrite> writes;
  for (const std::string& row : rows) writes.push_back({Kind::kDelete, row, ""});
  return writes;
}

}  // namespace migd
