// The texts about callers and the audit. Pure.
#pragma once

#include <string>

#include "client/output.h"
#include "migration/v1/migration_service.pb.h"

namespace migctl {

// Who calls, and a line per database:
//
//     token:deploy from ipv4:10.0.0.7:51000
//     core  operator
std::string CallerText(const migration::v1::WhoAmIResponse& response);

// A line per entry: its number, when, who, the call and what it asked for, how it went.
std::string AuditText(const migration::v1::ListAuditEntriesResponse& response,
                      const TextSettings& settings);

// What holds and what does not, and what to give to the next verification.
std::string VerificationText(const migration::v1::VerifyAuditResponse& response);

}  // namespace migctl
