// What a role must be allowed so that migrations can be recorded.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "service/database/database.h"
#include "service/postgres/connection.h"

namespace migd {

// Whether the role of `connection` may make what is missing of the version table and the service's
// own tables, and write to what is there. InsufficientPrivilege names everything that it lacks, and
// the GRANT statements that give it that. A missing privilege is never made up: what cannot be told
// beforehand, such as what a trigger does, is left to the writing itself. Throws libpqxx's
// exceptions.
absl::Status CheckPrivileges(Connection& connection, const std::string& database,
                             const VersionTable& table);

}  // namespace migd
