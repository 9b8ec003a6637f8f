#include "service/execute/effect_resolution.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "service/sql/tree_walk.h"

namespace migd {
namespace {

using migration::v1::LockMode;
using migration::v1::Loss;
using migration::v1::PlannedStatement;

// Of a table with thousands of partitions the strongest locks, and the largest work, are told.
constexpr int kMostRelations = 100;

CatalogName ToCatalogName(const QualifiedName& name) { return {name.schema, name.name}; }

std::string Describe(const RelationFacts& relation) {
  return absl::StrCat(relation.schema, ".", relation.name);
}

bool HasRows(const RelationFacts& relation) {
  return relation.kind == 'r' || relation.kind == 'p' || relation.kind == 'm';
}

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// A key of the table that others may refer to, or one that refers itself.
bool IsConstraint(const std::string& kind) { return kind == "constraint" || kind == "foreign key"; }

// Whose loss the catalogue is asked about by dependencies.
bool HasDependents(const DroppedThing& dropped) {
  return dropped.kind != "trigger" && dropped.kind != "rule" && dropped.kind != "policy";
}

DropTarget ToTarget(const DroppedThing& dropped, const CatalogName& name) {
  return {dropped.kind, name, dropped.part};
}

// What is named is a type.
bool IsOfType(Reach reach) { return reach == Reach::kTablesOfType || reach == Reach::kTypedTables; }

// What is named is a relation, or something of one.
bool IsAboutRelation(const std::string& kind) {
  static const std::set<std::string>& kinds = *new std::set<std::string>{
      "table",    "view",   "materialized view", "foreign table", "index",
      "sequence", "column", "attribute",         "constraint"};
  return kinds.count(kind) > 0;
}

// Kinds whose names no search_path finds.
bool HasNoSchema(const std::string& kind) {
  return kind == "schema" || kind == "extension" || kind == "database" || kind == "role" ||
         kind == "language" || kind == "server" || kind == "foreign data wrapper";
}

// --- Types ---

// A type in parts: "timestamp(3) without time zone[]".
struct TypeParts {
  std::string name;
  std::vector<int> modifiers;
  bool is_array = false;
};

TypeParts PartsOf(absl::string_view formatted) {
  TypeParts parts;
  parts.is_array = absl::ConsumeSuffix(&formatted, "[]");
  const size_t open = formatted.find('(');
  const size_t close = formatted.find(')');
  if (open == absl::string_view::npos || close == absl::string_view::npos) {
    parts.name = std::string(formatted);
    return parts;
  }
  parts.name = absl::StrCat(formatted.substr(0, open), formatted.substr(close + 1));
  for (const absl::string_view text :
       absl::StrSplit(formatted.substr(open + 1, close - open - 1), ',')) {
    int value = 0;
    if (absl::SimpleAtoi(text, &value)) parts.modifiers.push_back(value);
  }
  return parts;
}

// The names by which the grammar calls what format_type calls otherwise.
TypeParts PartsOf(const WrittenType& type) {
  static const std::map<std::string, std::string>& names =
      *new std::map<std::string, std::string>{{"int2", "smallint"},
                                              {"int4", "integer"},
                                              {"int8", "bigint"},
                                              {"float4", "real"},
                                              {"float8", "double precision"},
                                              {"bool", "boolean"},
                                              {"varchar", "character varying"},
                                              {"bpchar", "character"},
                                              {"varbit", "bit varying"},
                                              {"timestamp", "timestamp without time zone"},
                                              {"timestamptz", "timestamp with time zone"},
                                              {"time", "time without time zone"},
                                              {"timetz", "time with time zone"}};
  const auto name = names.find(type.name.name);
  return {type.is_builtin && name != names.end() ? name->second : DisplayName(type.name),
          type.modifiers, type.is_array};
}

// As format_type has it, but that modifiers come last.
std::string Formatted(const WrittenType& type) {
  const TypeParts parts = PartsOf(type);
  return absl::StrCat(
      parts.name,
      parts.modifiers.empty() ? "" : absl::StrCat("(", absl::StrJoin(parts.modifiers, ","), ")"),
      parts.is_array ? "[]" : "");
}

// Whether the same type keeps its values when only its modifiers change: the support functions of
// PostgreSQL's length coercions (varchar_support, numeric_support, TemporalSimplify).
bool WidensModifiers(const TypeParts& from, const TypeParts& to) {
  if (from.modifiers == to.modifiers) return true;
  if (from.name == "character varying" || from.name == "bit varying") {
    return to.modifiers.empty() ||
           (!from.modifiers.empty() && to.modifiers[0] >= from.modifiers[0]);
  }
  if (from.name == "numeric") {
    if (to.modifiers.empty()) return true;
    if (from.modifiers.empty()) return false;
    const int from_scale = from.modifiers.size() > 1 ? from.modifiers[1] : 0;
    const int to_scale = to.modifiers.size() > 1 ? to.modifiers[1] : 0;
    return to_scale == from_scale && to.modifiers[0] >= from.modifiers[0];
  }
  if (absl::StartsWith(from.name, "time")) {
    return to.modifiers.empty() ||
           (!from.modifiers.empty() && to.modifiers[0] >= from.modifiers[0]);
  }
  return false;
}

bool IsTimestamp(const TypeParts& type) { return absl::StartsWith(type.name, "timestamp "); }

bool IsText(const TypeParts& type) {
  return type.name == "text" || type.name == "character varying" || type.name == "character";
}

// A type that holds text of any length holds whatever has one.
bool IsNarrowerText(const TypeParts& from, const TypeParts& to) {
  // Without a length, character is character(1).
  const bool is_limited = !to.modifiers.empty() || to.name == "character";
  if (!is_limited) return false;
  const int length = to.modifiers.empty() ? 1 : to.modifiers[0];
  return !IsText(from) || from.modifiers.empty() || from.modifiers[0] > length;
}

// Of numbers, the later the more of them; 0 for what is none.
int NumberRank(const TypeParts& type) {
  static const std::vector<std::string>& ranks = *new std::vector<std::string>{
      "", "smallint", "integer", "bigint", "real", "double precision", "numeric"};
  const auto found = std::find(ranks.begin() + 1, ranks.end(), type.name);
  return found == ranks.end() ? 0 : static_cast<int>(found - ranks.begin());
}

// How many digits numbers of the type have at most, before the point and behind it; `all` that many
// that all of them fit.
std::pair<int, int> DigitsOf(const TypeParts& type, bool all) {
  constexpr int kAny = 1000000;
  if (type.name == "smallint") return {all ? 4 : 5, 0};
  if (type.name == "integer") return {all ? 9 : 10, 0};
  if (type.name == "bigint") return {all ? 18 : 19, 0};
  // Of those that are kept exactly: FLT_DIG, DBL_DIG.
  if (type.name == "real") return {6, kAny};
  if (type.name == "double precision") return {15, kAny};
  if (type.modifiers.empty()) return {kAny, kAny};
  const int scale = type.modifiers.size() > 1 ? type.modifiers[1] : 0;
  return {type.modifiers[0] - scale, scale};
}

bool IsNarrowerNumber(const TypeParts& from, const TypeParts& to) {
  const auto [from_whole, from_fraction] = DigitsOf(from, false);
  const auto [to_whole, to_fraction] = DigitsOf(to, true);
  return to_whole < from_whole || to_fraction < from_fraction;
}

// Behind the second.
bool HasFewerDigits(const TypeParts& from, const TypeParts& to) {
  constexpr int kMostDigits = 6;
  const auto digits = [](const TypeParts& type) {
    return type.modifiers.empty() ? kMostDigits : type.modifiers[0];
  };
  return digits(to) < digits(from);
}

}  // namespace

bool IsSameType(const std::string& from, const WrittenType& to) {
  const TypeParts old_type = PartsOf(from);
  const TypeParts new_type = PartsOf(to);
  return old_type.name == new_type.name && old_type.is_array == new_type.is_array &&
         old_type.modifiers == new_type.modifiers;
}

bool KeepsStorage(const std::string& from, const WrittenType& to) {
  const TypeParts old_type = PartsOf(from);
  const TypeParts new_type = PartsOf(to);
  if (old_type.is_array || new_type.is_array) return IsSameType(from, to);
  if (old_type.name == new_type.name) return WidensModifiers(old_type, new_type);
  // Binary coercible (pg_cast), and of any length.
  if (!new_type.modifiers.empty()) return false;
  return (old_type.name == "character varying" && new_type.name == "text") ||
         (old_type.name == "text" && new_type.name == "character varying") ||
         (old_type.name == "cidr" && new_type.name == "inet");
}

absl::optional<bool> NarrowsType(const std::string& from, const WrittenType& to) {
  if (IsSameType(from, to) || KeepsStorage(from, to)) return false;
  const TypeParts old_type = PartsOf(from);
  const TypeParts new_type = PartsOf(to);
  if (old_type.is_array != new_type.is_array) return absl::nullopt;
  if (IsText(new_type)) return IsNarrowerText(old_type, new_type);
  if (NumberRank(old_type) > 0 && NumberRank(new_type) > 0) {
    return IsNarrowerNumber(old_type, new_type);
  }
  if (IsTimestamp(old_type)) {
    if (new_type.name == "date" || absl::StartsWith(new_type.name, "time ")) return true;
    // A local time does not say any more which instant it was.
    if (IsTimestamp(new_type)) {
      return HasFewerDigits(old_type, new_type) ||
             (absl::EndsWith(old_type.name, "with time zone") && old_type.name != new_type.name);
    }
  }
  if (old_type.name == "date" && IsTimestamp(new_type)) return false;
  return absl::nullopt;
}

bool RoundsValues(const std::string& from, const WrittenType& to, bool casts) {
  const TypeParts old_type = PartsOf(from);
  const TypeParts new_type = PartsOf(to);
  if (old_type.is_array != new_type.is_array) return false;
  if (NumberRank(old_type) > 0 && NumberRank(new_type) > 0) {
    const auto [old_whole, old_fraction] = DigitsOf(old_type, false);
    const auto [new_whole, new_fraction] = DigitsOf(new_type, true);
    const bool is_float = new_type.name == "real" || new_type.name == "double precision";
    return new_fraction < old_fraction || (is_float && new_whole < old_whole);
  }
  if (IsTimestamp(old_type)) {
    return new_type.name == "date" || absl::StartsWith(new_type.name, "time ") ||
           (IsTimestamp(new_type) && HasFewerDigits(old_type, new_type));
  }
  if (absl::StartsWith(old_type.name, "time ") && absl::StartsWith(new_type.name, "time ")) {
    return HasFewerDigits(old_type, new_type);
  }
  return casts && IsText(old_type) && IsText(new_type) && IsNarrowerText(old_type, new_type);
}

// --- Names ---

void NameScope::Apply(const StatementEffects& effects) {
  if (effects.search_path) search_path_ = effects.search_path;
  if (effects.resets_search_path) search_path_.reset();
  for (const Renaming& renaming : effects.renamings) {
    if (renaming.is_schema) {
      RenameSchema(renaming.from.name, renaming.to.name);
    } else if (!renaming.from_column.empty()) {
      RenameColumn(renaming);
    } else {
      Rename(renaming);
    }
  }
}

void NameScope::Rename(const Renaming& renaming) {
  std::vector<CatalogName> meanings = Meanings(renaming.from);
  const std::vector<CatalogName> from = Written(renaming.from);
  for (const CatalogName& one : from) {
    const auto named = renamed_.find(one.name);
    if (named != renamed_.end()) named->second.erase(one.schema);
  }
  // Of several schemas nobody knows in which it was.
  if (from.size() == 1) hidden_.insert(from.front());
  const CatalogName to = ToCatalogName(renaming.to);
  hidden_.erase(to);
  renamed_[to.name][to.schema] = std::move(meanings);
}

void NameScope::RenameSchema(const std::string& from, const std::string& to) {
  const auto earlier = renamed_schemas_.find(from);
  const std::string original = earlier == renamed_schemas_.end() ? from : earlier->second;
  if (earlier != renamed_schemas_.end()) renamed_schemas_.erase(earlier);
  renamed_schemas_[to] = original;
  hidden_schemas_.insert(from);
  hidden_schemas_.erase(to);
  // What was put there goes along.
  for (auto& [name, by_schema] : renamed_) {
    const auto moved = by_schema.find(from);
    if (moved == by_schema.end()) continue;
    by_schema[to] = std::move(moved->second);
    by_schema.erase(from);
  }
}

void NameScope::RenameColumn(const Renaming& renaming) {
  for (const CatalogName& relation : Meanings(renaming.from)) {
    const auto earlier = renamed_columns_.find({relation.name, renaming.from_column});
    const std::string original =
        earlier == renamed_columns_.end() ? renaming.from_column : earlier->second;
    if (earlier != renamed_columns_.end()) renamed_columns_.erase(earlier);
    renamed_columns_[{relation.name, renaming.to_column}] = original;
  }
}

std::vector<CatalogName> NameScope::Written(const QualifiedName& name) const {
  if (!name.schema.empty() || !search_path_.has_value()) return {ToCatalogName(name)};
  std::vector<CatalogName> written;
  for (const std::string& schema : *search_path_) written.push_back({schema, name.name});
  return written;
}

void NameScope::AddRenamed(const CatalogName& name, bool exactly,
                           std::vector<CatalogName>& meanings) const {
  const auto named = renamed_.find(name.name);
  if (named == renamed_.end()) return;
  for (const auto& [schema, originals] : named->second) {
    const bool is_same = schema == name.schema;
    const bool may_be_same = !is_same && (schema.empty() || name.schema.empty());
    if (exactly ? is_same : may_be_same) {
      meanings.insert(meanings.end(), originals.begin(), originals.end());
    }
  }
}

void NameScope::AddUnrenamed(const CatalogName& name, std::vector<CatalogName>& meanings) const {
  for (const std::string& schema : SchemaMeanings(name.schema)) {
    meanings.push_back({schema, name.name});
  }
}

std::vector<CatalogName> NameScope::Meanings(const QualifiedName& name) const {
  std::vector<CatalogName> meanings;
  const std::vector<CatalogName> written = Written(name);
  for (const CatalogName& one : written) {
    AddRenamed(one, true, meanings);
    if (hidden_.count(one) == 0) AddUnrenamed(one, meanings);
  }
  for (const CatalogName& one : written) AddRenamed(one, false, meanings);
  return meanings;
}

std::vector<CatalogName> NameScope::OtherMeanings(const QualifiedName& name) const {
  std::vector<CatalogName> meanings;
  for (const CatalogName& one : Written(name)) AddUnrenamed(one, meanings);
  return meanings;
}

std::vector<std::string> NameScope::SchemaMeanings(const std::string& schema) const {
  std::vector<std::string> meanings;
  const auto before = renamed_schemas_.find(schema);
  if (before != renamed_schemas_.end()) meanings.push_back(before->second);
  if (hidden_schemas_.count(schema) == 0) meanings.push_back(schema);
  return meanings;
}

std::vector<std::string> NameScope::ColumnMeanings(const CatalogName& relation,
                                                   const std::string& column) const {
  const auto before = renamed_columns_.find({relation.name, column});
  if (before == renamed_columns_.end()) return {column};
  return {before->second, column};
}

std::vector<DropTarget> NameScope::DropTargets(const DroppedThing& dropped) const {
  std::vector<DropTarget> targets;
  if (dropped.kind == "schema") {
    for (const std::string& schema : SchemaMeanings(dropped.name.name)) {
      targets.push_back({dropped.kind, {"", schema}, ""});
    }
    return targets;
  }
  if (HasNoSchema(dropped.kind)) return {ToTarget(dropped, ToCatalogName(dropped.name))};
  const bool is_other =
      dropped.kind == "function" || dropped.kind == "collation" || dropped.kind == "statistics";
  for (const CatalogName& meaning :
       is_other ? OtherMeanings(dropped.name) : Meanings(dropped.name)) {
    if (dropped.kind != "column" && dropped.kind != "attribute") {
      targets.push_back(ToTarget(dropped, meaning));
      continue;
    }
    for (const std::string& column : ColumnMeanings(meaning, dropped.part)) {
      targets.push_back({dropped.kind, meaning, column});
    }
  }
  return targets;
}

std::vector<DroppedThing> NameScope::DropsOf(const StatementEffects& effects) const {
  std::vector<DroppedThing> drops = effects.drops;
  for (const DroppedThing& dropped : effects.drops) {
    if (dropped.kind != "schema" || !dropped.cascade) continue;
    for (const auto& [name, by_schema] : renamed_) {
      if (by_schema.count(dropped.name.name) == 0) continue;
      drops.push_back({"table", {dropped.name.name, name}, "", true, true});
    }
  }
  return drops;
}

void AskAbout(const StatementEffects& effects, const NameScope& scope, CatalogQuestion& question) {
  const auto ask = [&](const QualifiedName& name, std::set<CatalogName>& names) {
    for (const CatalogName& meaning : scope.Meanings(name)) names.insert(meaning);
  };
  const auto ask_function = [&](const QualifiedName& name) {
    for (const CatalogName& meaning : scope.OtherMeanings(name)) question.functions.insert(meaning);
  };
  for (const LockNeed& lock : effects.locks) {
    ask(lock.relation, IsOfType(lock.reach) ? question.types : question.relations);
  }
  for (const WorkNeed& work : effects.works) {
    ask(work.relation, IsOfType(work.reach) ? question.types : question.relations);
    if (!work.object.name.empty()) ask(work.object, question.relations);
    if (!work.type.name.name.empty() && !work.type.is_builtin) {
      ask(work.type.name, question.types);
    }
    for (const QualifiedName& function : work.functions) ask_function(function);
  }
  for (const QualifiedName& function : effects.calls) ask_function(function);
  for (const EmptiedRelation& emptied : effects.emptied) ask(emptied.relation, question.relations);
  for (const DroppedThing& dropped : scope.DropsOf(effects)) {
    if (!HasDependents(dropped)) continue;
    for (DropTarget& target : scope.DropTargets(dropped)) question.drops.insert(std::move(target));
  }
  for (const Renaming& renaming : effects.renamings) {
    if (!renaming.is_schema) ask(renaming.from, question.relations);
  }
  for (const CreatedThing& created : effects.created) {
    if (created.is_guarded) ask(created.name, question.relations);
  }
}

absl::optional<RelationId> EffectResolver::Find(const QualifiedName& name) const {
  if (facts_ == nullptr) return absl::nullopt;
  for (const CatalogName& meaning : scope_.Meanings(name)) {
    const auto found = facts_->names.find(meaning);
    if (found != facts_->names.end() && gone_.count(found->second) == 0 &&
        facts_->relations.count(found->second) > 0) {
      return found->second;
    }
  }
  return absl::nullopt;
}

RelationId EffectResolver::TargetOf(const DroppedThing& dropped) const {
  return IsAboutRelation(dropped.kind) ? Find(dropped.name).value_or(0) : 0;
}

const RelationFacts& EffectResolver::FactsOf(RelationId id) const {
  static const RelationFacts& none = *new RelationFacts;
  const auto found = facts_->relations.find(id);
  return found == facts_->relations.end() ? none : found->second;
}

EffectResolver::FoundDrop EffectResolver::FindDrop(const DroppedThing& dropped) const {
  for (const DropTarget& target : scope_.DropTargets(dropped)) {
    const auto found = facts_->drops.find(target);
    if (found != facts_->drops.end()) return {&found->second, target.part};
  }
  return {};
}

const FunctionFacts* EffectResolver::FindFunction(const QualifiedName& name) const {
  for (const CatalogName& meaning : scope_.OtherMeanings(name)) {
    const auto found = facts_->functions.find(meaning);
    if (found != facts_->functions.end()) return &found->second;
  }
  return nullptr;
}

bool EffectResolver::CallsUnknown(const StatementEffects& effects) const {
  // What nobody reads is asked for the sake of what it does.
  const bool is_select = effects.command == "SELECT";
  if (facts_ == nullptr) return is_select && !effects.calls.empty();
  return std::any_of(effects.calls.begin(), effects.calls.end(), [&](const QualifiedName& name) {
    const FunctionFacts* function = FindFunction(name);
    // One that the plan makes may do anything, too.
    if (function == nullptr) return true;
    return function->changes_anything && (is_select || !function->is_compiled);
  });
}

bool EffectResolver::WasCreated(const QualifiedName& name) const {
  return created_.count(ToCatalogName(name)) > 0;
}

const ColumnFacts* EffectResolver::FindColumn(RelationId id, std::string column) const {
  const auto renamed = renamed_columns_.find({id, column});
  if (renamed != renamed_columns_.end()) column = renamed->second;
  if (gone_columns_.count({id, column}) > 0) return nullptr;
  const auto changed = changed_columns_.find({id, column});
  if (changed != changed_columns_.end()) return &changed->second;
  const auto& columns = FactsOf(id).columns;
  const auto found = columns.find(column);
  return found == columns.end() ? nullptr : &found->second;
}

void EffectResolver::AddDescendants(RelationId id, Ids& ids) const {
  for (const RelationId child : FactsOf(id).children) {
    if (gone_.count(child) > 0 || std::find(ids.begin(), ids.end(), child) != ids.end()) continue;
    ids.push_back(child);
    AddDescendants(child, ids);
  }
}

EffectResolver::Ids EffectResolver::Reached(const QualifiedName& name, Reach reach,
                                            const std::string& detail) const {
  Ids ids;
  if (IsOfType(reach)) {
    for (const CatalogName& meaning : scope_.Meanings(name)) {
      const auto type = facts_->types.find(meaning);
      if (type == facts_->types.end()) continue;
      return reach == Reach::kTypedTables ? type->second.typed_tables : type->second.tables;
    }
    return ids;
  }
  const absl::optional<RelationId> id = Find(name);
  if (!id) return ids;
  const RelationFacts& relation = FactsOf(*id);
  switch (reach) {
    case Reach::kItself:
      return {*id};
    case Reach::kDescendants:
      ids.push_back(*id);
      AddDescendants(*id, ids);
      return ids;
    case Reach::kTableOfIndex:
      if (relation.table != 0) {
        ids.push_back(relation.table);
        AddDescendants(relation.table, ids);
      }
      return ids;
    case Reach::kIndexes:
      return relation.indexes;
    case Reach::kOwnedSequences:
      return relation.sequences;
    case Reach::kDefaultPartition:
      if (relation.default_partition != 0) ids.push_back(relation.default_partition);
      return ids;
    default:
      break;
  }
  for (const ForeignKeyFacts& key : relation.foreign_keys) {
    const bool refers = key.referencing == *id;
    const bool referred = key.referenced == *id;
    const auto concerns = [&](const std::vector<std::string>& columns) {
      return detail.empty() || Contains(columns, detail);
    };
    if (reach == Reach::kReferenced && refers && concerns(key.referencing_columns)) {
      ids.push_back(key.referenced);
    } else if (reach == Reach::kReferencing && referred && concerns(key.referenced_columns)) {
      ids.push_back(key.referencing);
    } else if (reach == Reach::kConstraintPeer && refers && key.name == detail) {
      ids.push_back(key.referenced);
    }
  }
  if (reach == Reach::kAllReferencing) {
    Ids rest = {*id};
    while (!rest.empty()) {
      const RelationId next = rest.back();
      rest.pop_back();
      for (const ForeignKeyFacts& key : FactsOf(next).foreign_keys) {
        if (key.referenced != next || key.referencing == *id) continue;
        if (std::find(ids.begin(), ids.end(), key.referencing) != ids.end()) continue;
        ids.push_back(key.referencing);
        rest.push_back(key.referencing);
      }
    }
  }
  return ids;
}

// --- Locks ---

void EffectResolver::AddDropLocks(const StatementEffects& effects,
                                  std::map<RelationId, LockMode>& locks) const {
  for (const DroppedThing& dropped : scope_.DropsOf(effects)) {
    const DropFacts* drop = FindDrop(dropped).facts;
    if (drop == nullptr) continue;
    const LockMode mode = dropped.kind == "statistics"
                              ? migration::v1::LOCK_MODE_SHARE_UPDATE_EXCLUSIVE
                              : migration::v1::LOCK_MODE_ACCESS_EXCLUSIVE;
    for (const DropFacts::Dropped& locked : drop->locked) {
      if (locked.by_cascade && !dropped.cascade) continue;
      if (gone_.count(locked.relation) > 0) continue;
      locks[locked.relation] = std::max(locks[locked.relation], mode);
    }
    // What a partition is dropped from is no longer what its neighbours are part of.
    for (const DropFacts::Dropped& one : drop->dropped) {
      if ((one.by_cascade && !dropped.cascade) || !one.column.empty()) continue;
      const RelationId parent = FactsOf(one.relation).partition_of;
      if (parent == 0) continue;
      locks[parent] = std::max(locks[parent], mode);
      const RelationId rest = FactsOf(parent).default_partition;
      if (rest != 0) locks[rest] = std::max(locks[rest], mode);
    }
  }
}

void EffectResolver::AddLocks(const StatementEffects& effects, PlannedStatement& out) const {
  std::map<RelationId, LockMode> found;
  // Those that the catalogue does not have, by their names in the statement.
  std::map<std::string, std::pair<LockMode, bool>> written;
  for (const LockNeed& lock : effects.locks) {
    if (facts_ != nullptr) {
      for (const RelationId id : Reached(lock.relation, lock.reach, lock.detail)) {
        found[id] = std::max(found[id], lock.mode);
      }
      if (Find(lock.relation)) continue;
    }
    if (lock.reach != Reach::kItself && lock.reach != Reach::kDescendants) continue;
    auto& [mode, is_new] = written[DisplayName(lock.relation)];
    mode = std::max(mode, lock.mode);
    is_new = facts_ != nullptr || WasCreated(lock.relation);
  }
  if (facts_ != nullptr) AddDropLocks(effects, found);

  // Nor who uses a sequence beside the table that owns it.
  std::set<RelationId> owned;
  for (const auto& [id, mode] : found) {
    for (const RelationId sequence : FactsOf(id).sequences) {
      const auto lock = found.find(sequence);
      if (lock != found.end() && lock->second <= mode) owned.insert(sequence);
    }
  }

  std::vector<migration::v1::RelationLock> locks;
  for (const auto& [id, mode] : found) {
    const RelationFacts& relation = FactsOf(id);
    if (relation.kind == 'c' || owned.count(id) > 0) continue;
    // Who uses an index has locked its table: what that lock keeps away needs not be told twice.
    const auto table = found.find(relation.table);
    if (relation.table != 0 && table != found.end() && table->second >= mode) continue;
    migration::v1::RelationLock& lock = locks.emplace_back();
    lock.set_relation(Describe(relation));
    lock.set_mode(mode);
    const bool has_rows = relation.kind == 'r' || relation.kind == 'm';
    lock.set_estimated_rows(has_rows ? relation.estimated_rows : -1);
    lock.set_size_bytes(has_rows ? relation.size_bytes : -1);
  }
  for (const auto& [name, needed] : written) {
    migration::v1::RelationLock& lock = locks.emplace_back();
    lock.set_relation(name);
    lock.set_mode(needed.first);
    lock.set_is_new(needed.second);
    lock.set_estimated_rows(-1);
    lock.set_size_bytes(-1);
  }
  std::stable_sort(locks.begin(), locks.end(), [](const auto& a, const auto& b) {
    return std::make_pair(a.is_new(), -a.mode()) < std::make_pair(b.is_new(), -b.mode());
  });
  if (locks.size() > kMostRelations) locks.resize(kMostRelations);
  out.mutable_locks()->Add(locks.begin(), locks.end());
}

// --- Work ---

bool EffectResolver::ChangesStorage(const WorkNeed& work) const {
  const absl::optional<RelationId> id = Find(work.relation);
  const ColumnFacts* column = id ? FindColumn(*id, work.column) : nullptr;
  if (column == nullptr) return true;
  if (KeepsStorage(column->base_type, work.type) || ChangesZoneOnly(work)) return false;
  if (work.type.is_builtin) return true;
  for (const CatalogName& meaning : scope_.Meanings(work.type.name)) {
    const auto type = facts_->types.find(meaning);
    if (type == facts_->types.end()) continue;
    return type->second.has_constraints || work.type.is_array ||
           type->second.base_type != column->base_type;
  }
  return true;
}

// TimestampTimestampTzRequiresRewrite in timestamp.c.
bool EffectResolver::ChangesZoneOnly(const WorkNeed& work) const {
  const absl::optional<RelationId> id = Find(work.relation);
  const ColumnFacts* column = id ? FindColumn(*id, work.column) : nullptr;
  if (column == nullptr || !facts_->is_utc || has_time_zone_) return false;
  const TypeParts from = PartsOf(column->base_type);
  const TypeParts to = PartsOf(work.type);
  constexpr int kMostDigits = 6;
  return IsTimestamp(from) && IsTimestamp(to) && from.name != to.name &&
         (to.modifiers.empty() || to.modifiers[0] >= kMostDigits);
}

bool EffectResolver::IsChecked(const WorkNeed& work) const {
  const absl::optional<RelationId> id = Find(work.relation);
  const ColumnFacts* column = id ? FindColumn(*id, work.column) : nullptr;
  return column != nullptr && column->is_checked && !IsSameType(column->type, work.type);
}

std::string EffectResolver::ReasonOf(const WorkNeed& work) const {
  const absl::optional<RelationId> id = Find(work.relation);
  const ColumnFacts* column = id ? FindColumn(*id, work.column) : nullptr;
  if (work.kind != migration::v1::RELATION_WORK_KIND_REWRITE || work.type.name.name.empty() ||
      column == nullptr) {
    return work.reason;
  }
  return absl::StrCat("type of column ", work.column, " changes from ", column->type, " to ",
                      Formatted(work.type));
}

bool EffectResolver::IsNeeded(const WorkNeed& work) const {
  if (facts_ == nullptr) {
    return work.condition != WorkCondition::kObjectHasIndexes &&
           work.condition != WorkCondition::kTypeIsChecked &&
           work.condition != WorkCondition::kTypeRebuildsIndexes &&
           work.condition != WorkCondition::kDomainConstrained;
  }
  switch (work.condition) {
    case WorkCondition::kAlways:
      return true;
    case WorkCondition::kTypeChangesStorage:
      return ChangesStorage(work);
    case WorkCondition::kTypeIsChecked:
      return IsChecked(work);
    case WorkCondition::kTypeRebuildsIndexes: {
      const absl::optional<RelationId> id = Find(work.relation);
      const ColumnFacts* column = id ? FindColumn(*id, work.column) : nullptr;
      return column != nullptr && column->is_indexed && ChangesZoneOnly(work);
    }
    case WorkCondition::kColumnNullable: {
      const absl::optional<RelationId> id = Find(work.relation);
      const ColumnFacts* column = id ? FindColumn(*id, work.column) : nullptr;
      return column == nullptr || !column->proven_not_null;
    }
    case WorkCondition::kFunctionVolatile:
      return std::any_of(work.functions.begin(), work.functions.end(),
                         [this](const QualifiedName& name) {
                           const FunctionFacts* function = FindFunction(name);
                           return function == nullptr || function->is_volatile;
                         });
    case WorkCondition::kDomainConstrained:
      for (const CatalogName& meaning : scope_.Meanings(work.type.name)) {
        const auto type = facts_->types.find(meaning);
        if (type != facts_->types.end()) return type->second.has_constraints;
      }
      // One that the plan makes.
      return true;
    case WorkCondition::kObjectMissing:
      return !Find(work.object);
    case WorkCondition::kObjectHasIndexes: {
      const absl::optional<RelationId> id = Find(work.object);
      return id && !FactsOf(*id).indexes.empty();
    }
  }
  return true;
}

void EffectResolver::AddWorks(const StatementEffects& effects, PlannedStatement& out) const {
  // By relation: a rewrite has everything else in it.
  std::map<std::string, std::map<migration::v1::RelationWorkKind, migration::v1::RelationWork>>
      works;
  const auto add = [&](const WorkNeed& need, const std::string& relation, int64_t rows,
                       int64_t size) {
    const std::string reason = ReasonOf(need);
    migration::v1::RelationWork& work = works[relation][need.kind];
    work.set_kind(need.kind);
    work.set_relation(relation);
    if (!absl::StrContains(work.reason(), reason)) {
      work.set_reason(work.reason().empty() ? reason : absl::StrCat(work.reason(), ", ", reason));
    }
    work.set_estimated_rows(rows);
    work.set_size_bytes(size);
  };
  for (const WorkNeed& need : effects.works) {
    if (!IsNeeded(need)) continue;
    if (facts_ == nullptr) {
      const bool is_its_own = need.reach == Reach::kItself || need.reach == Reach::kDescendants;
      if (is_its_own && !WasCreated(need.relation)) add(need, DisplayName(need.relation), -1, -1);
      continue;
    }
    for (const RelationId id : Reached(need.relation, need.reach, need.detail)) {
      const RelationFacts& relation = FactsOf(id);
      // A partitioned table has no rows of its own.
      if (relation.kind != 'r' && relation.kind != 'm') continue;
      add(need, Describe(relation), relation.estimated_rows, relation.size_bytes);
    }
  }
  std::vector<migration::v1::RelationWork> ordered;
  for (const auto& [relation, kinds] : works) {
    for (const auto& [kind, work] : kinds) {
      const bool is_rewrite = kind == migration::v1::RELATION_WORK_KIND_REWRITE;
      if (is_rewrite || kinds.count(migration::v1::RELATION_WORK_KIND_REWRITE) == 0) {
        ordered.push_back(work);
      }
    }
  }
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const auto& a, const auto& b) { return a.size_bytes() > b.size_bytes(); });
  if (ordered.size() > kMostRelations) ordered.resize(kMostRelations);
  out.mutable_works()->Add(ordered.begin(), ordered.end());
}

