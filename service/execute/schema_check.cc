#include "service/execute/schema_check.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "service/base/errors.h"
#include "service/execute/replay.h"
#include "service/execute/verify.h"

namespace migd {
namespace {

using migration::v1::OperationEvent;
using migration::v1::SchemaDifference;

// An event has so many differences; see SchemaCompared.
constexpr size_t kMostDifferences = 200;

// PostgreSQL ends a session that idles for minutes; see PostgresSession::Guard.
constexpr absl::Duration kSignOfLife = absl::Seconds(30);

// `public."My t".id` as its parts, without quotes.
std::vector<std::string> PartsOf(absl::string_view name) {
  std::vector<std::string> parts(1);
  bool quoted = false;
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '"') {
      const bool doubled = quoted && i + 1 < name.size() && name[i + 1] == '"';
      if (doubled) {
        parts.back().push_back(name[++i]);
      } else {
        quoted = !quoted;
      }
    } else if (name[i] == '.' && !quoted) {
      parts.emplace_back();
    } else {
      parts.back().push_back(name[i]);
    }
  }
  return parts;
}

bool IsRelation(absl::string_view kind) {
  return kind == "table" || kind == "foreign table" || kind == "view" ||
         kind == "materialized view" || kind == "sequence" || kind == "index";
}

bool IsSameKind(absl::string_view a, absl::string_view b) {
  return a == b || (IsRelation(a) && IsRelation(b));
}

OperationEvent EventOf(const SchemaCheckContext& context, const Comparison& comparison) {
  OperationEvent event;
  auto& compared = *event.mutable_schema_compared();
  const VersionRows& rows = context.plan.resulting_rows;
  compared.mutable_revisions()->Add(rows.begin(), rows.end());
  compared.set_object_count(comparison.object_count);
  const auto& differences = comparison.differences;
  const size_t listed = std::min(differences.size(), kMostDifferences);
  compared.mutable_differences()->Add(differences.begin(),
                                      differences.begin() + static_cast<std::ptrdiff_t>(listed));
  compared.set_omitted_count(static_cast<int>(differences.size() - listed));
  return event;
}

OperationEvent EventOf(const SchemaCheckContext& context, const absl::Status& status) {
  OperationEvent event = EventOf(context, Comparison());
  *event.mutable_schema_compared()->mutable_error() = errors::ToProto(status);
  return event;
}

struct Schemas {
  Schema expected;
  Schema actual;
};

// What the files make up to the plan's resulting rows, and what the database has.
absl::StatusOr<Schemas> ReadSchemas(const SchemaCheckContext& context) {
  absl::Time last = absl::Now();
  const auto stay_alive = [&]() -> absl::Status {
    if (absl::Now() - last < kSignOfLife) return absl::OkStatus();
    last = absl::Now();
    return context.session.HoldsMutex().status();
  };
  auto replayed = ReplaySchema(context.workspace.scratch.get(), context.scripts,
                               context.plan.resulting_rows, context.cancellation, stay_alive);
  if (!replayed.ok()) return replayed.status();
  auto actual = context.workspace.database->ReadSchema();
  if (!actual.ok()) return actual.status();
  return Schemas{std::move(replayed->schema), *std::move(actual)};
}

absl::StatusOr<Comparison> Compare(const SchemaCheckContext& context, Schemas schemas) {
  return CompareInScope(std::move(schemas.expected), std::move(schemas.actual),
                        {{}, context.workspace.policy()->verify_ignore});
}

absl::StatusOr<Comparison> CompareAll(const SchemaCheckContext& context) {
  auto schemas = ReadSchemas(context);
  if (!schemas.ok()) return schemas.status();
  return Compare(context, *std::move(schemas));
}

void KeepSkipped(const SkippedObjects& skipped, Schema& schema) {
  for (auto object = schema.begin(); object != schema.end();) {
    object =
        skipped.Cover(object->first, object->second) ? std::next(object) : schema.erase(object);
  }
}

absl::StatusOr<Comparison> CompareSkipped(const SchemaCheckContext& context,
                                          const SkippedObjects& skipped) {
  auto schemas = ReadSchemas(context);
  if (!schemas.ok()) return schemas.status();
  KeepSkipped(skipped, schemas->expected);
  KeepSkipped(skipped, schemas->actual);
  return Compare(context, *std::move(schemas));
}

std::string Describe(const VersionRows& rows) {
  if (rows.empty()) return "an empty database";
  return absl::StrCat(rows.size() == 1 ? "revision " : "revisions ", absl::StrJoin(rows, ", "));
}

}  // namespace

void SkippedObjects::Note(const OperationEvent& event) {
  if (!event.has_object_skipped()) return;
  const auto& skipped = event.object_skipped();
  if (skipped.reason() != migration::v1::SKIP_REASON_EXISTS) return;
  objects_.insert({skipped.object_kind(), PartsOf(skipped.object_name())});
}

bool SkippedObjects::Has(const SchemaKey& key) const {
  const std::vector<std::string> parts = PartsOf(key.second);
  return std::any_of(objects_.begin(), objects_.end(), [&](const auto& object) {
    const std::vector<std::string>& name = object.second;
    return IsSameKind(object.first, key.first) && parts.size() <= name.size() + 1 &&
           parts.size() >= name.size() && std::equal(name.rbegin(), name.rend(), parts.rbegin());
  });
}

bool SkippedObjects::Cover(const SchemaKey& key, const SchemaObject& object) const {
  return Has(key) || std::any_of(object.owners.begin(), object.owners.end(),
                                 [&](const SchemaKey& owner) { return Has(owner); });
}

absl::Status CheckStampedSchema(const SchemaCheckContext& context) {
  const migration::v1::SchemaCheck check = context.request.schema_check;
  const bool required = check == migration::v1::SCHEMA_CHECK_REQUIRE;
  if (context.request.action != migration::v1::ACTION_STAMP ||
      check == migration::v1::SCHEMA_CHECK_OFF ||
      (context.workspace.scratch == nullptr && !required)) {
    return absl::OkStatus();
  }
  const auto comparison = CompareAll(context);
  if (context.cancellation.requested()) {
    return errors::OperationCancelled(context.cancellation.why());
  }
  context.sink(comparison.ok() ? EventOf(context, *comparison)
                               : EventOf(context, comparison.status()));
  if (!required) return absl::OkStatus();
  if (!comparison.ok()) return comparison.status();
  if (comparison->differences.empty()) return absl::OkStatus();
  return errors::SchemaDiffers(context.workspace.name, Describe(context.plan.resulting_rows),
                               comparison->differences);
}

void CompareSkippedObjects(const SchemaCheckContext& context, const SkippedObjects& skipped) {
  if (skipped.empty() || context.workspace.scratch == nullptr ||
      context.request.schema_check == migration::v1::SCHEMA_CHECK_OFF) {
    return;
  }
  const auto comparison = CompareSkipped(context, skipped);
  context.sink(comparison.ok() ? EventOf(context, *comparison)
                               : EventOf(context, comparison.status()));
}

}  // namespace migd
