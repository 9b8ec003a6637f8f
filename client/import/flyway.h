// Flyway's migrations: V<version>__<description>.sql and what goes with them.
#pragma once

#include <string>
#include <vector>

#include "client/import/reading.h"

namespace migctl {

// The revisions of `files`, which may stand in folders. A version is the id, with dots for
// underscores as Flyway shows it. Undo files (U) become down sections. A script runs without a
// transaction where Flyway runs it so: if its .conf says executeInTransaction=false, or if it has a
// statement that PostgreSQL refuses in one. Repeatable migrations, baselines, callbacks, Java and
// placeholders are problems. Pure; safe from any thread.
Reading ReadFlyway(const std::vector<PeerFile>& files);

}  // namespace migctl
