// Takes the connections of all listeners.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "service/base/unique_fd.h"

namespace migd {

// Accepts connections and hands them to others, on a thread of its own, those of gRPC and those of
// HTTP. gRPC 1.51 could do so by itself, but stops to listen for good when it has run out of
// descriptors once (CVE-2023-4785), has no limit to how many there are, and does not tell who is at
// the other end of a unix socket.
class Acceptor {
 public:
  // At most `most_connections` are open at a time; more are closed at once.
  explicit Acceptor(int most_connections);
  // Stops.
  ~Acceptor();

  // Owns a connection from now on; called on the acceptor's thread. Returns its descriptor, which
  // can be another than it was; -1 if it is closed already.
  using Handler = std::function<int(UniqueFd connection)>;

  // Hands what `listening` accepts to `handler`, after Start. The socket listens, does not block,
  // and must outlive the acceptor.
  void Add(int listening, Handler handler);

  void Start();
  // Accepts nothing from now on. Waits for a handler that is under way.
  void Stop();

 private:
  struct Source {
    int listening;
    Handler handler;
  };

  void Run();
  // False if the process has no descriptor left.
  bool AcceptSome(const Source& source);
  bool HasRoom();
  // Now and then.
  void Complain(const std::string& problem);

  const int most_connections_;
  std::vector<Source> sources_;
  UniqueFd stop_;  // an eventfd

  // --- For the thread ---
  // Those that were open when it was looked last, and their inodes: a descriptor that has another
  // is another file by now.
  std::map<int, unsigned long> open_;
  absl::Time next_look_ = absl::InfinitePast();
  absl::Time next_complaint_ = absl::InfinitePast();

  std::thread thread_;
};

}  // namespace migd
