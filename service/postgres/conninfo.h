// Connection strings of libpq. They may hold a password, so no error repeats one.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace migd {

// The options of a connection: keyword to value, as libpq names them.
using ConnectionOptions = std::map<std::string, std::string>;

// Reads a URI, a `keyword=value ...` string, or the plain name of a database. InvalidRequest if it
// is none of these.
absl::StatusOr<ConnectionOptions> ParseConninfo(const std::string& conninfo);

// The opposite of ParseConninfo.
std::string FormatConninfo(const ConnectionOptions& options);

// The name of the database that the options lead to, the PG* environment considered.
std::string DatabaseName(const ConnectionOptions& options);

}  // namespace migd