// --- Losses ---

void EffectResolver::SetSize(RelationId id, bool descendants, Loss& loss) const {
  Ids ids = {id};
  if (descendants) AddDescendants(id, ids);
  int64_t rows = 0;
  int64_t bytes = 0;
  for (const RelationId one : ids) {
    const RelationFacts& relation = FactsOf(one);
    if (relation.kind == 'p') continue;
    rows = rows < 0 || relation.estimated_rows < 0 ? -1 : rows + relation.estimated_rows;
    bytes = bytes < 0 || relation.total_bytes < 0 ? -1 : bytes + relation.total_bytes;
  }
  loss.set_estimated_rows(rows);
  loss.set_size_bytes(bytes);
}

void EffectResolver::SetColumnSize(RelationId id, const std::string& column, Loss& loss) const {
  SetSize(id, true, loss);
  loss.set_size_bytes(loss.estimated_rows() == 0 ? 0 : -1);
  const ColumnFacts* facts = FindColumn(id, column);
  if (facts == nullptr || loss.estimated_rows() < 0 || facts->null_fraction < 0) return;
  const double values = static_cast<double>(loss.estimated_rows()) * (1 - facts->null_fraction);
  loss.set_estimated_rows(std::llround(values));
  loss.set_size_bytes(std::llround(values * static_cast<double>(facts->average_width)));
}

