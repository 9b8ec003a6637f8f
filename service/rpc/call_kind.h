// The RPCs as authorization and audit see them: one table of what each needs.
#pragma once

#include "absl/strings/string_view.h"
#include "migration/v1/access.pb.h"

namespace migd {

// An RPC.
struct CallKind {
  // Its name in the proto.
  absl::string_view rpc;
  // What the caller must be on the database, at least. What a call asks for beyond its usual can
  // need more: see RoleForRequest.
  migration::v1::Role role;
  // It changes the database or an operation: each call leaves a row in the audit.
  bool is_write = false;
  // It may well take minutes, and ends when its caller goes away: it gets no deadline.
  bool lasts = false;
};

namespace calls {

inline constexpr CallKind kCurrent = {"Current", migration::v1::ROLE_VIEWER};
inline constexpr CallKind kHistory = {"History", migration::v1::ROLE_VIEWER};
inline constexpr CallKind kHeads = {"Heads", migration::v1::ROLE_VIEWER};
inline constexpr CallKind kBranches = {"Branches", migration::v1::ROLE_VIEWER};
inline constexpr CallKind kShow = {"Show", migration::v1::ROLE_VIEWER};
inline constexpr CallKind kPlan = {"Plan", migration::v1::ROLE_VIEWER};
inline constexpr CallKind kRehearse = {"Rehearse", migration::v1::ROLE_OPERATOR, false, true};
inline constexpr CallKind kLint = {"Lint", migration::v1::ROLE_VIEWER};
inline constexpr CallKind kVerify = {"Verify", migration::v1::ROLE_OPERATOR, false, true};
inline constexpr CallKind kCheck = {"Check", migration::v1::ROLE_VIEWER};
inline constexpr CallKind kComposeBaseline = {"ComposeBaseline", migration::v1::ROLE_OPERATOR,
                                              false, true};
inline constexpr CallKind kRenderScript = {"RenderScript", migration::v1::ROLE_VIEWER, false, true};
inline constexpr CallKind kComposeRevision = {"ComposeRevision", migration::v1::ROLE_VIEWER};
inline constexpr CallKind kUpgrade = {"Upgrade", migration::v1::ROLE_OPERATOR, true};
inline constexpr CallKind kDowngrade = {"Downgrade", migration::v1::ROLE_DESTRUCTIVE, true};
inline constexpr CallKind kStamp = {"Stamp", migration::v1::ROLE_OPERATOR, true};
inline constexpr CallKind kGetOperation = {"GetOperation", migration::v1::ROLE_VIEWER};
inline constexpr CallKind kListOperations = {"ListOperations", migration::v1::ROLE_VIEWER};
inline constexpr CallKind kWatchOperation = {"WatchOperation", migration::v1::ROLE_VIEWER};
inline constexpr CallKind kWatch = {"Watch", migration::v1::ROLE_VIEWER};
inline constexpr CallKind kCancelOperation = {"CancelOperation", migration::v1::ROLE_OPERATOR,
                                              true};
inline constexpr CallKind kWait = {"Wait", migration::v1::ROLE_VIEWER};
inline constexpr CallKind kWhoAmI = {"WhoAmI", migration::v1::ROLE_UNSPECIFIED};
inline constexpr CallKind kListAuditEntries = {"ListAuditEntries", migration::v1::ROLE_ADMIN};
inline constexpr CallKind kVerifyAudit = {"VerifyAudit", migration::v1::ROLE_ADMIN, false, true};

}  // namespace calls
}  // namespace migd
