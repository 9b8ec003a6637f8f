#include "service/execute/verify.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "service/base/errors.h"
#include "service/execute/replay.h"

namespace migd {
namespace {

// An operation that runs may change rows and schema between two readings.
constexpr int kMostReadings = 3;

bool HasSchema(const Schema& schema, const std::string& name) {
  return std::any_of(schema.begin(), schema.end(),
                     [&](const auto& entry) { return entry.second.schema == name; });
}

absl::Status CheckIgnored(const std::string& pattern) {
  const std::string kind = UnknownKind(pattern);
  if (kind.empty()) return absl::OkStatus();
  return errors::InvalidRequest(
      "ignore", absl::StrCat(pattern, ": \"", kind, "\" is no kind of object; there are ",
                             absl::StrJoin(SchemaKinds(), ", ")));
}

const SchemaObject* Find(const Schema& schema, const SchemaKey& key) {
  const auto found = schema.find(key);
  return found == schema.end() ? nullptr : &found->second;
}

}  // namespace

absl::StatusOr<Comparison> CompareInScope(Schema expected, Schema actual,
                                          const SchemaScope& scope) {
  for (const std::string& name : scope.schemas) {
    if (!HasSchema(expected, name) && !HasSchema(actual, name)) {
      return errors::InvalidRequest(
          "schemas",
          absl::StrCat("neither the database nor what its files make has a schema ", name));
    }
  }
  if (!scope.schemas.empty()) {
    KeepSchemas(scope.schemas, expected);
    KeepSchemas(scope.schemas, actual);
  }
  Comparison comparison;
  comparison.object_count = static_cast<int>(expected.size());
  for (migration::v1::SchemaDifference& difference : CompareSchemas(expected, actual)) {
    const SchemaKey key = {difference.object_kind(), difference.object_name()};
    const SchemaObject* object = Find(expected, key);
    if (object == nullptr) object = Find(actual, key);
    if (IsIgnored(scope.ignore, key, object)) {
      ++comparison.ignored_count;
    } else {
      comparison.differences.push_back(std::move(difference));
    }
  }
  return comparison;
}

absl::StatusOr<LiveSchema> ReadLiveSchema(Database& database) {
  auto rows = database.ReadRows();
  for (int reading = 1; rows.ok(); ++reading) {
    auto schema = database.ReadSchema();
    if (!schema.ok()) return schema.status();
    auto rows_after = database.ReadRows();
    if (!rows_after.ok()) return rows_after.status();
    if (*rows_after == *rows || reading == kMostReadings) {
      return LiveSchema{*std::move(rows_after), *std::move(schema)};
    }
    rows = std::move(rows_after);
  }
  return rows.status();
}

absl::StatusOr<Verification> VerifySchema(Workspace& workspace, SchemaScope scope,
                                          Cancellation& cancellation) {
  if (workspace.database == nullptr) return errors::Offline();
  for (const std::string& pattern : scope.ignore) {
    const absl::Status known = CheckIgnored(pattern);
    if (!known.ok()) return known;
  }
  const auto scripts = workspace.scripts->Load();
  if (!scripts.ok()) return scripts.status();
  auto live = ReadLiveSchema(*workspace.database);
  if (!live.ok()) return live.status();
  auto replayed = ReplaySchema(workspace.scratch.get(), **scripts, live->rows, cancellation);
  if (!replayed.ok()) return replayed.status();
  const std::vector<std::string> ignore = workspace.policy()->verify_ignore;
  scope.ignore.insert(scope.ignore.end(), ignore.begin(), ignore.end());
  auto comparison = CompareInScope(std::move(replayed->schema), std::move(live->schema), scope);
  if (!comparison.ok()) return comparison.status();
  return Verification{std::move(live->rows), *std::move(comparison), std::move(replayed->scratch)};
}

}  // namespace migd