void EffectResolver::AddUnaskedLoss(const DroppedThing& dropped, PlannedStatement& out) const {
  static const std::set<std::string>& with_data =
      *new std::set<std::string>{"table",  "column",   "materialized view", "sequence",
                                 "schema", "database", "attribute",         "role"};
  if (with_data.count(dropped.kind) == 0 || WasCreated(dropped.name) ||
      created_columns_.count({ToCatalogName(dropped.name), dropped.part}) > 0) {
    return;
  }
  Loss& loss = *out.add_losses();
  loss.set_object_kind(dropped.kind == "role" ? "everything owned by" : dropped.kind);
  loss.set_object_name(dropped.part.empty()
                           ? DisplayName(dropped.name)
                           : absl::StrCat(DisplayName(dropped.name), ".", dropped.part));
  loss.set_estimated_rows(-1);
  loss.set_size_bytes(-1);
}

void EffectResolver::AddDependentLosses(const DropFacts& drop, const std::set<RelationId>& targets,
                                        const std::string& target, PlannedStatement& out) {
  for (const DropFacts::Dependent& one : drop.dependents) {
    const std::string kind = IsConstraint(one.kind) ? "constraint" : one.kind;
    const bool is_part = !one.part.empty();
    const bool is_gone =
        gone_.count(one.relation) > 0 || targets.count(one.relation) > 0 ||
        !gone_others_.insert({kind, one.relation, is_part ? one.part : one.identity}).second;
    if (is_gone) continue;
    Loss& loss = *out.add_losses();
    loss.set_object_kind(one.kind);
    loss.set_object_name(one.identity);
    loss.set_because_of(target);
  }
}

