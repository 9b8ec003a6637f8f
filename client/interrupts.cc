#include "client/interrupts.h"

#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <utility>

#include "client/exit_code.h"

namespace migctl {
namespace {

sigset_t OnlySigint() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  return signals;
}

bool SigintIsIgnored() {
  struct sigaction action = {};
  sigaction(SIGINT, nullptr, &action);
  return action.sa_handler == SIG_IGN;
}

}  // namespace

Interrupts::Subscription::Subscription(Interrupts& interrupts, Handler handler)
    : interrupts_(interrupts) {
  const std::lock_guard<std::mutex> lock(interrupts_.mutex_);
  interrupts_.handler_ = std::move(handler);
}

Interrupts::Subscription::~Subscription() {
  const std::lock_guard<std::mutex> lock(interrupts_.mutex_);
  interrupts_.handler_ = nullptr;
}

bool Interrupts::Raise() {
  // Held during the call, so that a subscription cannot go away under its handler.
  const std::lock_guard<std::mutex> lock(mutex_);
  if (handler_ == nullptr) return false;
  handler_();
  return true;
}

InterruptThread::InterruptThread(Interrupts& interrupts) : interrupts_(interrupts) {
  if (SigintIsIgnored()) return;
  const sigset_t signals = OnlySigint();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  thread_ = std::thread([this] { Wait(); });
}

InterruptThread::~InterruptThread() {
  if (!thread_.joinable()) return;
  stopped_ = true;
  pthread_kill(thread_.native_handle(), SIGINT);
  thread_.join();
}

void InterruptThread::Wait() {
  const sigset_t signals = OnlySigint();
  while (true) {
    int signal = 0;
    sigwait(&signals, &signal);
    if (stopped_) return;
    if (!interrupts_.Raise()) _exit(static_cast<int>(ExitCode::kInterrupted));
  }
}

}  // namespace migctl
