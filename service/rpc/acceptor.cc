#include "service/rpc/acceptor.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "service/base/log.h"

namespace migd {
namespace {

// So many are accepted of one listener before the others have their turn.
constexpr int kAtOnce = 64;
// Without descriptors: how long until it is tried again.
constexpr int kPauseMilliseconds = 100;
constexpr absl::Duration kBetweenComplaints = absl::Seconds(10);
// With as many connections as there may be: how often it is looked whether some have ended.
constexpr absl::Duration kBetweenLooks = absl::Milliseconds(100);

// 0 for a descriptor that is not open.
unsigned long InodeOf(int descriptor) {
  struct stat about = {};
  return fstat(descriptor, &about) == 0 ? about.st_ino : 0;
}

}  // namespace

Acceptor::Acceptor(int most_connections)
    : most_connections_(most_connections), stop_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Acceptor::~Acceptor() { Stop(); }

void Acceptor::Add(int listening, Handler handler) {
  sources_.push_back({listening, std::move(handler)});
}

void Acceptor::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Acceptor::Stop() {
  if (!thread_.joinable()) return;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(stop_.get(), &one, sizeof one);
  thread_.join();
}

void Acceptor::Run() {
  std::vector<pollfd> awaited = {{stop_.get(), POLLIN, 0}};
  for (const Source& source : sources_) awaited.push_back({source.listening, POLLIN, 0});
  bool has_descriptors = true;
  while (true) {
    // Without descriptors a connection that waits would wake it up again and again.
    poll(awaited.data(), has_descriptors ? awaited.size() : 1,
         has_descriptors ? -1 : kPauseMilliseconds);
    if (awaited[0].revents != 0) return;
    has_descriptors = true;
    for (const Source& source : sources_) has_descriptors = AcceptSome(source) && has_descriptors;
    if (!has_descriptors) Complain("no file descriptors are left; connections wait");
  }
}

bool Acceptor::AcceptSome(const Source& source) {
  for (int i = 0; i < kAtOnce; ++i) {
    UniqueFd connection(accept4(source.listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (connection.get() < 0) {
      // Other errors are those of a connection that is gone already.
      return errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM;
    }
    if (!HasRoom()) continue;
    const int yes = 1;  // no matter for unix sockets, which refuse it
    setsockopt(connection.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    const int descriptor = source.handler(std::move(connection));
    // One that is closed by now is none.
    const unsigned long inode = descriptor < 0 ? 0 : InodeOf(descriptor);
    if (inode != 0) open_[descriptor] = inode;
  }
  return true;
}

bool Acceptor::HasRoom() {
  const auto has_room = [&] { return static_cast<int>(open_.size()) < most_connections_; };
  const absl::Time now = absl::Now();
  if (!has_room() && now >= next_look_) {
    next_look_ = now + kBetweenLooks;
    for (auto entry = open_.begin(); entry != open_.end();) {
      entry = InodeOf(entry->first) == entry->second ? std::next(entry) : open_.erase(entry);
    }
  }
  if (has_room()) return true;
  Complain(absl::StrCat("more than ", most_connections_, " connections; new ones are closed"));
  return false;
}

void Acceptor::Complain(const std::string& problem) {
  const absl::Time now = absl::Now();
  if (now < next_complaint_) return;
  next_complaint_ = now + kBetweenComplaints;
  LogWarning(problem);
}

}  // namespace migd
