// What an operation looks at in the schema beside its steps: whether what it stamps is there, and
// whether what it passed over is what the files would have made.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "service/execute/cancellation.h"
#include "service/execute/executor.h"
#include "service/execute/workspace.h"
#include "service/plan/plan.h"
#include "service/schema/schema.h"
#include "service/script/script_directory.h"

namespace migd {

// The objects that an upgrade has passed over because they were there. Used by one thread.
class SkippedObjects {
 public:
  // Takes the object of an ObjectSkipped with SKIP_REASON_EXISTS; ignores every other event.
  void Note(const migration::v1::OperationEvent& event);

  bool empty() const { return objects_.empty(); }
  // Whether an object of a schema is one of them, or goes with one. A name without a schema is that
  // of an object in any; names are compared without their quotes, and every relation can be in the
  // way of every other.
  bool Cover(const SchemaKey& key, const SchemaObject& object) const;

 private:
  bool Has(const SchemaKey& key) const;

  // Kind, and the parts of the name.
  std::set<std::pair<std::string, std::vector<std::string>>> objects_;
};

// What both checks work with. All of it must outlive the call.
struct SchemaCheckContext {
  Workspace& workspace;
  // Of the operation, outside a transaction: it holds the mutex meanwhile.
  Session& session;
  const ScriptSet& scripts;
  const Plan& plan;
  const ExecuteRequest& request;
  Cancellation& cancellation;
  const EventSink& sink;
};

// Before a stamp: compares the schema with that of the rows that it writes, and emits
// SchemaCompared with what differs or what kept it from being compared. With SCHEMA_CHECK_REQUIRE
// both stop it: SchemaDiffers, ScratchUnavailable, ReplayFailed ...; otherwise only
// OperationCancelled does. Does nothing for another action, with SCHEMA_CHECK_OFF, and, unless it
// is required, in a workspace without a source of scratch databases.
absl::Status CheckStampedSchema(const SchemaCheckContext& context);

// After the last step of an upgrade: compares what it passed over with what the files make, and
// emits SchemaCompared. Whatever goes wrong stands there. Does nothing if nothing was passed over,
// with SCHEMA_CHECK_OFF, and without a source of scratch databases.
void CompareSkippedObjects(const SchemaCheckContext& context, const SkippedObjects& skipped);

}  // namespace migd
