#include "service/sql/parse_tree.h"

#include <pthread.h>

#include <cstdlib>
#include <vector>

#include "absl/strings/str_cat.h"
#include "service/base/parallel.h"
#include "service/sql/tree_handover.h"

namespace migd {
namespace {

// A longer one is data rather than a change of the schema, and may be nested deeper than a stack
// can be.
constexpr size_t kLargestStatement = 128 << 10;

// For a term of two bytes at each level, as in 1+1+1..., with room to spare. Memory is used only as
// far as the stack grows.
constexpr size_t kStackSize = size_t{256} << 20;

// Reading fewer sections than this takes less time than to begin threads for it.
constexpr size_t kLeastPart = 16;

void* RunWork(void* argument) {
  (*static_cast<const std::function<void()>*>(argument))();
  return nullptr;
}

// Null if it cannot be read.
const PgQuery__ParseResult* Unpacked(const PgQueryProtobuf& packed, TreeMemory& memory) {
  ProtobufCAllocator allocator = {
      [](void* data, size_t size) { return static_cast<TreeMemory*>(data)->Allocate(size); },
      // With all the others.
      [](void*, void*) {}, &memory};
  return pg_query__parse_result__unpack(&allocator, packed.len,
                                        reinterpret_cast<const uint8_t*>(packed.data));
}

}  // namespace

ParseTree ParseTree::Read(absl::string_view statement) {
  ParseTree tree;
  if (statement.size() > kLargestStatement) {
    tree.problem_ = absl::StrCat("it has ", statement.size(), " bytes");
    return tree;
  }
  TreeHandover handover(tree.memory_);
  PgQueryProtobufParseResult parsed = pg_query_parse_protobuf(std::string(statement).c_str());
  if (parsed.error != nullptr) {
    tree.problem_ = parsed.error->message;
  } else {
    tree.result_ =
        handover.tree() != nullptr ? handover.tree() : Unpacked(parsed.parse_tree, tree.memory_);
    if (tree.root() == nullptr) tree.problem_ = "it is not one statement";
  }
  pg_query_free_protobuf_parse_result(parsed);
  return tree;
}

const PgQuery__Node* ParseTree::root() const {
  if (result_ == nullptr || result_->n_stmts != 1) return nullptr;
  return result_->stmts[0]->stmt;
}

void RunOnDeepStack(const std::function<void()>& work) {
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackSize);
  const int failed =
      pthread_create(&thread, &attributes, RunWork, const_cast<std::function<void()>*>(&work));
  pthread_attr_destroy(&attributes);
  // As std::thread's constructor, with which a process without room for a thread ends as well.
  if (failed != 0) std::abort();
  pthread_join(thread, nullptr);
}

void RunOnDeepStacks(size_t count, const std::function<void(size_t begin, size_t end)>& work) {
  InParallel(count, kLeastPart,
             [&work](size_t begin, size_t end) { RunOnDeepStack([&] { work(begin, end); }); });
}

std::vector<absl::optional<ParseTree>> ReadTrees(
    absl::Span<const Statement> statements, const std::function<bool(const Statement&)>& is_read) {
  std::vector<absl::optional<ParseTree>> trees(statements.size());
  const auto read = [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      if (is_read(statements[i])) trees[i] = ParseTree::Read(statements[i].text);
    }
  };
  if (statements.size() < 2 * kLeastPart) {
    read(0, statements.size());
  } else {
    RunOnDeepStacks(statements.size(), read);
  }
  return trees;
}

}  // namespace migd
