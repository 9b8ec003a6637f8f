// What symbols name, and the pages of a listing.

#include <algorithm>

#include "service/revision/symbol_resolution.h"
#include "service/rpc/revision_view.h"
#include "tests/benchmark/samples.h"

namespace migd {
namespace {

constexpr int kPage = 100;

// The last revision, by the shortest beginning of its id that is unique.
void ResolvePartialId(benchmark::State& state, Shape shape) {
  const RevisionGraph& graph = GraphOf(shape, static_cast<int>(state.range(0)));
  std::string symbol = graph.revision(graph.newest_first().front()).id;
  while (ResolveSymbols(graph, {}, symbol.substr(0, symbol.size() - 1)).ok()) symbol.pop_back();
  for (auto _ : state) benchmark::DoNotOptimize(Value(ResolveSymbols(graph, {}, symbol)));
  state.SetComplexityN(state.range(0));
}
BENCHMARK_CAPTURE(ResolvePartialId, chain, &Chain)->Apply(Sizes);
BENCHMARK_CAPTURE(ResolvePartialId, labelled, &LabelledBranches)->Apply(Sizes);

void ResolveHeadOfBranch(benchmark::State& state, Shape shape, const std::string& symbol) {
  const RevisionGraph& graph = GraphOf(shape, static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(Value(ResolveSymbols(graph, {}, symbol)));
  state.SetComplexityN(state.range(0));
}
BENCHMARK_CAPTURE(ResolveHeadOfBranch, modules, &Modules, "module3@head")->Apply(Sizes);
BENCHMARK_CAPTURE(ResolveHeadOfBranch, labelled, &LabelledBranches, "branch101@head")->Apply(Sizes);

// Ten steps down from a head.
void ResolveRelative(benchmark::State& state, Shape shape) {
  const RevisionGraph& graph = GraphOf(shape, static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(Value(ResolveSymbols(graph, {}, "head-10")));
  state.SetComplexityN(state.range(0));
}
BENCHMARK_CAPTURE(ResolveRelative, chain, &Chain)->Apply(Sizes);

// A page of everything, newest first, over a database that has it all.
void ListHistory(benchmark::State& state, Shape shape) {
  const ScriptSet& scripts = ScriptsOf(shape, static_cast<int>(state.range(0)));
  const VersionRows rows = RowsAtHeads(scripts.graph());
  for (auto _ : state) {
    const std::vector<RevisionIndex> listed = Value(SelectHistory(scripts.graph(), rows, ""));
    const RevisionView view(scripts, rows);
    for (int i = 0; i < kPage; ++i) benchmark::DoNotOptimize(view.Show(listed[i]));
  }
  state.SetComplexityN(state.range(0));
}
MEASURE_SHAPES(ListHistory);

// The revisions that `current` does not have yet.
void ListRange(benchmark::State& state, Shape shape) {
  const RevisionGraph& graph = GraphOf(shape, static_cast<int>(state.range(0)));
  const VersionRows rows = {graph.revision(graph.newest_first()[kPage]).id};
  for (auto _ : state) {
    benchmark::DoNotOptimize(Value(SelectHistory(graph, rows, "current:head")));
  }
  state.SetComplexityN(state.range(0));
}
BENCHMARK_CAPTURE(ListRange, chain, &Chain)->Apply(Sizes);

// Everything, with its labels.
void ShowAll(benchmark::State& state, Shape shape) {
  const ScriptSet& scripts = ScriptsOf(shape, static_cast<int>(state.range(0)));
  const RevisionView view(scripts, RowsAtHeads(scripts.graph()));
  for (auto _ : state) {
    for (RevisionIndex i = 0; i < scripts.graph().size(); ++i) {
      benchmark::DoNotOptimize(view.Show(i));
    }
  }
  state.SetComplexityN(state.range(0));
}
MEASURE_SHAPES(ShowAll);

}  // namespace
}  // namespace migd
