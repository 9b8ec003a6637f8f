#include "service/plan/plan.h"

namespace migd {

void ApplyWrites(const std::vector<VersionWrite>& writes, VersionRows& rows) {
  for (const VersionWrite& write : writes) {
    if (write.kind != VersionWrite::Kind::kInsert && rows.erase(write.from) == 0) continue;
    if (write.kind != VersionWrite::Kind::kDelete) rows.insert(write.to);
  }
}

}  // namespace migd
