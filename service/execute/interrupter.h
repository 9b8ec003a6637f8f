// Carries a request to cancel to the session that runs a statement.
#pragma once

#include <thread>

#include "service/base/mutex.h"
#include "service/database/database.h"
#include "service/execute/cancellation.h"

namespace migd {

// While it lives, a request to cancel makes it call Session::Cancel, again and again until it is
// destroyed: a single call that falls between two statements would be lost.
class Interrupter {
 public:
  // Both must outlive it. Takes the cancellation's listener.
  Interrupter(Session& session, Cancellation& cancellation);
  ~Interrupter();

  // While a Hold lives, the session is not interrupted: for the end of a step. They nest.
  class Hold {
   public:
    explicit Hold(Interrupter& interrupter) : interrupter_(interrupter) {
      interrupter_.ChangeHolds(1);
    }
    ~Hold() { interrupter_.ChangeHolds(-1); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    Interrupter& interrupter_;
  };

 private:
  void Run();
  void ChangeHolds(int change);

  Session& session_;
  Cancellation& cancellation_;
  Mutex mutex_;
  CondVar changed_;
  bool requested_ ABSL_GUARDED_BY(mutex_) = false;
  int holds_ ABSL_GUARDED_BY(mutex_) = 0;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: runs with everything above in place
};

}  // namespace migd
