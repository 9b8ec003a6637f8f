// dbmate's migrations: <version>_<name>.sql with `-- migrate:up` and `-- migrate:down`.
#pragma once

#include <string>
#include <vector>

#include "client/import/reading.h"

namespace migctl {

// The revisions of `files`, in the order of their names, as dbmate runs them. The digits that begin
// a name are the id. Pure; safe from any thread.
Reading ReadDbmate(const std::vector<PeerFile>& files);

}  // namespace migctl
