// Strongly connected components: the cycles of a directed graph, or an order if it has none.
#pragma once

#include <cstdint>
#include <vector>

namespace migd {

// Returns the strongly connected components of the graph whose node i has edges to `edges[i]`, a
// component after all those that it leads to. A component of two or more nodes is a cycle (or
// several that share nodes), its members in ascending order. Without cycles, the result read in
// order is a topological order. Linear, iterative.
std::vector<std::vector<int32_t>> StronglyConnectedComponents(
    const std::vector<std::vector<int32_t>>& edges);

}  // namespace migd
