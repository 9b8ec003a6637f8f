// The schema of a database as plain data: every object with what defines it.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "migration/v1/schema.pb.h"

namespace migd {

// Kind in lower case ("table", "column", "check constraint", "function" ...) and full name
// ("public.tenants", "public.tenants.id", "public.total(integer)").
using SchemaKey = std::pair<std::string, std::string>;

// One object of a schema. Two objects are the same if their attributes are; the definition is for
// people.
struct SchemaObject {
  // The schema that it is in, as the catalogue has its name, without quotes. Empty for what is in
  // none, such as an extension.
  std::string schema;
  // What it goes with: its table, for a column, a constraint, an index, a trigger, a policy; for
  // what a partition or a child has from its parent, also that of the parent.
  std::vector<SchemaKey> owners;
  // By name, as people call them: "type", "default", "not null", "privileges" ... Without what is
  // an accident of the one database: OIDs, the order of columns, who owns it.
  std::map<std::string, std::string> attributes;
  // As SQL, or close to it.
  std::string definition;
};

// All objects of a database that can be told apart by their catalogue entries, but for those of
// PostgreSQL itself, of extensions (which are one object each), and of this service.
using Schema = std::map<SchemaKey, SchemaObject>;

// In what `actual` is not `expected`, by kind and name. What goes with an object that is missing or
// unexpected is not told beside it. Takes n log n for n objects. Pure.
std::vector<migration::v1::SchemaDifference> CompareSchemas(const Schema& expected,
                                                            const Schema& actual);

// Leaves only what is in the schemas of these names, the schemas themselves among it. Pure.
void KeepSchemas(const std::vector<std::string>& names, Schema& schema);

// Whether a pattern matches all of `text`: `*` stands for any characters, `?` for one. Pure.
bool MatchesPattern(absl::string_view pattern, absl::string_view text);

// The kinds that objects have, in order.
const std::vector<std::string>& SchemaKinds();

// The kind that a pattern names (`kind:schema.name`), if there is no such kind; empty otherwise. A
// kind may have wildcards. Pure.
std::string UnknownKind(absl::string_view pattern);

// Whether one of the patterns leaves the object out: `schema.name`, or `kind:schema.name`, matched
// with its kind and name, or with those of what it goes with. Pure.
bool IsIgnored(const std::vector<std::string>& patterns, const SchemaKey& key,
               const SchemaObject* object);

}  // namespace migd
