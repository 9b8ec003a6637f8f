#include "service/schema/schema.h"

namespace migd {
namespace {

using migration::v1::SchemaDifference;

SchemaDifference Describe(SchemaDifference::Kind kind, const SchemaKey& key) {
  SchemaDifference difference;
  difference.set_kind(kind);
  difference.set_object_kind(key.first);
  difference.set_object_name(key.second);
  return difference;
}

// Whether `other` lacks what `object` belongs to, which then says it all.
bool GoesWithItsOwner(const SchemaObject& object, const Schema& other) {
  if (object.owner.empty()) return false;
  for (const auto& [key, unused] : other) {
    if (key.second == object.owner) return false;
  }
  return true;
}

std::string ValueOf(const SchemaObject& object, const std::string& attribute) {
  const auto found = object.attributes.find(attribute);
  return found == object.attributes.end() ? "" : found->second;
}

void CompareAttributes(const SchemaObject& expected, const SchemaObject& actual,
                       SchemaDifference& difference) {
  std::map<std::string, std::string> names = expected.attributes;
  names.insert(actual.attributes.begin(), actual.attributes.end());
  for (const auto& [name, unused] : names) {
    const std::string wanted = ValueOf(expected, name);
    const std::string found = ValueOf(actual, name);
    if (wanted == found) continue;
    auto& attribute = *difference.add_attributes();
    attribute.set_attribute(name);
    attribute.set_expected(wanted);
    attribute.set_actual(found);
  }
}

}  // namespace

std::vector<SchemaDifference> CompareSchemas(const Schema& expected, const Schema& actual) {
  std::map<SchemaKey, SchemaDifference> differences;
  for (const auto& [key, object] : expected) {
    const auto found = actual.find(key);
    if (found == actual.end()) {
      if (GoesWithItsOwner(object, actual)) continue;
      SchemaDifference difference = Describe(SchemaDifference::KIND_MISSING, key);
      difference.set_expected_definition(object.definition);
      differences[key] = std::move(difference);
      continue;
    }
    SchemaDifference difference = Describe(SchemaDifference::KIND_DIFFERENT, key);
    CompareAttributes(object, found->second, difference);
    if (difference.attributes().empty()) continue;
    difference.set_expected_definition(object.definition);
    difference.set_actual_definition(found->second.definition);
    differences[key] = std::move(difference);
  }
  for (const auto& [key, object] : actual) {
    if (expected.count(key) > 0 || GoesWithItsOwner(object, expected)) continue;
    SchemaDifference difference = Describe(SchemaDifference::KIND_UNEXPECTED, key);
    difference.set_actual_definition(object.definition);
    differences[key] = std::move(difference);
  }
  std::vector<SchemaDifference> result;
  for (auto& [key, difference] : differences) result.push_back(std::move(difference));
  return result;
}

}  // namespace migd
