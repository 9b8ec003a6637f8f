#include "service/base/parallel.h"

#include <algorithm>
#include <future>
#include <thread>
#include <vector>

namespace migd {
namespace {

constexpr size_t kMostThreads = 8;

}  // namespace

void InParallel(size_t count, size_t least,
                const std::function<void(size_t begin, size_t end)>& work) {
  const size_t processors = std::max(1u, std::thread::hardware_concurrency());
  const size_t parts = std::clamp<size_t>(count / least, 1, std::min(processors, kMostThreads));
  std::vector<std::future<void>> others;
  for (size_t part = 1; part < parts; ++part) {
    others.push_back(
        std::async(std::launch::async, work, count * part / parts, count * (part + 1) / parts));
  }
  work(0, count / parts);
  for (std::future<void>& other : others) other.get();
}

}  // namespace migd
