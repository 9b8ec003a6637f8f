// The schema of a database as plain data: every object with what defines it.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "migration/v1/schema.pb.h"

namespace migd {

// One object of a schema. Two objects are the same if their attributes are; the definition is for
// people.
struct SchemaObject {
  // What it belongs to, if it does: the name of a table, for its columns, constraints, indexes,
  // triggers, policies; it goes where that goes.
  std::string owner;
  // By name, as people call them: "type", "default", "not null", "privileges" ... Without what is
  // an accident of the one database: OIDs, the order of columns, who owns it.
  std::map<std::string, std::string> attributes;
  // As SQL, or close to it.
  std::string definition;
};

// Kind in lower case ("table", "column", "check constraint", "function" ...) and full name
// ("public.tenants", "public.tenants.id", "public.total(integer)").
using SchemaKey = std::pair<std::string, std::string>;

// All objects of a database that can be told apart by their catalogue entries, but for those of
// PostgreSQL itself, of extensions (which are one object each), and of this service.
using Schema = std::map<SchemaKey, SchemaObject>;

// In what `actual` is not `expected`, by kind and name. The parts of an object that is missing or
// unexpected as a whole are not told one by one. Pure.
std::vector<migration::v1::SchemaDifference> CompareSchemas(const Schema& expected,
                                                            const Schema& actual);

}  // namespace migd
