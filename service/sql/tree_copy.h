// Copies of libpg_query's trees, in memory of their own. Pure.
#pragma once

#include <pg_query/pg_query.pb-c.h>

#include <cstddef>
#include <memory>
#include <vector>

namespace migd {

// Memory that is freed all at once. Used by one thread at a time.
class TreeMemory {
 public:
  // As aligned as malloc's; not initialized.
  void* Allocate(size_t size);

 private:
  std::vector<std::unique_ptr<char[]>> blocks_;
  // Of the last block.
  size_t size_ = 0;
  size_t used_ = 0;
};

// `message` and all beneath it, in `memory`.
ProtobufCMessage* CopyOf(const ProtobufCMessage& message, TreeMemory& memory);

}  // namespace migd
