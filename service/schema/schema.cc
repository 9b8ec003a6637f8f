#include "service/schema/schema.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "service/schema/canonical_sql.h"

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

// Whether `other` lacks what `object` goes with, which then says it all.
bool GoesWithItsOwner(const SchemaObject& object, const Schema& other) {
  return std::any_of(object.owners.begin(), object.owners.end(),
                     [&](const SchemaKey& owner) { return other.count(owner) == 0; });
}

std::string ValueOf(const SchemaObject& object, const std::string& attribute) {
  const auto found = object.attributes.find(attribute);
  return found == object.attributes.end() ? "" : found->second;
}

bool SameValue(const std::string& a, const std::string& b) {
  return a == b || CanonicalSql(a) == CanonicalSql(b);
}

void CompareAttributes(const SchemaObject& expected, const SchemaObject& actual,
                       SchemaDifference& difference) {
  std::map<std::string, std::string> names = expected.attributes;
  names.insert(actual.attributes.begin(), actual.attributes.end());
  for (const auto& [name, unused] : names) {
    const std::string wanted = ValueOf(expected, name);
    const std::string found = ValueOf(actual, name);
    if (SameValue(wanted, found)) continue;
    auto& attribute = *difference.add_attributes();
    attribute.set_attribute(name);
    attribute.set_expected(wanted);
    attribute.set_actual(found);
  }
}

// The kind in front of a pattern's name, or nothing: `kind:schema.name`.
bool SplitKind(absl::string_view pattern, absl::string_view& kind, absl::string_view& name) {
  const size_t colon = pattern.find(':');
  if (colon == pattern.npos) return false;
  kind = pattern.substr(0, colon);
  name = pattern.substr(colon + 1);
  // A quoted name may have a colon in it; a kind is words.
  return kind.find_first_not_of("abcdefghijklmnopqrstuvwxyz- *?") == kind.npos;
}

bool MatchesKey(absl::string_view pattern, const SchemaKey& key) {
  absl::string_view kind;
  absl::string_view name;
  if (SplitKind(pattern, kind, name)) {
    return MatchesPattern(kind, key.first) && MatchesPattern(name, key.second);
  }
  return MatchesPattern(pattern, key.second);
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
  result.reserve(differences.size());
  for (auto& [key, difference] : differences) result.push_back(std::move(difference));
  return result;
}

void KeepSchemas(const std::vector<std::string>& names, Schema& schema) {
  const std::set<std::string> kept(names.begin(), names.end());
  for (auto object = schema.begin(); object != schema.end();) {
    object = kept.count(object->second.schema) > 0 ? std::next(object) : schema.erase(object);
  }
}

bool MatchesPattern(absl::string_view pattern, absl::string_view text) {
  // Where to go on after a mismatch: behind the last star, with one more character for it.
  size_t star = pattern.npos;
  size_t resumed = 0;
  size_t p = 0;
  size_t t = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resumed = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != pattern.npos) {
      p = star + 1;
      t = ++resumed;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == pattern.npos;
}

const std::vector<std::string>& SchemaKinds() {
  static const auto& kinds = *new std::vector<std::string>{"access method",
                                                           "aggregate",
                                                           "cast",
                                                           "check constraint",
                                                           "collation",
                                                           "column",
                                                           "conversion",
                                                           "default privileges",
                                                           "domain",
                                                           "event trigger",
                                                           "exclusion constraint",
                                                           "extension",
                                                           "foreign data wrapper",
                                                           "foreign key",
                                                           "foreign table",
                                                           "function",
                                                           "index",
                                                           "language",
                                                           "materialized view",
                                                           "operator",
                                                           "operator class",
                                                           "operator family",
                                                           "policy",
                                                           "primary key",
                                                           "procedure",
                                                           "publication",
                                                           "rule",
                                                           "schema",
                                                           "sequence",
                                                           "server",
                                                           "statistics",
                                                           "table",
                                                           "text search configuration",
                                                           "text search dictionary",
                                                           "text search parser",
                                                           "text search template",
                                                           "transform",
                                                           "trigger",
                                                           "type",
                                                           "unique constraint",
                                                           "user mapping",
                                                           "view"};
  return kinds;
}

std::string UnknownKind(absl::string_view pattern) {
  absl::string_view kind;
  absl::string_view name;
  if (!SplitKind(pattern, kind, name)) return "";
  const bool known =
      std::any_of(SchemaKinds().begin(), SchemaKinds().end(),
                  [&](const std::string& candidate) { return MatchesPattern(kind, candidate); });
  return known ? "" : std::string(kind);
}

bool IsIgnored(const std::vector<std::string>& patterns, const SchemaKey& key,
               const SchemaObject* object) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    if (MatchesKey(pattern, key)) return true;
    return object != nullptr &&
           std::any_of(object->owners.begin(), object->owners.end(),
                       [&](const SchemaKey& owner) { return MatchesKey(pattern, owner); });
  });
}

}  // namespace migd
