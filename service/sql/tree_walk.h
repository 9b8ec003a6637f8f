// Ways through the trees of PostgreSQL's grammar.
#pragma once

#include <pg_query/pg_query.pb-c.h>

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "service/script/statement_reader.h"

namespace migd {

// A list of nodes, as the trees have them.
struct NodeList {
  PgQuery__Node** nodes;
  size_t size;

  PgQuery__Node* const* begin() const { return nodes; }
  PgQuery__Node* const* end() const { return nodes + size; }
};

// A message of a tree and the name of its kind, such as "RangeVar".
using TreeVisitor = absl::FunctionRef<void(const ProtobufCMessage& message)>;

// Calls `visit` for `root` and everything beneath it, parents before children.
void VisitTree(const ProtobufCMessage& root, TreeVisitor visit);

// The name of a message's kind in the grammar, such as "RangeVar".
absl::string_view KindOf(const ProtobufCMessage& message);

// All relations that stand anywhere beneath `root`; not the names that WITH gives to queries.
std::vector<const PgQuery__RangeVar*> RelationsIn(const ProtobufCMessage& root);

// The functions that are called anywhere beneath `root`.
std::vector<QualifiedName> FunctionsIn(const ProtobufCMessage& root);

// Whether a condition holds for every row: there is none, it is TRUE, or it compares equal
// constants, as 1 = 1 does. False where that is not plain.
bool HoldsAlways(const PgQuery__Node* condition);

// A name as the grammar has folded it.
QualifiedName NameOf(const PgQuery__RangeVar& relation);
// A name as a list of strings: [[catalog.]schema.]name.
QualifiedName NameOf(NodeList strings);
// The same of a node that is a list, a type's name, a function with arguments, or one string.
QualifiedName NameOf(const PgQuery__Node* object);
// The strings of a list.
std::vector<std::string> StringsOf(NodeList strings);
// `schema.name`.
std::string DisplayName(const QualifiedName& name);

}  // namespace migd
