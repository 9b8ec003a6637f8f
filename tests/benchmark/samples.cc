#include "tests/benchmark/samples.h"

#include <memory>

namespace migd {
namespace {

template <typename T>
struct Sample {
  Shape shape = nullptr;
  int count = 0;
  std::unique_ptr<const T> value;
};

// Measurements of one shape and size follow one another, and each is taken several times.
template <typename T, typename Make>
const T& Remember(Sample<T>& sample, Shape shape, int count, Make make) {
  if (sample.shape != shape || sample.count != count) {
    sample.value.reset();  // before the next one is made: they are large
    sample.value = make();
    sample.shape = shape;
    sample.count = count;
  }
  return *sample.value;
}

std::unique_ptr<ScriptSet> MakeScripts(Shape shape, int count) {
  std::vector<std::shared_ptr<const MigrationFile>> files;
  for (const Revision& revision : shape(count)) {
    files.push_back(MigrationFile::Parse(revision.path, FileOf(revision)).file);
  }
  return std::make_unique<ScriptSet>(Value(RevisionGraph::Create(shape(count))), std::move(files));
}

}  // namespace

const ScriptSet& ScriptsOf(Shape shape, int count) {
  static Sample<ScriptSet> sample;
  return Remember(sample, shape, count, [&] { return MakeScripts(shape, count); });
}

const RevisionGraph& GraphOf(Shape shape, int count) {
  static Sample<RevisionGraph> sample;
  return Remember(sample, shape, count, [&] {
    return std::make_unique<RevisionGraph>(Value(RevisionGraph::Create(shape(count))));
  });
}

const TemporaryDirectory& FilesOf(Shape shape, int count) {
  static Sample<TemporaryDirectory> sample;
  return Remember(sample, shape, count, [&] {
    auto directory = std::make_unique<TemporaryDirectory>();
    for (const Revision& revision : shape(count)) {
      directory->Write(revision.path, FileOf(revision));
    }
    return directory;
  });
}

VersionRows RowsAtHeads(const RevisionGraph& graph) {
  VersionRows rows;
  for (const RevisionIndex head : graph.effective_heads()) rows.insert(graph.revision(head).id);
  return rows;
}

void Sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->RangeMultiplier(10)
      ->Range(1000, 100000)
      ->Complexity(benchmark::oN)
      ->Unit(benchmark::kMillisecond);
}

}  // namespace migd
