// What the benchmarks measure with: sets of migration files in the shapes of large_graph.h.
#pragma once

#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "benchmark/benchmark.h"
#include "service/plan/plan.h"
#include "service/script/script_directory.h"
#include "tests/support/large_graph.h"
#include "tests/support/temporary_directory.h"

namespace migd {

using Shape = std::vector<Revision> (*)(int count);

// The value of a call that cannot fail on the samples.
template <typename T>
T Value(absl::StatusOr<T> result) {
  if (!result.ok()) {
    std::cerr << result.status() << "\n";
    std::abort();
  }
  return *std::move(result);
}

// The revisions of a shape. What these functions return is made at the first call for a shape and a
// size, and kept while the next calls of the function are for the same.
const ScriptSet& ScriptsOf(Shape shape, int count);
// The graph alone.
const RevisionGraph& GraphOf(Shape shape, int count);

// A directory with these files.
const TemporaryDirectory& FilesOf(Shape shape, int count);

// The rows of a database that has everything.
VersionRows RowsAtHeads(const RevisionGraph& graph);

// A thousand, ten thousand and a hundred thousand revisions, whose cost should grow as they do.
void Sizes(benchmark::internal::Benchmark* benchmark);

// Measures `function` with each shape of revisions that projects have.
#define MEASURE_SHAPES(function)                                                   \
  BENCHMARK_CAPTURE(function, chain, &Chain)->Apply(Sizes);                        \
  BENCHMARK_CAPTURE(function, branches, &Branches)->Apply(Sizes);                  \
  BENCHMARK_CAPTURE(function, diamonds, &Diamonds)->Apply(Sizes);                  \
  BENCHMARK_CAPTURE(function, merge_tree, &MergeTree)->Apply(Sizes);               \
  BENCHMARK_CAPTURE(function, wide_merge, &WideMerge)->Apply(Sizes);               \
  BENCHMARK_CAPTURE(function, followed_branch, &FollowedBranch)->Apply(Sizes);     \
  BENCHMARK_CAPTURE(function, modules, &Modules)->Apply(Sizes);                    \
  BENCHMARK_CAPTURE(function, dependent_chain, &DependentChain)->Apply(Sizes);     \
  BENCHMARK_CAPTURE(function, wide_dependency, &WideDependency)->Apply(Sizes);     \
  BENCHMARK_CAPTURE(function, comb, &Comb)->Apply(Sizes);                          \
  BENCHMARK_CAPTURE(function, labelled_branches, &LabelledBranches)->Apply(Sizes); \
  BENCHMARK_CAPTURE(function, random_tree, &RandomTree)->Apply(Sizes);             \
  BENCHMARK_CAPTURE(function, random_graph, &RandomGraph)->Apply(Sizes)

}  // namespace migd
