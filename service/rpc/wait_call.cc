#include "service/rpc/wait_call.h"

#include <string>
#include <utility>

#include "service/base/errors.h"
#include "service/base/mutex.h"
#include "service/base/proto_time.h"
#include "service/rpc/status.h"

namespace migd {
namespace {

using migration::v1::WaitRequest;
using migration::v1::WaitResponse;

struct Entry {
  Workspace& workspace;
  WaitRoom::Wish wish;
};

absl::StatusOr<Entry> ReadRequest(const Catalog& catalog, const WaitRequest& request) {
  const auto workspace = catalog.Find(request.database());
  if (!workspace.ok()) return workspace.status();
  auto symbol = RevisionSymbol::Parse(request.revision().empty() ? "heads" : request.revision());
  if (!symbol.ok()) return symbol.status();
  WaitRoom::Wish wish{*std::move(symbol)};
  if (request.has_timeout()) wish.timeout = FromProtoDuration(request.timeout());
  if (wish.timeout < absl::ZeroDuration()) {
    return errors::InvalidRequest("timeout", "must not be negative");
  }
  if ((*workspace)->database == nullptr) return errors::Offline();
  return Entry{**workspace, std::move(wish)};
}

// Whoever takes the waiter out of the room finishes the call: the room with its answer, or the call
// itself when it is cancelled. Lives until OnDone, which comes after either.
class WaitCall : public grpc::ServerUnaryReactor {
 public:
  WaitCall(WaitRoom& room, WaitResponse& response, CallTerms terms)
      : room_(room), response_(response), terms_(std::move(terms)) {}

  void Start(Entry entry) {
    StartSendInitialMetadata();
    const WaitRoom::Ticket ticket =
        room_.Enter(entry.workspace, std::move(entry.wish),
                    [this](const absl::StatusOr<WaitResponse>& answer) { End(answer); });
    MutexLock lock(mutex_);
    ticket_ = ticket;
  }

  void Refuse(const absl::Status& status) { Finish(ToGrpcStatus(status)); }

  void OnCancel() override {
    WaitRoom::Ticket ticket;
    {
      MutexLock lock(mutex_);
      ticket = ticket_;
    }
    if (room_.Leave(ticket)) Finish(grpc::Status::CANCELLED);
  }

  void OnDone() override { delete this; }

 private:
  void End(const absl::StatusOr<WaitResponse>& answer) {
    absl::Status status;
    if (terms_.still_admitted != nullptr) status = terms_.still_admitted();
    if (status.ok()) status = answer.status();
    if (status.ok()) response_ = *answer;
    Finish(ToGrpcStatus(status));
  }

  WaitRoom& room_;
  WaitResponse& response_;
  const CallTerms terms_;
  Mutex mutex_;
  WaitRoom::Ticket ticket_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

grpc::ServerUnaryReactor* StartWait(const Catalog& catalog, WaitRoom& room,
                                    const WaitRequest& request, WaitResponse& response,
                                    CallTerms terms) {
  auto* call = new WaitCall(room, response, std::move(terms));
  auto entry = ReadRequest(catalog, request);
  if (entry.ok()) {
    call->Start(*std::move(entry));
  } else {
    call->Refuse(entry.status());
  }
  return call;
}

}  // namespace migd
