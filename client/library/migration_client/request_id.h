// The request_id of a call that starts an operation.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace migration_client {

// A fresh random UUID (version 4), such as "0b9c5d0e-3f0a-4c8e-9d53-6f1f8a3c2b71".
std::string NewRequestId();

// `text` has the form of a UUID.
bool IsUuid(absl::string_view text);

}  // namespace migration_client