void EffectResolver::AddAttributeLosses(const DroppedThing& dropped, const std::string& attribute,
                                        const std::string& target, PlannedStatement& out) {
  for (const RelationId table : Reached(dropped.name, Reach::kTypedTables, "")) {
    if (gone_.count(table) > 0 || gone_columns_.count({table, attribute}) > 0) continue;
    Loss& loss = *out.add_losses();
    loss.set_object_kind("column");
    loss.set_object_name(absl::StrCat(Describe(FactsOf(table)), ".", attribute));
    loss.set_because_of(target);
    SetColumnSize(table, attribute, loss);
    gone_columns_.insert({table, attribute});
  }
}

void EffectResolver::AddDropLosses(const DroppedThing& dropped, const std::set<RelationId>& targets,
                                   PlannedStatement& out) {
  if (!HasDependents(dropped)) return;
  if (facts_ == nullptr) return AddUnaskedLoss(dropped, out);
  const FoundDrop found = FindDrop(dropped);
  const DropFacts* const drop = found.facts;
  if (drop == nullptr) return;
  const std::string target = absl::StrCat(dropped.kind, " ", DisplayName(dropped.name),
                                          dropped.part.empty() ? "" : ".", dropped.part);
  const RelationId itself = TargetOf(dropped);
  if (itself != 0 && !dropped.part.empty()) {
    gone_others_.insert({dropped.kind, itself, found.part});
  }

  if (dropped.kind == "database" || dropped.kind == "schema") {
    Loss& loss = *out.add_losses();
    loss.set_object_kind(dropped.kind);
    loss.set_object_name(dropped.name.name);
    // What is in a schema follows by itself.
    loss.set_estimated_rows(dropped.kind == "schema" ? 0 : -1);
    loss.set_size_bytes(dropped.kind == "schema" ? 0 : drop->size_bytes);
  }
  if (dropped.kind == "attribute") AddAttributeLosses(dropped, found.part, target, out);
  if (dropped.cascade) AddDependentLosses(*drop, targets, target, out);
  std::set<RelationId> whole;
  for (const DropFacts::Dropped& one : drop->dropped) {
    if (one.column.empty() && (dropped.cascade || !one.by_cascade)) whole.insert(one.relation);
  }
  for (const DropFacts::Dropped& one : drop->dropped) {
    if ((one.by_cascade && !dropped.cascade) || gone_.count(one.relation) > 0) continue;
    const RelationFacts& relation = FactsOf(one.relation);
    const bool is_target = itself == one.relation && one.column == found.part;
    if (!one.column.empty()) {
      if (whole.count(one.relation) > 0 || !HasRows(relation)) continue;
      if (!gone_columns_.insert({one.relation, one.column}).second) continue;
      Loss& loss = *out.add_losses();
      loss.set_object_kind("column");
      loss.set_object_name(absl::StrCat(Describe(relation), ".", one.column));
      gone_columns_.erase({one.relation, one.column});
      SetColumnSize(one.relation, one.column, loss);
      gone_columns_.insert({one.relation, one.column});
      if (!is_target) loss.set_because_of(target);
      continue;
    }
    gone_.insert(one.relation);
    const bool is_sequence = relation.kind == 'S' && is_target;
    if (!HasRows(relation) && !is_sequence) continue;
    Loss& loss = *out.add_losses();
    loss.set_object_kind(is_sequence            ? "sequence"
                         : relation.kind == 'm' ? "materialized view"
                                                : "table");
    loss.set_object_name(Describe(relation));
    SetSize(one.relation, false, loss);
    if (is_sequence) loss.set_estimated_rows(1);
    if (!is_target) loss.set_because_of(target);
  }
}

