// Takes trees from libpg_query as it has built them.
//
// It gives them away packed, as messages of protobuf-c, in whose nodes a field for each of the 260
// kinds is asked for by all who measure, pack, unpack or free one: two thirds of the time that it
// takes to read a statement and look at it, and with deep trees its square. So what measures and
// packs a tree for libpg_query is defined here, in place of the library's own; it is called by the
// thread that reads, while the tree is there.
#pragma once

#include <pg_query/pg_query.pb-c.h>

#include "service/sql/tree_copy.h"

namespace migd {

// While one lives, the tree that its thread reads is copied into `memory`, which must outlive
// it, and the packed one is empty. Not more than one on a thread.
class TreeHandover {
 public:
  explicit TreeHandover(TreeMemory& memory);
  ~TreeHandover();
  TreeHandover(const TreeHandover&) = delete;
  TreeHandover& operator=(const TreeHandover&) = delete;

  // Null if nothing was read, or by a library that calls its own functions directly; then the
  // packed tree is there.
  const PgQuery__ParseResult* tree() const { return tree_; }

  // Called in place of the library's.
  void Take(const PgQuery__ParseResult& tree) noexcept;

 private:
  TreeMemory& memory_;
  const PgQuery__ParseResult* tree_ = nullptr;
};

}  // namespace migd
