// Plans over all revisions there are.

#include "service/execute/plan_report.h"
#include "service/plan/planner.h"
#include "tests/benchmark/samples.h"

namespace migd {
namespace {

void UpgradeToHeads(benchmark::State& state, Shape shape) {
  const RevisionGraph& graph = GraphOf(shape, static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(Value(PlanUpgrade(graph, {}, "heads")));
  state.SetComplexityN(state.range(0));
}
MEASURE_SHAPES(UpgradeToHeads);

void DowngradeToBase(benchmark::State& state, Shape shape) {
  const RevisionGraph& graph = GraphOf(shape, static_cast<int>(state.range(0)));
  const VersionRows rows = RowsAtHeads(graph);
  for (auto _ : state) benchmark::DoNotOptimize(Value(PlanDowngrade(graph, rows, "base")));
  state.SetComplexityN(state.range(0));
}
MEASURE_SHAPES(DowngradeToBase);

// What most deployments do: the last revision is missing.
void UpgradeByOne(benchmark::State& state, Shape shape) {
  const RevisionGraph& graph = GraphOf(shape, static_cast<int>(state.range(0)));
  const VersionRows heads = RowsAtHeads(graph);
  const VersionRows rows = Value(PlanDowngrade(graph, heads, "-1")).resulting_rows;
  for (auto _ : state) benchmark::DoNotOptimize(Value(PlanUpgrade(graph, rows, "heads")));
  state.SetComplexityN(state.range(0));
}
BENCHMARK_CAPTURE(UpgradeByOne, chain, &Chain)->Apply(Sizes);

// The answer holds the rows after each step; with ever more heads it grows as their square, and so
// `branches` goes no further than 5,000 heads.
void DescribeUpgrade(benchmark::State& state, Shape shape) {
  const ScriptSet& scripts = ScriptsOf(shape, static_cast<int>(state.range(0)));
  const Plan plan = Value(PlanUpgrade(scripts.graph(), {}, "heads"));
  state.counters["bytes"] = static_cast<double>(DescribePlan(scripts, plan).ByteSizeLong());
  for (auto _ : state) benchmark::DoNotOptimize(DescribePlan(scripts, plan));
  state.SetComplexityN(state.range(0));
}
BENCHMARK_CAPTURE(DescribeUpgrade, chain, &Chain)->Apply(Sizes);
BENCHMARK_CAPTURE(DescribeUpgrade, diamonds, &Diamonds)->Apply(Sizes);
BENCHMARK_CAPTURE(DescribeUpgrade, modules, &Modules)->Apply(Sizes);
BENCHMARK_CAPTURE(DescribeUpgrade, branches, &Branches)
    ->Arg(1000)
    ->Arg(10000)
    ->Complexity(benchmark::oNSquared)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace migd
