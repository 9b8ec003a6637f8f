// A rehearsal as people read it.
#pragma once

#include <string>

#include "client/exit_code.h"
#include "client/output.h"
#include "migration/v1/migration_service.pb.h"

namespace migctl {

// One message as lines with a newline each, or nothing:
//
//     Rehearsing 2 revisions in database migd_scratch_1795386481_63a9ba1e on the same server
//     up 55de  55de_create_items.sql
//       1/2 line 9: CREATE INDEX ON items (name)  3ms  SHARE on public.items
//     back down 55de
//     up again 55de
//     Rehearsed: up, down and up again, in 1.2s on tables without rows; nothing is left of the copy
//
// `plan` is the one of the first message: outside a transaction the locks are those that somebody
// saw in passing, and none seen is not none taken. Of the way back and up again the steps alone.
// Everything that comes from the server is escaped. Pure.
std::string RehearsalText(const migration::v1::RehearseResponse& response,
                          const migration::v1::Plan& plan, const TextSettings& settings);

// kCheckFailed if a step failed, or does not come back.
ExitCode VerdictOf(const migration::v1::RehearsalFinished& finished);

}  // namespace migctl
