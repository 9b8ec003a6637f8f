// The other tool's directory on disk.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/import/reading.h"

namespace migctl {

// The files of `directory`, with those of the folders below it if `recursive`, in the order of
// their paths; hidden ones are left out. *.sql and *.conf files are read. An error in words if
// something cannot be read.
absl::StatusOr<std::vector<PeerFile>> ReadPeerDirectory(const std::string& directory,
                                                        bool recursive);

// The contents of one file.
absl::StatusOr<std::string> ReadPeerFile(const std::string& path);

// Which of `paths`, which are relative to `directory`, the names in `skip` stand for: a path in the
// directory, a path that begins with it, or the name of a file where only one has it. Indices, each
// once, in order. Adds to `problems` the names that stand for no file or for several.
std::vector<size_t> FindSkipped(const std::string& directory, const std::vector<std::string>& skip,
                                const std::vector<std::string>& paths,
                                std::vector<ImportProblem>& problems);

}  // namespace migctl
