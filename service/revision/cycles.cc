#include "service/revision/cycles.h"

#include <algorithm>

namespace migd {
namespace {

// Tarjan's algorithm with an explicit stack.
class ComponentFinder {
 public:
  explicit ComponentFinder(const std::vector<std::vector<int32_t>>& edges)
      : edges_(edges), order_(edges.size(), kUnseen), low_(edges.size()), open_(edges.size()) {}

  std::vector<std::vector<int32_t>> Run() {
    for (size_t node = 0; node < edges_.size(); ++node) {
      if (order_[node] == kUnseen) Visit(static_cast<int32_t>(node));
    }
    return std::move(components_);
  }

 private:
  static constexpr int32_t kUnseen = -1;

  struct Frame {
    int32_t node;
    size_t next_edge;
  };

  void Visit(int32_t start) {
    Enter(start);
    while (!stack_.empty()) {
      const int32_t node = stack_.back().node;
      if (stack_.back().next_edge == edges_[node].size()) {
        Leave();
        continue;
      }
      const int32_t next = edges_[node][stack_.back().next_edge++];
      if (order_[next] == kUnseen) {
        Enter(next);
      } else if (open_[next]) {
        low_[node] = std::min(low_[node], order_[next]);
      }
    }
  }

  void Enter(int32_t node) {
    order_[node] = low_[node] = count_++;
    open_[node] = true;
    members_.push_back(node);
    stack_.push_back({node, 0});
  }

  void Leave() {
    const int32_t node = stack_.back().node;
    stack_.pop_back();
    if (!stack_.empty()) {
      int32_t& low = low_[stack_.back().node];
      low = std::min(low, low_[node]);
    }
    if (low_[node] == order_[node]) CloseComponent(node);
  }

  void CloseComponent(int32_t root) {
    std::vector<int32_t> component;
    int32_t member;
    do {
      member = members_.back();
      members_.pop_back();
      open_[member] = false;
      component.push_back(member);
    } while (member != root);
    std::sort(component.begin(), component.end());
    components_.push_back(std::move(component));
  }

  const std::vector<std::vector<int32_t>>& edges_;
  std::vector<int32_t> order_;
  std::vector<int32_t> low_;
  std::vector<bool> open_;
  std::vector<int32_t> members_;
  std::vector<Frame> stack_;
  int32_t count_ = 0;
  std::vector<std::vector<int32_t>> components_;
};

}  // namespace

std::vector<std::vector<int32_t>> StronglyConnectedComponents(
    const std::vector<std::vector<int32_t>>& edges) {
  return ComponentFinder(edges).Run();
}

}  // namespace migd
