// `history` on a terminal: the graph, and columns beside it.
#pragma once

#include <string>

#include "client/output.h"
#include "migration/v1/migration_service.pb.h"

namespace migctl {

// "core: 3 of 5 applied, 1 head", and a newline.
std::string HistoryHeader(const migration::v1::HistoryResponse& response);

// The header, and a line per revision with the lines of descent between them. All text from the
// server is escaped. Pure.
std::string HistoryOnTerminal(const migration::v1::HistoryResponse& response,
                              const TextSettings& settings);

}  // namespace migctl
