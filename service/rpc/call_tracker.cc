#include "service/rpc/call_tracker.h"

#include <atomic>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "google/protobuf/descriptor.h"
#include "service/base/log.h"
#include "service/base/trace_context.h"

namespace migd {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::ServerRpcInfo;

std::string TypeOf(ServerRpcInfo::Type type) {
  switch (type) {
    case ServerRpcInfo::Type::UNARY:
      return "unary";
    case ServerRpcInfo::Type::CLIENT_STREAMING:
      return "client_stream";
    case ServerRpcInfo::Type::SERVER_STREAMING:
      return "server_stream";
    case ServerRpcInfo::Type::BIDI_STREAMING:
      return "bidi_stream";
  }
  return "unknown";
}

bool IsServerFault(grpc::StatusCode code) {
  return code == grpc::StatusCode::UNKNOWN || code == grpc::StatusCode::INTERNAL ||
         code == grpc::StatusCode::DATA_LOSS || code == grpc::StatusCode::UNIMPLEMENTED;
}

}  // namespace

CallName NameOf(const ServerRpcInfo& call) {
  // "/package.Service/Method".
  const absl::string_view path = call.method();
  const std::string name = absl::StrReplaceAll(absl::StripPrefix(path, "/"), {{"/", "."}});
  const auto* method = google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(name);
  if (method == nullptr) return {TypeOf(call.type()), "unknown", "unknown"};
  return {TypeOf(call.type()), method->service()->full_name(), method->name()};
}

// Lives as long as its call.
class CallTracker::Interceptor : public grpc::experimental::Interceptor {
 public:
  Interceptor(CallTracker& tracker, ServerRpcInfo& info)
      : tracker_(tracker),
        context_(info.server_context()),
        name_(NameOf(info)),
        start_(absl::Now()) {
    if (CallObserver* observer = tracker_.observer_) observer->CallStarted(name_);
  }

  ~Interceptor() override {
    const absl::Duration duration = absl::Now() - start_;
    const auto code = static_cast<grpc::StatusCode>(code_.load());
    if (CallObserver* observer = tracker_.observer_) observer->CallEnded(name_, code, duration);
    Log(tracker_.TakeNotes(context_), code, duration);
  }

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    CallObserver* const observer = tracker_.observer_;
    const auto is_at = [methods](InterceptionHookPoints point) {
      return methods->QueryInterceptionHookPoint(point);
    };
    if (observer != nullptr && is_at(InterceptionHookPoints::POST_RECV_MESSAGE) &&
        methods->GetRecvMessage() != nullptr) {
      observer->MessageReceived(name_);
    }
    if (observer != nullptr && is_at(InterceptionHookPoints::PRE_SEND_MESSAGE)) {
      observer->MessageSent(name_);
    }
    if (is_at(InterceptionHookPoints::PRE_SEND_STATUS)) {
      code_ = static_cast<int>(methods->GetSendStatus().error_code());
    }
    methods->Proceed();
  }

 private:
  void Log(const Notes& notes, grpc::StatusCode code, absl::Duration duration) const {
    const bool is_ours = absl::StartsWith(name_.service, "migration.");
    if (!is_ours && !IsServerFault(code)) return;
    const LogFields fields = {
        {"rpc", is_ours ? name_.method : absl::StrCat(name_.service, "/", name_.method)},
        {"code", absl::StatusCodeToString(static_cast<absl::StatusCode>(code))},
        {"seconds",
         absl::StrCat(absl::ToDoubleSeconds(absl::Trunc(duration, absl::Microseconds(1))))},
        {"database", notes.database},
        {"principal", notes.caller.principal},
        {"peer", notes.caller.address},
        {"trace_id", TraceIdOf(notes.caller.traceparent)}};
    if (IsServerFault(code)) {
      LogWarning("call", fields);
    } else {
      LogInfo("call", fields);
    }
  }

  CallTracker& tracker_;
  // Its address only: the context may be gone before the interceptor.
  const grpc::ServerContextBase* const context_;
  const CallName name_;
  const absl::Time start_;
  std::atomic<int> code_ = static_cast<int>(grpc::StatusCode::CANCELLED);
};

class CallTracker::Factory : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit Factory(CallTracker& tracker) : tracker_(tracker) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(ServerRpcInfo* info) override {
    return new Interceptor(tracker_, *info);
  }

 private:
  CallTracker& tracker_;
};

CallTracker::~CallTracker() {
  // The last call of the server has ended, perhaps a moment ago on another thread.
  MutexLock lock(mutex_);
}

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> CallTracker::NewFactory() {
  return std::make_unique<Factory>(*this);
}

void CallTracker::Note(const grpc::ServerContextBase& context, const Caller& caller,
                       const std::string& database) {
  MutexLock lock(mutex_);
  notes_[&context] = {caller, database};
}

CallTracker::Notes CallTracker::TakeNotes(const grpc::ServerContextBase* context) {
  MutexLock lock(mutex_);
  const auto found = notes_.find(context);
  if (found == notes_.end()) return {};
  Notes notes = std::move(found->second);
  notes_.erase(found);
  return notes;
}

}  // namespace migd
