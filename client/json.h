// What --output json prints. Pure; safe from any thread.
#pragma once

#include <string>

#include "google/protobuf/message.h"
#include "migration/v1/error.pb.h"

namespace migctl {

// `message` as one line of protobuf JSON with proto field names; fields that hold zero, false or
// nothing are there too. No newline at the end.
std::string ToJson(const google::protobuf::Message& message);

// {"error": {"code", "reason", "message", "hint", "metadata"}}, with statement_failure if it is
// set.
std::string ErrorJson(const migration::v1::Error& error);

}  // namespace migctl
