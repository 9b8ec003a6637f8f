#include "tests/support/connection_proxy.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace migd {
namespace {

[[noreturn]] void Abort(const std::string& problem) {
  std::cerr << "tests: " << problem << std::endl;
  std::abort();
}

// Where a server with this port listens.
std::string SocketIn(const std::string& directory, const ConnectionOptions& server) {
  return absl::StrCat(directory, "/.s.PGSQL.", server.at("port"));
}

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) Abort("too long for a socket: " + path);
  std::copy(path.begin(), path.end(), address.sun_path);
  return address;
}

UniqueFd NewSocket() { return UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

UniqueFd Listen(const std::string& path) {
  UniqueFd listener = NewSocket();
  const sockaddr_un address = AddressOf(path);
  if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener.get(), 100) != 0 || chmod(path.c_str(), 0777) != 0) {
    Abort("cannot listen on " + path);
  }
  return listener;
}

bool SendAll(int to, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t sent = send(to, data, size, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    data += sent;
    size -= static_cast<size_t>(sent);
  }
  return true;
}

}  // namespace

ConnectionProxy::ConnectionProxy(const ConnectionOptions& server)
    : server_(server),
      listener_(Listen(SocketIn(directory_.path(), server))),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      thread_([this] { Run(); }) {}

ConnectionProxy::~ConnectionProxy() {
  {
    const MutexLock lock(mutex_);
    ending_ = true;
  }
  Wake();
  thread_.join();
}

ConnectionOptions ConnectionProxy::connection() const {
  ConnectionOptions connection = server_;
  connection["host"] = directory_.path();
  return connection;
}

void ConnectionProxy::Cut() {
  {
    const MutexLock lock(mutex_);
    links_.clear();
  }
  Wake();
}

void ConnectionProxy::CutAtAnswer(int count) {
  const MutexLock lock(mutex_);
  cut_at_answer_ = answers_ + count;
}

bool ConnectionProxy::KeepAnswers() {
  const MutexLock lock(mutex_);
  return std::exchange(cut_at_answer_, 0) != 0;
}

void ConnectionProxy::Hold() {
  {
    const MutexLock lock(mutex_);
    held_ = true;
  }
  Wake();
}

void ConnectionProxy::Release() {
  {
    const MutexLock lock(mutex_);
    held_ = false;
  }
  Wake();
}

void ConnectionProxy::SetDelay(absl::Duration delay) {
  const MutexLock lock(mutex_);
  delay_ = delay;
}

int ConnectionProxy::answers() const {
  const MutexLock lock(mutex_);
  return answers_;
}

bool ConnectionProxy::WaitForAnswers(int count, absl::Duration patience) const {
  const absl::Time deadline = absl::Now() + patience;
  const MutexLock lock(mutex_);
  while (answers_ < count && absl::Now() < deadline) {
    answered_.WaitFor(mutex_, deadline - absl::Now());
  }
  return answers_ >= count;
}

void ConnectionProxy::Run() {
  while (true) {
    // What is closed meanwhile by Cut() is not looked at: the links are found again by their
    // descriptors under the lock.
    std::vector<pollfd> waiting = {{wake_.get(), POLLIN, 0}};
    absl::Duration delay;
    {
      const MutexLock lock(mutex_);
      if (ending_) return;
      if (!held_) {
        waiting.push_back({listener_.get(), POLLIN, 0});
        for (const auto& link : links_) {
          waiting.push_back({link->client.get(), POLLIN, 0});
          waiting.push_back({link->server.get(), POLLIN, 0});
        }
      }
      delay = delay_;
    }
    poll(waiting.data(), waiting.size(), -1);
    if (delay > absl::ZeroDuration()) absl::SleepFor(delay);

    const MutexLock lock(mutex_);
    uint64_t ignored = 0;
    const bool woken = read(wake_.get(), &ignored, sizeof ignored) > 0;
    // What is to be waited for has changed.
    if (woken || held_) continue;
    const auto is_ready = [&](int descriptor) {
      return std::any_of(waiting.begin(), waiting.end(), [&](const pollfd& one) {
        return one.fd == descriptor && one.revents != 0;
      });
    };
    bool cut = false;
    links_.erase(std::remove_if(links_.begin(), links_.end(),
                                [&](const std::unique_ptr<Link>& link) {
                                  const int client = link->client.get();
                                  const int server = link->server.get();
                                  if (is_ready(client) && !Forward(client, server)) return true;
                                  if (cut || !is_ready(server)) return false;
                                  cut = IsLastAnswer();
                                  return !cut && !Forward(server, client);
                                }),
                 links_.end());
    if (cut) links_.clear();
    if (is_ready(listener_.get())) Accept();
  }
}

void ConnectionProxy::Accept() {
  UniqueFd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  UniqueFd server = NewSocket();
  const sockaddr_un address = AddressOf(SocketIn(server_.at("host"), server_));
  // A server that is not there: the client is closed with this function, before it has said a word.
  if (client.get() < 0 ||
      connect(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return;
  }
  links_.push_back(std::make_unique<Link>(Link{std::move(client), std::move(server)}));
}

bool ConnectionProxy::Forward(int from, int to) {
  std::array<char, 65536> buffer;
  const ssize_t size = recv(from, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (size < 0 && errno == EAGAIN) return true;
  return size > 0 && SendAll(to, buffer.data(), static_cast<size_t>(size));
}

bool ConnectionProxy::IsLastAnswer() {
  ++answers_;
  answered_.NotifyAll();
  if (answers_ != cut_at_answer_) return false;
  cut_at_answer_ = 0;
  return true;
}

void ConnectionProxy::Wake() const {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof one);
}

}  // namespace migd
