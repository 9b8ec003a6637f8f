#include "service/sql/tree_handover.h"

namespace migd {
namespace {

thread_local TreeHandover* handover = nullptr;

}  // namespace

TreeHandover::TreeHandover(TreeMemory& memory) : memory_(memory) { handover = this; }

TreeHandover::~TreeHandover() { handover = nullptr; }

void TreeHandover::Take(const PgQuery__ParseResult& tree) noexcept {
  tree_ = reinterpret_cast<const PgQuery__ParseResult*>(CopyOf(tree.base, memory_));
}

}  // namespace migd

// The two functions of the library that it calls, one after the other, when it has built a tree;
// the dynamic linker takes those of the program.
extern "C" {

size_t pg_query__parse_result__get_packed_size(const PgQuery__ParseResult* message) {
  if (migd::handover == nullptr) return protobuf_c_message_get_packed_size(&message->base);
  migd::handover->Take(*message);
  return 0;
}

size_t pg_query__parse_result__pack(const PgQuery__ParseResult* message, uint8_t* out) {
  const bool is_taken = migd::handover != nullptr && migd::handover->tree() != nullptr;
  return is_taken ? 0 : protobuf_c_message_pack(&message->base, out);
}

}  // extern "C"
