// What the rules ask of libpg_query's trees again and again. Pure; on the stack of RunOnDeepStack.
#pragma once

#include <pg_query/pg_query.pb-c.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace migd {

// The name of an object, as PostgreSQL folds it.
struct ObjectName {
  // Empty if the statement names none: then any schema of the search_path may be meant.
  std::string schema;
  std::string name;

  // `schema.name`, quoted where SQL needs it: for the catalogue, and for people.
  std::string Quoted() const;
  // The two may name the same object.
  bool MayBe(const ObjectName& other) const;
  friend auto operator<=>(const ObjectName&, const ObjectName&) = default;
};

// Names of objects of one kind.
class ObjectNames {
 public:
  void Add(const ObjectName& name) { names_.insert(name); }
  void Remove(const ObjectName& name);
  bool MayHave(const ObjectName& name) const;
  const std::set<ObjectName>& all() const { return names_; }

 private:
  std::set<ObjectName> names_;
};

// `name` as SQL: as it is, or in quotes if it needs them.
std::string QuotedName(absl::string_view name);

// The text of a String node; empty for others.
std::string TextOf(const PgQuery__Node* node);
ObjectName ObjectOf(const PgQuery__RangeVar* relation);
// Of a qualified name as a list of String nodes.
ObjectName ObjectOf(PgQuery__Node** parts, size_t count);
// Of an object in DROP, RENAME and their like, however that kind of object is named.
ObjectName ObjectOf(const PgQuery__Node* object);

// The name of a type without its schema, as the catalogue has it: int4, bpchar, text, serial.
std::string TypeOf(const PgQuery__TypeName* type);
// As people write it: integer, char, text.
std::string TypeText(const PgQuery__TypeName* type);

// The functions that an expression calls, by name.
void ForEachCall(const PgQuery__Node* expression,
                 const std::function<void(const ObjectName& function, size_t offset)>& visit);

// The columns of which a CHECK expression says that they are not null.
std::vector<std::string> NotNullColumns(const PgQuery__Node* expression);

// The constraint in the node, null if it is none.
const PgQuery__Constraint* ConstraintOf(const PgQuery__Node* node);
// The first constraint of a column of this kind; null if there is none.
const PgQuery__Constraint* FindConstraint(const PgQuery__ColumnDef& column,
                                          PgQuery__ConstrType kind);

// Whether an option of the list is called `name` and not switched off.
bool HasOption(PgQuery__Node* const* options, size_t count, absl::string_view name);

// Where the commands of ALTER TABLE begin in its text, which names its relation at `relation`.
std::vector<size_t> CommandOffsets(absl::string_view sql, size_t relation);

}  // namespace migd
