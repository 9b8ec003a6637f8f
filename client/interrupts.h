// Ctrl-C. No work is done in a signal handler: SIGINT is blocked everywhere and a thread waits for
// it.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

namespace migctl {

// Passes interrupts on to whoever has subscribed. Thread-safe.
class Interrupts {
 public:
  using Handler = std::function<void()>;

  // Calls `handler` at an interrupt, from another thread, for as long as it lives. There is one
  // subscription at a time. When the destructor has returned, the handler is not running.
  class Subscription {
   public:
    Subscription(Interrupts& interrupts, Handler handler);
    ~Subscription();
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;

   private:
    Interrupts& interrupts_;
  };

  // Runs the handler. Without one, returns false.
  bool Raise();

 private:
  std::mutex mutex_;
  // Guarded by mutex_.
  Handler handler_;
};

// While it lives, a SIGINT of this process becomes an interrupt; one that nobody has subscribed to
// ends the process with kInterrupted. Make it before any other thread, which inherit that the
// signal is blocked. A process that was started with SIGINT ignored goes on ignoring it.
class InterruptThread {
 public:
  explicit InterruptThread(Interrupts& interrupts);
  ~InterruptThread();
  InterruptThread(const InterruptThread&) = delete;
  InterruptThread& operator=(const InterruptThread&) = delete;

 private:
  void Wait();

  Interrupts& interrupts_;
  std::atomic<bool> stopped_ = false;
  // Not joinable if SIGINT is ignored.
  std::thread thread_;
};

}  // namespace migctl
