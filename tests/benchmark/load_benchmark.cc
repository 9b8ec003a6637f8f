// From files to a graph that is known to be well-formed.

#include "absl/time/clock.h"
#include "service/revision/revision_graph.h"
#include "tests/benchmark/samples.h"

namespace migd {
namespace {

// The first call of a server: every file is read.
void Load(benchmark::State& state, Shape shape) {
  const int count = static_cast<int>(state.range(0));
  const std::string& path = FilesOf(shape, count).path();
  for (auto _ : state) {
    benchmark::DoNotOptimize(Value(ScriptDirectory(path).Load()));
  }
  state.SetComplexityN(count);
}
BENCHMARK_CAPTURE(Load, chain, &Chain)->Apply(Sizes);
BENCHMARK_CAPTURE(Load, modules, &Modules)->Apply(Sizes);

// Every later call: the files are only looked at.
void LoadAgain(benchmark::State& state, Shape shape) {
  const int count = static_cast<int>(state.range(0));
  ScriptDirectory directory(FilesOf(shape, count).path());
  // A file that changed within the last two seconds is read once more.
  absl::SleepFor(absl::Seconds(2));
  Value(directory.Load());
  for (auto _ : state) benchmark::DoNotOptimize(Value(directory.Load()));
  state.SetComplexityN(count);
}
BENCHMARK_CAPTURE(LoadAgain, chain, &Chain)->Apply(Sizes);

// One file is touched by somebody: all are looked at, one is read, and the graph is made anew.
void LoadAfterAChange(benchmark::State& state, Shape shape) {
  const int count = static_cast<int>(state.range(0));
  const TemporaryDirectory& files = FilesOf(shape, count);
  ScriptDirectory directory(files.path());
  absl::SleepFor(absl::Seconds(2));
  Value(directory.Load());
  Revision changed = shape(1).front();
  for (auto _ : state) {
    state.PauseTiming();
    changed.message += ".";
    files.Write(changed.path, FileOf(changed));
    state.ResumeTiming();
    benchmark::DoNotOptimize(Value(directory.Load()));
  }
  state.SetComplexityN(count);
}
BENCHMARK_CAPTURE(LoadAfterAChange, chain, &Chain)->Apply(Sizes);

void CreateGraph(benchmark::State& state, Shape shape) {
  const int count = static_cast<int>(state.range(0));
  const std::vector<Revision> revisions = shape(count);
  for (auto _ : state) benchmark::DoNotOptimize(Value(RevisionGraph::Create(revisions)));
  state.SetComplexityN(count);
}
MEASURE_SHAPES(CreateGraph);

}  // namespace
}  // namespace migd
