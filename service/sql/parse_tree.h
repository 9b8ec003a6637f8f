// Statements as PostgreSQL's own grammar reads them (libpg_query, the grammar of PostgreSQL 15).
#pragma once

#include <pg_query.h>
#include <pg_query/pg_query.pb-c.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "service/script/statement.h"
#include "service/sql/tree_copy.h"

namespace migd {

// The tree of one statement. The locations in it are bytes from the beginning of the statement.
class ParseTree {
 public:
  // Reads one statement, without COPY data. Inside RunOnDeepStack, where the tree must also be
  // used: both go as deep as the statement is nested, and a process whose stack ends there dies.
  static ParseTree Read(absl::string_view statement);

  // Null if the grammar cannot read the statement. That says nothing against it: it may be of a
  // later PostgreSQL, or too large (over 128 KB) to be worth it.
  const PgQuery__Node* root() const;
  // Why it could not be read; empty if it was.
  const std::string& problem() const { return problem_; }

 private:
  TreeMemory memory_;
  const PgQuery__ParseResult* result_ = nullptr;
  std::string problem_;
};

// Runs `work` to its end on a thread whose stack is deep enough for any statement that
// ParseTree::Read reads, and for walking its tree. Costs a thread: read many statements in one go.
void RunOnDeepStack(const std::function<void()>& work);
// The same for parts of the range from 0 to `count`, side by side if there is much to do.
void RunOnDeepStacks(size_t count, const std::function<void(size_t begin, size_t end)>& work);

// The trees of `statements`, with none for those that `is_read` says no to; read side by side if
// there are many. Called on a deep stack.
std::vector<absl::optional<ParseTree>> ReadTrees(
    absl::Span<const Statement> statements, const std::function<bool(const Statement&)>& is_read);

}  // namespace migd
