// The texts of the commands that list revisions. On a terminal they are laid out for people;
// elsewhere they are line by line what Alembic prints, so that its users' scripts go on working.
// All text from the server is escaped. Pure.
#pragma once

#include <string>

#include "client/output.h"
#include "migration/v1/migration_service.pb.h"

namespace migctl {

// What the flags of a listing ask for.
struct ListingFlags {
  // Everything about each revision instead of a line.
  bool verbose = false;
  // Mark the rows of the version table. On a terminal they always are.
  bool indicate_current = false;
};

std::string CurrentText(const migration::v1::CurrentResponse& response, const ListingFlags& flags,
                        const TextSettings& settings);

// `response` holds every page that is to be shown.
std::string HistoryText(const migration::v1::HistoryResponse& response, const ListingFlags& flags,
                        const TextSettings& settings);

std::string HeadsText(const migration::v1::HeadsResponse& response, const ListingFlags& flags,
                      const TextSettings& settings);

std::string BranchesText(const migration::v1::BranchesResponse& response, const ListingFlags& flags,
                         const TextSettings& settings);

std::string ShowText(const migration::v1::ShowResponse& response, const TextSettings& settings);

}  // namespace migctl