void EffectResolver::AddValueLosses(const EmptiedRelation& emptied, RelationId id,
                                    PlannedStatement& out) const {
  for (const std::string& column : emptied.columns) {
    // A column that the plan has added has had no values.
    if (FindColumn(id, column) == nullptr) continue;
    Loss& loss = *out.add_losses();
    loss.set_object_kind("values");
    loss.set_object_name(absl::StrCat(Describe(FactsOf(id)), ".", column));
    SetColumnSize(id, column, loss);
  }
}

void EffectResolver::AddRounded(const WorkNeed& work, PlannedStatement& out) const {
  if (facts_ == nullptr || work.condition != WorkCondition::kTypeChangesStorage) return;
  const absl::optional<RelationId> id = RetypedRelation(work);
  const ColumnFacts* column = id ? FindColumn(*id, work.column) : nullptr;
  if (column == nullptr || !RoundsValues(column->base_type, work.type, work.casts)) return;
  Loss& loss = *out.add_losses();
  loss.set_object_kind("precision");
  loss.set_object_name(absl::StrCat(Describe(FactsOf(*id)), ".", work.column));
  SetColumnSize(*id, work.column, loss);
}

void EffectResolver::AddEmptied(const EmptiedRelation& emptied, PlannedStatement& out) const {
  if (facts_ == nullptr) {
    if (WasCreated(emptied.relation)) return;
    const CatalogName table = ToCatalogName(emptied.relation);
    const auto add = [&](absl::string_view kind, const std::string& name) {
      Loss& loss = *out.add_losses();
      loss.set_object_kind(std::string(kind));
      loss.set_object_name(name);
      loss.set_estimated_rows(-1);
      loss.set_size_bytes(-1);
    };
    const std::string name = DisplayName(emptied.relation);
    if (emptied.columns.empty()) add("rows", name);
    for (const std::string& column : emptied.columns) {
      if (created_columns_.count({table, column}) == 0) {
        add("values", absl::StrCat(name, ".", column));
      }
    }
    return;
  }
  const absl::optional<RelationId> id = Find(emptied.relation);
  if (!id) return;
  if (!emptied.columns.empty()) return AddValueLosses(emptied, *id, out);
  const auto add = [&](RelationId one, bool descendants) -> Loss& {
    Loss& loss = *out.add_losses();
    loss.set_object_kind("rows");
    loss.set_object_name(Describe(FactsOf(one)));
    SetSize(one, descendants, loss);
    return loss;
  };
  add(*id, emptied.descendants);
  if (!emptied.cascade) return;
  for (const RelationId other : Reached(emptied.relation, Reach::kAllReferencing, "")) {
    add(other, true).set_because_of(absl::StrCat("rows ", Describe(FactsOf(*id))));
  }
}

