// What there is to know of each call: for the log, and for whoever counts calls.
#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_interceptor.h>

#include <memory>
#include <string>
#include <unordered_map>

#include "absl/time/time.h"
#include "service/base/mutex.h"
#include "service/rpc/admission.h"
#include "service/rpc/call_kind.h"

namespace migd {

// Which RPC a call is of.
struct CallName {
  // "unary", "client_stream", "server_stream" or "bidi_stream".
  std::string type;
  // Such as "migration.v1.MigrationService" and "Current"; "unknown" if this program has no such
  // RPC, since a caller may write anything there.
  std::string service;
  std::string method;
};

// The name of the RPC that a call is of.
CallName NameOf(const grpc::experimental::ServerRpcInfo& call);

// Is told of all calls, by gRPC's threads: thread-safe, and must not block.
class CallObserver {
 public:
  virtual ~CallObserver() = default;

  virtual void CallStarted(const CallName& call) = 0;
  virtual void MessageReceived(const CallName& call) = 0;
  virtual void MessageSent(const CallName& call) = 0;
  // `code` is that of the status that was sent, CANCELLED if the caller was gone before.
  virtual void CallEnded(const CallName& call, grpc::StatusCode code, absl::Duration duration) = 0;
};

// Follows each call of a server from its beginning to its end, whichever of gRPC's APIs its handler
// is written for. Writes one line to the log for each call of the migration service, and for others
// (health, reflection) if they fail. Thread-safe.
class CallTracker {
 public:
  // `observer`, null for none, must outlive the server.
  explicit CallTracker(CallObserver* observer) : observer_(observer) {}
  ~CallTracker();

  // What ServerBuilder needs to let this follow the calls of its server, which must end before it.
  std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> NewFactory();

  // What the log is to tell of a call that goes on: who makes it, and on which database.
  void Note(const grpc::ServerContextBase& context, const Caller& caller,
            const std::string& database);

 private:
  class Factory;
  class Interceptor;
  struct Notes {
    Caller caller;
    std::string database;
  };

  Notes TakeNotes(const grpc::ServerContextBase* context);

  CallObserver* const observer_;
  Mutex mutex_;
  // Of the calls that go on.
  std::unordered_map<const grpc::ServerContextBase*, Notes> notes_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace migd
