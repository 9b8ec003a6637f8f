// Requests to cancel that hold nobody up.
#pragma once

#include <libpq-fe.h>

#include <memory>

#include "absl/time/time.h"

namespace migd {

// Asks the server of one connection to end what runs there. libpq's PQcancel connects anew and
// waits for the answer, both without a deadline: on a network that swallows packets it would keep
// its caller for minutes. Here it runs on a thread of its own, which may outlive this object.
// Thread-safe.
class CancelRequest {
 public:
  // Takes what is needed of `connection`, which may end before this.
  explicit CancelRequest(PGconn* connection);
  ~CancelRequest();
  CancelRequest(const CancelRequest&) = delete;
  CancelRequest& operator=(const CancelRequest&) = delete;

  // Sends the request, and returns when the server has it, or after `patience`: it may still arrive
  // then. There is one at a time: while one is on its way, another call waits for that. What goes
  // wrong is not told; who needs the statement to end asks again.
  void Send(absl::Duration patience);

 private:
  struct State;

  const std::shared_ptr<State> state_;
};

}  // namespace migd