void EffectResolver::AddLosses(const StatementEffects& effects, PlannedStatement& out) {
  for (const EmptiedRelation& emptied : effects.emptied) AddEmptied(emptied, out);
  for (const WorkNeed& work : effects.works) AddRounded(work, out);
  std::set<RelationId> targets;
  const std::vector<DroppedThing> drops = scope_.DropsOf(effects);
  for (const DroppedThing& dropped : drops) {
    const RelationId target = dropped.part.empty() ? TargetOf(dropped) : 0;
    if (target != 0) targets.insert(target);
  }
  for (const DroppedThing& dropped : drops) AddDropLosses(dropped, targets, out);
}

void EffectResolver::Apply(const StatementEffects& effects) {
  has_time_zone_ = has_time_zone_ || effects.sets_time_zone;
  NoteTypes(effects);
  for (const Renaming& renaming : effects.renamings) {
    if (renaming.from_column.empty() || facts_ == nullptr) continue;
    const absl::optional<RelationId> id = Find(renaming.from);
    if (!id || FindColumn(*id, renaming.from_column) == nullptr) continue;
    const auto earlier = renamed_columns_.find({*id, renaming.from_column});
    const std::string original =
        earlier == renamed_columns_.end() ? renaming.from_column : earlier->second;
    renamed_columns_[{*id, renaming.to_column}] = original;
  }
  if (facts_ == nullptr) {
    for (const DroppedThing& dropped : effects.drops) created_.erase(ToCatalogName(dropped.name));
    for (const CreatedThing& created : effects.created) {
      if (created.column.empty()) {
        created_.insert(ToCatalogName(created.name));
      } else {
        created_columns_.insert({ToCatalogName(created.name), created.column});
      }
    }
  }
  scope_.Apply(effects);
}

