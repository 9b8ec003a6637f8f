// Changes files as a proposal of migd says, if they are what migd has read.
#pragma once

#include <optional>
#include <string>

#include "migration/v1/error.pb.h"
#include "migration/v1/finding.pb.h"

namespace migctl {

// Whether the unified diff of `proposal` leads from `contents` to its content, line by line.
bool LeadsToProposal(const std::string& contents, const migration::v1::ProposedFile& proposal);

// Writes the proposal into `directory`: a new file, or over the one that is there, which it
// replaces whole. Returns why it could not; nothing is changed then.
std::optional<migration::v1::Error> SaveProposal(const std::string& directory,
                                                 const migration::v1::ProposedFile& proposal);

}  // namespace migctl
