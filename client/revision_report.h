// The texts of the commands that list revisions. On a terminal they are laid out for people;
// elsewhere they are line by line what Alembic prints, so that its users' scripts go on working.
// All text from the server is escaped. Pure.
#pragma once

#include <string>

#include "client/output.h"
#include "migration/v1/migration_service.pb.h"

namespace migctl {

std::string CurrentText(const migration::v1::CurrentResponse& response,
                        const TextSettings& settings);

// `response` holds every page that is to be shown.
std::string HistoryText(const migration::v1::HistoryResponse& response,
                        const TextSettings& settings);

std::string HeadsText(const migration::v1::HeadsResponse& response, const TextSettings& settings);

std::string BranchesText(const migration::v1::BranchesResponse& response,
                         const TextSettings& settings);

std::string ShowText(const migration::v1::ShowResponse& response, const TextSettings& settings);

}  // namespace migctl
