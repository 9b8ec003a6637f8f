// A place between a program and PostgreSQL where connections can be made to fail.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "service/base/mutex.h"
#include "service/base/unique_fd.h"
#include "service/postgres/conninfo.h"
#include "tests/support/temporary_directory.h"

namespace migd {

// Passes on what is sent through a unix socket of its own to a server's unix socket, and back. At
// first it disturbs nothing. A server that does not listen refuses here as well. Thread-safe.
class ConnectionProxy {
 public:
  // The server may come and go while the proxy is there.
  explicit ConnectionProxy(const ConnectionOptions& server);
  ~ConnectionProxy();
  ConnectionProxy(const ConnectionProxy&) = delete;
  ConnectionProxy& operator=(const ConnectionProxy&) = delete;

  // How to connect by way of the proxy.
  ConnectionOptions connection() const;

  // Closes all connections to both sides; new ones are accepted.
  void Cut();
  // Instead of passing on the `count`th of the server's answers from now on, cuts. An answer is
  // what arrives from the server at once, on any connection.
  void CutAtAnswer(int count);
  // Forgets a CutAtAnswer; returns false if it has happened.
  bool KeepAnswers();
  // Lets nothing through, and tells nobody: connections stay open, and new ones are not accepted.
  void Hold();
  // Lets go on what was held.
  void Release();
  // Everything that is sent is passed on so much later.
  void SetDelay(absl::Duration delay);

  // How many of the server's answers were passed on.
  int answers() const;
  // Waits until there were `count` of them, but not longer than `patience`; false if there were
  // not.
  bool WaitForAnswers(int count, absl::Duration patience) const;

 private:
  struct Link {
    UniqueFd client;
    UniqueFd server;
  };

  void Run();
  void Accept() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // False if the connection is to end.
  bool Forward(int from, int to) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // True if the server's answer that is there is the one at which to cut.
  bool IsLastAnswer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Wake() const;

  const ConnectionOptions server_;
  const TemporaryDirectory directory_;
  const UniqueFd listener_;
  // Written to when the thread has to look at what has changed.
  const UniqueFd wake_;
  mutable Mutex mutex_;
  mutable CondVar answered_;
  std::vector<std::unique_ptr<Link>> links_ ABSL_GUARDED_BY(mutex_);
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  int answers_ ABSL_GUARDED_BY(mutex_) = 0;
  // 0: at none.
  int cut_at_answer_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Duration delay_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace migd
