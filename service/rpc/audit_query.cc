#include "service/rpc/audit_query.h"

#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "service/base/errors.h"
#include "service/database/audit_chain.h"
#include "service/rpc/paging.h"

namespace migd {
namespace {

constexpr PageLimits kEntryPages = {50, 1000};
// Read together when the whole audit is.
constexpr int kChunk = 5000;

// The audit of a database. UnknownDatabase, Offline.
absl::StatusOr<AuditStore*> FindAudit(const Catalog& catalog, const std::string& database) {
  const auto workspace = catalog.Find(database);
  if (!workspace.ok()) return workspace.status();
  if ((*workspace)->audit == nullptr) return errors::Offline();
  return (*workspace)->audit.get();
}

}  // namespace

absl::Status AnswerListAuditEntries(const Catalog& catalog,
                                    const migration::v1::ListAuditEntriesRequest& request,
                                    migration::v1::ListAuditEntriesResponse& response) {
  const auto audit = FindAudit(catalog, request.database());
  if (!audit.ok()) return audit.status();
  const auto size = PageSize(request.page_size(), kEntryPages);
  if (!size.ok()) return size.status();
  const std::string fingerprint = absl::StrCat(request.database(), "\n", request.principal());
  const auto place = PlaceOfToken(request.page_token(), fingerprint);
  if (!place.ok()) return place.status();
  int64_t before = std::numeric_limits<int64_t>::max();
  if (!place->empty() && !absl::SimpleAtoi(*place, &before)) {
    return errors::InvalidRequest("page_token", "was not made by this server");
  }
  auto entries = (*audit)->ListNewest(before, request.principal(), *size);
  if (!entries.ok()) return entries.status();
  const bool is_full = entries->size() == static_cast<size_t>(*size);
  if (is_full && entries->back().number() > 1) {
    response.set_next_page_token(TokenOfPlace(absl::StrCat(entries->back().number()), fingerprint));
  }
  for (migration::v1::AuditEntry& entry : *entries) *response.add_entries() = std::move(entry);
  return absl::OkStatus();
}

absl::Status AnswerVerifyAudit(const Catalog& catalog,
                               const migration::v1::VerifyAuditRequest& request,
                               const Cancellation& cancellation,
                               migration::v1::VerifyAuditResponse& response) {
  const auto audit = FindAudit(catalog, request.database());
  if (!audit.ok()) return audit.status();
  ChainChecker checker(request.known_number(), request.known_hash());
  int64_t last = 0;
  while (true) {
    const auto entries = (*audit)->ListOldest(last, kChunk);
    if (!entries.ok()) return entries.status();
    if (entries->empty()) break;
    if (cancellation.requested()) return errors::OperationCancelled(cancellation.why());
    for (const migration::v1::AuditEntry& entry : *entries) checker.Add(entry);
    last = entries->back().number();
  }
  response = checker.Finish();
  return absl::OkStatus();
}

}  // namespace migd