absl::optional<RelationId> EffectResolver::RetypedRelation(const WorkNeed& work) const {
  const bool is_change =
      work.kind == migration::v1::RELATION_WORK_KIND_REWRITE && !work.type.name.name.empty();
  return is_change ? Find(work.relation) : absl::nullopt;
}

std::vector<TypeChange> EffectResolver::TypeChangesOf(const StatementEffects& effects) const {
  std::vector<TypeChange> changes;
  if (facts_ == nullptr) return changes;
  for (const WorkNeed& work : effects.works) {
    const absl::optional<RelationId> id = RetypedRelation(work);
    const ColumnFacts* column = id ? FindColumn(*id, work.column) : nullptr;
    if (column == nullptr) continue;
    TypeChange& change = changes.emplace_back();
    change.column = work.column;
    change.from = column->type;
    change.to = Formatted(work.type);
    change.rewrites = IsNeeded(work);
    change.checks = !change.rewrites && IsChecked(work);
    change.rebuilds_indexes = !change.rewrites && column->is_indexed && ChangesZoneOnly(work);
    // What USING makes of the values is not looked at.
    if (work.condition != WorkCondition::kAlways) {
      change.narrows = NarrowsType(column->base_type, work.type);
    }
  }
  return changes;
}

void EffectResolver::NoteTypes(const StatementEffects& effects) {
  for (const WorkNeed& work : effects.works) {
    const absl::optional<RelationId> id = RetypedRelation(work);
    const ColumnFacts* column = id ? FindColumn(*id, work.column) : nullptr;
    if (column == nullptr) continue;
    const auto renamed = renamed_columns_.find({*id, work.column});
    ColumnFacts changed = *column;
    changed.type = Formatted(work.type);
    changed.base_type = changed.type;
    changed_columns_[{*id, renamed == renamed_columns_.end() ? work.column : renamed->second}] =
        std::move(changed);
  }
}

bool EffectResolver::DoesNothing(const StatementEffects& effects) const {
  for (const CreatedThing& created : effects.created) {
    if (created.is_guarded && created.column.empty() && Find(created.name)) return true;
  }
  return false;
}

PlannedStatement EffectResolver::Resolve(const StatementEffects& effects) {
  PlannedStatement out;
  out.set_command(effects.command);
  out.set_is_unknown(effects.is_unknown || CallsUnknown(effects));
  out.set_transaction_need(effects.transaction_need);
  if (DoesNothing(effects)) return out;
  AddLocks(effects, out);
  AddWorks(effects, out);
  AddLosses(effects, out);
  Apply(effects);
  return out;
}

}  // namespace migd
